"""Prompts in disguise: which rows, which disguises, which letters; all of it follows from the seed.

Families at full strength (every word that they can rewrite), alone and composed in twos, over harmful prompts that were
caught as they came and over harmless ones. A copy is a sample like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from heapq import heappush, heappushpop
from itertools import permutations
from random import Random
from typing import Any, NamedTuple

from guardrail.bench.attacks import FAMILIES
from guardrail.bench.data import BENIGN, BLOCK, OTHER, Row

__all__ = ["TWO", "Chosen", "Copy", "cases_of_a_row", "chosen", "copies"]

TWO = "two-at-once"
"""The attack of a copy in two disguises; which they are stands in its ``families``."""
# Of those that change what is asked for, no two are put together: nobody could say what is asked for then.
_TWOS = tuple(permutations((name for name, family in FAMILIES.items() if family.keeps), 2))


class Chosen(NamedTuple):
    """A row to disguise; `order` is its place in the data, which decides the disguises in twos that it takes."""

    order: int
    row: Row


class Copy(NamedTuple):
    """A row in disguise. `row` has the text in disguise, and the role that it has there."""

    row: Row
    of: str
    families: tuple[str, ...]

    def told(self) -> dict[str, Any]:
        """What its sample says besides what every sample says."""
        two = {"families": list(self.families)} if len(self.families) > 1 else {}
        return {"of": self.of, **two}


def chosen(answered: Iterable[tuple[Row, Mapping[str, Any]]], most: int, seed: int) -> tuple[list[Chosen], ...]:
    """(harmful prompts that were caught as they came, harmless ones), at most `most` of each.

    Caught is blocked or altered by a rule; what could not be checked is not. Those with the lowest hashes of seed and
    name are taken (bottom-k sampling, Cohen and Kaplan 2007): each is as likely as any other, and runs that caught
    almost the same prompts disguise almost the same ones.

    Args:
        answered: rows in their order, each with its sample.
    """
    caught, harmless = _Lowest(most, seed), _Lowest(most, seed)
    for order, (row, sample) in enumerate(answered):
        if row.role == BENIGN:
            harmless.offer(Chosen(order, row))
        elif row.role == BLOCK and sample["action"] != "allow" and not sample["cause"]:
            caught.offer(Chosen(order, row))
    return caught.rows, harmless.rows


class _Lowest:
    def __init__(self, most: int, seed: int) -> None:
        self._most, self._seed = most, seed
        self._kept: list[tuple[int, int, Chosen]] = []  # a heap with the highest hash on top; orders are unique

    def offer(self, one: Chosen) -> None:
        """Take the row in, perhaps, in the place of another."""
        told = f"{self._seed}:{one.row.name}".encode("utf-8", "surrogatepass")
        place = -int.from_bytes(blake2b(told, digest_size=8).digest(), "big")
        if len(self._kept) < self._most:
            heappush(self._kept, (place, -one.order, one))
        elif self._most:
            heappushpop(self._kept, (place, -one.order, one))

    @property
    def rows(self) -> list[Chosen]:
        return sorted((one for *_, one in self._kept), key=lambda one: one.order)


def cases_of_a_row(pairs: int) -> int:
    """How many disguises are tried on each row."""
    return len(FAMILIES) + min(pairs, len(_TWOS))


def copies(rows: Sequence[Chosen], pairs: int, seed: int) -> Iterator[Copy | None]:
    """Each row in every disguise and in `pairs` of two, which take turns over the rows of the data.

    None where a disguise has nothing to change in the row.
    """
    twos = list(_TWOS)
    Random(seed).shuffle(twos)  # noqa: S311 - an order, no secret
    for one in rows:
        for name in FAMILIES:
            yield _copy(one, (name,), seed)
        for k in range(min(pairs, len(twos))):
            yield _copy(one, twos[(one.order * pairs + k) % len(twos)], seed)


def _copy(one: Chosen, families: tuple[str, ...], seed: int) -> Copy | None:
    row = one.row
    text = _disguised(one, families, seed)
    if text is None:
        return None
    # In a disguise that changes what is asked for, a harmful prompt is no longer one that ought to be blocked.
    role = row.role if all(FAMILIES[name].keeps for name in families) else OTHER
    name = f"{row.name}~{'+'.join(families)}"
    attack = families[0] if len(families) == 1 else TWO
    # Its twin has no disguise, so that it has none.
    return Copy(row._replace(text=text, id=name, role=role, attack=attack, pair=""), row.name, families)


def _disguised(one: Chosen, families: Sequence[str], seed: int) -> str | None:
    """The prompt with the families one after the other; None where one of them has nothing to change in it."""
    text = one.row.text
    for family in families:
        before = text
        text = FAMILIES[family](before, Random(f"{seed}:{one.row.name}:{family}"))  # noqa: S311 - a disguise, no secret
        if not _changed(before, text):
            return None
    return text if _changed(one.row.text, text) else None


def _changed(before: str, after: str) -> bool:
    """Whether a disguise had something to do: with a word, not with space at the ends or with a full stop alone."""
    before, after = before.strip(), after.strip()
    if not after or before == after:
        return False
    changed = ((a, b) for a, b in zip(before, after, strict=False) if a != b)
    return len(before) != len(after) or any(a.isalnum() or b.isalnum() for a, b in changed)
