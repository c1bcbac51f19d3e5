"""``guardrail verify``: what a file says about where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli import show
from guardrail.errors import InputError

__all__ = ["register"]


def verify(
    files: Annotated[list[Path], typer.Argument(help="Image files.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look for marks, layer by layer. Exit code: 0 all looked at, 2 a file could not be read."""
    from guardrail.files import verify as look
    from guardrail.keys import load_keyring

    keyring = load_keyring()
    results = []
    failed = False
    for file in files:
        try:
            results.append((file, look(file, keyring=keyring).to_json()))
        except InputError as error:
            failed = True
            results.append((file, {"error": error.code, "message": str(error)}))
    if json:
        show.print_json([{"file": str(file), **result} for file, result in results])
    else:
        for file, result in results:
            _print(file, result)
    raise typer.Exit(2 if failed else 0)


def _print(file: Path, result: dict[str, object]) -> None:
    from rich.markup import escape
    from rich.table import Table

    out = show.console()
    out.print(f"[bold]{escape(str(file))}[/]: {escape(str(result.get('summary') or result.get('message')))}")
    layers = result.get("layers")
    if isinstance(layers, list):
        table = Table("layer", "verdict", "chance of error", "says", box=None, padding=(0, 2))
        for layer in layers:
            rate = layer["false_positive_rate"]
            says = ", ".join(f"{k} {v}" for k, v in layer["says"].items())
            table.add_row(layer["name"], layer["verdict"], "" if rate is None else f"{rate:.0e}", escape(says))
        out.print(table)


def register(app: typer.Typer) -> None:
    app.command()(verify)
