"""Labelled prompts: which label means what, and what is left out."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from guardrail.checks.text.heavy import Row, read_rows
from guardrail.checks.text.heavy.rows import sampled
from guardrail.errors import ConfigurationError

TRAINING = Path(__file__).parents[4] / "training" / "prompts"


@pytest.mark.parametrize(
    ("entry", "sexual"),
    [
        ({"label": "benign"}, False),
        ({"label": "sexual"}, True),
        ({"label": "nudity"}, True),
        ({"label": True}, True),
        ({"label": 0}, False),
        ({"labels": ["sexual", "person-depiction"]}, True),
        ({"labels": ["benign"]}, False),
        ({"label": "sexual", "nudity_pct": 40.0}, True),
        ({"label": "sexual", "nudity_pct": None}, True),
        # Left out: neither, or a label that means little.
        ({"label": "violence"}, None),
        ({"labels": ["nudity-artistic"]}, None),
        ({"labels": ["benign", "minor-context"]}, None),
        ({"labels": []}, None),
        ({"label": "sexual", "nudity_pct": 3.0}, None),
        ({"label": "benign", "text": "  "}, None),
    ],
)
def test_labels(tmp_path: Path, entry: dict[str, Any], sexual: bool | None) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": "words", "split_group": "g", **entry}) + "\n\n")
    assert list(read_rows(path)) == ([] if sexual is None else [Row("words", sexual, "g")])


def test_compressed(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "a house", "label": "benign"}\n'))
    assert list(read_rows(path)) == [Row("a house", False)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"text": "a", "label": "benign"}\nno json\n', "rows.jsonl:2: a line is a JSON object with text and label"),
        (b'{"text": "a"}\n', "rows.jsonl:1: a line is a JSON object"),
        (b'["a"]\n', "rows.jsonl:1: a line is a JSON object"),
        (b'{"text": 3, "label": "benign"}\n', "text is not text"),
        (b"\xff\xfe\n", "cannot be read: UnicodeDecodeError"),
    ],
)
def test_what_is_no_row(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "rows.jsonl").write_bytes(content)
    with pytest.raises(ConfigurationError, match=says):
        list(read_rows(tmp_path / "rows.jsonl"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="FileNotFoundError"):
        list(read_rows(tmp_path / "none.jsonl"))


def test_a_sample_is_the_same_in_any_order_and_holds_each_text_once() -> None:
    rows = [Row(f"text {i}", i % 3 == 0) for i in range(90)]
    chosen = sampled([*rows, *rows], 20)
    assert [sum(r.sexual is kind for r in chosen) for kind in (True, False)] == [20, 20]
    assert chosen == sampled(reversed(rows), 20)
    assert len({r.text for r in chosen}) == 40


def test_rows_of_the_grammars_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (TRAINING / "grammar.py").exists():
        pytest.skip("training/ is not here")
    monkeypatch.syspath_prepend(str(TRAINING))
    import grammar_rows

    assert "grammar" in sys.modules
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in grammar_rows.rows(["en"], 1, Random(3))), "utf-8")
    read = list(read_rows(path))
    assert sum(r.sexual for r in read) >= 20
    assert sum(not r.sexual for r in read) >= 20
