"""What a reader of a run has to know before its figures, in words; and every figure as one table."""

from __future__ import annotations

import re
from collections.abc import Iterable

from guardrail.bench.run.measures import FEW, Measure
from guardrail.bench.run.record import Run
from guardrail.bench.tables import Sheet

__all__ = ["HOLDS_PROMPTS", "figures_sheet", "limits", "number", "part", "remark", "size", "value", "worded"]

HOLDS_PROMPTS = (
    "This run kept prompts: results.jsonl holds them, and tables may. Look before you pass the folder on; a prompt can "
    "name somebody."
)
_SHARES = ("share", "census")
_LONGEST_FIGURE = 32  # characters
_FIGURE = re.compile(r"[<>≤≥±+−–-]?\s*\d")
_NAMED = 6  # so many keys are written out in one sentence; the table has all


def limits(run: Run) -> list[str]:
    """Sentences on what the figures of a run cannot carry."""
    made = []
    absent = [m for m in run.measures if m.value is None]
    few = [m for m in run.measures if m.value is not None and m.remark and _few(m)]
    wide = [m for m in run.measures if m.value is not None and m.remark and not _few(m) and not m.caveat]
    warned = [m for m in run.measures if m.value is not None and m.caveat]
    total = len(run.measures)
    if absent:
        why = [f"{m.key}: {m.remark}" for m in absent]
        made.append(f"Not measured, {len(absent):,} of {total:,} figures: {_some(why)}.")
    if few:
        made.append(
            f"{len(few):,} of {total:,} figures rest on fewer than {FEW} samples, or groups of them, too few for a "
            f"claim: {_some([f'{m.key} ({m.n:,})' for m in few])}."
        )
    if warned:
        made.append(f"To be read with care: {_some([f'{m.key}: {m.caveat}' for m in warned])}.")
    if wide:
        made.append(
            f"{len(wide):,} of {total:,} figures are known too roughly to compare two systems by them; their intervals "
            "say how roughly."
        )
    if any(m.method == "Wilson" and m.group_interval is None for m in run.measures):
        made.append(
            "Wilson intervals, at 95 %, take samples for independent. Samples of one template or author are not: where "
            "no interval by groups stands beside it, such an interval is too narrow by as much."
        )
    return made


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return "; ".join(names[:_NAMED]) + (f"; and {more:,} more in the table of all figures" if more > 0 else "")


def _few(measure: Measure) -> bool:
    return measure.n < FEW or (measure.groups is not None and measure.groups < FEW)


def figures_sheet(measures: Iterable[Measure], title: str = "All figures") -> Sheet:
    """Measures, one a row."""
    rows = tuple(
        (m.name, part(m), value(m), size(m), "–" if m.count is None else f"{m.count:,}", m.better or "–", remark(m))
        for m in measures
    )
    head = ("figure", "of", "value (95 %)", "n", "count", "better", "remark")
    return Sheet(title, head, rows, words=2, brief=False)


def worded(sheet: Sheet) -> set[int]:
    """The columns that are text: the first ones, and those with a long cell that is no figure."""
    columns = zip(*sheet.rows, strict=True)
    return {
        i
        for i, cells in enumerate(columns)
        if i < sheet.words or any(len(cell) > _LONGEST_FIGURE and not _FIGURE.match(cell) for cell in cells)
    }


def size(measure: Measure) -> str:
    """``3,000``, or ``3,000 in 120 groups``."""
    return f"{measure.n:,}" + ("" if measure.groups is None else f" in {measure.groups:,} groups")


def remark(measure: Measure) -> str:
    """Everything that a reader has to know of it."""
    return "; ".join(dict.fromkeys(text for text in (measure.remark, measure.bound, measure.note) if text))


def part(measure: Measure) -> str:
    """``lang ko, label sexual``; all where it is of everything."""
    return ", ".join(f"{name} {of or '(none)'}" for name, of in measure.of) or "all"


def number(value: float, unit: str) -> str:
    """In percent for a share, with its unit otherwise."""
    written = _plain(value, unit)
    return f"{written} %" if unit in _SHARES else written if unit == "area" else f"{written} {unit}".strip()


def value(measure: Measure) -> str:
    """``93.20 % (92.24–94.05)``, with a second interval where there is one by groups; or ``not measured``."""
    if measure.value is None:
        return "not measured"
    told = [
        f"{name}{'–'.join(_plain(end, measure.unit) for end in interval)}"
        for name, interval in (("", measure.interval), ("by groups ", measure.group_interval))
        if interval is not None
    ]
    return number(measure.value, measure.unit) + (f" ({'; '.join(told)})" if told else "")


def _plain(value: float, unit: str) -> str:
    if unit in _SHARES:
        return f"{100 * value:.2f}"
    return f"{value:.4f}" if unit == "area" else f"{value:,.4g}"
