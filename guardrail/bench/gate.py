"""Whether a run may be released: against an earlier run, and against limits.

A figure over everything fails when it got worse by more than the tolerance: on the same data a guard that decides
otherwise has changed, whatever a test of significance says. A figure of one part (a language, a label) fails when it
got worse by more than the tolerance and that is more than chance, over all languages, or all labels, together (Holm
1979): of a hundred small parts some always move. Parts too small to show it, whatever became of them, take no part
(Tarone 1990).

What needs no figure: a check that no longer ran, a locked rule that was changed, a list that is empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from guardrail.bench.comparison import LEVEL, Change, Comparison, written_value
from guardrail.bench.files import DataError
from guardrail.bench.report import prepare, write_texts
from guardrail.bench.run.measures import UNREAD, Measure

__all__ = ["Finding", "Limit", "gate", "limits_of", "write_junit"]

_STOPPED = ("block_rate", "stop_rate")
# Figures of samples that depend on the decisions themselves: fewer of them, or none, are no loss.
_OF_DECISIONS = ("attack_", "adaptive_", "threshold_", "bypass_", "binding_")
# Figures of what checks find in pictures that nobody described: no direction is better, but less of it is to be told.
_FOUND = ("nudity_", "face_", "known_")
_CURED = ("nothing was altered", "fewer than half of the prompts fell")
"""Why a figure cannot be told any more that would be worse if it could."""
_NAMED = 3  # so many keys are written out
TOLERANCE = 0.005
"""Half a point of a share, and as much of any other unit."""
_PARTS = frozenset({"label", "lang", "source", "attack", "with", "pairs", "cause", "folder", "category"})
"""Dimensions that cut the samples of one figure up. Figures of others (a policy, a condition) stand on their own."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A figure has to be at least, or at most, so much. The end of its interval that is worse for it counts with
    `bound`: “at least 98 %” is then a claim that the data carry."""

    key: str
    value: float
    at_least: bool
    bound: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one figure: `failure` says why it fails, and is empty where it does not; then `remark` is what
    has to be known of it all the same."""

    key: str
    told: str
    failure: str = ""
    remark: str = ""


def limits_of(under: Sequence[str], over: Sequence[str], *, bound: bool = False) -> list[Limit]:
    """From ``block_rate=0.98`` (fail under) and ``over_block_rate=0.02`` (fail over).

    Raises:
        DataError: one is not written so.
    """
    made = []
    for at_least, texts in ((True, under), (False, over)):
        for text in texts:
            key, equals, number = text.rpartition("=")
            try:
                value = float(number)
            except ValueError:
                equals = ""
            if not equals or not key or value != value:
                option = "--fail-under" if at_least else "--fail-over"
                raise DataError(f"{option} {text!r}: write FIGURE=NUMBER, such as block_rate=0.98")
            made.append(Limit(key.strip(), value, at_least, bound))
    return made


def gate(
    measures: Mapping[str, Measure],
    limits: Sequence[Limit] = (),
    against: Comparison | None = None,
    tolerance: float = TOLERANCE,
    *,
    on_change: bool = False,
) -> list[Finding]:
    """Every figure that was looked at, failed ones first.

    Args:
        on_change: fail on any policy, list or check that differs from the baseline's, whatever the figures are.

    Raises:
        DataError: the runs are of other data, or there is nothing to look at: a gate that cannot close is none.
    """
    if against is not None and not against.changes and not against.gone:
        raise DataError(
            "the baseline holds no figure, as of a suite that keeps times alone: there is nothing to compare"
        )
    if against is not None and not against.same_data:
        why = "; ".join(against.other_samples) or "one of the two runs does not say on which samples"
        raise DataError(
            f"the baseline was measured on other samples ({why}): a change of the figures would say nothing. Measure "
            "the baseline anew with the same data and options"
        )
    found = [_limited(measures, limit) for limit in limits]
    if against is not None:
        told = against.deciding if on_change else against.weakened
        found += [Finding(text, text, f"{text}; if that is meant, measure the baseline anew") for text in told]
        found += _compared(against, tolerance)
    if not found:
        raise DataError("nothing to look at: give --baseline, --fail-under or --fail-over")
    return sorted(found, key=lambda f: not f.failure)


def _limited(measures: Mapping[str, Measure], limit: Limit) -> Finding:
    asked = f"{'at least' if limit.at_least else 'at most'} {limit.value:g}"
    measure = measures.get(limit.key)
    if measure is None:
        return Finding(
            limit.key,
            "not in the run",
            f"{limit.key} is not in the run; {asked} is asked for{_like(measures, limit.key)}",
        )
    if measure.value is None:
        return Finding(limit.key, written_value(measure), f"{limit.key} was not measured; {asked} is asked for")
    value = measure.value
    if measure.unit in ("share", "census", "area") and not 0.0 <= limit.value <= 1.0:
        raise DataError(f"{limit.key} lies between 0 and 1, and {limit.value:g} does not: write 0.98 for 98 %")
    if limit.bound:
        if measure.interval is None and measure.unit != "census":
            return Finding(limit.key, written_value(measure), f"{limit.key} has no interval to hold against {asked}")
        ends = [interval[0 if limit.at_least else 1] for interval in measure.intervals]
        value = (min(ends) if limit.at_least else max(ends)) if ends else measure.value
    if measure.name in _STOPPED and (why := _unread(measures, measure)):
        return Finding(limit.key, written_value(measure), f"{limit.key} counts prompts that no check read ({why})")
    failed = value < limit.value if limit.at_least else value > limit.value
    told = f"{written_value(measure)}{f', bound {value:.4g}' if limit.bound else ''}"
    remark = "" if limit.bound else measure.remark
    return Finding(limit.key, told, f"{limit.key} is {told}; {asked} is asked for" if failed else "", remark)


def _unread(measures: Mapping[str, Measure], measure: Measure) -> str:
    """Of the prompts that a figure is of, those that were blocked unread; empty where there are few."""
    counted = re.match(rf"([\d,]+) {UNREAD}", measure.caveat)
    if counted and int(counted[1].replace(",", "")) > TOLERANCE * measure.n:
        return measure.caveat
    if "peer" not in dict(measure.of):
        return ""
    # Of a peer it is told of all rows together.
    whole = measures.get(Measure("not_checked_rate", tuple(p for p in measure.of if p[0] in ("peer", "suite"))).key)
    return written_value(whole) if whole is not None and (whole.value or 0.0) > TOLERANCE else ""


def _like(measures: Mapping[str, Measure], key: str) -> str:
    """Figures of that name, for whoever wrote another part of it, or none."""
    name = key.partition("[")[0]
    found = [m.key for m in measures.values() if m.name == name]
    return f". It has {', '.join(found[:_NAMED])}{', …' if len(found) > _NAMED else ''}" if found else ""


def _compared(against: Comparison, tolerance: float) -> list[Finding]:
    gone = [key for key in against.gone if not key.startswith(_OF_DECISIONS) and "[cause=" not in key]
    found = [Finding(key, "gone", f"{key} is no longer measured") for key in gone]
    families: dict[tuple[str, ...], list[Change]] = {}
    for c in against.changes:
        if _is_part(c) and c.after.better:
            families.setdefault((c.after.name, *(dimension for dimension, _ in c.after.of)), []).append(c)
    surely = {key for family in families.values() for key in _holm(family)}
    for change in against.changes:
        told = f"{written_value(change.before)} → {written_value(change.after)}"
        why = _why(change, told, tolerance, change.key in surely)
        if why or change.after.better:
            worse = 0 < change.worse_by <= tolerance and change.sure and not _is_part(change)
            found.append(Finding(change.key, told, why, "worse, within the tolerance" if worse and not why else ""))
    return found


def _why(change: Change, told: str, tolerance: float, surely: bool) -> str:
    decided = change.after.name.startswith(_OF_DECISIONS)
    if change.before.value is not None and change.after.value is None:
        cured = decided and change.after.note in _CURED
        return "" if cured else f"{change.key} is no longer measured: {change.after.note or 'no reason given'}"
    if not decided and change.after.n < change.before.n and not _is_part(change) and change.after.better:
        return f"{change.key} rests on fewer samples: {told}"
    p = "" if change.difference is None else f", p = {change.difference.p:.3g} ({change.difference.method})"
    if not change.after.better:
        fell = (change.before.value or 0.0) - (change.after.value or 0.0)
        less = change.after.name.startswith(_FOUND) and fell > tolerance and change.sure and not _is_part(change)
        return f"{change.key} finds less in the same pictures: {told}{p}" if less else ""
    if change.worse_by <= tolerance or (_is_part(change) and not surely):
        return ""
    return f"{change.key} got worse: {told}{p}"


def _is_part(change: Change) -> bool:
    return any(dimension in _PARTS for dimension, _ in change.after.of)


def _holm(changes: Sequence[Change]) -> set[str]:
    """Keys whose change is more than chance when all of them are looked at together."""
    certain = {c.key for c in changes if c.difference is None and c.sure}
    able = _able([c for c in changes if c.difference is not None])
    tested = sorted(((c.difference.p, c.key) for c in able if c.difference is not None), key=lambda item: item[0])
    for i, (p, key) in enumerate(tested):
        if p > LEVEL / (len(tested) - i):
            break
        certain.add(key)
    return certain


def _able(changes: Sequence[Change]) -> list[Change]:
    """Those that could be more than chance among so many, had every sample of them changed; the others would cost
    them power (Tarone 1990). The smallest p of an exact test of n changed pairs is 2 · 2⁻ⁿ; Fisher's is smaller."""
    least = {c.key: 2.0 ** (1 - min(c.before.n, c.after.n, 1_000)) for c in changes}
    for k in range(1, len(changes) + 1):
        able = [c for c in changes if least[c.key] <= LEVEL / k]
        if len(able) <= k:
            return able
    return list(changes)


def write_junit(findings: Sequence[Finding], path: Path) -> None:
    """The findings as JUnit XML, for a build server.

    Raises:
        DataError: the file cannot be written.
    """
    from guardrail.bench.junit import Case, junit

    prepare(path.parent)
    write_texts({path.name: junit([Case(f.key, "gate", f.failure) for f in findings])}, path.parent)
