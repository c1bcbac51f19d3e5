"""The JSON Schema for editors says what the loader says, as far as a schema can; and the tables for people."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import policy_worlds as w
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from guardrail.decision import CORE_ACTIONS, Action, ActionKind, Param
from guardrail.policy import schema as tables
from guardrail.policy.compose import compose
from guardrail.policy.findings import Findings
from guardrail.policy.jsonschema import json_schema
from guardrail.policy.nodes import Map, Node, Scalar, Seq
from guardrail.policy.reference import markdown
from guardrail.signals import CORE, Flag, Score, SignalSpec, Stage

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden"
SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def as_editor(node: Node | None) -> Any:
    """As an editor reads it: by the core schema of YAML 1.2, in which `no` is a word and 1.0 a number."""
    if isinstance(node, Map):
        return {key.text: as_editor(value) for key, value in node.entries}
    if isinstance(node, Seq):
        return [as_editor(item) for item in node.items]
    assert isinstance(node, Scalar)
    text = node.text
    if node.is_null:
        return None
    if node.plain and text in ("true", "false"):
        return text == "true"
    if node.plain and re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    return float(text) if node.plain and re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)", text) else text


def read(text: str) -> Any:
    findings = Findings("x")
    root = compose(text.encode(), findings)
    findings.refuse()
    return as_editor(root)


def faults(text: str) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(read(text))]


def test_it_is_a_schema_and_describes_every_signal_and_action() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    signals = SCHEMA["$defs"]["condition"]["properties"]
    for spec in CORE.signals.values():
        assert signals[spec.name]["description"] == spec.doc
        assert SCHEMA["$defs"]["given"]["properties"][spec.name]["description"] == spec.doc
    acting = SCHEMA["$defs"]["action"]["anyOf"][1]["properties"]
    assert {name: body["description"] for name, body in acting.items()} == {
        k.name: k.doc for k in CORE_ACTIONS.values()
    }


def test_every_key_of_the_grammar_is_in_it() -> None:
    of = {"FILE": "policy", "TEST_FILE": "tests-beside", "DEPLOYMENT": "deployment", "RULE": "rule",
          "OVERRIDE": "override", "CASE": "test", "EXPECT": "expect"}  # fmt: skip
    video = SCHEMA["$defs"]["policy"]["properties"]["video"]
    within = {"HEAD": SCHEMA["$defs"]["policy"]["properties"]["policy"],
              "WORDS": SCHEMA["$defs"]["deployment"]["properties"]["words"],
              "VIDEO": video,
              "EVERY": video["properties"]["frames"]["anyOf"][1],
              "OVER": video["properties"]["smoothing"]["anyOf"][1]}  # fmt: skip
    found = {name: keys for name, keys in vars(tables).items() if isinstance(keys, tables.Keys)}
    # A table that is added to the grammar has to be added to the schema.
    assert set(found) == set(of) | set(within)
    for name, keys in found.items():
        part = within.get(name) or SCHEMA["$defs"][of[name]]
        assert set(part["properties"]) == set(keys.allowed)
        assert set(part["required"]) == set(keys.required)


def test_a_key_that_the_schema_does_not_know_is_not_left_out_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "RULE", tables.RULE._replace(allowed=(*tables.RULE.allowed, "colour")))
    with pytest.raises(KeyError, match="colour"):
        json_schema()


# Those in engines/ are in other languages than that of rule files.
SHIPPED = [path for path in sorted((ROOT / "policies").rglob("*.yaml")) if "engines" not in path.parts]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name)
def test_shipped_files_are_valid(path: Path) -> None:
    assert faults(path.read_text("utf-8")) == []


@pytest.mark.parametrize("page", ["README.md", "policies/README.md"])
def test_examples_of_the_pages_are_valid(page: str) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    whole = [block for block in blocks if block.lstrip().startswith("policy:")]
    assert whole
    for block in whole:
        assert faults(block) == []


@settings(w.CASES, max_examples=3_000 if w.NIGHTLY else 80)
@given(w.policies(), st.booleans())
def test_whatever_loads_is_valid(policy: dict[str, Any], flow: bool) -> None:
    assert faults(w.as_yaml(policy, flow=flow)) == []


# What only reading everything can tell: other files, ids, names of thresholds, messages and rules, stages, versions.
BEYOND = {"GP021", "GP027", "GP032", "GP040", "GP054", "GP063", "GP070", "GP075", "GP090"}
BEYOND |= {f"GP08{n}" for n in range(9)}
# What is no YAML that could be compared with a schema.
UNREADABLE = {f"GP00{n}" for n in range(1, 10)} | {"GP010", "GP011"}


READABLE = [p for p in sorted(GOLDEN.glob("*.yaml")) if p.stem[:5] not in UNREADABLE and p.stem != "GP022-empty"]


@pytest.mark.parametrize("path", READABLE, ids=lambda p: p.stem)
def test_broken_files_are_invalid_where_a_schema_can_know(path: Path) -> None:
    code = path.stem.partition("-")[0]
    beyond = code in BEYOND or code.startswith("GP1")
    assert (faults(path.read_text("utf-8")) == []) == beyond


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("policy: acme@0.3\nmode: shadow\nthresholds: {nudity: {partial: 0.3}}", True),
        ("policy: acme\nrules: []", False),
        ("policy: {id: a, version: 1.0.0}\nextends: default\noverride: {r: {then: block}}", True),
        ("policy: {id: a, version: 1.0.0}\nextends: default\noverride: {r: {}}", False),
        ("policy: {id: a, version: 1.0.0}", False),
        ("policy: {id: a, version: 1.0.0, kind: pack}\nextends: default\nrules: []", False),
        ("tests: [{name: n, prompt: words, expect: {decision: block, actions: {block, report}}}]", True),
        ("tests: [{name: n, given: {stage: prompt}, prompt: words, expect: {decision: block}}]", False),
        ("tests: [{name: n, given: {stage: prompt, prompt.sexual: 1.5}, expect: {decision: block}}]", False),
        ("tests: [{name: n, given: {stage: prompt, reference.faces: null, missing: prompt.minor}, "
         "expect: {decision: block}}]", True),
    ],
)  # fmt: skip
def test_layers_deployments_and_tests(text: str, valid: bool) -> None:
    assert (faults(text) == []) == valid


def test_signals_and_actions_of_plugins_are_in_it() -> None:
    vocabulary = CORE.extended([SignalSpec("output.weapons", Stage.OUTPUT, Score("weapons"), "Weapons.")], by="plugin")
    frame = ActionKind("frame", Action.LABEL, frozenset(Stage), 70, "Put a frame.", (Param("wide", "flag", False),))
    validator = Draft202012Validator(json_schema(vocabulary, {**CORE_ACTIONS, "frame": frame}))
    rule = {"id": "r", "at": "output", "when": {"output.weapons": ">= some"}, "then": {"frame": {"wide": True}}}
    file = {"policy": {"id": "a", "version": "1.0.0"}, "thresholds": {"weapons": {"some": 0.5}}, "rules": [rule]}
    assert validator.is_valid(file)
    assert not VALIDATOR.is_valid(file)


# ---- for people


def test_the_tables_name_everything_once() -> None:
    lines = markdown().splitlines()
    for name in (*CORE, *CORE_ACTIONS):
        assert len([line for line in lines if line.startswith(f"| `{name}` |")]) == 1
    assert {line.count(" | ") for line in lines if line.startswith("| `") and "." in line.split("`")[1]} == {3}
    assert "| `prompt.sexual` | prompt | score 0..1, thresholds of `sexual` | How strongly" in markdown()
    assert "`max`: integer 1..8, default `2` (number of attempts)" in markdown()
    assert "`drop`: `persons`, `sexual`, required (which part goes)" in markdown()


def test_a_bar_does_not_end_a_cell() -> None:
    vocabulary = CORE.extended([SignalSpec("output.x", Stage.OUTPUT, Flag(), "One | two.")], by="plugin")
    assert "| `output.x` | output | true or false | One \\| two. |" in markdown(vocabulary)
