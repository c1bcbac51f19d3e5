"""How well a score puts what ought to be blocked above what is harmless: everything that follows from the order alone.

A ranking is how many rows of either kind each step of the threshold finds, from the highest score down. Figures are
made of many rankings at once, so that the same lines serve the rows and their resamples (`guardrail.bench.bootstrap`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from guardrail.bench.statistics import Bools, Floats, Rate, spread

__all__ = ["AtRate", "Ranking", "at_limit", "figures", "harmless_needed"]

_Z2 = 1.959964**2  # the square of the 97.5 % point of the standard normal distribution
_TOP = 0.05  # of the harmless rows: up to there false alarms are counted most finely

Ints = NDArray[np.int64]


class AtRate(NamedTuple):
    """The lowest threshold that keeps false alarms at or below a share of the harmless rows.

    `threshold` is None where even the highest score would be too many: then nothing is found.
    """

    threshold: float | None
    found: Rate
    alarms: Rate


class Ranking:
    """Rows by falling score, with ties decided together.

    Args:
        scores: of shape (n,), of any scale: only their order counts.
        truth: of shape (n,), True for what ought to be blocked. Both kinds are there.

    Attributes:
        thresholds: of shape (k,): the different scores, falling.
        step: of shape (n,): which of them each row has.
        found, alarms: of shape (k,): how many rows of either kind have this score or a higher one.
    """

    def __init__(self, scores: Floats, truth: Bools) -> None:
        rising, place = np.unique(scores, return_inverse=True)
        self.truth = truth
        self.thresholds: Floats = rising[::-1]
        self.step: Ints = len(rising) - 1 - place.astype(np.int64)
        self.found, self.alarms = (
            np.cumsum(np.bincount(self.step[kind], minlength=len(rising))).astype(np.int64) for kind in (truth, ~truth)
        )

    def steps(self, most: int) -> Ints:
        """Numbers of at most about `most` steps in the place of `step`: neighbouring scores are taken for the same.

        Half of them have about as many rows each; half as many of the highest 5 % of the harmless rows, where few rows
        decide what a limit on false alarms lets find.
        """
        if len(self.thresholds) <= most:
            return self.step
        rows, top = self.found + self.alarms, self.alarms / (_TOP * self.alarms[-1])
        coarse = (rows * (most // 2) - 1) // rows[-1]
        fine = np.ceil(np.minimum(top, 1.0) * (most // 2)).astype(np.int64)
        begins = (np.diff(coarse, prepend=0) > 0) | (np.diff(fine, prepend=0) > 0)
        return np.cumsum(begins)[self.step]

    def at(self, rate: float) -> AtRate:
        """At one share of false alarms."""
        kept = int((self.alarms <= _allowed(rate, self.alarms[-1:])).sum())
        found, alarms = (int(of[kept - 1]) if kept else 0 for of in (self.found, self.alarms))
        threshold = float(self.thresholds[kept - 1]) if kept else None
        return AtRate(threshold, Rate(found, int(self.found[-1])), Rate(alarms, int(self.alarms[-1])))

    def roc(self, most: int, low: float) -> Iterator[tuple[float | None, float, float]]:
        """(threshold, share of false alarms, share found) from (0, 0), above every score, to (1, 1).

        At most `most` points of the curve, and half as many again up to `low` false alarms.
        """
        true, false = (np.append(0.0, of / of[-1]) for of in (self.found, self.alarms))
        part = int(np.searchsorted(false, low, side="right"))
        for i in np.union1d(spread(false, true, most), spread(false[:part], true[:part], most // 2)):
            yield float(self.thresholds[i - 1]) if i else None, float(false[i]), float(true[i])

    def detection_error(self, most: int) -> Iterator[tuple[float, float, float]]:
        """(threshold, share of false alarms, share missed), evenly spread as a DET plot shows them.

        Both axes of it are normal deviates (Martin and others 1997), on which there is no 0 and no 1.
        """
        alarms, missed = self.alarms / self.alarms[-1], (self.found[-1] - self.found) / self.found[-1]
        inside = np.flatnonzero((alarms > 0) & (alarms < 1) & (missed > 0) & (missed < 1))
        for i in inside[spread(ndtri(alarms[inside]), ndtri(missed[inside]), most)]:
            yield float(self.thresholds[i]), float(alarms[i]), float(missed[i])

    def precision_recall(self, most: int) -> Iterator[tuple[float, float, float]]:
        """(threshold, recall, precision) from the highest threshold that finds something, at most `most` of them."""
        begin = int(np.argmax(self.found > 0))
        recall, precision = ((self.found / of)[begin:] for of in (self.found[-1], self.found + self.alarms))
        for i in spread(recall, precision, most):
            yield float(self.thresholds[begin + i]), float(recall[i]), float(precision[i])


def figures(found: Floats | Ints, alarms: Floats | Ints, rates: Sequence[float]) -> Floats:
    """Area under the ROC curve, average precision, equal error rate, and the share found at each of `rates`.

    Average precision is Σ (rise of recall) · precision, without interpolation. The equal error rate is on the straight
    lines between the points of the ROC curve; the share found is at the lowest threshold that keeps to the rate.

    Args:
        found, alarms: of shape (r, k): rows of either kind down to each step, for each of r rankings.

    Returns:
        Shape (r, 3 + len(rates)); NaN where a ranking lacks one of the kinds.
    """
    found, alarms = found.astype(np.float64), alarms.astype(np.float64)
    positives, negatives = found[:, -1:], alarms[:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        more = np.diff(found, axis=1, prepend=0.0)
        above = found - more / 2  # of those that tie, half
        area = (np.diff(alarms, axis=1, prepend=0.0) * above).sum(axis=1) / (positives * negatives)[:, 0]
        precision = np.divide(found, found + alarms, out=np.zeros_like(found), where=found + alarms > 0)
        average = (more * precision).sum(axis=1) / positives[:, 0]
        equal = _equal_error(found / positives, alarms / negatives)
        at = [_found_at(found, alarms, rate) / positives[:, 0] for rate in rates]
    made = np.stack([area, average, equal, *at], axis=1)
    made[((positives == 0) | (negatives == 0))[:, 0]] = np.nan
    return made


def _allowed(rate: float, harmless: Floats | Ints) -> Floats:
    return np.asarray(np.floor(rate * harmless + 1e-9))  # 0.01 of 300 is 3, which floats are not sure of


def _found_at(found: Floats, alarms: Floats, rate: float) -> Floats:
    kept = (alarms <= _allowed(rate, alarms[:, -1:])).sum(axis=1)
    last = np.take_along_axis(found, np.maximum(kept - 1, 0)[:, None], axis=1)[:, 0]
    return np.where(kept > 0, last, 0.0)


def _equal_error(found: Floats, alarms: Floats) -> Floats:
    """Where as large a share of harmless rows is found as of the others is missed."""
    start = np.zeros((len(found), 1))
    alarms = np.hstack([start, alarms])
    excess = alarms - 1 + np.hstack([start, found])  # from −1 up to 1
    after = np.maximum(np.argmax(excess >= 0, axis=1), 1)[:, None]
    (a0, a1), (e0, e1) = (
        (np.take_along_axis(of, after - 1, axis=1)[:, 0], np.take_along_axis(of, after, axis=1)[:, 0])
        for of in (alarms, excess)
    )
    return np.asarray(a0 + (a1 - a0) * -e0 / (e1 - e0))


def at_limit(scores: Floats, truth: Bools, limit: float) -> tuple[Rate, Rate]:
    """At a limit and over: (found of what ought to be blocked, false alarms)."""
    over = scores >= limit
    return Rate(int(over[truth].sum()), int(truth.sum())), Rate(int(over[~truth].sum()), int((~truth).sum()))


def harmless_needed(rate: float) -> int:
    """Harmless rows without which a share of false alarms cannot be shown to be kept to.

    With fewer, Wilson's interval at 95 % reaches beyond `rate` even where not one of them is a false alarm: its upper
    end for none of n is z² / (n + z²). 1 % needs 381, 0.1 % needs 3,838.
    """
    return ceil(_Z2 * (1 - rate) / rate)
