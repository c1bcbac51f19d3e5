"""Taking a recorded decision up again: what its record says, and what an engine says to the same signals.

A record holds what the checks measured, which stages were due and (by its timings) at which stages the policy was
asked. That is all an engine needs: no prompt, no picture. What a record cannot give back is named, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from guardrail.decision import Action
from guardrail.policy.engine import PolicyEngine
from guardrail.signals import Stage

__all__ = ["OWN", "Outcome", "Past", "Unreplayable", "is_decision", "past_of", "replay", "stage_of"]

OWN = ("input", "action", "mark", "audit", "engine")
"""Kinds of reason with which the guard itself blocks, whatever the rules say."""

_ACTIONS = {action.value: action for action in Action}
_STAGES = {stage.value: stage for stage in Stage}
_ASKED = {f"{stage.value}.policy": stage for stage in Stage}  # the step in `timings_ms` that asking the policy takes
_FIELDS = ("timings_ms", "due", "action", "signals", "reasons", "policy", "rules", "shadow_rules", "alterations", "id")
_NO_GUARD = "a field holds what no guard writes"
_UP_TO = {stage: frozenset(s for s in Stage if s.position <= stage.position) for stage in Stage}


Asked = tuple[tuple[Stage, frozenset[Stage]], ...]


class Unreplayable(ValueError):
    """A record from which the decision cannot be taken again; the text says what is wanting, without content."""


class Outcome(NamedTuple):
    """What the rules said to a request over all its stages.

    Args:
        action: allow, alter or block; a label alone is an allow.
        rules: those that acted, in the order in which they fired.
        closed: those of them that blocked because a signal was missing.
        shadow: those that would have acted if they were not in shadow mode.
    """

    action: Action
    rules: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    shadow: tuple[str, ...] = ()


class Past(NamedTuple):
    """A recorded decision.

    Args:
        id: of the decision.
        asked: where the policy was asked, in order, and what was due there.
        signals: what was measured; None for what was due and missing.
        outcome: what was decided.
        own: why the guard itself blocked, one of `OWN`, where no rule did; otherwise empty.
        regenerated: the signals are those of a later attempt, those of the picture that was refused are not on record.
        policy: id and version of the rules that decided.
    """

    id: str
    asked: Asked
    signals: Mapping[str, Any]
    outcome: Outcome
    own: str
    regenerated: bool
    policy: tuple[str, str]

    @property
    def due(self) -> frozenset[Stage]:
        """What had been measured in the end."""
        return self.asked[-1][1] if self.asked else frozenset()


def stage_of(signal: str) -> Stage | None:
    """The stage at which a signal becomes known: its name begins with it. None for what is known from the start."""
    return _STAGES.get(signal.partition(".")[0])


def is_decision(body: Mapping[str, Any]) -> bool:
    """Whether a record is one of a decision, and not of a report, a gap or the opening of the log."""
    return "action" in body and "signals" in body


def past_of(body: Mapping[str, Any]) -> Past:
    """The decision that `Decision.to_json` wrote.

    Raises:
        Unreplayable: a field is missing or is none that a guard writes.
    """
    try:
        timings = body["timings_ms"]
        asked = _asked(tuple(body["due"]), tuple([step for step in _ASKED if step in timings]))
        action, signals, reasons, policy = _ACTIONS[body["action"]], body["signals"], body["reasons"], body["policy"]
        rules, shadow = tuple(body["rules"]), tuple(body["shadow_rules"])
        closed = tuple(dict.fromkeys([r["rule"] for r in reasons if r["kind"] == "missing" and not r["shadow"]]))
        own = _own(reasons) if action is Action.BLOCK else ""
        done = [(a["kind"], a["status"]) for a in body["alterations"]]
        past = Past(
            body["id"],
            asked,
            signals,
            Outcome(action, rules, closed, shadow),
            own,
            ("regenerate", "applied") in done,
            (policy["id"], policy["version"]),
        )
        hash((past.id, past.outcome, past.policy))  # they are counted by it
        if type(signals) is not dict and not isinstance(signals, Mapping):
            raise Unreplayable(_NO_GUARD)
        return past
    except KeyError as error:
        # A field, or a word where a stage or an action should stand: it may be anything, and is not shown.
        wrong = f"it has no `{error.args[0]}`" if error.args[0] in _FIELDS else _NO_GUARD
        raise Unreplayable(wrong) from None
    except (TypeError, AttributeError):
        raise Unreplayable(_NO_GUARD) from None


@lru_cache(maxsize=1_024)
def _asked(due: tuple[str, ...], steps: tuple[str, ...]) -> Asked:
    """The stages at which the policy was asked, each with what was due there.

    An item is asked stage by stage, and each adds to what is due. Where one builds on an earlier decision
    (`check_output(after=…)`), only one stage is asked, and all that was due before is due from the start.
    """
    in_the_end = frozenset(_STAGES[word] for word in due)
    stages = [_ASKED[step] for step in steps]
    return tuple((stage, in_the_end if stage is stages[-1] else in_the_end & _UP_TO[stage]) for stage in stages)


def _own(reasons: Sequence[Mapping[str, Any]]) -> str:
    blocks = [r["kind"] for r in reasons if r["effect"] == "block" and not r["shadow"]]
    return "" if "rule" in blocks or "missing" in blocks else next((kind for kind in blocks if kind in OWN), "")


def replay(past: Past, engine: PolicyEngine) -> Outcome:
    """What `engine` says to the signals of a decision: its stages in order, the strictest decides, a block ends it.

    Raises:
        Unreplayable: the engine failed.
    """
    action = Action.ALLOW
    rules: dict[str, None] = {}
    closed: dict[str, None] = {}
    shadow: dict[str, None] = {}
    for stage, due in past.asked:
        verdict = engine.evaluate(past.signals, stage=stage, due=due)
        for reason in verdict.reasons:
            if reason.kind == "engine":
                raise Unreplayable(f"the policy engine failed: {reason.cause}")
            if reason.shadow:
                shadow[reason.rule] = None
            else:
                rules[reason.rule] = None
                if reason.kind == "missing":
                    closed[reason.rule] = None
        if verdict.action.rank > action.rank:
            action = verdict.action
            if action is Action.BLOCK:
                break
    action = Action.ALLOW if action is Action.LABEL else action
    return Outcome(action, tuple(rules), tuple(closed), tuple(shadow))
