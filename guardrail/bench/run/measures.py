"""A figure with what it is of, how many it rests on and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from guardrail.bench.statistics import Area, Rate

__all__ = ["Better", "Measure", "by_key", "of_area", "of_rate"]

Better = Literal["higher", "lower", ""]
FEW = 30
"""Under so many, nothing is said of a share but its interval."""
WIDE = 0.1
"""An interval wider than this says too little to compare two systems by it."""


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
        unit: ``share``, ``area``, ``dB``, ``queries``, …; a share is 0..1.
        note: what a reader has to know.
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

    def __post_init__(self) -> None:
        if self.value is not None and not isfinite(self.value):
            raise ValueError(f"{self.name} is {self.value}: a figure that could not be measured is None")

    @property
    def key(self) -> str:
        """``block_rate[label=sexual, lang=ko]``: unique within a run."""
        return self.name + (f"[{', '.join(f'{k}={v}' for k, v in self.of)}]" if self.of else "")

    @property
    def remark(self) -> str:
        """Why the figure carries no claim, if it does not; empty where it does."""
        if self.value is None:
            return self.note or "not measured"
        if self.n < FEW:
            return f"{self.n} samples are too few for a claim"
        if self.unit == "share" and self.interval is not None and self.interval[1] - self.interval[0] > WIDE:
            return f"known to ±{50 * (self.interval[1] - self.interval[0]):.0f} points only"
        return ""

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"name": self.name, "of": dict(self.of), "value": self.value, "n": self.n}
        if self.count is not None:
            told["count"] = self.count
        if self.interval is not None:
            told |= {"interval_95": list(self.interval), "method": self.method}
        return told | {"better": self.better, "unit": self.unit, "remark": self.remark, "note": self.note}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Measure:
        """Raises KeyError, TypeError or ValueError for what is none."""
        interval = told.get("interval_95")
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
            None if interval is None else (float(interval[0]), float(interval[1])),
            str(told.get("method", "")),
            better,
            str(told["unit"]),
            str(told.get("note", "")),
        )


def of_rate(name: str, rate: Rate, better: Better = "", note: str = "", **of: str) -> Measure:
    """A share with its Wilson interval; not measured where it is of nothing."""
    if not rate.of:
        return Measure(name, tuple(of.items()), better=better, note=note or "no sample")
    return Measure(name, tuple(of.items()), rate.value, rate.of, rate.hits, rate.interval, "Wilson", better, note=note)


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
