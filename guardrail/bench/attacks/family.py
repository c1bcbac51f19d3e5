"""What a disguise is, and what several of them are made of."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

__all__ = ["LATIN", "LONG", "WORD", "Change", "Family", "each", "joined"]

Change = Callable[[str, Random], str]

WORD = re.compile(r"[^\W\d_]+")
LATIN = re.compile(r"[A-Za-z]{2,}")
LONG = re.compile(r"[^\W\d_]{4,}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]{2,}")


@dataclass(frozen=True, slots=True)
class Family:
    """A disguise: `family(text, rng)` gives the text in it, the same for the same text and state of the generator.

    Attributes:
        kind: ``letters``, ``apart``, ``syntax``, ``encoding``, ``script`` or ``wording``.
        change: does it. A text that it has nothing to change in comes back as it is.
        keeps: whether the text asks for the same as before. Where it does not, a prompt that is allowed afterwards is
            no miss, and one that is still blocked no hit: such families are reported apart.
        note: what the meaning becomes, where it is not kept.
    """

    name: str
    kind: str
    change: Change
    keeps: bool = True
    note: str = ""

    def __call__(self, text: str, rng: Random) -> str:
        return self.change(text, rng)


def each(pattern: re.Pattern[str], text: str, change: Callable[[str], str]) -> str:
    """Every match of the pattern changed."""
    return pattern.sub(lambda m: change(m[0]), text)


def joined(text: str, between: Callable[[], str]) -> str:
    """Something put between all letters of every word."""

    def change(word: str) -> str:
        return "".join(c + (between() if i < len(word) - 1 else "") for i, c in enumerate(word))

    return each(WORD, text, change)
