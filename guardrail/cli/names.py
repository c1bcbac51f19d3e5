"""``guardrail names``: large lists of names in one compact file."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from guardrail.cli import show

__all__ = ["app"]

app = typer.Typer(help="Large lists of names in one compact file.", no_args_is_help=True)
_CSV = {".csv": ",", ".tsv": "\t"}


@app.callback()
def _names() -> None:
    """A group, so that `build` is a verb although it is the only one."""


@app.command()
def build(
    files: Annotated[list[Path], typer.Argument(help="Text (a name a line), CSV or TSV; also .gz.")],
    out: Annotated[Path, typer.Option(help="The file to write, ending in .names.")],
    column: Annotated[str, typer.Option(help="The column of a CSV or TSV that holds full names.")] = "name",
    kind: Annotated[str, typer.Option(help="What these people are to a policy: private or public.")] = "private",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a file for Guard(names=…) out of lists of full names. It can be read by whoever has it.

    Single words and names of ordinary words are left out: they stand in prompts by chance. Exit code: 0 done, 2 usage.
    """
    from guardrail.checks.text.namefile import SUFFIX
    from guardrail.checks.text.namefile import build as write

    if kind not in ("private", "public"):
        raise typer.BadParameter("--kind is private or public")
    if out.suffix != SUFFIX:
        raise typer.BadParameter(f"--out ends in {SUFFIX}: that is how Guard(names=…) knows it")
    count, left_out = write(_all(files, column), out, kind=kind)  # type: ignore[arg-type]
    size = out.stat().st_size
    if json:
        show.print_json({"file": str(out), "names": count, "bytes": size, "left_out": dict(left_out)})
        return
    show.say(f"{out}: {count:,} names, {size:,} bytes")
    for reason, number in left_out.most_common():
        show.say(f"left out: {number:,}, {reason}")


def _all(files: Iterable[Path], column: str) -> Iterator[str]:
    for path in files:
        plain = path.with_suffix("") if path.suffix == ".gz" else path
        opened: Any = gzip.open if path.suffix == ".gz" else open
        try:
            with opened(path, "rt", encoding="utf-8-sig", newline="") as lines:
                if plain.suffix in _CSV:
                    rows = csv.DictReader(lines, delimiter=_CSV[plain.suffix])
                    if column not in (rows.fieldnames or ()):
                        known = ", ".join(rows.fieldnames or ()) or "none"
                        raise typer.BadParameter(f"{path} has no column {column!r}; it has: {known}")
                    yield from (row[column] or "" for row in rows)
                else:
                    yield from (line for line in lines if line.strip() and not line.startswith("#"))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise typer.BadParameter(f"{path} cannot be read: {type(error).__name__}") from None
