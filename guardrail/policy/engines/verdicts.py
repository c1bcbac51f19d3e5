"""Outcomes of rules → a verdict, by the same decision rule as the built-in engine's.

All rules that hold fire; the strictest effect wins; a rule that is unknown fails closed unless it may be passed over; a
rule that could not be judged blocks. Only public parts of the room are used, so that an engine outside of it could do
the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from guardrail.decision import Action, ActionKind, ActionSpec, Leaf, Reason, Verdict
from guardrail.policy.merge import merge
from guardrail.policy.model import SEVERITIES, Rule
from guardrail.signals import Stage

__all__ = ["Judged", "acting_specs", "refused", "verdict_of"]

_SEVERITY = {name: i for i, name in enumerate(SEVERITIES)}
_BLOCK = ActionSpec("block")


class Judged(NamedTuple):
    """What became of one rule whose condition is not known to fail.

    Attributes:
        specs: the actions that can act at the stage; at least one.
        holds: True, or None for unknown.
        leaves: the comparisons that held, or what was missing.
        failure: why the rule could not be judged at all; empty when it could.
    """

    rule: Rule
    specs: tuple[ActionSpec, ...]
    holds: bool | None
    leaves: tuple[Leaf, ...] = ()
    failure: str = ""


def acting_specs(specs: Iterable[ActionSpec], stage: Stage, kinds: Mapping[str, ActionKind]) -> tuple[ActionSpec, ...]:
    """The actions that can be carried out at `stage`."""
    return tuple(spec for spec in specs if stage in kinds[spec.kind].stages)


def verdict_of(
    judged: Iterable[Judged], stage: Stage, kinds: Mapping[str, ActionKind], *, failure: str = ""
) -> Verdict:
    """The verdict; `failure` says why it is a block whatever the rules say."""
    effects = [(max((kinds[s.kind].effect for s in j.specs), key=lambda e: e.rank), j) for j in judged]
    effects.sort(key=lambda pair: (-pair[0].rank, -_SEVERITY[pair[1].rule.severity], pair[1].rule.id))
    reasons: list[Reason] = []
    asked: list[ActionSpec] = []
    strictest, closed = Action.ALLOW, bool(failure)
    for effect, found in effects:
        reason = _reason(found, effect, stage)
        if reason is None:
            continue
        reasons.append(reason)
        if reason.shadow:
            continue
        if reason.kind == "rule":
            asked += found.specs
            strictest = max(strictest, effect, key=lambda e: e.rank)
        else:
            closed = True
    if failure:
        reasons.append(_failure(failure, stage))
    if closed:
        strictest, asked = Action.BLOCK, [*asked, _BLOCK]
    return Verdict(strictest, merge(asked, kinds), tuple(reasons))


def refused(cause: str, stage: object) -> Verdict:
    """A block that no rule asked for."""
    reason = _failure(cause, stage if isinstance(stage, Stage) else Stage.PROMPT)
    return Verdict(Action.BLOCK, (_BLOCK,), (reason,))


def _reason(found: Judged, effect: Action, stage: Stage) -> Reason | None:
    rule = found.rule
    if found.failure:
        return _failure(found.failure, stage, rule.id)
    if found.holds:
        return Reason(
            "rule", rule.id, stage, effect, rule.severity, "", found.leaves, rule.locked, rule.shadow, rule.message,
            rule.refs,
        )  # fmt: skip
    if rule.on_missing == "ignore" or effect.rank < Action.ALTER.rank:
        return None
    # Not the rule's message: it speaks of what the rule forbids, and that was not established.
    return Reason(
        "missing", rule.id, stage, Action.BLOCK, rule.severity, "missing signal", found.leaves, rule.locked,
        rule.shadow, "", rule.refs,
    )  # fmt: skip


def _failure(cause: str, stage: Stage, rule: str = "") -> Reason:
    return Reason("engine", rule, stage, Action.BLOCK, "high", cause)
