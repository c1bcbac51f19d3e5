"""Marks in videos, one frame after the other: a video of any length takes no more memory than two of its frames.

Every frame carries the whole mark, so that a cut, a still or a shortened video is as good as the whole. All frames of a
video have one mark id and one layout. Frames with one content tag carry the very same waves: these stand still while
the picture moves under them, nothing crawls over a quiet scene, and the mean of such frames is a picture in which the
mark is left and the movement and the noise of the codec are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import MarkError
from guardrail.marks.base import Detected, eight_bits
from guardrail.marks.payload import Payload

__all__ = ["FramesDetection", "detect_frames", "mark_frames"]

# Frames whose mean is looked at: one second of a film, so that most means lie within one take. Measured on six moving
# crops of photographs at 384×384: after half size and JPEG 30, and after JPEG 10, no single frame of 24 is read, and
# the means of all six are. In a scene that stands still the picture stays in the mean: it finds no more than a frame.
WINDOW = 24
_ORDER = {"payload": 2, "marked": 1, "none": 0}


class Stack(Protocol):
    """What is asked of a `MarkStack`."""

    @property
    def keys(self) -> int: ...
    def embed(self, pixels: NDArray[np.generic], mark_id: str, *, tag: int | None = None) -> NDArray[np.generic]: ...
    def fitting_tag(self, pixels: NDArray[np.generic], tag: int | None) -> int: ...
    def detect(self, pixels: NDArray[np.uint8], *, search: bool = True) -> tuple[str, Detected]: ...


def mark_frames(frames: Iterable[NDArray[Any]], stack: Stack, mark_id: str) -> Iterator[NDArray[np.generic]]:
    """Marked frames, each read back before it is given out. A frame like the one before is not marked anew.

    Args:
        frames: (H, W, 3) RGB, uint8 or floats in 0..1; they may differ in size.
        stack: a `MarkStack`.
        mark_id: of `MarkStack.mark_id`, one for the whole video.

    Yields:
        A marked copy of every frame, same shape and dtype. A frame that repeats the one before comes out as the same
        read-only array.

    Raises:
        MarkError: a frame cannot carry the mark; its number is in the message. What was given out before is marked,
            but the video must not be released.
    """
    before: NDArray[Any] | None = None
    marked: NDArray[np.generic] | None = None
    tag: int | None = None
    for number, frame in enumerate(frames):
        if before is None or marked is None or not _same(frame, before):
            try:
                tag = stack.fitting_tag(frame, tag)
                marked = stack.embed(frame, mark_id, tag=tag)
            except MarkError as error:
                raise MarkError(f"frame {number}: {error}" if number else str(error)) from error
            marked.setflags(write=False)
            # A copy: decoders like to write the next frame into the same buffer.
            before = np.array(frame)
        yield marked


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and bool(np.array_equal(one, other))


@dataclass(frozen=True, slots=True)
class FramesDetection:
    """One verdict on a video.

    Attributes:
        verdict: `payload`, `marked` or `none`, as for a picture (see `tileline.Detection`).
        payload: 64 bits as read in the look that decided, or None; other frames may have other content tags.
        key: id of the key that the mark was read with; empty with `none`.
        statistic: of the look that decided.
        false_positive_rate: upper bound of the chance that a video without these keys' marks gives this verdict: the
            rate of the look that decided, times all looks and all keys (union bound).
        frames: how many the video has.
        looks: pictures that were looked at: single frames, and means of frames.
        agreeing: looks in which the same mark id was read. They are not independent, so they do not make the rate
            smaller; few of many may mean that a marked clip was put into another video.
        others: mark ids that were read besides.
        first, last: the frames that the deciding look was made of.
    """

    verdict: Literal["payload", "marked", "none"]
    payload: int | None
    key: str
    statistic: float
    false_positive_rate: float
    frames: int
    looks: int
    agreeing: int
    others: frozenset[str]
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Look:
    key: str
    found: Detected
    first: int
    last: int

    @property
    def rate(self) -> float:
        return 1.0 if self.found.false_positive_rate is None else self.found.false_positive_rate


class _Mean:
    """The running mean of frames of one size."""

    def __init__(self) -> None:
        self._sum: NDArray[np.uint32] | None = None
        self.count = 0
        self.first = 0

    def fits(self, frame: NDArray[np.uint8]) -> bool:
        return self._sum is None or self._sum.shape == frame.shape

    def add(self, frame: NDArray[np.uint8], number: int) -> None:
        if self._sum is None:
            self._sum = np.zeros(frame.shape, np.uint32)
            self.first = number
        self._sum += frame
        self.count += 1

    def take(self) -> NDArray[np.uint8]:
        """The mean, rounded; and begins anew."""
        assert self._sum is not None
        out = ((self._sum + self.count // 2) // self.count).astype(np.uint8)
        self._sum, self.count = None, 0
        return out


class _Looks:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.best: dict[str, _Look] = {}
        self.read: dict[str, int] = {}
        self.count = 0

    def at(self, picture: NDArray[np.uint8], first: int, last: int, *, search: bool) -> None:
        self.count += 1
        look = _Look(*self._stack.detect(picture, search=search), first, last)
        mark_id = _mark_id(look.found.payload)
        if mark_id:
            self.read[mark_id] = self.read.get(mark_id, 0) + 1
        held = self.best.get(mark_id)
        if held is None or _rank(look) > _rank(held):
            self.best[mark_id] = look


def _mark_id(payload: int | None) -> str:
    return "" if payload is None else Payload.from_int(payload).mark_id


def _rank(look: _Look) -> tuple[int, float, float]:
    return _ORDER[look.found.verdict], -look.rate, look.found.statistic


def detect_frames(
    frames: Iterable[NDArray[Any]], stack: Stack, *, every: int = 24, window: int = WINDOW, search: bool = True
) -> FramesDetection:
    """Looks for the mark in a video: in single frames, in means of frames, and with a search where neither shows it.

    Args:
        frames: (H, W, 3) RGB, uint8 or floats in 0..1. All of them are read, into means of equal size; one in `every`
            is looked at by itself, the first always.
        stack: a `MarkStack`.
        every: 1 for each frame.
        window: frames in a mean, at least 2.
        search: where nothing was read so far, also look for crops, rotations and changes of aspect, in the last mean
            (of a single frame, in that).

    Raises:
        ValueError: no frames, or a number that is too small.
    """
    if every < 1 or window < 2:
        raise ValueError("`every` is a number of frames from 1 on, `window` from 2 on")
    looks, mean = _Looks(stack), _Mean()
    last: tuple[NDArray[np.uint8], int, int] | None = None
    number = -1

    def close(until: int) -> None:
        nonlocal last
        if mean.count > 1:
            first = mean.first
            last = (mean.take(), first, until)
            looks.at(last[0], first, until, search=False)

    for number, frame in enumerate(frames):
        pixels = eight_bits(frame)
        if not mean.fits(pixels):
            close(number - 1)
            mean = _Mean()
        mean.add(pixels, number)
        if number % every == 0:
            looks.at(pixels, number, number, search=False)
            last = last or (pixels.copy(), number, number)
        if mean.count == window:
            close(number)
    if last is None:
        raise ValueError("a video without frames")
    close(number)
    if search and not looks.read:
        looks.at(*last, search=True)
    return _verdict(looks, stack.keys, number + 1)


def _verdict(looks: _Looks, keys: int, frames: int) -> FramesDetection:
    from guardrail.marks.tileline.calibration import MARKED_RATE, PAYLOAD_RATE

    look = max(looks.best.values(), key=_rank)
    rate = min(1.0, look.rate * looks.count * max(keys, 1))
    verdict: Literal["payload", "marked", "none"] = "none"
    if look.found.verdict == "payload" and rate <= PAYLOAD_RATE:
        verdict = "payload"
    elif look.found.verdict != "none" and rate <= MARKED_RATE:
        verdict = "marked"
    payload = look.found.payload if verdict == "payload" else None
    mark_id = _mark_id(payload)
    return FramesDetection(
        verdict=verdict,
        payload=payload,
        key="" if verdict == "none" else look.key,
        statistic=look.found.statistic,
        false_positive_rate=rate,
        frames=frames,
        looks=looks.count,
        agreeing=looks.read.get(mark_id, 0),
        others=frozenset(looks.read) - {mark_id},
        first=look.first,
        last=look.last,
    )
