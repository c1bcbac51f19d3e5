"""Decisions to look at again: from a record, or from JSON that was exported from one."""

from __future__ import annotations

import datetime as dt
import json as js
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from guardrail.cli.policy.shared import refuse
from guardrail.errors import GuardrailError

__all__ = ["LIMIT", "LOG", "SINCE", "bodies", "moment"]

LOG = Annotated[
    Path | None, typer.Option("--log", help="A record, or decisions as JSON lines; by default the data folder's.")
]
SINCE = Annotated[str, typer.Option(help="Only what was decided since: 2026-11-01, 2026-11-01T12:00, 24h or 7d.")]
LIMIT = Annotated[int | None, typer.Option(min=1, help="At most so many: of a record the newest, else the first.")]

_SPAN = re.compile(r"([1-9][0-9]{0,5})([hd])")
_SQLITE = b"SQLite format 3\0"


def moment(text: str, json: bool) -> dt.datetime | None:
    """The time that `--since` means; without a time zone it is UTC."""
    if not text:
        return None
    if span := _SPAN.fullmatch(text):
        return dt.datetime.now(dt.UTC) - dt.timedelta(hours=int(span[1]) * (24 if span[2] == "d" else 1))
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        refuse(f"--since {text!r} is no time: write 2026-11-01, 2026-11-01T12:00, 24h or 7d", json)
    return when if when.tzinfo else when.replace(tzinfo=dt.UTC)


@contextmanager
def bodies(
    path: Path | None,
    json: bool,
    *,
    since: dt.datetime | None = None,
    limit: int | None = None,
    decision: str | None = None,
) -> Iterator[Iterator[Any]]:
    """The bodies of records: those of a record are checked against their hashes when they are read.

    What is not JSON is given as None, so that it is counted and not passed over. Exit code 2 where nothing can be read.
    """
    from guardrail.paths import home

    path = path or home() / "audit.sqlite"
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        refuse(f"the record {path} cannot be read: {error.strerror} — name another one with --log", json)
    if not head.startswith(_SQLITE):
        with path.open("rb") as file:
            yield _exported(file, head.lstrip()[:1] == b"[", since, limit, decision)
        return
    from guardrail.audit import records
    from guardrail.guard.build import open_audit
    from guardrail.keys import load_keyring

    try:
        log = open_audit(path, load_keyring())
        assert log is not None
        with log:
            rows = records(log, limit, type="decision", decision_id=decision, since=since)
            yield (row.body for row in rows)
    except GuardrailError as error:
        refuse(error, json)


def _exported(
    file: Any, array: bool, since: dt.datetime | None, limit: int | None, decision: str | None
) -> Iterator[Any]:
    """JSON lines, or one array: decisions as they are, or records with a `body`, or with their fields beside it."""
    left = limit
    for item in _parsed(file, array):
        body = item.get("body", item) if isinstance(item, dict) else item
        if isinstance(item, dict) and isinstance(body, dict):
            if decision is not None and body.get("id") != decision:
                continue
            if since is not None and not _since(str(item.get("time") or body.get("created") or ""), since):
                continue
        elif decision is not None:
            continue
        if left is not None:
            left -= 1
            if left < 0:
                return
        yield body


def _parsed(file: Any, array: bool) -> Iterator[Any]:
    if array:
        try:
            yield from js.load(file)
        except ValueError:
            yield None
        return
    for line in file:
        if line.strip():
            try:
                yield js.loads(line)
            except ValueError:
                yield None


def _since(written: str, since: dt.datetime) -> bool:
    """Whether it was written since; what does not say when is kept, and counted by whoever reads it."""
    try:
        when = dt.datetime.fromisoformat(written)
    except ValueError:
        return True
    return (when if when.tzinfo else when.replace(tzinfo=dt.UTC)) >= since
