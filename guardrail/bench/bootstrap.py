"""Intervals by resampling: of rows, or of whole groups of rows where those of one group depend on each other.

Groups are drawn with replacement, each with all its rows (the cluster bootstrap of Field and Welsh 2007, Journal of
the Royal Statistical Society B 69, 369); the interval is that between the 2.5 % and the 97.5 % point of the resampled
figures (the percentile interval of Efron and Tibshirani 1993, chapter 13). With few groups it is too narrow: under 30
of them, `Measure.remark` says that they carry no claim. What varies in no resample has no interval of this kind.

The draws follow from a fixed seed and from how many rows or groups there are: the same rows give the same interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import csr_array

from guardrail.bench.ranking import Ints, Ranking, figures
from guardrail.bench.statistics import Bools, Floats, wilson

__all__ = ["REPLICATES", "Interval", "by_groups", "by_rows", "rate_intervals"]

REPLICATES = 1_000
"""Resamples. The ends of an interval vary by some 3 % of its width from seed to seed with so many."""
_SEED = 20_000_101
_FEW = 10  # groups with the rarer answer
_AT_ONCE = 500_000  # entries of a block of resamples: 4 MB

Interval = tuple[float, float] | None


def _blocks(width: int) -> Iterator[int]:
    """How many resamples of `width` entries to make at once, until there are enough."""
    most = max(1, _AT_ONCE // max(1, width))
    yield from (min(most, REPLICATES - begin) for begin in range(0, REPLICATES, most))


def _draws(groups: int) -> Iterator[Floats]:
    """How often each group was drawn, in blocks of shape (some, groups)."""
    rng = np.random.default_rng(_SEED)
    for some in _blocks(groups):
        drawn = [np.bincount(rng.integers(0, groups, groups), minlength=groups) for _ in range(some)]
        yield np.stack(drawn).astype(np.float64)


def rate_intervals(hits: Sequence[Bools], group: Ints) -> tuple[int, list[Interval]]:
    """Intervals of shares of the same rows by groups.

    Args:
        hits: each of shape (n,): which rows count.
        group: of shape (n,), any numbers.

    Returns:
        (groups, an interval for each of `hits`): none where every row is a group of its own. No interval is narrower
        than Wilson's of the rows: groups do not add knowledge. Where fewer than `_FEW` groups hold a row that counts,
        or one that does not, resamples know too few of the other answer: then it is at least Wilson's of the same
        share and so many rows as there are groups. So it is for a share that is the same in every resample, as one of
        none or of all is.
    """
    numbers = np.unique(group, return_inverse=True)[1]
    groups = int(numbers.max()) + 1 if len(numbers) else 0
    if groups == len(group):
        return groups, [None] * len(hits)
    # Whole numbers below 2⁵³: the products are exact in whatever order a library adds them up.
    of = np.bincount(numbers, minlength=groups).astype(np.float64)
    counts = np.stack([np.bincount(numbers[hit], minlength=groups) for hit in hits], axis=1).astype(np.float64)
    shares = np.concatenate([(drawn @ counts) / (drawn @ of)[:, None] for drawn in _draws(groups)])
    return groups, [
        _no_narrower(_percentile(column), float(hit.mean()), len(group), groups, _few(count, of))
        for column, count, hit in zip(shares.T, counts.T, hits, strict=True)
    ]


def _few(count: Floats, of: Floats) -> bool:
    """Whether one of the two answers is in few groups only."""
    return bool(min(np.count_nonzero(count), np.count_nonzero(of - count)) < _FEW)


def _no_narrower(interval: Interval, share: float, rows: int, groups: int, few: bool) -> Interval:
    n = groups if few or interval is None else rows
    low, high = wilson(share * n, n)
    return (low, high) if interval is None else (min(interval[0], low), max(interval[1], high))


def by_rows(ranking: Ranking, rates: Sequence[float], most_steps: int) -> list[Interval]:
    """Intervals of `figures` where each row stands alone.

    Args:
        most_steps: of the threshold. With 2,000 the ends of an interval move by less than 0.001, and a hundred thousand
            rows take a second.
    """
    step = ranking.steps(most_steps)
    steps = int(step.max()) + 1
    kinds = np.bincount(step + steps * ranking.truth, minlength=2 * steps)
    rng = np.random.default_rng(_SEED)
    # Rows of one step and kind are the same row, so that only how many there are of each has to be drawn.
    made = [
        _figures(rng.multinomial(len(step), kinds / len(step), some).astype(np.float64), rates)
        for some in _blocks(2 * steps)
    ]
    return [_percentile(column) for column in np.concatenate(made).T]


def by_groups(ranking: Ranking, rates: Sequence[float], most_steps: int, group: Ints) -> tuple[int, list[Interval]]:
    """(groups, intervals of `figures`); no intervals where every row is a group of its own."""
    step, numbers = ranking.steps(most_steps), np.unique(group, return_inverse=True)[1]
    steps, groups = int(step.max()) + 1, int(numbers.max()) + 1
    if groups == len(group):
        return groups, [None] * (3 + len(rates))
    of = csr_array((np.ones(len(step)), (step + steps * ranking.truth, numbers)), shape=(2 * steps, groups))
    made = []
    for drawn in _draws(groups):
        for part in np.array_split(drawn, max(1, drawn.shape[0] * 2 * steps // _AT_ONCE)):
            made.append(_figures(np.asarray(of @ part.T).T, rates))
    return groups, [_percentile(column) for column in np.concatenate(made).T]


def _figures(kinds: Floats, rates: Sequence[float]) -> Floats:
    """Of rows by step, the harmless first: shape (r, 2 · steps)."""
    alarms, found = (np.cumsum(half, axis=1) for half in np.hsplit(kinds, 2))
    return figures(found, alarms, rates)


def _percentile(values: Floats) -> Interval:
    values = values[~np.isnan(values)]
    if not len(values) or values.min() == values.max():
        return None
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
