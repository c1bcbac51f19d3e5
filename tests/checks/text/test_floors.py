"""The word lists against the public one, on the prompts beside the checkout: the figures of benchmarks/prompts.py."""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from tests.budget import NIGHTLY

ROOT = Path(__file__).parents[3]
# The sources that fit into a few seconds, captions of languages without many prompts among them.
SOURCES = {"unlearndiff-nudity", "p4d-i2p-nudity-targets", "i2p", "adversarial-nibbler", "overt", "multijail", "xstest"}
LARGE = {"dpg-bench", "imagereward-diffusiondb-users", "ko-korsts-captions"}
# Of the large ones, how many rows stand for all of them but at night.
EVERY = 1 if NIGHTLY else 4


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prompts_benchmark", ROOT / "benchmarks/prompts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.nightly
def test_more_recall_than_the_public_list_and_half_its_false_alarms(
    benchmark: ModuleType, shared: Path, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl.gz"
    with (
        gzip.open(shared / "data/prompts/devtest.jsonl.gz", "rt", encoding="utf-8") as lines,
        gzip.open(rows, "wt", encoding="utf-8", compresslevel=1) as kept,
    ):
        for number, line in enumerate(lines):
            source = json.loads(line)["source"]
            if source in SOURCES or (source in LARGE and number % EVERY == 0):
                kept.write(line)
    results = benchmark.by_source(rows, {"suggestive": 0.40, "explicit": 0.70})
    measured = {r["source"]: r["suggestive"] for r in results if r["floor_percent"] is not None}
    assert set(benchmark.RECALL_FLOORS) <= set(measured)
    # Rows whose own words speak of nudity are no false alarms; that they are few is part of what is asserted.
    missed = [name for name, of in measured.items() if not of.get("meets_without", of["meets"])]
    assert missed == []
    assert sum(of.get("nude_by_words", 0) for of in measured.values()) <= 10


def test_the_judged_set_has_the_runs_that_its_readme_names(benchmark: ModuleType) -> None:
    rows = [json.loads(line) for line in benchmark.JUDGED.read_text("utf-8").splitlines()]
    groups = [(row["lang"], benchmark.judged_group(row)) for row in rows]
    assert len(rows) == 1_197
    assert {g for _, g in groups} == {"explicit", "suggestive", "undress_person", *benchmark.RUNS}
    assert groups.count(("en", "benign: look-alike words")) == 54
    assert groups.count(("zh", "benign: children")) == 21
    assert groups.count(("ko", "benign: ordinary")) == 20


@pytest.mark.parametrize(
    ("hits", "n", "interval"), [(0, 10, (0.0, 0.2775)), (5, 10, (0.2366, 0.7634)), (10, 10, (0.7225, 1.0))]
)
def test_wilson_intervals(benchmark: ModuleType, hits: int, n: int, interval: tuple[float, float]) -> None:
    # Values of the closed form, as tables of it give them.
    assert benchmark.wilson(hits, n) == pytest.approx(interval, abs=5e-4)


def test_results_hold_no_prompt() -> None:
    judged = [
        json.loads(line)["text"]
        for line in (ROOT / "tests/data/judged/prompts-v1.jsonl").read_text("utf-8").splitlines()
    ]
    for name in ("prompts-lists.json", "prompts-lists.md", "prompts-read-rows.txt"):
        text = (ROOT / "benchmarks/results" / name).read_text("utf-8")
        assert [t for t in judged if t in text] == []
