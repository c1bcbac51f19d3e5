"""The figures of ``guardrail bench images``: measures, tables and plots out of its samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from guardrail.bench.image_attack_tables import (
    attack_figures,
    attack_measures,
    attack_sheets,
    attacks_not_run,
    clean_ones,
    nude,
    percent,
    points,
)
from guardrail.bench.image_samples import EXPLICIT, PARTIAL
from guardrail.bench.run.environment import written_date
from guardrail.bench.run.figures import Figure
from guardrail.bench.run.measures import Better, Measure, of_rate
from guardrail.bench.statistics import Rate
from guardrail.bench.tables import Sheet, counted, explained, percentile

__all__ = ["COUNTED", "figures", "measures", "not_run", "percentiles", "sheets", "told"]

Sample = Mapping[str, Any]
Is = Callable[[Sample], bool]

# Name of the measure, what it is called in tables, which way is better, which pictures it is asked of, which of them
# count. A picture that a check could not answer for is asked of nothing that the check would have said.
_MEASURES: tuple[tuple[str, str, Better, Is, Is], ...] = (
    (
        "face_found_rate",
        "faces found",
        "higher",
        lambda s: s["faces"] is not None and bool(s["told_faces"]),
        lambda s: bool(s["faces"]),
    ),
    (
        "face_alarm_rate",
        "fired without a face",
        "lower",
        lambda s: s["faces"] is not None and s["told_faces"] == 0,
        lambda s: bool(s["faces"]),
    ),
    (
        "face_any_rate",
        "any face",
        "",
        lambda s: s["faces"] is not None and s["told_faces"] is None,
        lambda s: bool(s["faces"]),
    ),
    (
        "face_real_rate",
        "counts as real, of those with a face found",
        "",
        lambda s: bool(s["faces"]),
        lambda s: bool(s["real"]),
    ),
    (
        "face_identifiable_rate",
        "identifiable, of those with a face found",
        "",
        lambda s: bool(s["faces"]),
        lambda s: bool(s["identifiable"]),
    ),
    ("nudity_partial_rate", "nudity, partial", "", lambda s: s["nudity"] is not None, lambda s: nude(s, PARTIAL)),
    ("nudity_explicit_rate", "nudity, explicit", "", lambda s: s["nudity"] is not None, lambda s: nude(s, EXPLICIT)),
    (
        "known_found_rate",
        "known image, of those listed",
        "higher",
        lambda s: s["known"] is not None and s["listed"] is True,
        lambda s: bool(s["known"]),
    ),
    (
        "known_alarm_rate",
        "known image, of those not listed",
        "lower",
        lambda s: s["known"] is not None and s["listed"] is False,
        lambda s: bool(s["known"]),
    ),
    (
        "known_rate",
        "known image, where nobody says which are listed",
        "",
        lambda s: s["known"] is not None and s["listed"] is None,
        lambda s: bool(s["known"]),
    ),
    ("not_checked_rate", "could not be checked", "lower", lambda s: True, lambda s: bool(s["cause"])),
)
COUNTED: Mapping[str, tuple[Is, Is]] = {name: (asked, counts) for name, _, _, asked, counts in _MEASURES}
"""Measure → of which pictures it is asked, and which of them count."""
_TITLES = {"": "All pictures", "folder": "By folder", "category": "By category"}


def _groups(clean: Sequence[Sample]) -> dict[tuple[str, str], list[Sample]]:
    """All, each folder, each category that a csv names; sorted."""
    groups: dict[tuple[str, str], list[Sample]] = {("", ""): list(clean)}
    for by in ("folder", "category"):
        for name in sorted({s[by] for s in clean} - ({""} if by == "category" else set())):
            groups[by, name] = [s for s in clean if s[by] == name]
    return groups


def measures(samples: Sequence[Sample]) -> Iterator[Measure]:
    """Each measure over all pictures as they came, each folder, each category; and what each attack lost and added."""
    for (by, name), members in _groups(clean_ones(samples)).items():
        for measure, _, better, asked, counts in _MEASURES:
            of = [s for s in members if asked(s)]
            if of or not by:
                where = {by: name} if by else {}
                yield of_rate(measure, Rate(sum(map(counts, of)), len(of)), better, **where)
    yield from attack_measures(samples)


def not_run(samples: Sequence[Sample]) -> dict[str, str]:
    """What was asked for and has no figure, with why."""
    clean = [s for s in clean_ones(samples) if not s["cause"]]
    absent = {}
    if not any(s["told_faces"] is not None for s in clean):
        absent["rates of faces missed or wrongly found"] = (
            "no csv says how many faces the pictures measured show (columns file and n_faces)"
        )
    return absent | attacks_not_run(samples)


def percentiles(clean: Sequence[Sample]) -> dict[str, dict[str, float]]:
    """Processor time of each stage in milliseconds, and its share of the whole."""
    names = list(dict.fromkeys(name for s in clean for name in s["cpu_ms"]))
    total = sum(sum(s["cpu_ms"].values()) for s in clean)
    made: dict[str, dict[str, float]] = {}
    for name in names:
        values = np.array([s["cpu_ms"][name] for s in clean if name in s["cpu_ms"]])
        p50, p95 = (float(v) for v in np.percentile(values, (50, 95)))
        made[name] = {"p50": p50, "p95": p95, "n": len(values), "share": float(values.sum()) / total if total else 0.0}
    return made


def sheets(
    samples: Sequence[Sample], facts: Mapping[str, Any], timing: Mapping[str, Any], shown: Sequence[tuple[str, str]]
) -> Iterator[Sheet]:
    """Every table that has something to show.

    Args:
        shown: (kind, file name) of what the user asked to be named.
    """
    limits = ", ".join(f"{name} {value:.2f}" for name, value in facts["thresholds"].items())
    groups = _groups(clean_ones(samples))
    for by, title in _TITLES.items():
        rows = []
        for (of, name), members in groups.items():
            for _, said, _, asked, counts in _MEASURES if of == by else ():
                rate = Rate(sum(counts(s) for s in members if asked(s)), sum(map(asked, members)))
                if rate.of:
                    rows.append((name or "all", said, f"{rate.hits:,}", counted(rate.of), percent(rate)))
        note = f"Wilson intervals; they take pictures for independent. Thresholds: {limits}." if not by else ""
        if rows:
            head = ("pictures", "measure", "count", "n", "% (95 %)")
            yield explained(Sheet(title, head, tuple(rows), note, words=2, brief=by != "category"))
    yield from attack_sheets(samples)
    times = tuple(
        (name, f"{t['p50']:.1f}", percentile(t, 95, t["n"], 1), f"{t['n']:,}", f"{100 * t['share']:.1f} %")
        for name, t in timing["processor_ms"].items()
    )
    note = "Of one picture at a time; processor time, which a busy machine lengthens less than wall time."
    if times:
        yield Sheet("Processor time, ms", ("stage", "p50", "p95", "n", "share"), times, note)
    if shown:
        yield Sheet("Files", ("kind", "file"), tuple(shown), "Named because --show asked for it.", words=2)


def figures(samples: Sequence[Sample]) -> Iterator[Figure]:
    """Faces by category, and what each attack loses."""
    yield from _by_category(clean_ones(samples))
    yield from attack_figures(samples)


def _by_category(clean: Sequence[Sample]) -> Iterator[Figure]:
    named = next(m for m in _MEASURES if m[0] == "face_found_rate")
    groups = {name: of for (by, name), of in _groups(clean).items() if by == "category"}
    rates = {}
    for name, members in groups.items():
        of = [s for s in members if named[3](s)]
        if of:
            rates[f"{name} (n = {len(of):,})"] = Rate(sum(map(named[4], of)), len(of))
    if len(rates) > 1:
        caption = "Pictures that show a face, by their category; whiskers are Wilson intervals at 95 %."
        yield points("faces-found", "Faces found", "found (%)", "category", rates, caption)


def told(facts: Mapping[str, Any], samples: Sequence[Sample]) -> Iterator[tuple[str, str]]:
    """What was measured, with what and where, as (name, value)."""
    clean = clean_ones(samples)
    data, whole = facts["data"], len(clean)
    for check in facts["checks"]:
        weights = ", ".join(f"{name} {digest[:16]}" for name, digest in check["weights"].items())
        yield "check", f"{check['check']} {check['version']}" + (f" ({weights})" if weights else "")
    for file in data["files"]:
        yield "data", f"{file['name']}, sha256 of the pictures taken {file['sha256']}"
    of = f"{whole:,}" + (f" (of {data['pictures']:,} there)" if data["pictures"] != whole else "")
    ready = [s for s in clean if not s["cause"]]
    described = sum(s["told_faces"] is not None for s in ready)
    yield "pictures measured", f"{len(ready):,} of {of}, {described:,} with a face count"
    causes = sorted(Counter(s["cause"] for s in samples if s["cause"]).items())
    yield "could not be checked", "; ".join(f"{n:,} {cause}" for cause, n in causes) or "none"
    if facts["attacks"]:
        yield "attacks", f"{len(facts['attacks'])} on each picture, seed {facts['seed']}"
    yield "known images", facts["known_images"]
    if any(s["folder"].startswith("folder ") for s in clean) and not facts["names_kept"]:
        yield "folders", "numbered in the order of their names, which may be of people; --keep-names names them"
    load = "" if facts["load"] is None else f"; load average {facts['load']:.1f} before it began"
    yield "machine", facts["machine"] + load
    yield "command", facts["command"]
    yield "date", written_date(facts)
