"""A report of a benchmark on the terminal: its facts, its tables, the files that were written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from guardrail.cli import show
from guardrail.cli.bench.prompts import table
from guardrail.cli.policy.shared import refuse
from guardrail.errors import PolicyError

if TYPE_CHECKING:
    from guardrail.bench.run.record import Run
    from guardrail.bench.tables import Sheet

__all__ = ["carry_out", "print_report"]


def carry_out(measure: Callable[[], Run], out: Path | None, json: bool) -> Run:
    """Measure, write the folder, print.

    Raises:
        DataError: the data cannot be used, or the folder cannot be written to.
    """
    from guardrail.bench.report import prepare
    from guardrail.bench.run.folder import write_run

    if out is not None:
        prepare(out)
    try:
        run = measure()
    except PolicyError as error:  # no such policy, or not to be read: that is usage, and nothing that is lacking here
        refuse(error, json)
    files = write_run(run, out) if out is not None else []
    if json:
        show.print_json(
            {
                "suite": run.suite,
                **run.facts,
                "not_run": dict(run.not_run),
                "measures": [m.to_json() for m in run.measures],
                "timing": dict(run.timing),
            }
        )
    else:
        lines = (*run.told, *((name, f"not run: {why}") for name, why in run.not_run.items()))
        print_report(lines, (sheet for sheet in run.sheets if sheet.brief), files)
    return run


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
