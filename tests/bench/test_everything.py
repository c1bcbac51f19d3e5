"""``guardrail bench all``."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guardrail.bench.everything import Suite, carry_out_all, failed, suites_of
from guardrail.bench.files import DataError
from guardrail.bench.gathering import gathered
from guardrail.bench.run.environment import source
from guardrail.bench.run.fingerprint import other_samples
from guardrail.bench.run.folder import write_run
from guardrail.bench.run.measures import by_key, of_rate
from guardrail.bench.run.record import Run, StoredRun
from guardrail.bench.statistics import Rate
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
    assert failed(run, suites)
    assert not failed(run, [suites[0], suites[2]])
    assert run.sheets[0].rows[0][3].startswith("never_allowed_rate[policy=art, risk=")
    assert run.sheets[0].rows[0][2] == "policy/report.html"
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


def test_suites_of_an_earlier_command_are_kept_or_named(tmp_path: Path) -> None:
    suites = [
        Suite("prompts", ("prompts", "--data", "x", "--pairs", "0")),
        Suite("images", ("images", "--data", "x")),
        Suite("marks", ("marks",)),
        Suite("adaptive", ("adaptive",)),
    ]
    noted = {"prompts": "prompts --pairs 0 --data x", "images": "images --data y", "marks": "marks"}
    for name, words in noted.items():
        (tmp_path / name).mkdir()
        command = f"guardrail bench {words} --out {shlex.quote(str(tmp_path / name))}"
        facts = {"command": command, "source": source()}
        write_run(Run(name, name, facts, (of_rate("block_rate", Rate(9, 40)),)), tmp_path / name)
    told: list[str] = []
    run = carry_out_all(suites, tmp_path, "", told.append, only=["marks"])
    assert told == []
    assert [m.key for m in run.measures] == ["block_rate[suite=prompts]", "block_rate[suite=marks]"]
    assert run.not_run == {"images": "there from an earlier command, not asked for now: images/report.html"}
    assert not failed(run, suites[2:3])
    # Of another program it would be told under the name of this one.
    path = tmp_path / "prompts" / "run.json"
    path.write_text(path.read_text("utf-8").replace(source(), "0" * 64), "utf-8")
    run = carry_out_all(suites, tmp_path, "", told.append, only=["marks"])
    assert set(run.not_run) == {"images", "prompts"}


def test_what_suites_know_is_united() -> None:
    def stored(**facts: Any) -> StoredRun:
        return StoredRun("x", facts, by_key([of_rate("block_rate", Rate(9, 40), "higher")]), {})

    check, policy = {"check": "a", "version": "1", "weights": {}}, {"id": "p", "sha256": "0", "rules": {}}
    file = {"name": "f", "sha256": "1"}
    done = {
        "prompts": stored(
            policy=policy,
            checks=[check],
            lists={"l": {"sha256": "2"}},
            data={"files": [file], "limit": 5, "columns": {}},
            not_run={"part": "why"},
        ),
        "images": stored(checks=[check, {**check, "check": "b"}], data={"files": [file, {"name": "g"}], "columns": {}}),
        "policy": stored(policies=[policy, {"id": "q", "sha256": "3"}], data={"limit": 7}),
        "pipelines": stored(policy={"id": "p"}, timing={"targets": [{"met": True}, {"met": False}]}, not_run={}),
    }
    run = gathered(done, {"marks": "none"}, "guardrail bench all")
    assert run.not_run == {"marks": "none", "prompts: part": "why"}
    assert run.facts["policy"] == policy
    assert [c["check"] for c in run.facts["checks"]] == ["a", "b"]
    assert run.facts["lists"] == {"l": {"sha256": "2"}}
    assert run.facts["data"] == {
        "files": [file, {"name": "g"}],
        "limit": {"prompts": 5, "policy": 7},
        "columns": {},
    }
    # A suite that was given fewer rows is of other samples, though the files are the same.
    fewer = gathered({**done, "prompts": replace(done["prompts"], run={**done["prompts"].run, "limit": 4})}, {}, "")
    assert list(other_samples(run.facts, fewer.facts)) == ["the data are others: prompts"]
    telling = {row[0]: row[3] for row in run.sheets[0].rows}
    assert telling["prompts"] == "block_rate 22.50 % of 40"
    assert telling["pipelines"] == "targets met: 1 of 2"


def test_words_about_prompts_reach_the_suites_that_read_them() -> None:
    words: dict[str, Any] = {"column": ["text=prompt"], "label_map": ["nsfw=sexual"], "block": "sexual", "other": "x"}
    suites = suites_of(prompts=["p"], images=["i"], train=(), policy="default", workers=1, quick=True, **words)
    given = "--column text=prompt --label-map nsfw=sexual --block sexual --other x"
    assert {s.name for s in suites if given in shlex.join(s.words)} == {"prompts", "adaptive", "peers-text"}
    bare = suites_of(prompts=["p"], images=["i"], train=(), policy="default", workers=1, quick=True)
    assert not any("--benign" in s.words or "--column" in s.words for s in bare)
    assert not any("--benign" in s.words for s in suites)


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
    assert {name for name in run.not_run if ": " not in name} == {"images"}
