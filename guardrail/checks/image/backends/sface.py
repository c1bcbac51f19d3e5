"""SFace (Zhong et al. 2021, arXiv 2205.12010) as OpenCV's model zoo publishes it: 128 numbers, cosine; Apache-2.0.

The file was not at hand when this was written: preprocessing and thresholds are those published with OpenCV's
`FaceRecognizerSF` (cosine 0.363, which is distance 1.128), and were NOT measured here. So nothing is pinned but what
the user states: a sidecar ``NAME.onnx.sha256`` beside the file, made by ``guardrail models pin FILE``. The zoo has
published the model in several precisions, each with other vectors; the embedder's id carries the hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from guardrail.checks.image.backends.align import align_112
from guardrail.checks.image.backends.base import DetectedFace, FloatArray, MatchScale, require_finite
from guardrail.errors import WeightsError, WeightsMissing
from guardrail.media.types import Frame
from guardrail.weights import folders
from guardrail.weights.pins import verified_file
from guardrail.weights.session import in_force, onnx_session

__all__ = ["SFace", "find_sface"]

FILENAMES = ("face_recognition_sface_2021dec.onnx", "face_recognition_sface_2021dec_int8.onnx")
ORIGIN = "OpenCV's model zoo (opencv_zoo, models/face_recognition_sface)"
SHAPE = (3, 112, 112)
DIMENSION = 128


class SFace:
    """An embedder from a file that the user brings and pins.

    Args:
        file: the model.

    Raises:
        WeightsMissing: the file or its sidecar is not there.
        WeightsMismatch: the file has another sha256 than the sidecar says.
        WeightsError: it is no model of 3×112×112 pixels to 128 numbers.
    """

    dimension = DIMENSION
    # Published: same person at cosine 0.363. Nothing is known of its false match rate on other photographs; consent,
    # where a false match admits, therefore asks for 0.55.
    scale = MatchScale(
        same=float(np.sqrt(2 - 2 * 0.363)),
        consent=float(np.sqrt(2 - 2 * 0.55)),
        margin=0.08,
        far=float(np.sqrt(2.0)),
        basis="published by OpenCV, not measured here: measure it on your own photographs",
    )

    def __init__(self, file: str | Path, *, threads: int = 1) -> None:
        content, digest = verified_file(Path(file))
        try:
            self._session = onnx_session(content, threads, gpu=True)
        except Exception as error:  # noqa: BLE001 - ONNX Runtime has error classes of its own
            raise WeightsError(f"{file} cannot be loaded as an ONNX model: {type(error).__name__}") from None
        (given, *others), outputs = self._session.get_inputs(), self._session.get_outputs()
        fits = not others and tuple(given.shape[1:]) == SHAPE and len(outputs) == 1
        if not fits or outputs[0].shape[-1] != DIMENSION:
            raise WeightsError(f"{file} is not SFace: it must turn 3×112×112 pixels into {DIMENSION} numbers")
        self._input = given.name
        self.name = f"sface-{digest[:12]}"
        self.provider = in_force(self._session)
        self.weights: Mapping[str, str] = {Path(file).name: hashlib.sha256(content).hexdigest()}

    def embed(self, image: Frame, faces: Sequence[DetectedFace]) -> FloatArray:
        vectors = np.zeros((len(faces), self.dimension), np.float32)
        for i, face in enumerate(faces):
            # RGB in 0..255 as it is: FaceRecognizerSF takes BGR and swaps it.
            pixels = np.moveaxis(align_112(image, face.landmarks), -1, 0)[None].astype(np.float32)
            (feature,) = self._session.run(None, {self._input: np.ascontiguousarray(pixels)})
            require_finite([feature], self.name)
            vectors[i] = feature.ravel() / max(float(np.linalg.norm(feature)), 1e-9)
        return vectors


def find_sface() -> Path:
    """The file in one of the weights folders.

    Raises:
        WeightsMissing: it is in none.
    """
    for folder in folders():
        for name in FILENAMES:
            if (folder / name).is_file():
                return folder / name
    places = ", ".join(str(f) for f in folders())
    raise WeightsMissing(
        f"face embedding needs {FILENAMES[0]}, which is not in {places}; get it from {ORIGIN}, put it there, then run: "
        "guardrail models pin FILE"
    )
