"""A detector and opinions that say what a test writes down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardrail.checks.image.nudity import BodyPart, Look
from guardrail.checks.image.nudity.looks import FIRST_SIDE, SECOND_SIDE
from guardrail.checks.image.nudity.parts import Box

PART = "BUTTOCKS_EXPOSED"
FACE = "FACE_MALE"
SMALL: Box = (200.0, 200.0, 60.0, 60.0)
ELSEWHERE: Box = (20.0, 20.0, 60.0, 60.0)
LARGE: Box = (10.0, 10.0, 480.0, 480.0)


class Scripted:
    """Sees what it is told, by side; of pieces of the picture, by their size."""

    name = "scripted"
    weights: Mapping[str, str] = {}

    def __init__(
        self,
        first: Sequence[BodyPart] = (),
        second: Sequence[BodyPart] = (),
        *,
        cue: float = 0.0,
        pieces: Mapping[tuple[int, int], Sequence[BodyPart]] | None = None,
    ) -> None:
        self.looks = {FIRST_SIDE: tuple(first), SECOND_SIDE: tuple(second)}
        self.pieces = dict(pieces or {})
        self.cue = cue
        self.whole: tuple[int, int] | None = None
        self.asked: list[tuple[int, tuple[int, int]]] = []

    def detect(self, image: Any, side: int) -> Look:
        size = (int(image.shape[0]), int(image.shape[1]))
        self.whole = self.whole or size
        self.asked.append((side, size))
        parts = self.looks[side] if size == self.whole else tuple(self.pieces.get(size, ()))
        return Look(parts, max([self.cue, *(p.score for p in parts)]))


class Opinion:
    """A second opinion that always says the same, and counts how often it is asked."""

    weights: Mapping[str, str] = {"model.safetensors": "ab" * 32}
    timeout_s = 2.0

    def __init__(self, says: float, name: str = "second") -> None:
        self.says, self.name = says, name
        self.asked = 0

    def score(self, image: Any) -> float:
        self.asked += 1
        return self.says
