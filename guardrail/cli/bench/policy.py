"""``guardrail bench policy``: the rules alone, without any check."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli.bench.printed import carry_out
from guardrail.cli.bench.prompts import Progress
from guardrail.cli.policy.shared import JSON, refuse

__all__ = ["register"]


def policy(
    policies: Annotated[
        list[str] | None, typer.Argument(help="Names of shipped policies, or rule files. [default: all shipped]")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="Random requests of each kind that is never allowed.")] = 2_000,
    calls: Annotated[int, typer.Option(min=1, help="Timed verdicts of each stage.")] = 2_000,
    seed: Annotated[int, typer.Option(help="Of the random requests.")] = 1,
    out: Annotated[Path | None, typer.Option("--out", "--output_path", help="Folder for the run.")] = None,
    json: JSON = False,
) -> None:
    """Measure rules: their own tests, what is never allowed under random signals, what a verdict costs.

    Exit code: 0 done, whatever the figures are; 2 a policy does not load. To fail a build: guardrail bench gate.
    """
    from guardrail.bench.files import DataError
    from guardrail.bench.policies import SHIPPED, PolicyPlan, measure

    plan = PolicyPlan(policies or SHIPPED, draws, calls, seed, shlex.join(["guardrail", *sys.argv[1:]]))
    try:
        carry_out(lambda: measure(plan, Progress() if sys.stderr.isatty() else None), out, json)
    except DataError as error:
        refuse(error, json)


def register(app: typer.Typer) -> None:
    app.command()(policy)
