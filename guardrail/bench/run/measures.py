"""A figure with what it is of, how many it rests on and how far it can be trusted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from guardrail.bench.statistics import Area, Rate

__all__ = ["FEW", "UNREAD", "Better", "Measure", "by_key", "of_all", "of_area", "of_rate"]

Better = Literal["higher", "lower", ""]
FEW = 30
"""Under so many, nothing is said of a share but its interval."""
UNREAD = "of them blocked unread"
"""Said by the caveat of a share of blocked prompts, behind their number; the gate looks for it."""
WIDE = 0.1
"""An interval wider than this says too little to compare two systems by it."""
_SIGNS, _ESCAPED = re.compile(r"[\\,=\[\]]"), r"\\\g<0>"


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a run.

    Attributes:
        name: what it is, the same in every run: ``block_rate``, ``over_block_rate``, ``auroc``.
        of: of which part, by dimension: ``{"label": "sexual", "lang": "ko"}``; nothing for all.
        value: None where it could not be measured; then `note` says why.
        n: samples that it rests on.
        count: of them, those that count; None where it is no share.
        interval: at 95 %, by `method`; None where there is none.
        better: which direction is better; empty for what is only told. `guardrail bench gate` looks at the others.
        unit: ``share``, ``area``, ``dB``, ``queries``, …; a share is 0..1. ``census``: a share of all that there are,
            such as the rules of a policy; it has no interval and is exact for any n.
        note: what a reader has to know.
        groups: clusters of dependent samples that the `n` come in; None where every sample stands alone.
        group_interval: at 95 % by a bootstrap of the groups, where there are fewer of them than samples.
        caveat: why the figure carries no claim, where neither n nor the interval shows it.
    """

    name: str
    of: tuple[tuple[str, str], ...] = ()
    value: float | None = None
    n: int = 0
    count: int | None = None
    interval: tuple[float, float] | None = None
    method: str = ""
    better: Better = ""
    unit: str = "share"
    note: str = ""
    groups: int | None = None
    group_interval: tuple[float, float] | None = None
    caveat: str = ""

    def __post_init__(self) -> None:
        if self.value is not None and not isfinite(self.value):
            raise ValueError(f"{self.name} is {self.value}: a figure that could not be measured is None")
        for low, high in self.intervals:
            if not (isfinite(low) and isfinite(high) and low <= high):
                raise ValueError(f"{self.name} has an interval from {low} to {high}: its ends are numbers in order")

    @property
    def key(self) -> str:
        """``block_rate[label=sexual, lang=ko]``: unique within a run.

        In a value, ``,``, ``=``, ``[``, ``]`` and a backslash have a backslash before them: no value reads as two.
        """
        return self.name + (f"[{', '.join(f'{k}={_SIGNS.sub(_ESCAPED, v)}' for k, v in self.of)}]" if self.of else "")

    @property
    def remark(self) -> str:
        """Why the figure carries no claim, if it does not; empty where it does."""
        if self.value is None:
            return self.note or "not measured"
        if self.caveat:
            return self.caveat
        if self.unit == "census":
            return ""
        if self.n < FEW:
            return f"{self.n:,} {_plural('sample', self.n)} too few for a claim"
        if self.groups is not None and self.groups < FEW:
            return f"{self.groups:,} {_plural('group', self.groups)} too few for a claim"
        width = max((high - low for low, high in self.intervals), default=0.0)
        if self.unit == "share" and width > WIDE:
            return f"known to ±{50 * width:.0f} points only"
        return ""

    @property
    def intervals(self) -> tuple[tuple[float, float], ...]:
        """Those there are: of the samples, and of the groups."""
        return tuple(interval for interval in (self.interval, self.group_interval) if interval is not None)

    @property
    def bound(self) -> str:
        """What a share of none or of all leaves possible, in words; empty for every other figure."""
        if self.unit != "share" or not self.n or self.count not in (0, self.n) or not self.intervals:
            return ""
        if self.count == 0:
            return f"none of {self.n:,}: up to {_percent(max(high for _, high in self.intervals))} is possible"
        return f"all {self.n:,}: as little as {_percent(min(low for low, _ in self.intervals))} is possible"

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"name": self.name, "of": dict(self.of), "value": self.value, "n": self.n}
        if self.count is not None:
            told["count"] = self.count
        if self.interval is not None:
            told |= {"interval_95": list(self.interval), "method": self.method}
        if self.groups is not None:
            told["groups"] = self.groups
        if self.group_interval is not None:
            told["group_interval_95"] = list(self.group_interval)
        told |= {"better": self.better, "unit": self.unit, "remark": self.remark, "note": self.note}
        return told | {name: text for name, text in (("bound", self.bound), ("caveat", self.caveat)) if text}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Measure:
        """Raises KeyError, TypeError or ValueError for what is none."""
        groups = told.get("groups")
        better = told["better"]
        if better not in ("higher", "lower", ""):
            raise ValueError("a direction is higher, lower or nothing")
        value, count = told["value"], told.get("count")
        return cls(
            str(told["name"]),
            tuple((str(k), str(v)) for k, v in told["of"].items()),
            None if value is None else float(value),
            int(told["n"]),
            None if count is None else int(count),
            _interval(told.get("interval_95")),
            str(told.get("method", "")),
            better,
            str(told["unit"]),
            str(told.get("note", "")),
            None if groups is None else int(groups),
            _interval(told.get("group_interval_95")),
            str(told.get("caveat", "")),
        )


def _percent(share: float) -> str:
    """With two digits after the point, or four: a bound of 0.00 or 100.00 % would be none."""
    return f"{100 * share:.2f} %" if 5e-5 <= share < 1 - 5e-5 else f"{100 * share:.4f} %"


def _interval(told: Any) -> tuple[float, float] | None:
    return None if told is None else (float(told[0]), float(told[1]))


def _plural(noun: str, n: int) -> str:
    return f"{noun} is" if n == 1 else f"{noun}s are"


def of_rate(name: str, rate: Rate, better: Better = "", note: str = "", **of: str) -> Measure:
    """A share with its Wilson interval; not measured where it is of nothing."""
    if not rate.of:
        return Measure(name, tuple(of.items()), better=better, note=note or "no sample")
    return Measure(name, tuple(of.items()), rate.value, rate.of, rate.hits, rate.interval, "Wilson", better, note=note)


def of_all(name: str, rate: Rate, better: Better = "", note: str = "", **of: str) -> Measure:
    """A share of all that there are: no sample, so no interval."""
    if not rate.of:
        return Measure(name, tuple(of.items()), better=better, unit="census", note=note or "there are none")
    return Measure(name, tuple(of.items()), rate.value, rate.of, rate.hits, better=better, unit="census", note=note)


def of_area(name: str, area: Area | None, n: int, better: Better = "higher", note: str = "", **of: str) -> Measure:
    """An area under a curve with DeLong's interval; not measured where one of the two kinds is absent."""
    if area is None:
        return Measure(name, tuple(of.items()), None, n, better=better, unit="area", note=note or "one kind is absent")
    return Measure(name, tuple(of.items()), area.value, n, None, (area.low, area.high), "DeLong", better, "area", note)


def by_key(measures: Iterable[Measure]) -> dict[str, Measure]:
    """Raises ValueError where two have the same key."""
    made: dict[str, Measure] = {}
    for measure in measures:
        if measure.key in made:
            raise ValueError(f"{measure.key} was measured twice")
        made[measure.key] = measure
    return made
