"""A report as tables of text, the same for the terminal, Markdown and the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from guardrail.bench.run.measures import FEW, Measure

__all__ = ["Measures", "Of", "Sheet", "counted", "explained", "percentile", "share", "told", "told_groups"]

_FEW = "†"
# Of so many samples a percentile is one of them, and no guess at what lies beyond the last.
_LEAST = {5: 20, 50: 1, 95: 20, 99: 100}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: the first `words` columns are text, the others figures. `brief`: the terminal shows it too."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    words: int = 1
    brief: bool = True


def told(measure: Measure | None) -> str:
    """``12.30 % (10.12–14.93)``, of none ``0.00 % (≤ 1.26)``, of an area ``0.9581 (0.9493–0.9668)``; else a dash."""
    if measure is None or measure.value is None:
        return "–"
    if measure.unit != "share":
        return _number(measure.value, measure.interval, 1, 4, "")
    if measure.bound and measure.interval is not None:
        low, high = (100 * end for end in measure.interval)
        return f"0.00 % (≤ {high:.2f})" if measure.count == 0 else f"100.00 % (≥ {low:.2f})"
    return _number(measure.value, measure.interval, 100, 2, " %")


def _number(value: float, interval: tuple[float, float] | None, times: int, places: int, unit: str) -> str:
    ends = "" if interval is None else f" ({times * interval[0]:.{places}f}–{times * interval[1]:.{places}f})"
    return f"{times * value:.{places}f}{unit}{ends}"


def told_groups(measure: Measure) -> tuple[str, str]:
    """(groups, the interval by groups); dashes where there are none."""
    if measure.groups is None or measure.group_interval is None:
        return "–", "–"
    times, places = (100, 2) if measure.unit == "share" else (1, 4)
    low, high = (times * end for end in measure.group_interval)
    return f"{measure.groups:,}", f"{low:.{places}f}–{high:.{places}f}"


def counted(n: int) -> str:
    """``1,234``; ``29 †`` where so few carry no claim, which `explained` says under the table."""
    return f"{n:,} {_FEW}" if 0 < n < FEW else f"{n:,}"


def explained(sheet: Sheet) -> Sheet:
    """The table with what † is, where some cell has one."""
    cells = (cell for row in (sheet.head, *sheet.rows) for cell in row)
    if not any(_FEW in cell for cell in cells):
        return sheet
    return replace(sheet, note=f"{sheet.note} {_FEW} Fewer than {FEW} samples: no claim.".strip())


def percentile(of: Mapping[str, float], p: int, n: float, places: int = 2) -> str:
    """``of["p95"]``; a dash where `n` samples are too few for it."""
    return f"{of[f'p{p}']:.{places}f}" if n >= _LEAST[p] else "–"


Of = tuple[tuple[str, str], ...]


class Measures:
    """Measures by name and part."""

    def __init__(self, measures: Iterable[Measure]) -> None:
        self._of: dict[tuple[str, Of], Measure] = {(m.name, m.of): m for m in measures}

    def get(self, name: str, of: Of = ()) -> Measure | None:
        return self._of.get((name, of))

    def parts(self, *names: str) -> list[Of]:
        """Parts that one of these was measured of, each once, in the order of the measures."""
        return list(dict.fromkeys(of for name, of in self._of if name in names))


def share(rate: Mapping[str, Any] | None) -> str:
    """``12.3 % (10.1–14.9)``: the share and its interval at 95 %, in percent; a dash where there was no row."""
    if rate is None:
        return "–"
    low, high = rate["interval_95"]
    return f"{100 * rate['rate']:.2f} % ({100 * low:.2f}–{100 * high:.2f})"
