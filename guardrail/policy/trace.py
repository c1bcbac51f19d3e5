"""A condition with what became of each part of it, for people: the tree as its author wrote it, values filled in.

The engine knows only what it needs to decide and stops at the first part that settles the matter. Here every part is
looked at, in two readings: `low`, as if nothing that is not due held, and `high`, as if all of it did. A rule fires
when `low` is true, which is what the engine computes by another way; a property test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Literal, NamedTuple

from guardrail.decision import Leaf
from guardrail.policy.model import AllOf, Always, AnyOf, Compare, Condition, FlagTest, ListTest, Not, ScoreTest, Test
from guardrail.policy.probes import Outcome, probe_for
from guardrail.signals import MOST_ITEMS, Items, Kind, Stage, Vocabulary

__all__ = ["LeafName", "State", "Traced", "leaves_of", "trace", "written"]

State = Literal["yes", "no", "missing", "waits"]


class Traced(NamedTuple):
    """One part of a condition.

    Attributes:
        text: how the author wrote it: ``all``, ``prompt.sexual >= explicit``, ``item 0``.
        state: whether it holds, as it stands there: a part under `not` that holds is a ``yes`` all the same.
        low, high: whether it holds if nothing, or all, of what is not due does.
        parts: what it is made of.
        leaf: the comparison, for a part that compares; its value is None when missing or not due.
        number: of a leaf, counted through the rule as `leaves_of` counts; -1 for what joins others.
        signal: the signal that a leaf reads; of a list, that of the whole list.
    """

    text: str
    state: State
    low: Outcome
    high: Outcome
    parts: tuple[Traced, ...] = ()
    leaf: Leaf | None = None
    number: int = -1
    signal: str = ""

    def walk(self) -> Iterator[Traced]:
        """This part and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def accountable(self, state: State) -> Iterator[Traced]:
        """The leaves that make this part what it is: ``missing`` or ``waits``."""
        if self.state == state and self.signal:
            yield self
        elif self.state == state:
            for part in self.parts:
                yield from part.accountable(state)

    def because(self, state: State) -> tuple[str, ...]:
        """The signals of those leaves."""
        return tuple(dict.fromkeys(leaf.signal for leaf in self.accountable(state)))


class LeafName(NamedTuple):
    """A leaf of a rule: a comparison, a test of a list, or (`field`) one comparison inside such a test."""

    number: int
    text: str
    signal: str
    field: str = ""
    only: bool = False
    """It is the only field of its list test, which says the same."""


def leaves_of(condition: Condition) -> tuple[LeafName, ...]:
    """The leaves in the order of the file. A list test is followed by its fields."""
    numbers = count()
    return tuple(_leaves(condition, numbers))


def _leaves(condition: Condition, numbers: Iterator[int]) -> Iterator[LeafName]:
    if isinstance(condition, AllOf | AnyOf):
        for part in condition.parts:
            yield from _leaves(part, numbers)
    elif isinstance(condition, Not):
        yield from _leaves(condition.part, numbers)
    elif isinstance(condition, Compare):
        yield LeafName(next(numbers), f"{condition.signal} {written(condition.test)}", condition.signal)
    elif isinstance(condition, ListTest):
        signal = condition.signal
        yield LeafName(next(numbers), f"{signal} {condition.quantifier}", signal)
        for name, test in condition.fields:
            text = f"{signal}.{name} {written(test)}"
            yield LeafName(next(numbers), text, signal, name, len(condition.fields) == 1)


def written(test: Test) -> str:
    """A test as a rule file spells it."""
    if isinstance(test, ScoreTest):
        return f"{test.op} {test.threshold.partition('.')[2] or f'{test.limit:g}'}"
    if isinstance(test, FlagTest):
        return "true" if test.value else "false"
    return test.words[0] if len(test.words) == 1 else f"[{', '.join(test.words)}]"


def trace(condition: Condition, signals: Mapping[str, object], due: frozenset[Stage], vocabulary: Vocabulary) -> Traced:
    """What became of every part of a condition where exactly the stages `due` can be asked. Never raises for a value:
    one that cannot even be compared is missing."""
    return _Tracer(signals, due, vocabulary).part(condition, False)


class _Tracer:
    def __init__(self, signals: Mapping[str, object], due: frozenset[Stage], vocabulary: Vocabulary) -> None:
        self._signals = signals
        self._due = due
        self._vocabulary = vocabulary
        self._numbers = count()

    def part(self, condition: Condition, negated: bool) -> Traced:
        if isinstance(condition, AllOf | AnyOf):
            parts = tuple(self.part(part, negated) for part in condition.parts)
            word, join = ("all", _and) if isinstance(condition, AllOf) else ("any", _or)
            low, high = join(p.low for p in parts), join(p.high for p in parts)
            return Traced(word, _state(low, high, negated), low, high, parts)
        if isinstance(condition, Not):
            inner = self.part(condition.part, not negated)
            low, high = _not(inner.high), _not(inner.low)
            return Traced("not", _state(low, high, negated), low, high, (inner,))
        if isinstance(condition, Always):
            return Traced("always", "yes", True, True)
        spec = self._vocabulary[condition.signal]
        due = spec.stage is None or spec.stage in self._due
        if isinstance(condition, Compare):
            return self._compare(condition, spec.kind, due)
        return self._list(condition, spec.kind, due)

    def _compare(self, condition: Compare, kind: Kind, due: bool) -> Traced:
        value = _get(self._signals, condition.signal) if due else None
        text, number = f"{condition.signal} {written(condition.test)}", next(self._numbers)
        return _leaf(text, condition.signal, condition.signal, kind, condition.test, value, due, number)

    def _list(self, condition: ListTest, kind: Kind, due: bool) -> Traced:
        if not isinstance(kind, Items):
            raise TypeError(f"{condition.signal} is not a list")
        signal, number = condition.signal, next(self._numbers)
        numbers = {name: next(self._numbers) for name, _ in condition.fields}
        wanted = ", ".join(f"{name} {written(test)}" for name, test in condition.fields)
        text = f"{signal} {condition.quantifier} ({wanted})"
        items = _items(_get(self._signals, signal)) if due else None
        if items is None:
            held = None if due else False
            leaf = Leaf(signal, None, condition.quantifier, None)
            return Traced(text, _leaf_state(None, due), held, held if due else True, (), leaf, number, signal)
        parts = tuple(_item(condition, kind, item, index, numbers) for index, item in enumerate(items))
        join = _and if condition.quantifier == "all" else _or
        held = join(p.low for p in parts)
        held = _not(held) if condition.quantifier == "none" else held
        leaf = Leaf(signal, len(items), condition.quantifier, None)
        return Traced(text, _leaf_state(held, True), held, held, parts, leaf, number, signal)


def _item(condition: ListTest, kind: Items, item: object, index: int, numbers: Mapping[str, int]) -> Traced:
    known = isinstance(item, Mapping)
    fields = tuple(
        _leaf(
            f"{name} {written(test)}",
            f"{condition.signal}.{name}",
            condition.signal,
            kind.fields[name],
            test,
            _get(item, name) if known else None,
            True,
            numbers[name],
            index,
        )
        for name, test in condition.fields
    )
    held = _and(f.low for f in fields)
    return Traced(f"item {index}", _leaf_state(held, True), held, held, fields)


def _leaf(
    text: str,
    name: str,
    signal: str,
    kind: Kind,
    test: Test,
    value: object,
    due: bool,
    number: int,
    item: int | None = None,
) -> Traced:
    probe = probe_for(kind, test, False)
    held: Outcome = None
    try:
        held = probe.judge(value) if due else None
        leaf = probe.leaf(name, value, held, item)
    except Exception:  # noqa: BLE001 — a value that cannot be compared is missing; the engine's verdict says the rest
        held, leaf = None, probe.leaf(name, None, None, item)
    low, high = (held, held) if due else (False, True)
    return Traced(text, _leaf_state(held, due), low, high, (), leaf, number, signal)


def _get(values: Any, name: str) -> object:
    try:
        return values.get(name)
    except Exception:  # noqa: BLE001 — see _leaf
        return None


def _items(value: object) -> Sequence[object] | None:
    """As the engine takes lists: exact types only, and not too long."""
    return value if (type(value) is tuple or type(value) is list) and len(value) <= MOST_ITEMS else None


def _state(low: Outcome, high: Outcome, negated: bool) -> State:
    """In words. Where the readings differ, that one counts by which the rule goes here: the upper under `not`."""
    if low is True:
        return "yes"
    if high is False:
        return "no"
    return "missing" if (high if negated else low) is None else "waits"


def _leaf_state(held: Outcome, due: bool) -> State:
    if not due:
        return "waits"
    return "missing" if held is None else "yes" if held else "no"


def _not(x: Outcome) -> Outcome:
    return None if x is None else not x


def _and(values: Iterable[Outcome]) -> Outcome:
    found = set(values)
    return False if False in found else None if None in found else True


def _or(values: Iterable[Outcome]) -> Outcome:
    found = set(values)
    return True if True in found else None if None in found else False
