"""A report on disk: complete or absent; and in Markdown."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp

from guardrail.bench.drawing import Drawn
from guardrail.bench.files import DataError
from guardrail.bench.headline import MEASURED, headline
from guardrail.bench.limits import HOLDS_PROMPTS, figures_sheet, limits, worded
from guardrail.bench.run.record import Run
from guardrail.bench.svg import without_controls
from guardrail.bench.tables import Sheet

__all__ = ["markdown", "plain", "prepare", "table", "write_texts", "written"]


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


def write_texts(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """Write files by name, all of them or none: complete before the first of them takes the place of an older one.

    Args:
        texts: by name; ``figures/roc.svg`` goes into a folder inside. Half of a surrogate pair, which data may hold
            and UTF-8 cannot, is written as ``\\udxxx``.

    Raises:
        DataError: the folder cannot be written to.
    """
    drafts: Path | None = None
    try:
        drafts = Path(mkdtemp(prefix=".report-", dir=folder))
        for name, text in texts.items():
            (drafts / name).parent.mkdir(parents=True, exist_ok=True)
            with (drafts / name).open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        for name in texts:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        return [(drafts / name).replace(folder / name) for name in texts]
    except OSError as error:
        raise DataError(f"{folder} cannot be written to: {error.strerror}") from None
    finally:
        if drafts is not None:
            shutil.rmtree(drafts, ignore_errors=True)


def markdown(run: Run, drawn: Drawn) -> str:
    """A run in GitHub's Markdown: what it is in short, with what, what did not run, limits, plots, tables."""
    head = [f"# {plain(run.title)}", ""]
    if run.texts:
        head += [f"**{HOLDS_PROMPTS}**", ""]
    short = headline(run)
    if short is not None:
        head += [*_section(short)[1:], "", f"## {MEASURED}", ""]
    lines = head + [f"- {plain(name)}: {plain(value)}" for name, value in run.told]
    if run.not_run:
        lines += ["", "## Known, and did not run", "", "Not part of any figure below.", ""]
        lines += [f"- {plain(name)}: {plain(why)}" for name, why in run.not_run.items()]
    if said := limits(run):
        lines += ["", "## Limits of these figures", "", *(f"- {plain(line)}" for line in said)]
    if drawn.left_out:
        lines += ["", "## Plots", "", f"Plots are left out. {plain(drawn.left_out)}."]
    elif run.figures:
        lines += ["", "## Plots"]
        for figure in run.figures:
            lines += ["", f"![{plain(figure.title)}](figures/{figure.name}.svg)", "", plain(figure.caption)]
    for sheet in run.sheets or ((figures_sheet(run.measures),) if run.measures else ()):
        lines += _section(sheet)
    return "\n".join(lines) + "\n"


def written(title: str, told: Sequence[tuple[str, str]], tables: Sequence[Sheet]) -> str:
    """Facts and tables in GitHub's Markdown."""
    lines = [f"# {plain(title)}", "", *(f"- {plain(name)}: {plain(value)}" for name, value in told)]
    for sheet in tables:
        lines += _section(sheet)
    return "\n".join(lines) + "\n"


def _section(sheet: Sheet) -> list[str]:
    return ["", f"## {plain(sheet.title)}", "", *([plain(sheet.note), ""] if sheet.note else []), *table(sheet)]


def table(sheet: Sheet) -> list[str]:
    """The lines of a table in Markdown."""
    text = worded(sheet)
    rule = ["---" if i in text else "---:" for i in range(len(sheet.head))]
    cells = ([plain(cell) for cell in row] for row in sheet.rows)
    return [f"| {' | '.join(row)} |" for row in ([plain(name) for name in sheet.head], rule, *cells)]


def plain(text: str) -> str:
    """Text that stays text in Markdown: one line, no HTML, no link, no code, and no end of a cell."""
    text = " ".join(without_controls(text).split())
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;")):
        text = text.replace(sign, entity)
    return "".join(f"\\{c}" if c in "\\`*_[]" else c for c in text)
