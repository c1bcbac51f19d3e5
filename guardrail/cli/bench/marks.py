"""``guardrail bench marks``: watermarks under what happens to pictures, and under attack."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli.bench.printed import carry_out
from guardrail.cli.bench.prompts import Progress
from guardrail.cli.policy.shared import JSON, refuse

__all__ = ["register"]


def marks(
    images: Annotated[list[Path] | None, typer.Option("--images", help="A folder of pictures; several times.")] = None,
    packaged: Annotated[bool, typer.Option(help="Also scikit-image's pictures, where it is installed.")] = True,
    drawn: Annotated[int, typer.Option(min=0, help="Also so many pictures drawn by this program.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures, evenly spread.")] = None,
    size: Annotated[list[str] | None, typer.Option(help="512, or 768x512; several times. [default: 512, 1024]")] = None,
    psnr: Annotated[list[float] | None, typer.Option(help="Strength in dB; several times. [default: 43]")] = None,
    conditions: Annotated[str, typer.Option(help="Names with commas between them, or all.")] = "all",
    peers: Annotated[bool, typer.Option(help="Also other people's watermarks, where they are installed.")] = True,
    peer_pictures: Annotated[int, typer.Option(min=1, help="On so many pictures; a quarter where slow.")] = 20,
    attacks: Annotated[bool, typer.Option("--attacks", help="Play the attacker instead: forge, remove.")] = False,
    queries: Annotated[
        list[int] | None, typer.Option(min=10, help="Questions to the detector; several times. [default: 500, 2000]")
    ] = None,
    victims: Annotated[int, typer.Option(min=1, help="Pictures that each attack is tried on.")] = 20,
    quick: Annotated[bool, typer.Option("--quick", help="Two drawn pictures, few conditions: seconds.")] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", "--workers", min=1, help="Processes. Times are those of a machine so busy.")
    ] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, whatever the folder holds.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "--output_path", help="Folder for the run.")] = None,
    keep_names: Annotated[bool, typer.Option("--keep-names", help="Names of folders are written, no numbers.")] = False,
    json: JSON = False,
) -> None:
    """Measure the watermark: which share of payloads survives what, at which quality; ours and others in one run.

    Without --images, scikit-image's pictures are taken, and sixteen drawn ones where that is not installed. A run that
    was stopped goes on where it was (not --attacks). Exit code: 0 done, whatever the figures are; 2 usage or data.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is there: times are for one core
    from guardrail.bench.files import DataError
    from guardrail.bench.marks.as_run import attacks_run, marks_run
    from guardrail.bench.marks.attacking import AttackPlan, attack
    from guardrail.bench.marks.conditions import QUICK, named
    from guardrail.bench.marks.measure import MarksPlan, measure
    from guardrail.bench.marks.pictures import size_of
    from guardrail.bench.run.samples import FILE

    command = shlex.join(["guardrail", *sys.argv[1:]])
    progress = Progress() if sys.stderr.isatty() else None
    folders = images or []
    if quick:
        packaged, peers, drawn, size = False, False, drawn or 2, size or ["256"]
        conditions = QUICK if conditions == "all" else conditions
        victims, queries = min(victims, 2), queries or [20]
    elif not folders and not _has_skimage(packaged):
        drawn = drawn or 16
    try:
        sizes = [size_of(text) for text in size or (["512"] if attacks else ["512", "1024"])]
        if attacks:
            strength, asked_for = (psnr or [43.0])[0], queries or [500, 2000]
            trial = AttackPlan(
                folders, packaged, drawn, sizes[0], strength, victims, asked_for, command, keep_names=keep_names
            )
            carry_out(lambda: attacks_run(attack(trial.small() if quick else trial, progress)), out, json)
            return
        try:
            asked = named(conditions)
        except ValueError as error:
            refuse(error, json)
        results = out / FILE if out is not None else None
        plan = MarksPlan(
            folders,
            packaged,
            drawn,
            limit,
            sizes,
            psnr or [43.0],
            asked,
            peers,
            peer_pictures,
            command,
            jobs,
            results,
            fresh,
            keep_names,
        )
        carry_out(lambda: marks_run(measure(plan, progress)), out, json)
    except DataError as error:
        refuse(error, json)


def _has_skimage(wanted: bool) -> bool:
    from importlib.util import find_spec

    return wanted and find_spec("skimage") is not None


def register(app: typer.Typer) -> None:
    app.command()(marks)
