"""The table of what others published: only facts with a source, and never among what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrail.bench.files import DataError
from guardrail.bench.peers.published import default_file, read_published, sheet

ROW = 'kind: text, system: A, data: B, measure: C, value: "1 %", source: D, known_by: E'


def test_the_file_of_the_project_is_read_and_every_figure_has_a_source() -> None:
    path = default_file()
    assert path is not None
    figures = read_published(path)
    assert {f.kind for f in figures} == {"text", "image"}
    assert all(f.source and f.known_by and f.data for f in figures)
    table = sheet(figures, "text")
    assert "not measured here" in table.title
    assert len(table.rows) == sum(f.kind == "text" for f in figures)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("format: 2\nfigures: []", "needs `format: 1`"),
        ("format: 1\nfigures: [1]", "figure 1 is no mapping"),
        (
            f"format: 1\nfigures:\n - {{{ROW}}}\n - {{{ROW.replace('source: D, ', '')}}}",
            "figure 2 needs a text `source`",
        ),
        (f"format: 1\nfigures:\n - {{{ROW}, better: yes}}", "unknown `better`"),
        (f"format: 1\nfigures:\n - {{{ROW.replace('kind: text', 'kind: sound')}}}", "text or image"),
        (f"format: 1\nfigures:\n - {{{ROW}, n: many}}", "`n` is a number"),
        ("format: 1\nfigures: [", r"published\.yaml:\d+: no YAML"),
    ],
)
def test_a_file_that_is_none_says_where(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "published.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError, match=says):
        read_published(path)
    with pytest.raises(DataError, match="--published"):
        read_published(tmp_path / "nothing.yaml")


def test_a_figure_without_a_number_of_rows_says_so(tmp_path: Path) -> None:
    path = tmp_path / "published.yaml"
    path.write_text(f"format: 1\nfigures:\n - {{{ROW}}}\n - {{{ROW}, n: 1200}}\n", "utf-8")
    assert [f.n for f in read_published(path)] == ["not said", "1,200"]
