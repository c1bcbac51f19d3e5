"""Why: comparisons, reasons, and what the policy says at one stage."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from guardrail.decision.actions import Action, ActionSpec
from guardrail.signals import Stage

__all__ = ["Leaf", "Reason", "ReasonKind", "Verdict"]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison that made a rule true.

    `margin` is how far a score lies beyond its threshold (never negative for a leaf that held); ``None`` for what is
    not a score. `item` is the index in a list signal.
    """

    signal: str
    value: float | bool | str | None
    op: str
    limit: float | bool | str | tuple[str, ...] | None
    threshold: str = ""
    item: int | None = None

    @property
    def margin(self) -> float | None:
        if isinstance(self.value, bool) or isinstance(self.limit, bool):
            return None
        if isinstance(self.value, int | float) and isinstance(self.limit, int | float):
            return abs(float(self.value) - float(self.limit))
        return None

    def to_json(self) -> dict[str, Any]:
        return {
            "signal": self.signal,
            "value": self.value,
            "op": self.op,
            "limit": list(self.limit) if isinstance(self.limit, tuple) else self.limit,
            "threshold": self.threshold,
            "item": self.item,
            "margin": self.margin,
        }


ReasonKind = Literal["rule", "missing", "engine", "input", "action", "mark", "audit"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something happened.

    Args:
        kind: ``rule``: the condition held. ``missing``: a due signal was missing and the rule fails closed. All others:
            the guard itself failed closed; `cause` says at what.
        rule: id of the rule; empty when no rule is concerned.
        effect: what this reason asks for.
        cause: for all kinds but ``rule``: a short text without any content of the request.
        leaves: the comparisons that held, or the missing signals (value ``None``).
        shadow: the rule only watches; it does not act.
    """

    kind: ReasonKind
    rule: str
    stage: Stage
    effect: Action
    severity: str = "medium"
    cause: str = ""
    leaves: tuple[Leaf, ...] = ()
    locked: bool = False
    shadow: bool = False
    message: str = ""
    refs: tuple[str, ...] = ()

    def describe(self) -> str:
        """In one line: what was compared with what, or what failed. For operators, not for end users."""
        if self.kind == "missing":
            return f"missing: {', '.join(dict.fromkeys(leaf.signal for leaf in self.leaves))}"
        if self.kind != "rule":
            return self.cause
        parts: Counter[str] = Counter()
        for leaf in self.leaves:
            limit = "|".join(leaf.limit) if isinstance(leaf.limit, tuple) else _written(leaf.limit)
            threshold = f" ({leaf.threshold})" if leaf.threshold else ""
            value = f"{leaf.value:.2f}" if isinstance(leaf.value, float) else _written(leaf.value)
            parts[f"{leaf.signal} {value} {leaf.op} {limit}{threshold}"] += 1
        # Six faces of which the same holds are one line, not six.
        return "; ".join(f"{p} (×{n})" if n > 1 else p for p, n in parts.items()) or "always"

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "rule": self.rule,
            "stage": self.stage.value,
            "effect": self.effect.value,
            "severity": self.severity,
            "cause": self.cause,
            "leaves": [leaf.to_json() for leaf in self.leaves],
            "locked": self.locked,
            "shadow": self.shadow,
            "refs": list(self.refs),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy engine says at one stage.

    Args:
        action: strictest effect of all rules that act.
        specs: the actions asked for, merged, in the order in which they are carried out.
        reasons: one per rule that fired or failed closed; rules in shadow mode too (``shadow=True``).
    """

    action: Action
    specs: tuple[ActionSpec, ...] = ()
    reasons: tuple[Reason, ...] = ()

    @property
    def fired(self) -> tuple[str, ...]:
        """Ids of the rules whose condition held and which act."""
        return tuple(r.rule for r in self.reasons if r.kind == "rule" and not r.shadow)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the missing signals because of which rules failed closed."""
        names = [leaf.signal for r in self.reasons if r.kind == "missing" and not r.shadow for leaf in r.leaves]
        return tuple(dict.fromkeys(names))


def _written(value: object) -> str:
    """A value as a policy file writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
