"""Figures that others published, for a table of their own: nothing of it was measured here, and none is comparable.

The file is YAML: `format: 1` and `figures`, each with `kind` (text, image), `system`, `data` (what it was measured on),
`measure`, `value` (as published, with its unit), `source`, `known_by` (how the figure was read), and optionally `n`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from guardrail.bench.files import DataError
from guardrail.bench.tables import Sheet

__all__ = ["Published", "default_file", "read_published", "sheet"]

_WORDS = ("kind", "system", "data", "measure", "value", "source", "known_by")


class Published(NamedTuple):
    """One figure of somebody else's."""

    kind: str
    system: str
    data: str
    measure: str
    value: str
    source: str
    known_by: str
    n: str


def default_file() -> Path | None:
    """Of the working tree that guardrail runs from; None for an installed package."""
    path = Path(__file__).resolve().parents[3] / "benchmarks" / "published.yaml"
    return path if path.is_file() else None


def read_published(path: Path) -> list[Published]:
    """Raises DataError with the place where it is no such file."""
    try:
        told = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({type(error).__name__}): name a file with --published") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise DataError(f"{path}:{mark.line + 1 if mark else 1}: no YAML: mend the line") from None
    if not isinstance(told, dict) or told.get("format") != 1 or not isinstance(told.get("figures"), list):
        raise DataError(f"{path}:1: needs `format: 1` and a list `figures`")
    return [_one(path, i, row) for i, row in enumerate(told["figures"], 1)]


def _one(path: Path, number: int, row: Any) -> Published:
    if not isinstance(row, dict):
        raise DataError(f"{path}: figure {number} is no mapping")
    for name in _WORDS:
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise DataError(f"{path}: figure {number} needs a text `{name}`; put quotes around a number")
    unknown = sorted(set(map(str, row)) - {*_WORDS, "n"})
    if unknown:
        raise DataError(f"{path}: figure {number} has an unknown `{unknown[0]}`")
    if row["kind"] not in ("text", "image"):
        raise DataError(f"{path}: figure {number}: `kind` is text or image")
    n = row.get("n")
    if n is not None and (not isinstance(n, int) or isinstance(n, bool)):
        raise DataError(f"{path}: figure {number}: `n` is a number of rows, or absent where the source says none")
    return Published(**{name: row[name].strip() for name in _WORDS}, n="not said" if n is None else f"{n:,}")


def sheet(figures: list[Published], kind: str) -> Sheet:
    """The figures of one kind, in the order of the file."""
    return Sheet(
        "Published elsewhere, not measured here",
        ("system", "measured on", "measure", "source", "how the figure is known", "n", "as published"),
        tuple((f.system, f.data, f.measure, f.source, f.known_by, f.n, f.value) for f in figures if f.kind == kind),
        "Each on data of its own, by its own rules: not comparable with the tables above, nor with each other. "
        "Most of them were published without an interval.",
        words=5,
        brief=False,
    )
