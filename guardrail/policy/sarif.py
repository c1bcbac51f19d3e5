"""Findings as SARIF 2.1.0 (OASIS), which code review on the usual platforms shows beside the line.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; section numbers below are of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from guardrail.errors import Finding
from guardrail.policy.codes import codes

__all__ = ["sarif"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(findings: Iterable[Finding], version: str) -> dict[str, Any]:
    """A log with one run of ``guardrail policy lint``.

    Args:
        version: of guardrail.
    """
    known = list(codes().values())
    index = {code.code: number for number, code in enumerate(known)}
    rules = [
        {
            "id": code.code,
            "shortDescription": {"text": code.meaning},
            "help": {"text": code.mend, "markdown": code.mend},
            "defaultConfiguration": {"level": "warning" if code.warning else "error"},
        }
        for code in known
    ]
    driver = {"name": "guardrail", "version": version, "rules": rules}
    run = {
        "tool": {"driver": driver},
        # 3.14.17: a column counts characters, as an author does, and not UTF-16 units, as would be assumed.
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, index) for finding in findings],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding, index: dict[str, int]) -> dict[str, Any]:
    mend = f" — {finding.mend}" if finding.mend else ""
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.path)}}
    if finding.line:  # otherwise the whole file is meant
        place["region"] = {"startLine": finding.line, "startColumn": finding.column}
    result = {
        "ruleId": finding.code,
        "level": "warning" if finding.warning else "error",
        "message": {"text": f"{finding.message}{mend}"},
        "locations": [{"physicalLocation": place}],
    }
    # 3.27.6: only where the rule is listed.
    return result if finding.code not in index else {**result, "ruleIndex": index[finding.code]}


def _uri(path: str) -> str:
    """3.4.3: a relative path stays relative, seen from where the command ran; an absolute one is a file URI."""
    from pathlib import Path
    from urllib.parse import quote

    where = Path(path)
    return where.as_uri() if where.is_absolute() else quote(where.as_posix())
