"""Whether a run may be released: against an earlier run, and against limits.

A figure over everything fails when it got worse by more than the tolerance: on the same data a guard that decides
otherwise has changed, whatever a test of significance says. A figure of one part (a language, a label) fails when it
got worse by more than the tolerance and that is more than chance, over all languages, or all labels, together (Holm
1979): of a hundred small parts some always move. Parts of fewer than 30 samples take no part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from guardrail.bench.comparison import LEVEL, Change, Comparison, written_value
from guardrail.bench.files import DataError
from guardrail.bench.report import prepare, write_texts
from guardrail.bench.run.measures import FEW, Measure

__all__ = ["Finding", "Limit", "gate", "limits_of", "write_junit"]

_STOPPED = ("block_rate", "stop_rate")
# Figures of samples that depend on the decisions themselves: fewer of them are no loss.
_OF_DECISIONS = ("attack_", "adaptive_", "threshold_", "bypass_", "binding_")
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
    """What became of one figure: `failure` says why it fails, and is empty where it does not."""

    key: str
    told: str
    failure: str = ""


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
) -> list[Finding]:
    """Every figure that was looked at, failed ones first.

    Raises:
        DataError: the runs are of other data, or there is nothing to look at: a gate that cannot close is none.
    """
    if against is not None and not against.same_data:
        raise DataError(
            "the baseline was measured on other samples, or one of the runs does not say on which: a change of the "
            "figures would say nothing. Measure the baseline anew with the same data and options. "
            f"{'; '.join(against.differ)}"
        )
    found = [_limited(measures, limit) for limit in limits]
    if against is not None:
        found += _compared(against, tolerance)
    if not found:
        raise DataError("nothing to look at: give --baseline, --fail-under or --fail-over")
    return sorted(found, key=lambda f: not f.failure)


def _limited(measures: Mapping[str, Measure], limit: Limit) -> Finding:
    asked = f"{'at least' if limit.at_least else 'at most'} {limit.value:g}"
    measure = measures.get(limit.key)
    if measure is None:
        return Finding(limit.key, "not in the run", f"{limit.key} is not in the run; {asked} is asked for")
    if measure.value is None:
        return Finding(limit.key, written_value(measure), f"{limit.key} was not measured; {asked} is asked for")
    value = measure.value
    if limit.bound:
        if measure.interval is None:
            return Finding(limit.key, written_value(measure), f"{limit.key} has no interval to hold against {asked}")
        ends = [interval[0 if limit.at_least else 1] for interval in measure.intervals]
        value = min(ends) if limit.at_least else max(ends)
    unread = measures.get("not_checked_rate")
    if measure.name in _STOPPED and unread is not None and (unread.value or 0.0) > TOLERANCE:
        return Finding(
            limit.key,
            written_value(measure),
            f"{limit.key} counts prompts that no check read ({written_value(unread)}): it says nothing of the checks",
        )
    failed = value < limit.value if limit.at_least else value > limit.value
    told = f"{written_value(measure)}{f', bound {value:.4g}' if limit.bound else ''}"
    return Finding(limit.key, told, f"{limit.key} is {told}; {asked} is asked for" if failed else "")


def _compared(against: Comparison, tolerance: float) -> list[Finding]:
    found = [Finding(key, "gone", f"{key} is no longer measured") for key in against.gone]
    # Each of the smallest parts would cost the others power, and could not fail itself.
    families: dict[tuple[str, ...], list[Change]] = {}
    for c in against.changes:
        if _is_part(c) and c.after.better and c.before.n >= FEW:
            families.setdefault((c.after.name, *(dimension for dimension, _ in c.after.of)), []).append(c)
    surely = {key for family in families.values() for key in _holm(family)}
    for change in against.changes:
        if not change.after.better:
            continue
        told = f"{written_value(change.before)} → {written_value(change.after)}"
        found.append(Finding(change.key, told, _why(change, told, tolerance, change.key in surely)))
    return found


def _why(change: Change, told: str, tolerance: float, surely: bool) -> str:
    if change.before.value is not None and change.after.value is None:
        return f"{change.key} is no longer measured: {change.after.note or 'no reason given'}"
    if not change.after.name.startswith(_OF_DECISIONS) and change.after.n < change.before.n and not _is_part(change):
        return f"{change.key} rests on fewer samples: {told}"
    if change.worse_by <= tolerance or (_is_part(change) and not surely):
        return ""
    p = "" if change.difference is None else f", p = {change.difference.p:.3g} ({change.difference.method})"
    return f"{change.key} got worse: {told}{p}"


def _is_part(change: Change) -> bool:
    return any(dimension in _PARTS for dimension, _ in change.after.of)


def _holm(changes: Sequence[Change]) -> set[str]:
    """Keys whose change is more than chance when all of them are looked at together."""
    certain = {c.key for c in changes if c.difference is None and c.sure}
    tested = sorted(((c.difference.p, c.key) for c in changes if c.difference is not None), key=lambda item: item[0])
    for i, (p, key) in enumerate(tested):
        if p > LEVEL / (len(tested) - i):
            break
        certain.add(key)
    return certain


def write_junit(findings: Sequence[Finding], path: Path) -> None:
    """The findings as JUnit XML, for a build server.

    Raises:
        DataError: the file cannot be written.
    """
    from guardrail.bench.junit import Case, junit

    prepare(path.parent)
    write_texts({path.name: junit([Case(f.key, "gate", f.failure) for f in findings])}, path.parent)
