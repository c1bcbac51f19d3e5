"""Cutting letters without spaces into known words."""

from __future__ import annotations

from functools import lru_cache

from guardrail.checks.text.wordlists import common_words, listed_words, name_words

__all__ = ["pieces", "segment"]

LONGEST = 18


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return common_words() | listed_words() | name_words()


def segment(letters: str) -> str:
    """`letters` with spaces between known words, or unchanged where that does not work out."""
    if len(letters) < 4 or letters in listed_words():
        return letters
    known = _known()
    words: list[str] = []
    for piece in pieces(letters):
        if words and piece not in known and words[-1] not in known:
            words[-1] += piece
        else:
            words.append(piece)
    return " ".join(words)


def pieces(letters: str) -> list[str]:
    """`letters` cut into known words and single letters between them.

    Fewest words win, and letters outside known words cost more than any word. Quadratic in the longest word only.
    """
    known = _known()
    best: list[tuple[int, int]] = [(0, 0)]
    for end in range(1, len(letters) + 1):
        options = [(best[end - 1][0] + 4, end - 1)]
        for start in range(max(0, end - LONGEST), end):
            if letters[start:end] in known:
                options.append((best[start][0] + 1, start))
        best.append(min(options))
    cuts: list[tuple[int, int]] = []
    end = len(letters)
    while end:
        start = best[end][1]
        cuts.append((start, end))
        end = start
    return [letters[start:end] for start, end in reversed(cuts)]
