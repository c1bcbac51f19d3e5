"""The record of decisions: append-only, chained under a key, written before a result is released."""

from guardrail.audit.chain import Receipt
from guardrail.audit.log import AuditLog
from guardrail.audit.query import Record, records
from guardrail.audit.refusals import Refused
from guardrail.audit.reports import Report, close_report, pending, report_event
from guardrail.audit.verify import VerifyReport

__all__ = [
    "AuditLog",
    "Receipt",
    "Record",
    "Refused",
    "Report",
    "VerifyReport",
    "close_report",
    "pending",
    "records",
    "report_event",
]
