"""``video`` of a rule file: what can stand there, and what files on top can make of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrail.errors import PolicyError
from guardrail.policy import load_policy
from guardrail.policy.compare import compare_policies
from guardrail.policy.model import Policy, Video

RULES = "rules: [{id: r, at: prompt, when: always, then: block}]\n"


def load(
    tmp_path: Path, text: str, name: str = "p", head: str = "{id: p, version: 1.0.0}", rest: str = RULES
) -> Policy:
    path = tmp_path / f"{name}.yaml"
    path.write_text(f"policy: {head}\n{text}\n{rest}", "utf-8")
    return load_policy(path)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("", Video()),
        ("video: {}", Video()),
        ("video: {frames: all}", Video(1)),
        ("video: {frames: {every: 8}}", Video(8)),
        ("video: {smoothing: none}", Video(None, 0)),
        ("video: {frames: {every: 32}, smoothing: {over: 64}}", Video(32, 64)),
    ],
)
def test_what_can_be_said(text: str, means: Video, tmp_path: Path) -> None:
    assert load(tmp_path, text).video == means


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("video: all", "GP023"),
        ("video: {frame: all}", "GP020"),
        ("video: {frames: some}", "GP024"),
        ("video: {frames: 8}", "GP024"),
        ("video: {frames: [8]}", "GP023"),
        ("video: {frames: {}}", "GP022"),
        ("video: {frames: {every: 1}}", "GP034"),
        ("video: {frames: {every: 33}}", "GP034"),
        ("video: {frames: {every: 2.5}}", "GP034"),
        ("video: {frames: {every: 8, most: 4}}", "GP020"),
        ("video: {smoothing: {over: 1}}", "GP034"),
    ],
)
def test_what_cannot(text: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        load(tmp_path, text)
    assert {f.code for f in caught.value.findings} == {code}


@pytest.mark.parametrize(
    ("below", "above", "means"),
    [
        ("", "video: {frames: {every: 8}}", Video(8)),
        ("video: {frames: {every: 8}}", "", Video(8)),
        ("video: {frames: {every: 8}}", "video: {frames: {every: 4}}", Video(4)),
        ("video: {frames: {every: 8}}", "video: {frames: all}", Video(1)),
        ("video: {frames: all}", "video: {smoothing: {over: 5}}", Video(1, 5)),
        ("video: {frames: all}", "video: {frames: {every: 2}}", None),
        ("video: {frames: {every: 8}}", "video: {frames: {every: 9}}", None),
        ("video: {smoothing: {over: 9}}", "video: {smoothing: {over: 5}}", None),
    ],
)
@pytest.mark.parametrize("deployed", [False, True])
def test_files_on_top_watch_as_closely(
    below: str, above: str, means: Video | None, deployed: bool, tmp_path: Path
) -> None:
    load(tmp_path, below, "base", "{id: base, version: 1.0.0}")
    top = (
        {"head": "base@1", "rest": ""} if deployed else {"head": "{id: top, version: 1.0.0}", "rest": "extends: [base]"}
    )
    if means is None:
        with pytest.raises(PolicyError, match="GP090"):
            load(tmp_path, above, "top", **top)
    else:
        assert load(tmp_path, above, "top", **top).video == means


def test_a_pack_says_nothing_of_videos(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="GP089"):
        load(tmp_path, "video: {frames: all}", head="{id: p, version: 1.0.0, kind: pack}")


@pytest.mark.parametrize(
    ("old", "new", "relation"),
    [
        ("", "video: {frames: all}", None),
        ("", "video: {frames: {every: 8}}", "looser"),
        ("video: {frames: {every: 8}}", "", "tighter"),
        ("", "video: {smoothing: {over: 9}}", "tighter"),
        ("video: {smoothing: {over: 9}}", "video: {frames: {every: 2}}", "looser"),
        ("", "video: {frames: {every: 2}, smoothing: {over: 9}}", "changed"),
    ],
)
def test_a_comparison_says_it(old: str, new: str, relation: str | None, tmp_path: Path) -> None:
    diff = compare_policies(load(tmp_path, old, "old"), load(tmp_path, new, "new"))
    assert next((c.relation for c in diff.changes if c.rule == "video"), None) == relation
    assert diff.required == {None: "none", "tighter": "minor"}.get(relation, "major")
