"""The tables and plots of a run of peers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guardrail.bench.peers.base import Opened, Peer
from guardrail.bench.peers.figures import TARGETS
from guardrail.bench.run.figures import Figure, Line, Points
from guardrail.bench.run.measures import Measure
from guardrail.bench.tables import Sheet

__all__ = ["engine_sheets", "figures", "judge_sheets", "peers_sheet", "time_sheet"]

Measures = Mapping[str, Measure]
_KINDS = ("to be blocked", "harmless")
_BY = {"label": "label", "lang": "language", "source": "source"}


def peers_sheet(peers: Sequence[Peer], opened: Mapping[str, Opened]) -> Sheet:
    """Who ran, in which version, under which licence, and from what it knows what it knows."""
    rows = [
        (
            p.name,
            p.version or "–",
            p.licence or "–",
            p.decides or "–",
            "; ".join(f"{k}: {v}" for k, v in opened[p.name].told.items()) or p.learned or "–",
        )
        for p in peers
    ]
    note = (
        "A peer looks better than it is on rows that it has learned from. What each has seen before is for the reader "
        "to judge: guardrail's classifier was trained on parts of public sets (docs/prompt-classifier.md)."
    )
    head = ("peer", "version", "licence", "its own decision", "made of")
    return Sheet("Peers", head, tuple(rows), note, words=5, brief=False)


def judge_sheets(measures: Measures, names: Sequence[str], reference: str) -> Iterator[Sheet]:
    """Decisions, scores, differences and parts, of prompts and of pictures."""
    yield _decisions(measures, names)
    yield _scores(measures, names)
    yield _differences(measures, [name for name in names if name != reference], reference)
    for dimension, title in _BY.items():
        yield _parts(measures, names, dimension, title)


def _decisions(measures: Measures, names: Sequence[str]) -> Sheet:
    rows = []
    for name in names:
        found = [measures.get(f"{m}[peer={name}]") for m in ("block_rate", "over_block_rate", "not_checked_rate")]
        altered = [measures.get(f"{m}[peer={name}]") for m in ("stop_rate", "over_stop_rate")]
        cells = [cell for m in found[:2] for cell in (_n(m), share(m))]
        rows.append((name, *cells, *map(share, altered), share(found[2]), _remarks(found[:2], _KINDS)))
    note = (
        "Each at its own decision. Wilson intervals; they take rows for independent. A row at "
        "which a peer failed is in its last column only; guardrail blocks a prompt that it could not check, and that "
        "counts as blocked. Only guardrail alters."
    )
    head = (
        "peer", "to be blocked", "blocked, % (95 %)", "harmless", "over-blocked, % (95 %)",
        "blocked or altered, % (95 %)", "harmless blocked or altered, % (95 %)", "not checked, % (95 %)",
        "remark",
    )  # fmt: skip
    return Sheet("Decisions", head, tuple(rows), note)


def _scores(measures: Measures, names: Sequence[str]) -> Sheet:
    rows = []
    for name in names:
        area = measures.get(f"auroc[peer={name}]")
        if area is None or area.value is None or area.interval is None:
            continue
        at = [measures.get(f"tpr_at_fpr[fpr={target:g}, peer={name}]") for target in TARGETS]
        shown = f"{area.value:.4f} ({area.interval[0]:.4f}–{area.interval[1]:.4f})"
        remark = _remarks((area, at[0]), ("AUROC", "to be blocked"))
        rows.append((name, f"{area.n:,}", shown, _n(at[0]), *map(share, at), remark))
    note = (
        "At the false-positive rate on these rows, not at the peer's own threshold; the threshold is chosen on the "
        "rows that it is measured on. DeLong and Wilson intervals. Peers without a score are not here."
    )
    head = (
        "peer",
        "n",
        "AUROC (95 %)",
        "to be blocked",
        *(f"found at {100 * t:g} % FPR, % (95 %)" for t in TARGETS),
        "remark",
    )
    return Sheet("Scores", head, tuple(rows), note)


def _differences(measures: Measures, names: Sequence[str], reference: str) -> Sheet:
    rows = []
    for name in names:
        for what in ("block_rate", "over_block_rate", "auroc"):
            found = measures.get(f"{what}_difference[peer={name}]")
            if found is None or found.value is None or found.interval is None:
                continue
            low, high = found.interval
            value = f"{100 * found.value:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"
            rows.append((name, what, found.method, found.note, f"{found.n:,}", value, found.remark))
    note = f"Peer less {reference}, on the same rows, in points. p is not adjusted for the number of lines."
    return Sheet(
        f"Against {reference}",
        ("peer", "measure", "method", "p and rows", "n", "difference (95 %)", "remark"),
        tuple(rows),
        note,
        4,
    )


def _parts(measures: Measures, names: Sequence[str], dimension: str, title: str) -> Sheet:
    # Exactly this dimension and the peer.
    values = list(
        dict.fromkeys(dict(m.of)[dimension] for m in measures.values() if [k for k, _ in m.of] == [dimension, "peer"])
    )
    rows = []
    for value in sorted(values):
        for name in names:
            key = f"[{dimension}={value}, peer={name}]"
            found = [measures.get(f"{m}{key}") for m in ("block_rate", "over_block_rate")]
            rows.append((value, name, *(cell for m in found for cell in (_n(m), share(m))), _remarks(found, _KINDS)))
    head = (title, "peer", "to be blocked", "blocked, % (95 %)", "harmless", "over-blocked, % (95 %)", "remark")
    return Sheet(f"Decisions by {title}", head, tuple(rows), words=2, brief=False)


def engine_sheets(measures: Measures, names: Sequence[str], loops: Mapping[str, Any]) -> Iterator[Sheet]:
    """Agreement, and what a decision costs."""
    rows = []
    for case in ("complete", "missing"):
        for name in names:
            found = [
                measures.get(f"{m}[case={case}, peer={name}]")
                for m in ("agreement_rate", "not_checked_rate", "allowed_instead_of_blocked_rate")
            ]
            remark = _remarks((found[0], found[2]), ("signals", "blocked by it"))
            rows.append((case, name, _n(found[1]), *map(share, found[:2]), _n(found[2]), share(found[2]), remark))
    note = (
        "The same conditions and signals for all. Missing: a signal that the condition reads is not there, as after a "
        "check that failed; guardrail's engines block unless the rest decides. Failed: the engine raised."
    )
    head = (
        "signals", "engine", "n", "same decision as the built-in engine, %", "failed, %",
        "blocked by it", "allowed instead, %", "remark",
    )  # fmt: skip
    yield Sheet("Agreement", head, tuple(rows), note, words=2)
    times = [
        (name, case, *(f"{one[key]:,.1f}" for key in ("p50", "p99", "cpu_mean")))
        for name in names
        for case, one in loops.get(name, {}).items()
    ]
    note = (
        "One decision that fires, again and again, on one core. A bare package is asked for true or false; guardrail's "
        "engines also say which signals are there, give reasons and merge actions."
    )
    yield Sheet(
        "Time of a decision",
        ("engine", "request", "wall p50, µs", "wall p99, µs", "processor, mean, µs"),
        tuple(times),
        note,
        words=2,
    )


def time_sheet(timing: Mapping[str, Mapping[str, Mapping[str, float]]], names: Sequence[str]) -> Sheet:
    """Latency by peer."""
    rows = []
    for name in names:
        found = timing.get(name, {})
        if found:
            cells = [f"{found[key][p]:,.2f}" for key in ("ms", "cpu_ms") for p in ("p50", "p95", "p99")]
            rows.append((name, *cells))
    head = ("peer", *(f"{what} {p}, ms" for what in ("wall", "processor") for p in ("p50", "p95", "p99")))
    note = (
        "One row at a time, all peers in one process on one core, each first in turn. Reading a picture is not in it."
    )
    return Sheet("Latency of a row", head, tuple(rows), note)


def figures(measures: Measures, names: Sequence[str], curves: Mapping[str, list[list[float]]]) -> Iterator[Figure]:
    """Block rates with their intervals, and ROC curves."""
    for measure, title, x in (
        ("block_rate", "Blocked of what ought to be", "blocked (%)"),
        ("over_block_rate", "Blocked of what is harmless", "over-blocked (%)"),
    ):
        shown = [(n, m) for n in names if (m := measures.get(f"{measure}[peer={n}]")) and m.value is not None]
        if shown:
            intervals = [m.interval or (m.value or 0.0, m.value or 0.0) for _, m in shown]
            points = Points(
                measure,
                tuple(f"{n} (n = {m.n:,})" for n, m in shown),
                tuple(100 * (m.value or 0.0) for _, m in shown),
                tuple(100 * low for low, _ in intervals),
                tuple(100 * high for _, high in intervals),
            )
            # False alarms are few: on the whole scale they would all look alike.
            widest = (
                100.0 if measure == "block_rate" else min(100.0, max(1.0, 120 * max(high for _, high in intervals)))
            )
            name = f"peers-{measure.replace('_', '-')}"
            caption = "Each peer at its own decision; whiskers: Wilson intervals at 95 %."
            yield Figure(name, title, x, "", points=(points,), x_limits=(0.0, widest), caption=caption)
    if curves:
        # On a logarithmic axis there is no 0: curves begin at their first false alarm.
        lines = tuple(
            Line(name, tuple(100 * f for f, _ in seen), tuple(100 * t for _, t in seen))
            for name, points in curves.items()
            if (seen := [(f, t) for f, t in points if f > 0])
        )
        n = max(m.n for m in measures.values() if m.name == "auroc")
        yield Figure(
            "peers-roc",
            "Scores of the peers (ROC)",
            "false positives (%)",
            "true positives (%)",
            lines=lines,
            scale="log",
            x_limits=(min(10.0, *(line.x[0] for line in lines)), 100.0),
            y_limits=(0.0, 100.0),
            caption=f"n = {n:,} rows. The axis of false positives is logarithmic and begins at the first of them.",
        )


def share(measure: Measure | None) -> str:
    """In percent with its interval; a dash where there was no row, or nothing could be measured."""
    if measure is None or measure.value is None or measure.interval is None:
        return "–"
    low, high = measure.interval
    return f"{100 * measure.value:.2f} ({100 * low:.2f}–{100 * high:.2f})"


def _n(measure: Measure | None) -> str:
    return "–" if measure is None else f"{measure.n:,}"


def _remarks(measures: Sequence[Measure | None], kinds: Sequence[str]) -> str:
    """Why figures carry no claim, each with what it is of; those of nothing have a dash of their own."""
    found = zip(kinds, measures, strict=True)
    return "; ".join(f"{kind}: {m.remark}" for kind, m in found if m is not None and m.value is not None and m.remark)
