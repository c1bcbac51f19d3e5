"""``guardrail bench images``: what the image checks find in folders of pictures."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli.bench.printed import carry_out
from guardrail.cli.policy.shared import JSON, refuse

__all__ = ["register"]


def images(
    data: Annotated[list[Path], typer.Option("--data", help="A folder of pictures, or a name; several times.")],
    faces: Annotated[str, typer.Option(help="Face backend: auto, insightface, opencv, yunet or embedded.")] = "auto",
    pack: Annotated[Path | None, typer.Option(help="The folder of a local insightface pack.")] = None,
    known: Annotated[
        str, typer.Option(help="Lists of known images: auto (yours), a folder, none, or data (every second picture).")
    ] = "auto",
    attacks: Annotated[bool, typer.Option("--attacks", help="Also measure what changed pictures are missed.")] = False,
    attack: Annotated[list[str] | None, typer.Option(help="Only this attack; several times.")] = None,
    seed: Annotated[int, typer.Option(help="Of what the attacks draw.")] = 1,
    out: Annotated[Path | None, typer.Option("--out", "--output_path", help="Folder for the run.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew instead of going on from the folder.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures, evenly spread.")] = None,
    show_files: Annotated[int, typer.Option("--show", min=0, help="Name so many files of each kind of mistake.")] = 0,
    keep_names: Annotated[bool, typer.Option("--keep-names", help="Names of files and folders are written.")] = False,
    json: JSON = False,
) -> None:
    """Measure faces, nudity and known images on folders of pictures, with rates and processor time.

    A csv in a folder (columns file, n_faces, category) says what its pictures show; faces.csv may also lie beside the
    folder faces. Exit code: 0 done, 2 usage or data, 3 some pictures could not be read, or a check could not answer.
    """
    if known not in ("auto", "none", "data") and not (known and Path(known).is_dir()):
        refuse(f"--known {known!r} is no folder: give auto, none, data or a folder of lists", json)
    from guardrail.bench.files import DataError
    from guardrail.bench.images import ImagePlan, failed, measure
    from guardrail.bench.progress import progress_here
    from guardrail.checks.base import CheckSettings
    from guardrail.guard.build import open_known
    from guardrail.keys import load_keyring

    lists = open_known(known, load_keyring()) if known not in ("none", "data") else None
    plan = ImagePlan(
        data,
        CheckSettings(face_backend=faces, insightface_pack=str(pack.absolute()) if pack else "", known=lists),
        limit,
        show_files,
        attacks=tuple(attack or ()) or (("all",) if attacks else ()),
        seed=seed,
        known_here=known == "data",
        out=out,
        fresh=fresh,
        keep_names=keep_names,
        command=shlex.join(["guardrail", *sys.argv[1:]]),
    )
    try:
        run = carry_out(lambda: measure(plan, progress_here()), out, json)
    except DataError as error:
        refuse(error, json)
    raise typer.Exit(3 if failed(run) else 0)


def register(app: typer.Typer) -> None:
    app.command()(images)
