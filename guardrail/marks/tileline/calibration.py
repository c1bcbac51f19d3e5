"""From a correlation to a false-positive rate.

Payload. A decode ends with the correlation of the best accepted word x with the weighted soft chips y, as
T = Σ sᵢ xᵢ yᵢ / |y|. The chip signs s come from the key and from nothing else, y from the picture and from the signs
of other lines. For a picture made without the key the signs are therefore fresh fair coins, and Hoeffding's inequality
holds whatever the picture is: P(T > t) <= exp(-t² / 2) for one word. Only 2⁶⁴ words carry a valid CRC, and each decode
looks at one y, so

    rate = decodes × 2⁶⁴ × exp(-T² / 2)

is an upper bound, by the union bound alone: no independence of candidates and no fitted tail is assumed. What is
assumed: SHAKE-256 behaves as a random function, and the picture does not depend on the key.

Sync. The same inequality over every shift, variant and map that was tried; between grid points the correlation is
smooth, so that 16 points in each cell reach 0.97 of any maximum.

The fitted tail is the check on the bound, not its source: near the threshold it lies some 15 times lower.
`payload_rate` reports the larger of the two.
"""

from __future__ import annotations

import math

from guardrail.marks.tileline.code import ALTERNATIVES, CRC_BITS, PAYLOAD_BITS

__all__ = ["MARKED_RATE", "PAYLOAD_RATE", "TAIL_SHARE", "TAIL_START", "payload_rate", "sync_rate", "tail"]

# Largest false-positive rate at which a verdict is given.
PAYLOAD_RATE = 1e-9
MARKED_RATE = 1e-6

# Unmarked tail: TAIL_SHARE of the statistics lie above TAIL_START, and fall off exponentially with TAIL_SCALE beyond.
# Upper 95 % bounds, whole pictures resampled, of the fit to 120,000 decodes with a fresh key each on 3,000 unmarked
# pictures (crops of 153 photographs, paintings and drawings; noise, flat colours, gradients, text, shapes; half of them
# through JPEG); highest statistic 11.1. The generalised Pareto fit to the same top per cent has shape -0.023 and scale
# 0.102: an exponential, as theory wants it. Made by
#     python benchmarks/marks_calibrate.py ../shared/data/images --decodes 120000 --searches 1500
# In 1,500 full searches of unmarked pictures the highest sync score was 7.3 (median 5.6), where `sync_rate` says 6e-4.
TAIL_SHARE = 0.01
TAIL_START = 10.312
TAIL_SCALE = 0.1044


def tail(statistic: float) -> float:
    """Fitted chance that the best word of one unmarked decode, valid or not, reaches a statistic. An extrapolation."""
    return TAIL_SHARE * math.exp(-max(statistic - TAIL_START, 0.0) / TAIL_SCALE)


def payload_rate(statistic: float, decodes: int) -> float:
    """Upper bound of the chance that an unmarked picture gives a payload with this statistic."""
    exponent = math.log(max(decodes, 1)) + PAYLOAD_BITS * math.log(2) - max(statistic, 0.0) ** 2 / 2
    fitted = decodes * tail(statistic) * (ALTERNATIVES + 1) * 2.0**-CRC_BITS
    return min(1.0, max(math.exp(min(exponent, 0.0)), fitted))


# Points that make a cell of the grid dense, and what share of any maximum they reach.
_OFF_GRID, _REACH = 16, 0.97


def sync_rate(score: float, points: int) -> float:
    """Upper bound of the chance that an unmarked picture gives this sync score somewhere among `points`."""
    exponent = math.log(max(points, 1) * _OFF_GRID) - (_REACH * max(score, 0.0)) ** 2 / 2
    return math.exp(min(exponent, 0.0))
