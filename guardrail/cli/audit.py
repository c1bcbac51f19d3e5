"""``guardrail audit``: look at the record of decisions, and verify it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from guardrail.cli import show

__all__ = ["app"]

app = typer.Typer(help="The record of decisions.", no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_File = Annotated[Path | None, typer.Option("--file", help="Another log than the one in the data folder.")]


def _log(file: Path | None) -> Any:
    from guardrail.guard.build import open_audit
    from guardrail.keys import load_keyring
    from guardrail.paths import home

    path = file or home() / "audit.sqlite"
    if not path.exists():
        show.say(f"there is no record at {path}", err=True)
        raise typer.Exit(2)
    return open_audit(path, load_keyring())


def _read_checkpoint(path: Path) -> dict[str, Any]:
    import json

    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{path} cannot be read as a checkpoint: {type(error).__name__}") from None
    if not isinstance(content, dict):
        raise typer.BadParameter(f"{path} is no checkpoint")
    return content


@app.command(name="show")
def show_(
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20,
    decision: Annotated[str | None, typer.Option(help="One decision, by the id in its message.")] = None,
    mark: Annotated[str | None, typer.Option(help="The decision that a watermark leads to, by its mark id.")] = None,
    action: Annotated[str | None, typer.Option(help="allow, alter or block.")] = None,
    rule: Annotated[str | None, typer.Option(help="Where this rule fired.")] = None,
    queue: Annotated[str | None, typer.Option(help="What waits in a queue of reports.")] = None,
    file: _File = None,
    json: _Json = False,
) -> None:
    """Decisions, newest first. No prompt, name or picture is in the record."""
    from guardrail.audit import pending, records

    with _log(file) as log:
        if queue is not None:
            rows = [
                {
                    "seq": r.seq,
                    "time": r.time.isoformat(),
                    "decision": r.decision_id,
                    "rule": r.rule,
                    "severity": r.severity,
                }
                for r in pending(log, queue)
            ]
            show.print_json(rows) if json else _print_rows(rows)
            return
        kind = None if decision or mark else "decision"
        found = list(records(log, limit=limit, decision_id=decision, type=kind, action=action, rule=rule, mark_id=mark))
        if json or decision or mark:
            show.print_json([{"seq": r.seq, "time": r.time.isoformat(), "type": r.type, **r.body} for r in found])
            return
        _print_rows(
            [
                {
                    "seq": r.seq,
                    "time": r.time.isoformat(timespec="seconds"),
                    "action": r.body.get("action", ""),
                    "stage": r.body.get("stage", ""),
                    "rules": ", ".join(r.body.get("rules", [])),
                    "decision": r.body.get("id", ""),
                }
                for r in found
            ]
        )


@app.command()
def verify(
    checkpoint: Annotated[Path | None, typer.Option(help="A checkpoint that was exported earlier.")] = None,
    file: _File = None,
    json: _Json = False,
) -> None:
    """Verify the whole chain. Exit code: 0 sound, 1 something was changed, removed or cut off."""
    given = _read_checkpoint(checkpoint) if checkpoint else None
    with _log(file) as log:
        report = log.verify(given)
    if json:
        show.print_json(report.to_json())
    elif report.ok:
        show.say(
            f"{report.records} records, the chain is sound"
            + ("" if given else "; a cut tail shows only against a checkpoint")
        )
    else:
        show.say(f"NOT SOUND: {report.problem} at record {report.first_bad}: {report.detail}")
    raise typer.Exit(0 if report.ok else 1)


@app.command()
def checkpoint(file: _File = None) -> None:
    """Print a signed checkpoint. Keep it elsewhere: with it, a cut tail is found."""
    with _log(file) as log:
        show.print_json(log.checkpoint())


def _print_rows(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    if not rows:
        show.say("nothing")
        return
    table = Table(*rows[0], box=None, padding=(0, 2))
    for row in rows:
        table.add_row(*(show.in_markup(str(v)) for v in row.values()))
    show.console().print(table)
