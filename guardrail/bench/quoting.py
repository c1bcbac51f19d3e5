"""Figures of a run put into sentences: a sentence quotes what was measured, or says that it was not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from guardrail.bench.limits import remark, size, value
from guardrail.bench.run.measures import FEW, Measure
from guardrail.bench.run.record import Run

__all__ = ["Figures", "rows", "told"]

_DATA = {"label", "lang", "source"}
_SUBJECTS = {"label", "risk"}  # what a request is about; a source, a folder or a language only holds requests
_WHOSE = {"peer", "policy", "risk"}
_NOT_OF_PEOPLE = {*_WHOSE, "threshold", "cause", "pairs", "fpr", "attack"}
"""Dimensions that are no part of the data, or have a place of their own."""


_MINORS = re.compile(r"(?<![a-z])(minors?|child(ren)?|csam)(?![a-z])", re.IGNORECASE)


class Figures:
    """The measures of a run by name and part."""

    def __init__(self, run: Run) -> None:
        self._by_key = {m.key: m for m in run.measures}
        self.all = run.measures

    def get(self, name: str, **of: str) -> Measure | None:
        return self._by_key.get(Measure(name, tuple(of.items())).key)

    def said(self, name: str, **of: str) -> str:
        """``93.20 % (92.24–94.05), n = 3,000``, with what has to be known of it; or ``not measured``."""
        return said(self.get(name, **of))

    def passing(self, name: str) -> Measure | None:
        """The share that a rate leaves: of 93 % blocked, the 7 % that were not."""
        measure = self.get(name)
        if measure is None or measure.value is None or measure.unit != "share":
            return measure
        left = None if measure.count is None else measure.n - measure.count
        interval, groups = (
            None if i is None else (1 - i[1], 1 - i[0]) for i in (measure.interval, measure.group_interval)
        )
        return replace(measure, value=1 - measure.value, count=left, interval=interval, group_interval=groups)

    def parts(self, name: str, dimension: str) -> list[Measure]:
        """Those of one dimension and no other."""
        return [m for m in self.all if m.name == name and [d for d, _ in m.of] == [dimension]]

    def worst(self, name: str, dimension: str) -> tuple[Measure, int] | None:
        """The part with the worst figure, of how many that have enough samples; None where there are not two."""
        enough = [m for m in self.parts(name, dimension) if m.value is not None and m.n >= FEW]
        if len(enough) < 2:
            return None
        sign = -1 if enough[0].better == "higher" else 1
        return max(enough, key=lambda m: (sign * (m.value or 0.0), m.key)), len(enough)

    def overall(self) -> list[Measure]:
        """Of everything that was measured, or of everything by one system or policy."""
        return [m for m in self.all if {name for name, _ in m.of} <= _WHOSE]

    def subgroups(self) -> dict[str, list[Measure]]:
        """Dimension → measures of its values, of the figures with a better direction."""
        found: dict[str, list[Measure]] = {}
        for m in self.all:
            if m.better and len(m.of) == 1 and m.of[0][0] not in _NOT_OF_PEOPLE:
                found.setdefault(m.of[0][0], []).append(m)
        order = {name: i for i, name in enumerate(dict.fromkeys(m.name for m in self.all))}
        return {name: sorted(of, key=lambda m: order[m.name]) for name, of in found.items()}

    def about_minors(self) -> list[Measure]:
        """Of labels and risks that speak of minors."""
        return [m for m in self.all if m.better and any(d in _SUBJECTS and _MINORS.search(of) for d, of in m.of)]

    def named(self, about: Callable[[str], bool]) -> tuple[list[Measure], dict[str, int]]:
        """Figures with a better direction whose name is about something: those of everything; and of names that were
        measured by part only, how many parts."""
        mine = [m for m in self.all if m.better and m.value is not None and about(m.name)]
        whole = [m for m in self.overall() if m.better and about(m.name)]
        return whole, dict(Counter(m.name for m in mine if m.name not in {w.name for w in whole}))

    def attacks(self) -> list[Measure]:
        """What attacks do, one by one; not crossed with the parts of the data."""
        return [
            m
            for m in self.all
            if m.better and m.name.startswith("attack_") and "attack" in dict(m.of) and not _DATA & set(dict(m.of))
        ]


def said(measure: Measure | None) -> str:
    """A measure in half a sentence."""
    if measure is None:
        return "not measured in this run"
    if measure.value is None:
        return f"not measured: {measure.remark}" if measure.remark != "not measured" else "not measured"
    notes = remark(measure)
    return f"{value(measure)}, n = {size(measure)}" + (f" ({notes})" if notes else "")


def rows(given: Any) -> Iterator[Mapping[str, Any]]:
    """The entries of a part of run.json, whether it is a list, one object, or objects by name."""
    if isinstance(given, Mapping):
        if given and all(isinstance(v, Mapping) for v in given.values()):
            yield from ({"name": name, **v} for name, v in given.items())
        elif given:
            yield given
    elif isinstance(given, Sequence) and not isinstance(given, str):
        for one in given:
            yield one if isinstance(one, Mapping) else {"name": told(one)}


def told(given: Any) -> str:
    """Anything of run.json in one line."""
    if given is None or given in ("", [], {}, ()):
        return "–"
    if isinstance(given, Mapping):
        return "; ".join(f"{name} {told(v)}" for name, v in given.items())
    if isinstance(given, Sequence) and not isinstance(given, str):
        return ", ".join(told(v) for v in given)
    if isinstance(given, float):
        return f"{given:,.4g}"
    return f"{given:,}" if isinstance(given, int) and not isinstance(given, bool) else str(given)
