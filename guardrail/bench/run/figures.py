"""What is plotted, as data; `guardrail.bench.drawing` draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Figure", "Line", "Points"]


@dataclass(frozen=True, slots=True)
class Line:
    """A curve. `x` and `y` are as long as each other; `low` and `high` are the band of its interval, or empty."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Points:
    """Named points with whiskers: one row each of a chart that is read from top to bottom."""

    name: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot.

    Attributes:
        name: of its file, letters, digits and hyphens.
        title: what it shows.
        x, y: what the axes are, each with its unit in brackets, where it has one: ``false alarms (%)``.
        lines: curves; or `points`: rows with whiskers. One of the two.
        scale: of x: ``linear``, ``log``, or ``probit`` (both axes, for DET curves: values are percent where the axis
            says ``(%)``, shares otherwise).
        limits: of x and of y; None for those of the data.
        caption: what to see in it, and n.
    """

    name: str
    title: str
    x: str
    y: str
    lines: tuple[Line, ...] = ()
    points: tuple[Points, ...] = ()
    scale: Literal["linear", "log", "probit"] = "linear"
    x_limits: tuple[float, float] | None = None
    y_limits: tuple[float, float] | None = None
    caption: str = ""

    def __post_init__(self) -> None:
        if bool(self.lines) == bool(self.points):
            raise ValueError(f"{self.name}: a figure has lines or points")
