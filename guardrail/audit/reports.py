"""Queues of decisions that a rule asked people to look at.

A queue is no table of its own: a ``report`` record puts a decision in, a second one that ``closes`` the first takes it
out. Both are in the chain, so nobody can make a report vanish without trace. Neither says anything about content: who
looks needs the decision id and finds hashes and signals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from guardrail.audit.chain import Receipt
from guardrail.audit.log import AuditLog
from guardrail.audit.query import Record, select

__all__ = ["Outcome", "Report", "close_report", "pending", "report_event"]

Outcome = Literal["confirmed", "dismissed", "escalated"]

# The unary plus takes the column's affinity away: with it, SQLite would not search the index on `closes`.
_OPEN = (
    "type <> 'decision' AND type = 'report' AND json_extract(body, '$.closes') IS NULL AND NOT EXISTS ("
    "SELECT 1 FROM events AS later WHERE later.type = 'report' AND json_extract(later.body, '$.closes') = +events.seq)"
)


@dataclass(frozen=True, slots=True)
class Report:
    """A decision that waits in a queue.

    Args:
        seq: place of the ``report`` record; names the report.
        time: when it was reported (UTC).
        queue, decision_id, rule, severity: as the rule and the decision gave them.
    """

    seq: int
    time: datetime
    queue: str
    decision_id: str
    rule: str
    severity: str


def report_event(queue: str, decision_id: str, rule: str, severity: str) -> tuple[str, dict[str, Any]]:
    """The event that puts a decision into a queue, to be appended together with the decision."""
    return "report", {"queue": queue, "decision_id": decision_id, "rule": rule, "severity": severity}


def pending(log: AuditLog, queue: str | None = None, limit: int | None = None) -> Iterator[Report]:
    """The reports that nobody closed, oldest first; of all queues when `queue` is ``None``.

    Raises:
        AuditUnavailable, AuditBroken: as `records`.
    """
    wanted: dict[str, Any] = {"json_extract(body, '$.queue') = ?": queue} if queue is not None else {}
    return (_report(record) for record in select(log, wanted, limit, only=_OPEN, oldest_first=True))


def close_report(log: AuditLog, seq: int, outcome: Outcome) -> Receipt:
    """Record that the report at `seq` was dealt with.

    Raises:
        ValueError: there is no open report at `seq`, or the outcome is none of `Outcome`.
        AuditUnavailable, AuditBroken: as `AuditLog.append`.
    """
    if outcome not in get_args(Outcome):
        raise ValueError(f"the outcome is one of {', '.join(get_args(Outcome))}, not {outcome!r}")
    found = next(select(log, {"seq = ?": seq}, 1, only=_OPEN), None)
    if found is None:
        raise ValueError(f"there is no open report at {seq}")
    report = _report(found)
    body = {"queue": report.queue, "decision_id": report.decision_id, "closes": seq, "outcome": outcome}
    return log.append("report", body)


def _report(record: Record) -> Report:
    body = record.body
    queue, decision_id, rule, severity = (str(body.get(k, "")) for k in ("queue", "decision_id", "rule", "severity"))
    return Report(record.seq, record.time, queue, decision_id, rule, severity)
