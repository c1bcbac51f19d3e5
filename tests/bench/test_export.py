"""A run as a log of Inspect: what stands in it, and that Inspect reads it."""

from __future__ import annotations

import json
import sys
import warnings
from datetime import datetime
from importlib.util import find_spec
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from guardrail.bench.files import DataError
from guardrail.bench.inspect_log import header_of, write_inspect_log
from guardrail.bench.inspect_samples import samples_of
from guardrail.bench.run.folder import METRICS, RUN, read_run, write_run
from guardrail.bench.run.measures import Measure, of_area, of_rate
from guardrail.bench.run.record import Run
from guardrail.bench.run.samples import FILE, Samples
from guardrail.bench.statistics import Area, Rate
from tests.cli.said import running

IDENTITY = "0123456789abcdef" * 4
# id, role, action, score, and the scores that have to come of it: by blocked alone, by blocked or altered.
ROWS: list[tuple[str, str, str, float | None, str, str]] = [
    ("../a/x.jsonl:1", "block", "block", 0.9, "C", "C"),
    ("a/x.jsonl:1", "block", "alter", 0.4, "I", "C"),
    ("b", "block", "allow", None, "I", "I"),
    ("a/x.jsonl:1#2", "benign", "block", 0.8, "I", "I"),
    ("\ud800\n", "benign", "alter", 0.3, "C", "I"),
    ("d", "benign", "allow", 0.1, "C", "C"),
    ("e", "other", "block", 0.7, "", ""),
]
FACTS: dict[str, Any] = {
    "date": "2026-11-28T12:00:00+00:00",
    "command": "guardrail bench prompts --data a.jsonl",
    "machine": "2 cores",
    "guardrail": "0.1.0",
    "commit": "f" * 40 + "+",
    "packages": {"numpy": "2.0"},
    "policy": {"id": "mine", "sha256": "a" * 64},
    "data": {"files": [{"name": "a.jsonl"}], "descriptions": [{"name": "made-up", "licence": "CC0-1.0"}]},
    "limit": 7,
}
MEASURES = (
    of_rate("over_block_rate", Rate(1, 3), "lower"),
    of_rate("block_rate", Rate(1, 3), "higher"),
    of_rate("block_rate", Rate(1, 3), "higher", lang="en"),
    of_rate("stop_rate", Rate(2, 3), "higher"),
    of_area("auroc", Area(0.8, 0.6, 1.0), 5),
    Measure("bypass_after_alter_rate", better="lower", note="nothing was looked at again"),
    of_rate("not_checked_rate", Rate(0, 7), "lower"),
)


def written(folder: Path, suite: str = "prompts", *, texts: bool = False, **facts: Any) -> Path:
    folder.mkdir()
    with Samples(folder / FILE, {"suite": suite}) as samples:
        for i, (name, role, action, score, _, _) in enumerate(ROWS):
            row = {"id": name, "role": role, "label": "x", "lang": "en", "source": "", "attack": "", "group": "g",
                   "pair": "", "action": action, "score": score, "cause": "", "rules": ["r"] if i == 0 else [],
                   "ms": 2.0, "cpu_ms": 1.0}  # fmt: skip
            samples.add(row | ({"text": f"a lighthouse {i}\ud800"} if texts else {}))
    write_run(
        Run(suite, "mine on prompts", FACTS | facts, MEASURES, timing={"whole_seconds": 90.5},
            not_run={"peer": "not installed"}, texts=texts),
        folder,
    )  # fmt: skip
    return folder


def test_a_sample_has_its_target_scores_and_origin_and_no_prompt(tmp_path: Path) -> None:
    folder = written(tmp_path / "run")
    samples = list(samples_of(folder, read_run(folder), IDENTITY))
    ids = ["a/x.jsonl:1", "a/x.jsonl:1#2", "b", "a/x.jsonl:1#2#2", "u{d800}/u{a}", "d", "e"]
    for sample, name, (given, role, action, score, block, stop) in zip(samples, ids, ROWS, strict=True):
        # Without --keep-text the id stands where the prompt would. It is part of the name of a file in the archive.
        assert (sample["id"], sample["input"]) == (name, name)
        assert sample["target"] == {"block": "block", "benign": "allow", "other": ""}[role]
        values = {key: told["value"] for key, told in sample["scores"].items()}
        assert values.pop("score", None) == score
        if role == "other":
            assert all(isnan(value) for value in values.values())
        else:
            assert values == {"block": block, "stop": stop}
        assert {told["answer"] for told in sample["scores"].values()} == {action}
        assert given.isprintable() is (sample["metadata"]["id"] == given)
        assert sample["metadata"]["lang"] == "en"
    assert samples[0]["metadata"]["rules"] == ["r"]
    assert samples[0]["scores"]["block"]["explanation"] == "r"
    assert len({sample["uuid"] for sample in samples}) == len(ROWS)


def test_a_figure_brings_its_n_and_interval_and_none_is_made_of_what_was_not_measured(tmp_path: Path) -> None:
    run = read_run(written(tmp_path / "run"))
    header = header_of(run, IDENTITY, ["a", "b"], {"block": 1, "stop": 1, "score": 2})
    scores = {score["name"]: score for score in header["results"]["scores"]}
    assert {name: (score["scorer"], sorted(score["metrics"])) for name, score in scores.items()} == {
        "block": ("block", ["block_rate", "over_block_rate"]),
        "stop": ("stop", ["stop_rate"]),
        "score": ("score", ["auroc"]),
        "prompts": ("prompts", ["not_checked_rate"]),
        "block by lang": ("block", ["block_rate[lang=en]"]),
    }
    assert (scores["block"]["scored_samples"], scores["block"]["unscored_samples"]) == (1, 1)
    assert "scored_samples" not in scores["block by lang"]
    area = scores["score"]["metrics"]["auroc"]
    assert area["value"] == 0.8
    assert (area["metadata"]["n"], area["metadata"]["interval_95"]) == (5, [0.6, 1.0])
    assert area["metadata"]["stderr"] == pytest.approx(0.2 / 1.96, rel=1e-4)
    none = scores["prompts"]["metrics"]["not_checked_rate"]
    assert none["value"] == 0
    assert none["metadata"]["stderr"] > 0.05  # none of seven is not known to be none at all
    assert header["results"]["metadata"] == {
        "not_measured": {"bypass_after_alter_rate": "nothing was looked at again"},
        "not_run": {"peer": "not installed"},
    }


def test_what_the_run_was_of_is_told(tmp_path: Path) -> None:
    header = header_of(read_run(written(tmp_path / "run")), IDENTITY, ["a"], {})
    spec = header["eval"]
    assert (spec["task"], spec["model"], spec["dataset"]["name"]) == ("guardrail/prompts", "none", "made-up")
    assert spec["revision"] == {"type": "git", "origin": "", "commit": "f" * 40, "dirty": True}
    assert spec["packages"] == {"guardrail-diffusion": "0.1.0", "numpy": "2.0"}
    assert spec["metadata"]["policy"] == FACTS["policy"]
    assert spec["metadata"]["command"] == FACTS["command"]
    assert spec["config"]["limit"] == 7
    times = (header["stats"]["started_at"], header["stats"]["completed_at"])
    assert times == ("2026-11-28T12:00:00+00:00", "2026-11-28T12:01:30.500000+00:00")


def test_other_suites_give_their_figures_alone(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", "marks", commit="", data=[{"name": "a"}, {"name": "b"}])
    run = read_run(folder)
    assert list(samples_of(folder, run, IDENTITY)) == []
    header = header_of(run, IDENTITY, [], {})
    assert [score["name"] for score in header["results"]["scores"]] == ["marks", "marks by lang"]
    assert (header["eval"]["revision"], header["eval"]["dataset"]["name"]) == (None, "a, b")


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (FILE, '"action":"allow"', '"action":"pass"', r"results\.jsonl:4: no prompt of a run"),
        (FILE, '"role":"block"', '"role":"harm"', r"results\.jsonl:2: no prompt of a run"),
        (FILE, '"role":"block","label":"x","lang":"en","source":"","attack":"","group":"g","pair":"","action":"block"',
         '"role":"block","label":"x","lang":"en","source":"","attack":"","group":"g","pair":"","action":"alter"',
         "are of two runs"),
        (RUN, '"date": "2026', '"date": "1926', "holds no date"),
        (RUN, '"date": "2026-11-28T12:00:00+00:00"', '"date": 3', "holds no date"),
    ],
)  # fmt: skip
def test_a_folder_that_does_not_fit_together_is_refused(
    tmp_path: Path, file: str, old: str, new: str, says: str
) -> None:
    folder = written(tmp_path / "run")
    path = folder / file
    text = path.read_bytes().decode("utf-8", "surrogatepass")
    assert old in text
    path.write_bytes(text.replace(old, new).encode("utf-8", "surrogatepass"))
    run = read_run(folder)
    with pytest.raises(DataError, match=says):
        header_of(run, IDENTITY, [s["id"] for s in samples_of(folder, run, IDENTITY)], {})


def test_without_inspect_the_line_that_installs_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, run = written(tmp_path / "run"), running(capsys, "bench", "export")
    monkeypatch.setitem(sys.modules, "inspect_ai.log", None)
    for of, file, says in (
        (folder, "a.eval", 'pip install "guardrail-diffusion[inspect]"'),
        (folder, "a.jsonl", "let it end in .eval or .json"),
        (tmp_path, "a.eval", "name the folder of an earlier run"),
    ):
        said = run(of, "--inspect", tmp_path / file)
        assert said.code == 2
        assert says in said.err
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


@pytest.mark.skipif(find_spec("inspect_ai") is None, reason='pip install "guardrail-diffusion[inspect]" (300 MB)')
@pytest.mark.parametrize(("suffix", "texts"), [(".eval", False), (".eval", True), (".json", True)])
def test_inspect_reads_what_was_written(tmp_path: Path, suffix: str, texts: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of inspect_ai about what it imports
        from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries

        folder = written(tmp_path / "run", texts=texts)
        path, again = tmp_path / f"a{suffix}", tmp_path / f"again{suffix}"
        made = write_inspect_log(folder, path)
        write_inspect_log(folder, again)
        log = read_eval_log(path)
        summaries = read_eval_log_sample_summaries(path)
        other = write_inspect_log(written(tmp_path / "marks", "marks"), tmp_path / f"marks{suffix}")
        alone = read_eval_log(other.path)
    assert path.read_bytes() == again.read_bytes()
    assert (made.samples, made.figures, made.texts) == (len(ROWS), 6, texts)
    assert (log.status, log.eval.task, log.eval.model) == ("success", "guardrail/prompts", "none")
    assert datetime.fromisoformat(str(log.eval.created)) == datetime.fromisoformat(FACTS["date"])
    assert len(summaries) == len(log.samples) == len(ROWS)
    inputs = {str(sample.input) for sample in log.samples}
    assert inputs == ({f"a lighthouse {i}\\ud800" for i in range(7)} if texts else {s.id for s in log.samples})
    # Every figure is there, with the value and the n of metrics.json; those of the decision are what the samples say.
    found = {key: metric for score in log.results.scores for key, metric in score.metrics.items()}
    told = json.loads((folder / METRICS).read_text("utf-8"))["measures"]
    assert {(key, m.value, m.metadata["n"]) for key, m in found.items()} == {
        (Measure.from_json(m).key, m["value"], m["n"]) for m in told if m["value"] is not None
    }
    harmful = [s.scores["block"].value for s in log.samples if s.target == "block"]
    assert found["block_rate"].value == harmful.count("C") / len(harmful)
    assert (log.results.scores[0].scored_samples, log.results.scores[0].unscored_samples) == (6, 1)
    assert (len(alone.samples or ()), alone.results.total_samples, alone.eval.task) == (0, 0, "guardrail/marks")
