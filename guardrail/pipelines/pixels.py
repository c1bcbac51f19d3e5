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
from guardrail.media.types import Frame

__all__ = [
    "OnDemand",
    "by_frame",
    "copied",
    "eight_bits",
    "frames_of_array",
    "frames_of_pil",
    "require_finite",
    "scaled_for",
    "with_channels",
    "write",
]


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
    """(H, W, 3) uint8 of each of some PIL images; (H, W, 4) of one with transparency."""
    return OnDemand(pictures, _pil_pixels)


def frames_of_array(one: Any) -> OnDemand:
    """The frames of one output that is an array or a tensor, channels last.

    Raises:
        UnsupportedInput: its shape is none of a picture or a video.
    """
    frames, axis = by_frame(one)
    return OnDemand(frames, partial(_channels_last, axis=axis))


def _pil_pixels(picture: Any) -> NDArray[Any]:
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    picture = picture.convert("LA") if picture.mode == "La" else picture
    # Without a copy where there is nothing to convert: of a large picture that is a millisecond at each look.
    return np.asarray(picture if picture.mode == mode else picture.convert(mode))


def _channels_last(frame: Any, axis: int) -> NDArray[Any]:
    return np.moveaxis(to_numpy(frame), axis, -1)


def require_finite(frame: NDArray[Any]) -> None:
    """Refuse pixels that are not numbers.

    Raises:
        UnsupportedInput: there are some.
    """
    if frame.dtype != np.uint8 and not np.isfinite(frame).all():
        raise UnsupportedInput("the output has pixels that are not numbers")


def eight_bits(frame: NDArray[Any]) -> Frame:
    """(H, W, 3) uint8, or (H, W, 4) with its transparency, from uint8 or floats in 0..1.

    Raises:
        UnsupportedInput: values that are not finite.
    """
    if frame.dtype == np.uint8:
        return np.ascontiguousarray(frame[..., :4])
    require_finite(frame)
    pixels = np.rint(np.clip(frame.astype(np.float32), 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :4])


def by_frame(one: Any) -> tuple[Any, int]:
    """One output as (T, …), a view, and where each of its frames has its channels.

    Raises:
        UnsupportedInput: neither a picture nor a video.
    """
    if one.ndim not in (3, 4):
        raise UnsupportedInput(f"an output of {one.ndim} dimensions is no picture or video")
    pixels = one if one.ndim == 4 else one[None]
    if not is_tensor(one):
        return pixels, 2
    axis = _channel_axis(tuple(pixels.shape))
    return (pixels, axis - 1) if axis else (pixels.swapaxes(0, 1), 0)


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


def scaled_for(place: Any, frame: NDArray[Any]) -> NDArray[Any]:
    """A frame, uint8 or floats in 0..1, with the values that the array or tensor it goes into holds."""
    floating = place.dtype.is_floating_point if is_tensor(place) else np.issubdtype(place.dtype, np.floating)
    if frame.dtype == np.uint8:
        return frame.astype(np.float32) / 255 if floating else frame
    return frame if floating else base.eight_bits(frame)


def with_channels(frame: NDArray[Any], count: int) -> NDArray[Any]:
    """A frame of colours as an opaque one where there is place for transparency; every other one as it is."""
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
