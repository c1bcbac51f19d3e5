"""dlib's face embedding: a ResNet of 29 layers, 128 numbers, Euclidean distance; read by dlib itself (CC0 weights).

A 5-point predictor aligns the face to a 150-pixel chip. Thresholds are those of Euclidean distance measured on the test
photographs with held-out identities (see benchmarks/results): 0.64 at a false match rate of about 1 %, 0.60 at 0.1 %.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from guardrail.checks.image.backends.base import DetectedFace, FloatArray, MatchScale
from guardrail.errors import MissingExtra
from guardrail.media.types import Frame
from guardrail.weights import CATALOGUE, find

__all__ = ["DlibEmbedding"]

# The predictor was trained on dlib's own detector, whose boxes are square and sit lower than those of others.
BOX_SCALE = 1.0
BOX_SHIFT_DOWN = 0.08


class DlibEmbedding:
    """The embedded face embedder."""

    name = "dlib-resnet-v1"
    dimension = 128
    scale = MatchScale(same=0.64, consent=0.55, margin=0.05, far=1.1)

    def __init__(self) -> None:
        try:
            import dlib
        except ImportError:
            raise MissingExtra("face identity with dlib", "faces") from None
        self._dlib: Any = dlib
        self._predictor = dlib.shape_predictor(str(find("dlib-face-landmarks")))
        self._network = dlib.face_recognition_model_v1(str(find("dlib-face-embedding")))
        # The network keeps its activations in itself: one face at a time.
        self._lock = threading.Lock()
        names = ("dlib-face-embedding", "dlib-face-landmarks")
        self.weights: Mapping[str, str] = {n: CATALOGUE[n].sha256 for n in names}

    def embed(self, image: Frame, faces: Sequence[DetectedFace]) -> FloatArray:
        vectors = np.zeros((len(faces), self.dimension), np.float32)
        pixels = np.ascontiguousarray(image)
        for i, face in enumerate(faces):
            shape = self._predictor(pixels, self._rectangle(face))
            with self._lock:
                vectors[i] = np.asarray(self._network.compute_face_descriptor(pixels, shape), np.float32)
        return vectors

    def _rectangle(self, face: DetectedFace) -> Any:
        x, y, w, h = face.box
        side = (w + h) / 2 * BOX_SCALE
        centre_x, centre_y = x + w / 2, y + h / 2 + h * BOX_SHIFT_DOWN
        left, top = round(centre_x - side / 2), round(centre_y - side / 2)
        return self._dlib.rectangle(left, top, left + round(side), top + round(side))
