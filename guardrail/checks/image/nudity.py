"""``reference.nudity``, ``step.nudity`` and ``output.nudity``: exposed body parts, by a detector of boxes.

The detector is NudeNet's 320n, an optional extra to be treated as AGPL-3.0 (its package is never imported: only its
model file is read). The code here is our own; boxes agree with the package's within a pixel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from guardrail.checks.base import CheckSettings, Failure, Region, SignalValues
from guardrail.checks.image.backends.base import require_finite, suppress_overlaps
from guardrail.decision import EffectiveCheck
from guardrail.errors import CheckError
from guardrail.media import ImageInput, Request
from guardrail.media.types import Frame
from guardrail.signals import CORE, SignalSpec, Stage
from guardrail.weights import CATALOGUE, read
from guardrail.weights.session import onnx_session

__all__ = ["BodyPart", "NudeNet", "NudityCheck", "NudityDetector"]

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
EXPLICIT = frozenset(
    {
        "BUTTOCKS_EXPOSED",
        "FEMALE_BREAST_EXPOSED",
        "FEMALE_GENITALIA_EXPOSED",
        "ANUS_EXPOSED",
        "MALE_GENITALIA_EXPOSED",
    }
)
FACES = frozenset({"FACE_FEMALE", "FACE_MALE"})
SCORE_FLOOR = 0.2
NMS_SCORE = 0.25
NMS_OVERLAP = 0.45
# Small figures are missed at 320; the second look is worth its 35 ms only where somebody seems to be there.
FIRST_SIDE, SECOND_SIDE = 320, 640
SECOND_LOOK_PIXELS = 400
# On close portraits the detector sees other things in faces and collars (5 of 88 at 0.25 to 0.6): there a weak part
# counts only if both looks agree. Portraits have a face of at least this share of the picture.
CLOSE_UP_SHARE = 0.08
SURE_ALONE = 0.6


@dataclass(frozen=True, slots=True)
class BodyPart:
    """A box (left, top, width, height) in pixels, its class and the detector's confidence."""

    label: str
    score: float
    box: tuple[float, float, float, float]


class NudityDetector(Protocol):
    """Finds body parts. Thread-safe."""

    name: str
    weights: Mapping[str, str]

    def detect(self, image: Frame, side: int) -> list[BodyPart]:
        """Body parts in an (H, W, 3) RGB uint8 image, looked at with its long side scaled to `side` pixels."""
        ...


class NudeNet:
    """NudeNet 320n (YOLOv8n, 18 classes) through ONNX Runtime."""

    name = "nudenet-320n"

    def __init__(self, *, threads: int = 1) -> None:
        self._session = onnx_session(read("nudenet-320n"), threads)
        self.weights: Mapping[str, str] = {"nudenet-320n": CATALOGUE["nudenet-320n"].sha256}

    def detect(self, image: Frame, side: int) -> list[BodyPart]:
        height, width = image.shape[:2]
        scale = max(height, width) / side
        (output,) = self._session.run(None, {"images": _letterbox(image, side, scale)})
        require_finite([output], self.name)
        rows: NDArray[np.float32] = output[0].T
        scores = rows[:, 4:].max(1)
        keep = np.nonzero(scores >= SCORE_FLOOR)[0]
        if not keep.size:
            return []
        labels = rows[keep, 4:].argmax(1)
        scores = scores[keep]
        centre, size = rows[keep, :2] * scale, rows[keep, 2:4] * scale
        corner = np.clip(centre - size / 2, 0, [width, height])
        size = np.minimum(size, [width, height] - corner)
        boxes = np.concatenate([corner, size], axis=1).astype(np.float32)
        sure = np.nonzero(scores >= NMS_SCORE)[0]
        kept = [int(sure[i]) for i in suppress_overlaps(boxes[sure], scores[sure], NMS_OVERLAP)] if sure.size else []
        return [
            BodyPart(LABELS[labels[i]], float(scores[i]), tuple(float(v) for v in boxes[i]))  # type: ignore[arg-type]
            for i in kept
        ]


def _letterbox(image: Frame, side: int, scale: float) -> NDArray[np.float32]:
    """(1, 3, side, side) in 0..1, scaled to fit, black at the bottom and right. Plain bilinear sampling without
    antialiasing, as the model was trained."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(image))
    data = (scale, 0.0, 0.0, 0.0, scale, 0.0)
    square = picture.transform((side, side), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.moveaxis(np.asarray(square, np.float32) / 255.0, -1, 0)[None])


class NudityCheck:
    """The highest confidence of any exposed part, in any view and frame of any image."""

    name = "nudity"
    version = "1"
    stages = frozenset({Stage.REFERENCE, Stage.STEP, Stage.OUTPUT})
    needs: frozenset[str] = frozenset()
    gives: tuple[SignalSpec, ...] = (CORE["reference.nudity"], CORE["step.nudity"], CORE["output.nudity"])
    inline = False
    timeout_s = 30.0

    def __init__(self, settings: CheckSettings | None = None, *, detector: NudityDetector | None = None) -> None:
        self.detector: NudityDetector = detector or NudeNet(threads=settings.threads if settings else 1)

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        answers: list[SignalValues | Failure] = []
        for request in batch:
            score = 0.0
            regions: list[Region] = []
            for i, image in enumerate(request.media(stage)):
                if not isinstance(image, ImageInput):
                    continue
                for frame, pixels in image.views():
                    for part in self._exposed(pixels):
                        score = max(score, part.score)
                        regions.append(Region(i, frame, part.box, "nudity", part.score, {"part": part.label}))
            answers.append(SignalValues({f"{stage.value}.nudity": score}, regions=tuple(regions)))
        return answers

    def _exposed(self, pixels: Frame) -> list[BodyPart]:
        looks = [self.detector.detect(pixels, FIRST_SIDE)]
        # Enlarging a small picture shows nothing new and makes faces look like other things.
        if looks[0] and max(pixels.shape[:2]) >= SECOND_LOOK_PIXELS:
            looks.append(self.detector.detect(pixels, SECOND_SIDE))
        parts = [p for look in looks for p in look]
        if not all(np.isfinite([p.score, *p.box]).all() for p in parts):
            raise CheckError(f"{self.detector.name} gave a number that is not finite")
        area = float(pixels.shape[0] * pixels.shape[1])
        faces = [p.box for p in parts if p.label in FACES]
        close_up = any(f[2] * f[3] > CLOSE_UP_SHARE * area for f in faces)
        exposed: list[BodyPart] = []
        for k, look in enumerate(looks):
            others = [p.box for other in looks[:k] + looks[k + 1 :] for p in other if p.label in EXPLICIT]
            for part in look:
                if part.label not in EXPLICIT or _implausible(part.box, faces, area):
                    continue
                confirmed = any(_overlap(part.box, other) > 0.3 * part.box[2] * part.box[3] for other in others)
                if part.score >= SURE_ALONE or confirmed or not close_up:
                    exposed.append(part)
        return exposed

    def warmup(self) -> None:
        picture = np.full((64, 64, 3), 127, np.uint8)
        for side in (FIRST_SIDE, SECOND_SIDE):
            self.detector.detect(picture, side)

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(f"{self.name}: {self.detector.name}", self.version, dict(self.detector.weights))


Box = tuple[float, float, float, float]


def _overlap(a: Box, b: Box) -> float:
    """Area that two boxes share."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)


def _implausible(box: Box, faces: Sequence[Box], image_area: float) -> bool:
    """A part that covers a face, or fills a picture that shows one: seen on close crops of faces.

    Without a face in sight a part that fills the picture stays: it may be what the picture is about.
    """
    fills = bool(faces) and box[2] * box[3] > 0.6 * image_area
    return fills or any(_overlap(box, f) > 0.5 * f[2] * f[3] for f in faces)
