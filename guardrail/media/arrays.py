"""Images that are already in memory: PIL, numpy and torch, in and out.

Whatever came in is judged as 8-bit RGB(A). What goes back after an alteration has the type, mode, shape, dtype, value
range and device of what came in, so that a pipeline cannot tell; pixels that were not altered are the very same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import ActionError, ImageTooLarge, InputError, UnreadableImage, UnsupportedInput
from guardrail.media.decode import is_wide, require_size, to_frames, wide_spans
from guardrail.media.readings import changed_anywhere, covered
from guardrail.media.types import Frame, ImageInput, Limits, Role

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["from_array", "from_pil", "is_array", "is_pil", "is_tensor", "put_back", "to_numpy"]

# Floats a little outside of their range come from resizing: measured on random pictures up to 13 % of the range with
# Pillow's BICUBIC, 29 % with LANCZOS.
_OVERSHOOT = 0.3
# Modes that an altered picture can be put back into; all others come back as RGB or RGBA.
_PLAIN_MODES = frozenset({"1", "L", "LA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"})


def is_pil(value: object) -> bool:
    """True for a PIL image; Pillow is not imported to find out."""
    return any(c.__module__ == "PIL.Image" and c.__name__ == "Image" for c in type(value).__mro__)


def is_tensor(value: object) -> bool:
    """True for a torch tensor; torch is not imported to find out."""
    return any(c.__module__ == "torch" and c.__name__ == "Tensor" for c in type(value).__mro__)


def is_array(value: object) -> bool:
    return isinstance(value, np.ndarray) or is_tensor(value)


def to_numpy(value: Any) -> NDArray[Any]:
    """A numpy view or copy on the CPU; half-precision tensors become float32.

    Raises:
        UnsupportedInput: a tensor without readable values (sparse, quantised, on the meta device).
    """
    if isinstance(value, np.ndarray):
        # A masked array would hide its masked pixels from every minimum and maximum.
        return np.asarray(value)
    tensor = value.detach()
    try:
        if tensor.dtype.is_floating_point and tensor.dtype.itemsize < 4:
            tensor = tensor.float()
        return np.asarray(tensor.cpu().numpy())
    except (TypeError, RuntimeError, NotImplementedError):
        raise UnsupportedInput(
            f"a tensor of {value.dtype} ({value.layout}, on {value.device}) has no values that can be read as pixels"
        ) from None


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
        frames = to_frames(image, argument)
    except InputError:
        raise
    except Exception:  # noqa: BLE001 - a file that is opened lazily is decoded here: see decode._refused
        raise UnreadableImage(f"{argument} is damaged, cut off or closed: its pixels cannot be read") from None
    return ImageInput(frames, argument, index, role)


def from_array(
    value: Any,
    *,
    argument: str = "image",
    index: int = 0,
    role: Role = Role.REFERENCE,
    limits: Limits | None = None,
) -> ImageInput:
    """One image (2 or 3 dimensions) or one video (4 dimensions) out of an array or tensor.

    Channels are last for arrays and first for tensors, as diffusers has it, or where they can only be; for video the
    frames come first. Integers lie in 0..255 (or 0..1, for masks); floats in 0..1, -1..1 (where a value is negative) or
    0..255, with a little overshoot. Floats over 1 are judged as 0..255 and once more cut off at 1, which is what
    pipelines take them for: one bright pixel must not make a picture black.

    Raises:
        UnsupportedInput: shape, dtype or range that is no image.
        UnreadableImage: values that are not finite, or none at all.
        ImageTooLarge: more pixels or frames than `limits` allows.
    """
    limits = limits or Limits()
    frames = _channels_last(value, argument)
    if len(frames) > limits.frames:
        raise ImageTooLarge(f"{argument} has {len(frames)} frames, {limits.frames} are allowed")
    require_size(frames.shape[2], frames.shape[1], limits, argument)
    if not len(frames):
        raise UnreadableImage(f"{argument} has no frames")
    shown = [frame for scale in _scales(frames, argument) for frame in scale.to_bytes(frames)]
    return ImageInput(tuple(shown), argument, index, role)


def _channels_last(value: Any, argument: str) -> NDArray[Any]:
    """(frames, height, width, channels), a view where it can be one."""
    pixels = to_numpy(value)
    if pixels.ndim == 2:
        return pixels[None, ..., None]
    frames = pixels[None] if pixels.ndim == 3 else pixels
    if frames.ndim != 4:
        raise UnsupportedInput(f"{argument} has {pixels.ndim} dimensions; an image has 2 or 3, a video 4")
    if _is_channels_first(frames.shape, tensor=is_tensor(value)):
        frames = np.moveaxis(frames, 1, -1)
    if frames.shape[-1] not in (1, 3, 4):
        raise UnsupportedInput(f"{argument} has {frames.shape[-1]} channels; 1, 3 or 4 are an image")
    return frames


def _is_channels_first(shape: Sequence[int], *, tensor: bool) -> bool:
    if tensor:
        return shape[1] in (1, 3, 4) or shape[-1] not in (1, 3, 4)
    return shape[1] in (1, 3) and shape[-1] not in (1, 3, 4)


@dataclass(frozen=True, slots=True)
class _Scale:
    """How values become 0..255: (value - low) * factor."""

    low: float
    factor: float

    def to_bytes(self, frames: NDArray[Any]) -> NDArray[np.uint8]:
        """(n, H, W, 3 or 4) uint8; grey three times."""
        if frames.dtype != np.uint8 or (self.low, self.factor) != (0.0, 1.0):
            frames = np.rint(np.clip((frames.astype(np.float32) - self.low) * self.factor, 0, 255)).astype(np.uint8)
        return np.ascontiguousarray(np.repeat(frames, 3, axis=-1) if frames.shape[-1] == 1 else frames)

    def from_bytes(self, frames: NDArray[np.uint8], like: NDArray[Any]) -> NDArray[Any]:
        """The inverse, with the channels and the dtype of `like`."""
        values = frames.astype(np.float32)
        if like.shape[-1] == 1:
            values = values[..., :3].mean(-1, keepdims=True)
        values = values / self.factor + self.low
        if like.dtype.kind != "f":
            values = np.rint(values)
        return values.astype(like.dtype)


def _scales(frames: NDArray[Any], argument: str) -> tuple[_Scale, ...]:
    """The ranges that values may have been meant in. A video has one for all its frames.

    Raises:
        UnsupportedInput: a dtype or values that are no pixels.
        UnreadableImage: NaN or infinite values.
    """
    kind = frames.dtype.kind
    if kind == "b":
        return (_Scale(0.0, 255.0),)
    if kind not in "iuf":
        raise UnsupportedInput(f"{argument} holds {frames.dtype}, which is no pixel type")
    if kind == "f" and not np.isfinite(frames).all():
        raise UnreadableImage(f"{argument} has pixels that are not numbers")
    low, high = float(frames.min(initial=0)), float(frames.max(initial=0))
    if kind != "f":
        if low < 0 or high > 255:
            raise UnsupportedInput(f"{argument} has integer pixels outside of 0..255; scale them to 8 bits first")
        return (_Scale(0.0, 255.0 if high <= 1 else 1.0),)
    signed = _Scale(-1.0, 127.5) if low < 0 else _Scale(0.0, 255.0)
    if high <= 1 + 2 * _OVERSHOOT and low >= -1 - 2 * _OVERSHOOT:
        return (signed,)
    if high <= 255 * (1 + _OVERSHOOT) and low >= -255 * _OVERSHOOT:
        return _Scale(0.0, 1.0), signed
    raise UnsupportedInput(f"{argument} has pixels that fit no range: floats lie in 0..1, -1..1 or 0..255")


def put_back(original: Any, frames: Sequence[Frame]) -> Any:
    """Altered pixels in the type, mode, shape, dtype, range and device of `original`.

    What was not altered keeps its value to the last bit. PIL images with a palette, with premultiplied alpha or in LAB
    cannot hold new colours: they come back as RGB, or as RGBA where they have transparency.

    Args:
        original: what `from_pil` or `from_array` read.
        frames: as many as were read, of the same sizes.

    Raises:
        ActionError: their number or a size differs.
    """
    if is_pil(original):
        return _pil_back(original, frames)
    old = _channels_last(original, "the original")
    new = old.copy()
    scales = _scales(old, "the original")
    _require_alike([f for s in scales for f in s.to_bytes(old)], frames)
    # The first reading has the last word: what was covered in it is covered in every other one.
    shown = [scale.to_bytes(old) for scale in scales]
    given = [np.stack(list(frames[k * len(old) : (k + 1) * len(old)])) for k in range(len(scales))]
    for i in range(len(old)):
        anywhere = changed_anywhere([s[i] for s in shown], [g[i] for g in given])
        for scale, before, after in reversed(list(zip(scales, shown, given, strict=True))):
            mask = covered(before[i], after[i], anywhere)
            new[i][mask] = scale.from_bytes(after[i : i + 1], old)[0][mask]
    return _as_given(original, new)


def _as_given(original: Any, new: NDArray[Any]) -> Any:
    shape = tuple(original.shape)
    whole = shape if len(shape) == 4 else (1, *shape)
    if len(shape) > 2 and _is_channels_first(whole, tensor=is_tensor(original)):
        new = np.moveaxis(new, -1, 1)
    new = np.ascontiguousarray(new.reshape(shape))
    if isinstance(original, np.ndarray):
        return new
    import torch

    return torch.from_numpy(new).to(device=original.device, dtype=original.dtype)


def _require_alike(old: Sequence[Frame], new: Sequence[Frame]) -> None:
    if [f.shape for f in old] != [np.shape(f) for f in new]:
        raise ActionError("an alteration must keep the number of frames and the size of each")


def _pil_back(original: Image, frames: Sequence[Frame]) -> Image:
    from PIL import Image

    shown = to_frames(original, "the original")
    _require_alike(shown, frames)
    if is_wide(original.mode):
        return _wide_back(original, shown, frames)
    altered = Image.fromarray(np.ascontiguousarray(frames[0]))
    if original.mode not in _PLAIN_MODES:
        return altered
    changed = Image.fromarray((frames[0] != shown[0]).any(-1))
    out = Image.Image.copy(original)
    if original.mode == "1":
        # Without the random dither of convert(): a mask stays a mask.
        altered = altered.convert("L").point(lambda v: 255 * (v >= 128))
        altered = altered.convert("1", dither=Image.Dither.NONE)
    out.paste(altered.convert(original.mode), mask=changed)
    # Metadata of the original may hold what was covered: EXIF carries a small copy of the picture.
    out.info = {k: v for k, v in original.info.items() if k in ("transparency", "icc_profile")}
    return out


def _wide_back(original: Image, shown: Sequence[Frame], frames: Sequence[Frame]) -> Image:
    from PIL import Image

    old = np.asarray(original)
    new = old.copy()
    readings = list(zip(wide_spans(old, "the original"), shown, frames, strict=True))
    anywhere = changed_anywhere(list(shown), list(frames))
    for span, before, after in reversed(readings):
        changed = covered(before, after, anywhere)
        values = after[..., :3].mean(-1) / 255 * span
        new[changed] = (values if old.dtype.kind == "f" else np.rint(values)).astype(old.dtype)[changed]
    out = Image.fromarray(new)
    return out if out.mode == original.mode else out.convert(original.mode)
