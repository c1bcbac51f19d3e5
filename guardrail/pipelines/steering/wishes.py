"""What a request is to be steered away from, by which method, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardrail.actions.hints import AVOID
from guardrail.decision import CORE_ACTIONS, Alteration

__all__ = ["METHODS", "Outcome", "Wish", "report", "wish_of"]

_CHOICES = {p.name: p.choices for p in CORE_ACTIONS["guide"].params}
METHODS = _CHOICES["method"]
"""From the mildest to the one that costs most."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an item asks for. Items with equal wishes share a run.

    Args:
        phrases: the concept, in short phrases.
        method: one of `METHODS`.
        scale: raise a guidance scale that is on to at least this; 0 leaves it.
        strength: of the method ``safety``: which of `safety.STRENGTHS`.
    """

    phrases: tuple[str, ...]
    method: str = "negative"
    scale: float = 0.0
    strength: str = "strong"

    @property
    def text(self) -> str:
        """The phrases as one text."""
        return ", ".join(self.phrases)


@dataclass(slots=True)
class Outcome:
    """What became of a wish in one run.

    Args:
        inactive: why the run was not steered; empty where it was.
        detail: how it was steered, in numbers and fixed words.
    """

    inactive: str = ""
    detail: str = ""


def wish_of(alterations: Sequence[Alteration]) -> Wish | None:
    """The wish of an item, by its alterations; ``None`` where nothing is to be steered.

    Where rules of two stages ask for different things, all concepts are avoided, by the method that comes last in
    `METHODS`, with the larger scale and strength.
    """
    asked = [a.params for a in alterations if a.kind == "guide"]
    if not asked:
        return None
    concepts = sorted({str(p.get("away_from", "nudity")) for p in asked})
    method = _last("method", [str(p.get("method", "negative")) for p in asked])
    strength = _last("strength", [str(p.get("strength", "strong")) for p in asked])
    scale = max(float(p.get("scale", 0.0)) for p in asked)
    return Wish(tuple(phrase for c in concepts for phrase in AVOID[c]), method, scale, strength)


def _last(param: str, values: Sequence[str]) -> str:
    return max(values, key=_CHOICES[param].index)


def report(alterations: Sequence[Alteration], outcome: Outcome) -> None:
    """Write on an item's alterations whether its steering was active."""
    for alteration in alterations:
        if alteration.kind == "guide":
            alteration.status = "inactive" if outcome.inactive else "active"
            alteration.detail = outcome.inactive or outcome.detail
