"""The three files of a report: complete or absent, without script, and with names that cannot act."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from guardrail.bench import report as reports
from guardrail.bench.compare import compared
from guardrail.bench.data import DataError
from guardrail.bench.page import page
from guardrail.bench.prompts import Plan, measure
from guardrail.bench.report import markdown, prepare, write
from guardrail.bench.tables import share, sheets
from tests.bench.scripted import rows_file, scripted, table_rows

HOSTILE = '<script>alert("x")</script>|`*[a](http://b)'


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A report with every part, of data whose names try to be markup."""
    policy = str(scripted(monkeypatch, tmp_path))
    rows = [row | {"source": HOSTILE, "id": f"{HOSTILE}{row['id']}"} for row in table_rows()]
    plan = Plan([rows_file(tmp_path / "d.jsonl", rows)], policy, attacks=True, pairs=1, show=3, thresholds=True)
    report = measure(plan)
    return report | {"against": compared(report, report)}


class _Page(HTMLParser):
    """Tags of a page, which of them are open at its end, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "path", "circle", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_is_one_file_without_script_and_names_stay_text(full: dict[str, Any]) -> None:
    text = page(full)
    shown = _Page(text)
    assert shown.open == []
    assert not {"script", "link", "img", "iframe", "object", "a"} & set(shown.tags)
    assert not [name for name, _ in shown.attributes if name.startswith("on") or name in ("src", "href")]
    assert "url(" not in text
    assert "@import" not in text
    assert [v for n, v in shown.attributes if n == "content" and v and v.startswith("default-src 'none'")]
    assert HOSTILE + ", harmless" in shown.words
    assert shown.tags.count("svg") == 2


def test_every_table_is_on_the_page_and_in_the_markdown(full: dict[str, Any]) -> None:
    titles = [sheet.title for sheet in sheets(full)]
    assert titles == [
        "Decisions",
        "Decisions by label",
        "Decisions by source",
        "Decisions by language",
        "Score: prompt.sexual",
        "Thresholds of the policy",
        "Thresholds by false alarms",
        "Reliability",
        "Disguises, alone",
        "Disguises, in twos",
        "Against an earlier report",
        "Allowed, lowest scores first",
        "Harmless but stopped, highest first",
    ]
    assert re.findall(r"<h2>([^<]+)</h2>", page(full)) == ["ROC of prompt.sexual", *titles]
    assert re.findall(r"^## (.*)$", markdown(full), re.M) == titles


def test_every_row_of_a_table_is_as_wide_as_its_head(full: dict[str, Any]) -> None:
    for sheet in sheets(full):
        assert {len(row) for row in sheet.rows} == {len(sheet.head)}, sheet.title
    tables = [line for line in markdown(full).splitlines() if line.startswith("|")]
    heads = {s.head[0]: len(s.head) for s in sheets(full)}
    assert heads
    assert all(re.sub(r"\\.", "", line).count("|") in {n + 1 for n in heads.values()} for line in tables)


def test_names_in_markdown_stay_text(full: dict[str, Any]) -> None:
    text = markdown(full)
    assert "<script" not in text
    assert "](http" not in text.replace("\\]", "")


def test_a_report_of_one_kind_alone_renders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = str(scripted(monkeypatch, tmp_path))
    data = rows_file(tmp_path / "d.jsonl", [{"text": "s=0.5", "label": "benign"}])
    report = measure(Plan([data], policy, attacks=True, thresholds=True, show=1))
    assert "svg" not in _Page(page(report)).tags
    assert "harmless" in markdown(report)


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (None, "–"),
        ({"rate": 0.125, "interval_95": [0.0331, 0.3702]}, "12.50 % (3.31–37.02)"),
    ],
)
def test_a_share_is_written_in_percent(rate: Any, shown: str) -> None:
    assert share(rate) == shown


def test_writing_replaces_all_files_and_leaves_nothing_else(full: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    prepare(folder)
    for _ in range(2):
        write(full, folder)
    assert sorted(p.name for p in folder.iterdir()) == ["report.html", "report.json", "report.md"]
    assert json.loads((folder / "report.json").read_text("utf-8")) == full


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_write_leaves_the_old_report_whole(
    full: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    folder = tmp_path / "out"
    prepare(folder)
    write(full, folder)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    calls: list[int] = []

    def fail(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 3:
            raise error

    monkeypatch.setattr(reports.os, "fsync", fail)
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else DataError):
        write(full | {"format": 2}, folder)
    assert len(calls) == 3
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be written to"):
        prepare(tmp_path / "file" / "out")
