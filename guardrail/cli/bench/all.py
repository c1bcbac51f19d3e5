"""``guardrail bench all``: every suite into one folder."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli import show
from guardrail.cli.bench.printed import carry_out
from guardrail.cli.policy.shared import JSON, refuse

__all__ = ["register"]


def all_(
    out: Annotated[Path, typer.Option("--out", "--output_path", help="Folder: one folder in it for each suite.")],
    prompts: Annotated[list[str] | None, typer.Option(help="Labelled prompts; several times.")] = None,
    images: Annotated[list[str] | None, typer.Option(help="A folder of pictures; several times.")] = None,
    train: Annotated[list[str] | None, typer.Option(help="Prompts that trained peers learn from.")] = None,
    policy: Annotated[str, typer.Option(help="A shipped policy's name, or a rule file.")] = "default",
    column: Annotated[list[str] | None, typer.Option(help="FIELD=NAME, for other column names: text=prompt.")] = None,
    label_map: Annotated[
        list[str] | None, typer.Option("--label-map", help="OWN=OURS, for other labels: nsfw=sexual; several times.")
    ] = None,
    block: Annotated[str | None, typer.Option(help="Labels that ought to be blocked.")] = None,
    benign: Annotated[str | None, typer.Option(help="Labels that are harmless.")] = None,
    other: Annotated[str | None, typer.Option(help="More labels to count apart.")] = None,
    only: Annotated[str, typer.Option("--only", "--tasks", help="Suites with commas between them; else all.")] = "",
    workers: Annotated[int, typer.Option(min=1, help="Processes of a suite that can use several.")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="Few samples of everything: minutes, and no claims.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run suites again that are there already.")] = False,
    json: JSON = False,
) -> None:
    """Run every suite that can run here, and gather the figures of all.

    The same command goes on where it was stopped. Exit code: 0 every suite that has its data ran, 1 one failed,
    2 usage, or none ran.
    """
    from guardrail.bench.everything import carry_out_all, failed, suites_of
    from guardrail.bench.files import DataError

    suites = suites_of(
        prompts=prompts or (),
        images=images or (),
        train=train or (),
        policy=policy,
        workers=workers,
        quick=quick,
        column=column or (),
        label_map=label_map or (),
        block=block,
        benign=benign,
        other=other,
    )
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in {s.name for s in suites}]
    if unknown:
        refuse(f"no suite is called {unknown[0]!r}; there are {', '.join(s.name for s in suites)}", json)
    chosen = [s for s in suites if not wanted or s.name in wanted]
    command = shlex.join(["guardrail", *sys.argv[1:]])
    tell = lambda name: show.say(f"running {name} …", err=True)  # noqa: E731
    try:
        run = carry_out(lambda: carry_out_all(suites, out, command, tell, fresh=fresh, only=wanted), out, json)
    except DataError as error:
        refuse(error, json)
    raise typer.Exit(1 if failed(run, chosen) else 0)


def register(app: typer.Typer) -> None:
    app.command(name="all")(all_)
