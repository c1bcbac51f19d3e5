"""A report against an earlier one: which rows are paired, and what counts as worse."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from guardrail.bench.compare import compared, read_report
from guardrail.bench.data import Columns, DataError
from guardrail.bench.prompts import Plan, measure
from tests.bench.scripted import rows_file, scripted

Scores = dict[str, list[float]]
BEFORE: Scores = {"sexual": [0.9] * 12 + [0.1] * 4, "benign": [0.1] * 20}
Maker = Any


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maker:
    """`report(scores, name)`: measured on rows with these scores."""
    policy = str(scripted(monkeypatch, tmp_path))

    def make(scores: Scores, name: str = "d.jsonl", *, ids: bool = True, first: int = 0) -> dict[str, Any]:
        rows = [(label, s) for label, of in scores.items() for s in of]
        told = [{"text": f"s={s}", "label": label, "id": f"r{i}"} for i, (label, s) in enumerate(rows)][first:]
        path = rows_file(tmp_path / name, told)
        return measure(Plan([path], policy, columns=Columns() if ids else Columns(id="")))

    return make


def change(found: dict[str, Any], role: str, measure_: str = "blocked") -> dict[str, Any]:
    (one,) = [c for c in found["changes"] if (c["by"], c["role"], c["measure"]) == ("all", role, measure_)]
    return one


def test_the_same_data_are_paired_by_position_and_nothing_changed(report: Maker) -> None:
    found = compared(report(BEFORE, ids=False), report(BEFORE, ids=False))
    assert (found["paired_by"], found["rows"], found["worse"]) == ("position", 36, False)
    assert all(c["difference"]["value"] == 0 and c["difference"]["p"] == 1 for c in found["changes"])


@pytest.mark.parametrize(
    ("after", "role", "measure_", "newly", "no_longer", "worse"),
    [
        ({"sexual": [0.9] * 5 + [0.1] * 11, "benign": [0.1] * 20}, "block", "blocked", 0, 7, True),
        ({"sexual": [0.9] * 7 + [0.1] * 9, "benign": [0.1] * 20}, "block", "blocked", 0, 5, False),  # p = 1/16
        ({"sexual": [0.9] * 16, "benign": [0.1] * 20}, "block", "blocked", 4, 0, False),
        (
            {"sexual": [0.9] * 12 + [0.1] * 4, "benign": [0.5] * 6 + [0.1] * 14},
            "benign",
            "blocked_or_altered",
            6,
            0,
            True,
        ),
        (
            {"sexual": [0.9] * 12 + [0.1] * 4, "benign": [0.5] * 5 + [0.1] * 15},
            "benign",
            "blocked_or_altered",
            5,
            0,
            False,
        ),
    ],
)
def test_rows_are_paired_by_id_and_what_is_significantly_worse_is_said(
    report: Maker, after: Scores, role: str, measure_: str, newly: int, no_longer: int, worse: bool
) -> None:
    found = compared(report(after, "after.jsonl"), report(BEFORE))
    assert (found["paired_by"], found["rows"], found["worse"]) == ("id", 36, worse)
    one = change(found, role, measure_)
    assert (one["newly"], one["no_longer"]) == (newly, no_longer)
    assert one["difference"]["p"] == pytest.approx(min(1.0, 2 * 0.5 ** (newly + no_longer)))


def test_only_rows_in_both_are_paired(report: Maker) -> None:
    found = compared(report(BEFORE, "after.jsonl", first=6), report(BEFORE))
    assert found["rows"] == 30
    assert change(found, "block")["before"]["of"] == 10


def test_a_row_with_another_label_now_takes_no_part(report: Maker) -> None:
    found = compared(report({"sexual": [0.9] * 12, "benign": [0.1] * 24}, "after.jsonl"), report(BEFORE))
    assert found["rows"] == 32


def test_other_rows_without_ids_are_two_samples(report: Maker) -> None:
    after = {"sexual": [0.9] * 2 + [0.1] * 14, "benign": [0.1] * 10}
    found = compared(report(after, "after.jsonl", ids=False), report(BEFORE, ids=False))
    assert (found["paired_by"], found["rows"], found["auroc"]) == ("", None, None)
    one = change(found, "block")
    assert one["difference"]["method"].startswith("Fisher")
    assert "newly" not in one
    assert found["worse"]


def test_the_area_is_compared_on_the_same_rows(report: Maker) -> None:
    after = {"sexual": [0.9] * 12 + [0.05] * 4, "benign": [0.1] * 20}
    found = compared(report(after, "after.jsonl"), report(BEFORE))
    # Before: 12 of 16 above all harmless rows, 4 tied with them. After: those 4 below.
    assert found["auroc"]["value"] == pytest.approx(-4 / 16 / 2)


def broken(report: dict[str, Any], *path: str) -> dict[str, Any]:
    """The report with a field taken out."""
    changed = copy.deepcopy(report)
    at = changed
    for name in path[:-1]:
        at = at[name]
    del at[path[-1]]
    return changed


@pytest.mark.parametrize(
    ("change_", "said"),
    [
        (lambda r: [], "is no report"),
        (lambda r: r | {"kind": "another"}, "is no report"),
        (lambda r: r | {"format": 99}, "has another format"),
        (lambda r: broken(r, "rows"), "changed by hand"),
        (lambda r: broken(r, "policy", "sha256"), "changed by hand"),
        (lambda r: broken(r, "data", "files"), "changed by hand"),
        (lambda r: r | {"rows": r["rows"] | {"actions": "a"}}, "changed by hand"),
        (
            lambda r: r | {"rows": r["rows"] | {"scores": "no numbers at all, 36 characters long"[:36]}},
            "changed by hand",
        ),
    ],
)
def test_what_is_no_report_is_refused(report: Maker, tmp_path: Path, change_: Any, said: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(change_(report(BEFORE))))
    with pytest.raises(DataError, match=said):
        read_report(path)


@pytest.mark.parametrize(("text", "said"), [(None, "cannot be read"), ("{", "is no JSON")])
def test_what_cannot_be_read_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "report.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=said):
        read_report(path)
