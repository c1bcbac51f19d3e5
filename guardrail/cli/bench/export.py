"""``guardrail bench export``: a run in the format of another program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli import show
from guardrail.cli.policy.shared import JSON, refuse

__all__ = ["register"]


def export(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    inspect: Annotated[
        Path, typer.Option("--inspect", help="FILE.eval, or FILE.json, to write: a log of Inspect (inspect_ai).")
    ],
    json: JSON = False,
) -> None:
    """Write a run as a log of Inspect: a sample a prompt, and every figure with its interval.

    Of suites other than prompts, the figures alone. Exit code: 0 done, 2 it cannot be written.
    """
    from guardrail.bench.inspect_log import write_inspect_log
    from guardrail.errors import ConfigurationError

    try:
        made = write_inspect_log(run, inspect)
    except ConfigurationError as error:
        refuse(error, json)
    if json:
        show.print_json(
            {"written": str(made.path), "samples": made.samples, "figures": made.figures, "holds_prompts": made.texts}
        )
        return
    show.say(f"written: {made.path}, {made.samples:,} samples, {made.figures:,} figures")
    if made.texts:
        show.say("The log holds prompts, as the run does (--keep-text).")


def register(app: typer.Typer) -> None:
    app.command()(export)
