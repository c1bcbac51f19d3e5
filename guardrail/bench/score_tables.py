"""The tables of what the score alone is worth, from measures. Nothing is computed here but intervals of bins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from guardrail.bench.run.measures import of_rate
from guardrail.bench.statistics import Rate
from guardrail.bench.tables import Measures, Of, Sheet, told, told_groups

__all__ = ["part_name", "score_sheets"]


def score_sheets(of: Measures, curves: Mapping[str, Any]) -> Iterator[Sheet]:
    """How the score orders, what it finds at a share of false alarms and at the policy's thresholds, what it means."""
    yield from _order(of)
    yield from _at_rates(of)
    yield from _thresholds(of)
    yield from _meaning(of, curves)


def part_name(part: Of) -> str:
    """The language of a part, or all."""
    return next((value or "(none)" for dimension, value in part if dimension == "lang"), "all")


def _order(of: Measures) -> Iterator[Sheet]:
    rows: list[tuple[str, ...]] = []
    for part in of.parts("auroc"):
        area = of.get("auroc", part)
        if area is None:
            continue
        others = [told(of.get(name, part)) for name in ("average_precision", "eer")]
        n = area.note if area.value is not None else f"{area.n:,}"
        rows.append((part_name(part), n, told(area), told_groups(area)[1], *others, area.remark))
    head: tuple[str, ...] = (
        "language",
        "n",
        "AUROC (95 %)",
        "by groups",
        "average precision (95 %)",
        "equal error rate (95 %)",
        "remark",
    )
    if all(row[3] == "–" for row in rows):
        head, rows = (*head[:3], *head[4:]), [(*row[:3], *row[4:]) for row in rows]
    note = (
        "How well the score puts harmful prompts above harmless ones. AUROC: DeLong's interval; the others: bootstrap. "
        "Average precision depends on the share of harmful prompts in the data, AUROC and equal error rate do not."
    )
    yield Sheet("Score: order", head, tuple(rows), note, 2)


def _at_rates(of: Measures) -> Iterator[Sheet]:
    rows = []
    for part in of.parts("tpr_at_fpr"):
        measure = of.get("tpr_at_fpr", part)
        if measure is not None:
            rate = float(dict(part)["fpr"])
            cells = (f"{measure.n:,}", told(measure), told_groups(measure)[1], measure.note, measure.remark)
            rows.append((part_name(part), f"≤ {100 * rate:g} %", *cells))
    head = ("language", "false alarms", "n", "found, % (95 %)", "by groups", "threshold", "remark")
    note = (
        "The lowest threshold that keeps to so many false alarms on these very prompts. On prompts that it was chosen "
        "on a threshold looks its best: choose on one half of the data, measure on the other."
    )
    yield Sheet("Score: found at a share of false alarms", head, tuple(rows), note, 2)


def _thresholds(of: Measures) -> Iterator[Sheet]:
    rows = []
    for part in of.parts("threshold_recall", "threshold_false_alarm_rate"):
        found, alarms = of.get("threshold_recall", part), of.get("threshold_false_alarm_rate", part)
        said = next(m.note for m in (found, alarms) if m is not None)
        cells = [cell for m in (found, alarms) for cell in (f"{m.n:,}" if m else "0", told(m))]
        rows.append((part_name(part), dict(part)["threshold"], said, *cells))
    head = ("language", "threshold", "at", "n", "found, % (95 %)", "n", "false alarms, % (95 %)")
    note = "Where the policy's own thresholds stand on the score alone. The decision has other rules as well."
    yield Sheet("Thresholds of the policy", head, tuple(rows), note, 3)


def _meaning(of: Measures, curves: Mapping[str, Any]) -> Iterator[Sheet]:
    rows = []
    for part in of.parts("ece"):
        error, squared = of.get("ece", part), of.get("brier", part)
        if error is not None:
            rows.append((part_name(part), error.note, f"{error.n:,}", told(error), told(squared), error.remark))
    head = ("language", "how", "n", "expected calibration error", "Brier score (95 %)", "remark")
    note = (
        "Whether a score of 0.8 means that 80 % of such prompts are harmful, in data with this share of harmful ones. "
        "0 is right."
    )
    yield Sheet("Score: calibration", head, tuple(rows), note, 2)
    bins = tuple(
        (f"{b['low']:.4f}–{b['high']:.4f}", f"{b['of']:,}", f"{b['mean']:.4f}", _share(b["count"], b["of"]))
        for b in curves.get("calibration", {}).get("all", ())
    )
    columns = ("score", "n", "mean score", "to be blocked, % (95 %)")
    yield Sheet("Score: calibration by bins", columns, bins, "Bins of about as many prompts each.", brief=False)


def _share(count: int, of: int) -> str:
    return told(of_rate("", Rate(count, of)))
