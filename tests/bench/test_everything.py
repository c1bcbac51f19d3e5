"""``guardrail bench all``."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrail.bench.everything import Suite, carry_out_all, suites_of
from guardrail.bench.files import DataError
from tests.cli.said import running


def test_suites_run_once_and_what_cannot_run_is_named(tmp_path: Path) -> None:
    suites = [
        Suite("policy", ("policy", "art", "--draws", "5", "--calls", "2")),
        Suite("broken", ("policy", "no-such-policy")),
        Suite("images", ("images",), "no pictures: --images FOLDER"),
    ]
    told: list[str] = []
    run = carry_out_all(suites, tmp_path, "guardrail bench all", told.append)
    assert told == ["policy", "broken"]
    assert run.not_run["images"] == "no pictures: --images FOLDER"
    assert run.not_run["broken"].startswith("exit code 2: ")
    keys = {m.key for m in run.measures}
    assert "never_allowed_rate[policy=art, risk=minor_sexual, suite=policy]" in keys
    told.clear()
    again = carry_out_all(suites[:1], tmp_path, "guardrail bench all", told.append)
    assert told == []
    assert again.measures == run.measures
    with pytest.raises(DataError, match="no suite came to an end: images: no pictures"):
        carry_out_all(suites[2:], tmp_path, "", told.append)


def test_an_unknown_suite_is_refused_and_missing_data_leave_suites_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = running(capsys)("bench", "all", "--only", "promts", "--out", tmp_path)
    assert said.code == 2
    assert "there are policy, prompts" in said.err
    bare = suites_of(prompts=(), images=(), train=(), policy="default", workers=2, quick=True)
    assert {s.name for s in bare if s.lacking} == {"prompts", "adaptive", "peers-text", "images"}


@pytest.mark.nightly
def test_every_suite_runs_with_the_words_that_it_is_given(tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    rows = [
        f'{{"text": "a naked body {i}", "label": "nudity"}}\n{{"text": "a boat {i}", "label": "benign"}}'
        for i in range(4)
    ]
    data.write_text("\n".join(rows) + "\n", "utf-8")
    suites = suites_of(prompts=[str(data)], images=(), train=(), policy="default", workers=1, quick=True)
    run = carry_out_all(suites, tmp_path / "out", "guardrail bench all --quick", lambda name: None)
    assert set(run.not_run) == {"images"}
