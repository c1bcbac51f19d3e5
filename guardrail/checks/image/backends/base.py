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
    "DetectionThresholds",
    "Embedder",
    "FaceDetector",
    "MatchScale",
    "WindowDetector",
    "fit_long_side",
    "overlap",
    "padded_to",
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
class DetectionThresholds:
    """What the scores of one detector mean. Every detector has a scale of its own.

    Args:
        candidate: scores above it are looked at again.
        certain: from this score on an upright face needs no second look.
        confirm: what a candidate must score when its surroundings are looked at again, enlarged or reduced.
    """

    candidate: float
    certain: float
    confirm: float


class WindowDetector(Protocol):
    """A model that looks once at one window, upright. `guardrail.checks.image.detection` makes a detector of it."""

    name: str
    weights: Mapping[str, str]
    provider: str
    """What runs it (see `guardrail.weights.session.in_force`); empty for the CPU as asked for."""
    side: int
    """Windows are at most this wide and high, in pixels."""
    thresholds: DetectionThresholds

    def candidates(self, window: Frame) -> list[DetectedFace]:
        """Whatever scores over `thresholds.candidate` in an (H, W, 3) RGB uint8 window, surest first, overlaps removed.

        Raises:
            CheckError: the model gave a number that is not finite.
        """
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
        basis: where the thresholds come from: measured here, measured for another model, or only published.
        rates: (false match rate of one pair, distance), both rising, as measured on pairs of different people: what
            the thresholds shrink along as a gallery grows (see `guardrail.gallery.threshold`). Without them they stay.
    """

    same: float
    consent: float
    margin: float
    far: float
    basis: str = ""
    rates: tuple[tuple[float, float], ...] = ()

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
        """(number of faces, dimension) float32 for faces in an (H, W, 3) RGB uint8 image, in one call.

        Euclidean distance tells how alike two faces are. A face gets the same vector alone or among others.
        """
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


def padded_to(window: Frame, multiple: int) -> FloatArray:
    """The window as float32 with black to the right and below, so that its sides are multiples of `multiple`."""
    height, width = window.shape[:2]
    padded = np.zeros((-(-height // multiple) * multiple, -(-width // multiple) * multiple, 3), np.float32)
    padded[:height, :width] = window
    return padded


def overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union of two (left, top, width, height) boxes."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    inner = max(0.0, width) * max(0.0, height)
    return inner / (a[2] * a[3] + b[2] * b[3] - inner + 1e-9)


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
