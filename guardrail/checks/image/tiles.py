"""Cutting pictures up for a detector: large ones into tiles, long and narrow ones into windows along the strip."""

from __future__ import annotations

from collections.abc import Sequence

from guardrail.checks.image.backends.base import DetectedFace
from guardrail.media.types import NARROW

__all__ = ["LONG_FROM", "TILE_OVERLAP", "Window", "cut_off", "tiles", "whole_first", "windows"]

TILE_OVERLAP = 96
LONG_FROM = 3.0
"""Long side over short side from which a picture is looked at in windows. A look reduces a picture by its long side:
measured with faces of 6 % of the short side, 512 pixels, CenterFace finds 15 of 15 up to here, 14 at 4 and 9 at 6."""
_WINDOW = 2.0
# Part of a face that is cut off, from which it counts as the one that another window has whole.
_SAME_PART = 0.5

Window = tuple[int, int, int, int]
"""top, left, bottom, right."""


def tiles(height: int, width: int, side: int) -> list[tuple[int, int]]:
    """(top, left) of tiles of `side` pixels that cover the picture, evenly spaced, overlapping by 96 pixels or more."""
    return [(top, left) for top in _starts(height, side, TILE_OVERLAP) for left in _starts(width, side, TILE_OVERLAP)]


def windows(height: int, width: int) -> list[Window]:
    """Windows along a long and narrow picture, twice as long as it is wide; only the picture itself where it is not.

    They overlap by its short side or more, so that a face that is no longer than that is whole in one of them. Their
    number is that of the sides' ratio, which `guardrail.media.Limits` bounds.
    """
    short, long = sorted((height, width))
    if short < NARROW or long < LONG_FROM * short:
        return [(0, 0, height, width)]
    length = round(_WINDOW * short)
    starts = _starts(long, length, short)
    if height > width:
        return [(start, 0, start + length, width) for start in starts]
    return [(0, start, height, start + length) for start in starts]


def _starts(length: int, side: int, shared: int) -> list[int]:
    if length <= side:
        return [0]
    count = -(-(length - shared) // (side - shared))
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


def cut_off(face: DetectedFace, window: Window, size: Sequence[int]) -> bool:
    """Whether a face, in the coordinates of the window, reaches an edge of it that is none of the picture's.

    Args:
        size: (height, width) of the picture.
    """
    x, y, w, h = face.box
    top, left, bottom, right = window
    across = (left > 0 and x < 2) or (right < size[1] and x + w > right - left - 2)
    return across or (top > 0 and y < 2) or (bottom < size[0] and y + h > bottom - top - 2)


def whole_first(whole: Sequence[DetectedFace], parts: Sequence[DetectedFace]) -> list[DetectedFace]:
    """The whole faces, and those that were cut off unless they are a part of one, or of a larger part.

    What no window has whole stays: a face that is longer than the picture is wide, at whose sides it goes on.
    """
    largest_first = sorted(parts, key=lambda f: f.box[2] * f.box[3], reverse=True)
    return [
        *whole,
        *(
            part
            for i, part in enumerate(largest_first)
            if not any(_share_inside(part, face) > _SAME_PART for face in [*whole, *largest_first[:i]])
        ),
    ]


def _share_inside(part: DetectedFace, face: DetectedFace) -> float:
    """Which part of the one box lies in the other, 0..1."""
    (x, y, w, h), (left, top, width, height) = part.box, face.box
    across, down = min(x + w, left + width) - max(x, left), min(y + h, top + height) - max(y, top)
    return max(0.0, across) * max(0.0, down) / max(w * h, 1e-9)
