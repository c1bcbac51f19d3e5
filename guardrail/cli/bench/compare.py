"""``guardrail bench compare``: two runs of a suite side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli import show
from guardrail.cli.bench.printed import print_report
from guardrail.cli.policy.shared import JSON, refuse

__all__ = ["register"]


def compare(
    before: Annotated[Path, typer.Argument(help="Folder of the earlier run.")],
    after: Annotated[Path, typer.Argument(help="Folder of the later run.")],
    every: Annotated[bool, typer.Option("--all", help="Also figures that are the same in both.")] = False,
    json: JSON = False,
) -> None:
    """Say what two runs differ in, and which figures changed by more than chance.

    The same prompts are compared row by row. Exit code: 0 done, whatever changed; 2 the folders cannot be compared.
    To let a build fail on a change for the worse: guardrail bench gate.
    """
    from guardrail.bench.comparison import compare as compared
    from guardrail.bench.comparison import comparison_json, comparison_sheets
    from guardrail.bench.files import DataError

    try:
        found = compared(before, after)
    except DataError as error:
        refuse(error, json)
    if json:
        show.print_json(comparison_json(found))
        return
    facts = [("suite", found.suite), ("data", "the same" if found.same_data else "others: figures are of other rows")]
    sheets = comparison_sheets(found, every=every)
    print_report(facts, sheets, ())
    if not any(sheet.title == "Figures" for sheet in sheets):
        show.say("No figure changed." if found.changes else "The runs have no figure in common to compare.")


def register(app: typer.Typer) -> None:
    app.command()(compare)
