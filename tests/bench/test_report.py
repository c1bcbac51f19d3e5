"""A report on disk: complete or absent; and its Markdown, in which names stay text."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guardrail.bench import report as reports
from guardrail.bench.data import DataError
from guardrail.bench.drawing import Drawn
from guardrail.bench.headline import MEASURED, headline
from guardrail.bench.report import markdown, plain, prepare, write_texts
from guardrail.bench.run.folder import write_run
from guardrail.bench.run.record import Run
from guardrail.bench.tables import Sheet, counted, explained, percentile, share
from tests.bench.made_run import HOSTILE, made

RUN = made()
ONE_PLOT = replace(RUN, figures=RUN.figures[2:3])
TEXTS = {"a.json": "1", "b.md": "2", "figures/c.svg": "3"}


def test_markdown_has_every_table_what_did_not_run_and_the_limits() -> None:
    text = markdown(RUN, Drawn({}))
    titles = [
        "In short",
        MEASURED,
        "Known, and did not run",
        "Limits of these figures",
        "Plots",
        *(plain(sheet.title) for sheet in RUN.sheets),
    ]
    assert re.findall(r"^## (.*)$", text, re.M) == titles
    assert "- Qwen3Guard: no folder given" in text
    assert f"](figures/{RUN.figures[0].name}.svg)" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    short = headline(RUN)
    assert short is not None
    assert text.index("93.67 %") < text.index("- policy: default")
    assert len(rows) == sum(len(sheet.rows) + 2 for sheet in (short, *RUN.sheets))
    heads = {len(sheet.head) + 1 for sheet in (short, *RUN.sheets)}
    assert {re.sub(r"\\.", "", line).count("|") for line in rows} == heads
    assert "pip install" in markdown(RUN, Drawn({}, "pip install it"))


def test_without_tables_every_figure_is_told() -> None:
    bare = replace(RUN, sheets=(), figures=())
    assert markdown(bare, Drawn({})).count("\n| block\\_rate |") == len(
        [m for m in RUN.measures if m.name == "block_rate"]
    )


def test_names_in_markdown_stay_text() -> None:
    text = markdown(replace(RUN, texts=True), Drawn({}))
    assert "<script" not in text
    assert "<img" not in text
    assert "](http" not in text.replace("\\]", "")
    assert "results.jsonl holds them" in text
    assert plain("a\nb\x00|`") == "a b\ufffd&#124;\\`"
    assert HOSTILE not in text


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (None, "–"),
        ({"rate": 0.125, "interval_95": [0.0331, 0.3702]}, "12.50 % (3.31–37.02)"),
    ],
)
def test_a_share_is_written_in_percent(rate: Any, shown: str) -> None:
    assert share(rate) == shown


def test_so_few_samples_are_marked_and_have_no_rare_percentiles() -> None:
    assert [counted(n) for n in (0, 1, 29, 30, 1234)] == ["0", "1 †", "29 †", "30", "1,234"]
    few = Sheet("t", ("a", "n"), (("x", counted(29)),), "Wilson.")
    assert explained(few).note == "Wilson. † Fewer than 30 samples: no claim."
    assert explained(replace(few, rows=(("x", counted(30)),))).note == "Wilson."
    of = {"p50": 1.0, "p95": 2.0, "p99": 3.0}
    shown = [[percentile(of, p, n) for p in (50, 95, 99)] for n in (1, 19, 20, 99, 100)]
    assert shown == [["1.00", "–", "–"]] * 2 + [["1.00", "2.00", "–"]] * 2 + [["1.00", "2.00", "3.00"]]


def test_a_run_is_written_as_one_folder_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    names = {
        "run.json", "metrics.json", "report.html", "report.md", "junit.xml", "system_card.md", "risk_assessment.md",
        "figures/queries.svg",
    }  # fmt: skip
    written = {path.relative_to(tmp_path).as_posix(): path for path in write_run(ONE_PLOT, tmp_path)}
    assert set(written) == names
    before = {name: path.read_bytes() for name, path in written.items()}
    write_run(ONE_PLOT, tmp_path)
    assert {name: path.read_bytes() for name, path in written.items()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({name.split("/")[0] for name in names})


def test_half_a_surrogate_pair_of_the_data_does_not_stop_a_report(tmp_path: Path) -> None:
    run = Run("prompts", "half \ud800", {"data": "\ud800"}, (), told=(("x", "\ud800"),))
    write_run(run, tmp_path)
    assert "\\ud800" in (tmp_path / "run.json").read_text("utf-8")
    assert "half \ufffd" in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_write_leaves_the_old_report_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    folder = tmp_path / "out"
    prepare(folder)
    write_texts(TEXTS, folder)
    calls: list[int] = []

    def fail(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 3:
            raise error

    monkeypatch.setattr(reports.os, "fsync", fail)
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else DataError):
        write_texts(dict.fromkeys(TEXTS, "new"), folder)
    assert len(calls) == 3
    files = {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}
    assert files == TEXTS
    assert sorted(p.name for p in folder.iterdir()) == ["a.json", "b.md", "figures"]


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be written to"):
        prepare(tmp_path / "file" / "out")
