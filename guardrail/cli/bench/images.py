"""``guardrail bench images``: what the image checks find in folders of pictures."""

from __future__ import annotations

import json as json_text
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli import show
from guardrail.cli.bench.printed import print_report
from guardrail.cli.bench.prompts import Progress
from guardrail.cli.policy.shared import JSON, refuse

__all__ = ["register"]


def images(
    data: Annotated[list[Path], typer.Option("--data", help="A folder of pictures; several times.")],
    faces: Annotated[str, typer.Option(help="Face backend: auto, insightface, opencv, yunet or embedded.")] = "auto",
    pack: Annotated[Path | None, typer.Option(help="The folder of a local insightface pack.")] = None,
    known: Annotated[str, typer.Option(help="Lists of known images: auto (yours), a folder, or none.")] = "auto",
    out: Annotated[Path | None, typer.Option(help="Folder for report.json and report.md.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures, evenly spread.")] = None,
    show_files: Annotated[int, typer.Option("--show", min=0, help="Name so many files of each kind of mistake.")] = 0,
    json: JSON = False,
) -> None:
    """Measure faces, nudity and known images on folders of pictures, with rates and processor time.

    A csv in a folder (columns file, n_faces, category) says what its pictures show; faces.csv may also lie beside the
    folder faces. Exit code: 0 done, 2 usage or data, 3 some pictures could not be read, or a check could not answer.
    """
    if known not in ("auto", "none") and not (known and Path(known).is_dir()):
        refuse(f"--known {known!r} is no folder: give auto, none or a folder of lists", json)
    from guardrail.bench.files import DataError
    from guardrail.bench.image_tables import image_facts, image_sheets
    from guardrail.bench.images import ImagePlan, failed, measure
    from guardrail.bench.report import prepare, write_texts, written
    from guardrail.checks.base import CheckSettings
    from guardrail.guard.build import open_known
    from guardrail.keys import load_keyring

    lists = open_known(known, load_keyring()) if known != "none" else None
    settings = CheckSettings(face_backend=faces, insightface_pack=str(pack.absolute()) if pack else "", known=lists)
    try:
        if out is not None:
            prepare(out)
        plan = ImagePlan(data, settings, limit, show_files, shlex.join(["guardrail", *sys.argv[1:]]))
        report = measure(plan, Progress() if sys.stderr.isatty() else None)
        files: list[Path] = []
        if out is not None:
            texts = {
                "report.json": json_text.dumps(report, ensure_ascii=False, allow_nan=False) + "\n",
                "report.md": written("Image checks", image_facts(report), image_sheets(report)),
            }
            files = write_texts(texts, out)
    except DataError as error:
        refuse(str(error), json)
    if json:
        show.print_json(report)
    else:
        print_report(image_facts(report), image_sheets(report), files)
    raise typer.Exit(3 if failed(report) else 0)


def register(app: typer.Typer) -> None:
    app.command()(images)
