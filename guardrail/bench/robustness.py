"""What disguises do: recall lost over prompts caught clean, and false alarms added over harmless ones.

Families at full strength (every word that they can rewrite), alone and composed in twos. Which rows, which pairs and
which letters follows from the seed, never from the order in which anything runs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from random import Random
from typing import Any, NamedTuple

from guardrail.bench.attacks import FAMILIES
from guardrail.bench.judging import ALLOWED, BLOCKED, Judged, judged
from guardrail.bench.statistics import Rate
from guardrail.guard import Guard

__all__ = ["Kept", "Sample", "attacked"]


class Kept(NamedTuple):
    """A prompt and what was decided about it as it came."""

    order: int
    text: str
    action: int


class Sample:
    """At most `most` of the prompts offered, each as likely as any other (Vitter 1985, algorithm R)."""

    def __init__(self, most: int, seed: int) -> None:
        self._most = most
        self._rng = Random(seed)  # noqa: S311 - a sample, no secret
        self._kept: list[Kept] = []
        self.offered = 0

    def offer(self, text: str, answer: Judged) -> None:
        """Take the prompt in, perhaps, in the place of another."""
        kept = Kept(self.offered, text, answer.action)
        self.offered += 1
        if len(self._kept) < self._most:
            self._kept.append(kept)
        elif (at := self._rng.randrange(self.offered)) < self._most:
            self._kept[at] = kept

    @property
    def rows(self) -> list[Kept]:
        return sorted(self._kept)


class _Trial(NamedTuple):
    families: tuple[str, ...]
    row: Kept
    action: int
    cause: str


def attacked(
    guard: Guard, caught: Sample, harmless: Sample, pairs: int, seed: int, tell: Callable[[str, int, int], None]
) -> dict[str, Any]:
    """What the guard decides about the same prompts in disguise.

    Args:
        caught: prompts that ought to be blocked, and were blocked or altered clean.
        pairs: compositions tried on each prompt; the pairs take turns over the prompts.
    """
    kinds = {"caught": caught.rows, "harmless": harmless.rows}
    plans = {kind: list(_cases(rows, pairs, seed)) for kind, rows in kinds.items()}
    total, done = sum(map(len, plans.values())), 0
    trials: dict[str, list[_Trial]] = defaultdict(list)
    for kind, cases in plans.items():
        for families, row in cases:
            text = disguised(row, families, seed)
            if text is not None:
                answer = judged(guard, text)
                trials[kind].append(_Trial(families, row, answer.action, answer.cause))
            done += 1
            tell("disguised prompts", done, total)
    single = {kind: [t for t in of if len(t.families) == 1] for kind, of in trials.items()}
    double = {kind: [t for t in of if len(t.families) == 2] for kind, of in trials.items()}
    return {
        "seed": seed,
        "caught": {"sampled": len(kinds["caught"]), "of": caught.offered},
        "harmless": {"sampled": len(kinds["harmless"]), "of": harmless.offered},
        "pairs_a_row": pairs,
        "could_not_be_checked": dict(sorted(Counter(t.cause for of in trials.values() for t in of if t.cause).items())),
        "alone": [_summary("all", single), *(_summary(f, _with(f, single)) for f in FAMILIES)],
        "in_twos": [_summary("all", double), *(_summary(f, _with(f, double)) for f in FAMILIES)] if pairs else [],
    }


def _cases(rows: Sequence[Kept], pairs: int, seed: int) -> Iterator[tuple[tuple[str, ...], Kept]]:
    twos = list(permutations(FAMILIES, 2))
    Random(seed).shuffle(twos)  # noqa: S311 - an order, no secret
    for i, row in enumerate(rows):
        yield from (((family,), row) for family in FAMILIES)
        yield from ((twos[(i * pairs + k) % len(twos)], row) for k in range(min(pairs, len(twos))))


def disguised(row: Kept, families: Sequence[str], seed: int) -> str | None:
    """The prompt with the families one after the other; None where one of them has nothing to change in it."""
    text = row.text
    for family in families:
        before = text
        text = FAMILIES[family](before, Random(f"{seed}:{row.order}:{family}"))  # noqa: S311 - a disguise, no secret
        if text == before:
            return None
    return text if text != row.text else None


def _with(family: str, trials: dict[str, list[_Trial]]) -> dict[str, list[_Trial]]:
    return {kind: [t for t in of if family in t.families] for kind, of in trials.items()}


def _summary(family: str, trials: dict[str, list[_Trial]]) -> dict[str, Any]:
    caught, harmless = trials.get("caught", []), trials.get("harmless", [])
    blocked = [t for t in caught if t.row.action == BLOCKED]
    return {
        "family": family,
        "could_not_be_checked": sum(bool(t.cause) for t in (*caught, *harmless)),
        "blocked_lost": _rate([t.action != BLOCKED for t in blocked]),
        "blocked_or_altered_lost": _rate([t.action == ALLOWED for t in caught]),
        "alarms_added": _added(harmless, lambda action: action == BLOCKED),
        "alarms_or_alterations_added": _added(harmless, lambda action: action != ALLOWED),
    }


def _rate(hits: Sequence[bool]) -> dict[str, Any] | None:
    return Rate(sum(hits), len(hits)).to_json() if hits else None


def _added(trials: Sequence[_Trial], counts: Callable[[int], bool]) -> dict[str, Any] | None:
    """New alarms, as a rate; and alarms in disguise less alarms clean, as a share of the same rows."""
    rate = _rate([counts(t.action) and not counts(t.row.action) for t in trials])
    if rate is None:
        return None
    clean, now = (sum(counts(a) for a in of) for of in ([t.row.action for t in trials], [t.action for t in trials]))
    return {**rate, "net": (now - clean) / len(trials)}
