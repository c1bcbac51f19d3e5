"""The text form of hash lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrail.errors import KnownImagesError
from guardrail.known.file import PDQ, SHA256
from guardrail.known.text import read_text, rows_of_lines

A, B = "0123456789abcdef" * 4, "F" * 64

LINES: list[tuple[str, list[tuple[str, int, str]]]] = [
    (A, [(A, 31, "")]),
    (f"{A},12,case 7", [(A, 12, "case 7")]),
    (f"{A}, 12, case, 7", [(A, 12, "case, 7")]),
    (f"{A}\t0\tx", [(A, 0, "x")]),
    (f"{A} 31", [(A, 31, "")]),
    (f"{A};5;y", [(A, 5, "y")]),
    (f"{A},tag alone", [(A, 31, "tag alone")]),
    (f"# remark\n\n  {A}  \r\n{B}", [(A, 31, ""), (B.lower(), 31, "")]),
    (f"hash,distance,tag\n{A},3,z", [(A, 3, "z")]),
    (f"\ufeff{A}", [(A, 31, "")]),
]


@pytest.mark.parametrize(("text", "expected"), LINES, ids=range(len(LINES)))
def test_it_is_read(text: str, expected: list[tuple[str, int, str]], tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(text, "utf-8")
    rows = read_text(path)
    found = zip((h.tobytes().hex() for h in rows.hashes), rows.limits.tolist(), rows.tags, strict=True)
    assert list(found) == expected
    assert set(rows.kinds.tolist()) == {PDQ}
    assert rows.pictures.tolist() == list(range(len(expected)))


WRONG = [
    ("", "holds no hashes"),
    ("# nothing", "holds no hashes"),
    (A[:-1], ":1: neither"),
    (f"{A}\n{A}0", ":2: neither"),
    (f"{A},32", ":1: a distance of 32"),
    (f"{A}\nhash", ":2: neither"),
    (f"{A[:-1]}g", ":1: neither"),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=range(len(WRONG)))
def test_what_is_no_list_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(KnownImagesError, match=message) as caught:
        rows_of_lines(text.splitlines(), "list")
    assert A[:8] not in str(caught.value)


def test_sha256_has_to_be_said() -> None:
    assert rows_of_lines([A], "list", sha256=True).kinds.tolist() == [SHA256]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(KnownImagesError, match="cannot be read"):
        read_text(tmp_path / "none.txt")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KnownImagesError, match="UnicodeDecodeError"):
        read_text(tmp_path / "binary")
