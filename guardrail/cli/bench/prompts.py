"""``guardrail bench prompts``: what a policy decides about labelled prompts."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guardrail.cli import show
from guardrail.cli.policy.shared import JSON, refuse

if TYPE_CHECKING:
    from guardrail.bench.tables import Sheet

__all__ = ["Progress", "register", "table"]


def prompts(
    ctx: typer.Context,
    data: Annotated[list[Path], typer.Option("--data", help="JSONL or CSV (also .gz), or a folder; several times.")],
    more: Annotated[list[Path] | None, typer.Argument(help="More of the same.")] = None,
    policy: Annotated[str, typer.Option(help="A shipped policy's name, or a rule file.")] = "default",
    out: Annotated[Path | None, typer.Option(help="Folder for report.json, report.md and report.html.")] = None,
    column: Annotated[list[str] | None, typer.Option(help="FIELD=NAME, for other column names: text=prompt.")] = None,
    block: Annotated[str, typer.Option(help="Labels that ought to be blocked.")] = "sexual,nudity",
    benign: Annotated[str, typer.Option(help="Labels that are harmless.")] = "benign",
    other: Annotated[str, typer.Option(help="More labels to count apart, besides violence, hate and the like.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows, evenly spread.")] = None,
    attacks: Annotated[bool, typer.Option("--attacks", help="Also measure what disguises do.")] = False,
    attack_rows: Annotated[int, typer.Option(min=1, help="Prompts to disguise, of each kind.")] = 500,
    pairs: Annotated[int, typer.Option(min=0, help="Disguises in twos, tried on each of them.")] = 31,
    seed: Annotated[int, typer.Option(help="Of the disguises.")] = 1,
    thresholds: Annotated[
        bool, typer.Option("--thresholds", help="Which threshold keeps to which false alarms.")
    ] = False,
    against: Annotated[Path | None, typer.Option(help="Compare with the report.json of an earlier run.")] = None,
    show_rows: Annotated[int, typer.Option(min=0, help="Name so many missed rows and false alarms, by id.")] = 0,
    with_text: Annotated[
        bool, typer.Option("--with-text", help="Show the prompts of these rows: on the screen and in the report.")
    ] = False,
    json: JSON = False,
) -> None:
    """Measure what a policy decides about labelled prompts. Nothing that is written holds a prompt, unless asked for.

    Exit code: 0 done, 1 significantly worse than the report compared with, 2 usage or data, 3 something could not be
    checked (it was blocked, and counts as blocked).
    """
    if with_text and not show_rows:
        refuse("--with-text says how rows are shown: say how many with --show-rows", json)
    from guardrail.bench.compare import compared, read_report
    from guardrail.bench.data import Columns, Labels
    from guardrail.bench.files import DataError
    from guardrail.bench.prompts import Plan, failed_checks, measure
    from guardrail.bench.report import prepare, write

    try:
        plan = Plan(
            data=[*data, *(more or ())],
            policy=policy,
            columns=Columns.of(column or ()),
            labels=Labels(_words(block), _words(benign), (*Labels().other, *_words(other))),
            limit=limit,
            attacks=attacks,
            attack_rows=attack_rows,
            pairs=pairs,
            seed=seed,
            show=show_rows,
            with_text=with_text,
            thresholds=thresholds,
            command=_command(ctx),
        )
        earlier = read_report(against) if against is not None else None
        if out is not None:
            prepare(out)
        report = measure(plan, Progress() if sys.stderr.isatty() else None)
        report["against"] = compared(report, earlier) if earlier is not None else None
        written = write(report, out) if out is not None else []
    except DataError as error:
        refuse(str(error), json)
    if json:
        show.print_json({name: value for name, value in report.items() if name != "rows"})
    else:
        _print(report, written)
    if failed_checks(report):
        raise typer.Exit(3)
    raise typer.Exit(1 if report["against"] and report["against"]["worse"] else 0)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _command(ctx: typer.Context) -> str:
    """What was typed, as far as it can be told from the options."""
    given: list[str] = ["guardrail", "bench", "prompts"]
    for parameter in ctx.command.params:
        name, value = parameter.name or "", ctx.params.get(parameter.name or "")
        if value in (None, False, [], ()) or value == parameter.get_default(ctx):
            continue
        flag = "--data" if name == "more" else parameter.opts[0]
        values = value if isinstance(value, list | tuple) else [value]
        given += [flag] if value is True else [part for one in values for part in (flag, str(one))]
    return shlex.join(given)


class Progress:
    """One line on stderr, rewritten a few times a second."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if done == of:
            typer.echo("\r\x1b[K", err=True, nl=False)
        elif now - self._last > 0.2:
            self._last = now
            typer.echo(f"\r\x1b[K{done:,} of {of:,} {what}", err=True, nl=False)


def _print(report: Mapping[str, Any], written: Sequence[Path]) -> None:
    from rich.markup import escape

    from guardrail.bench.tables import facts, sheets

    out = show.console()
    for name, value in facts(report):
        if name != "command":
            out.print(f"[dim]{name}:[/] {escape(value)}")
    for sheet in sheets(report):
        if sheet.brief:
            out.print()
            out.print(f"[bold]{escape(sheet.title)}[/]")
            if sheet.note:
                out.print(f"[dim]{escape(sheet.note)}[/]")
            out.print(table(sheet))
    for path in written:
        typer.echo(f"written: {path}")


def table(sheet: Sheet) -> Any:
    """A sheet for the terminal."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, padding=(0, 2))
    for i, name in enumerate(sheet.head):
        made.add_column(Text(name), justify="left" if i < sheet.words else "right", overflow="fold")
    for row in sheet.rows:
        made.add_row(*map(Text, row))
    return made


def register(app: typer.Typer) -> None:
    app.command()(prompts)
