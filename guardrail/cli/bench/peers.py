"""``guardrail bench peers``: guardrail beside other filters, detectors and engines, on the same rows."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from guardrail.cli.bench.printed import carry_out
from guardrail.cli.policy.shared import JSON, refuse

if TYPE_CHECKING:
    from guardrail.bench.peers.base import Kind

__all__ = ["register"]


def peers(
    kind: Annotated[str, typer.Option(help="text, image or engine.")] = "text",
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="Prompts (JSONL, CSV), or folders of pictures; several times.")
    ] = None,
    split: Annotated[str, typer.Option(help="Only this split of data that have several, such as test.")] = "",
    policy: Annotated[str, typer.Option(help="guardrail's own: a shipped policy's name, or a rule file.")] = "default",
    out: Annotated[Path | None, typer.Option(help="Folder for the run; a run that was killed goes on from it.")] = None,
    train: Annotated[
        list[Path] | None, typer.Option(help="Labelled prompts that the trained peers learn from; several times.")
    ] = None,
    train_rows: Annotated[int, typer.Option(min=1, help="At most so many harmless ones of them.")] = 20_000,
    hub: Annotated[
        list[str] | None, typer.Option(help="NAME=FOLDER, a model of yours in safetensors; several times.")
    ] = None,
    hub_unsafe: Annotated[
        list[str] | None, typer.Option(help="NAME=LABEL,LABEL: which labels of that model mean sexual content.")
    ] = None,
    word_list: Annotated[list[str] | None, typer.Option(help="NAME=FILE, a term a line; several times.")] = None,
    only: Annotated[str, typer.Option(help="Names of peers with commas between them; the others are not run.")] = "",
    also: Annotated[str, typer.Option(help="Peers that run only where they are asked for: NudeNet (AGPL-3.0).")] = "",
    column: Annotated[list[str] | None, typer.Option(help="FIELD=NAME, for other column names: text=prompt.")] = None,
    label_map: Annotated[
        list[str] | None, typer.Option("--label-map", help="OWN=OURS, for other labels: nsfw=sexual; several times.")
    ] = None,
    block: Annotated[str, typer.Option(help="Labels that ought to be blocked.")] = "sexual,nudity",
    benign: Annotated[str, typer.Option(help="Labels that are harmless; * for all others (pictures).")] = "benign",
    other: Annotated[str, typer.Option(help="More labels to count apart, besides violence, hate and the like.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows, evenly spread.")] = None,
    seed: Annotated[int, typer.Option(help="Of training rows, solvers and cases.")] = 1,
    published: Annotated[
        Path | None, typer.Option(help="YAML of figures that others published. [default: benchmarks/published.yaml]")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, whatever is in --out.")] = False,
    keep_text: Annotated[bool, typer.Option("--keep-text", help="results.jsonl holds the prompts too.")] = False,
    json: JSON = False,
) -> None:
    """Measure guardrail beside every peer that runs here. What does not run is named with the reason, never as zero.

    Nothing is downloaded and nothing installed: docs/peers.md says what brings each. Exit code: 0 done, whatever the
    figures are; 2 usage or data; 3 guardrail's own policy cannot be enforced here.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is there: times are for one core
    from guardrail.bench.data import Columns, Labels
    from guardrail.bench.data import label_map as mapped
    from guardrail.bench.files import DataError
    from guardrail.bench.peers.plan import PeerPlan, hub_of, named_files
    from guardrail.bench.peers.run import peers_run
    from guardrail.bench.progress import progress_here

    if kind not in ("text", "image", "engine"):
        refuse(f"--kind {kind}: it is text, image or engine", json)
    try:
        plan = PeerPlan(
            cast("Kind", kind),
            data or [],
            policy,
            Columns.of(column or ()),
            Labels(_words(block), _words(benign), (*Labels().other, *_words(other)), mapped(label_map or ())),
            limit,
            seed,
            train or [],
            train_rows,
            hub_of(hub or (), hub_unsafe or ()),
            named_files(word_list or (), "--word-list"),
            _words(only),
            _words(also),
            published,
            fresh,
            keep_text,
            shlex.join(["guardrail", *sys.argv[1:]]),
            split,
        )
        carry_out(lambda: peers_run(plan, out, progress_here()), out, json)
    except DataError as error:
        refuse(error, json)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def register(app: typer.Typer) -> None:
    app.command()(peers)
