"""A report on disk: ``report.json``, ``report.md`` and ``report.html``, all of them or none."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from guardrail.bench.files import DataError
from guardrail.bench.page import page
from guardrail.bench.tables import Sheet, facts, sheets

__all__ = ["markdown", "prepare", "write", "write_texts", "written"]


def prepare(folder: Path) -> None:
    """Make the folder, and see that it can be written to before hours are spent on what goes into it.

    Raises:
        DataError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        Path(mkdtemp(prefix=".report-", dir=folder)).rmdir()
    except OSError as error:
        raise DataError(f"{folder} cannot be written to: {error.strerror}; name another folder with --out") from None


def write(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the three files. They are complete before the first of them takes the place of an older one.

    Raises:
        DataError: the folder cannot be written to.
    """
    return write_texts(
        {
            "report.json": json.dumps(report, ensure_ascii=False, allow_nan=False) + "\n",
            "report.md": markdown(report),
            "report.html": page(report),
        },
        folder,
    )


def write_texts(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """Write files by name, all of them or none: complete before the first of them takes the place of an older one.

    Raises:
        DataError: the folder cannot be written to.
    """
    drafts: Path | None = None
    try:
        drafts = Path(mkdtemp(prefix=".report-", dir=folder))
        for name, text in texts.items():
            with (drafts / name).open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        return [(drafts / name).replace(folder / name) for name in texts]
    except OSError as error:
        raise DataError(f"{folder} cannot be written to: {error.strerror}") from None
    finally:
        if drafts is not None:
            for name in texts:
                (drafts / name).unlink(missing_ok=True)
            drafts.rmdir()


def markdown(report: Mapping[str, Any]) -> str:
    """The report in GitHub's Markdown."""
    return written(f"{report['policy']['id']} on prompts", facts(report), sheets(report))


def written(title: str, told: Sequence[tuple[str, str]], tables: Sequence[Sheet]) -> str:
    """Facts and tables in GitHub's Markdown."""
    lines = [f"# {_md(title)}", "", *(f"- {name}: {_md(value)}" for name, value in told)]
    for sheet in tables:
        lines += ["", f"## {_md(sheet.title)}", "", *([_md(sheet.note), ""] if sheet.note else []), *_table(sheet)]
    return "\n".join(lines) + "\n"


def _table(sheet: Sheet) -> list[str]:
    rule = ["---" if i < sheet.words else "---:" for i in range(len(sheet.head))]
    return [f"| {' | '.join(map(_md, row))} |" for row in (sheet.head, rule, *sheet.rows)]


def _md(text: str) -> str:
    """Text that stays text: no HTML, no link, no code, and no end of a cell."""
    for sign, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;")):
        text = text.replace(sign, written)
    return "".join(f"\\{c}" if c in "\\`*_[]" else c for c in text)
