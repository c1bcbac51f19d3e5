"""``guardrail bench pipelines``: what putting a pipeline under the guard costs."""

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


def pipelines(
    model: Annotated[Path | None, typer.Option(help="Folder of a saved diffusers pipeline; else a tiny one.")] = None,
    policy: Annotated[str, typer.Option(help="A shipped policy's name, or a rule file. Its checks are stubbed.")] = (
        "default"
    ),
    calls: Annotated[int, typer.Option(min=5, help="Pairs of calls, bare and guarded.")] = 200,
    memory_calls: Annotated[int, typer.Option(min=0, help="Calls for the growth of memory; 0: leave it out.")] = 1000,
    guard_memory: Annotated[
        bool, typer.Option(help="Also the memory of a guard with every check loaded (models pulled).")
    ] = True,
    out: Annotated[Path | None, typer.Option("--out", "--output_path", help="Folder for the run.")] = None,
    json: JSON = False,
) -> None:
    """Measure the guard around a pipeline: time a call and a step with all checks stubbed, and memory.

    Exit code: 0 done, whatever the figures are; 2 usage, or memory that cannot be measured (models not
    pulled); 3 a pipeline or a policy that does not load.
    """
    from guardrail.bench.files import DataError
    from guardrail.bench.pipeline_tables import pipelines_run
    from guardrail.bench.pipelines import PipelinePlan, measure
    from guardrail.demo.opening import open_pipeline
    from guardrail.demo.pictures import portrait

    plan = PipelinePlan(
        open_pipeline,
        portrait,
        model,
        policy,
        calls,
        memory_calls=memory_calls,
        guard_memory=guard_memory,
        command=shlex.join(["guardrail", *sys.argv[1:]]),
    )
    progress = Progress() if sys.stderr.isatty() else None
    try:
        carry_out(lambda: pipelines_run(measure(plan, progress)), out, json)
    except DataError as error:
        refuse(error, json)


def register(app: typer.Typer) -> None:
    app.command()(pipelines)
