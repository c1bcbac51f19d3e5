"""What a pipeline returns: finding the pictures in it, looking at them as 8-bit frames, and putting others in place.

PIL images (videos: lists of them), numpy arrays (B, H, W, 3) or (B, T, H, W, 3) and tensors (B, 3, H, W),
(B, T, 3, H, W) or (B, 3, T, H, W), both floats in 0..1. Everything keeps its type, dtype, device and place. Every frame
of a video is looked at.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import UnsupportedInput
from guardrail.media import ImageInput, Role
from guardrail.media.arrays import is_array, is_pil, is_tensor, to_numpy
from guardrail.media.types import Frame

__all__ = ["MEDIA_FIELDS", "Result"]

MEDIA_FIELDS = ("images", "frames", "videos", "image", "video")
Form = Literal["pil", "array", "tensor", "latent"]


@dataclass(slots=True)
class Result:
    """The return value of a pipeline, opened.

    Args:
        value: what the pipeline returned; replaced pieces go into a shallow copy, never into the original.
        field: name of the attribute, or index in the tuple, that holds the pictures.
        media: the pictures, one entry per output.
        form: how they are given.
    """

    value: Any
    field: str | int
    media: list[Any]
    form: Form
    batched: Any = None

    @classmethod
    def open(cls, value: Any, *, latent: bool) -> Result:
        """Open a return value.

        Raises:
            UnsupportedInput: no pictures or videos are in it.
        """
        field, media = _find(value)
        media = list(media) if isinstance(media, tuple) else media
        # Pipelines without latents ignore the wish for them and give pictures: numpy is never a latent.
        if latent and is_tensor(media):
            return cls(value, field, [media[i : i + 1] for i in range(len(media))], "latent", media)
        if is_array(media):
            return cls(
                value, field, [media[i] for i in range(len(media))], "tensor" if is_tensor(media) else "array", media
            )
        if isinstance(media, list) and media and _is_picture_list(media):
            return cls(value, field, list(media), "pil")
        if isinstance(media, list) and media and all(is_array(m) for m in media):
            return cls(value, field, list(media), "tensor" if is_tensor(media[0]) else "array")
        raise UnsupportedInput(f"{type(value).__name__} holds {type(media).__name__}, which is no picture or video")

    def __len__(self) -> int:
        return len(self.media)

    def frames(self, index: int) -> tuple[NDArray[Any], ...]:
        """The native pixels of one output, channels last: uint8 for PIL, floats in 0..1 otherwise."""
        one = self.media[index]
        if self.form == "pil":
            return tuple(np.asarray(p.convert("RGB")) for p in (one if isinstance(one, list | tuple) else [one]))
        pixels = to_numpy(one)
        if pixels.ndim == 3:
            pixels = pixels[None]
        if self.form == "tensor":
            pixels = np.moveaxis(pixels, _channel_axis(pixels.shape), -1)
        return tuple(pixels)

    def image(self, index: int) -> ImageInput:
        """One output as the checks see it."""
        return ImageInput(tuple(eight_bits(f) for f in self.frames(index)), "output", index, Role.OUTPUT)

    def sha256(self, index: int) -> str:
        """Of the native pixels as the pipeline made them: shape, type and values."""
        one = self.media[index]
        h = hashlib.sha256()
        frames = self.frames(index) if self.form != "latent" else (to_numpy(one),)
        for frame in frames:
            h.update(f"{frame.shape} {frame.dtype}".encode())
            h.update(np.ascontiguousarray(frame).tobytes())
        return h.hexdigest()

    def put(self, index: int, frames: Sequence[NDArray[Any]], wrap: Any = None) -> None:
        """Replace one output by other frames (uint8, or floats in 0..1), in the native form.

        Args:
            wrap: applied to each PIL image, e.g. to attach a label.
        """
        if self.form == "pil":
            from PIL.Image import fromarray

            pictures = [fromarray(eight_bits(f)) for f in frames]
            pictures = [wrap(p) for p in pictures] if wrap else pictures
            self.media[index] = pictures if isinstance(self.media[index], list | tuple) else pictures[0]
            return
        old = self.media[index]
        pixels = np.stack([f.astype(np.float32) / 255 if f.dtype == np.uint8 else f for f in frames])
        if self.form == "tensor":
            axis = _channel_axis(tuple(old.shape)) if old.ndim == 4 else 1
            pixels = np.moveaxis(pixels, -1, axis)
        pixels = pixels.reshape(tuple(old.shape))
        if is_tensor(old):
            import torch

            self.media[index] = torch.from_numpy(np.ascontiguousarray(pixels)).to(device=old.device, dtype=old.dtype)
        else:
            self.media[index] = pixels.astype(old.dtype)

    def put_native(self, index: int, other: Any) -> None:
        """Replace one output by another of the same native form (``None`` only in lists of PIL images)."""
        self.media[index] = other

    def close(self) -> Any:
        """The return value with the replaced pictures in it, of the same class."""
        media: Any = self.media
        if self.form == "latent" or self.batched is not None:
            media = _restacked(self.batched, self.media, keep_axis=self.form == "latent")
        if isinstance(self.value, tuple):
            return tuple(media if i == self.field else v for i, v in enumerate(self.value))
        if isinstance(self.value, list) or is_array(self.value):
            return media
        result = copy.copy(self.value)
        result[self.field] = media
        return result


def eight_bits(frame: NDArray[Any]) -> Frame:
    """(H, W, 3) uint8 from uint8 or floats in 0..1.

    Raises:
        UnsupportedInput: values that are not finite.
    """
    if frame.dtype == np.uint8:
        return np.ascontiguousarray(frame[..., :3])
    if not np.isfinite(frame).all():
        raise UnsupportedInput("the output has pixels that are not numbers")
    pixels = np.rint(np.clip(frame.astype(np.float32), 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3])


def _channel_axis(shape: Sequence[int]) -> int:
    """Where a tensor of 4 dimensions, one video, has its channels: second, or first, or last where they can only be.

    Raises:
        UnsupportedInput: they are nowhere.
    """
    if tuple(shape[:2]) == (3, 1):
        return 0
    for channels, axis in (((1, 3), 1), ((1, 3), 0), ((1, 3), 3), ((4,), 1)):
        if shape[axis] in channels:
            return axis
    raise UnsupportedInput(f"a tensor of shape {'×'.join(map(str, shape))} is no video")


def _find(value: Any) -> tuple[str | int, Any]:
    if isinstance(value, tuple) and not hasattr(value, "keys"):
        if value and value[0] is not None:
            return 0, value[0]
    elif hasattr(value, "keys"):
        for name in MEDIA_FIELDS:
            media = getattr(value, name, None)
            if media is not None:
                return name, media
    elif isinstance(value, list) or is_array(value):
        return "", value
    raise UnsupportedInput(f"{type(value).__name__} holds no pictures or videos")


def _is_picture_list(media: Sequence[Any]) -> bool:
    return all(is_pil(m) or (isinstance(m, list | tuple) and m and all(is_pil(p) for p in m)) for m in media)


def _restacked(batched: Any, parts: Sequence[Any], *, keep_axis: bool) -> Any:
    """The parts as one array or tensor; the original object where nothing changed."""
    old = [batched[i : i + 1] if keep_axis else batched[i] for i in range(len(batched))]
    if all(_same(a, b) for a, b in zip(old, parts, strict=True)):
        return batched
    if is_tensor(batched):
        import torch

        return torch.cat(list(parts)) if keep_axis else torch.stack(list(parts))
    return np.concatenate(parts) if keep_axis else np.stack(parts)


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and bool((a == b).all()))
