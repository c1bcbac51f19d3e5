"""Frames of pictures and videos in the forms that pipelines give them, read one at a time, and written back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import UnsupportedInput
from guardrail.marks import base
from guardrail.media.arrays import is_tensor, to_numpy
from guardrail.media.decode import is_wide
from guardrail.media.types import Frame

__all__ = [
    "OnDemand",
    "by_frame",
    "clipped",
    "copied",
    "eight_bits",
    "frames_of_array",
    "frames_of_pil",
    "lowest_meant",
    "require_pixels",
    "require_still",
    "scaled_for",
    "with_channels",
    "write",
]

_CHANNELS = (1, 3, 4)
# How far floats may lie outside of 0..1, as a part of the range: decoders overshoot a little, and so does resizing
# (BICUBIC by up to 0.13 on random pictures, see `media.arrays`).
_OVERSHOOT = 0.15
# Below this no 0..1 overshoots: the values are -1..1, as Kandinsky and DeepFloyd IF leave them for output_type="pt".
_SIGNED_BELOW = -0.5


class OnDemand(Sequence[NDArray[Any]]):
    """Frames that are read when they are asked for, one at a time, and not kept; but for that of a still picture.

    Args:
        source: what they are read from, one entry a frame.
        read: makes a frame of an entry.
    """

    def __init__(self, source: Any, read: Callable[[Any], NDArray[Any]]) -> None:
        self._source = source
        self._read = read
        self._still: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self._source)

    @overload
    def __getitem__(self, index: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> OnDemand: ...
    def __getitem__(self, index: int | slice) -> NDArray[Any] | OnDemand:
        if isinstance(index, slice):
            return OnDemand(self._source[index], self._read)
        if len(self._source) > 1:
            return self._read(self._source[index])
        if self._still is None:
            self._still = self._read(self._source[index])
        elif index not in (0, -1):
            raise IndexError(index)
        return self._still


def frames_of_pil(pictures: Sequence[Any]) -> OnDemand:
    """(H, W, 3) uint8 of each of some PIL images; (H, W, 4) of one with transparency; (H, W, 1) of 16 or 32 bits."""
    return OnDemand(pictures, _pil_pixels)


def frames_of_array(one: Any, low: float = 0.0) -> OnDemand:
    """The frames of one output that is an array or a tensor, channels last.

    Args:
        low: what black is among floats, 0 or -1; they are brought to 0..1.

    Raises:
        UnsupportedInput: its shape is none of a picture or a video.
    """
    frames, axis = by_frame(one)
    return OnDemand(frames, partial(_channels_last, axis=axis, low=low))


def _pil_pixels(picture: Any) -> NDArray[Any]:
    if is_wide(picture.mode):
        return np.asarray(picture)[..., None]
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    picture = picture.convert("LA") if picture.mode == "La" else picture
    # Without a copy where there is nothing to convert: of a large picture that is a millisecond at each look.
    return np.asarray(picture if picture.mode == mode else picture.convert(mode))


def _channels_last(frame: Any, axis: int, low: float) -> NDArray[Any]:
    pixels = np.moveaxis(to_numpy(frame), axis, -1)
    return np.asarray((pixels - low) / (1 - low)) if low and pixels.dtype.kind == "f" else pixels


def lowest_meant(one: Any) -> float:
    """What black is in one output that is an array or a tensor: -1.0 where its floats are in -1..1, otherwise 0.0.

    Raises:
        UnsupportedInput: its shape is none of a picture or a video.
    """
    frames = frames_of_array(one)
    return -1.0 if any(f.dtype.kind == "f" and f.min(initial=0) < _SIGNED_BELOW for f in frames) else 0.0


def require_pixels(frame: NDArray[Any]) -> None:
    """Refuse what is neither uint8 nor floats in 0..1, a little overshoot aside: it would leave as another picture than
    the one that was judged.

    Raises:
        UnsupportedInput: another type, another range, or values that are not finite.
    """
    if frame.dtype == np.uint8:
        return
    if frame.dtype.kind != "f":
        raise UnsupportedInput(
            f"the output holds {frame.dtype}, not uint8 or floats in 0..1: ask the pipeline for another output_type"
        )
    _require_finite(frame)
    if frame.min(initial=0) < -_OVERSHOOT or frame.max(initial=0) > 1 + _OVERSHOOT:
        raise UnsupportedInput("the output has floats outside of 0..1: ask the pipeline for another output_type")


def _require_finite(frame: NDArray[Any]) -> None:
    if not np.isfinite(frame).all():
        raise UnsupportedInput("the output has pixels that are not numbers")


def require_still(picture: Any) -> None:
    """Refuse a PIL image of which more leaves than its 8-bit pixels show.

    Raises:
        UnsupportedInput: it has more than 8 bits a channel, or further frames.
    """
    if is_wide(picture.mode):
        raise UnsupportedInput(
            f"the output is a picture of mode {picture.mode}: the pipeline must give 8 bits a channel"
        )
    if getattr(picture, "n_frames", 1) > 1:
        raise UnsupportedInput("the output is an animated picture: the pipeline must give its frames as a list")


def clipped(frame: NDArray[Any]) -> NDArray[Any]:
    """Floats cut off at 0 and 1, where any lies outside."""
    if frame.dtype.kind != "f" or not (frame.min(initial=0) < 0 or frame.max(initial=0) > 1):
        return frame
    return np.asarray(np.clip(frame, 0, 1))


def eight_bits(frame: NDArray[Any]) -> Frame:
    """(H, W, 3) uint8, or (H, W, 4) with its transparency, from uint8 or floats in 0..1.

    Raises:
        UnsupportedInput: values that are not finite.
    """
    if frame.dtype != np.uint8:
        _require_finite(frame)
        frame = base.eight_bits(frame)
    return np.ascontiguousarray(np.repeat(frame, 3, axis=-1) if frame.shape[-1] == 1 else frame[..., :4])


def by_frame(one: Any) -> tuple[Any, int]:
    """One output as (T, …), a view, and where each of its frames has its channels.

    Raises:
        UnsupportedInput: neither a picture nor a video, or its channels can be in more than one place.
    """
    if one.ndim not in (3, 4):
        raise UnsupportedInput(f"an output of {one.ndim} dimensions is no picture or video")
    shape = tuple(one.shape)
    if one.ndim == 3:
        return one[None], _place(shape, (0, 2) if is_tensor(one) else (2,))
    if not is_tensor(one):
        return one, _place(shape, (3,)) - 1
    if shape[:2] == (4, 1):
        raise _unknown(shape)
    # Four channels before three frames: layers with transparency (QwenImageLayered) come so, videos of four do not.
    axis = 0 if shape[:2] == (3, 1) else _place(shape, (1, 3, 0))
    return (one, axis - 1) if axis else (one.swapaxes(0, 1), 0)


def _place(shape: Sequence[int], axes: Sequence[int]) -> int:
    """The first of `axes` that can be the channels. In front of frames, four are none."""
    for axis in axes:
        if shape[axis] in (_CHANNELS if axis or len(shape) == 3 else (1, 3)):
            return axis
    raise _unknown(shape)


def _unknown(shape: Sequence[int]) -> UnsupportedInput:
    return UnsupportedInput(f"an output of shape {'×'.join(map(str, shape))} is no picture and no video that is known")


def scaled_for(place: Any, frame: NDArray[Any], low: float = 0.0) -> NDArray[Any]:
    """A frame, uint8 or floats in 0..1, with the values that the array or tensor it goes into holds.

    Args:
        low: what black is among its floats, 0 or -1.
    """
    floating = place.dtype.is_floating_point if is_tensor(place) else np.issubdtype(place.dtype, np.floating)
    if not floating:
        return base.eight_bits(frame)
    unit = frame.astype(np.float32) / 255 if frame.dtype == np.uint8 else frame
    return unit * (1 - low) + low if low else unit


def with_channels(frame: NDArray[Any], count: int) -> NDArray[Any]:
    """A frame of colours as an opaque one where there is place for transparency, as grey (luma, ITU-R BT.601) where
    there is only one channel; every other one as it is."""
    if count == 1 and frame.shape[-1] != 1:
        grey = frame[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        return (np.rint(grey) if frame.dtype == np.uint8 else grey)[..., None].astype(frame.dtype)
    if count != 4 or frame.shape[-1] != 3:
        return frame
    opaque = np.full_like(frame[..., :1], 255 if frame.dtype == np.uint8 else 1)
    return np.concatenate([frame, opaque], axis=-1)


def write(place: Any, pixels: Any) -> None:
    """Put pixels into a part of an array or tensor, in its type and on its device."""
    if is_tensor(place):
        import torch

        place.copy_(torch.tensor(pixels) if isinstance(pixels, np.ndarray) else pixels)
    else:
        place[...] = pixels


def copied(media: Any) -> Any:
    """A copy that may be written to."""
    return media.detach().clone() if is_tensor(media) else media.copy()
