"""Quarter turns of pictures and of the faces in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from guardrail.checks.image.backends.base import DetectedFace, FloatArray

__all__ = ["quarter_turns", "turned", "turned_back"]

Size = tuple[int, ...]


def quarter_turns(landmarks: FloatArray) -> int:
    """How often ``np.rot90`` must turn the picture so that the face stands upright: 0, 1, 2 or 3.

    `landmarks` as in `DetectedFace`. The direction from the eyes to the mouth is longer than that from eye to eye in
    most views, and does not flip when a detector confuses left and right.
    """
    down = landmarks[3:].mean(0) - landmarks[:2].mean(0)
    # Pointing down on screen: angle 0; to the right: the picture lies on its left side, one turn back is three on.
    angle = float(np.arctan2(down[0], down[1]))
    return round(-angle / (np.pi / 2)) % 4


def turned(face: DetectedFace, turns: int, size: Size) -> DetectedFace:
    """The face in the picture of (height, width) `size` after ``np.rot90(picture, turns)``."""
    for _ in range(turns % 4):
        height, width = size[:2]
        x, y, w, h = face.box
        flipped = np.stack([face.landmarks[:, 1], width - face.landmarks[:, 0]], axis=1).astype(np.float32)
        face = replace(face, box=(y, width - x - w, h, w), landmarks=flipped)
        size = (width, height)
    return face


def turned_back(face: DetectedFace, turns: int, size: Size) -> DetectedFace:
    """The face of ``np.rot90(picture, turns)`` in the picture of (height, width) `size` as it was."""
    return turned(face, -turns % 4, size if turns % 2 == 0 else (size[1], size[0]))
