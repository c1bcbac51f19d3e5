"""``guardrail bench adaptive``: how many queries it takes to a wording that the guard allows."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli.bench.printed import carry_out
from guardrail.cli.policy.shared import JSON, refuse

__all__ = ["register"]


def adaptive(
    data: Annotated[list[Path], typer.Option("--data", help="A file of prompts, a folder, or a name; several times.")],
    split: Annotated[str, typer.Option(help="Only this split of data that have several, such as test.")] = "",
    policy: Annotated[str, typer.Option(help="A shipped policy's name, or a rule file.")] = "default",
    column: Annotated[list[str] | None, typer.Option(help="FIELD=NAME, for other column names: text=prompt.")] = None,
    block: Annotated[str, typer.Option(help="Labels that ought to be blocked.")] = "sexual,nudity",
    benign: Annotated[str, typer.Option(help="Labels that are harmless.")] = "benign",
    other: Annotated[str, typer.Option(help="More labels to leave out, besides violence, hate and the like.")] = "",
    labels: Annotated[
        list[str] | None, typer.Option("--label-map", help="OWN=OURS, for other labels: nsfw=sexual.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Prompts to attack, drawn from those that are stopped.")] = 50,
    queries: Annotated[int, typer.Option(min=1, help="Most queries a prompt.")] = 1_000,
    similarity: Annotated[float, typer.Option(help="Least share of letters in words left as they were.")] = 0.5,
    score: Annotated[bool, typer.Option("--score", help="The attacker is told the score as well.")] = False,
    seed: Annotated[int, typer.Option(help="Of the drawn prompts and edits.")] = 1,
    out: Annotated[Path | None, typer.Option("--out", "--output_path", help="Folder for the run.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew instead of going on from the folder.")] = False,
    keep_text: Annotated[
        bool, typer.Option("--keep-text", help="Prompts and the wordings found go into results.jsonl.")
    ] = False,
    json: JSON = False,
) -> None:
    """Ask the guard, as a black box, for wordings of stopped prompts that it allows.

    Exit code: 0 done, whatever the figures are; 2 usage or data. To fail a build: guardrail bench gate.
    """
    from guardrail.bench.adaptive import AdaptivePlan, measure
    from guardrail.bench.data import Columns, Labels, label_map
    from guardrail.bench.files import DataError
    from guardrail.bench.progress import progress_here

    try:
        plan = AdaptivePlan(
            data=data,
            split=split,
            policy=policy,
            columns=Columns.of(column or ()),
            labels=Labels(_words(block), _words(benign), (*Labels().other, *_words(other)), label_map(labels or ())),
            rows=rows,
            queries=queries,
            similarity=similarity,
            score=score,
            seed=seed,
            out=out,
            fresh=fresh,
            keep_text=keep_text,
            command=shlex.join(["guardrail", *sys.argv[1:]]),
        )
        carry_out(lambda: measure(plan, progress_here()), out, json)
    except DataError as error:
        refuse(error, json)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def register(app: typer.Typer) -> None:
    app.command()(adaptive)
