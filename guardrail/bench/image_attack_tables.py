"""What attacks on pictures make the checks lose and find, as measures, tables and plots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from guardrail.bench.image_attacks import IMAGE_ATTACKS
from guardrail.bench.image_samples import PARTIAL
from guardrail.bench.run.figures import Figure, Points
from guardrail.bench.run.measures import Measure, of_rate
from guardrail.bench.statistics import Rate
from guardrail.bench.tables import Sheet, counted, explained

__all__ = [
    "attack_figures",
    "attack_measures",
    "attack_sheets",
    "attacks_not_run",
    "clean_ones",
    "nude",
    "percent",
    "points",
]

Sample = Mapping[str, Any]
Is = Callable[[Sample], bool]


def nude(sample: Sample, limit: float) -> bool:
    return (sample["nudity"] or 0.0) >= limit


def clean_ones(samples: Sequence[Sample]) -> list[Sample]:
    return [s for s in samples if not s["attack"]]


@dataclass(frozen=True, slots=True)
class _Finding:
    """Something that an attack may make a check lose.

    Attributes:
        what: it is, in words.
        known: whether the checks could say it of a picture at all.
        found: whether they did.
        never: whether it is wrong to find it in this picture, as far as anybody told.
    """

    what: str
    known: Is
    found: Is
    never: Is = lambda s: True


_FINDINGS = {
    "faces": _Finding(
        "a face", lambda s: s["faces"] is not None, lambda s: bool(s["faces"]), lambda s: not s["told_faces"]
    ),
    "real": _Finding(
        "a real face", lambda s: s["real"] is not None, lambda s: bool(s["real"]), lambda s: not s["told_faces"]
    ),
    "nudity": _Finding("nudity", lambda s: s["nudity"] is not None, lambda s: nude(s, PARTIAL)),
    "known": _Finding(
        "a known picture",
        lambda s: s["known"] is not None,
        lambda s: bool(s["known"]),
        lambda s: s["listed"] is not True,
    ),
}
_LOST = "found in the picture as it came, and no longer"
_ADDED = "not found in the picture as it came, and found in what was made of it"
_MANY = 0.05  # a rate that more than this share of its pictures is missing from carries no claim
_OF_FACES = "; only of pictures that show no face as far as anybody told"
_ONLY = {
    "faces": _OF_FACES,
    "real": _OF_FACES,
    "known": "; only of pictures that are on no list as far as anybody told",
}


def _added_note(finding: str) -> str:
    return _ADDED + _ONLY.get(finding, "")


def attack_measures(samples: Sequence[Sample]) -> Iterator[Measure]:
    """For each attack and finding: the share lost, the share added; and what could not be checked."""
    for attack, pairs in _pairs(samples).items():
        ran = [after for _, after in pairs]
        if ran:
            yield of_rate(
                "not_checked_rate", Rate(sum(bool(s["cause"]) for s in ran), len(ran)), "lower", attack=attack
            )
        for finding in _FINDINGS:
            names = ("attack_lost_rate", "attack_alarm_rate")
            notes = (_LOST, _added_note(finding))
            for name, note, rate, lacking in zip(
                names, notes, _changes(pairs, finding), _unanswered(pairs, finding), strict=True
            ):
                said = f"{lacking:,} of {rate.of + lacking:,} could not be checked" if lacking else ""
                if rate.of or lacking:
                    found = of_rate(
                        name, rate, "lower", "; ".join(filter(None, (note, said))), attack=attack, finding=finding
                    )
                    yield replace(found, caveat=said if lacking > _MANY * (rate.of + lacking) else "")


def _pairs(samples: Sequence[Sample]) -> dict[str, list[tuple[Sample, Sample]]]:
    """For each attack, each picture as it came with what was made of it; without those it had nothing to do in."""
    clean = {s["id"]: s for s in clean_ones(samples)}
    made: dict[str, list[tuple[Sample, Sample]]] = {}
    for after in samples:
        if after["attack"]:
            of = made.setdefault(after["attack"], [])
            if after["applied"]:
                of.append((clean[after["id"]], after))
    return made


def _changes(pairs: Sequence[tuple[Sample, Sample]], finding: str) -> tuple[Rate, Rate]:
    """Of pictures with the finding, how many lost it; of those without, how many gained it."""
    what = _FINDINGS[finding]
    both = [(a, b) for a, b in pairs if what.known(a) and what.known(b)]
    had = [b for a, b in both if what.found(a)]
    had_not = [b for a, b in both if not what.found(a) and what.never(a)]
    return (
        Rate(sum(not what.found(b) for b in had), len(had)),
        Rate(sum(map(what.found, had_not)), len(had_not)),
    )


def _unanswered(pairs: Sequence[tuple[Sample, Sample]], finding: str) -> tuple[int, int]:
    """Pictures that are in neither rate of `_changes`, for nobody knows what was found after the attack: with the
    finding as they came, and without it."""
    what = _FINDINGS[finding]
    of = [a for a, b in pairs if what.known(a) and not what.known(b)]
    return sum(map(what.found, of)), sum(not what.found(a) and what.never(a) for a in of)


def attacks_not_run(samples: Sequence[Sample]) -> dict[str, str]:
    """What attacks have no figure for, with why."""
    clean = [s for s in clean_ones(samples) if not s["cause"]]
    pairs, absent = _pairs(samples), {}
    for finding, what in _FINDINGS.items() if pairs else ():
        if not any(what.known(s) and what.found(s) for s in clean):
            absent[f"what attacks lose of {finding}"] = "the checks find it in none of the pictures as they came"
    for attack, of in pairs.items():
        if not of:
            absent[f"attack {attack}"] = "nothing was found in any picture that it could be laid over"
    return absent


def attack_sheets(samples: Sequence[Sample]) -> Iterator[Sheet]:
    pairs = _pairs(samples)
    changes = {f: {a: _changes(of, f) for a, of in pairs.items()} for f in _FINDINGS}
    told = {f: by for f, by in changes.items() if any(rate.of for two in by.values() for rate in two)}
    for finding, by in told.items():
        rows = tuple(
            (a, IMAGE_ATTACKS[a].kind, counted(lost.of), percent(lost), counted(added.of), percent(added))
            for a, (lost, added) in by.items()
            if lost.of or added.of
        )
        note = (
            f"Lost: {_LOST}; n are pictures with the finding as they came. Added: {_added_note(finding)}. Crops keep "
            "the largest finding in view; a sticker is laid over the faces found. Of several faces one that is still "
            "found is enough. Wilson intervals."
        )
        if lacking := sum(sum(_unanswered(of, finding)) for of in pairs.values()):
            note += f" {lacking:,} attacked pictures could not be checked, and are in no column."
        head = ("attack", "kind", "n", "lost, % (95 %)", "n", "added, % (95 %)")
        yield explained(Sheet(f"Attacks: {_FINDINGS[finding].what}", head, rows, note, words=2))


def attack_figures(samples: Sequence[Sample]) -> Iterator[Figure]:
    """What each attack loses, one plot a finding."""
    for finding, what in _FINDINGS.items():
        by = {a: _changes(of, finding)[0] for a, of in _pairs(samples).items()}
        rates = {a: rate for a, rate in by.items() if rate.of}
        if rates:
            most = max(rate.of for rate in rates.values())
            yield points(
                f"attacks-{finding}",
                f"Pictures in which {what.what} is no longer found",
                "lost (%)",
                "attack",
                rates,
                f"Of up to {most:,} pictures with the finding as they came; whiskers are Wilson intervals at 95 %.",
            )


def percent(rate: Rate) -> str:
    if not rate.of:
        return "–"
    low, high = rate.interval
    return f"{100 * rate.value:.2f} % ({100 * low:.2f}–{100 * high:.2f})"


def points(name: str, title: str, x: str, y: str, rates: Mapping[str, Rate], caption: str) -> Figure:
    values = [100 * rate.value for rate in rates.values()]
    lows, highs = zip(*(tuple(100 * v for v in rate.interval) for rate in rates.values()), strict=True)
    rows = Points(x.partition(" ")[0], tuple(rates), tuple(values), tuple(lows), tuple(highs))
    return Figure(name, title, x, y, points=(rows,), x_limits=(0, 100), caption=caption)
