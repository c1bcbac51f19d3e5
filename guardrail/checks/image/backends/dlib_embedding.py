"""dlib's face embedding: a ResNet of 29 layers, 128 numbers, Euclidean distance (CC0 weights).

dlib finds the landmarks and cuts the face out; ONNX Runtime runs the network, which takes a tenth of the time that dlib
takes (see `dlib_network`).

Input is RGB. A 5-point predictor aligns the face to a 150-pixel chip. Thresholds are those of Euclidean distance
measured on the test photographs with held-out identities (see benchmarks/results): 0.64 at a false match rate of about
1 %, 0.60 at 0.1 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from guardrail.checks.image.backends.base import DetectedFace, FloatArray, MatchScale, require_finite
from guardrail.checks.image.backends.dlib_network import CHIP, MEAN, face_network
from guardrail.checks.image.turning import quarter_turns, turned
from guardrail.errors import MissingExtra
from guardrail.media.types import Frame
from guardrail.weights import CATALOGUE, find, read
from guardrail.weights.session import onnx_session

__all__ = ["DlibEmbedding"]

# The predictor was trained on dlib's own detector, whose boxes are square and sit lower than those of others.
BOX_SCALE = 1.0
BOX_SHIFT_DOWN = 0.08


class DlibEmbedding:
    """The embedded face embedder.

    Raises:
        MissingExtra: dlib is not installed.
        WeightsMissing, WeightsMismatch: see `guardrail.weights.read`.
    """

    name = "dlib-resnet-v1"
    dimension = 128
    scale = MatchScale(
        same=0.64,
        consent=0.55,
        margin=0.05,
        far=1.1,
        basis="measured, see benchmarks/results/faces.json",
        # 6,909 pairs of different people; the first is the nearest of them all.
        rates=((1.45e-4, 0.532), (1e-3, 0.596), (1e-2, 0.639), (5e-2, 0.672)),
    )

    def __init__(self, *, threads: int = 1) -> None:
        try:
            import dlib
        except ImportError:
            raise MissingExtra("face identity with dlib", "faces") from None
        self._dlib: Any = dlib
        self._predictor = dlib.shape_predictor(str(find("dlib-face-landmarks")))
        # On the CPU everywhere: vectors of one gallery must not depend on the arithmetic of a card.
        self._session = onnx_session(face_network(read("dlib-face-embedding")), threads)
        names = ("dlib-face-embedding", "dlib-face-landmarks")
        self.weights: Mapping[str, str] = {n: CATALOGUE[n].sha256 for n in names}

    def embed(self, image: Frame, faces: Sequence[DetectedFace]) -> FloatArray:
        vectors = np.zeros((len(faces), self.dimension), np.float32)
        for i, face in enumerate(faces):
            # One by one: the same numbers alone and among others.
            chip = (self._chip(image, face).astype(np.float32) - MEAN) / np.float32(256)
            (found,) = self._session.run(None, {"chips": np.ascontiguousarray(np.moveaxis(chip, -1, 0))[None]})
            require_finite([found], self.name)
            vectors[i] = found[0]
        return vectors

    def _chip(self, image: Frame, face: DetectedFace) -> Frame:
        """The face as (150, 150, 3) RGB uint8, upright: others are turned first, since the predictor knows no other."""
        turns = quarter_turns(face.landmarks)
        pixels = np.ascontiguousarray(np.rot90(image, turns))
        shape = self._predictor(pixels, self._rectangle(turned(face, turns, image.shape)))
        chip: Frame = self._dlib.get_face_chip(pixels, shape, size=CHIP, padding=0.25)
        return chip

    def _rectangle(self, face: DetectedFace) -> Any:
        x, y, w, h = face.box
        side = (w + h) / 2 * BOX_SCALE
        centre_x, centre_y = x + w / 2, y + h / 2 + h * BOX_SHIFT_DOWN
        left, top = round(centre_x - side / 2), round(centre_y - side / 2)
        return self._dlib.rectangle(left, top, left + round(side), top + round(side))
