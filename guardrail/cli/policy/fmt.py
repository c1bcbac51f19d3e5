"""``guardrail policy fmt``: rule files in one form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli import show
from guardrail.cli.policy.shared import JSON, installed, refuse
from guardrail.errors import ConfigurationError

__all__ = ["register"]


def fmt(
    files: Annotated[list[Path], typer.Argument(help="Rule files, deployment files, test files.")],
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if a file is not in form.")
    ] = False,
    json: JSON = False,
) -> None:
    """Put keys in order and comparisons in quotes; comments stay, and so does what the file means."""
    from guardrail.policy.rewrite import format_file

    options = installed()
    made = []
    for file in files:
        try:
            made.append(format_file(file, write=not check, **options))
        except ConfigurationError as error:
            refuse(error, json)
    changed = [m.path for m in made if m.changed]
    if json:
        show.print_json([{"file": m.path, "changed": m.changed} for m in made])
    else:
        for path in changed:
            show.say(f"{path}: {'would be formatted' if check else 'formatted'}")
        kept = len(made) - len(changed)
        show.say(f"{len(changed)} {'to format' if check else 'formatted'}, {kept} left as they are")
    raise typer.Exit(1 if check and changed else 0)


def register(app: typer.Typer) -> None:
    app.command()(fmt)
