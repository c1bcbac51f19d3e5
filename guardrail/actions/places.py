"""Which pixels a redaction covers: the grown box of a region, and the turned rectangle of a face that lies aslant.

Detectors give boxes along the edges of the picture. Around a face that leans, such a box may cut off chin and forehead,
which recognisers look at; the five landmarks say how the face lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import ActionError
from guardrail.media import Region
from guardrail.media.grown import GROW, grown

__all__ = ["Box", "Marks", "Place", "Pose", "landmarks_of", "place_of", "pose_of"]

Box = tuple[float, float, float, float]
Marks = NDArray[np.float32]
"""(5, 2) x and y of both eyes, nose and both corners of the mouth, in pixels."""

# Proportions of an upright face in the template of Deng et al. 2019 (arXiv 1801.07698): the eyes 35.2 apart, the mouth
# 40.6 below them; from the hair line (8) to the chin (114) and from ear to ear (18 to 94).
_EYES, _DOWN = 35.2, 40.6
_HALF_WIDTH, _HALF_HEIGHT = 38.0 / _EYES, 53.0 / _EYES
_CENTRE_BELOW_EYES = 9.5 / _DOWN


@dataclass(frozen=True, slots=True)
class Pose:
    """How a face lies.

    Args:
        centre: x and y of its middle, between hair line and chin.
        half: half its width and half its height, in pixels along its own axes.
        roll: how far it is turned in the picture, radians; 0 upright, positive where its right side is lower.
    """

    centre: tuple[float, float]
    half: tuple[float, float]
    roll: float

    def corners(self, grow: float) -> NDArray[np.float64]:
        """(4, 2) corners of its rectangle, grown about its middle, clockwise from the forehead's left."""
        across = np.array([np.cos(self.roll), np.sin(self.roll)]) * self.half[0] * grow
        down = np.array([-np.sin(self.roll), np.cos(self.roll)]) * self.half[1] * grow
        ways = np.array([-across - down, across - down, across + down, -across + down], np.float64)
        return np.asarray(np.array(self.centre) + ways, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """What is covered.

    Args:
        left, top, right, bottom: the pixels that hold all of it; empty where nothing lies in the picture.
        mask: (bottom - top, right - left) True where it is covered; ``None`` for all of it.
        pose: how the face lies in it.
    """

    left: int
    top: int
    right: int
    bottom: int
    mask: NDArray[np.bool_] | None
    pose: Pose

    @property
    def empty(self) -> bool:
        return self.right <= self.left or self.bottom <= self.top


def landmarks_of(region: Region) -> Marks | None:
    """The landmarks of a face, where the check that found it left any in the region."""
    marks: Any = getattr(getattr(region.private, "face", None), "landmarks", None)
    if marks is None or np.shape(marks) != (5, 2):
        return None
    return np.asarray(marks, np.float32)


def pose_of(box: Box, marks: Marks | None) -> Pose:
    """How the face in `box` lies: as its landmarks say, else upright."""
    x, y, w, h = box
    upright = Pose((x + w / 2, y + h / 2), (w / 2, h / 2), 0.0)
    if marks is None:
        return upright
    eyes, mouth = marks[:2].mean(0), marks[3:].mean(0)
    down = (mouth - eyes).astype(np.float64)
    across = (marks[1] - marks[0] + marks[4] - marks[3]).astype(np.float64) / 2
    # Eyes come close to each other in profile, eyes and mouth in a face that looks down: the longer of the two tells.
    unit = max(float(np.hypot(*across)), float(np.hypot(*down)) * _EYES / _DOWN)
    # Which corner of the eye is left and which right is lost where a face stands on its head; the mouth is below.
    if unit < 1e-6 or not float(np.hypot(*down)):
        return upright
    roll = float(np.arctan2(down[1], down[0]) - np.pi / 2)
    centre = eyes + down * _CENTRE_BELOW_EYES
    return Pose((float(centre[0]), float(centre[1])), (_HALF_WIDTH * unit, _HALF_HEIGHT * unit), roll)


def place_of(box: Box, marks: Marks | None, width: int, height: int) -> Place:
    """What is covered for a region of a picture of `width` × `height` pixels.

    Raises:
        ActionError: the box or a landmark is not finite.
    """
    if not np.isfinite(box).all() or not (marks is None or np.isfinite(marks).all()):
        raise ActionError("a region to cover is not finite")
    pose = pose_of(box, marks)
    edges = grown(box)
    inside = _clipped(edges, width, height)
    corners = pose.corners(GROW)
    turned = (*np.floor(corners.min(0)).astype(int), *np.ceil(corners.max(0)).astype(int))
    # A pixel beyond the box is rounding, not a face that reaches out of it.
    reaches = marks is not None and any(
        beyond > 1
        for beyond in (edges[0] - turned[0], edges[1] - turned[1], turned[2] - edges[2], turned[3] - edges[3])
    )
    if not reaches or box[2] <= 0 or box[3] <= 0:
        return Place(*inside, None, pose)
    both = (
        min(edges[0], int(turned[0])),
        min(edges[1], int(turned[1])),
        max(edges[2], int(turned[2])),
        max(edges[3], int(turned[3])),
    )
    left, top, right, bottom = _clipped(both, width, height)
    if right <= left or bottom <= top:
        return Place(left, top, right, bottom, None, pose)
    mask = _polygon(corners - (left, top), right - left, bottom - top)
    if inside[2] > inside[0] and inside[3] > inside[1]:
        mask[inside[1] - top : inside[3] - top, inside[0] - left : inside[2] - left] = True
    return Place(left, top, right, bottom, mask, pose)


def _clipped(edges: Sequence[int], width: int, height: int) -> tuple[int, int, int, int]:
    return max(0, edges[0]), max(0, edges[1]), min(width, edges[2]), min(height, edges[3])


def _polygon(corners: NDArray[np.float64], width: int, height: int) -> NDArray[np.bool_]:
    """(height, width) True for pixels whose middle lies in the convex polygon, or half a pixel beside it."""
    rows, cols = np.mgrid[0:height, 0:width] + 0.5
    inside = np.ones((height, width), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        length = max(float(np.hypot(x1 - x0, y1 - y0)), 1e-9)
        inside &= ((x1 - x0) * (rows - y0) - (y1 - y0) * (cols - x0)) / length >= -0.5
    return inside
