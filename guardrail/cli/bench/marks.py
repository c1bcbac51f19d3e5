"""``guardrail bench marks``: watermarks under what happens to pictures, and under attack."""

from __future__ import annotations

import json as json_text
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guardrail.cli import show
from guardrail.cli.bench.printed import print_report
from guardrail.cli.bench.prompts import Progress
from guardrail.cli.policy.shared import JSON, refuse

if TYPE_CHECKING:
    from guardrail.bench.tables import Sheet

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
    jobs: Annotated[int, typer.Option(min=1, help="Processes. Times are those of a machine so busy.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Folder for marks.json and marks.md, or mark-attacks.json and .md.")
    ] = None,
    json: JSON = False,
) -> None:
    """Measure the watermark: which share of payloads survives what, at which quality; ours and others in one run.

    Without --images, scikit-image's pictures are taken, and sixteen drawn ones where that is not installed. What is
    written is written while it runs, too. Exit code: 0 done, whatever the figures are; 2 usage or data.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is there: times are for one core
    from guardrail.bench.files import DataError
    from guardrail.bench.marks.attack_tables import attack_facts, attack_sheets
    from guardrail.bench.marks.attacking import AttackPlan, attack
    from guardrail.bench.marks.conditions import QUICK, named
    from guardrail.bench.marks.measure import MarksPlan, measure
    from guardrail.bench.marks.pictures import size_of
    from guardrail.bench.marks.tables import mark_facts, mark_sheets
    from guardrail.bench.report import prepare

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
        if out is not None:
            prepare(out)
        sizes = [size_of(text) for text in size or (["512"] if attacks else ["512", "1024"])]
        if attacks:
            plan = AttackPlan(
                folders, packaged, drawn, sizes[0], (psnr or [43.0])[0], victims, queries or [500, 2000], command
            )
            if quick:
                plan = plan.small()
            keep = _writer(out, "mark-attacks", "Attacks on the watermark", attack_facts, attack_sheets)
            report, facts, sheets = attack(plan, progress, keep), attack_facts, attack_sheets
        else:
            try:
                asked = named(conditions)
            except ValueError as error:
                refuse(str(error), json)
            keep = _writer(out, "marks", "Watermarks", mark_facts, mark_sheets)
            report = measure(
                MarksPlan(
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
                ),
                progress,
                keep,
            )
            facts, sheets = mark_facts, mark_sheets
        files = keep(report)
    except DataError as error:
        refuse(str(error), json)
    if json:
        show.print_json(report)
        return
    print_report(facts(report), (s for s in sheets(report) if s.brief), files)


def _has_skimage(wanted: bool) -> bool:
    from importlib.util import find_spec

    return wanted and find_spec("skimage") is not None


def _writer(
    out: Path | None,
    stem: str,
    title: str,
    facts: Callable[[Mapping[str, Any]], list[tuple[str, str]]],
    sheets: Callable[[Mapping[str, Any]], Sequence[Sheet]],
) -> Callable[[dict[str, Any]], list[Path]]:
    """Writes a report, complete or so far, under a name."""
    from guardrail.bench.report import write_texts, written

    def write(report: dict[str, Any]) -> list[Path]:
        if out is None:
            return []
        texts = {
            f"{stem}.json": json_text.dumps(report, ensure_ascii=False, allow_nan=False, indent=1) + "\n",
            f"{stem}.md": written(title, facts(report), sheets(report)),
        }
        return write_texts(texts, out)

    return write


def register(app: typer.Typer) -> None:
    app.command()(marks)
