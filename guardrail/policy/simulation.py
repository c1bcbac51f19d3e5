"""What a simulation counted: who flips, how often is blocked, which rules account for it; each with its uncertainty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, NamedTuple

from guardrail.decision import Action, PolicyRef
from guardrail.policy.replay import Outcome

__all__ = ["ACTIONS", "Flip", "Rate", "Simulation"]

ACTIONS = (Action.ALLOW, Action.ALTER, Action.BLOCK)
_Z = 1.959964  # 97.5 % of the standard normal distribution lie below it: 95 % on both sides


class Rate(NamedTuple):
    """`hits` out of `of`, with its Wilson score interval at 95 % (Wilson 1927; Brown, Cai and DasGupta 2001).

    The interval takes decisions for independent draws; many pictures of one request are less than that.
    """

    hits: int
    of: int

    @property
    def value(self) -> float:
        return self.hits / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Unlike the textbook interval it is right for a handful of hits, and for none."""
        n = self.of
        if not n:
            return 0.0, 1.0
        p, z2 = self.hits / n, _Z * _Z
        middle, half = p + z2 / (2 * n), _Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        # At the ends it is exact, which floats are not.
        low = 0.0 if self.hits == 0 else (middle - half) / (1 + z2 / n)
        return low, 1.0 if self.hits == n else (middle + half) / (1 + z2 / n)

    def to_json(self) -> dict[str, Any]:
        return {"count": self.hits, "of": self.of, "rate": self.value, "interval_95": list(self.interval)}


class Flip(NamedTuple):
    """A decision that would have been another one, with the rules that account for it."""

    id: str
    before: Outcome
    after: Outcome

    def to_json(self) -> dict[str, Any]:
        old, new = self.before.rules, self.after.rules
        return {
            "id": self.id,
            "before": self.before.action.value,
            "after": self.after.action.value,
            "no_longer": [rule for rule in old if rule not in new],
            "newly": [rule for rule in new if rule not in old],
        }


@dataclass
class Simulation:
    """What was counted.

    Attributes:
        under: the policy that decided again.
        compared: the policy that "before" is by; None where it is what was recorded.
        records: how many were given, of whatever type.
        others: those that are no decisions, such as reports.
        matrix: (before, after) → decisions; all that were replayed.
        before, after: acting rule → decisions. `closed_…`: where it blocked because a signal was missing. `shadow_…`:
            where it would have acted if it were not in shadow mode.
        let_on: decisions that were stopped, and that the other policy would have let go on to stages that never ran.
        own: kind of reason with which the guard itself blocked → what the rules alone would say now → decisions.
        skipped: why a decision could not be replayed → decisions.
        recorded: id and version of the policies that the log was written under → decisions.
        flips: the first of those that flipped, as many as were asked for.
    """

    under: PolicyRef
    compared: PolicyRef | None = None
    records: int = 0
    others: int = 0
    matrix: Counter[tuple[Action, Action]] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    closed_before: Counter[str] = field(default_factory=Counter)
    closed_after: Counter[str] = field(default_factory=Counter)
    shadow_before: Counter[str] = field(default_factory=Counter)
    shadow_after: Counter[str] = field(default_factory=Counter)
    let_on: int = 0
    own: dict[str, Counter[str]] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    recorded: Counter[str] = field(default_factory=Counter)
    flips: list[Flip] = field(default_factory=list)

    def add(self, before: Outcome, after: Outcome, count: int) -> None:
        """Count decisions that were decided so, and would be decided so."""
        self.matrix[before.action, after.action] += count
        for outcome, acts, closed, shadow in (
            (before, self.before, self.closed_before, self.shadow_before),
            (after, self.after, self.closed_after, self.shadow_after),
        ):
            for counter, rules in ((acts, outcome.rules), (closed, outcome.closed), (shadow, outcome.shadow)):
                for rule in rules:
                    counter[rule] += count

    @property
    def replayed(self) -> int:
        return self.matrix.total()

    @property
    def flipped(self) -> Rate:
        return self._rate(lambda before, after: before is not after)

    @property
    def blocked_before(self) -> Rate:
        return self._rate(lambda before, _: before is Action.BLOCK)

    @property
    def blocked_after(self) -> Rate:
        return self._rate(lambda _, after: after is Action.BLOCK)

    @property
    def rules(self) -> tuple[str, ...]:
        """Every rule that acted or watched, before or after: the largest change first."""
        ids = {*self.before, *self.after, *self.shadow_before, *self.shadow_after}
        return tuple(sorted(ids, key=lambda r: (-abs(self.after[r] - self.before[r]), r)))

    def _rate(self, counts: Callable[[Action, Action], bool]) -> Rate:
        return Rate(sum(n for (before, after), n in self.matrix.items() if counts(before, after)), self.replayed)

    def to_json(self) -> dict[str, Any]:
        names = {"acts": (self.before, self.after), "missing": (self.closed_before, self.closed_after)}
        names["shadow"] = (self.shadow_before, self.shadow_after)
        return {
            "under": self.under.to_json(),
            "compared": self.compared.to_json() if self.compared else None,
            "recorded": dict(self.recorded),
            "records": self.records,
            "others": self.others,
            "replayed": self.replayed,
            "matrix": {b.value: {a.value: self.matrix[b, a] for a in ACTIONS} for b in ACTIONS},
            "flipped": self.flipped.to_json(),
            "block_rate": {"before": self.blocked_before.to_json(), "after": self.blocked_after.to_json()},
            "rules": {
                rule: {
                    what: {
                        "before": Rate(old[rule], self.replayed).to_json(),
                        "after": Rate(new[rule], self.replayed).to_json(),
                    }
                    for what, (old, new) in names.items()
                }
                for rule in self.rules
            },
            "let_on": self.let_on,
            "blocked_by_the_guard": {kind: dict(now) for kind, now in self.own.items()},
            "not_replayed": dict(self.skipped),
            "flips": [flip.to_json() for flip in self.flips],
        }
