"""CenterFace: an anchor-free face detector (Xu et al. 2019, arXiv 1911.03599), MIT, from a published wheel.

Input is RGB in 0..255, sides a multiple of 32. Per cell of 4 pixels: a heat map, log sizes, centre offsets and five
landmarks relative to the box.
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
from guardrail.weights.onnx_shapes import free_sizes
from guardrail.weights.session import onnx_session

__all__ = ["CenterFace"]

LONG_SIDE = 640
# A guard would rather look twice than miss: at 0.35 all faces of the test set but the one upside down are found
# (see benchmarks/results); at the usual 0.5 nothing more is lost, at 0.2 buildings and still lifes fire too.
THRESHOLD = 0.35
OVERLAP = 0.3
CELL = 4


class CenterFace:
    """The embedded face detector."""

    name = "centerface"

    def __init__(self, *, threads: int = 1, threshold: float = THRESHOLD) -> None:
        self._session = onnx_session(free_sizes(read("centerface")), threads)
        self._threshold = threshold
        self.weights: Mapping[str, str] = {"centerface": CATALOGUE["centerface"].sha256}

    def detect(self, image: Frame) -> list[DetectedFace]:
        small, factor = fit_long_side(image, LONG_SIDE)
        height, width = small.shape[:2]
        padded = np.zeros((-(-height // 32) * 32, -(-width // 32) * 32, 3), np.float32)
        padded[:height, :width] = small
        outputs = self._session.run(None, {"input.1": np.moveaxis(padded, -1, 0)[None]})
        require_finite(outputs, self.name)
        heat, size, offset, marks = outputs
        rows, cols = np.nonzero(heat[0, 0] > self._threshold)
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
            # A centre in the padding is no face of the picture.
            if boxes[i, 0] + boxes[i, 2] / 2 >= width or boxes[i, 1] + boxes[i, 3] / 2 >= height:
                continue
            x, y, w, h = (float(v) / factor for v in boxes[i])
            landmarks = np.stack([xs[:, i], ys[:, i]], axis=1).astype(np.float32) / factor
            found.append(DetectedFace((x, y, w, h), float(scores[i]), landmarks))
        return found
