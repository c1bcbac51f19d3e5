"""What of a run says how likely a hazard is, as shares of what went wrong.

A rate of what went well is shown as what it leaves, so that a higher number is always the worse one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from guardrail.bench.limits import value
from guardrail.bench.quoting import SUITE, Figures, left
from guardrail.bench.run.measures import FEW, Measure

__all__ = [
    "Quote",
    "Quotes",
    "adaptive",
    "both",
    "lost",
    "minors",
    "minors_by_rules",
    "not_checked",
    "nothing",
    "over",
    "overall",
    "own_pictures",
    "passing",
    "passing_own",
    "unread_marks",
    "worst_by",
]

_OWN = "guardrail"  # the row of guardrail itself among peers (peers.own.GUARDRAIL)


class Quote(NamedTuple):
    """What says something about a likelihood: a figure, or, in words, why there is none."""

    what: str
    measure: Measure | None
    elsewhere: str = ""

    @property
    def measured(self) -> bool:
        return self.measure is not None and self.measure.value is not None

    @property
    def short(self) -> str:
        if self.measure is None or self.measure.value is None:
            return self.elsewhere or "not measured"
        remark = f" ({self.measure.remark})" if self.measure.remark else ""
        return f"{value(self.measure)}, n = {self.measure.n:,}{remark}"


Quotes = Callable[[Figures], list[Quote]]


def nothing(figures: Figures) -> list[Quote]:
    """No rate can say it."""
    return []


def both(*parts: Quotes) -> Quotes:
    return lambda figures: [quote for one in parts for quote in one(figures)]


def overall(what: str, name: str) -> Quotes:
    """A rate of what went wrong."""
    return lambda figures: [Quote(what, figures.get(name))]


def passing(what: str, name: str) -> Quotes:
    """What a rate of what went well leaves."""
    return lambda figures: [Quote(what, figures.passing(name))]


def passing_own(figures: Figures) -> list[Quote]:
    """The row of guardrail in a run beside other filters of text, where nothing else measured the same."""
    names = (("stop_rate", "neither blocked nor altered"), ("block_rate", "not blocked"))
    if figures.kind == "image" or figures.get("block_rate") is not None:
        return []
    found = [(said, figures.passing(name, peer=_OWN)) for name, said in names]
    return [Quote(f"harmful prompts {said}, beside peers", m) for said, m in found if m is not None]


def own_pictures(figures: Figures) -> list[Quote]:
    """The nudity check alone, in a run beside other detectors."""
    found = figures.passing("block_rate", peer=_OWN) if figures.kind == "image" else None
    return [] if found is None else [Quote("pictures with nudity that the nudity check alone would let pass", found)]


def over(figures: Figures) -> list[Quote]:
    """Harmless requests that were refused."""
    found = figures.get("over_block_rate", peer=_OWN) if figures.get("over_block_rate") is None else None
    alarms = figures.get("known_alarm_rate")
    what = "pictures blocked by the nudity check alone" if figures.kind == "image" else "prompts blocked"
    return [
        Quote("blocked", figures.get("over_block_rate")),
        Quote("blocked or altered", figures.get("over_stop_rate")),
        Quote("newly stopped in disguise", figures.get("attack_alarm_rate")),
        *([Quote(f"{what}, beside peers", found)] if found is not None else []),
        *([Quote("pictures on no list taken for a known one", alarms)] if alarms is not None else []),
    ]


def adaptive(figures: Figures) -> list[Quote]:
    """An attacker who asks the guard, at the largest number of queries."""
    most: dict[str, Measure] = {}
    for m in figures.parts("adaptive_success_rate", "edits", "queries"):
        of = dict(m.of)
        if of["edits"] not in most or int(dict(most[of["edits"]].of)["queries"]) < int(of["queries"]):
            most[of["edits"]] = m
    return [
        Quote(f"a wording found that is allowed, within {int(dict(m.of)['queries']):,} queries, edits: {edits}", m)
        for edits, m in most.items()
    ]


def not_checked(figures: Figures) -> list[Quote]:
    found = [*figures.each("not_checked_rate"), *figures.each("not_checked_rate", peer=_OWN)]
    suites = [dict(m.of).get(SUITE, "") for m in found]
    quotes = [Quote("not checked" + (f", {suite}" if suite else ""), m) for suite, m in zip(suites, found, strict=True)]
    return quotes or [Quote("not checked, and blocked for that", None)]


def minors(figures: Figures) -> list[Quote]:
    """Of prompts to be blocked whose label speaks of minors."""
    names = {"stop_rate": "neither blocked nor altered", "block_rate": "not blocked"}
    found = [
        (names[m.name], dict(m.of), m)
        for m in figures.about_minors()
        if m.name in names and {d for d, _ in m.of} - {SUITE, "peer"} == {"label"}
    ]
    return [
        Quote(f"prompts labelled {of['label']} {said}" + (", beside peers" if "peer" in of else ""), left(m))
        for said, of, m in found
        if of.get("peer", _OWN) == _OWN
    ]


def minors_by_rules(figures: Figures) -> list[Quote]:
    """Evidence and no likelihood: the rules were given the signals that a check would have to find first."""
    return [
        Quote(f"policy {dict(m.of).get('policy', '')}, blocked of signals drawn for the rules, no check took part", m)
        for m in figures.about_minors()
        if m.name == "never_allowed_rate"
    ]


def lost(finding: str, what: str) -> Quotes:
    """Pictures in which an attack makes a check lose what it found."""

    def quotes(figures: Figures) -> list[Quote]:
        parts = figures.parts("attack_lost_rate", "attack", "finding")
        mine = [m for m in parts if ("finding", finding) in m.of]
        return [_worst(what, mine, ("attack",), 1)] if mine else []

    return quotes


def worst_by(name: str, dimension: str, what: str) -> Quotes:
    """The worst part of two or more that have enough samples."""
    return lambda figures: [_worst(what, figures.parts(name, dimension), (dimension,), 2)]


def unread_marks(figures: Figures) -> list[Quote]:
    """Marks of guardrail's own that cannot be read. Those of other systems have no better direction."""
    of = ("condition", "method", "size")
    read = [m for m in figures.parts("exact_rate", *of) if m.better]
    plain_ones = [m for m in read if ("condition", "none") in m.of]
    harder = [m for m in read if ("condition", "none") not in m.of]
    how = ("attack", "how", "system", "goal")
    removed = [m for m in figures.parts("payload_rate", *how) if ("goal", "remove") in m.of]
    parts = (
        ("not read from the picture as it was made", plain_ones, of),
        ("not read after a change", harder, of),
        ("not read after an attack to remove it, whatever it does to the picture", removed, how[:3]),
    )
    found = [_worst(what, mine, dimensions, 1, turned=True) for what, mine, dimensions in parts if mine]
    return found or [Quote("not read", None)]


def _worst(
    what: str, parts: Sequence[Measure], dimensions: Sequence[str], least: int, *, turned: bool = False
) -> Quote:
    """The part where most went wrong.

    Args:
        dimensions: what tells one part from another.
        least: parts with enough samples that there have to be.
        turned: whether the parts say what went well, though they have no better direction.
    """
    wrong = [left(m) if turned or m.better == "higher" else m for m in parts]
    measured = [m for m in wrong if m is not None and m.value is not None]
    enough = [m for m in measured if m.n >= FEW]
    if len(enough) < least:
        none = "no two parts have" if least > 1 else "no part has"
        counts = f"parts: {len(measured):,}, with so many: {len(enough):,}"
        return Quote(what, None, f"measured, but {none} {FEW} samples ({counts})" if measured else "")
    worst = max(enough, key=lambda m: (m.value or 0.0, m.key))
    name = ", ".join(of or "(none)" for dimension, of in worst.of if dimension in dimensions)
    small = len(measured) - len(enough)
    small_ones = f" ({small:,} with fewer than {FEW} samples left out)" if small else ""
    return Quote(f"{what}, worst of {len(enough):,}{small_ones}: {name}", worst)
