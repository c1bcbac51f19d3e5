"""``guardrail registry``: what was marked, by whom it can be found, and for how long it is kept."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli import show

__all__ = ["app"]

app = typer.Typer(help="The registry of marked pictures: look up, export, forget, check.", no_args_is_help=True)
_File = Annotated[Path, typer.Argument(metavar="FILE", help="The registry.")]


@app.command(name="show")
def show_(
    file: _File,
    mark_id: Annotated[str, typer.Argument(help="The id that verify read from a watermark, or a file's SHA-256.")],
) -> None:
    """The entry of a mark id, or of a file, as JSON, with further files of it. Exit code: 0 found, 1 there is none."""
    from guardrail.marks.registry import Registry

    registry = Registry(file)
    entry = registry.find(mark_id)
    if entry is None:
        show.say(f"{file} has no picture with the mark {mark_id}", err=True)
        raise typer.Exit(1)
    files = registry.further_files(entry.mark_id)
    show.print_json(entry.to_json() | ({"files": files} if files else {}))


@app.command()
def export(file: _File) -> None:
    """All entries as JSON, one a line, in the order in which they were made."""
    from guardrail.marks.registry import Registry

    for line in Registry(file).export():
        show.say(line)


@app.command()
def forget(
    file: _File,
    before: Annotated[
        dt.datetime,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Entries made before it are deleted; UTC."),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete old entries for good. Their marks are still read, but lead nowhere."""
    from guardrail.marks.registry import Registry

    registry = Registry(file)
    len(registry)
    if not yes:
        typer.confirm(
            f"Delete all entries of {show.escaped(str(file))} made before {before:%Y-%m-%d %H:%M:%S} UTC?", abort=True
        )
    gone = registry.forget(before=before.replace(tzinfo=dt.UTC))
    show.say(f"{gone} {'entry' if gone == 1 else 'entries'} deleted")


@app.command()
def check(file: _File) -> None:
    """Read the whole file, and say whether it is sound."""
    from guardrail.marks.registry import Registry

    registry = Registry(file)
    registry.check()
    show.say(f"{file}: {len(registry)} entries, sound")
