"""``guardrail policy diff``: what an author reads, and what a build goes by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardrail.cli import main


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*line: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            main(["policy", "diff", *line])
        said = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, said.out + said.err

    return run


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    for name, version, limit in (("old", "1.0.0", "0.5"), ("new", "1.1.0", "0.6")):
        (tmp_path / f"{name}.yaml").write_text(
            f"policy: {{id: p, version: {version}}}\n"
            f'rules: [{{id: words, at: prompt, when: {{prompt.sexual: ">= {limit}"}}, then: block}}]\n'
        )
    return str(tmp_path / "old.yaml"), str(tmp_path / "new.yaml")


def test_a_looser_rule_needs_a_major_step_and_an_example_says_why(run: Any, files: tuple[str, str]) -> None:
    code, said = run(*files)
    assert code == 1
    assert "words  looser" in said
    assert "prompt.sexual 0.5" in said
    assert "a major step of the version is needed: 2.0.0" in said


def test_the_other_way_round_it_is_tighter(run: Any, files: tuple[str, str]) -> None:
    code, said = run(files[1], files[0])
    assert "words  tighter: proven" in said
    assert code == 1  # from 1.1.0 back to 1.0.0 is no step forward


def test_json(run: Any, files: tuple[str, str]) -> None:
    code, said = run(*files, "--json")
    told = json.loads(said)
    assert (code, told["required"], told["found"], told["version_ok"], told["log"]) == (
        1,
        "major",
        "minor",
        False,
        None,
    )
    assert told["changes"] == [
        {
            "rule": "words",
            "relation": "looser",
            "why": ["its condition does not hold in this case, and did: prompt.sexual 0.5"],
        }
    ]


def test_a_record_says_how_many_decisions_come_out_otherwise(
    run: Any, files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardrail import Guard
    from guardrail.checks.base import SignalValues
    from guardrail.checks.text.sexual import SexualTextCheck

    scores = {"one": 0.55, "two": 0.9, "three": 0.1}
    monkeypatch.setattr(
        SexualTextCheck,
        "check",
        lambda self, batch, stage: [
            SignalValues({"prompt.sexual": scores[r.texts[0].text], "prompt.sexual_exempted": 0.0}) for r in batch
        ],
    )
    log = tmp_path / "audit.sqlite"
    with Guard(files[0], audit=log, gallery=None) as guard:
        for prompt in scores:
            guard.check_prompt(prompt)
    _, said = run(*files, "--log", str(log))
    assert "1 of 3 recorded decisions come out otherwise" in said
    _, said = run(*files, "--log", str(log), "--json")
    assert json.loads(said)["log"]["replayed"] == 3


@pytest.mark.parametrize("line", [("default", "nosuch"), ("default",), ("default", "default", "--log", "nowhere.db")])
def test_usage(run: Any, line: tuple[str, ...]) -> None:
    assert run(*line)[0] == 2
