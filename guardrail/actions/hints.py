"""``guide``, ``regenerate``, ``label``, ``report`` and ``block``: alterations that change no input.

Their plan is a note: the pipeline carries hints out and says whether they were active, the marks room writes labels,
the audit room keeps reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from guardrail.actions.base import Params, PlanInput, PlannedAction
from guardrail.decision import CORE_ACTIONS, Alteration

__all__ = ["AVOID", "Block", "Guide", "Label", "Regenerate", "Report"]

AVOID: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"nudity": ("nudity", "nude", "naked", "topless", "exposed breasts", "exposed genitals", "nsfw", "sexual content")}
)
"""Each concept that a hint may steer away from, in short phrases: a negative prompt lists them, other methods span the
concept by them."""


class _Note(PlannedAction):
    def plan(self, given: PlanInput, params: Params, *, strength: int = 0) -> list[Alteration]:
        return [Alteration(self.spec.name, given.stage, params=dict(params))]


class Block(_Note):
    spec = CORE_ACTIONS["block"]


class Guide(_Note):
    spec = CORE_ACTIONS["guide"]


class Regenerate(_Note):
    spec = CORE_ACTIONS["regenerate"]


class Label(_Note):
    spec = CORE_ACTIONS["label"]


class Report(_Note):
    spec = CORE_ACTIONS["report"]
