"""Every code: a broken file in golden/, the exact text that an author reads, and a line in docs/policy-codes.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from guardrail.decision import CORE_ACTIONS
from guardrail.errors import PolicyError
from guardrail.policy import lint_file, load_policy
from guardrail.signals import CORE, Vocabulary

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(p.stem for p in GOLDEN.glob("*.txt"))

# Pinned, so that a signal or an action that is added to the core does not change what `known: …` lists.
VOCABULARY = Vocabulary(
    {
        name: CORE[name]
        for name in (
            "prompt.sexual",
            "prompt.minor",
            "prompt.persons",
            "reference.faces",
            "reference.nudity",
            "output.nudity",
        )
    }
)
ACTIONS = {name: CORE_ACTIONS[name] for name in ("block", "guide", "regenerate", "blur", "label", "report")}

# Too large to keep: made when they are needed.
MADE = {"GP003-large": b"#" * 1_000_001, "GP009-entries": b"[" + b"a," * 60_000 + b"]"}


@pytest.fixture(params=["C", "Python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers that PyYAML may have: the same findings at the same places."""
    if request.param == "Python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("name", NAMES)
def test_golden(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in MADE:
        (tmp_path / f"{name}.yaml").write_bytes(MADE[name])
    monkeypatch.chdir(tmp_path if name in MADE else GOLDEN)
    findings = lint_file(f"{name}.yaml", vocabulary=VOCABULARY, actions=ACTIONS)
    assert "".join(f"{f}\n" for f in findings) == (GOLDEN / f"{name}.txt").read_text("utf-8")
    assert {f.code for f in findings} == {name.partition("-")[0]}
    warns = name.startswith("GP1")
    assert {f.warning for f in findings} == {warns}
    if warns:
        load_policy(f"{name}.yaml", vocabulary=VOCABULARY, actions=ACTIONS)
    else:
        with pytest.raises(PolicyError) as caught:
            load_policy(f"{name}.yaml", vocabulary=VOCABULARY, actions=ACTIONS)
        assert [str(f) for f in caught.value.findings] == [str(f) for f in findings]


def test_no_golden_file_is_left_over() -> None:
    assert {p.stem for p in GOLDEN.glob("*.yaml")} == set(NAMES) - set(MADE) - {"GP011-absent"}


def test_every_code_has_a_golden_file_and_a_line_in_the_table() -> None:
    sources = (p.read_text("utf-8") for p in (ROOT / "guardrail" / "policy").glob("*.py"))
    used = {code for text in sources for code in re.findall(r'"(GP[0-9]+)"', text)}
    table = re.findall(r"^\| (GP[0-9]+) \|", (ROOT / "docs" / "policy-codes.md").read_text("utf-8"), re.MULTILINE)
    assert len(used) > 40
    assert used == {name.partition("-")[0] for name in NAMES}
    assert sorted(used) == table


def test_findings_show_the_line_of_the_author() -> None:
    (finding,) = lint_file(GOLDEN / "GP055-allow.yaml")
    assert finding.source == "then: allow"
    (warning,) = lint_file(GOLDEN / "GP108-shadow.yaml")
    assert warning.source == "- id: first"


def test_lint_reports_a_broken_test_file_with_the_warnings(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("policy: {id: my, version: 1.0.0}\nrules: [{id: r, at: prompt, when: always, then: block}]\n")
    (tmp_path / "my.test.yaml").write_text("test: []\n")
    found = [(f.code, f.warning, Path(f.path).name) for f in lint_file(path)]
    assert found == [("GP101", True, "my.yaml"), ("GP020", False, "my.test.yaml"), ("GP022", False, "my.test.yaml")]


@pytest.mark.parametrize(
    ("when", "at", "waits"),
    [
        ('not: {reference.nudity: ">= 0.5"}', "[reference, output]", True),
        ('reference.nudity: "< 0.5"', "[reference, output]", True),
        ("reference.faces: {none: {consent: no}}", "output", True),
        ("reference.faces: {all: {consent: yes}}", "output", True),
        ("not: {step.nudity: '>= 0.5'}", "output", True),
        ("not: {not: {reference.nudity: '>= 0.5'}}", "output", False),
        ("not: {reference.faces: {all: {consent: yes}}}", "output", False),
        ("not: {reference.nudity: '>= 0.5'}", "reference", False),
        ("reference.faces: {any: {consent: no}}", "[reference, output]", False),
        ('not: {prompt.sexual: ">= 0.5"}', "output", False),
    ],
)
def test_lint_warns_of_a_rule_that_waits_for_what_may_never_come(
    tmp_path: Path, when: str, at: str, waits: bool
) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(
        f"policy: {{id: my, version: 1.0.0}}\nrules: [{{id: r, at: {at}, when: {{{when}}}, then: block}}]\n"
    )
    assert ("GP106" in {f.code for f in lint_file(path)}) is waits
