"""The default policy by hand in CEL and in Rego decides as the built-in engine does, whatever the signals are."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest

from guardrail.decision import Action, Verdict
from guardrail.policy import BuiltinEngine, PolicyEngine, load_cases, run_tests
from guardrail.signals import Stage
from tests.policy.engines.random_signals import given

NIGHTLY = os.environ.get("GUARDRAIL_NIGHTLY") == "1"
# CEL takes 0.1 ms for a decision; Rego takes 5 ms, and over HTTP 7 ms: there, `make test` asks for fewer.
SETS = {"cel": 5_000 if NIGHTLY else 2_000, "rego": 5_000 if NIGHTLY else 500, "opa": 5_000 if NIGHTLY else 500}


def seen(verdict: Verdict) -> dict[str, Any]:
    """Everything but the comparisons in the reasons."""
    return {
        "action": verdict.action,
        "specs": verdict.specs,
        "reasons": [
            (r.kind, r.rule, r.stage, r.effect, r.severity, r.cause, r.locked, r.shadow, r.message, r.refs)
            for r in verdict.reasons
        ],
    }


@pytest.mark.parametrize("name", list(SETS))
def test_random_signals(name: str, builtin: BuiltinEngine, request: pytest.FixtureRequest) -> None:
    engine: PolicyEngine = request.getfixturevalue(name)
    counts: Counter[tuple[Action, bool]] = Counter()
    stages: Counter[Stage] = Counter()
    for number, (signals, stage, due) in enumerate(given(SETS[name])):
        expected = builtin.evaluate(signals, stage=stage, due=due)
        found = engine.evaluate(signals, stage=stage, due=due)
        assert seen(found) == seen(expected), f"set {number}: {signals} at {stage}, due {sorted(due)}"
        # What is said to be missing is what the built-in engine says, or part of the same list signal.
        lost = {".".join(leaf.signal.split(".")[:2]) for r in found.reasons if r.kind == "missing" for leaf in r.leaves}
        assert lost >= {".".join(signal.split(".")[:2]) for signal in expected.missing}
        counts[expected.action, bool(expected.missing)] += 1
        stages[stage] += 1
    # The sets say something: every action, every stage, missing signals in many.
    assert set(stages) == set(Stage)
    for action in Action:
        assert counts[action, False] >= SETS[name] // 50, counts
    assert counts[Action.BLOCK, True] >= SETS[name] // 10, counts


def test_the_same_decision_tests_pass(engine: PolicyEngine, builtin: BuiltinEngine) -> None:
    report = run_tests(builtin.policy, engine, cases=load_cases(builtin.policy))
    assert report.ok, str(report)
    assert len(report.passed) >= 60
    assert report.never_fired == ()


def test_they_need_the_same_signals_and_say_the_same(engine: PolicyEngine, builtin: BuiltinEngine) -> None:
    assert {k: set(v) for k, v in engine.needs().items()} == {k: set(v) for k, v in builtin.needs().items()}
    assert (engine.ref.id, engine.ref.version, engine.ref.mode) == ("default", "1.0.0", "enforce")
    assert len(engine.ref.sha256) == 64
    assert engine.ref.sha256 != builtin.ref.sha256
    for signals, stage, due in given(50):
        verdict = builtin.evaluate(signals, stage=stage, due=due)
        assert engine.messages(verdict.reasons) == builtin.messages(verdict.reasons)


def test_what_is_not_due_waits_under_every_rule(engine: PolicyEngine, builtin: BuiltinEngine) -> None:
    signals = {"prompt.sexual": 0.45, "prompt.minor": 0.0, "prompt.persons": (), "request.unverified": ()}
    for due in (frozenset({Stage.PROMPT}), frozenset({Stage.PROMPT, Stage.REFERENCE})):
        expected = builtin.evaluate(signals, stage=Stage.PROMPT, due=due)
        assert seen(engine.evaluate(signals, stage=Stage.PROMPT, due=due)) == seen(expected)
    # No picture went in: nothing of it is missing. One went in, and nobody could say what is on it: that blocks.
    assert builtin.evaluate(signals, stage=Stage.PROMPT, due=frozenset({Stage.PROMPT})).action is Action.ALTER
    assert builtin.evaluate(signals, stage=Stage.PROMPT, due=due).missing == ("reference.faces",)
