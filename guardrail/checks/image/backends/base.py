"""Protocols of face detectors and embedders, and what they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import CheckError
from guardrail.media.types import Frame

__all__ = [
    "DetectedFace",
    "Embedder",
    "FaceDetector",
    "MatchScale",
    "fit_long_side",
    "require_finite",
    "suppress_overlaps",
]

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class DetectedFace:
    """A face in an image.

    Args:
        box: left, top, width, height in pixels; may reach over the edge of the image.
        score: the detector's own confidence, 0..1.
        landmarks: (5, 2) x and y of left eye, right eye, nose, left and right corner of the mouth, as seen.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: FloatArray


class FaceDetector(Protocol):
    """Finds faces. Thread-safe."""

    name: str
    weights: Mapping[str, str]

    def detect(self, image: Frame) -> list[DetectedFace]:
        """Faces in an (H, W, 3) RGB uint8 image, surest first."""
        ...


@dataclass(frozen=True, slots=True)
class MatchScale:
    """How distances of one embedder become the score ``match``.

    The score falls linearly from 1 at distance 0 to 0.5 at `same`, and on to 0 at `far`: 0.5 always means "at the
    threshold", whatever the embedder.

    Args:
        same: distance under which two faces count as one person when protecting (false match rate about 1 %).
        consent: distance under which a face counts as the consented person; stricter, because a false match admits.
        margin: a consented match must be nearer than the next identity by at least this.
        far: distance of unrelated faces.
    """

    same: float
    consent: float
    margin: float
    far: float

    def score(self, distance: float) -> float:
        if distance <= self.same:
            return 1.0 - 0.5 * distance / self.same
        return max(0.0, 0.5 * (self.far - distance) / (self.far - self.same))


class Embedder(Protocol):
    """Turns a face into a vector. Vectors of different embedders are never compared."""

    name: str
    """Identifies weights and preprocessing; stored with every enrolled vector."""
    dimension: int
    weights: Mapping[str, str]
    scale: MatchScale

    def embed(self, image: Frame, faces: Sequence[DetectedFace]) -> FloatArray:
        """(number of faces, dimension) float32; Euclidean distance tells how alike two faces are."""
        ...


def require_finite(outputs: Sequence[NDArray[np.float32]], model: str) -> None:
    """Raises CheckError where a model gave NaN or an infinity: every comparison with NaN is false, so nothing would be
    found, and "nothing found" would pass."""
    if not all(np.isfinite(o).all() for o in outputs):
        raise CheckError(f"{model} gave a number that is not finite")


def fit_long_side(image: Frame, long_side: int) -> tuple[Frame, float]:
    """The image scaled down so that its long side is at most `long_side`, and the factor that was applied."""
    height, width = image.shape[:2]
    factor = min(1.0, long_side / max(height, width))
    if factor == 1.0:
        return image, 1.0
    from PIL import Image

    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(small), factor


def suppress_overlaps(boxes: FloatArray, scores: FloatArray, threshold: float) -> list[int]:
    """Greedy non-maximum suppression: indices of the kept (left, top, width, height) boxes, surest first."""
    order = np.argsort(-scores, kind="stable")
    left, top = boxes[:, 0], boxes[:, 1]
    right, bottom = left + boxes[:, 2], top + boxes[:, 3]
    area = boxes[:, 2] * boxes[:, 3]
    kept: list[int] = []
    while order.size:
        i, rest = int(order[0]), order[1:]
        kept.append(i)
        width = np.minimum(right[i], right[rest]) - np.maximum(left[i], left[rest])
        height = np.minimum(bottom[i], bottom[rest]) - np.maximum(top[i], top[rest])
        overlap = np.clip(width, 0, None) * np.clip(height, 0, None)
        order = rest[overlap / (area[i] + area[rest] - overlap + 1e-9) < threshold]
    return kept
