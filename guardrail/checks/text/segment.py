"""Cutting letters without spaces into known words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

from guardrail.checks.text.english import cost, english
from guardrail.checks.text.wordlists import listed_words

__all__ = ["pieces", "segment"]

LONGEST = 18
# A letter outside all words costs more than any word does.
_OUTSIDE = 16.0
_LISTED_RANK, _SINGLE_RANK = 3, 60


@lru_cache(maxsize=1)
def _costs() -> Mapping[str, float]:
    """The price of every word, and of every beginning of one that is no word itself: no price."""
    prices = {word[:end]: math.inf for word in english() for end in range(1, min(len(word), LONGEST))}
    prices |= {word: cost(rank) for word, rank in english().items() if len(word) <= LONGEST}
    # Where an explicit word can be read, it is. Single letters are easily left over.
    return prices | dict.fromkeys(listed_words(), cost(_LISTED_RANK)) | dict.fromkeys("ai", cost(_SINGLE_RANK))


def segment(letters: str) -> str:
    """`letters` with spaces between known words, or unchanged where that does not work out."""
    if len(letters) < 4 or letters in listed_words():
        return letters
    known = english()
    words: list[str] = []
    for piece in pieces(letters):
        if words and piece not in known and words[-1] not in known:
            words[-1] += piece
        else:
            words.append(piece)
    return " ".join(words)


@lru_cache(maxsize=4096)
def pieces(letters: str) -> tuple[str, ...]:
    """`letters` cut into known words and single letters between them: the most likely words, taken one by one.

    Quadratic in the longest word only.
    """
    costs = _costs()
    size = len(letters)
    best = [0.0] + [math.inf] * size
    cut = [0] * (size + 1)
    for start in range(size):
        so_far = best[start]
        if so_far + _OUTSIDE < best[start + 1]:
            best[start + 1], cut[start + 1] = so_far + _OUTSIDE, start
        for end in range(start + 1, size + 1):
            price = costs.get(letters[start:end])
            if price is None:
                break
            if so_far + price < best[end]:
                best[end], cut[end] = so_far + price, start
    found: list[str] = []
    end = size
    while end:
        found.append(letters[cut[end] : end])
        end = cut[end]
    return tuple(reversed(found))
