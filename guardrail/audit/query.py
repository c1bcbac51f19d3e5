"""Looking records up, newest first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from guardrail.audit.chain import iso, moment
from guardrail.audit.log import AuditLog
from guardrail.errors import AuditBroken

__all__ = ["Record", "records", "select"]

_PAGE = 256

# The first two are spelled as their indexes are, or SQLite would not use them.
_CONDITIONS = {
    "decision_id": "coalesce(json_extract(body, '$.decision_id'), json_extract(body, '$.id')) = ?",
    "mark_id": "nullif(json_extract(body, '$.mark_id'), '') = ?",
    "type": "type = ?",
    "other_type": "type <> 'decision' AND type = ?",  # lets the partial index in
    "action": "json_extract(body, '$.action') = ?",
    "rule": "? IN (SELECT value FROM json_each(body, '$.rules') UNION ALL SELECT json_extract(body, '$.rule'))",
}


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it was written; its hash was checked when it was read.

    Args:
        seq: place in the chain, from 1.
        time: when it was written (UTC, microseconds; the writer's wall clock).
        type: ``decision``, ``report``, ``gap``, ``opened``, …
        body: the recorded mapping.
        hash: 64 hex digits.
    """

    seq: int
    time: datetime
    type: str
    body: Mapping[str, Any]
    hash: str

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON."""
        return {
            "seq": self.seq,
            "time": iso(self.time),
            "type": self.type,
            "body": dict(self.body),
            "hash": self.hash,
        }


def records(
    log: AuditLog,
    limit: int | None = 100,
    *,
    decision_id: str | None = None,
    type: str | None = None,
    action: str | None = None,
    rule: str | None = None,
    mark_id: str | None = None,
    since: datetime | None = None,
) -> Iterator[Record]:
    """The records that meet every condition given, newest first, read a page at a time.

    Args:
        log: the log.
        limit: at most so many; ``None`` for all.
        decision_id: of the decision itself and of every record about it, such as ``report``.
        type: type of record.
        action: ``allow``, ``alter`` or ``block`` of a decision. Not indexed: reads from the newest on.
        rule: id of a rule that acted in the decision, or that asked for the report. Not indexed.
        mark_id: the id that a watermark carries, as the decision spells it.
        since: written at or after this time (aware).

    Raises:
        ValueError: `limit` is negative or `since` has no time zone.
        AuditUnavailable: the log cannot be read.
        AuditBroken: a record found was changed. That records are missing, only `AuditLog.verify` finds.
    """
    if limit is not None and limit < 0:
        raise ValueError(f"limit is {limit}; it must be 0 or more")
    given: dict[str, Any] = {
        "decision_id": decision_id,
        "mark_id": mark_id,
        "type" if type == "decision" else "other_type": type,
        "action": action,
        "rule": rule,
    }
    wanted = {_CONDITIONS[name]: value for name, value in given.items() if value is not None}
    if since is not None:
        wanted |= {"time >= ?": _microseconds(since), "seq >= ?": _first_since(log, _microseconds(since))}
    return select(log, wanted, limit)


def _first_since(log: AuditLog, time_us: int) -> int:
    # Clocks are set back, so time does not grow with seq everywhere. The lowest place bounds the reading all the same.
    rows = log.store.rows("SELECT min(seq) FROM events INDEXED BY events_time WHERE time >= ?", (time_us,))
    return int(rows[0][0] or 0)


def select(
    log: AuditLog, wanted: Mapping[str, Any], limit: int | None, *, only: str = "1", oldest_first: bool = False
) -> Iterator[Record]:
    """The records that meet every condition (SQL with one placeholder, and its value) and `only`; see `records`."""
    beyond, order = ("seq > ?", "ASC") if oldest_first else ("seq < ?", "DESC")
    condition = " AND ".join([beyond, *wanted, only])
    # Every value of a caller goes in as a parameter; what is put together here are constants of this package.
    sql = f"SELECT prev, seq, time, type, body, hash FROM events WHERE {condition} ORDER BY seq {order} LIMIT ?"  # noqa: S608
    at = 0 if oldest_first else 2**63 - 1
    left = limit
    while left is None or left > 0:
        page = _PAGE if left is None else min(_PAGE, left)
        rows = log.store.rows(sql, (at, *wanted.values(), page))
        for row in rows:
            yield _record(log, row)
        if len(rows) < page:
            return
        at = rows[-1][1]
        left = None if left is None else left - page


def _record(log: AuditLog, row: tuple[Any, ...]) -> Record:
    _, seq, time_us, type_, body, hash_ = row
    if not log.chain.holds(*row):
        raise AuditBroken(f"audit log {log.path}: record {seq} was changed, or written with another key — run verify")
    return Record(seq, moment(time_us), type_.decode(), json.loads(body), hash_.hex())


def _microseconds(when: datetime) -> int:
    if when.tzinfo is None:
        raise ValueError("since has no time zone; use an aware time such as datetime.now(UTC)")
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
