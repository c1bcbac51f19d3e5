"""Whether a face is a photograph of a person or a depiction.

Face detectors fire on paintings, statues and drawings as they do on people, and no cheap cue separates them safely
(ten cues in a linear model let 39 % of depictions through at 95 % of real faces kept). So the answer has three states,
and by itself only artwork that is flat everywhere is called a depiction: areas of exactly one colour with hard edges
between them and very few colours, as in vector drawings and line art, which no camera produces. Whatever is unsure
counts as real. A backend that the user brings and measured (`realness_clip.py`) can be sure of more; docs/realness.md
has figures.

A photograph that somebody turned into flat artwork passes as a depiction here; a gallery match is independent of style.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from guardrail.media.types import Frame

__all__ = ["REAL_SCORE", "RealnessBackend", "Verdict", "flatness", "judge_face", "realness_cues"]

# Of the whole face with what is around it; both must be reached.
FLAT_SHARE = 0.45
FEW_COLOURS_SHARE = 0.68
# Between eyes and mouth, in each of 4×4 tiles: a cover over half of a photograph, or white paper around it, makes the
# whole flat, and texture left anywhere means unsure. Over 154 photographed faces in benchmarks/realness.py's states
# none reaches all of it (benchmarks/results/realness.json).
TILES = 4
ONE_COLOUR_SHARE = 0.25
# Shading has steps of a level or two from pixel to pixel, a drawing's edges more. It is what a dark photograph keeps
# when little else is left of it.
GRADUAL_LEVELS = 6
GRADUAL_SHARE = 0.10
# Grey levels from the 2nd to the 98th percentile between eyes and mouth. In a dark or faded picture whole areas fall on
# one level; photographs as they are have 80 or more, and of the drawings that are flat none has under 148.
LEAST_RANGE = 100.0
# Shorter side of what lies between eyes and mouth: tiles of six pixels.
SMALLEST_PIXELS = 24

Box = tuple[float, float, float, float]
Landmarks = NDArray[np.floating[Any]]
"""(5, 2) x and y of both eyes, nose and both corners of the mouth, in pixels."""
Verdict = Literal["depiction", "unsure"]
REAL_SCORE: dict[Verdict, float] = {"depiction": 0.1, "unsure": 0.75}
"""The signal value of each verdict; a certain photograph is never claimed."""


class RealnessBackend(Protocol):
    """A model that may be sure where the cues are not."""

    name: str
    weights: Mapping[str, str]
    """File name → sha256."""

    def is_depiction(self, image: Frame, box: Box) -> bool:
        """Whether it is sure that the face in `box` of an (H, W, 3) uint8 RGB image is no photograph.

        Raises:
            CheckError: it gave a value that is no number.
        """
        ...


def judge_face(
    image: Frame, box: Box, backend: RealnessBackend | None = None, landmarks: Landmarks | None = None
) -> Verdict:
    """The verdict for one face.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: left, top, width, height in pixels.
        backend: asked where the cues are not sure.
        landmarks: see `flatness`.

    Raises:
        CheckError: the backend gave a value that is no number.
    """
    if flatness(image, box, landmarks) >= 1.0:
        return "depiction"
    return "depiction" if backend is not None and backend.is_depiction(image, box) else "unsure"


def flatness(image: Frame, box: Box, landmarks: Landmarks | None = None) -> float:
    """How far a face is flat artwork everywhere: the least of what each cue reaches of what it needs; 1 is a depiction.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: left, top, width, height in pixels.
        landmarks: (5, 2) eyes, nose, corners of the mouth, in pixels. What lies between eyes and mouth has to be flat,
            and the middle of the box with it: a cover moves the landmarks that a detector guesses. Give them where
            they are known, as the check always does: without them 90 of
            12,936 dark, faded or covered photographs reach 1, with them none.

    Returns:
        0 and more; 0 where the face is too small to tell or lies outside of the image.
    """
    x, y, w, h = box
    whole = _cut(image, x + w / 2, y + h / 2, max(w, h) * 1.15)
    if whole is None:
        return 0.0
    flat, few_colours = realness_cues(whole)
    reached = [flat / FLAT_SHARE, few_colours / FEW_COLOURS_SHARE]
    squares = [(x + w / 2, y + h * 0.55, 0.6 * max(w, h))]
    if landmarks is not None:
        squares.append(_between_eyes_and_mouth(landmarks))
    return min(*reached, *(_inner_flatness(_cut(image, *square)) for square in squares))


def _inner_flatness(crop: Frame | None) -> float:
    # Too small to tell: JPEG blocks and scaling decide what is left of the texture.
    if crop is None or min(crop.shape[:2]) < SMALLEST_PIXELS:
        return 0.0
    low, high = np.percentile(_grey(crop), (2, 98))
    one_colour, gradual = _least_flat_tile(crop)
    return min(float(high - low) / LEAST_RANGE, one_colour / ONE_COLOUR_SHARE, GRADUAL_SHARE / max(gradual, 1e-9))


def realness_cues(crop: Frame) -> tuple[float, float]:
    """(share of pixels whose 3×3 surroundings vary by at most one grey level, share of the eight commonest colours)."""
    flat = float((_variation(_grey(crop)) <= 1.0).mean())
    coarse = (crop >> 3).astype(np.int32)
    codes = coarse[..., 0] << 10 | coarse[..., 1] << 5 | coarse[..., 2]
    counts = np.sort(np.bincount(codes.ravel()))
    return flat, float(counts[-8:].sum() / codes.size)


def _least_flat_tile(crop: Frame) -> tuple[float, float]:
    """(least share of one colour, greatest share of gradual steps) of any tile."""
    varies = _variation(crop.astype(np.int16)).max(-1)
    one_colour = varies == 0
    gradual = (varies > 0) & (varies <= GRADUAL_LEVELS)
    rows, columns = (np.linspace(0, n, TILES + 1).astype(int) for n in varies.shape)
    tiles = [np.s_[rows[i] : rows[i + 1], columns[j] : columns[j + 1]] for i in range(TILES) for j in range(TILES)]
    return min(float(one_colour[t].mean()) for t in tiles), max(float(gradual[t].mean()) for t in tiles)


def _between_eyes_and_mouth(landmarks: Landmarks) -> tuple[float, float, float]:
    """Middle and side of a square: 1.2 times the longer side of what all five take up."""
    # A face in profile has its eyes at one place: a square leaves no thin strip.
    least, most = np.min(landmarks, axis=0), np.max(landmarks, axis=0)
    middle = (least + most) / 2
    return float(middle[0]), float(middle[1]), 1.2 * float(np.max(most - least))


def _cut(image: Frame, x: float, y: float, side: float) -> Frame | None:
    """The part of a square that lies in the image, at least 3×3 pixels; ``None`` where there is less of it."""
    edges = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    if not np.isfinite(edges).all():
        return None
    left, top, right, bottom = (max(0, int(edge)) for edge in edges)
    crop = image[top:bottom, left:right, :3]
    return crop if min(crop.shape[:2]) >= 3 else None


def _grey(crop: Frame) -> NDArray[np.float32]:
    return crop.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def _variation(values: NDArray[Any]) -> NDArray[Any]:
    """(H - 2, W - 2, …) greatest less least of each 3×3 window. Down, then across: ten times as fast, and the same."""
    most = np.maximum(np.maximum(values[:-2], values[1:-1]), values[2:])
    least = np.minimum(np.minimum(values[:-2], values[1:-1]), values[2:])
    most = np.maximum(np.maximum(most[:, :-2], most[:, 1:-1]), most[:, 2:])
    least = np.minimum(np.minimum(least[:, :-2], least[:, 1:-1]), least[:, 2:])
    return np.asarray(most - least)
