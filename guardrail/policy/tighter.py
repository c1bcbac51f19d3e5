"""Whether one condition holds wherever another does: a proof over the grammar, or "cannot be decided".

A condition has one of three values, false < unknown < true, and a leaf that is not due counts as false whether it is
negated or not (see `conditions`). `covers(parent, child)` proves that the child's value is never lower than the
parent's, for every request, with any signal missing and any stage not due.

Method: both are brought into negation normal form; the parent into alternatives of literals (DNF), the child into
demands of literals (CNF). The claim holds if for every alternative and every demand some signal settles it: all values
of the signal that satisfy its literals in the alternative satisfy one of its literals in the demand. Values are sampled
at every limit that either side names and between them, which is exact for comparisons. The proof is sound and not
complete: what it does not prove is searched for a counterexample, and without one it is called undecided.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise, permutations, product
from typing import Any, NamedTuple

from guardrail.policy.conditions import compile_condition
from guardrail.policy.model import AllOf, Always, AnyOf, Compare, Condition, ListTest, Not, ScoreTest, Test, WordTest
from guardrail.policy.probes import Outcome, probe_for
from guardrail.signals import Flag, Items, Kind, Score, SignalValue, Stage, Text, Vocabulary

__all__ = ["Gap", "covers"]

MOST_CLAUSES = 2_000
MOST_TRIALS = 3_000
_OTHER = "\u2400 any other word"  # stands for every word that no policy names


class Literal(NamedTuple):
    """A leaf or the opposite of one."""

    leaf: Compare | ListTest
    negated: bool


class Gap(NamedTuple):
    """Why a child's condition was not proven to cover its parent's.

    `example` is a request in which the parent's holds and the child's does not; empty where none was found: undecided.
    """

    text: str
    example: Mapping[str, SignalValue]

    @property
    def proven(self) -> bool:
        return bool(self.example)


Clause = frozenset[Literal]
# A clause without literals is true as an alternative; a demand that is always met is left out.


def covers(parent: Condition, child: Condition, vocabulary: Vocabulary) -> Gap | None:
    """None if `child` is proven to hold wherever `parent` does, else what stands in the way."""
    if parent == child:
        return None
    try:
        alternatives = _alternatives(parent, False)
        demands = _demands(child, False)
    except _TooLarge:
        return Gap("the conditions have too many combinations to be compared; write them in fewer parts", {})
    samples = _Samples((parent, child), vocabulary)
    for alternative in alternatives:
        for demand in demands:
            if not _settled(alternative, demand, samples):
                example = _counterexample(parent, child, samples, vocabulary)
                where = _example_text(example) if example else _clause_text(alternative)
                return Gap(where, example)
    return None


# ---- normal forms


class _TooLarge(Exception):
    pass


def _alternatives(condition: Condition, negated: bool) -> frozenset[Clause]:
    """Disjunctive normal form: the condition's value is the greatest, over the clauses, of their least literal."""
    if isinstance(condition, Not):
        return _alternatives(condition.part, not negated)
    if isinstance(condition, Always):
        return frozenset() if negated else frozenset({frozenset[Literal]()})
    if isinstance(condition, Compare | ListTest):
        return frozenset({frozenset({Literal(condition, negated)})})
    parts = [_alternatives(part, negated) for part in condition.parts]
    return _joined(parts) if isinstance(condition, AnyOf) is not negated else _crossed(parts)


def _demands(condition: Condition, negated: bool) -> frozenset[Clause]:
    """Conjunctive normal form: the value is the least, over the clauses, of their greatest literal."""
    if isinstance(condition, Not):
        return _demands(condition.part, not negated)
    if isinstance(condition, Always):
        return frozenset({frozenset[Literal]()}) if negated else frozenset()
    if isinstance(condition, Compare | ListTest):
        return frozenset({frozenset({Literal(condition, negated)})})
    parts = [_demands(part, negated) for part in condition.parts]
    return _crossed(parts) if isinstance(condition, AnyOf) is not negated else _joined(parts)


def _joined(parts: Iterable[frozenset[Clause]]) -> frozenset[Clause]:
    return _bounded(frozenset().union(*parts))


def _crossed(parts: Iterable[frozenset[Clause]]) -> frozenset[Clause]:
    found: frozenset[Clause] = frozenset({frozenset()})
    for part in parts:
        if len(found) * len(part) > 4 * MOST_CLAUSES:
            raise _TooLarge
        found = _bounded(frozenset(a | b for a in found for b in part))
    return found


def _bounded(clauses: frozenset[Clause]) -> frozenset[Clause]:
    if len(clauses) > MOST_CLAUSES:
        raise _TooLarge
    return clauses


# ---- one alternative against one demand


class _Samples:
    """For each signal, and each field of a list, values of which every comparison in the conditions is one and the
    same for all values in between."""

    def __init__(self, conditions: Sequence[Condition], vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._tests: dict[tuple[str, str], list[Test]] = {}
        for condition in conditions:
            self._collect(condition)
        self._values: dict[tuple[str, str], tuple[SignalValue, ...]] = {}

    def _collect(self, condition: Condition) -> None:
        if isinstance(condition, AllOf | AnyOf):
            for part in condition.parts:
                self._collect(part)
        elif isinstance(condition, Not):
            self._collect(condition.part)
        elif isinstance(condition, Compare):
            self._tests.setdefault((condition.signal, ""), []).append(condition.test)
        elif isinstance(condition, ListTest):
            for name, test in condition.fields:
                self._tests.setdefault((condition.signal, name), []).append(test)

    def kind(self, signal: str, field: str = "") -> Any:
        kind: Kind = self.vocabulary[signal].kind
        return kind.fields[field] if field and isinstance(kind, Items) else kind

    def of(self, signal: str, field: str = "") -> tuple[SignalValue, ...]:
        key = signal, field
        if key not in self._values:
            self._values[key] = _values(self.kind(signal, field), self._tests.get(key, ()))
        return self._values[key]

    def signals(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(signal for signal, _ in self._tests))

    def fields(self, signal: str) -> tuple[str, ...]:
        return tuple(field for name, field in self._tests if name == signal and field)

    def holds(self, signal: str, field: str, test: Test, negated: bool) -> frozenset[int]:
        """Indices of the samples for which the test (or its opposite) holds."""
        judge = probe_for(self.kind(signal, field), test, negated).judge
        return frozenset(i for i, value in enumerate(self.of(signal, field)) if judge(value))


def _values(kind: Kind, tests: Iterable[Test]) -> tuple[SignalValue, ...]:
    if isinstance(kind, Score):
        limits = sorted({0.0, 1.0, *(t.limit for t in tests if isinstance(t, ScoreTest))})
        between = [(a + b) / 2 for a, b in pairwise(limits)]
        return tuple(sorted({*limits, *between}))
    if isinstance(kind, Flag):
        return (False, True)
    if isinstance(kind, Text):
        return (*dict.fromkeys(w for t in tests if isinstance(t, WordTest) for w in t.words), _OTHER)
    assert not isinstance(kind, Items)
    return kind.values


def _settled(alternative: Clause, demand: Clause, samples: _Samples) -> bool:
    for signal in {literal.leaf.signal for literal in demand}:
        given = [x for x in alternative if x.leaf.signal == signal]
        asked = [x for x in demand if x.leaf.signal == signal]
        if given and _scalar_settled(signal, given, asked, samples):
            return True
        if any(_list_settled(g, a, samples) for g in given for a in asked):
            return True
    return False


def _scalar_settled(signal: str, given: Sequence[Literal], asked: Sequence[Literal], samples: _Samples) -> bool:
    """Missing, both sides are unknown; not due, both are false; present, the sampled values decide."""

    def region(literal: Literal) -> frozenset[int]:
        assert isinstance(literal.leaf, Compare)
        return samples.holds(signal, "", literal.leaf.test, literal.negated)

    if isinstance(samples.kind(signal), Items):
        return False
    inside = frozenset.intersection(*map(region, given))
    return inside <= frozenset().union(*map(region, asked))


class _ItemWise(NamedTuple):
    """A list literal as "some item" or "every item" of a conjunction or a disjunction of field tests."""

    every: bool
    conjunction: bool
    tests: tuple[tuple[str, Test, bool], ...]


def _item_wise(literal: Literal) -> _ItemWise:
    leaf = literal.leaf
    assert isinstance(leaf, ListTest)
    # none of φ = every item fails φ; not all of φ = some item fails φ
    inner = leaf.quantifier == "none"
    every = (leaf.quantifier != "any") is not literal.negated
    opposite = inner is not literal.negated
    tests = tuple((name, test, opposite) for name, test in leaf.fields)
    return _ItemWise(every, not opposite or len(tests) == 1, tests)


def _list_settled(given: Literal, asked: Literal, samples: _Samples) -> bool:
    if not isinstance(given.leaf, ListTest) or not isinstance(asked.leaf, ListTest):
        return False
    signal = given.leaf.signal
    a, b = _item_wise(given), _item_wise(asked)
    if a.every is not b.every:
        return False

    def below(x: tuple[str, Test, bool], y: tuple[str, Test, bool]) -> bool:
        return x[0] == y[0] and samples.holds(signal, *x) <= samples.holds(signal, *y)

    if a.conjunction and b.conjunction:
        return all(any(below(x, y) for x in a.tests) for y in b.tests)
    if a.conjunction:
        return any(below(x, y) for x in a.tests for y in b.tests)
    if b.conjunction:
        return all(below(x, y) for x in a.tests for y in b.tests)
    return all(any(below(x, y) for y in b.tests) for x in a.tests)


# ---- what was not proven


def _counterexample(
    parent: Condition, child: Condition, samples: _Samples, vocabulary: Vocabulary
) -> dict[str, SignalValue]:
    """Signals for which the parent's condition holds and the child's does not; empty if the search finds none."""
    everything = frozenset(Stage)
    old = compile_condition(parent, everything, vocabulary)
    new = compile_condition(child, everything, vocabulary)
    assert old is not None
    assert new is not None
    names = samples.signals()
    columns = [tuple(_candidates(name, samples)) for name in names]
    for values in _spread(columns):
        signals = dict(zip(names, values, strict=True))
        before: Outcome = old.test(signals)
        if before is True and new.test(signals) is not True:
            return signals
    return {}


def _candidates(signal: str, samples: _Samples) -> Iterator[SignalValue]:
    if not isinstance(samples.kind(signal), Items):
        yield from samples.of(signal)
        return
    fields = samples.fields(signal)
    rows = islice(product(*(samples.of(signal, field) for field in fields)), 200)
    items: list[Any] = [dict(zip(fields, values, strict=True)) for values in rows]
    yield ()
    yield from ((item,) for item in items)
    # "Any" and "all" differ only where there are two.
    yield from permutations(items[:: max(1, len(items) // 8)], 2)


def _spread(columns: Sequence[Sequence[SignalValue]]) -> Iterator[tuple[SignalValue, ...]]:
    """All combinations, or where there are too many a sample of them that is the same every time."""
    if math.prod(map(len, columns)) <= MOST_TRIALS:
        yield from product(*columns)
        return
    from random import Random  # rarely needed: the proof fails first

    draw = Random(0)  # noqa: S311 - a search, no secret
    for _ in range(MOST_TRIALS):
        yield tuple(column[draw.randrange(len(column))] for column in columns)


def _example_text(example: Mapping[str, SignalValue]) -> str:
    # What is at nothing found is not what makes a condition hold, most of the time: leaving it out reads better.
    shown = {name: value for name, value in example.items() if value not in (0.0, False, ())} or example
    return ", ".join(f"{name} {_value_text(value)}" for name, value in shown.items())


def _value_text(value: SignalValue) -> str:
    if isinstance(value, tuple):
        items = ("{" + ", ".join(f"{k} {_value_text(v)}" for k, v in item.items()) + "}" for item in value)
        return "[" + ", ".join(items) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _clause_text(clause: Clause) -> str:
    if not clause:
        return "every request"
    return " and ".join(sorted(_literal_text(x) for x in clause))


def _literal_text(literal: Literal) -> str:
    leaf = literal.leaf
    if isinstance(leaf, Compare):
        text = f"{leaf.signal} {_test_text(leaf.test)}"
    else:
        text = f"{leaf.quantifier} of {leaf.signal}: " + ", ".join(f"{n} {_test_text(t)}" for n, t in leaf.fields)
    return f"not ({text})" if literal.negated else text


def _test_text(test: Test) -> str:
    if isinstance(test, ScoreTest):
        return f"{test.op} {test.limit:g}"
    return "|".join(test.words) if isinstance(test, WordTest) else str(test.value).lower()
