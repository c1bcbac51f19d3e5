"""What must hold for every policy and every request, tried on random ones. GUARDRAIL_NIGHTLY=1 runs 12,000 of each."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import policy_worlds as w
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.decision import Action, Verdict
from guardrail.policy import BuiltinEngine, Policy, load_policy
from guardrail.signals import Stage

Load = Callable[..., Policy]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    path: Path = tmp_path_factory.mktemp("random") / "random.yaml"

    def load(policy: dict[str, Any], flow: bool = False) -> Policy:
        path.write_text(w.as_yaml(policy, flow=flow), encoding="utf-8")
        return load_policy(path)

    return load


def verdict(policy: Policy, signals: dict[str, Any], stage: Stage, due: frozenset[Stage]) -> Verdict:
    return BuiltinEngine(policy).evaluate(signals, stage=stage, due=due)


STAGE = st.sampled_from(w.STAGES)


@w.CASES
@given(w.policies(), st.booleans(), w.SIGNALS.flatmap(lambda s: st.one_of(st.just(s), w.losses(s))), STAGE, w.DUE)
def test_engine_agrees_with_the_naive_reading(
    load: Load, policy: dict[str, Any], flow: bool, signals: dict[str, Any], stage: Stage, due: frozenset[Stage]
) -> None:
    found = verdict(load(policy, flow), signals, stage, due)
    if not any(r.kind == "engine" for r in found.reasons):  # a value that raises is the next test's concern
        assert w.seen(found) == w.expected(policy, signals, stage, due)


@w.CASES
@given(w.policies(), st.data(), w.SIGNALS, STAGE, w.DUE)
def test_losing_a_signal_never_loosens(
    load: Load,
    policy: dict[str, Any],
    data: st.DataObject,
    signals: dict[str, Any],
    stage: Stage,
    due: frozenset[Stage],
) -> None:
    """With one exception, which is what the author wrote: a rule with `on_missing: ignore` may fall silent."""
    loaded = load(policy)
    lost = data.draw(w.losses(signals))
    careful = replace(loaded, rules=tuple(r for r in loaded.rules if r.on_missing == "block"))
    before, after = verdict(careful, signals, stage, due), verdict(loaded, lost, stage, due)
    assert w.strictness(after) >= w.strictness(before)


@w.CASES
@given(w.policies(), w.SIGNALS, STAGE, w.DUE, st.randoms(use_true_random=False))
def test_rule_order_never_changes_anything(
    load: Load, policy: dict[str, Any], signals: dict[str, Any], stage: Stage, due: frozenset[Stage], rnd: random.Random
) -> None:
    loaded = load(policy)
    shuffled = list(loaded.rules)
    rnd.shuffle(shuffled)
    assert verdict(replace(loaded, rules=tuple(shuffled)), signals, stage, due) == verdict(loaded, signals, stage, due)


@w.CASES
@given(w.policies(), w.RULES, w.SIGNALS.flatmap(lambda s: st.one_of(st.just(s), w.losses(s))), STAGE, w.DUE)
def test_adding_a_rule_never_loosens(
    load: Load,
    policy: dict[str, Any],
    rule: dict[str, Any],
    signals: dict[str, Any],
    stage: Stage,
    due: frozenset[Stage],
) -> None:
    before = verdict(load(policy), signals, stage, due)
    after = verdict(load({**policy, "rules": [*policy["rules"], {"id": "added", **rule}]}), signals, stage, due)
    assert after.action.rank >= before.action.rank
    reports = {s.params["queue"] for s in before.specs if s.kind == "report"}
    assert reports <= {s.params["queue"] for s in after.specs if s.kind == "report"}
    labels = [next((s.params for s in v.specs if s.kind == "label"), {}) for v in (before, after)]
    for name in ("watermark", "source_type", "likeness"):
        assert labels[1].get(name) == labels[0].get(name) or labels[0].get(name) in ("none", False, None)


@w.CASES
@given(w.policies(), w.SIGNALS, STAGE, w.DUE, w.DUE)
def test_a_rule_that_fires_keeps_firing_when_more_is_due(
    load: Load,
    policy: dict[str, Any],
    signals: dict[str, Any],
    stage: Stage,
    due: frozenset[Stage],
    more: frozenset[Stage],
) -> None:
    loaded = load(policy)
    early, late = verdict(loaded, signals, stage, due), verdict(loaded, signals, stage, due | more)
    assert {r.rule for r in early.reasons} <= {r.rule for r in late.reasons}


@w.CASES
@given(w.policies(most=1), w.SIGNALS, STAGE, w.DUE)
def test_two_ways_to_write_a_condition_decide_alike(
    load: Load, policy: dict[str, Any], signals: dict[str, Any], stage: Stage, due: frozenset[Stage]
) -> None:
    rule = policy["rules"][0]
    if rule["when"] == "always":
        return
    twice = {**policy, "rules": [{**rule, "when": {"not": {"not": rule["when"]}}}]}
    morgan = {**policy, "rules": [{**rule, "when": {"not": _negated(rule["when"])}}]}
    found = w.seen(verdict(load(policy), signals, stage, due))
    assert w.seen(verdict(load(twice), signals, stage, due)) == found
    assert w.seen(verdict(load(morgan), signals, stage, due)) == found


def _negated(when: dict[str, Any]) -> dict[str, Any]:
    """The opposite, by De Morgan's laws."""
    parts: list[dict[str, Any]] = []
    for key, value in when.items():
        if key == "any":
            parts.append({"all": [_negated(part) for part in value]})
        elif key == "all":
            parts.append({"any": [_negated(part) for part in value]})
        else:
            parts.append(value if key == "not" else {"not": {key: value}})
    return {"any": parts}


class _ThornyMapping(dict):  # type: ignore[type-arg]
    def get(self, *args: Any) -> Any:
        raise KeyError("thorn")


@w.CASES
@given(
    w.policies(),
    st.one_of(st.builds(_ThornyMapping), st.dictionaries(st.sampled_from(list(w.CORE)), w.LOST), w.LOST),
    st.one_of(STAGE, st.sampled_from(["prompt", "nowhere", None, 3]), st.builds(w.Thorny)),
    st.one_of(w.DUE, st.sampled_from([None, "prompt", frozenset({"nowhere"}), (Stage.PROMPT,)]), st.builds(w.Thorny)),
    st.one_of(st.sampled_from([None, math.inf, -math.inf, math.nan, "soon"]), st.builds(w.Thorny)),
)
def test_engine_never_raises(
    load: Load, policy: dict[str, Any], signals: Any, stage: Any, due: Any, deadline: Any
) -> None:
    found = BuiltinEngine(load(policy)).evaluate(signals, stage=stage, due=due, deadline=deadline)
    assert isinstance(found, Verdict)
    if not isinstance(stage, Stage) or not isinstance(due, frozenset) or not (deadline is None or deadline is math.inf):
        assert found.action is Action.BLOCK
    assert (found.action is Action.BLOCK) == any(s.kind == "block" for s in found.specs)
    assert all(r.effect is Action.BLOCK for r in found.reasons if r.kind in ("engine", "missing"))
