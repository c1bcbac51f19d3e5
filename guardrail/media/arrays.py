"""Images that are already in memory: PIL, numpy and torch, in and out.

Whatever came in is judged as 8-bit RGB(A). What goes back after an alteration has the type, mode, shape, dtype, value
range and device of what came in, so that a pipeline cannot tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import ImageTooLarge, UnreadableImage, UnsupportedInput
from guardrail.media.decode import require_size, to_frame
from guardrail.media.types import Frame, ImageInput, Limits, Role

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["from_array", "from_pil", "is_array", "is_pil", "is_tensor", "put_back", "to_numpy"]


def is_pil(value: object) -> bool:
    """True for a PIL image; Pillow is not imported to find out."""
    return any(c.__module__ == "PIL.Image" and c.__name__ == "Image" for c in type(value).__mro__)


def is_tensor(value: object) -> bool:
    """True for a torch tensor; torch is not imported to find out."""
    return any(c.__module__ == "torch" and c.__name__ == "Tensor" for c in type(value).__mro__)


def is_array(value: object) -> bool:
    return isinstance(value, np.ndarray) or is_tensor(value)


def to_numpy(value: Any) -> NDArray[Any]:
    """A numpy view or copy on the CPU; half-precision tensors become float32."""
    if isinstance(value, np.ndarray):
        return value
    tensor = value.detach()
    if tensor.dtype.is_floating_point and tensor.dtype.itemsize < 4:
        tensor = tensor.float()
    return np.asarray(tensor.cpu().numpy())


def from_pil(
    image: Image,
    *,
    argument: str = "image",
    index: int = 0,
    role: Role = Role.REFERENCE,
    limits: Limits | None = None,
) -> ImageInput:
    """The current frame of a PIL image, as a pipeline would use it (no EXIF rotation: pipelines do not apply it).

    Raises:
        ImageTooLarge, UnreadableImage: as `decode_image`; a lazily opened broken file shows up here.
    """
    require_size(image.width, image.height, limits or Limits(), argument)
    try:
        image.load()
        frame = to_frame(image, argument)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, UnreadableImage):
            raise
        raise UnreadableImage(f"{argument} cannot be decoded ({type(error).__name__})") from None
    return ImageInput((frame,), argument, index, role)


def from_array(
    value: Any,
    *,
    argument: str = "image",
    index: int = 0,
    role: Role = Role.REFERENCE,
    limits: Limits | None = None,
) -> ImageInput:
    """One image (2 or 3 dimensions) or one video (4 dimensions) out of an array or tensor.

    Channels are last for arrays and first for tensors, as diffusers has it; for video the frames come first. Unsigned
    bytes are taken as they are; floats may lie in 0..1, -1..1 (where a value is negative) or 0..255.

    Raises:
        UnsupportedInput: shape or dtype that is no image.
        UnreadableImage: values that are not finite.
    """
    limits = limits or Limits()
    pixels = to_numpy(value)
    channels_first = is_tensor(value) or _looks_channels_first(pixels.shape)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
        channels_first = False
    frames = pixels[None] if pixels.ndim == 3 else pixels
    if frames.ndim != 4:
        raise UnsupportedInput(f"{argument} has {pixels.ndim} dimensions; an image has 2 or 3, a video 4")
    if channels_first:
        frames = np.moveaxis(frames, 1, -1)
    if frames.shape[-1] not in (1, 3, 4):
        raise UnsupportedInput(f"{argument} has {frames.shape[-1]} channels; 1, 3 or 4 are an image")
    if len(frames) > limits.frames:
        raise ImageTooLarge(f"{argument} has {len(frames)} frames, {limits.frames} are allowed")
    require_size(frames.shape[2], frames.shape[1], limits, argument)
    return ImageInput(tuple(_to_bytes(f, argument) for f in frames), argument, index, role)


def _looks_channels_first(shape: Sequence[int]) -> bool:
    return len(shape) >= 3 and shape[-3] in (1, 3) and shape[-1] not in (1, 3, 4)


def _to_bytes(frame: NDArray[Any], argument: str) -> Frame:
    if frame.dtype == np.bool_:
        frame = frame.astype(np.uint8) * 255
    elif frame.dtype.kind in "iu":
        frame = np.clip(frame, 0, 255).astype(np.uint8)
    elif frame.dtype.kind == "f":
        low, scale = float_range(frame, argument)
        frame = np.rint(np.clip((frame.astype(np.float32) - low) * scale, 0, 255)).astype(np.uint8)
    else:
        raise UnsupportedInput(f"{argument} holds {frame.dtype}, which is no pixel type")
    return np.ascontiguousarray(np.repeat(frame, 3, axis=2) if frame.shape[2] == 1 else frame)


def float_range(frame: NDArray[Any], argument: str) -> tuple[float, float]:
    """(lowest value, factor to 0..255) of float pixels: 0..1, -1..1 or 0..255.

    Raises:
        UnreadableImage: NaN or infinite values.
    """
    if not np.isfinite(frame).all():
        raise UnreadableImage(f"{argument} has pixels that are not numbers")
    if float(frame.min(initial=0.0)) < 0.0:
        return -1.0, 127.5
    return 0.0, 255.0 if float(frame.max(initial=0.0)) <= 1.5 else 1.0


def put_back(original: Any, frames: Sequence[Frame]) -> Any:
    """Altered pixels in the type, mode, shape, dtype, range and device of `original`."""
    if is_pil(original):
        return _pil_back(original, frames[0])
    old = to_numpy(original)
    new: NDArray[Any] = np.stack(list(frames))
    if is_tensor(original) or _looks_channels_first(old.shape):
        channels = old.shape[-3] if old.ndim >= 3 else 1
        new = np.moveaxis(new[..., :3].mean(-1, keepdims=True) if channels == 1 else new[..., :channels], -1, 1)
    else:
        channels = old.shape[-1] if old.ndim >= 3 else 1
        new = new[..., :3].mean(-1, keepdims=True) if channels == 1 else new[..., :channels]
    if old.dtype == np.bool_:
        new = new >= 128
    elif old.dtype.kind == "f":
        low, scale = float_range(old, "image")
        new = new.astype(np.float32) / scale + low
    new = np.ascontiguousarray(new.reshape(old.shape).astype(old.dtype))
    if isinstance(original, np.ndarray):
        return new
    import torch

    return torch.from_numpy(new).to(device=original.device, dtype=original.dtype)


def _pil_back(original: Image, frame: Frame) -> Image:
    from PIL.Image import fromarray

    altered = fromarray(frame)
    return (
        altered if altered.mode == original.mode else altered.convert(original.mode if _plain(original.mode) else "RGB")
    )


def _plain(mode: str) -> bool:
    return mode in ("RGB", "RGBA", "L", "LA", "CMYK", "YCbCr", "HSV")
