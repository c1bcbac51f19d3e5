"""Body parts as a detector of boxes sees them, and how much each class of them shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from guardrail.media.types import Frame

__all__ = ["EXPLICIT", "FACES", "GRADES", "BodyPart", "Box", "Grade", "Look", "NudityDetector", "area", "shared_area"]

Box = tuple[float, float, float, float]


class Grade(StrEnum):
    """What a class of body parts says, from most to least."""

    EXPLICIT = "explicit"
    """Bare private parts: what the signal counts."""
    PARTIAL = "partial"
    """Bare skin that is shown at a beach too: never counted, but a reason to ask for a second opinion."""
    COVERED = "covered"
    """Private parts under clothes."""
    PERSON = "person"
    """Somebody is there."""


# The 18 classes of NudeNet 3, by name.
GRADES: Mapping[str, Grade] = MappingProxyType(
    {
        "FEMALE_GENITALIA_COVERED": Grade.COVERED,
        "FACE_FEMALE": Grade.PERSON,
        "BUTTOCKS_EXPOSED": Grade.EXPLICIT,
        "FEMALE_BREAST_EXPOSED": Grade.EXPLICIT,
        "FEMALE_GENITALIA_EXPOSED": Grade.EXPLICIT,
        "MALE_BREAST_EXPOSED": Grade.PARTIAL,
        "ANUS_EXPOSED": Grade.EXPLICIT,
        "FEET_EXPOSED": Grade.PERSON,
        "BELLY_COVERED": Grade.PERSON,
        "FEET_COVERED": Grade.PERSON,
        "ARMPITS_COVERED": Grade.PERSON,
        "ARMPITS_EXPOSED": Grade.PERSON,
        "FACE_MALE": Grade.PERSON,
        "BELLY_EXPOSED": Grade.PARTIAL,
        "MALE_GENITALIA_EXPOSED": Grade.EXPLICIT,
        "ANUS_COVERED": Grade.COVERED,
        "FEMALE_BREAST_COVERED": Grade.COVERED,
        "BUTTOCKS_COVERED": Grade.COVERED,
    }
)
EXPLICIT = frozenset(label for label, grade in GRADES.items() if grade is Grade.EXPLICIT)
FACES = frozenset({"FACE_FEMALE", "FACE_MALE"})


@dataclass(frozen=True, slots=True)
class BodyPart:
    """A box (left, top, width, height) in pixels, its class (a key of `GRADES`) and the detector's confidence, 0..1."""

    label: str
    score: float
    box: Box

    @property
    def grade(self) -> Grade:
        return GRADES[self.label]


@dataclass(frozen=True, slots=True)
class Look:
    """What a detector saw at one scale.

    Args:
        parts: surest first.
        cue: the highest confidence of any class anywhere, 0..1, also where it is too low for a part.
    """

    parts: tuple[BodyPart, ...] = ()
    cue: float = 0.0


class NudityDetector(Protocol):
    """Finds body parts. Thread-safe."""

    name: str
    weights: Mapping[str, str]
    """File → sha256."""

    def detect(self, image: Frame, side: int) -> Look:
        """Body parts in an (H, W, 3) RGB uint8 image, looked at with its long side scaled to `side` pixels.

        Raises:
            CheckError: the model gave a number that is not finite.
        """
        ...


def area(box: Box) -> float:
    return box[2] * box[3]


def shared_area(a: Box, b: Box) -> float:
    """Area that two boxes share, in square pixels."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)
