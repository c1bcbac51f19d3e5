"""What every engine owes: hostile values, late deadlines and wrong stages block; many threads get the same answers."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

import pytest

from guardrail.decision import Action
from guardrail.policy import BuiltinEngine, PolicyEngine
from guardrail.signals import Stage
from tests.policy.engines.random_signals import given

ALL = frozenset(Stage)


class Thorny:
    """Raises whenever it is compared, counted, converted or hashed."""

    def _raise(self, *args: object) -> Any:
        raise RuntimeError("canary")

    __eq__ = __ge__ = __gt__ = __le__ = __lt__ = __bool__ = __len__ = __iter__ = __hash__ = __float__ = __str__ = _raise


class Liar(str):
    """A text that says it is another."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 0

    def __str__(self) -> str:
        raise RuntimeError("canary")


class Endless(list):  # type: ignore[type-arg]
    """Says that it is empty and never ends."""

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Any:
        while True:
            yield {}


class Raising(dict):  # type: ignore[type-arg]
    """A mapping of which one key cannot be read."""

    def get(self, key: str, default: Any = None) -> Any:
        if key == "prompt.minor":
            raise RuntimeError("canary")
        return super().get(key, default)


class RaisingItem(dict):  # type: ignore[type-arg]
    def get(self, key: str, default: Any = None) -> Any:
        raise RuntimeError("canary")


HOSTILE = [
    {"prompt.sexual": Thorny()},
    {"prompt.persons": Thorny()},
    {"prompt.persons": (Thorny(),)},
    {"prompt.persons": ({"match": Thorny(), "kind": Thorny()},)},
    {"prompt.persons": Endless()},
    {"prompt.persons": (RaisingItem(),)},
    {"prompt.sexual": 10**400},
    {"prompt.persons": ({"match": 0.9, "kind": "\ud800"},)},
    {"prompt.persons": ({"match": 0.9, "kind": "a" * 10**6},)},
    {"prompt.persons": ({},) * 65},
    {"request.unverified": ({"kind": "unknown"},) * 64},
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_block_and_are_not_quoted(engine: PolicyEngine, hostile: dict[str, Any]) -> None:
    signals = {"prompt.sexual": 0.45, "prompt.minor": 0.0, "prompt.persons": (), "request.unverified": (), **hostile}
    verdict = engine.evaluate(signals, stage=Stage.PROMPT, due=frozenset({Stage.PROMPT}))
    assert verdict.action is Action.BLOCK
    assert "canary" not in str(verdict)


def test_a_text_that_lies_is_taken_by_its_characters(engine: PolicyEngine) -> None:
    signals = {"output.markable": Liar("none"), "output.nudity": 0.0, "output.faces": ()}
    verdict = engine.evaluate(signals, stage=Stage.OUTPUT, due=frozenset({Stage.OUTPUT}))
    assert "unmarkable-output" in verdict.fired


def test_a_signal_that_cannot_be_read_fails_its_rules_and_spares_the_others(engine: PolicyEngine) -> None:
    signals = Raising({"prompt.sexual": 0.8, "prompt.persons": (), "request.unverified": ()})
    verdict = engine.evaluate(signals, stage=Stage.PROMPT, due=frozenset({Stage.PROMPT}))
    assert [(r.kind, r.rule, r.cause) for r in verdict.reasons] == [
        ("engine", "minor-sexual", "engine error: RuntimeError"),
        ("rule", "explicit-request", ""),
        ("rule", "suggestive-request", ""),
    ]


@pytest.mark.parametrize("signals", [None, 3, [], "prompt.sexual"])
def test_signals_that_are_no_mapping_block(engine: PolicyEngine, signals: Any) -> None:
    for stage in Stage:
        verdict = engine.evaluate(signals, stage=stage, due=ALL)
        assert verdict.action is Action.BLOCK


@pytest.mark.parametrize(
    ("stage", "due"),
    [("prompt", ALL), (None, ALL), (Stage.PROMPT, ["prompt"]), (Stage.PROMPT, frozenset({"nowhere"})), (7, None)],
)
def test_an_unknown_stage_blocks(engine: PolicyEngine, stage: Any, due: Any) -> None:
    verdict = engine.evaluate({}, stage=stage, due=due)
    assert (verdict.action, [r.cause for r in verdict.reasons]) == (Action.BLOCK, ["unknown stage"])


@pytest.mark.parametrize("offset", [-1.0, 0.0, math.nan])
def test_a_passed_deadline_blocks(engine: PolicyEngine, offset: float) -> None:
    for signals, stage, due in given(4):
        verdict = engine.evaluate(signals, stage=stage, due=due, deadline=time.monotonic() + offset)
        assert verdict.action is Action.BLOCK
        assert verdict.reasons[-1].cause == "deadline passed"
        assert verdict.reasons[-1].kind == "engine"


def test_a_deadline_that_has_not_passed_changes_nothing(engine: PolicyEngine) -> None:
    for signals, stage, due in given(20):
        plain = engine.evaluate(signals, stage=stage, due=due)
        assert engine.evaluate(signals, stage=stage, due=due, deadline=time.monotonic() + 600) == plain
        assert engine.evaluate(signals, stage=stage, due=due, deadline=math.inf) == plain


def test_eight_threads_get_the_same_answers(engine: PolicyEngine, builtin: BuiltinEngine) -> None:
    sets = list(given(25, seed=7))
    expected = [builtin.evaluate(s, stage=stage, due=due) for s, stage, due in sets]
    wrong: list[int] = []
    ready = threading.Barrier(8)

    def ask(shift: int) -> None:
        ready.wait()
        for i in [*range(shift, len(sets)), *range(shift)]:
            signals, stage, due = sets[i]
            found = engine.evaluate(signals, stage=stage, due=due)
            if (found.action, found.specs, found.fired) != (expected[i].action, expected[i].specs, expected[i].fired):
                wrong.append(i)

    threads = [threading.Thread(target=ask, args=(3 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_turn_that_does_not_come_is_a_passed_deadline(rego: Any) -> None:
    with rego._documents._lock:
        verdict = rego.evaluate({}, stage=Stage.PROMPT, due=ALL, deadline=time.monotonic() + 0.05)
    assert [r.cause for r in verdict.reasons] == ["deadline passed"]


class _Failing:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def eval(self, activation: Any) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (RuntimeError("INTERNAL: Iteration budget exceeded canary"), "engine error: iteration budget exceeded"),
        (RuntimeError("canary"), "engine error: RuntimeError"),
        (RecursionError("canary"), "engine error: RecursionError"),
        (MemoryError(), "engine error: MemoryError"),
    ],
)
def test_a_rule_that_cel_cannot_judge_blocks_and_the_others_report(cel: Any, error: Exception, cause: str) -> None:
    due = frozenset({Stage.OUTPUT})
    signals = {"output.nudity": 0.9, "output.faces": (), "output.markable": "full"}
    cel.evaluate(signals, stage=Stage.OUTPUT, due=due)
    plan = cel._plans[Stage.OUTPUT, due]
    try:
        cel._plans[Stage.OUTPUT, due] = tuple(
            ready._replace(expression=_Failing(error)) if ready.rule.id == "mark-everything" else ready
            for ready in plan
        )
        verdict = cel.evaluate(signals, stage=Stage.OUTPUT, due=due)
    finally:
        cel._plans[Stage.OUTPUT, due] = plan
    assert verdict.action is Action.BLOCK
    assert verdict.fired == ("output-nudity",)
    assert [(r.rule, r.cause) for r in verdict.reasons if r.kind == "engine"] == [("mark-everything", cause)]


def test_an_interrupt_is_not_swallowed(engine: PolicyEngine) -> None:
    class Interrupted(dict):  # type: ignore[type-arg]
        def get(self, key: str, default: Any = None) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.evaluate(Interrupted(), stage=Stage.PROMPT, due=ALL)
