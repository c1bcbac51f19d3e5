"""A run as a folder: figures, samples that a killed run goes on from, writing and reading."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from guardrail.bench.files import DataError
from guardrail.bench.run.environment import commit, environment, source, written_commit
from guardrail.bench.run.folder import METRICS, RUN, read_run, write_run
from guardrail.bench.run.measures import Measure, by_key, of_area, of_rate
from guardrail.bench.run.record import Run
from guardrail.bench.run.samples import FILE, Samples, read_samples
from guardrail.bench.statistics import Area, Rate
from guardrail.bench.tables import Sheet

BLOCKED = of_rate("block_rate", Rate(90, 100), "higher", label="sexual")
RUN_OF = Run(
    "prompts",
    "default on prompts",
    {"policy": {"id": "default"}},
    (BLOCKED, Measure("ece", value=0.1, n=100, unit="points", better="lower")),
    curves={"roc": [[0.0, 0.0], [1.0, 1.0]]},
    timing={"p50": 1.0},
    told=(("policy", "default"),),
    sheets=(Sheet("Rates", ("rows", "n"), (("a|b", "1"),)),),
    not_run={"peer": "not installed"},
)


def test_a_share_carries_its_n_and_interval() -> None:
    told = BLOCKED.to_json()
    assert (told["value"], told["n"], told["count"], told["method"]) == (0.9, 100, 90, "Wilson")
    assert told["interval_95"] == pytest.approx([0.8256, 0.9448], abs=1e-4)
    assert BLOCKED.key == "block_rate[label=sexual]"
    assert Measure.from_json(json.loads(json.dumps(told))) == BLOCKED


@pytest.mark.parametrize(
    ("rate", "says"),
    [
        (Rate(0, 0), "no sample"),
        (Rate(10, 10), "10 samples are too few for a claim"),
        (Rate(50, 100), "known to ±10 points only"),
        (Rate(990, 1000), ""),
    ],
)
def test_what_is_too_small_for_a_claim_says_so(rate: Rate, says: str) -> None:
    assert of_rate("block_rate", rate).remark == says


def test_a_figure_that_is_no_number_is_refused_and_an_area_of_one_kind_is_not_measured() -> None:
    with pytest.raises(ValueError, match="could not be measured is None"):
        Measure("auroc", value=float("nan"))
    assert of_area("auroc", None, 5).value is None
    assert of_area("auroc", Area(0.9, 0.8, 1.0), 50).interval == (0.8, 1.0)
    with pytest.raises(ValueError, match="measured twice"):
        by_key([BLOCKED, BLOCKED])


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    files = {path.name for path in write_run(RUN_OF, tmp_path)}
    assert {RUN, METRICS, "report.md"} <= files
    stored = read_run(tmp_path)
    assert stored.suite == "prompts"
    assert list(stored.measures.values()) == list(RUN_OF.measures)
    assert stored.curves == RUN_OF.curves
    assert (stored.run["timing"], stored.run["not_run"]) == ({"p50": 1.0}, {"peer": "not installed"})
    before = (tmp_path / METRICS).read_bytes()
    write_run(RUN_OF, tmp_path)
    assert (tmp_path / METRICS).read_bytes() == before


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda t: "{", "no JSON"),
        (lambda t: "[]", "no object"),
        (lambda t: t.replace('"format": 1', '"format": 2'), "another format"),
        (lambda t: t.replace('"suite": "prompts"', '"suite": "marks"'), "two runs"),
        (lambda t: t.replace('"value": 0.9', '"value": "x"'), "changed by hand"),
        (lambda t: t.replace('"better": "higher"', '"better": "up"'), "changed by hand"),
    ],
)
def test_a_folder_that_is_no_run_says_what_to_do(tmp_path: Path, spoil: Any, says: str) -> None:
    write_run(RUN_OF, tmp_path)
    path = tmp_path / METRICS
    path.write_text(spoil(path.read_text("utf-8")), "utf-8")
    with pytest.raises(DataError, match=says):
        read_run(tmp_path)


def test_samples_of_a_killed_run_are_gone_on_from(tmp_path: Path) -> None:
    path = tmp_path / FILE
    with Samples(path, {"policy": "a"}) as samples:
        for i in range(3):
            samples.add({"i": i, "id": "\ud800"})
    whole = path.read_bytes()
    for cut in range(whole.index(b"\n") + 1, len(whole)):
        path.write_bytes(whole[:cut])
        with Samples(path, {"policy": "a"}) as samples:
            done = len(samples.done)
            for i in range(done, 3):
                samples.add({"i": i, "id": "\ud800"})
        assert path.read_bytes() == whole
    assert read_samples(path)[0] == {"policy": "a"}
    assert [s["i"] for s in read_samples(path)[1]] == [0, 1, 2]


def test_two_processes_do_not_write_one_run_and_its_old_figures_go(tmp_path: Path) -> None:
    path = tmp_path / FILE
    write_run(RUN_OF, tmp_path)
    with Samples(path, {}) as samples:
        assert not (tmp_path / METRICS).exists()
        assert not (tmp_path / RUN).exists()
        samples.add({"i": 0})
    write_run(RUN_OF, tmp_path)
    with Samples(path, {}) as samples:
        assert (tmp_path / METRICS).exists()
        samples.add({"i": 1})
        assert not (tmp_path / METRICS).exists()
        for fresh in (False, True):
            with pytest.raises(DataError, match="another process"):
                Samples(path, {}, fresh=fresh)
    write_run(RUN_OF, tmp_path)
    with pytest.raises(DataError, match="another run"):
        Samples(path, {"seed": 1})
    assert (tmp_path / METRICS).exists()
    with Samples(path, {}) as samples:
        assert samples.done == [{"i": 0}, {"i": 1}]


def test_samples_of_another_run_or_damaged_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE
    with Samples(path, {"policy": "a"}) as samples:
        samples.add({"i": 0})
    with pytest.raises(DataError, match=r"another run.*--fresh"):
        Samples(path, {"policy": "b"})
    with Samples(tmp_path / "b", {"policy": {"id": "a", "sha256": "1"}, "limit": 1, "data": ["violet"]}):
        pass
    with pytest.raises(DataError, match=r"\(another data, policy\.sha256, seed\)") as error:
        Samples(tmp_path / "b", {"policy": {"id": "a", "sha256": "2"}, "limit": 1, "data": ["amber"], "seed": 3})
    assert "violet" not in str(error.value)
    lines = path.read_bytes()
    path.write_bytes(lines.replace(b'{"i":0}', b"nonsense"))
    with pytest.raises(DataError, match=r"results.jsonl:2: .*damaged"):
        Samples(path, {"policy": "a"})
    path.write_bytes(b"no line end")
    with pytest.raises(DataError, match=r"is no results\.jsonl"):
        Samples(path, {"policy": "a"})
    with Samples(path, {"policy": "b"}, fresh=True) as samples:
        assert samples.done == []
    with Samples(None, {}) as nowhere:
        nowhere.add({"i": 0})


def test_the_environment_names_versions_and_command() -> None:
    told = environment("guardrail bench prompts", seed=1)
    assert told["source"] == source()
    assert len(source()) == 64
    assert told["command"] == "guardrail bench prompts"
    assert told["packages"]["numpy"]
    assert "cores" in told["machine"]


def test_a_report_says_of_the_commit_whether_it_was_changed() -> None:
    assert written_commit("5" * 40) == "5" * 12
    assert written_commit("5" * 40 + "+1f2e3d4c") == "555555555555+1f2e3d4c"
    assert written_commit("") == "none"  # of an installed package


def test_a_changed_tree_is_told_from_another_change_of_it(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    source = tmp_path / "guardrail" / "a.py"
    source.parent.mkdir()
    source.write_text("a = 1\n")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "p.yaml").write_text("id: p\n")
    assert commit(tmp_path) == ""
    git("init", "-q")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "a")
    clean = commit(tmp_path)
    found = []
    for text in ("a = 2\n", "a = 3\n"):
        source.write_text(text)
        found.append(commit(tmp_path))
    assert (len(clean), "+" in clean) == (40, False)
    assert all(changed.startswith(f"{clean}+") for changed in found)
    assert len({clean, *found}) == 3
