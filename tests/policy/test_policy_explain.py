"""Explanations: they agree with the decision for every policy, and say what an author needs to know."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import policy_worlds as w
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.decision import Action, Leaf
from guardrail.errors import PolicyError
from guardrail.policy import BuiltinEngine, Policy, load_policy
from guardrail.policy.explain import RuleExplained, StageExplained, explain
from guardrail.policy.given import read_given
from guardrail.policy.telling import comparison, tell
from guardrail.signals import Stage

PolicyOf = Callable[[str], Policy]
SIGNALS = w.SIGNALS.flatmap(lambda s: st.one_of(st.just(s), w.losses(s)))
STAGE = st.sampled_from(w.STAGES)
FEWER = settings(w.CASES, max_examples=5_000 if w.NIGHTLY else 80)
PROMPT, REFERENCE, OUTPUT = {Stage.PROMPT}, {Stage.PROMPT, Stage.REFERENCE}, {Stage.PROMPT, Stage.OUTPUT}


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], Policy]:
    path: Path = tmp_path_factory.mktemp("random") / "random.yaml"

    def load(policy: dict[str, Any]) -> Policy:
        path.write_text(w.as_yaml(policy), encoding="utf-8")
        return load_policy(path)

    return load


# ---- agreement


@w.CASES
@given(w.policies(), SIGNALS, STAGE, w.DUE)
def test_an_explanation_agrees_with_the_decision_and_its_trees_with_both(
    load: Any, policy: dict[str, Any], signals: dict[str, Any], stage: Stage, due: frozenset[Stage]
) -> None:
    loaded = load(policy)
    found = explain(loaded, signals, stage, due)
    verdict = BuiltinEngine(loaded).evaluate(signals, stage=stage, due=due)
    assert found.action is verdict.action
    for kind, part in (("rule", _fires), ("missing", _fails_closed)):
        assert {r.rule for r in verdict.reasons if r.kind == kind} == {r.rule.id for r in found.last.rules if part(r)}
    # The strictest of what the page says about each rule is the decision.
    effects = [r.effect for r in found.last.rules if r.acts and r.effect]
    assert max(effects, key=lambda e: e.rank, default=Action.ALLOW) is verdict.action
    whens = {rule["id"]: rule["when"] for rule in policy["rules"]}
    for r in found.last.rules:
        assert (r.condition is None) == (r.outcome in ("idle", "elsewhere"))
        if r.condition is not None:
            # Against the naive reading of the YAML, which shares no code with trace or engine.
            assert (r.condition.low, r.condition.high) == w.bounds(whens[r.rule.id], signals, due)
            assert (r.condition.low is True) == _fires(r)
            assert (r.condition.low is None) == (r.outcome == "unknown")


def _fires(r: RuleExplained) -> bool:
    return r.outcome == "fires"


def _fails_closed(r: RuleExplained) -> bool:
    return r.outcome == "unknown" and r.fails_closed


@FEWER
@given(w.policies(), w.SIGNALS, STAGE, w.DUE, st.frozensets(STAGE))
def test_a_rule_that_does_not_fire_does_not_unless_what_it_waits_for_comes(
    load: Any,
    policy: dict[str, Any],
    signals: dict[str, Any],
    stage: Stage,
    due: frozenset[Stage],
    more: frozenset[Stage],
) -> None:
    loaded = load(policy)
    now, then = explain(loaded, signals, stage, due).last, explain(loaded, signals, stage, due | more).last
    for before, after in zip(now.rules, then.rules, strict=True):
        if before.outcome == "does-not" and after.outcome != "does-not":
            assert before.absent  # it went by the others; the signals that were not there changed it
        if before.outcome == "waits" and after.outcome == "fires":
            waited = {loaded.vocabulary[s].stage for s in (*before.waits_for, *before.absent)}
            assert waited & (more - due)


@FEWER
@given(w.policies(), SIGNALS, STAGE, w.DUE)
def test_every_explanation_can_be_printed_and_is_json(
    load: Any, policy: dict[str, Any], signals: dict[str, Any], stage: Stage, due: frozenset[Stage]
) -> None:
    found = explain(load(policy), signals, stage, due)
    page = str(found)
    assert page.startswith(f"{found.decision}: ")
    shown = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert shown["stage"] == stage.value
    for rule in policy["rules"]:
        assert rule["id"] in page


def test_a_value_that_raises_is_an_error_of_the_engine_and_not_of_the_page(policy_of: PolicyOf) -> None:
    class Broken(dict):  # type: ignore[type-arg]
        def get(self, *_: Any) -> Any:
            raise RuntimeError("thorn")

    policy = policy_of('rules: [{id: r, at: prompt, when: {prompt.sexual: ">= 0.5"}, then: block}]')
    found = explain(policy, Broken(), Stage.PROMPT, PROMPT)
    assert (found.action, found.last.rule("r").outcome, found.last.rule("r").fails_closed) == (
        Action.BLOCK,
        "error",
        True,
    )
    assert "ERROR" in str(found)


# ---- what a page says

RULES = """
thresholds: {sexual: {suggestive: 0.40, explicit: 0.70}, real: {likely: 0.5}}
rules:
  - {id: explicit, at: prompt, when: {prompt.sexual: ">= explicit"}, then: block, locked: true}
  - {id: watch, at: prompt, mode: shadow, when: {prompt.sexual: "< 0.9"}, then: block}
  - {id: steer, at: prompt, when: {prompt.sexual: ">= suggestive"}, then: guide}
  - {id: note, at: prompt, when: {prompt.minor: ">= 0.5"}, then: report}
  - id: faces
    at: [prompt, reference, output]
    when:
      all:
        - prompt.sexual: ">= suggestive"
        - any: [{reference.faces: {any: {real: ">= likely", consent: [no, unknown]}}}, {output.nudity: ">= 0.5"}]
    then: {blur: {target: faces}}
  - {id: absent, at: [reference, output], when: {not: {reference.nudity: ">= 0.5"}}, then: {label: {likeness: true}}}
  - {id: mark, at: output, when: always, then: label}
"""


@pytest.fixture
def policy(policy_of: PolicyOf) -> Policy:
    return policy_of(RULES)


def at(policy: Policy, stage: Stage, due: set[Stage], **signals: Any) -> StageExplained:
    return explain(policy, {k.replace("_", ".", 1): v for k, v in signals.items()}, stage, due).last


def test_each_rule_says_what_it_amounts_to(policy: Policy) -> None:
    found = at(policy, Stage.PROMPT, PROMPT, prompt_sexual=0.66)
    assert {r.rule.id: r.outcome for r in found.rules} == {
        "explicit": "does-not",
        "watch": "fires",
        "steer": "fires",
        "note": "unknown",
        "faces": "idle",  # blur cannot act on words
        "absent": "elsewhere",
        "mark": "elsewhere",
    }
    assert [r.rule.id for r in found.rules if r.decides] == ["steer"]
    assert (found.rule("note").missing, found.rule("note").fails_closed, found.rule("note").effect) == (
        ("prompt.minor",),
        False,
        None,
    )
    assert (found.rule("watch").effect, found.rule("watch").acts) == (Action.BLOCK, False)


def test_a_missing_signal_of_a_rule_that_blocks_decides(policy: Policy) -> None:
    found = at(policy, Stage.PROMPT, PROMPT, prompt_minor=0.1)
    explicit = found.rule("explicit")
    assert (explicit.outcome, explicit.fails_closed, explicit.missing) == ("unknown", True, ("prompt.sexual",))
    assert [r.rule.id for r in found.rules if r.decides] == ["explicit", "steer"]


def test_waiting_is_told_from_never_coming(policy: Policy) -> None:
    signals: dict[str, Any] = {"prompt_sexual": 0.5, "output_nudity": 0.1}
    waiting = at(policy, Stage.REFERENCE, REFERENCE, **signals, reference_faces=()).rule("faces")
    assert (waiting.outcome, waiting.waits_for, waiting.absent) == ("waits", ("output.nudity",), ())
    # No image went in: the other comparison settles it.
    settled = at(policy, Stage.OUTPUT, OUTPUT, **signals).rule("faces")
    assert (settled.outcome, settled.absent) == ("does-not", ("reference.faces",))
    # Nothing settles it: absence was never shown.
    vain = at(policy, Stage.OUTPUT, OUTPUT, **signals).rule("absent")
    assert (vain.outcome, vain.waits_for, vain.absent) == ("waits", (), ("reference.nudity",))


def test_a_stage_without_its_medium_will_not_bring_it_later(policy: Policy) -> None:
    found = at(policy, Stage.REFERENCE, PROMPT, prompt_sexual=0.5)
    assert (found.rule("absent").waits_for, found.rule("absent").absent) == ((), ("reference.nudity",))


def test_under_not_what_is_not_due_counts_before_what_is_missing(policy_of: PolicyOf) -> None:
    """`not: any` cannot hold before both are known, so it waits; `not: all` is unknown now, whatever comes."""
    leaves = '[{prompt.sexual: ">= 0.5"}, {output.nudity: ">= 0.5"}]'
    for word, outcome, waits, missing in (
        ("any", "waits", ("output.nudity",), ()),
        ("all", "unknown", (), ("prompt.sexual",)),
    ):
        policy = policy_of(
            f"rules: [{{id: r, at: [prompt, output], when: {{not: {{{word}: {leaves}}}}}, then: block}}]"
        )
        rule = at(policy, Stage.PROMPT, PROMPT).rule("r")
        assert (rule.outcome, rule.waits_for, rule.missing) == (outcome, waits, missing)


def test_the_stages_before_are_explained_with_what_was_due_then(policy: Policy) -> None:
    found = explain(policy, {"prompt.sexual": 0.8, "prompt.minor": 0.0, "output.nudity": 0.0}, Stage.OUTPUT, OUTPUT)
    assert [(s.stage, s.due) for s in found.stages] == [
        (Stage.PROMPT, frozenset(PROMPT)),
        (Stage.OUTPUT, frozenset(OUTPUT)),
    ]
    assert (found.action, found.decision) == (Action.LABEL, "block")
    assert str(found).startswith("block: at prompt, by explicit (policy my 1.0.0)")
    # The prompt stage is passed by every request, with words or without.
    assert [s.stage for s in explain(policy, {}, Stage.OUTPUT, {Stage.OUTPUT}).stages] == [Stage.PROMPT, Stage.OUTPUT]


def test_the_page(policy: Policy) -> None:
    face = {"real": 0.93, "consent": "no"}
    signals = {"prompt.sexual": 0.66, "prompt.minor": 0.1, "reference.faces": (face, {"real": 0.1, "consent": "no"})}
    page = str(explain(policy, {**signals, "reference.nudity": None}, Stage.REFERENCE, REFERENCE))
    assert page == (Path(__file__).parent / "explained.txt").read_text("utf-8").rstrip("\n")


def test_a_rule_is_found_by_its_id(policy: Policy) -> None:
    with pytest.raises(KeyError, match="nobody"):
        at(policy, Stage.PROMPT, PROMPT).rule("nobody")


def test_only_some_rules_can_be_shown(policy: Policy) -> None:
    found = explain(policy, {"prompt.sexual": 0.66, "prompt.minor": 0.1}, Stage.PROMPT, PROMPT)
    page = tell(found, ["explicit"])
    assert "explicit" in page
    assert "not looked at" not in page
    # What decides is said whether it is shown or not.
    assert page.startswith("alter: at prompt, by steer ")
    assert [line for line in page.splitlines() if "  steer" in line] == []


def test_of_a_long_list_the_items_that_settle_it_are_shown(policy: Policy) -> None:
    dull, telling = {"real": 0.0, "consent": "yes"}, {"real": 0.9, "consent": "no"}
    signals = {"prompt.sexual": 0.5, "reference.faces": (*(dull,) * 20, telling), "reference.nudity": 0.0}
    page = str(explain(policy, signals, Stage.REFERENCE, REFERENCE))
    assert "item 20\n" in page
    assert "… and 13 more items" in page


@pytest.mark.parametrize(
    ("value", "op", "limit", "holds", "says"),
    [
        (0.66, ">=", 0.70, False, "0.66 of 0.70: 0.04 short"),
        (0.81, ">=", 0.70, True, "0.81 of 0.70: 0.11 over"),
        (0.70, ">=", 0.70, True, "0.7, exactly the limit"),
        (0.70, ">", 0.70, False, "0.7, exactly the limit"),
        (0.6999, ">=", 0.70, False, "0.6999 of 0.7000: 0.0001 short"),
        (0.7 - 1e-9, ">=", 0.70, False, "0.699999999 of 0.700000000: 0.000000001 short"),
        (0.1, "<", 0.2, True, "0.10, limit 0.20: 0.10 under"),
        (0.3, "<=", 0.2, False, "0.30, limit 0.20: 0.10 too high"),
        (1, ">=", 0.5, True, "1.00 of 0.50: 0.50 over"),
        (None, ">=", 0.5, False, "missing"),
        (True, "is", False, False, "true"),
        ("no", "in", ("yes",), False, "'no'"),
    ],
)
def test_comparisons_say_value_limit_and_margin(value: Any, op: str, limit: Any, holds: bool, says: str) -> None:
    assert comparison(Leaf("s", value, op, limit), holds) == says


def test_json_has_a_signed_margin(policy: Policy) -> None:
    (stage,) = explain(policy, {"prompt.sexual": 0.66, "prompt.minor": 0.9}, Stage.PROMPT, PROMPT).to_json()["stages"]
    margins = {r["rule"]: r["condition"]["margin"] for r in stage["rules"] if r["condition"]}
    assert margins == pytest.approx({"explicit": -0.04, "watch": 0.24, "steer": 0.26, "note": 0.4})


# ---- signals by hand


def test_signals_by_hand_are_read_as_in_a_test(policy: Policy) -> None:
    case = read_given('{"prompt.sexual": 0.5, "reference.faces": null}', policy, stage=Stage.REFERENCE)
    assert (case.stage, case.due) == (Stage.REFERENCE, frozenset(REFERENCE))
    assert (case.signals["prompt.sexual"], case.signals["reference.faces"], case.signals["prompt.minor"]) == (
        0.5,
        None,
        0,
    )
    assert read_given("{stage: step}", policy, stage=Stage.OUTPUT).stage is Stage.STEP


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "given:1:1: GP022"),
        ("{stage: prompt, prompt.sexul: 1}", "did you mean 'prompt.sexual'?"),
        ("{stage: prompt, output.nudity: 0.5}", "GP075"),
        ("[1", "GP001"),
        ("", "GP022"),
        ("- 3", "GP023"),
        ("\ud800", "GP002"),
    ],
)
def test_signals_by_hand_that_do_not_read_name_the_place(policy: Policy, text: str, says: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_given(text, policy)
    assert says in str(caught.value)
