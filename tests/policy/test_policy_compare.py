"""From one policy to another: what is called tighter or looser, and the step of the version that it asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guardrail.policy import Policy, load_policy
from guardrail.policy.compare import compare_policies

RULES = {
    "a": '{id: a, at: prompt, when: {prompt.sexual: ">= 0.5"}, then: block, message: m}',
    "b": "{id: b, at: output, when: always, then: {label: {watermark: invisible}}}",
}
MESSAGES = "{m: {en: No.}}"
Make = Callable[..., Policy]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(version: str = "1.2.3", messages: str = MESSAGES, more: str = "", **rules: str) -> Policy:
        path = tmp_path / f"p{len(list(tmp_path.iterdir()))}.yaml"
        lines = "".join(f"\n  - {rule}" for rule in {**RULES, **rules}.values() if rule)
        path.write_text(
            f"policy: {{id: p, version: {version}}}\nmessages: {messages}\n{more}\nrules:{lines}\n", encoding="utf-8"
        )
        return load_policy(path)

    return make


CHANGES = [
    ("nothing", {}, {"a": "same", "b": "same"}, "none"),
    ("a lower limit", {"a": RULES["a"].replace("0.5", "0.4")}, {"a": "tighter"}, "minor"),
    ("a higher limit", {"a": RULES["a"].replace("0.5", "0.6")}, {"a": "looser"}, "major"),
    ("shadow", {"a": RULES["a"].replace("at:", "mode: shadow, at:")}, {"a": "looser"}, "major"),
    ("gone", {"b": ""}, {"b": "gone"}, "major"),
    ("new", {"c": RULES["a"].replace("id: a", "id: c")}, {"c": "new"}, "minor"),
    ("severity", {"a": RULES["a"].replace("at:", "severity: high, at:")}, {"a": "text"}, "patch"),
    ("references", {"a": RULES["a"].replace("at:", "refs: law, at:")}, {"a": "text"}, "patch"),
    ("a message", {"messages": "{m: {en: Never.}}"}, {"a": "same"}, "patch"),
    (
        "a test",
        {"more": "tests: [{name: t, given: {stage: prompt, prompt.sexual: 0.9}, expect: {decision: block}}]"},
        {},
        "patch",
    ),
    ("locked", {"a": RULES["a"].replace("at:", "locked: true, at:")}, {"a": "tighter"}, "minor"),
    (
        "another action of one strictness",
        {"b": RULES["b"].replace("{label: {watermark: invisible}}", "{label: {likeness: true}}")},
        {"b": "changed"},
        "major",
    ),
]


@pytest.mark.parametrize(("name", "change", "relations", "bump"), CHANGES, ids=[c[0] for c in CHANGES])
def test_changes(name: str, change: dict[str, str], relations: dict[str, str], bump: str, make: Make) -> None:
    found = compare_policies(make(), make(**change))
    assert {c.rule: c.relation for c in found.changes if c.rule in relations} == relations
    assert found.required == bump
    assert found.tightens is (bump != "major")
    assert all(c.why for c in found.changes if c.relation in ("looser", "changed", "gone"))


@pytest.mark.parametrize(
    ("old", "new", "step"),
    [
        ("1.2.3", "1.2.3", "none"),
        ("1.2.3", "1.2.4", "patch"),
        ("1.2.3", "1.3.0", "minor"),
        ("1.2.3", "2.0.0", "major"),
        ("1.2.3", "1.10.0", "minor"),
        ("1.2.3-rc.1", "1.2.4+build", "patch"),
        ("2.0.0", "1.9.9", "none"),
        ("1.3.0", "1.2.9", "none"),
        ("1.2.3", "1.2.2", "none"),
    ],
)
def test_steps_between_versions(old: str, new: str, step: str, make: Make) -> None:
    assert compare_policies(make(version=old), make(version=new)).found == step


@pytest.mark.parametrize(
    ("new", "change", "ok"),
    [
        ("1.2.3", {}, True),
        ("1.2.3", {"b": ""}, False),
        ("1.3.0", {"b": ""}, False),
        ("2.0.0", {"b": ""}, True),
        ("2.0.0", {"messages": "{m: {en: Never.}}"}, True),
        ("1.2.2", {}, True),
        ("1.2.2", {"messages": "{m: {en: Never.}}"}, False),
    ],
)
def test_a_step_that_is_too_small_is_told(new: str, change: dict[str, str], ok: bool, make: Make) -> None:
    assert compare_policies(make(), make(version=new, **change)).version_ok is ok


def test_the_order_of_rules_is_no_change(make: Make) -> None:
    turned = make(a=RULES["b"], b=RULES["a"])
    assert {c.relation for c in compare_policies(make(), turned).changes} == {"same"}
