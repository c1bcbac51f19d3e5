"""One value against one test: true, false or unknown.

Unknown (None) is what cannot be judged: a missing value, NaN, a score outside 0..1, a word that the declaration does
not have, a value of another type. Negation happens here, so that no caller can take "unknown" for "does not hold".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from guardrail.decision import Leaf
from guardrail.policy.model import FlagTest, ScoreTest, Test
from guardrail.signals import Choice, Flag, Items, Kind, Score

__all__ = ["Outcome", "Probe", "probe_for"]

Outcome = bool | None
Judge = Callable[[object], Outcome]

_OPPOSITE = {">=": "<", ">": "<=", "<=": ">", "<": ">="}
_NAN = float("nan")


class Probe(NamedTuple):
    """A test that is ready to run, and how a reason shows it."""

    judge: Judge
    op: str
    limit: float | bool | tuple[str, ...]
    threshold: str

    def leaf(self, signal: str, value: object, outcome: Outcome, item: int | None = None) -> Leaf:
        """The comparison for a reason. A value that could not be judged is shown as None, whatever it was."""
        known: Any = None if outcome is None else value
        return Leaf(signal, known, self.op, self.limit, self.threshold, item)


def probe_for(kind: Kind, test: Test, negated: bool) -> Probe:
    """The probe for a test on a value of this kind; `negated` asks for its opposite."""
    if isinstance(test, ScoreTest) and isinstance(kind, Score):
        op = _OPPOSITE[test.op] if negated else test.op
        return Probe(_JUDGES[op](test.limit), op, test.limit, test.threshold)
    if isinstance(test, FlagTest) and isinstance(kind, Flag):
        wanted = test.value is not negated
        return Probe(_flag(wanted), "is", wanted, "")
    if isinstance(test, ScoreTest | FlagTest) or isinstance(kind, Score | Flag | Items):
        raise TypeError(f"{type(test).__name__} cannot judge a {type(kind).__name__}")
    words = _words(frozenset(test.words), frozenset(kind.values) if isinstance(kind, Choice) else None, negated)
    return Probe(words, "not in" if negated else "in", test.words, "")


def _score(value: object) -> float:
    """The score as a float; NaN for whatever is no score. A boolean is none, although Python counts it as a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _NAN
    return float(value) if 0 <= value <= 1 else _NAN


def _at_least(limit: float) -> Judge:
    def judge(value: object) -> Outcome:
        score = value if type(value) is float else _score(value)
        return score >= limit if 0.0 <= score <= 1.0 else None

    return judge


def _above(limit: float) -> Judge:
    def judge(value: object) -> Outcome:
        score = value if type(value) is float else _score(value)
        return score > limit if 0.0 <= score <= 1.0 else None

    return judge


def _at_most(limit: float) -> Judge:
    def judge(value: object) -> Outcome:
        score = value if type(value) is float else _score(value)
        return score <= limit if 0.0 <= score <= 1.0 else None

    return judge


def _below(limit: float) -> Judge:
    def judge(value: object) -> Outcome:
        score = value if type(value) is float else _score(value)
        return score < limit if 0.0 <= score <= 1.0 else None

    return judge


_JUDGES: dict[str, Callable[[float], Judge]] = {">=": _at_least, ">": _above, "<=": _at_most, "<": _below}


def _flag(wanted: bool) -> Judge:
    def judge(value: object) -> Outcome:
        return value is wanted if isinstance(value, bool) else None

    return judge


def _words(words: frozenset[str], known: frozenset[str] | None, negated: bool) -> Judge:
    def judge(value: object) -> Outcome:
        if not isinstance(value, str) or (known is not None and value not in known):
            return None
        return (value in words) is not negated

    return judge
