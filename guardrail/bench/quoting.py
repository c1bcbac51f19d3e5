"""Figures of a run put into sentences: a sentence quotes what was measured, or says that it was not."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from guardrail.bench.limits import remark, size, value
from guardrail.bench.report import plain
from guardrail.bench.run.measures import Better, Measure
from guardrail.bench.run.record import Run

__all__ = ["SUITE", "Figures", "coded", "file_name", "left", "named_only", "rows", "said", "told"]

SUITE = "suite"
"""The dimension that `guardrail bench all` adds: which suite a figure is of, and no part of what was measured."""
_DATA = {"label", "lang", "source"}
_SUBJECTS = {"label", "risk"}  # what a request is about; a source, a folder or a language only holds requests
_WHOSE = {"peer", "policy", "risk", SUITE}
_NOT_OF_PEOPLE = {*_WHOSE, "threshold", "cause", "pairs", "fpr", "attack"}
"""Dimensions that are no part of the data, or have a place of their own."""


_ROUND = 1_000  # from here on no decimals, and no power of ten
_MINORS = re.compile(r"(?<![a-z])(minors?|child(ren)?|csam)(?![a-z])", re.IGNORECASE)


class Figures:
    """The measures of a run by name and part; of a run of every suite, those of all suites."""

    def __init__(self, run: Run) -> None:
        self.all = run.measures
        self.kind = str(run.facts.get("kind", ""))
        self._of: dict[tuple[str, frozenset[tuple[str, str]]], list[Measure]] = {}
        for m in run.measures:
            self._of.setdefault((m.name, frozenset(part for part in m.of if part[0] != SUITE)), []).append(m)

    def each(self, name: str, **of: str) -> list[Measure]:
        """Of this part, one of each suite that measured it."""
        return self._of.get((name, frozenset(of.items())), [])

    def get(self, name: str, **of: str) -> Measure | None:
        """The first of `each` that has a value; or the first."""
        found = self.each(name, **of)
        return next((m for m in found if m.value is not None), found[0] if found else None)

    def said(self, name: str, **of: str) -> str:
        """``93.20 % (92.24–94.05), n = 3,000``, with what has to be known of it; or ``not measured``."""
        found = self.each(name, **of)
        if len(found) < 2:
            return said(found[0] if found else None)
        return "; ".join(f"{dict(m.of).get(SUITE, '')}: {said(m)}" for m in found)

    def passing(self, name: str, **of: str) -> Measure | None:
        """The share that a rate leaves: of 93 % blocked, the 7 % that were not."""
        return left(self.get(name, **of))

    def parts(self, name: str, *dimensions: str) -> list[Measure]:
        """Those of these dimensions and no other."""
        return [m for m in self.all if m.name == name and {d for d, _ in m.of} - {SUITE} == set(dimensions)]

    def overall(self) -> list[Measure]:
        """Of everything that was measured, or of everything by one system or policy."""
        return [m for m in self.all if {name for name, _ in m.of} <= _WHOSE]

    def subgroups(self) -> dict[str, list[Measure]]:
        """Dimension → measures of its values, of the figures with a better direction."""
        found: dict[str, list[Measure]] = {}
        for m in self.all:
            dimensions = [d for d, _ in m.of if d != SUITE]
            if m.better and len(dimensions) == 1 and dimensions[0] not in _NOT_OF_PEOPLE:
                found.setdefault(dimensions[0], []).append(m)
        order = {name: i for i, name in enumerate(dict.fromkeys(m.name for m in self.all))}
        return {name: sorted(of, key=lambda m: order[m.name]) for name, of in found.items()}

    def about_minors(self) -> list[Measure]:
        """Of labels and risks that speak of minors."""
        return [m for m in self.all if m.better and any(d in _SUBJECTS and _MINORS.search(of) for d, of in m.of)]

    def attacks(self) -> list[Measure]:
        """What attacks do, one by one; not crossed with the parts of the data."""
        return [
            m
            for m in self.all
            if m.better and m.name.startswith("attack_") and "attack" in dict(m.of) and not _DATA & set(dict(m.of))
        ]


_TURNED: Mapping[Better, Better] = {"higher": "lower", "lower": "higher", "": ""}


def left(measure: Measure | None) -> Measure | None:
    """The share that a share leaves, with its intervals turned round; what is no share is given back."""
    if measure is None or measure.value is None or measure.unit != "share":
        return measure
    count = None if measure.count is None else measure.n - measure.count
    interval, groups = (None if i is None else (1 - i[1], 1 - i[0]) for i in (measure.interval, measure.group_interval))
    return replace(
        measure,
        value=1 - measure.value,
        count=count,
        interval=interval,
        group_interval=groups,
        better=_TURNED[measure.better],
    )


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
        return f"{given:,.0f}" if abs(given) >= _ROUND else f"{given:,.4g}"
    return f"{given:,}" if isinstance(given, int) and not isinstance(given, bool) else str(given)


_KEY = re.compile(r"(?<![\w`])[a-z0-9]+(?:_[a-z0-9]+)*\[[\w=.,:/+% -]*\](?!\w)")
_WORD_WITH_PATH = re.compile(r"(?P<before>[\w-]+=)?(?P<path>(?:[A-Za-z]:)?[/\\~].+)", re.DOTALL)


def coded(text: str) -> str:
    """`plain` text, with keys of figures such as ``tpr_at_fpr[fpr=0.01]`` as code. A key with other signs stays text:
    a code span knows no escapes."""
    made, at = [], 0
    for hit in _KEY.finditer(text):
        made += [_inside(text[at : hit.start()]), f"`{hit.group()}`"]
        at = hit.end()
    return "".join([*made, _inside(text[at:])]) if made else plain(text)


def _inside(text: str) -> str:
    """`plain`, with the spaces at both ends."""
    return plain(f"x{text}x")[1:-1]


def file_name(path: str) -> str:
    """The last part of a path: what is before it may hold somebody's name."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1] or path


def named_only(command: str) -> str:
    """A command, of whose absolute paths only the last part is left."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command  # it was not written by shlex.join: nobody knows where its words end
    short = [
        f"{hit['before'] or ''}…/{file_name(hit['path'])}" if (hit := _WORD_WITH_PATH.fullmatch(word)) else word
        for word in words
    ]
    return command if short == words else " ".join(word if "…/" in word else shlex.quote(word) for word in short)
