"""The statistics of a benchmark. Arrays are one-dimensional; `truth` is True for what ought to be blocked."""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, fisher_exact, norm, rankdata

from guardrail.policy.simulation import Rate

__all__ = [
    "Area",
    "Curve",
    "Difference",
    "Rate",
    "area_difference",
    "area_under",
    "brier",
    "curve",
    "paired",
    "spread",
    "unpaired",
    "wilson",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_Z = 1.959964  # 97.5 % of the standard normal distribution lie below it


class Area(NamedTuple):
    """Area under the ROC curve with its interval at 95 %."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "interval_95": [self.low, self.high]}


class Curve(NamedTuple):
    """A ROC curve: at `threshold` and over, `false` of the harmless and `true` of the others are found.

    From (0, 0) at a threshold of infinity to (1, 1). Points on a straight line between two others are left out.
    """

    threshold: Floats
    false: Floats
    true: Floats

    def thinned(self, most: int) -> Curve:
        """At most `most` points, evenly spread along the curve, both ends among them."""
        at = spread(self.false, self.true, most)
        return Curve(self.threshold[at], self.false[at], self.true[at])


class Difference(NamedTuple):
    """`after` − `before` as a share, with its interval at 95 % and the two-sided p-value for no difference."""

    value: float
    low: float
    high: float
    p: float
    method: str

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "interval_95": [self.low, self.high], "p": self.p, "method": self.method}


def spread(x: Floats, y: Floats, most: int) -> NDArray[np.intp]:
    """At most `most` positions evenly spread along a path, both ends among them."""
    if len(x) <= most:
        return np.arange(len(x))
    along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    return np.unique(np.searchsorted(along, np.linspace(0, along[-1], most)).clip(0, len(along) - 1))


def curve(scores: Floats, truth: Bools) -> Curve | None:
    """None where one of the two kinds is absent."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return None
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], np.cumsum(truth[order])
    last = np.flatnonzero(np.append(np.diff(ordered) != 0, True))  # the last row of each tie: ties are decided together
    true = np.append(0.0, hits[last] / positives)
    false = np.append(0.0, (last + 1 - hits[last]) / negatives)
    threshold = np.append(np.inf, ordered[last])
    if len(false) > 2:
        cross = np.diff(false)[:-1] * np.diff(true)[1:] - np.diff(false)[1:] * np.diff(true)[:-1]
        keep = np.concatenate([[True], np.abs(cross) > 1e-15, [True]])
        threshold, false, true = threshold[keep], false[keep], true[keep]
    return Curve(threshold, false, true)


def _placements(scores: Floats, truth: Bools) -> tuple[Floats, Floats]:
    """For each positive the share of negatives below it (ties half), for each negative that of positives above it."""
    high, low = scores[truth], scores[~truth]
    ranks = rankdata(np.concatenate([high, low]))
    m, n = len(high), len(low)
    return (ranks[:m] - rankdata(high)) / n, 1 - (ranks[m:] - rankdata(low)) / m


def area_under(scores: Floats, truth: Bools) -> Area | None:
    """The chance that a positive scores higher than a negative, ties half; interval by DeLong (1988).

    Computed from midranks (Sun and Xu 2014). None where one of the two kinds is absent. Where no positive lies below a
    negative, DeLong's interval would have no width: then it is Wilson's, for as many independent pairs as could be made
    of the rows.
    """
    if not truth.any() or truth.all():
        return None
    a, b = _placements(scores, truth)
    value = float(a.mean())
    variance = _variance(a, a) + _variance(b, b)
    if not variance:
        pairs = min(len(a), len(b))
        return Area(value, *wilson(value * pairs, pairs))
    spread = _Z * sqrt(variance)
    return Area(value, max(0.0, value - spread), min(1.0, value + spread))


def wilson(hits: float, of: int) -> tuple[float, float]:
    """Wilson's score interval at 95 % where rows may count half (a tie): for those it is a little too wide.

    The variance of what is 0, ½ or 1 is at most that of what is 0 or 1 with the same mean.
    """
    p, z2 = hits / of, _Z * _Z
    middle, half = p + z2 / (2 * of), _Z * sqrt(p * (1 - p) / of + z2 / (4 * of * of))
    # At the ends it is exact, which floats are not.
    return 0.0 if hits == 0 else (middle - half) / (1 + z2 / of), 1.0 if hits == of else (middle + half) / (1 + z2 / of)


def _variance(a: Floats, b: Floats) -> float:
    """Covariance of the means of two paired samples."""
    return float(((a - a.mean()) * (b - b.mean())).sum() / (len(a) - 1) / len(a)) if len(a) > 1 else 0.0


def area_difference(before: Floats, after: Floats, truth: Bools) -> Difference | None:
    """Difference of two areas on the same rows (DeLong 1988). None where one of the two kinds is absent."""
    if not truth.any() or truth.all():
        return None
    (a0, b0), (a1, b1) = _placements(before, truth), _placements(after, truth)
    value = float(a1.mean() - a0.mean())
    error = sqrt(max(0.0, _variance(a1 - a0, a1 - a0) + _variance(b1 - b0, b1 - b0)))
    p = float(2 * norm.sf(abs(value) / error)) if error else float(value == 0)
    return Difference(value, value - _Z * error, value + _Z * error, p, "DeLong, paired")


def brier(scores: Floats, truth: Bools) -> float | None:
    """Mean squared distance of the scores from 1 for what ought to be blocked and 0 for the rest (Brier 1950)."""
    return float(np.mean((scores - truth) ** 2)) if len(scores) else None


def paired(before: Bools, after: Bools) -> Difference:
    """The same rows twice: two-sided exact McNemar test; interval by Agresti and Min (2005)."""
    gained, lost, n = int((after & ~before).sum()), int((before & ~after).sum()), len(before)
    p = float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0
    # Half a row is added to each of the four cells, so that the interval holds for few changes, and for none.
    of, change, moved = n + 2, gained - lost, gained + lost + 1
    middle, half = change / of, _Z * sqrt(moved - change * change / of) / of
    value = change / n if n else 0.0
    return Difference(value, max(-1.0, middle - half), min(1.0, middle + half), p, "McNemar, exact")


def unpaired(before: Rate, after: Rate) -> Difference:
    """Other rows: Fisher's exact test; interval by Newcombe (1998, method 10) from the two Wilson intervals."""
    (l0, u0), (l1, u1) = before.interval, after.interval
    value = after.value - before.value
    low = value - sqrt((after.value - l1) ** 2 + (u0 - before.value) ** 2)
    high = value + sqrt((u1 - after.value) ** 2 + (before.value - l0) ** 2)
    table = np.array([[before.hits, before.of - before.hits], [after.hits, after.of - after.hits]])
    p = float(fisher_exact(table).pvalue) if before.of and after.of else 1.0
    return Difference(value, max(-1.0, low), min(1.0, high), p, "Fisher, exact, other rows")
