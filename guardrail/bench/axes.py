"""Where values stand on an axis, and which of them are written beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite, log10
from typing import Literal

__all__ = ["Axis", "axis"]

# Those of NIST's DET plots (Martin et al. 1997), with rarer errors besides. In percent.
_PROBIT_TICKS = (0.001, 0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 80.0, 90.0, 95.0, 98.0, 99.0, 99.9)
_NEAREST_TICKS = 0.06  # of the axis: closer ones would write over each other


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale: `at` gives the place of a value, `low` and `high` are the places where it begins and ends.

    A value that no such scale can show (a share of 0 on a probit scale) has its place at an infinity.
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    at: Callable[[float], float]


def axis(
    scale: Literal["linear", "log", "probit"],
    values: Iterable[float],
    limits: tuple[float, float] | None,
    name: str,
) -> Axis:
    """The axis of some values.

    Args:
        limits: in the unit of the values; None for those of the values.
        name: of the axis. On a probit scale ``(%)`` in it says that the values are percent; otherwise they are shares.
    """
    finite = sorted(v for v in values if isfinite(v))
    if scale == "log":
        return _log([v for v in finite if v > 0], limits)
    if scale == "probit":
        return _probit(finite, limits, 100.0 if "(%)" in name else 1.0)
    return _linear(finite, limits, "(%)" in name)


def _linear(values: list[float], limits: tuple[float, float] | None, percent: bool) -> Axis:
    from matplotlib.ticker import MaxNLocator

    if limits is None:
        low, high = (values[0], values[-1]) if values else (0.0, 1.0)
        margin = 0.04 * (high - low) or 0.05 * abs(high) or 0.5
        whole = percent and low >= 0 and high <= 100
        limits = (max(0.0, low - margin), min(100.0, high + margin)) if whole else (low - margin, high + margin)
    low, high = limits
    steps = MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    slack = 1e-9 * (high - low)
    ticks = tuple((float(t), _number(float(t), high - low)) for t in steps if low - slack <= t <= high + slack)
    return Axis(low, high, ticks, float)


def _number(value: float, span: float) -> str:
    rounded = 0.0 if abs(value) < 1e-9 * span else value
    return f"{rounded:,.10g}".replace("-", "−")


def _log(values: list[float], limits: tuple[float, float] | None) -> Axis:
    low, high = limits or ((values[0], values[-1]) if values else (0.1, 1.0))
    if low <= 0:  # there is no such place
        low = values[0] if values else high / 1000
    if low >= high:
        low, high = low / 2, high * 2
    begin, end = log10(low), log10(high)
    tens = range(floor(begin), ceil(end) + 1)
    fine = [m * 10.0**k for k in tens for m in (1, 2, 5)] if end - begin < 2.5 else [10.0**k for k in tens]
    ticks = tuple((log10(t), _number(t, t)) for t in fine if begin - 1e-9 <= log10(t) <= end + 1e-9)
    return Axis(begin, end, ticks, lambda v: log10(v) if v > 0 else -inf)


def _probit(values: list[float], limits: tuple[float, float] | None, unit: float) -> Axis:
    from scipy.stats import norm

    def place(share: float) -> float:
        return float(norm.ppf(share))

    shares = [v / unit for v in values if 0 < v < unit]
    if limits is None:
        least, most = (shares[0], shares[-1]) if shares else (0.01, 0.5)
        below = [t / 100 for t in _PROBIT_TICKS if t / 100 <= least]
        above = [t / 100 for t in _PROBIT_TICKS if t / 100 >= most]
        low, high = (below or [_PROBIT_TICKS[0] / 100])[-1], (above or [_PROBIT_TICKS[-1] / 100])[0]
        if low == high:
            low, high = low / 2, (1 + high) / 2
    else:
        low, high = (min(max(v / unit, 1e-6), 1 - 1e-6) for v in limits)
    begin, end = place(low), place(high)
    ticks: list[tuple[float, str]] = []
    for tick in _PROBIT_TICKS:
        at = place(tick / 100)
        fits = begin - 1e-9 <= at <= end + 1e-9
        if fits and (not ticks or at - ticks[-1][0] >= _NEAREST_TICKS * (end - begin)):
            ticks.append((at, f"{tick:g}" if unit == 100 else f"{tick / 100:g}"))
    return Axis(begin, end, tuple(ticks), lambda v: place(v / unit))
