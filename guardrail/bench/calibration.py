"""Whether a score means what it says: of the rows with a score near 0.8, are 80 % to be blocked?

That holds of these rows and their share of what is to be blocked only. Bins hold about as many rows each (equal mass;
Nguyen and O'Connor 2015): scores that crowd at 0 and 1 would leave bins of equal width almost empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt
from typing import NamedTuple

import numpy as np

from guardrail.bench.statistics import Bools, Floats, Rate

__all__ = ["BINS", "Mass", "calibration_error", "equal_mass", "error_by_chance", "mean_interval"]

BINS = 15
"""As many as Guo and others (2017) had, and most since."""
_Z = 1.959964


class Mass(NamedTuple):
    """Rows of neighbouring scores: from `low` to `high`, on average `mean`; `found` of them ought to be blocked."""

    low: float
    high: float
    mean: float
    found: Rate


def equal_mass(scores: Floats, truth: Bools, count: int = BINS) -> list[Mass]:
    """At most `count` bins of about as many rows each. Rows of one score are in one bin, so that no order decides.

    From the lowest score up, each bin takes its share of what is left: where a tie fills a bin beyond its share, the
    others get less each, but are as many.
    """
    values, inverse, each = np.unique(scores, return_inverse=True, return_counts=True)
    upto = np.cumsum(each)
    made, begin, done = [], 0, 0
    for left in range(count, 0, -1):
        if begin == len(values):
            break
        last = int(np.searchsorted(upto, done + (len(scores) - done) / left - 1e-9))
        last = max(begin, min(last, len(values) - left))  # a score at least for each of the others
        mine = (inverse >= begin) & (inverse <= last)
        found = Rate(int(truth[mine].sum()), int(mine.sum()))
        made.append(Mass(float(values[begin]), float(values[last]), float(scores[mine].mean()), found))
        begin, done = last + 1, int(upto[last])
    return made


def calibration_error(masses: Sequence[Mass]) -> float:
    """Expected calibration error (Naeini and others 2015): how far mean score and share are apart, a row on average."""
    return sum(m.found.of * abs(m.mean - m.found.value) for m in masses) / sum(m.found.of for m in masses)


def error_by_chance(masses: Sequence[Mass]) -> float:
    """What `calibration_error` would be about if the score were right: bins are small, so it is never 0.

    The mean distance of a share from its probability p, in the normal approximation: √(2 p (1 − p) / (π n)).
    """
    of = sum(m.found.of for m in masses)
    return sum(m.found.of * sqrt(2 * m.mean * (1 - m.mean) / (pi * m.found.of)) for m in masses) / of


def mean_interval(values: Floats) -> tuple[float, float] | None:
    """Of a mean, at 95 %, in the normal approximation; None for fewer than two rows, or where all are the same."""
    if len(values) < 2 or not values.std():
        return None
    half = _Z * float(values.std(ddof=1)) / sqrt(len(values))
    return float(values.mean()) - half, float(values.mean()) + half
