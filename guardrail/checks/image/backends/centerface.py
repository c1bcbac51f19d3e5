"""CenterFace: an anchor-free face detector (Xu et al. 2019, arXiv 1911.03599), MIT, from a published wheel.

Input is RGB in 0..255, sides a multiple of 32. Per cell of 4 pixels: a heat map, log sizes, centre offsets and five
landmarks relative to the box.
"""

from __future__ import annotations

from collections.abc import Mapping

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

__all__ = ["CenterFace"]

OVERLAP = 0.3
CELL = 4


class CenterFace:
    """The embedded face detector.

    Raises:
        WeightsMissing, WeightsMismatch: see `guardrail.weights.read`.
    """

    name = "centerface"
    side = 640
    # Measured on 88 images with faces, 30 without and 450 crops without (benchmarks/results/faces.json): buildings,
    # animals and still lifes score up to 0.63 at first sight, and all of them 0.33 or less when looked at again; faces
    # score 0.59 or more then, the one upside down too, which is 0.29 at first sight.
    thresholds = DetectionThresholds(candidate=0.2, certain=0.8, confirm=0.5)

    def __init__(self, *, threads: int = 1) -> None:
        self._session = onnx_session(free_sizes(read("centerface")), threads, gpu=True)
        self.provider = in_force(self._session)
        self.weights: Mapping[str, str] = {"centerface": CATALOGUE["centerface"].sha256}

    def candidates(self, window: Frame) -> list[DetectedFace]:
        height, width = window.shape[:2]
        outputs = self._session.run(None, {"input.1": np.moveaxis(padded_to(window, 32), -1, 0)[None]})
        require_finite(outputs, self.name)
        heat, size, offset, marks = outputs
        rows, cols = np.nonzero(heat[0, 0] > self.thresholds.candidate)
        if not len(rows):
            return []
        scores = heat[0, 0, rows, cols].astype(np.float32)
        box_h, box_w = np.exp(size[0][:, rows, cols]) * CELL
        top = (rows + offset[0, 0, rows, cols] + 0.5) * CELL - box_h / 2
        left = (cols + offset[0, 1, rows, cols] + 0.5) * CELL - box_w / 2
        boxes = np.stack([left, top, box_w, box_h], axis=1).astype(np.float32)
        points = marks[0][:, rows, cols].reshape(5, 2, -1)
        ys = points[:, 0] * box_h + top
        xs = points[:, 1] * box_w + left
        found: list[DetectedFace] = []
        for i in suppress_overlaps(boxes, scores, OVERLAP):
            x, y, w, h = (float(v) for v in boxes[i])
            # A centre in the padding is no face of the picture.
            if x + w / 2 < width and y + h / 2 < height:
                landmarks = np.stack([xs[:, i], ys[:, i]], axis=1).astype(np.float32)
                found.append(DetectedFace((x, y, w, h), float(scores[i]), landmarks))
        return found
