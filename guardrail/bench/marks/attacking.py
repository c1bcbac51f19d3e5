"""The attacker's side, played: for each attack, what is forged, what is removed, and at what cost in quality.

The watermark is asked as a service would be (mark this picture, look at that one); no attack is given the key.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrail.bench.marks import attacks, quality
from guardrail.bench.marks.measure import Progress, run_facts
from guardrail.bench.marks.pictures import Size, Source, chosen, groups, sources
from guardrail.bench.marks.systems import System, systems
from guardrail.bench.run.environment import load_average
from guardrail.bench.statistics import Rate

__all__ = ["ATTACKS", "FORMAT", "KIND", "AttackPlan", "Trial", "attack"]

KIND, FORMAT = "guardrail bench marks --attacks", 1
Pixels = NDArray[np.uint8]
BUDGETS_DB = (40.0, 36.0)
"""Strengths at which an estimated mark is added or taken away."""


@dataclass(frozen=True, slots=True)
class AttackPlan:
    """What to try.

    Args:
        images, packaged, drawn: as in `MarksPlan`.
        size: of all pictures.
        psnr_db: strength of the mark.
        victims: pictures that each attack is tried on.
        queries: questions to the detector, one search for each number.
        command: how this was called, for the report.
        averages: how many pictures of one key are averaged.
        keys: for averaging, the victims are shared out over so many keys.
        copies: how many marked copies of one picture collude.
        asked: pictures that the detector is asked about again and again, the first so many victims.
        keep_names: as in `MarksPlan`.
    """

    images: Sequence[Path] = ()
    packaged: bool = True
    drawn: int = 0
    size: Size = field(default_factory=lambda: Size(512, 512))
    psnr_db: float = 43.0
    victims: int = 20
    queries: Sequence[int] = (500, 2000)
    command: str = ""
    averages: Sequence[int] = (5, 20, 100)
    keys: int = 2
    copies: Sequence[int] = (5, 20)
    asked: int = 8
    keep_names: bool = False

    def small(self) -> AttackPlan:
        """The same in seconds: it shows that everything runs, and nothing else."""
        return replace(self, averages=(2,), keys=1, copies=(2,))


@dataclass(frozen=True, slots=True)
class Trial:
    """One attacked picture.

    Attributes:
        attack, how: the row that it counts in.
        goal: `forge`: a mark where none was put; `remove`: no mark where one was; `confuse`: another payload than the
            one that was put; `genuine`: none, for comparison.
        pixels: what the attacker hands in.
        against: what it is compared with for the signal-to-noise ratio, of the same size; None where sizes differ.
        owned: payloads that were really put into this picture, or those that the attacker holds.
        queries: put to the detector.
    """

    attack: str
    how: str
    goal: str
    system: System
    pixels: Pixels
    against: Pixels | None
    owned: frozenset[int] = frozenset()
    queries: int = 0


@dataclass(slots=True)
class _Stage:
    """What all attacks share: pictures, systems under attack, randomness."""

    plan: AttackPlan
    victims: list[Pixels]
    carriers: list[Pixels]
    opened: Callable[[str], Sequence[System]]
    cache: dict[Any, Any] = field(default_factory=dict)

    def each(self, attack: str) -> Iterator[tuple[System, int, Pixels, Pixels]]:
        """(system with a key of its own, number, victim, another picture) for every victim."""
        for number, victim in enumerate(self.victims):
            for system in self.opened(f"{attack} {number}"):
                yield system, number, victim, self.carriers[number % len(self.carriers)]

    def rng(self, *name: object) -> np.random.Generator:
        return np.random.default_rng(int.from_bytes(hashlib.sha256(repr(name).encode()).digest()[:8], "big"))


def attack(plan: AttackPlan, progress: Progress | None = None) -> dict[str, Any]:
    """The report, as JSON holds it.

    Args:
        progress: told (what is done, how many so far, of how many).

    Raises:
        DataError: the pictures cannot be used.
    """
    found = sources(plan.images, packaged=plan.packaged, drawn=plan.drawn, keep_names=plan.keep_names)
    begun, load = time.perf_counter(), load_average()
    of, others = _cast(found, plan.victims)
    stage = _Stage(
        plan,
        [s.pixels(plan.size) for s in of],
        [s.pixels(plan.size) for s in others],
        lambda name: systems(name, plan.psnr_db),
    )
    report: dict[str, Any] = {
        "kind": KIND,
        "format": FORMAT,
        "pictures": {"victims": len(of), "others": len(others), "groups": groups(of)},
        "size": str(plan.size),
        "asked_db": plan.psnr_db,
        "rows": [],
        "run": run_facts(plan.command, load),
    }
    for number, (name, play) in enumerate(ATTACKS.items()):
        rows: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
        for trial in play(stage):
            rows.setdefault((trial.attack, trial.how, trial.goal, trial.system.name), []).append(_judged(trial))
        report["rows"] += [_row(key, seen) for key, seen in rows.items()]
        stage.cache.clear()
        if progress is not None:
            progress(f"attacks ({name})", number + 1, len(ATTACKS))
    report["run"]["seconds"] = time.perf_counter() - begun
    return report


def _cast(found: Sequence[Source], victims: int) -> tuple[list[Source], list[Source]]:
    """Victims, evenly spread, and all other pictures; with one picture alone it is both."""
    of = chosen(found, victims)
    taken = {id(s) for s in of}
    return of, [s for s in found if id(s) not in taken] or list(reversed(of))


def _judged(trial: Trial) -> dict[str, Any]:
    seen = trial.system.look(trial.pixels)
    ratio = None if trial.against is None else min(quality.psnr(trial.against, trial.pixels), 99.0)
    return {
        "payload": seen.payload is not None,
        "foreign": seen.payload is not None and seen.payload not in trial.owned,
        "any": seen.verdict != "none",
        "binding": seen.binding,
        "statistic": seen.statistic,
        "refused": trial.system.refused > 0,
        "psnr": ratio,
        "queries": trial.queries,
    }


def _row(key: tuple[str, str, str, str], seen: Sequence[dict[str, Any]]) -> dict[str, Any]:
    ratios = [s["psnr"] for s in seen if s["psnr"] is not None]
    name, how, goal, system = key
    return {
        "attack": name,
        "how": how,
        "goal": goal,
        "system": system,
        "n": len(seen),
        "payload": Rate(sum(s["payload"] for s in seen), len(seen)).to_json(),
        "foreign": Rate(sum(s["foreign"] for s in seen), len(seen)).to_json(),
        "any": Rate(sum(s["any"] for s in seen), len(seen)).to_json(),
        "refused": sum(s["refused"] for s in seen),
        "bindings": dict(sorted(Counter(s["binding"] for s in seen if s["binding"]).items())),
        "statistic": float(np.mean([s["statistic"] for s in seen])),
        "psnr": {"mean": float(np.mean(ratios)), "lowest": min(ratios)} if ratios else None,
        "queries": float(np.mean([s["queries"] for s in seen])),
    }


# ---- the attacks


def _genuine(stage: _Stage) -> Iterator[Trial]:
    """Nothing but what happens to pictures anyway: a genuine mark must not be called copied."""
    from guardrail.bench.marks.conditions import CONDITIONS

    for system, number, victim, _ in stage.each("genuine"):
        marked, payload = system.mark(victim, "genuine")
        for name in ("none", "jpeg75", "jpeg50", "resize0.5", "jitter", "screenshot", "crop_area90", "crop_area75"):
            changed = CONDITIONS[name](marked, f"victim {number}")
            against = marked if changed.shape == marked.shape else None
            yield Trial("genuine", name, "genuine", system, changed, against, frozenset({payload}))


def _flat_copy(stage: _Stage) -> Iterator[Trial]:
    """Whoever may mark pictures of their own marks a grey one, and adds the difference to another picture."""
    for system, _, victim, _ in stage.each("flat"):
        grey = np.full_like(victim, 128)
        marked, payload = system.mark(grey, "flat")
        pure = marked.astype(np.float32) - grey
        for how, pattern in (
            ("as it is", pure),
            *((f"at {db:g} dB", attacks.scaled_to(pure, db)) for db in BUDGETS_DB),
        ):
            forged = attacks.added(victim, pattern)
            yield Trial("copy from a flat cover", how, "forge", system, forged, victim, frozenset({payload}))


def _natural_copy(stage: _Stage) -> Iterator[Trial]:
    """The mark of one released picture, estimated by a filter, is added to another one; then that is cropped."""
    for system, _, victim, carrier in stage.each("copy"):
        marked, payload = system.mark(carrier, "copy")
        held = frozenset({payload})
        for filter_name in ("bilateral", "median"):
            estimate = attacks.residual(marked, filter_name)
            for db in BUDGETS_DB:
                forged = attacks.added(victim, attacks.scaled_to(estimate, db))
                how = f"{filter_name}, {db:g} dB"
                yield Trial("copy from one natural picture", how, "forge", system, forged, victim, held)
                if filter_name == "bilateral" and db == BUDGETS_DB[-1]:
                    for area in (0.9, 0.75, 0.5):
                        part = attacks.corner(forged, area)
                        how = f"copy at {db:g} dB, {100 * area:g} % kept"
                        yield Trial("cropping to hide the tag", how, "forge", system, part, None, held)
        # Of the picture itself: the estimate is taken away again.
        own, own_payload = system.mark(victim, "own")
        for filter_name in ("bilateral", "median"):
            clean = attacks.without_detail(own, filter_name)
            yield Trial("smoothing", filter_name, "remove", system, clean, own, frozenset({own_payload}))


def _averaging(stage: _Stage) -> Iterator[Trial]:
    """What many released pictures of one key have in common is added to an unmarked picture, and taken from a marked
    one. With one payload for all it is what a generator with a constant mark gives away; ours never does that."""
    plan = stage.plan
    for one_payload in (False, True):
        label = "averaging, one payload" if one_payload else "averaging, payloads of their own"
        for key in range(plan.keys):
            for system in stage.opened(f"average {key}"):
                if one_payload and not system.chooses_payload:
                    continue
                held, total, done = set(), np.zeros(stage.carriers[0].shape, np.float64), 0
                for count in sorted(plan.averages):
                    while done < count:
                        marked, payload = system.mark(_turned(stage.carriers, done), "same" if one_payload else done)
                        held.add(payload)
                        total += attacks.residual(marked)
                        done += 1
                    mean = np.asarray(total / done, np.float32)
                    yield from _with_mean(stage, system, key, label, count, mean, frozenset(held))


def _turned(pictures: Sequence[Pixels], number: int) -> Pixels:
    """Picture so-and-so; where there are too few, they come again mirrored, then upside down."""
    picture = pictures[number % len(pictures)]
    again = number // len(pictures)
    picture = picture[:, ::-1] if again & 1 else picture
    return np.ascontiguousarray(picture[::-1] if again & 2 else picture)


def _with_mean(
    stage: _Stage, system: System, key: int, label: str, count: int, mean: attacks.Residual, held: frozenset[int]
) -> Iterator[Trial]:
    for number, victim in enumerate(stage.victims):
        if number % stage.plan.keys != key:
            continue
        marked, payload = system.mark(victim, f"victim {number}")
        for db in BUDGETS_DB:
            pattern, how = attacks.scaled_to(mean, db), f"{count} pictures, {db:g} dB"
            yield Trial(label, how, "forge", system, attacks.added(victim, pattern), victim, held)
            removed = attacks.added(marked, pattern, -1.0)
            yield Trial(label, how, "remove", system, removed, marked, frozenset({payload}))


def _collusion(stage: _Stage) -> Iterator[Trial]:
    """One picture marked many times, for many users, and what they make of their copies together."""
    for system, _, victim, _ in stage.each("collusion"):
        for count in stage.plan.copies:
            copies, held = [], set()
            for number in range(count):
                marked, payload = system.mark(victim, number)
                copies.append(marked)
                held.add(payload)
            for how, mixed in (("mean", attacks.averaged(copies)), ("median", attacks.median_of(copies))):
                name = f"{how} of {count}"
                yield Trial("collusion of payloads", name, "remove", system, mixed, victim, frozenset(held))


def _marked_again(stage: _Stage) -> Iterator[Trial]:
    """Marked a second time: by somebody else with another key, or through the service that marked it first."""
    others = {number: stage.opened(f"somebody else {number}") for number in range(len(stage.victims))}
    for system, number, victim, _ in stage.each("again"):
        marked, payload = system.mark(victim, "first")
        other = next(o for o in others[number] if o.name == system.name)
        twice = marked
        for times, how in enumerate(("another key, once", "another key, twice", "another key, three times"), 1):
            twice, _ = other.mark(twice, f"other {times}")
            yield Trial("marked again", how, "remove", system, twice, marked, frozenset({payload}))
        same, _ = system.mark(marked, "second")
        yield Trial("marked again", "same key", "confuse", system, same, marked, frozenset({payload}))


def _band_noise(stage: _Stage) -> Iterator[Trial]:
    """No question asked: how much noise in the mark's own band it takes. What questions are worth is the difference."""
    for system, number, victim, _ in stage.each("noise"):
        marked, payload = system.mark(victim, "noise")
        for db in (40.0, 36.0, 33.0, 30.0):
            noisy = attacks.band_noise(marked, db, stage.rng("noise", number))
            yield Trial("noise in its band", f"{db:g} dB", "remove", system, noisy, marked, frozenset({payload}))


def _oracle(stage: _Stage) -> Iterator[Trial]:
    """The detector answers with its statistic, as often as it is asked: on the fast path, which is what is cheap."""
    name = "the detector's answer known"
    for queries in stage.plan.queries:
        about = f"about {queries} questions"
        for system, number, victim, _ in stage.each("oracle"):
            if number >= stage.plan.asked:
                break
            if system.chooses_payload and len(stage.opened("oracle")) > 1:
                continue  # what can be asked is the whole of it, and questions take long
            marked, payload = system.mark(victim, "oracle")
            goals = _Goals(system)
            rng = stage.rng("remove", number)
            gone = attacks.climbed(marked, goals.statistic, goals.unread, rng, queries=queries, up=False)
            yield Trial(name, about, "remove", system, gone.pixels, marked, frozenset({payload}), gone.queries)
            for what, score in (("statistic", goals.statistic), ("sync", goals.sync)):
                rng = stage.rng("forge", what, number)
                made = attacks.climbed(victim, score, goals.seen, rng, queries=queries, up=True)
                how = f"{about}, of its {what}"
                yield Trial(name, how, "forge", system, made.pixels, victim, queries=made.queries)


class _Goals:
    """What an attacker reads off one answer of the detector."""

    def __init__(self, system: System) -> None:
        self._ask = system.ask

    def statistic(self, pixels: Pixels) -> float:
        return self._ask(pixels).statistic

    def sync(self, pixels: Pixels) -> float:
        return self._ask(pixels).sync

    def unread(self, pixels: Pixels) -> bool:
        return self._ask(pixels).payload is None

    def seen(self, pixels: Pixels) -> bool:
        return self._ask(pixels).verdict != "none"


ATTACKS: dict[str, Callable[[_Stage], Iterator[Trial]]] = {
    "genuine": _genuine,
    "flat copy": _flat_copy,
    "natural copy": _natural_copy,
    "averaging": _averaging,
    "collusion": _collusion,
    "marked again": _marked_again,
    "band noise": _band_noise,
    "oracle": _oracle,
}
