"""``guardrail bench latency``: what the guard costs a service."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from guardrail.cli.bench.printed import carry_out
from guardrail.cli.bench.prompts import Progress
from guardrail.cli.policy.shared import JSON, refuse

__all__ = ["register"]


def latency(
    policy: Annotated[str, typer.Option(help="A shipped policy's name, or a rule file.")] = "default",
    calls: Annotated[int, typer.Option(min=5, help="Calls of each kind; fewer for pictures and the pipeline.")] = 300,
    processes: Annotated[int, typer.Option(min=0, help="Fresh processes for each cold figure; 0: none.")] = 7,
    out: Annotated[Path | None, typer.Option("--out", "--output_path", help="Folder for the run.")] = None,
    json: JSON = False,
) -> None:
    """Measure time: cold start, prompts, pictures, a guarded call against the bare one, and each step's share.

    Exit code: 0 done, whatever the figures are; 2 usage; 3 the policy cannot be enforced here.
    """
    from guardrail.bench.files import DataError
    from guardrail.bench.latency import LatencyPlan, measure
    from guardrail.demo.pictures import portrait

    plan = LatencyPlan(
        _opener(), portrait if _has("skimage") else None, policy, calls, processes,
        shlex.join(["guardrail", *sys.argv[1:]]),
    )  # fmt: skip
    try:
        carry_out(lambda: measure(plan, Progress() if sys.stderr.isatty() else None), out, json)
    except DataError as error:
        refuse(error, json)


def _has(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def _opener() -> Callable[[], Any] | None:
    if not _has("diffusers"):
        return None

    def opened() -> Any:
        from guardrail.demo.tiny import tiny_stable_diffusion

        return tiny_stable_diffusion("StableDiffusionImg2ImgPipeline")

    return opened


def register(app: typer.Typer) -> None:
    app.command()(latency)
