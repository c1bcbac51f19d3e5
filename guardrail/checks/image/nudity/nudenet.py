"""NudeNet's 320n: an optional extra to be treated as AGPL-3.0. Its package is never imported: only its model is read.

The code here is our own; on test photographs its boxes agree with the package's within a pixel and its scores within
0.001, at 320 and at 640 pixels (tests/checks/image/nudity/test_nudenet.py).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from guardrail.checks.image.backends.base import require_finite, suppress_overlaps
from guardrail.checks.image.nudity.parts import BodyPart, Look
from guardrail.media.types import Frame
from guardrail.weights import CATALOGUE, read
from guardrail.weights.session import onnx_session

__all__ = ["LABELS", "NudeNet"]

# Order of the classes in the model (its own metadata).
LABELS = (
    "FEMALE_GENITALIA_COVERED",
    "FACE_FEMALE",
    "BUTTOCKS_EXPOSED",
    "FEMALE_BREAST_EXPOSED",
    "FEMALE_GENITALIA_EXPOSED",
    "MALE_BREAST_EXPOSED",
    "ANUS_EXPOSED",
    "FEET_EXPOSED",
    "BELLY_COVERED",
    "FEET_COVERED",
    "ARMPITS_COVERED",
    "ARMPITS_EXPOSED",
    "FACE_MALE",
    "BELLY_EXPOSED",
    "MALE_GENITALIA_EXPOSED",
    "ANUS_COVERED",
    "FEMALE_BREAST_COVERED",
    "BUTTOCKS_COVERED",
)
# As the package has them.
SCORE_FLOOR = 0.2
NMS_SCORE = 0.25
NMS_OVERLAP = 0.45


class NudeNet:
    """NudeNet 320n (YOLOv8n, 18 classes) through ONNX Runtime.

    Raises:
        WeightsMissing, WeightsMismatch: its model file is not there, or is another one.
    """

    name = "nudenet-320n"

    def __init__(self, *, threads: int = 1) -> None:
        self._session = onnx_session(read("nudenet-320n"), threads)
        self.weights: Mapping[str, str] = {"nudenet-320n": CATALOGUE["nudenet-320n"].sha256}

    def detect(self, image: Frame, side: int) -> Look:
        height, width = image.shape[:2]
        scale = max(height, width) / side
        (output,) = self._session.run(None, {"images": _letterbox(image, side, scale)})
        require_finite([output], self.name)
        rows: NDArray[np.float32] = output[0].T
        scores = rows[:, 4:].max(1)
        cue = float(scores.max(initial=0.0))
        keep = np.nonzero(scores >= NMS_SCORE)[0]
        if not keep.size:
            return Look((), cue)
        labels, scores = rows[keep, 4:].argmax(1), scores[keep]
        centre, size = rows[keep, :2] * scale, rows[keep, 2:4] * scale
        corner = np.clip(centre - size / 2, 0, [width, height])
        size = np.minimum(size, [width, height] - corner)
        boxes = np.concatenate([corner, size], axis=1).astype(np.float32)
        return Look(
            tuple(
                BodyPart(LABELS[labels[i]], float(scores[i]), tuple(float(v) for v in boxes[i]))  # type: ignore[arg-type]
                for i in suppress_overlaps(boxes, scores, NMS_OVERLAP)
            ),
            cue,
        )


def _letterbox(image: Frame, side: int, scale: float) -> NDArray[np.float32]:
    """(1, 3, side, side) in 0..1, scaled to fit, black at the bottom and right.

    Bilinear sampling without antialiasing in whole numbers, as OpenCV's ``resize`` does it (weights of 11 bits, sums
    cut to 16): the model was trained and is published with it, and half a level of brightness moves scores by 0.001.
    """
    top, bottom, up, down = _neighbours(image.shape[0], side, scale)
    left, right, here, there = _neighbours(image.shape[1], side, scale)

    def along(rows: NDArray[np.intp]) -> NDArray[np.int32]:
        lines = image[rows]
        across = lines[:, left] * here[:, None] + lines[:, right] * there[:, None]
        return np.asarray(across >> 4, np.int32)

    sums = (along(top) * up[:, None, None] >> 16) + (along(bottom) * down[:, None, None] >> 16)
    return np.ascontiguousarray(np.moveaxis((sums + 2 >> 2).astype(np.float32) / np.float32(255), -1, 0)[None])


def _neighbours(
    length: int, side: int, scale: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32], NDArray[np.int32]]:
    """For each of `side` samples along an axis of `length` pixels: the two pixels that it lies between, and the share
    of each in 2048ths; 0 for pixels beyond the picture, which are black."""
    at = np.clip((np.arange(side) + 0.5) * scale - 0.5, 0, side * scale - 1)
    first = np.floor(at).astype(np.intp)
    share = (at - first).astype(np.float32)
    second = first + 1
    before = np.rint((1 - share) * 2048).astype(np.int32) * (first < length)
    after = np.rint(share * 2048).astype(np.int32) * (second < length)
    return np.minimum(first, length - 1), np.minimum(second, length - 1), before, after
