"""A report of a benchmark on the terminal: its facts, its tables, the files that were written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from guardrail.cli import show
from guardrail.cli.bench.prompts import table

if TYPE_CHECKING:
    from guardrail.bench.tables import Sheet

__all__ = ["print_report"]


def print_report(facts: Iterable[tuple[str, str]], sheets: Iterable[Sheet], files: Iterable[Path]) -> None:
    """Print what a run found, and where it was written."""
    console = show.console()
    for name, value in facts:
        console.print(f"{name}: {value}", markup=False, style="dim")
    for sheet in sheets:
        console.print(f"\n[bold]{sheet.title}[/]")
        if sheet.note:
            console.print(sheet.note, style="dim", markup=False)
        console.print(table(sheet))
    for path in files:
        typer.echo(f"written: {path}")
