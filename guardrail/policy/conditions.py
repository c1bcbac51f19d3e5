"""Conditions compiled for one set of due stages, in three-valued logic.

A compiled condition answers True (holds), False (does not) or None (unknown: it hinges on a signal that is due and
missing). Unknown is not a kind of false: the engine decides what it amounts to.

A leaf whose signal is not due (its stage has not run, or the request has no such input) takes no part: it is left out
of an `any`, and an `all` with it cannot hold. `not` is pushed down to the leaves first, by De Morgan's laws, because
there the same two sentences stay right: `not: {any: [a, b]}` means that neither holds and waits for both,
`not: {all: [a, b]}` means that one of them does not hold and is settled as soon as one is known. A negated leaf that is
not due does not count as true. So a rule never fires before what it needs is known, one that fires keeps firing when
more becomes due, and two ways to write one condition always decide alike. Likewise for lists: `none` is the negation of
`any`, and `all` of an empty list holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from guardrail.decision import Leaf
from guardrail.policy.model import AllOf, Always, AnyOf, Compare, Condition, ListTest, Not
from guardrail.policy.probes import Outcome, Probe, probe_for
from guardrail.signals import MOST_ITEMS, Items, Stage, Vocabulary

__all__ = ["Compiled", "compile_condition"]

Signals = Mapping[str, object]
Test = Callable[[Signals], Outcome]
Collect = Callable[[Signals, Outcome, list[Leaf]], None]
ItemTest = Callable[[object], Outcome]
Fields = tuple[tuple[str, str, Probe], ...]  # name of the field, name in a reason, probe


class Compiled(NamedTuple):
    """A condition ready to run.

    `collect` adds the leaves that account for an outcome: those that held for True, those that were missing for None.
    It runs only when a rule fires, so that the common case pays nothing for explanations.
    """

    test: Test
    collect: Collect


def compile_condition(condition: Condition, due: frozenset[Stage], vocabulary: Vocabulary) -> Compiled | None:
    """The condition for requests in which exactly the stages `due` can be asked; None when it cannot hold there.

    Signals without a stage (``context.*``, ``request.*``) are always due.
    """
    return _compile(condition, False, due, vocabulary)


def _compile(condition: Condition, negated: bool, due: frozenset[Stage], vocabulary: Vocabulary) -> Compiled | None:
    if isinstance(condition, Not):
        return _compile(condition.part, not negated, due, vocabulary)
    if isinstance(condition, AllOf | AnyOf):
        parts = [_compile(part, negated, due, vocabulary) for part in condition.parts]
        ready = [part for part in parts if part is not None]
        if isinstance(condition, AnyOf) is not negated:
            return _either(ready) if ready else None
        return _every(ready) if len(ready) == len(parts) else None
    if isinstance(condition, Always):
        return None if negated else Compiled(lambda signals: True, lambda signals, outcome, into: None)
    spec = vocabulary[condition.signal]
    if spec.stage is not None and spec.stage not in due:
        return None
    if isinstance(condition, Compare):
        return _single(condition.signal, probe_for(spec.kind, condition.test, negated))
    if not isinstance(spec.kind, Items):
        raise TypeError(f"{condition.signal} is not a list")
    kinds = spec.kind.fields
    probes = ((name, f"{spec.name}.{name}", probe_for(kinds[name], test, False)) for name, test in condition.fields)
    return _list(condition, tuple(probes), negated)


def _either(parts: Sequence[Compiled]) -> Compiled:
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.test for part in parts)

    def test(signals: Signals) -> Outcome:
        outcome: Outcome = False
        for part in tests:
            result = part(signals)
            if result:
                return True
            if result is None:
                outcome = None
        return outcome

    return Compiled(test, _collector(parts))


def _every(parts: Sequence[Compiled]) -> Compiled:
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.test for part in parts)

    def test(signals: Signals) -> Outcome:
        outcome: Outcome = True
        for part in tests:
            result = part(signals)
            if result is None:
                outcome = None
            elif not result:
                return False
        return outcome

    return Compiled(test, _collector(parts))


def _collector(parts: Sequence[Compiled]) -> Collect:
    def collect(signals: Signals, outcome: Outcome, into: list[Leaf]) -> None:
        for part in parts:
            if part.test(signals) is outcome:
                part.collect(signals, outcome, into)

    return collect


def _single(signal: str, probe: Probe) -> Compiled:
    judge = probe.judge

    def test(signals: Signals) -> Outcome:
        return judge(signals.get(signal))

    def collect(signals: Signals, outcome: Outcome, into: list[Leaf]) -> None:
        into.append(probe.leaf(signal, signals.get(signal), outcome))

    return Compiled(test, collect)


def _list(condition: ListTest, fields: Fields, negated: bool) -> Compiled:
    signal, quantifier = condition.signal, condition.quantifier
    matches = _item_test(fields)
    every = quantifier == "all"
    opposite = negated is not (quantifier == "none")

    def test(signals: Signals) -> Outcome:
        items = _items(signals.get(signal))
        if items is None:
            return None
        unknown = False
        for item in items:
            result = matches(item)
            if result is None:
                unknown = True
            elif result is not every:  # an item that passes settles `any`, one that fails settles `all`
                return every is opposite
        return None if unknown else every is not opposite

    shown = {(False, False): "any", (False, True): "none", (True, False): "all", (True, True): "not all"}[
        every, opposite
    ]

    def collect(signals: Signals, outcome: Outcome, into: list[Leaf]) -> None:
        items = _items(signals.get(signal))
        if items is None:
            into.append(Leaf(signal, None, shown, None))
        elif outcome is None:
            for index, item in enumerate(items):
                if matches(item) is None:
                    into += _unknown_fields(signal, fields, item, index)
        elif shown == "any":
            for index, item in enumerate(items):
                if matches(item):
                    into += [probe.leaf(full, item.get(name), True, index) for name, full, probe in fields]
        else:
            into.append(Leaf(signal, len(items), shown, None))  # the number of items that were looked at

    return Compiled(test, collect)


def _items(value: object) -> Sequence[Any] | None:
    """The items of a list signal; None when it is missing, too long or something else.

    Exact types only: a subclass may say that it is short and never end.
    """
    if (type(value) is tuple or type(value) is list) and len(value) <= MOST_ITEMS:
        return value
    return None


def _item_test(fields: Fields) -> ItemTest:
    judges = tuple((name, probe.judge) for name, _, probe in fields)

    def matches(item: object) -> Outcome:
        if not isinstance(item, Mapping):
            return None
        outcome: Outcome = True
        for name, judge in judges:
            result = judge(item.get(name))
            if result is None:
                outcome = None
            elif not result:
                return False
        return outcome

    return matches


def _unknown_fields(signal: str, fields: Fields, item: object, index: int) -> list[Leaf]:
    if not isinstance(item, Mapping):
        return [Leaf(signal, None, "any", None, item=index)]
    unknown = ((full, probe) for name, full, probe in fields if probe.judge(item.get(name)) is None)
    return [probe.leaf(full, None, None, index) for full, probe in unknown]
