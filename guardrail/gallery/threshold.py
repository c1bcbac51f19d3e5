"""How the thresholds of an embedder shrink as a gallery grows.

A threshold has a false match rate for one pair of faces. A search compares with everybody: with N identities the chance
that some of them matches falsely is 1 - (1 - rate)^N, about N times the rate while that is small (ISO/IEC 19795-1, from
verification to identification). So the rate is stated for a search, and each pair gets an N-th of it.

Which distance has that rate is read from what was measured with the embedder: points (rate, distance), joined by
straight lines over the normal quantile of the rate, on which distances of unrelated faces are close to a line. Beyond
the rarest measured rate the two lists differ. Protection stops there: a threshold that nobody measured could shrink
until it protects nobody, so false blocks are let grow, and `Thresholds.expected` says how many. Consent goes on along
the line: the worst that comes of it is a consent that is not recognised. It is never looser than protection, however
the lists differ in size, and never counts within the unshrunk threshold of somebody protected (`Thresholds.pair`): a
list that grows makes no picture of those on it admissible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

from guardrail.errors import ConfigurationError

__all__ = ["CONSENT_RATE", "PROTECT_RATE", "Scale", "Thresholds", "score", "thresholds"]

# False matches in one search of the whole list.
PROTECT_RATE = 0.01
CONSENT_RATE = 0.001


class Scale(Protocol):
    """The thresholds of an embedder for one pair (see `guardrail.checks.image.backends.base.MatchScale`).

    A scale may also have `rates`: a sequence of (false match rate of a pair, distance), both rising, as measured on
    pairs of different people. Without it nothing is known of other rates, and the thresholds stay as they are.
    """

    @property
    def same(self) -> float: ...
    @property
    def consent(self) -> float: ...
    @property
    def margin(self) -> float: ...
    def score(self, distance: float) -> float: ...


@dataclass(frozen=True, slots=True)
class Thresholds:
    """In force for one gallery.

    Args:
        protect: distance up to which a face is a protected identity.
        same: distance up to which it is said to be a consented one.
        consent: distance up to which that consent counts.
        margin: by how much the next identity must be farther away for that.
        expected: false matches with the protected list in one search, at `protect`; ``nan`` where no rates are known.
        pair: distance up to which two pictures are taken for one person, whatever the size of the lists. No consent
            counts while a protected identity is within it and hardly farther away than the consented one.
    """

    protect: float
    same: float
    consent: float
    margin: float
    expected: float
    pair: float

    @property
    def reach(self) -> float:
        """Beyond this distance no identity makes a difference, but that a protected one within `pair` withholds a
        consent."""
        return max(self.protect, self.same, self.consent + self.margin)


def thresholds(scale: Scale, *, protected: int, consented: int) -> Thresholds:
    """The thresholds for lists of so many identities; several pictures of one person count once."""
    points = tuple(getattr(scale, "rates", ()))
    return _thresholds(scale.same, scale.consent, scale.margin, points, protected, consented)


def score(scale: Scale, distance: float, threshold: float) -> float:
    """`Scale.score` with 0.5 moved from the threshold of one pair to the one in force; 0..1, falling."""
    moved = distance * scale.same / threshold if distance <= threshold else scale.same + (distance - threshold)
    return scale.score(moved)


@lru_cache(maxsize=256)
def _thresholds(
    same: float,
    consent: float,
    margin: float,
    points: tuple[tuple[float, float], ...],
    protected: int,
    consented: int,
) -> Thresholds:
    if not points:
        return Thresholds(same, same, min(consent, same), margin, float("nan"), same)
    _check(points)
    floor = points[0][1]
    protect = min(same, max(floor, _distance(points, PROTECT_RATE / max(1, protected))))
    found = min(same, max(floor, _distance(points, PROTECT_RATE / max(1, consented))))
    # A distance under zero is one that no face has: nobody is admitted by a list that large.
    sure = min(consent, found, protect, _distance(points, CONSENT_RATE / max(1, consented)))
    return Thresholds(protect, found, sure, margin, protected * _rate(points, protect), same)


def _check(points: Sequence[tuple[float, float]]) -> None:
    if len(points) < 2 or any(a[0] >= b[0] or a[1] >= b[1] for a, b in pairwise(points)):
        raise ConfigurationError("the rates of a scale are at least two points (rate, distance), both rising")
    if not 0 < points[0][0] < points[-1][0] < 1:
        raise ConfigurationError("the false match rates of a scale lie between 0 and 1")


def _distance(points: Sequence[tuple[float, float]], rate: float) -> float:
    from scipy.special import ndtri

    return _line([(float(ndtri(r)), d) for r, d in points], float(ndtri(min(rate, 0.999999))))


def _rate(points: Sequence[tuple[float, float]], distance: float) -> float:
    from scipy.special import ndtr, ndtri

    return float(ndtr(_line([(d, float(ndtri(r))) for r, d in points], distance)))


def _line(points: Sequence[tuple[float, float]], at: float) -> float:
    """Straight lines through `points`, the first and last going on."""
    upper = next((i for i, (x, _) in enumerate(points) if x >= at), len(points) - 1)
    (x0, y0), (x1, y1) = points[max(0, upper - 1)], points[max(1, upper)]
    return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
