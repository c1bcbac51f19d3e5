"""Two runs of a suite side by side: each figure of both, what changed, and whether that can be chance.

Shares of the same prompts are compared row by row (exact McNemar test), shares of other rows as two samples (Fisher).
Of everything else only the two values are known, and whether their intervals overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from guardrail.bench.comparison_samples import Pair, decided, lost_or_added, pairs_of
from guardrail.bench.files import DataError
from guardrail.bench.run.fingerprint import deciding, differences, measured_on, other_samples, weakened
from guardrail.bench.run.folder import read_run
from guardrail.bench.run.measures import Measure
from guardrail.bench.run.samples import FILE
from guardrail.bench.statistics import Difference, Rate, paired, unpaired
from guardrail.bench.tables import Sheet

__all__ = ["LEVEL", "Change", "Comparison", "compare", "comparison_json", "comparison_sheets", "written_value"]

LEVEL = 0.05
_NO_CHANGE = 1e-12


@dataclass(frozen=True, slots=True)
class Change:
    """One figure in both runs.

    Attributes:
        difference: after − before with its interval and p; None where no test fits.
        verdict: ``better``, ``worse`` or ``same`` in the direction that the figure has; empty where it has none, or
            was not measured in one of the runs.
        sure: whether the change is more than chance: p below 0.05, or intervals that do not overlap.
        common: `difference` is of the copies that both runs made, which are not all that each figure is of.
    """

    before: Measure
    after: Measure
    difference: Difference | None
    verdict: Literal["better", "worse", "same", ""]
    sure: bool
    common: bool = False

    @property
    def key(self) -> str:
        return self.after.key

    @property
    def worse_by(self) -> float:
        """How far it went in the wrong direction; 0 where it did not. Of disguised copies, of those that both runs
        made: a guard that catches more prompts has more of them, and harder ones."""
        if self.before.value is None or self.after.value is None:
            return 0.0
        if self.difference is not None and self.common:
            return max(0.0, self.difference.value * (1 if self.after.better == "lower" else -1))
        return abs(self.after.value - self.before.value) if self.verdict == "worse" else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs.

    Attributes:
        changes: figures that both have, in the order of the later one.
        gone, new: keys that only the earlier, or only the later run has.
        differ: what the runs differ in, in words.
        same_data: whether the same samples were measured: files by hash, rows, limit, seed, labels, disguises, draws.
        rows: samples that both judged, paired; 0 where they could not be paired.
        other_samples: what says that the samples are not the same ones, in words.
        deciding: of `differ`, policies, lists and checks.
        weakened: checks, locked rules and lists that are no longer what they were.
    """

    suite: str
    changes: tuple[Change, ...]
    gone: tuple[str, ...]
    new: tuple[str, ...]
    differ: tuple[str, ...]
    same_data: bool
    rows: int
    other_samples: tuple[str, ...] = ()
    deciding: tuple[str, ...] = ()
    weakened: tuple[str, ...] = ()


def compare(before: Path, after: Path) -> Comparison:
    """The folders of two runs of one suite.

    Raises:
        DataError: one is no run, or they are of two suites.
    """
    old, new = read_run(before), read_run(after)
    if old.suite != new.suite:
        raise DataError(f"{before} is a run of {old.suite} and {after} one of {new.suite}: they have nothing in common")
    pairs = pairs_of(before / FILE, after / FILE)
    changes = [
        _change(new.suite, old.measures[key], measure, pairs)
        for key, measure in new.measures.items()
        if key in old.measures
    ]
    return Comparison(
        new.suite,
        tuple(changes),
        tuple(key for key in old.measures if key not in new.measures),
        tuple(key for key in new.measures if key not in old.measures),
        tuple(differences(old.run, new.run)),
        bool(measured_on(old.run)) and measured_on(old.run) == measured_on(new.run),
        len(pairs),
        tuple(other_samples(old.run, new.run)),
        tuple(deciding(old.run, new.run)),
        tuple(weakened(old.run, new.run)),
    )


def _change(suite: str, before: Measure, after: Measure, pairs: Sequence[Pair]) -> Change:
    if before.value is None or after.value is None:
        return Change(before, after, None, "", False)
    difference, common = _tested(suite, before, after, pairs)
    moved = difference.value if common and difference is not None else after.value - before.value
    if not after.better:
        verdict: Literal["better", "worse", "same", ""] = ""
    elif abs(moved) < _NO_CHANGE:
        verdict = "same"
    else:
        verdict = "better" if (moved > 0) == (after.better == "higher") else "worse"
    sure = difference.p < LEVEL if difference is not None else _apart(_widest(before), _widest(after))
    return Change(before, after, difference, verdict, sure and abs(moved) >= _NO_CHANGE, common)


def _tested(suite: str, before: Measure, after: Measure, pairs: Sequence[Pair]) -> tuple[Difference | None, bool]:
    """The test, and whether it is of the copies that both runs made."""
    if before.count is None or after.count is None:
        return None, False
    same = decided(suite, before, after, pairs)
    if same is not None:
        return paired(*same), False
    copies = lost_or_added(suite, after, pairs)
    if copies is not None:
        return paired(*copies), True
    # Of the same rows, two samples are no model: only whether the intervals overlap is said.
    return None if pairs else unpaired(Rate(before.count, before.n), Rate(after.count, after.n)), False


def _widest(measure: Measure) -> tuple[float, float] | None:
    intervals = measure.intervals
    return (min(low for low, _ in intervals), max(high for _, high in intervals)) if intervals else None


def _apart(before: tuple[float, float] | None, after: tuple[float, float] | None) -> bool:
    return before is not None and after is not None and (before[1] < after[0] or after[1] < before[0])


def comparison_sheets(of: Comparison, *, every: bool = False) -> list[Sheet]:
    """Tables: what the runs differ in, and the figures that changed (`every`: also those that did not)."""
    shown = [c for c in of.changes if every or (c.after.value != c.before.value)]
    rows = [
        (
            c.key,
            written_value(c.before),
            written_value(c.after),
            _moved(c),
            "–" if c.difference is None else f"{c.difference.p:.3g}",
            "intervals" if c.difference is None else c.difference.method + (", copies in both" if c.common else ""),
            {"": "", "same": "same"}.get(c.verdict, c.verdict if c.sure else f"{c.verdict}, perhaps chance"),
        )
        for c in shown
    ]
    note = (
        f"{of.rows:,} samples in both, paired: exact McNemar test where a figure is of them. "
        if of.rows
        else "The rows could not be paired: shares are compared as two samples (Fisher's exact test). "
    ) + (
        "p is not adjusted for the number of lines, and takes rows for independent: rows of one group (a template, an "
        "author) are not, and make it too small. Intervals: whether the two overlap, where no test fits."
    )
    sheets = [
        Sheet("What differs", ("between the two runs",), tuple((text,) for text in of.differ)),
        Sheet("Figures", ("figure", "before", "after", "change (95 %)", "p", "test", "verdict"), tuple(rows), note),
        Sheet("Only in the earlier run", ("figure",), tuple((key,) for key in of.gone)),
        Sheet("Only in the later run", ("figure",), tuple((key,) for key in of.new)),
    ]
    return [sheet for sheet in sheets if sheet.rows]


def written_value(measure: Measure) -> str:
    """``12.34 % of 500``; ``not measured: why``."""
    if measure.value is None:
        return f"not measured: {measure.note}" if measure.note else "not measured"
    value = f"{100 * measure.value:.2f} %" if measure.unit in ("share", "census") else f"{measure.value:.4g}"
    return f"{value} of {measure.n:,}" if measure.n else value


def _moved(change: Change) -> str:
    if change.before.value is None or change.after.value is None:
        return "–"
    moved = change.after.value - change.before.value
    if change.difference is None:
        return f"{100 * moved:+.2f} points" if change.after.unit == "share" else f"{moved:+.4g}"
    low, high = change.difference.low, change.difference.high
    return f"{100 * moved:+.2f} points ({100 * low:+.2f} to {100 * high:+.2f})"


def comparison_json(of: Comparison) -> dict[str, Any]:
    """The same as JSON, every figure that both runs have."""
    return {
        "suite": of.suite,
        "same_data": of.same_data,
        "paired_rows": of.rows,
        "differ": list(of.differ),
        "gone": list(of.gone),
        "new": list(of.new),
        "changes": [
            {
                "figure": c.key,
                "before": c.before.to_json(),
                "after": c.after.to_json(),
                "difference": None if c.difference is None else c.difference.to_json(),
                "verdict": c.verdict,
                "more_than_chance": c.sure,
            }
            for c in of.changes
        ],
    }
