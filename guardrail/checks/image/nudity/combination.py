"""How a detector of boxes and second opinions become one score.

A cascade: classifiers are large, so they are asked only where the detector is neither sure nor sees nothing, unless the
user says `always`. A second opinion may raise the score; it lowers nothing that is sure, and nothing at all unless the
user says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from guardrail.errors import CheckError, ConfigurationError
from guardrail.media.types import Frame

__all__ = ["Combination", "SecondOpinion"]


class SecondOpinion(Protocol):
    """A classifier of whole pictures. Thread-safe; the same picture gets the same score alone or among others."""

    name: str
    weights: Mapping[str, str]
    """File → sha256."""
    timeout_s: float

    def score(self, image: Frame) -> float:
        """How much nudity an (H, W, 3) RGB uint8 image shows, 0..1, on the scale of the signal: 0.35 is partial, 0.65
        explicit.

        Raises:
            CheckError: the model gave no number.
        """
        ...


@dataclass(frozen=True, slots=True)
class Combination:
    """When second opinions are asked, and what they may do.

    Args:
        ask: ``grey``: where the detector's score is under `sure` and it saw something explicit, bare skin or a part
            that it had to reject; ``always``: of every picture. The detector misses more than it sees in error (one
            user found 37.8 % of 10,000 explicit pictures, NudeNet issue 159): ``always`` is the safer one.
        rule: ``stricter``: the highest score counts. ``second``: in the grey band the second opinions' highest counts,
            also where it is lower.
        sure: from this score on the detector needs no second opinion, and none lowers it.
    """

    ask: Literal["grey", "always"] = "grey"
    rule: Literal["stricter", "second"] = "stricter"
    sure: float = 0.65

    def __post_init__(self) -> None:
        if self.ask not in ("grey", "always") or self.rule not in ("stricter", "second"):
            raise ConfigurationError(
                "second opinions on nudity are asked `grey` or `always`, and their rule is `stricter` or `second`"
            )
        if not 0.0 < self.sure <= 1.0:
            raise ConfigurationError(f"`sure` is a score over 0 and up to 1, not {self.sure:g}")

    def score(self, image: Frame, first: float, *, doubtful: bool, opinions: Sequence[SecondOpinion]) -> float:
        """The score of one picture.

        Args:
            first: the detector's, 0..1; 0 where there is none.
            doubtful: the detector saw something that it does not count.

        Raises:
            CheckError: a second opinion is no number in 0..1.
        """
        grey = first < self.sure and (first > 0.0 or doubtful)
        if not opinions or not (grey or self.ask == "always"):
            return first
        said = [opinion.score(image) for opinion in opinions]
        for opinion, value in zip(opinions, said, strict=True):
            if not (math.isfinite(value) and 0.0 <= value <= 1.0):
                raise CheckError(f"{opinion.name} gave a value that is no number in 0..1")
        second = max(said)
        return second if grey and self.rule == "second" else max(first, second)
