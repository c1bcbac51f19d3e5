"""YuNet: a small face detector (Wu, Peng & Yu 2023, doi 10.1007/s11633-023-1423-y), MIT, run without OpenCV.

The published file takes BGR in 0..255 at 640×640. For each stride s and cell (row, col): score √(class × object),
centre (col + x, row + y) · s, size exp(w, h) · s, landmarks (col + x, row + y) · s.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from guardrail.checks.image.backends.base import (
    DetectedFace,
    fit_long_side,
    require_finite,
    suppress_overlaps,
)
from guardrail.media.types import Frame
from guardrail.weights import CATALOGUE, read
from guardrail.weights.session import onnx_session

__all__ = ["YuNet"]

SIDE = 640
# OpenCV's default of 0.9 loses small and turned faces; at 0.6 all but the one lying on its side are found.
THRESHOLD = 0.6
OVERLAP = 0.3
STRIDES = (8, 16, 32)


class YuNet:
    """YuNet 2023mar, where its file is there."""

    name = "yunet"

    def __init__(self, *, threads: int = 1, threshold: float = THRESHOLD) -> None:
        self._session = onnx_session(read("yunet"), threads)
        self._names = [f"{part}_{stride}" for stride in STRIDES for part in ("cls", "obj", "bbox", "kps")]
        self._threshold = threshold
        self.weights: Mapping[str, str] = {"yunet": CATALOGUE["yunet"].sha256}

    def detect(self, image: Frame) -> list[DetectedFace]:
        small, factor = fit_long_side(image, SIDE)
        padded = np.zeros((SIDE, SIDE, 3), np.float32)
        padded[: small.shape[0], : small.shape[1]] = small[..., ::-1]
        outputs = self._session.run(self._names, {"input": np.moveaxis(padded, -1, 0)[None]})
        require_finite(outputs, self.name)
        boxes, scores, marks = [], [], []
        for k, stride in enumerate(STRIDES):
            cls, obj, box, kps = (o[0] for o in outputs[4 * k : 4 * k + 4])
            score = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
            keep = np.nonzero(score > self._threshold)[0]
            cell = np.stack([keep % (SIDE // stride), keep // (SIDE // stride)], axis=1)
            centre = (cell + box[keep, :2]) * stride
            size = np.exp(box[keep, 2:]) * stride
            boxes.append(np.concatenate([centre - size / 2, size], axis=1))
            scores.append(score[keep])
            marks.append((kps[keep].reshape(-1, 5, 2) + cell[:, None]) * stride)
        all_boxes = np.concatenate(boxes).astype(np.float32)
        all_scores = np.concatenate(scores).astype(np.float32)
        all_marks = np.concatenate(marks).astype(np.float32)
        found: list[DetectedFace] = []
        for i in suppress_overlaps(all_boxes, all_scores, OVERLAP):
            x, y, w, h = (float(v) / factor for v in all_boxes[i])
            found.append(DetectedFace((x, y, w, h), float(all_scores[i]), all_marks[i] / factor))
        return found
