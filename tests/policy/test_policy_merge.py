"""Actions of several rules become one plan: a table, and the laws that make the order of the rules irrelevant."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from guardrail.decision import CORE_ACTIONS, Action, ActionKind, ActionSpec, Param
from guardrail.policy.merge import merge
from guardrail.signals import Stage

# A made-up kind with every type of parameter, so that the table does not hang on what the core happens to declare.
MADE = ActionKind(
    "made",
    Action.ALTER,
    frozenset(Stage),
    35,
    "For this test.",
    (
        Param("where", "choice", choices=("a", "b")),
        Param("level", "choice", choices=("low", "mid", "high"), default="low"),
        Param("more", "number", maximum=9, stricter="higher", optional=True),
        Param("less", "integer", maximum=9, stricter="lower", optional=True),
        Param("on", "flag", default=False),
        Param("tag", "word", optional=True),
    ),
    merge=("where",),
)
KINDS = {**CORE_ACTIONS, "made": MADE}


def spec(kind: str, **params: Any) -> ActionSpec:
    return ActionSpec(kind, params)


def made(**params: Any) -> ActionSpec:
    return spec("made", where="a", **params)


TABLE = [
    ([], []),
    ([spec("block"), spec("block")], [spec("block")]),
    # fixed order of execution
    (
        [spec("report", queue="csam"), spec("label"), spec("blur", target="nudity"), spec("regenerate"), spec("guide")],
        [spec("guide"), spec("regenerate"), spec("blur", target="nudity"), spec("label"), spec("report", queue="csam")],
    ),
    # a block leaves no alteration; labels and reports stay
    (
        [spec("blur", target="nudity"), spec("label"), spec("block"), spec("report", queue="csam")],
        [spec("block"), spec("label"), spec("report", queue="csam")],
    ),
    # told apart by `merge`, in the order of the choices
    (
        [spec("blur", target="nudity"), spec("blur", target="faces")],
        [spec("blur", target="faces"), spec("blur", target="nudity")],
    ),
    (
        [spec("report", queue="review"), spec("report", queue="csam")],
        [spec("report", queue="csam"), spec("report", queue="review")],
    ),
    # stricter values
    ([made(level="mid"), made(level="low")], [made(level="mid")]),
    ([made(level="mid"), made(level="high")], [made(level="high")]),
    ([made(more=2.0), made(more=7.5)], [made(more=7.5)]),
    ([made(less=2), made(less=7)], [made(less=2)]),
    ([made(on=False), made(on=True)], [made(on=True)]),
    # what only one of them says
    ([made(more=2.0), made(less=3)], [made(more=2.0, less=3)]),
    # of two words none is the stricter: two actions
    ([made(tag="x"), made(tag="y"), made(tag="x", on=True)], [made(tag="x", on=True), made(tag="y")]),
]


@pytest.mark.parametrize(("specs", "merged"), TABLE)
def test_merge_in_any_order_and_again(specs: list[ActionSpec], merged: list[ActionSpec]) -> None:
    for order in permutations(specs):
        assert list(merge(order, KINDS)) == merged
    assert list(merge(merged, KINDS)) == merged


def test_merging_in_two_steps_is_merging_at_once() -> None:
    for specs, merged in TABLE:
        for cut in range(len(specs)):
            first = merge(specs[:cut], KINDS)
            assert list(merge([*first, *specs[cut:]], KINDS)) == merged
