"""Decisions on record, before anything is released.

While the record cannot be written, nothing is released: the decisions of the call become blocks that say so, the log
counts them, and its first entry after the disk is back says how many there were.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from guardrail.audit import AuditLog, report_event
from guardrail.decision import Action, Decision, Reason
from guardrail.errors import AuditError

__all__ = ["Recorder"]


@dataclass(slots=True)
class Recorder:
    """Writes decisions to the audit log.

    Args:
        log: ``None`` where the user of the guard opted out; said in `guardrail doctor` and in the policy report.
        on_report: called with (queue, decision) for each report, after it is on record.
    """

    log: AuditLog | None
    on_report: Callable[[str, Decision], Any] | None = None
    _down: bool = False

    def ready(self) -> str:
        """Empty when a record can be written; otherwise why not. Costs a write only after a failure."""
        if self.log is None or not self._down:
            return ""
        try:
            self.log.probe()
        except AuditError as error:
            return _cause(error)
        self._down = False
        return ""

    def write(
        self, decisions: Sequence[Decision], reports: Sequence[Sequence[tuple[str, str, str]]]
    ) -> tuple[list[Decision], bool]:
        """Put decisions on record.

        Args:
            reports: for each decision, (queue, rule, severity) of what rules want reported.

        Returns:
            The decisions, and True; or the same decisions turned into blocks, and False, if nothing could be written.
        """
        if self.log is None:
            self._tell(decisions, reports)
            return list(decisions), True
        events: list[tuple[str, Any]] = []
        for decision, queued in zip(decisions, reports, strict=True):
            events.append(("decision", decision.to_json()))
            events += [report_event(queue, decision.id, rule, severity) for queue, rule, severity in queued]
        try:
            self.log.append_many(events)
        except (AuditError, ValueError) as error:
            self._down = True
            return [unrecorded(d, _cause(error)) for d in decisions], False
        self._down = False
        self._tell(decisions, reports)
        return list(decisions), True

    def _tell(self, decisions: Sequence[Decision], reports: Sequence[Sequence[tuple[str, str, str]]]) -> None:
        if self.on_report is not None:
            for decision, queued in zip(decisions, reports, strict=True):
                for queue, _, _ in queued:
                    self.on_report(queue, decision)


def unrecorded(decision: Decision, cause: str) -> Decision:
    """The decision as a block because it could not be recorded."""
    reason = Reason("audit", "", decision.stage, Action.BLOCK, "critical", f"the record cannot be written: {cause}")
    return decision.copy(
        action=Action.BLOCK, reasons=(*decision.reasons, reason), alterations=(), labels={}, mark_id=""
    )


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
