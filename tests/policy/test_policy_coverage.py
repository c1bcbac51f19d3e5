"""What the tests of a policy leave untried, with the place of each comparison."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import policy_worlds as w
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.policy import Policy, load_cases, load_policy
from guardrail.policy.coverage import Coverage, coverage
from guardrail.policy.places import leaf_places
from guardrail.policy.trace import leaves_of
from guardrail.signals import Items

PolicyOf = Callable[[str], Policy]

RULES = """
rules:
  - id: first
    at: [prompt, reference]
    when:
      all:
        - prompt.sexual: ">= 0.5"
        - any:
            - prompt.minor: ">= 0.5"
            - reference.faces: {any: {real: ">= 0.5", consent: no}}
    then: block
"""


def counted(policy_of: PolicyOf, tests: str) -> Coverage:
    policy = policy_of(RULES + ("tests:\n" + tests if tests else ""))
    return coverage(policy, load_cases(policy))


def gaps(found: Coverage) -> list[str]:
    return [line.partition(": ")[2] for line in str(found).splitlines() if ": first" in line]


def test_without_tests_everything_is_a_gap(policy_of: PolicyOf) -> None:
    found = counted(policy_of, "")
    assert (found.percent, found.tests, found.outcomes) == (0.0, 0, (0, 10))
    path = found.path
    assert str(found).splitlines()[:3] == [
        f"{path}:4:5: first never fires",
        f"{path}:8:11: first: prompt.sexual >= 0.5 is never true and never false",
        f"{path}:10:15: first: prompt.minor >= 0.5 is never true and never false",
    ]
    assert f"{path}:11:33: first: reference.faces any is never true and never false" in str(found)
    assert f"{path}:11:39: first: reference.faces.real >= 0.5 is never true and never false" in str(found)


def test_outcomes_add_up_over_tests(policy_of: PolicyOf) -> None:
    found = counted(
        policy_of,
        """
  - {name: fires, given: {stage: prompt, prompt.sexual: 0.9, prompt.minor: 0.9}, expect: {decision: block}}
  - {name: quiet, given: {stage: prompt}, expect: {decision: allow}}
  - {name: a face, given: {stage: reference, prompt.sexual: 0.9, reference.faces: [{real: 0.9, consent: no}]},
     expect: {decision: block}}
""",
    )
    assert gaps(found) == [
        "first: reference.faces any is never false",
        "first: reference.faces.real >= 0.5 is never false",
        "first: reference.faces.consent no is never false",
    ]
    assert (found.rules_fired, found.outcomes, found.percent) == (1, (7, 10), pytest.approx(100 * 8 / 11))


def test_each_outcome_of_an_item_counts(policy_of: PolicyOf) -> None:
    mixed = "[{real: 0.9, consent: yes}, {real: 0.1, consent: no}]"
    found = counted(
        policy_of,
        f"  - {{name: n, given: {{stage: reference, reference.faces: {mixed}}}, expect: {{decision: allow}}}}\n",
    )
    assert "first: reference.faces any is never true" in gaps(found)  # no single item passes both
    assert not [gap for gap in gaps(found) if "real" in gap or "consent" in gap]


def test_missing_counts_only_where_the_rule_hinges_on_it(policy_of: PolicyOf) -> None:
    tests = """
  - {name: settled, given: {stage: prompt, prompt.sexual: 0, prompt.minor: null}, expect: {decision: allow}}
  - {name: hinges, given: {stage: reference, prompt.sexual: 0.9, reference.faces: [{real: null, consent: no}]},
     expect: {decision: block, because: missing}}
"""
    (rule,) = counted(policy_of, tests).rules
    assert {leaf.text: leaf.missing for leaf in rule.leaves} == {
        "prompt.sexual >= 0.5": 0,
        "prompt.minor >= 0.5": 0,
        "reference.faces any": 1,
        "reference.faces.real >= 0.5": 1,
        "reference.faces.consent no": 0,
    }


def test_tests_that_prove_nothing_here_are_left_out(policy_of: PolicyOf) -> None:
    found = counted(
        policy_of,
        """
  - {name: raw, prompt: some words, expect: {decision: block}}
  - {name: later, todo: true, given: {stage: prompt, prompt.sexual: 0.9, prompt.minor: 0.9}, expect: {decision: block}}
""",
    )
    assert (found.tests, found.skipped, found.rules_fired) == (0, 2, 0)
    assert "are marked todo: 2" in str(found)


def test_a_stage_at_which_the_rule_cannot_act_shows_nothing(policy_of: PolicyOf) -> None:
    policy = policy_of(
        "rules: [{id: first, at: [prompt, output], when: {prompt.sexual: '>= 0.5'}, then: {blur: {target: faces}}}]\n"
        "tests: [{name: n, given: {stage: prompt, prompt.sexual: 1}, expect: {decision: allow}}]\n"
    )
    assert coverage(policy, load_cases(policy)).percent == 0.0


def test_a_rule_that_waits_has_not_fired(policy_of: PolicyOf) -> None:
    policy = policy_of(
        "rules: [{id: first, at: [prompt, output], when: {output.nudity: '>= 0.5'}, then: block}]\n"
        "tests: [{name: n, given: {stage: prompt}, expect: {decision: allow}}]\n"
    )
    found = coverage(policy, load_cases(policy))
    assert (found.rules_fired, found.outcomes) == (0, (0, 2))


def test_inherited_rules_can_be_left_to_the_tests_of_their_file(tmp_path: Path) -> None:
    head = "policy: {id: my, version: 1.0.0}\n"
    (tmp_path / "base.yaml").write_text(head + RULES + "  - {id: kept, at: prompt, when: always, then: label}\n")
    child = tmp_path / "child.yaml"
    child.write_text(head + "extends: base\noverride:\n  first:\n    severity: low\n")
    policy = load_policy(child)
    whole, own = coverage(policy, ()), coverage(policy, (), own=True)
    assert [r.rule.id for r in whole.rules] == ["first", "kept"]
    assert [r.rule.id for r in own.rules] == ["first"]
    # The condition stands in the other file: the place of the override has to do.
    assert {(leaf.line, leaf.column) for leaf in own.rules[0].leaves} == {(4, 3)}
    assert f"{tmp_path / 'base.yaml'}:13:5: kept never fires" in str(whole)
    child.write_text(head + "extends: base\noverride: {first: {when: {prompt.sexual: '>= 0.4'}}}\n")
    (rule,) = coverage(load_policy(child), (), own=True).rules
    assert [(leaf.line, leaf.column) for leaf in rule.leaves] == [(3, 27)]


def test_a_list_with_one_comparison_is_one_leaf(policy_of: PolicyOf) -> None:
    policy = policy_of(
        "rules: [{id: r, at: reference, when: {reference.faces: {any: {real: '>= 0.5'}}}, then: block}]\n"
    )
    ((rule),) = coverage(policy, ()).rules
    assert [leaf.text for leaf in rule.leaves] == ["reference.faces any"]


def test_less_than_everything_is_less_than_a_hundred(policy_of: PolicyOf) -> None:
    lines = "".join(f"  - {{id: r{i}, at: prompt, when: always, then: label}}\n" for i in range(1_000))
    given = "{stage: prompt}, expect: {decision: allow}"
    policy = policy_of(
        f"rules:\n{lines}  - {{id: last, at: output, when: always, then: label}}\n"
        f"tests: [{{name: n, given: {given}}}]\n"
    )
    found = coverage(policy, load_cases(policy))
    assert found.percent < 100
    assert ": 99.9 %" in str(found)


# ---- places


@settings(w.CASES, max_examples=3_000 if w.NIGHTLY else 80)
@given(w.policies(), st.booleans())
def test_every_leaf_is_found_where_its_name_stands(tmp_path_factory: Any, policy: dict[str, Any], flow: bool) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "places.yaml"
    path.write_text(w.as_yaml(policy, flow=flow), encoding="utf-8")
    loaded = load_policy(path)
    lines = path.read_text("utf-8").splitlines()
    places = leaf_places(loaded)
    for rule in loaded.rules:
        names = leaves_of(rule.when)
        assert len(names) == len(places[rule.id])
        for name, (line, column) in zip(names, places[rule.id], strict=True):
            quantified = isinstance(loaded.vocabulary[name.signal].kind, Items)
            word = name.field or (name.text.split()[1] if quantified else name.signal)
            assert lines[line - 1][column - 1 :].lstrip("\"'").startswith(word)


def test_a_file_that_changed_since_it_was_loaded_leaves_the_place_of_the_rule(policy_of: PolicyOf) -> None:
    policy = policy_of(RULES)
    Path(policy.path).write_text("rules: []\n")
    assert set(leaf_places(policy)["first"]) == {(4, 5)}
    Path(policy.path).unlink()
    assert set(leaf_places(policy)["first"]) == {(4, 5)}
