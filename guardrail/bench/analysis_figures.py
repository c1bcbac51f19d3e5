"""The plots of an analysis. Shares are percent, as their axes say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guardrail.bench.columns import NONE
from guardrail.bench.run.figures import Figure, Line, Points
from guardrail.bench.run.measures import Measure
from guardrail.bench.scoring import ALL
from guardrail.bench.statistics import Rate

__all__ = ["analysis_figures"]

_MOST_LINES = 6
"""More curves in one plot cannot be told apart."""
_MOST_ROWS = 45
_LOW = 5.0
_PERCENT = (0.0, 100.0)

Curve = Sequence[Sequence[float]]


def analysis_figures(measures: Sequence[Measure], curves: Mapping[str, Any]) -> tuple[Figure, ...]:
    """Every plot that there is something for."""
    by_key = {measure.key: measure for measure in measures}
    return (*_curves(by_key, curves), *_calibration(curves), *_rates(measures), *_attacks(measures))


def _curves(measures: Mapping[str, Measure], curves: Mapping[str, Any]) -> Iterator[Figure]:
    area = measures.get("auroc")
    n = "" if area is None or area.value is None else area.note
    stands = _thresholds(measures)
    alarms, found = "false alarms (%)", "found (%)"
    roc, left = _most(curves.get("roc", {}), measures)
    if roc:
        areas = _said(measures, "auroc", "AUROC", roc)
        lines = tuple(Line(name, *_axes(points)) for name, points in roc.items())
        yield Figure(
            "roc", "ROC: found against false alarms", alarms, found, lines,
            x_limits=_PERCENT, y_limits=_PERCENT, caption=_sentences(n, areas, stands, left),
        )  # fmt: skip
        low = tuple(Line(name, *_axes(_up_to(points, _LOW))) for name, points in roc.items())
        yield Figure(
            "roc-low", f"ROC up to {_LOW:g} % false alarms", alarms, found, low,
            x_limits=(0.0, _LOW), y_limits=_PERCENT,
            caption=_sentences(n, "The part of the curve with few false alarms, enlarged", stands, left),
        )  # fmt: skip
    pr, left = _most(curves.get("pr", {}), measures)
    if pr:
        areas = _said(measures, "average_precision", "Average precision", pr)
        average = measures.get("average_precision")
        yield Figure(
            "precision-recall", "Precision against recall", "found, of what is to be blocked (%)",
            "to be blocked, of what is found (%)", tuple(Line(name, *_axes(points)) for name, points in pr.items()),
            x_limits=_PERCENT, y_limits=_PERCENT,
            caption=_sentences(
                n, areas, average.note if average else "", "With fewer harmful prompts it lies lower", left
            ),
        )  # fmt: skip
    det, left = _most(curves.get("det", {}), measures, least=2)
    lines = tuple(Line(name, *_axes(points)) for name, points in det.items())
    if lines:
        yield Figure(
            "det", "DET: missed against false alarms", alarms, "missed (%)", lines, scale="probit",
            caption=_sentences(
                n, _said(measures, "eer", "Equal error rate", det), "Both axes are normal deviates", left
            ),
        )  # fmt: skip


def _most(
    of: Mapping[str, Any], measures: Mapping[str, Measure], least: int = 1
) -> tuple[dict[str, list[tuple[float, float]]], str]:
    """(curves in percent, how many languages are left out in words).

    Of all rows, and of as many languages as can be told apart, of those that have enough of either kind.
    """

    def few(name: str) -> bool:
        area = measures.get(_key("auroc", name))
        return name != ALL and (area is None or "too few" in area.caveat)

    enough = [name for name, points in of.items() if len(points) >= least and not few(name)]
    shown = {name: _percent(of[name]) for name in enough[: 1 + _MOST_LINES]}
    n = sum(name != ALL for name in of) - sum(name != ALL for name in shown)
    return shown, f"{n:,} {'language is' if n == 1 else 'languages are'} left out; the tables have all" if n else ""


def _key(name: str, part: str) -> str:
    """Of a figure of all rows or of one language."""
    return Measure(name, () if part == ALL else (("lang", part),)).key


def _percent(points: Sequence[Sequence[Any]]) -> list[tuple[float, float]]:
    return [(100 * x, 100 * y) for _, x, y in points]


def _axes(points: Curve) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(p[0] for p in points), tuple(p[1] for p in points)


def _up_to(points: Curve, most: float) -> Curve:
    """The part of a curve up to `most`, cut where it leaves."""
    inside = [p for p in points if p[0] <= most]
    beyond = next((p for p in points if p[0] > most), None)
    if beyond is None:
        return inside
    (x0, y0), (x1, y1) = inside[-1], beyond
    return [*inside, (most, y0 + (y1 - y0) * (most - x0) / (x1 - x0))]


def _said(measures: Mapping[str, Measure], name: str, called: str, parts: Mapping[str, Any]) -> str:
    """``AUROC: all 0.9581 (0.9493–0.9668), ko 0.95…``."""
    said = []
    for part in parts:
        measure = measures.get(_key(name, part))
        if measure is not None and measure.value is not None and measure.interval is not None:
            said.append(f"{part} {measure.value:.4f} ({measure.interval[0]:.4f}–{measure.interval[1]:.4f})")
    return f"{called}: {', '.join(said)}" if said else ""


def _thresholds(measures: Mapping[str, Measure]) -> str:
    said = []
    for measure in measures.values():
        if measure.name == "threshold_recall" and len(measure.of) == 1 and measure.value is not None:
            alarms = measures.get(measure.key.replace("threshold_recall", "threshold_false_alarm_rate", 1))
            if alarms is not None and alarms.value is not None:
                told = f"{100 * measure.value:.2f} % found, {100 * alarms.value:.2f} % false alarms"
                said.append(f"{measure.of[0][1]} ({told})")
    return f"Thresholds of the policy: {'; '.join(said)}" if said else ""


def _sentences(*parts: str) -> str:
    return " ".join(f"{part[0].upper()}{part[1:].removesuffix('.')}." for part in parts if part)


def _calibration(curves: Mapping[str, Any]) -> Iterator[Figure]:
    bins = curves.get("calibration", {}).get(ALL, ())
    if not bins:
        return
    found = [Rate(b["count"], b["of"]) for b in bins]
    low, high = (tuple(100 * rate.interval[end] for rate in found) for end in (0, 1))
    lines = (
        Line("measured", tuple(b["mean"] for b in bins), tuple(100 * rate.value for rate in found), low, high),
        Line("were it right", (0.0, 1.0), (0.0, 100.0)),
    )
    least, most = min(rate.of for rate in found), max(rate.of for rate in found)
    each = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    yield Figure(
        "calibration", "Calibration: what the score means", "mean score of the bin (0–1)", "to be blocked (%)", lines,
        x_limits=(0.0, 1.0), y_limits=_PERCENT,
        caption=f"{len(bins)} bins of {each} prompts, {sum(rate.of for rate in found):,} together. Band: Wilson, 95 %. "
        "It holds for data with this share of harmful prompts.",
    )  # fmt: skip


def _rates(measures: Sequence[Measure]) -> Iterator[Figure]:
    for dimension, called in (("label", "label"), ("lang", "language"), ("source", "source")):
        series = {"to be blocked: blocked": "block_rate", "harmless: blocked": "over_block_rate"}
        rows = _rows(measures, dimension, series)
        if rows:
            yield _whiskers(f"blocked-by-{called}", f"Blocked, by {called}", "blocked (%)", called, rows)


def _attacks(measures: Sequence[Measure]) -> Iterator[Figure]:
    series = {"caught as it came, allowed in disguise": "attack_lost_rate",
              "harmless, stopped in disguise only": "attack_alarm_rate"}  # fmt: skip
    rows = _rows(measures, "attack", series)
    if rows:
        # The worst first: it is what an attacker takes.
        worst = {of.of: -(of.value or 0.0) for of in rows.get(next(iter(series)), ())}
        rows = {name: sorted(of, key=lambda m: (worst.get(m.of, 1.0), m.of)) for name, of in rows.items()}
        yield _whiskers("attacks", "What disguises do", "of prompts that the disguise changed (%)", "attack", rows)


def _rows(measures: Sequence[Measure], dimension: str, series: Mapping[str, str]) -> dict[str, list[Measure]]:
    """Name of the series → its measures by this dimension alone."""
    made: dict[str, list[Measure]] = {}
    for called, name in series.items():
        of = [m for m in measures if m.name == name and [d for d, _ in m.of] == [dimension] and m.value is not None]
        if of:
            made[called] = of
    return made


def _whiskers(name: str, title: str, x: str, y: str, rows: Mapping[str, Sequence[Measure]]) -> Figure:
    parts = list(dict.fromkeys(m.of[0][1] for of in rows.values() for m in of))
    told, left = set(parts[:_MOST_ROWS]), len(parts) - _MOST_ROWS
    counted: dict[str, list[str]] = {part: [] for part in parts}
    for of in rows.values():
        n = {m.of[0][1]: m.n for m in of}
        for part in parts:
            counted[part].append(f"{n[part]:,}" if part in n else "–")
    labels = {part: f"{part if part != NONE else '(none)'} (n {' / '.join(counted[part])})" for part in parts}
    points = []
    for called, of in rows.items():
        shown = [m for m in of if m.of[0][1] in told]
        low, high = (tuple(100 * m.interval[end] for m in shown if m.interval is not None) for end in (0, 1))
        values = tuple(100 * (m.value or 0.0) for m in shown)
        points.append(Points(called, tuple(labels[m.of[0][1]] for m in shown), values, low, high))
    order = "In brackets: n of each, in the order of the key." if len(rows) > 1 else f"n: {next(iter(rows))}."
    more = f" {left} more in the table." if left > 0 else ""
    caption = f"Whiskers: Wilson, 95 %. {order}{more}"
    return Figure(name, title, x, y, points=tuple(points), x_limits=_PERCENT, caption=caption)
