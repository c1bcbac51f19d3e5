"""YuNet: a small face detector (Wu, Peng & Yu 2023, doi 10.1007/s11633-023-1423-y), MIT, with and without OpenCV.

The published file takes BGR in 0..255, sides a multiple of 32. For each stride s and cell (row, col): score
√(class × object), centre (col + x, row + y) · s, size exp(w, h) · s, landmarks (col + x, row + y) · s. OpenCV's
`FaceDetectorYN` does the same, padding included; the two give the same boxes within a pixel (see the tests).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from guardrail.checks.image.backends.base import (
    DetectedFace,
    DetectionThresholds,
    padded_to,
    require_finite,
    suppress_overlaps,
)
from guardrail.media.types import Frame
from guardrail.weights import CATALOGUE, read
from guardrail.weights.onnx_shapes import free_sizes
from guardrail.weights.session import in_force, onnx_session

__all__ = ["OpenCVYuNet", "YuNet"]

OVERLAP = 0.3
STRIDES = (8, 16, 32)
# OpenCV's default of 0.9 loses small and turned faces. Looked at again, every upright face of the test set scores 0.89
# or more, and of the false alarms (moons, galaxies, a cup) only two objects more than 0.71.
THRESHOLDS = DetectionThresholds(candidate=0.4, certain=0.8, confirm=0.75)


class YuNet:
    """YuNet 2023mar in ONNX Runtime, where its file is there.

    Raises:
        WeightsMissing, WeightsMismatch: see `guardrail.weights.read`.
    """

    name = "yunet"
    side = 640
    thresholds = THRESHOLDS

    def __init__(self, *, threads: int = 1) -> None:
        self._session = onnx_session(free_sizes(read("yunet")), threads, gpu=True)
        self._names = [f"{part}_{stride}" for stride in STRIDES for part in ("cls", "obj", "bbox", "kps")]
        self.provider = in_force(self._session)
        self.weights: Mapping[str, str] = {"yunet": CATALOGUE["yunet"].sha256}

    def candidates(self, window: Frame) -> list[DetectedFace]:
        padded = padded_to(window, 32)[..., ::-1]
        outputs = self._session.run(self._names, {"input": np.ascontiguousarray(np.moveaxis(padded, -1, 0))[None]})
        require_finite(outputs, self.name)
        boxes, scores, marks = [], [], []
        for k, stride in enumerate(STRIDES):
            cls, obj, box, kps = (o[0] for o in outputs[4 * k : 4 * k + 4])
            score = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
            keep = np.nonzero(score > self.thresholds.candidate)[0]
            across = padded.shape[1] // stride
            cell = np.stack([keep % across, keep // across], axis=1)
            centre = (cell + box[keep, :2]) * stride
            size = np.exp(box[keep, 2:]) * stride
            boxes.append(np.concatenate([centre - size / 2, size], axis=1))
            scores.append(score[keep])
            marks.append((kps[keep].reshape(-1, 5, 2) + cell[:, None]) * stride)
        all_boxes = np.concatenate(boxes).astype(np.float32)
        all_scores = np.concatenate(scores).astype(np.float32)
        all_marks = np.concatenate(marks).astype(np.float32)
        kept = suppress_overlaps(all_boxes, all_scores, OVERLAP)
        return [_face(all_boxes[i], float(all_scores[i]), all_marks[i]) for i in kept]


class OpenCVYuNet:
    """The same file in OpenCV's own `FaceDetectorYN`.

    Raises:
        WeightsMissing, WeightsMismatch: see `guardrail.weights.read`.
        ImportError: cv2 cannot be loaded.
    """

    name = "yunet"
    side = 640
    thresholds = THRESHOLDS
    provider = "OpenCV"

    def __init__(self) -> None:
        import cv2

        model = np.frombuffer(read("yunet"), np.uint8)
        self._detector: Any = cv2.FaceDetectorYN.create(
            "onnx", model, np.zeros(0, np.uint8), (self.side, self.side), THRESHOLDS.candidate, OVERLAP
        )
        # The size of the picture is a state of the detector.
        self._lock = threading.Lock()
        self.weights: Mapping[str, str] = {"yunet": CATALOGUE["yunet"].sha256}

    def candidates(self, window: Frame) -> list[DetectedFace]:
        height, width = window.shape[:2]
        with self._lock:
            self._detector.setInputSize((width, height))
            _, rows = self._detector.detect(np.ascontiguousarray(window[..., ::-1]))
        if rows is None:
            return []
        require_finite([rows], self.name)
        found = [_face(row[:4], float(row[14]), row[4:14].reshape(5, 2)) for row in rows]
        return sorted(found, key=lambda f: -f.score)


def _face(box: Any, score: float, landmarks: Any) -> DetectedFace:
    x, y, w, h = (float(v) for v in box)
    return DetectedFace((x, y, w, h), score, np.asarray(landmarks, np.float32))
