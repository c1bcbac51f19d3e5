"""JUnit XML, which most CI services show as test results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from guardrail.bench.limits import value
from guardrail.bench.run.record import Run
from guardrail.bench.svg import without_controls

__all__ = ["Case", "cases_of", "junit"]


@dataclass(frozen=True, slots=True)
class Case:
    """One test.

    Attributes:
        name: what was looked at: the key of a measure.
        group: what it belongs to: ``guardrail.bench.prompts``.
        failure: why it failed; empty where it did not.
        skipped: why nothing was judged; empty where something was.
        seconds: how long it took, 0 where that says nothing.
        told: what was found, for whoever opens the test.
    """

    name: str
    group: str
    failure: str = ""
    skipped: str = ""
    seconds: float = 0.0
    told: str = ""


def junit(cases: Sequence[Case]) -> str:
    """The file; cases of one group are one suite, in the order in which they come."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(case)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites {_counts(cases)}>"]
    for name, of in groups.items():
        lines.append(f"<testsuite name={_quoted(name)} {_counts(of)}>")
        lines += [_case(case) for case in of]
        lines.append("</testsuite>")
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def cases_of(run: Run) -> list[Case]:
    """What a run alone can say: which figures that have a better direction were measured, and which were not.

    It judges none of them, for it has no baseline: that is what ``guardrail bench gate`` does.
    """
    group = f"guardrail.bench.{run.suite}"
    made = [
        Case(m.key, group, skipped=m.remark)
        if m.value is None
        else Case(m.key, group, told=f"{value(m)}, n = {m.n:,}; measured, judged against nothing")
        for m in run.measures
        if m.better
    ]
    return made + [Case(name, group, skipped=f"not run: {why}") for name, why in run.not_run.items()]


def _counts(cases: Sequence[Case]) -> str:
    failed, skipped = sum(bool(c.failure) for c in cases), sum(bool(c.skipped) and not c.failure for c in cases)
    seconds = sum(c.seconds for c in cases)
    return f'tests="{len(cases)}" failures="{failed}" errors="0" skipped="{skipped}" time="{seconds:.3f}"'


def _case(case: Case) -> str:
    head = f'<testcase name={_quoted(case.name)} classname={_quoted(case.group)} time="{case.seconds:.3f}"'
    inside = ""
    if case.failure:
        inside = f"<failure message={_quoted(case.failure)}>{_text(case.failure)}</failure>"
    elif case.skipped:
        inside = f"<skipped message={_quoted(case.skipped)}/>"
    if case.told:
        inside += f"<system-out>{_text(case.told)}</system-out>"
    return f"{head}>{inside}</testcase>" if inside else f"{head}/>"


def _text(text: str) -> str:
    return escape(without_controls(text), quote=False)


def _quoted(text: str) -> str:
    # A line end in an attribute is read back as a space, unless it is written as a number.
    return f'"{escape(without_controls(text)).replace(chr(10), "&#10;").replace(chr(13), "&#13;")}"'
