"""Labels in rules: what may be written, how texts of several rules add up, what is stricter, what asks to be signed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from guardrail.decision import CORE_ACTIONS, ActionSpec
from guardrail.errors import PolicyError
from guardrail.media import ImageInput, Request, TextInput
from guardrail.policy import BuiltinEngine, Policy, load_policy
from guardrail.policy.compare import compare_policies
from guardrail.policy.jsonschema import json_schema
from guardrail.policy.merge import merge, texts_of
from guardrail.policy.reference import markdown
from guardrail.signals import Stage

HEAD = "policy: {id: p, version: 1.0.0}\n"
ACTION = Draft202012Validator({"$defs": json_schema()["$defs"], "$ref": "#/$defs/action"})


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Policy]:
    def load(then: str, *more: str, head: str = HEAD) -> Policy:
        rules = [f"{{id: r{i}, at: output, when: always, then: {t}}}" for i, t in enumerate((then, *more))]
        path = tmp_path / f"p{len(list(tmp_path.iterdir()))}.yaml"
        path.write_text(f"{head}rules: [{', '.join(rules)}]\n", "utf-8")
        return load_policy(path)

    return load


@pytest.mark.parametrize(
    "text",
    ["AI-generated", "AI生成", "AI 생성물", "تم إنشاؤها", "'می\u200cشود'", "cn", "2026", "true", "'" + "x" * 60 + "'"],
)
def test_any_line_of_up_to_60_characters_is_a_text(text: str, load: Callable[..., Policy]) -> None:
    (spec,) = load(f"{{label: {{visible: {text}, visible_at: top-left}}}}").rules[0].then
    assert spec.params["visible"] == text.strip("'")
    assert spec.params["visible_at"] == "top-left"
    value: Any = {"2026": 2026, "true": True}.get(text, text.strip("'"))
    assert ACTION.is_valid({"label": {"visible": value}})


@pytest.mark.parametrize(
    ("params", "code", "message", "value"),
    [
        (f"visible: {'x' * 61}", "GP052", "visible of label is longer than 60 characters", "x" * 61),
        ("visible: ''", "GP052", "visible of label is empty, or holds what is not printed", ""),
        ("visible: '  '", "GP052", "visible of label is empty, or holds what is not printed", "  "),
        (r'visible: "A\nB"', "GP052", "visible of label is empty, or holds what is not printed", "A\nB"),
        (r'visible: "A\u202EB"', "GP052", "visible of label is empty, or holds what is not printed", None),
        ("visible: [A, B]", "GP023", "", ["A", "B"]),
        ("visible: ", "GP023", "", None),
        ("visible_at: middle", "GP052", "visible_at of label cannot be 'middle'", None),
        ("visble: A", "GP051", "", None),
        ("signed: maybe", "GP037", "signed of label", None),
    ],
)
def test_what_is_no_line_is_refused(
    params: str, code: str, message: str, value: Any, load: Callable[..., Policy]
) -> None:
    with pytest.raises(PolicyError) as caught:
        load(f"{{label: {{{params}}}}}")
    (finding,) = caught.value.findings
    assert finding.code == code
    assert message in finding.message
    if value is not None:
        assert not ACTION.is_valid({"label": {"visible": value}})


def label(**params: str | bool) -> ActionSpec:
    return ActionSpec("label", params)


@pytest.mark.parametrize(
    ("specs", "merged"),
    [
        ([label(visible="B"), label(visible="A")], label(visible="A · B")),
        ([label(visible="B"), label(visible="A"), label(visible="B")], label(visible="A · B")),
        ([label(visible="B · A"), label(visible="C")], label(visible="A · B · C")),
        ([label(visible="B · A"), label(visible="B · A")], label(visible="B · A")),
        ([label(visible="AI生成"), label(watermark="invisible")], label(watermark="invisible", visible="AI生成")),
        ([label(signed=False), label(visible="A"), label(signed=True)], label(visible="A", signed=True)),
        ([label(visible="A", visible_at="top"), label(visible_at="bottom-left")],
         label(visible="A", visible_at="top")),
    ],
)  # fmt: skip
def test_all_texts_are_kept_whatever_the_order_of_the_rules(specs: list[ActionSpec], merged: ActionSpec) -> None:
    for order in permutations(specs):
        assert list(merge(order, CORE_ACTIONS)) == [merged]
        # Merging in two steps is merging at once.
        (first,) = merge(order[:2], CORE_ACTIONS)
        assert list(merge([first, *order[2:]], CORE_ACTIONS)) == [merged]
        assert list(merge([merged, *order], CORE_ACTIONS)) == [merged]


def test_the_texts_of_a_joined_one() -> None:
    assert texts_of("A · B ·  · A") == {"A", "B"}


def test_the_verdict_has_the_texts_of_all_rules(load: Callable[..., Policy]) -> None:
    policy = load("{label: {visible: ours}}", "{label: {visible: AI生成}}", "{label: {watermark: invisible}}")
    (spec,) = BuiltinEngine(policy).evaluate({}, stage=Stage.OUTPUT, due=frozenset({Stage.OUTPUT})).specs
    assert spec.params["visible"] == "AI生成 · ours"
    assert spec.params["watermark"] == "invisible"
    assert "visible_at" not in spec.params


@pytest.mark.parametrize(
    ("old", "new", "relation"),
    [
        ("{visible: A}", "{visible: A · B}", "tighter"),
        ("{likeness: true}", "{likeness: true, visible: A}", "tighter"),
        ("{visible: A}", "{visible: B}", "changed"),
        ("{visible: A · B}", "{visible: A}", "changed"),
        ("{visible: A}", "{likeness: true}", "changed"),
        ("{visible: A, visible_at: top}", "{visible: A, visible_at: bottom}", "changed"),
        ("{visible: A}", "{visible: A, signed: true}", "tighter"),
        ("{visible: A, signed: true}", "{visible: A, signed: false}", "changed"),
    ],
)
def test_more_text_is_tighter_and_other_text_is_not(
    old: str, new: str, relation: str, load: Callable[..., Policy]
) -> None:
    found = compare_policies(load(f"{{label: {old}}}"), load(f"{{label: {new}}}"))
    assert [c.relation for c in found.changes] == [relation]


@pytest.mark.parametrize(
    ("then", "code"),
    [
        ("visible: AI生成 · shop, signed: true", ""),
        ("visible: shop, signed: true", "GP086"),
        ("visible: AI生成", "GP086"),
    ],
)
def test_a_locked_label_can_be_added_to_and_not_replaced(then: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        f"{HEAD}rules:\n  - {{id: r, locked: true, at: output, when: always, "
        "then: {label: {visible: AI生成, signed: true}}}\n",
        "utf-8",
    )
    child = tmp_path / "child.yaml"
    child.write_text(
        f"policy: {{id: c, version: 1.0.0}}\nextends: [base]\noverride: {{r: {{then: {{label: {{{then}}}}}}}}}\n",
        "utf-8",
    )
    if not code:
        assert load_policy(child).rule("r").then[0].params["visible"] == "AI生成 · shop"
        return
    with pytest.raises(PolicyError) as caught:
        load_policy(child)
    assert caught.value.findings[0].code in (code, "GP087")


def test_the_tables_for_people_say_what_may_be_written() -> None:
    assert "`visible`: a text of 1..60 printable characters, optional" in markdown()
    assert "`signed`: true or false, optional (files must carry Content Credentials" in markdown()


def test_the_rules_that_ask_for_signed_files_are_those_that_act(load: Callable[..., Policy]) -> None:
    rules = ("{label: {signed: true}}", "{label: {signed: false}}", "{label: {likeness: true}}")
    assert load(*rules).signing_rules == ("r0",)
    assert [ACTION.is_valid({"label": {"signed": value}}) for value in (True, "maybe")] == [True, False]
    assert load(*rules, head=f"{HEAD}mode: shadow\n").signing_rules == ()


RULES = """
rules:
  - {id: words, at: prompt, when: always, then: {label: {visible: words, visible_at: top}}}
  - {id: image, at: reference, when: always, then: {label: {visible: image, visible_at: bottom}}}
"""


def test_in_the_guard_the_texts_of_all_stages_add_up(make_guard: Any) -> None:
    session = make_guard(RULES).session()
    picture = ImageInput((np.zeros((64, 64, 3), np.uint8),))
    session.open([Request((TextInput("a castle"),), (picture,))])
    session.judge_inputs()
    (item,) = session.items
    assert item.labels == {"visible": "image · words", "visible_at": "top"}
