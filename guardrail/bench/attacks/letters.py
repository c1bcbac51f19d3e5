"""Letters changed, left out or stretched, as in slips of the hand."""

from __future__ import annotations

from random import Random

from guardrail.bench.attacks.family import LATIN, each

__all__ = ["repeat", "star", "typo", "vowel_drop"]

_VOWELS = "aeiouAEIOU"
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def repeat(text: str, rng: Random) -> str:
    """A letter of every word stretched."""

    def change(word: str) -> str:
        at = rng.randrange(len(word))
        return word[:at] + word[at] * rng.randint(3, 6) + word[at + 1 :]

    return each(LATIN, text, change)


def star(text: str, rng: Random) -> str:
    """An inner letter of every longer word behind a star."""

    def change(word: str) -> str:
        at = rng.randint(1, len(word) - 2)
        return word[:at] + rng.choice("*#") + word[at + 1 :]

    return each(LATIN, text, lambda w: change(w) if len(w) >= 4 else w)


def vowel_drop(text: str, rng: Random) -> str:
    """The vowels after the first letter of every longer word left out."""

    def change(word: str) -> str:
        return word[0] + "".join(c for c in word[1:] if c not in _VOWELS)

    return each(LATIN, text, lambda w: change(w) if len(w) >= 4 else w)


def typo(text: str, rng: Random) -> str:
    """Two inner letters swapped, one left out, one doubled or one of a neighbouring key, in every longer word."""

    def change(word: str) -> str:
        at = rng.randint(1, len(word) - 2)
        kind = rng.randrange(4)
        if kind == 0:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if kind == 1:
            return word[:at] + word[at + 1 :]
        if kind == 2:
            return word[: at + 1] + word[at:]
        row = next(r for r in _KEYS if word[at].lower() in r)
        i = row.index(word[at].lower())
        return word[:at] + rng.choice(row[max(0, i - 1) : i] + row[i + 1 : i + 2]) + word[at + 1 :]

    return each(LATIN, text, lambda w: change(w) if len(w) >= 4 else w)
