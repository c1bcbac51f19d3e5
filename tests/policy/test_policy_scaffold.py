"""A child policy that an author can begin with, and tests made of records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from guardrail.decision import Action, Decision, PolicyRef, Reason, Stage
from guardrail.policy import BuiltinEngine, Policy, load_cases, load_policy, run_tests
from guardrail.policy.replay import Past, Unreplayable, past_of
from guardrail.policy.scaffold import case_of, new_policy
from guardrail.signals import CORE, Choice, Flag, Items, Kind, Score, SignalSpec
from tests.policy.policy_worlds import CASES

RULES = """
policy: {id: my, version: 1.0.0}
thresholds: {sexual: {low: 0.3, high: 0.7}}
rules:
  - {id: guide, at: prompt, when: {prompt.sexual: '>= low'}, then: guide}
  - {id: block, at: [prompt, output], when: {any: [{prompt.sexual: '>= high'}, {output.nudity: '>= 0.5'}]}, then: block}
  - {id: face, at: [reference, output], when: {reference.faces: {any: {consent: [no, unknown]}}}, then: block}
  - {id: named, at: prompt, when: {prompt.persons: {any: {match: '>= 0.5'}}}, then: {label: {likeness: true}}}
  - {id: film, at: prompt, when: {context.purpose: film}, then: report}
"""


def past(asked: tuple[Stage, ...], signals: dict[str, Any], *reasons: Reason, action: Action = Action.ALLOW) -> Past:
    timings = {f"{stage}.policy": 0.1 for stage in asked}
    ref = PolicyRef("then", "1.0.0", "ab")
    made = Decision("d-1", action, Stage.PROMPT, ref, reasons=reasons, signals=signals, timings_ms=timings, due=asked)
    return past_of(made.to_json())


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    path = tmp_path_factory.mktemp("p") / "my.yaml"
    path.write_text(RULES)
    return load_policy(path)


def case(policy: Policy, asked: tuple[Stage, ...], **signals: Any) -> str:
    named = {name.replace("_", ".", 1): value for name, value in signals.items()}
    return case_of(past(asked, named), BuiltinEngine(policy), policy.vocabulary)


def passes(policy: Policy, *texts: str) -> None:
    beside = Path(policy.path).with_name("my.test.yaml")
    beside.write_text("tests:\n" + "".join(texts), "utf-8")
    report = run_tests(policy, BuiltinEngine(policy), cases=load_cases(policy))
    assert len(report.passed) == len(report.results) == len(texts), str(report)


# ---- a test from a record


def test_a_test_has_what_is_not_harmless_and_what_came_of_it(policy: Policy) -> None:
    persons = ({"match": 0.9, "kind": "public"},)
    text = case(policy, (Stage.PROMPT,), prompt_sexual=0.4, prompt_minor=0.0, prompt_persons=persons)
    assert text == (
        "  - name: from decision d-1\n"
        "    given:\n"
        "      stage: prompt\n"
        "      prompt.sexual: 0.4\n"
        "      prompt.persons: [{match: 0.9, kind: public, evidence: null}]\n"
        "    expect: {decision: alter, rules: [guide, named]}\n"
    )
    passes(policy, text)


def test_it_is_of_the_stage_that_decided(policy: Policy) -> None:
    asked = (Stage.PROMPT, Stage.OUTPUT)
    assert "stage: prompt\n" in case(policy, asked, prompt_sexual=0.4, output_nudity=0.0)
    both = case(policy, asked, prompt_sexual=0.4, output_nudity=0.9)
    assert "stage: output\n      prompt.sexual: 0.4\n      output.nudity: 0.9\n" in both
    assert both.endswith("expect: {decision: block, rules: [block]}\n")
    assert "stage: output\n" in case(policy, asked, prompt_sexual=0.1, output_nudity=0.0), (
        "the last, where none objects"
    )


def test_what_was_missing_is_missing_and_what_was_not_measured_is_said(policy: Policy) -> None:
    text = case(policy, (Stage.PROMPT, Stage.REFERENCE), prompt_sexual=0.0, reference_faces=None)
    assert "stage: reference\n      missing: [reference.faces]\n" in text
    assert "# not on record, and taken for harmless: prompt.persons" in text
    assert text.endswith("{decision: block, rules: [face], because: missing}\n")
    passes(policy, text)


def test_due_is_said_where_the_signals_do_not_say_it(policy: Policy) -> None:
    assert "due: [reference]" in case(policy, (Stage.REFERENCE,), reference_faces=[{"consent": "no"}])
    assert "due: [prompt, reference, output]" in case(
        policy, (Stage.PROMPT, Stage.REFERENCE, Stage.OUTPUT), prompt_sexual=0.0, reference_faces=[], output_nudity=0.9
    )


def test_who_asks_is_told_only_to_a_policy_that_asks(policy: Policy) -> None:
    text = case(policy, (Stage.PROMPT,), context_purpose="film", context_locale="ko")
    assert "context.purpose: film" in text
    assert "locale" not in text


@pytest.mark.parametrize(("action", "reasons", "why"), [
    (Action.BLOCK, (Reason("input", "", Stage.PROMPT, Action.BLOCK),), "the guard itself blocked (input)"),
    (Action.BLOCK, (Reason("rule", "r", Stage.PROMPT, Action.BLOCK),), "it repeats what an earlier decision refused"),
])  # fmt: skip
def test_no_test_is_made_where_no_rule_was_asked(policy: Policy, action: Action, reasons: Any, why: str) -> None:
    with pytest.raises(Unreplayable) as caught:
        case_of(past((), {}, *reasons, action=action), BuiltinEngine(policy), policy.vocabulary)
    assert why in str(caught.value)


def test_an_engine_that_fails_makes_no_test(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = BuiltinEngine(policy)
    monkeypatch.setattr(engine, "_compile", lambda *_: 1 / 0)
    with pytest.raises(Unreplayable, match="the policy engine failed"):
        case_of(past((Stage.PROMPT,), {}), engine, policy.vocabulary)


# ---- whatever was recorded


def values(kind: Kind) -> st.SearchStrategy[Any]:
    if isinstance(kind, Score):
        return st.one_of(st.floats(0, 1), st.sampled_from([0, 1, 1e-7, 0.3, 0.7, 5e-324]), st.none())
    if isinstance(kind, Flag):
        return st.one_of(st.booleans(), st.none())
    if isinstance(kind, Choice):
        return st.one_of(st.sampled_from(kind.values), st.none())
    if isinstance(kind, Items):
        item = st.fixed_dictionaries({}, optional={name: values(field) for name, field in kind.fields.items()})
        return st.one_of(st.lists(item, max_size=3), st.none())
    printable = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=20)
    return st.one_of(st.sampled_from(["film", "no", "~", "3", "a: b", '"', "#"]), printable)


def recorded(specs: list[SignalSpec]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={spec.name: values(spec.kind) for spec in specs})


@CASES
@given(
    signals=recorded(list(CORE.signals.values())),
    asked=st.sets(st.sampled_from(list(Stage)), min_size=1).map(lambda s: tuple(sorted(s, key=lambda x: x.position))),
)
def test_a_test_made_of_any_record_passes(policy: Policy, signals: dict[str, Any], asked: tuple[Stage, ...]) -> None:
    due = {None, *asked}
    signals = {name: value for name, value in signals.items() if CORE[name].stage in due}
    passes(policy, case_of(past(asked, signals), BuiltinEngine(policy), policy.vocabulary))


# ---- a new policy


def test_a_new_policy_loads_on_its_parent_and_its_tests_pass(write: Callable[..., Path]) -> None:
    write(RULES, "base.yaml")
    loaded = load_policy(write(new_policy("acme", "acme.yaml", "base"), "acme.yaml"))
    assert [rule.id for rule in loaded.rules][-1] == "no-people-in-adverts"
    assert len(loaded.rules) == 6
    report = run_tests(loaded, BuiltinEngine(loaded))
    assert (len(report.passed), report.failed) == (2, ())
    assert "no-people-in-adverts" not in report.never_fired


def test_what_is_commented_out_in_it_is_yaml_too() -> None:
    text = new_policy("acme", "acme.yaml", "default").replace("# override:", "override:").replace("#   sug", "  sug")
    assert yaml.safe_load(text)["override"] == {"suggestive-request": {"then": "block"}}


@pytest.mark.parametrize("parent", ["default@1", "../shared/base.yaml", "no", "a: b", 'a"b'])
def test_whatever_it_extends_is_spelled_so_that_it_is_read_again(parent: str) -> None:
    assert yaml.safe_load(new_policy("acme", "acme.yaml", parent))["extends"] == [parent]
