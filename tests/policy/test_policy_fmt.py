"""Formatting: one form, the same meaning, every comment still beside what it was about."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import policy_worlds as w
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.errors import ConfigurationError, PolicyError
from guardrail.policy import load_policy
from guardrail.policy.fmt import format_text
from guardrail.policy.rewrite import _meaning, format_file

ROOT = Path(__file__).resolve().parents[2]
HEAD = "policy: {id: my, version: 1.0.0}\n"

FORMS = {
    "keys of a rule": (
        "rules:\n  - when: always\n    id: r\n    then: block\n    at: prompt\n",
        "rules:\n  - id: r\n    at: prompt\n    when: always\n    then: block\n",
    ),
    "keys in brackets": (
        "rules: [{then: block, id: r , when: always,\n  at: [prompt, output]}]\n",
        "rules: [{id: r, at: [prompt, output] , when: always,\n  then: block}]\n",
    ),
    "comparisons": (
        "rules:\n  - {id: r, at: prompt, when: {prompt.sexual: '>=0.5', prompt.minor: <  0.2}, then: block}\n",
        'rules:\n  - {id: r, at: prompt, when: {prompt.sexual: ">= 0.5", prompt.minor: "< 0.2"}, then: block}\n',
    ),
    "comparisons deep inside": (
        "rules: [{id: r, at: output, when: {not: {any: [{output.faces: {none: {match: '>0.5'}}}]}}, then: block}]\n",
        'rules: [{id: r, at: output, when: {not: {any: [{output.faces: {none: {match: "> 0.5"}}}]}}, then: block}]\n',
    ),
    "words that look like comparisons": (
        "rules: [{id: r, at: prompt, when: {context.purpose: '>  x'}, then: block, message: '> m'}]\nmessages: {}\n",
        "rules: [{id: r, at: prompt, when: {context.purpose: '>  x'}, then: block, message: '> m'}]\nmessages: {}\n",
    ),
    "comments go with their key": (
        "rules:\n  # the rule\n  - when: always  # each time\n    # its name\n    id: r\n    # what\n    then: block\n"
        "    at: prompt\n    # the end\n",
        "rules:\n  # the rule\n  # its name\n  - id: r\n    at: prompt\n    when: always  # each time\n    # what\n"
        "    then: block\n    # the end\n",
    ),
    "comments inside a condition stay in it": (
        'rules:\n  - when:\n      any:\n        - prompt.sexual: ">= 0.5"\n        # - prompt.minor: ">= 0.5"\n'
        "    # who\n    id: r\n    at: prompt\n    then: block\n",
        'rules:\n  # who\n  - id: r\n    at: prompt\n    when:\n      any:\n        - prompt.sexual: ">= 0.5"\n'
        '        # - prompt.minor: ">= 0.5"\n    then: block\n',
    ),
    "sections, with the head of the file left alone": (
        "# Licence\n\n# rules first\nrules: []\n\n# levels\nthresholds: {}\n\npolicy: {version: 1.0.0, id: b}\n",
        "# Licence\n\npolicy: {id: b, version: 1.0.0}\n\n# levels\nthresholds: {}\n\n# rules first\nrules: []\n",
    ),
    "a head that is all there is": (
        "# Licence\nrules: []\npolicy: {id: a, version: 1.0.0}\n",
        "# Licence\npolicy: {id: a, version: 1.0.0}\nrules: []\n",
    ),
    "texts of several lines": (
        "messages:\n  m:\n    en: |\n      # no comment\n      two\n\nmode: shadow\n",
        "mode: shadow\n\nmessages:\n  m:\n    en: |\n      # no comment\n      two\n",
    ),
    "tests": (
        "tests:\n  - expect: {decision: block}\n    # why\n    given: {stage: prompt}\n    name: n\n",
        "tests:\n  - name: n\n    # why\n    given: {stage: prompt}\n    expect: {decision: block}\n",
    ),
    "overrides": (
        "override:\n  r:\n    then: block\n    when: {prompt.sexual: '>0.5'}\n    mode: enforce\n",
        'override:\n  r:\n    mode: enforce\n    when: {prompt.sexual: "> 0.5"}\n    then: block\n',
    ),
    "a deployment": ("mode: shadow\nnames: [a]\npolicy: acme@0.3\n", "policy: acme@0.3\nmode: shadow\nnames: [a]\n"),
    "a comment between brackets keeps its place": (
        "rules:\n  - {then: block, # stop\n     id: r, at: prompt, when: always}\n",
        "rules:\n  - {then: block, # stop\n     id: r, at: prompt, when: always}\n",
    ),
    "the last line": ("policy: {id: a, version: 1.0.0}\nrules: []", "policy: {id: a, version: 1.0.0}\nrules: []\n"),
}


@pytest.mark.parametrize("name", FORMS)
def test_form(name: str) -> None:
    before, after = FORMS[name]
    assert format_text(before) == after
    assert format_text(after) == after


def test_line_ends_and_the_byte_order_mark_stay() -> None:
    before, after = FORMS["keys of a rule"]
    crlf = "\ufeff" + before.replace("\n", "\r\n")
    assert format_text(crlf) == "\ufeff" + after.replace("\n", "\r\n")


@pytest.mark.parametrize("path", sorted((ROOT / "policies").glob("*.yaml")), ids=lambda p: p.name)
def test_shipped_files_are_in_form(path: Path) -> None:
    assert format_text(path.read_text("utf-8")) == path.read_text("utf-8")


# ---- properties


def shuffled(value: Any, rnd: random.Random, *, rule: bool = False) -> Any:
    """The keys of the file, its head, its rules and tests in any order, and comparisons in any spelling."""
    if isinstance(value, dict):
        keys = list(value)
        rnd.shuffle(keys)
        return {key: shuffled(value[key], rnd) for key in keys}
    if isinstance(value, list):
        return [shuffled(item, rnd) for item in value]
    if isinstance(value, str) and value[:1] in "<>":
        return value.replace(" ", rnd.choice(["", " ", "  "]))
    return value


def commented(text: str, rnd: random.Random) -> str:
    """With a comment above or behind some lines."""
    lines = []
    for number, line in enumerate(text.splitlines()):
        indent = line[: len(line) - len(line.lstrip(" "))]
        if number == 0 or rnd.random() < 0.2:
            lines.append(f"{indent}# above {number}:")
        if rnd.random() < 0.1:
            lines.append("")
        lines.append(f"{line}  # behind {number}" if rnd.random() < 0.2 else line)
    return "\n".join(lines) + "\n"


def neighbours(text: str) -> dict[str, str]:
    """Each comment above a key with the key; those above a dash belong to the whole item."""
    found, waiting = {}, []
    for line in text.splitlines():
        if line.strip().startswith("#"):
            waiting.append(line.strip())
        elif line.strip():
            key = line.lstrip(" -").partition(":")[0]
            found |= dict.fromkeys(waiting, "an item" if line.lstrip().startswith("-") else key)
            waiting = []
    return found


# Each case loads the file four times.
@settings(w.CASES, max_examples=3_000 if w.NIGHTLY else 80)
@given(w.policies(), st.randoms(use_true_random=False), st.booleans())
def test_formatting_keeps_meaning_and_comments_and_is_done_once(
    tmp_path_factory: pytest.TempPathFactory, policy: dict[str, Any], rnd: random.Random, flow: bool
) -> None:
    text = w.as_yaml(shuffled(policy, rnd), flow=flow)
    text = text if flow else commented(text, rnd)
    path = tmp_path_factory.getbasetemp() / "fmt.yaml"
    path.write_text(text, encoding="utf-8")
    before = load_policy(path)
    made = format_file(path)
    assert path.read_text("utf-8") == made.after
    assert _meaning(load_policy(path)) == _meaning(before)
    assert not format_file(path).changed
    assert list(_keys(made.after, flow)) == sorted(
        _keys(made.after, flow), key=["policy", "mode", "on_missing", "thresholds", "rules"].index
    )
    if not flow:
        assert sorted(_comments(text)) == sorted(_comments(made.after))
        old, new = neighbours(text), neighbours(made.after)
        del old["# above 0:"], new["# above 0:"]  # the head of the file
        first_of_rule = {comment for comment, key in new.items() if key == "an item"}
        assert {c: k for c, k in old.items() if c not in first_of_rule} == {
            c: k for c, k in new.items() if c not in first_of_rule
        }
        # Above the dash stand comments of the item, and of what came to stand behind the dash.
        assert {old[c] for c in first_of_rule} <= {"an item", "id"}


def _comments(text: str) -> list[str]:
    return [line[line.index("#") :] for line in text.splitlines() if "#" in line]


def _keys(text: str, flow: bool) -> list[str]:
    indent = ' "' if flow else ""
    lines = (
        line for line in text.splitlines() if line.startswith(indent) and line[len(indent) : len(indent) + 1].isalpha()
    )
    return [line.strip(' "').partition(":")[0].rstrip('"') for line in lines]


# ---- files


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    path = tmp_path / "messy.yaml"
    path.write_text("rules: [{at: prompt, id: r, when: always, then: label}]\n" + HEAD)
    return path


def test_a_file_is_rewritten_in_place_with_its_mode(messy: Path) -> None:
    messy.chmod(0o640)
    assert format_file(messy, write=False).changed
    assert messy.read_text().startswith("rules")
    assert format_file(messy).changed
    assert messy.read_text() == HEAD + "rules: [{id: r, at: prompt, when: always, then: label}]\n"
    assert messy.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in messy.parent.glob("*.yaml")] == ["messy.yaml"]


def test_a_link_stays_a_link(messy: Path) -> None:
    link = messy.with_name("link.yaml")
    link.symlink_to(messy)
    assert format_file(link).changed
    assert link.is_symlink()
    assert messy.read_text().startswith("policy")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda text: text.replace("label", "block"),
        lambda text: text.replace("at: prompt", "at: output"),
        lambda text: text + "mode: shadow\n",
        lambda text: text + "]",
    ],
)
def test_what_would_change_the_meaning_is_never_written(
    messy: Path, monkeypatch: pytest.MonkeyPatch, wrong: Callable[[str], str]
) -> None:
    before = messy.read_text()
    monkeypatch.setattr("guardrail.policy.fmt.format_text", lambda text, vocabulary: wrong(text))
    for write in (True, False):
        with pytest.raises(ConfigurationError, match="left as it is"):
            format_file(messy, write=write)
    assert messy.read_text() == before
    assert [p.name for p in messy.parent.iterdir() if p.suffix == ".yaml"] == ["messy.yaml"]


def test_the_loaded_policies_are_compared_too(messy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last line of defence: what the tree of the file does not show."""
    loads = iter([load_policy(messy), load_policy(ROOT / "policies" / "default.yaml")])
    monkeypatch.setattr("guardrail.policy.rewrite.load_policy", lambda path, **_: next(loads))
    with pytest.raises(ConfigurationError, match="left as it is"):
        format_file(messy)
    assert messy.read_text().startswith("rules")


def test_what_does_not_load_is_to_be_mended_first(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    for text in (HEAD + "rules: [{id: r}]\n", "tests: [\n", "colour: red\n", ""):
        path.write_text(text)
        with pytest.raises(PolicyError):
            format_file(path)
        assert path.read_text() == text


def test_test_files_and_deployments_are_formatted(tmp_path: Path) -> None:
    base, deployed, tests = tmp_path / "base.yaml", tmp_path / "staging.yaml", tmp_path / "base.test.yaml"
    base.write_text(HEAD + "rules: [{id: r, at: prompt, when: always, then: label}]\n")
    deployed.write_text("mode: shadow\npolicy: base\n")
    tests.write_text("tests:\n  - expect: {decision: allow}\n    name: n\n    given: {stage: prompt}\n")
    assert format_file(deployed).after == "policy: base\nmode: shadow\n"
    assert (
        format_file(tests).after == "tests:\n  - name: n\n    given: {stage: prompt}\n    expect: {decision: allow}\n"
    )
