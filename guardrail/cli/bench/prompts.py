"""``guardrail bench prompts``: what a policy decides about labelled prompts."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guardrail.bench.progress import Progress
from guardrail.cli import show
from guardrail.cli.policy.shared import JSON, refuse

if TYPE_CHECKING:
    from guardrail.bench.tables import Sheet

__all__ = ["Progress", "register", "table"]


def prompts(
    ctx: typer.Context,
    data: Annotated[
        list[Path],
        typer.Option("--data", help="JSONL, CSV or Parquet, a folder, or the name of described data; several times."),
    ],
    more: Annotated[list[Path] | None, typer.Argument(help="More of the same.")] = None,
    split: Annotated[str, typer.Option(help="Only this split of data that have several, such as test.")] = "",
    policy: Annotated[str, typer.Option(help="A shipped policy's name, or a rule file.")] = "default",
    checks: Annotated[str, typer.Option(help="Only these checks; rules that read others are left out.")] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "--output_path", help="Folder of the run: results.jsonl, metrics.json, report.html and more."
        ),
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="FIELD=NAME, for other column names: text=prompt.")] = None,
    label_map: Annotated[
        list[str] | None, typer.Option("--label-map", help="OWN=OURS, for other labels: nsfw=sexual; several times.")
    ] = None,
    block: Annotated[str, typer.Option(help="Labels that ought to be blocked.")] = "sexual,nudity",
    benign: Annotated[str, typer.Option(help="Labels that are harmless.")] = "benign",
    other: Annotated[str, typer.Option(help="More labels to count apart, besides violence, hate and the like.")] = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many rows; evenly spread without --seed.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the rows that --limit draws, and of the disguises.")] = None,
    attacks: Annotated[bool, typer.Option("--attacks", help="Also measure what disguises do.")] = False,
    attack_rows: Annotated[int, typer.Option(min=1, help="Prompts to disguise, of each kind.")] = 500,
    pairs: Annotated[int, typer.Option(min=0, help="Disguises in twos, tried on each of them.")] = 31,
    workers: Annotated[int, typer.Option(min=1, help="Processes, each with a guard on one core.")] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, whatever the folder holds.")] = False,
    show_rows: Annotated[int, typer.Option(min=0, help="Name so many missed rows and false alarms, by id.")] = 0,
    keep_text: Annotated[
        bool,
        typer.Option(
            "--keep-text", "--log_samples", help="Write the prompts, too: into results.jsonl and tables of named rows."
        ),
    ] = False,
    json: JSON = False,
) -> None:
    """Measure what a policy decides about labelled prompts. Nothing that is written holds a prompt, unless asked for.

    The same command with the same --out goes on where it was stopped or killed. To compare two runs, or to let a build
    fail: guardrail bench compare, guardrail bench gate. Exit code: 0 done, 2 usage or data, 3 something could not be
    checked (it was blocked, and counts as blocked).
    """
    from guardrail.bench.data import Columns, Labels
    from guardrail.bench.data import label_map as mapped
    from guardrail.bench.files import DataError
    from guardrail.bench.progress import progress_here
    from guardrail.bench.prompts import Plan, failed_checks, measure
    from guardrail.cli.bench.printed import carry_out

    bar = progress_here()
    try:
        plan = Plan(
            data=[*data, *(more or ())],
            split=split,
            policy=policy,
            columns=Columns.of(column or ()),
            labels=Labels(_words(block), _words(benign), (*Labels().other, *_words(other)), mapped(label_map or ())),
            checks=_words(checks),
            limit=limit,
            seed=seed,
            attacks=attacks,
            attack_rows=attack_rows,
            pairs=pairs,
            show=show_rows,
            keep_text=keep_text,
            workers=workers,
            out=out,
            fresh=fresh,
            command=_command(ctx),
        )
        run = carry_out(lambda: measure(plan, bar), out, json)
    except DataError as error:
        refuse(error, json)
    except KeyboardInterrupt:
        if out is not None:
            show.say(f"stopped: the same command goes on from what is in {out}", err=True)
        raise
    finally:
        if bar is not None:
            bar.close()
    raise typer.Exit(3 if failed_checks(run) else 0)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _command(ctx: typer.Context) -> str:
    """What was typed, as far as it can be told from the options."""
    given: list[str] = ["guardrail", "bench", "prompts"]
    for parameter in ctx.command.params:
        name, value = parameter.name or "", ctx.params.get(parameter.name or "")
        if value is None or value is False or value in ([], ()) or value == parameter.get_default(ctx):
            continue
        flag = "--data" if name == "more" else parameter.opts[0]
        values = value if isinstance(value, list | tuple) else [value]
        given += [flag] if value is True else [part for one in values for part in (flag, str(one))]
    return shlex.join(given)


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
