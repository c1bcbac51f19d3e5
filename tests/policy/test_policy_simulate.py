"""What another policy would have decided, on records written by hand; on real ones: `test_cli_policy_replay`."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from guardrail.decision import Action, Decision, PolicyRef, Reason, Stage
from guardrail.errors import ConfigurationError
from guardrail.policy import BuiltinEngine, Policy
from guardrail.policy.replay import past_of, replay
from guardrail.policy.retune import retuned
from guardrail.policy.simulate import simulate
from guardrail.policy.simulation import Rate

PolicyOf = Callable[[str], Policy]
WORDS = "rules: [{id: w, at: prompt, when: {prompt.sexual: '>= 0.5'}, then: block}]"


def record(
    action: Action = Action.ALLOW,
    *reasons: Reason,
    asked: tuple[Stage, ...] = (Stage.PROMPT,),
    due: tuple[Stage, ...] | None = None,
    **signals: Any,
) -> dict[str, Any]:
    return Decision(
        "d",
        action,
        asked[-1] if asked else Stage.PROMPT,
        PolicyRef("then", "1.0.0", "ab"),
        reasons=reasons,
        signals={name.replace("_", "."): value for name, value in signals.items()},
        timings_ms={f"{stage}.policy": 0.1 for stage in asked},
        due=asked if due is None else due,
    ).to_json()


def reason(kind: Any, rule: str = "", effect: Action = Action.BLOCK, shadow: bool = False) -> Reason:
    return Reason(kind, rule, Stage.PROMPT, effect, shadow=shadow)


# ---- the uncertainty of counting


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17, table I, method 3 (Wilson without continuity correction)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert [round(end, 4) for end in Rate(hits, of).interval] == [low, high]
    assert [round(1 - end, 4) for end in reversed(Rate(of - hits, of).interval)] == [low, high]


def test_where_nothing_was_counted_nothing_is_known() -> None:
    assert Rate(0, 0).interval == (0.0, 1.0)
    assert Rate(0, 0).value == 0.0


# ---- what is replayed, and what is not


def test_decisions_are_counted_by_what_they_were_and_would_be(policy_of: PolicyOf) -> None:
    blocked = record(Action.BLOCK, reason("rule", "old"), prompt_sexual=0.2)
    rows = [record(prompt_sexual=0.1)] * 3 + [record(prompt_sexual=0.9)] * 2 + [blocked]
    found = simulate(rows, BuiltinEngine(policy_of(WORDS)))
    assert dict(found.matrix) == {("allow", "allow"): 3, ("allow", "block"): 2, ("block", "allow"): 1}
    assert (found.blocked_before.hits, found.blocked_after.hits, found.flipped) == (1, 2, Rate(3, 6))
    assert (dict(found.before), dict(found.after)) == ({"old": 1}, {"w": 2})
    assert found.let_on == 1
    assert [f.to_json() for f in found.flips][-1] == {
        "id": "d",
        "before": "block",
        "after": "allow",
        "no_longer": ["old"],
        "newly": [],
    }
    assert found.rules == ("w", "old")
    assert found.recorded == {"then 1.0.0": 6}


def test_a_block_ends_it_and_the_strictest_stage_decides(policy_of: PolicyOf) -> None:
    engine = BuiltinEngine(
        policy_of(
            "rules:\n"
            "  - {id: guide, at: prompt, when: {prompt.sexual: '>= 0.3'}, then: guide}\n"
            "  - {id: block, at: prompt, when: {prompt.sexual: '>= 0.6'}, then: block}\n"
            "  - {id: mark, at: output, when: always, then: {label: {watermark: invisible}}}"
        )
    )
    for score, action, rules in ((0.1, "allow", ("mark",)), (0.4, "alter", ("guide", "mark")), (0.7, "block", None)):
        outcome = replay(past_of(record(asked=(Stage.PROMPT, Stage.OUTPUT), prompt_sexual=score)), engine)
        assert outcome.action == action
        assert outcome.rules == (rules or ("block", "guide")), "no rule acts after a block"


def test_a_stage_sees_what_was_due_then(policy_of: PolicyOf) -> None:
    """The reference is measured after the prompt was judged; an output alone builds on all that was due before."""
    rule = "{id: r, at: [prompt, reference], when: {not: {reference.nudity: '>= 0.5'}}, then: block}"
    engine = BuiltinEngine(policy_of(f"rules: [{rule}]"))
    whole = record(asked=(Stage.PROMPT, Stage.REFERENCE), prompt_sexual=0.0, reference_nudity=0.9)
    assert [sorted(due) for _, due in past_of(whole).asked] == [["prompt"], ["prompt", "reference"]]
    assert replay(past_of(whole), engine).action is Action.ALLOW
    after = record(asked=(Stage.OUTPUT,), due=(Stage.PROMPT, Stage.OUTPUT), prompt_sexual=0.0)
    assert [sorted(due) for _, due in past_of(after).asked] == [["output", "prompt"]]


def test_what_was_missing_then_is_missing_now(policy_of: PolicyOf) -> None:
    found = simulate([record(prompt_sexual=None)], BuiltinEngine(policy_of(WORDS)))
    assert found.matrix["allow", "block"] == 1
    assert found.closed_after == {"w": 1}


@pytest.mark.parametrize("kind", ["input", "action", "mark", "audit", "engine"])
def test_a_block_of_the_guards_own_is_counted_apart(policy_of: PolicyOf, kind: Any) -> None:
    engine = BuiltinEngine(policy_of(WORDS))
    own = record(Action.BLOCK, reason(kind), prompt_sexual=0.9)
    found = simulate([own, record(Action.BLOCK, reason(kind), asked=())], engine)
    at_once = kind in ("input", "audit")  # what else blocks without a rule being asked repeats an earlier decision
    assert found.own == {kind: {"block": 1, "not asked": 1} if at_once else {"block": 1}}
    assert (found.replayed, found.skipped.total()) == (0, 0 if at_once else 1)
    both = simulate([record(Action.BLOCK, reason("rule", "w"), reason(kind), prompt_sexual=0.9)], engine)
    assert (both.own, both.replayed) == ({}, 1), "a rule blocked as well"
    watching = simulate(
        [record(Action.BLOCK, reason("rule", "w", shadow=True), reason(kind), prompt_sexual=0.1)], engine
    )
    assert watching.own == {kind: {"allow": 1}}


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda body: body.pop(key)


def having(**fields: Any) -> Callable[[dict[str, Any]], object]:
    return lambda body: body.update(fields)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without("timings_ms"), "it has no `timings_ms`"),
        (without("due"), "it has no `due`"),
        (without("reasons"), "it has no `reasons`"),
        (without("rules"), "it has no `rules`"),
        (having(due=["canary"]), "a field holds what no guard writes"),
        (having(action="canary"), "a field holds what no guard writes"),
        (having(due=3), "a field holds what no guard writes"),
        (having(due=[["prompt"]]), "a field holds what no guard writes"),
        (having(signals=[1]), "a field holds what no guard writes"),
        (having(id=["canary"]), "a field holds what no guard writes"),
        (having(policy="canary"), "a field holds what no guard writes"),
        (having(rules=[{}]), "a field holds what no guard writes"),
        (having(reasons=[{"kind": "rule"}], action="block"), "a field holds what no guard writes"),
        (having(reasons=["canary"]), "a field holds what no guard writes"),
        (having(alterations=[{"kind": "regenerate", "status": "applied"}]), "the picture was generated again"),
        (having(timings_ms={}), "no rule was asked: it repeats what an earlier decision refused"),
        (having(signals={}), "not on record, because no check measured it then: prompt.sexual"),
    ],
)
def test_what_cannot_be_replayed_is_counted_with_its_cause_and_without_content(
    policy_of: PolicyOf, change: Callable[[dict[str, Any]], object], why: str
) -> None:
    body = copy.deepcopy(record(prompt_sexual=0.9))
    change(body)
    found = simulate([body, record(prompt_sexual=0.9)], BuiltinEngine(policy_of(WORDS)))
    ((said, count),) = found.skipped.items()
    assert said.startswith(why)
    assert "canary" not in said
    assert (count, found.replayed, found.records) == (1, 1, 2)


@pytest.mark.parametrize("item", [None, 3, "text", [record()], True])
def test_what_is_no_record_is_counted(policy_of: PolicyOf, item: object) -> None:
    found = simulate([item, {"queue": "review"}], BuiltinEngine(policy_of(WORDS)))
    assert dict(found.skipped) == {"it is not a record (no JSON object)": 1}
    assert (found.others, found.records, found.replayed) == (1, 2, 0)


def test_an_engine_that_fails_decides_nothing(policy_of: PolicyOf, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = BuiltinEngine(policy_of(WORDS))
    monkeypatch.setattr(engine, "_compile", lambda *_: 1 / 0)
    found = simulate([record(prompt_sexual=0.9)], engine)
    assert dict(found.skipped) == {"the policy engine failed: engine error: ZeroDivisionError": 1}


def test_any_mapping_is_a_record_and_progress_is_told(policy_of: PolicyOf) -> None:
    class Row(Mapping[str, Any]):
        def __init__(self) -> None:
            self.body = record(prompt_sexual=0.9)

        def __getitem__(self, key: str) -> Any:
            return self.body[key]

        def __iter__(self) -> Any:
            return iter(self.body)

        def __len__(self) -> int:
            return len(self.body)

    told: list[int] = []
    found = simulate((Row() for _ in range(2_500)), BuiltinEngine(policy_of(WORDS)), progress=told.append, keep=3)
    assert (found.replayed, told, len(found.flips)) == (2_500, [1_000, 2_000], 3)


# ---- other thresholds


TUNED = (
    "thresholds: {sexual: {low: 0.3, high: 0.7}, real: {likely: 0.5}}\n"
    "rules:\n"
    "  - id: r\n"
    "    at: reference\n"
    "    when:\n"
    "      any:\n"
    "        - all: [{prompt.sexual: '>= low'}, {not: {prompt.sexual: '>= high'}}]\n"
    "        - reference.faces: {any: {real: '> likely', match: '>= 0.5'}}\n"
    "    then: block\n"
)


def test_a_threshold_is_changed_wherever_it_is_named_and_nowhere_else(policy_of: PolicyOf) -> None:
    policy = policy_of(TUNED)
    spelled = TUNED.replace("low: 0.3", "low: 0.4").replace("likely: 0.5", "likely: 0.9")
    changed = retuned(policy, {"sexual.low": 0.4, "real.likely": 0.9})
    assert [rule.when for rule in changed.rules] == [rule.when for rule in policy_of(spelled).rules]
    assert changed.thresholds == {"sexual": {"low": 0.4, "high": 0.7}, "real": {"likely": 0.9}}
    assert changed.ref.version == "1.0.0+sexual-low-0-4-real-likely-0-9"
    assert changed.ref.sha256 == ""
    assert policy == policy_of(TUNED), "the policy itself is as it was"


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"sexual.lo": 0.4}, "did you mean 'sexual.low'"),
        ({"sexual.low": 1.5}, "0..1, not at 1.5"),
        ({"sexual.low": math.nan}, "0..1, not at nan"),
    ],
)
def test_a_threshold_that_is_none_is_refused(policy_of: PolicyOf, limits: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        retuned(policy_of(TUNED), limits)
