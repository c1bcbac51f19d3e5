"""Which words of a text the classifier's score hangs on: for explanations and rewriting, never for a decision.

Leave-one-out: the word without which the score falls furthest is taken away, and again, until what is left is harmless;
then whatever was taken away and need not have been is put back. It costs dozens of runs of the models, so it is bounded
in words, in rounds and in time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from guardrail.errors import CheckError

__all__ = ["blanked", "remaining", "responsible", "until", "words_without_which"]

Score = Callable[[str], float]

_WORD = re.compile(r"[^\W_]+")
_MOST_WORDS = 60
_MOST_ROUNDS = 8
# Stands where something was taken out, so that the rest keeps its places; no character of any text (Unicode, 23.7).
_GONE = "\uffff"
_GAP = re.compile(f" ?{_GONE}+")


def responsible(text: str, score: Score, *, harmless: float, most: int = _MOST_ROUNDS) -> list[tuple[int, int, float]]:
    """Half-open ranges of words, in order, each with how far the score fell when it went, 0..1.

    Args:
        text: any length; of long ones the first `_MOST_WORDS` words are tried.
        score: 0..1, higher is worse; called at most `most` × `_MOST_WORDS` times.
        harmless: scores under this need no explanation.
        most: how many words are looked for.
    """
    words = [match.span() for match in _WORD.finditer(text)][:_MOST_WORDS]
    gone: list[tuple[int, int, float]] = []
    current = score(text)
    while words and current >= harmless and len(gone) < most:
        tried = [(score(_without(text, [*(g[:2] for g in gone), word])), i) for i, word in enumerate(words)]
        best, at = min(tried)
        gone.append((*words.pop(at), max(0.0, current - best)))
        current = best
    return sorted(gone)


def words_without_which(text: str, score: Score, *, harmless: float) -> list[tuple[int, int]] | None:
    """Half-open ranges of the fewest words found without which the whole text scores under `harmless`, in order.

    A long text is tried in its worst stretch of `_MOST_WORDS` words, and in the next worst while it stays harmful; in
    all at most `_MOST_ROUNDS` words are looked for.

    Returns:
        An empty list where the text is harmless as it is; ``None`` where no so few words make it harmless.
    """
    found: list[tuple[int, int]] = []
    while score(blanked(text, found)) >= harmless:
        left = blanked(text, found)
        begin, end = _worst_stretch(left, score)
        most = _MOST_ROUNDS - len(found)
        more = responsible(left[begin:end], score, harmless=harmless, most=most) if most > 0 else []
        if not more:
            return None
        found += [(begin + a, begin + b) for a, b, _ in more]
    # The first word taken may have become needless by the later ones.
    for word in sorted(found, key=lambda place: place[0] - place[1]) if len(found) > 1 else ():
        others = [other for other in found if other != word]
        if others and score(blanked(text, others)) < harmless:
            found = others
    return _run_together(text, sorted(found))


def until(deadline: float, score: Score) -> Score:
    """`score` of what is left of a `blanked` text; raises CheckError once `deadline` (``time.monotonic``) is past."""

    def timed(text: str) -> float:
        if time.monotonic() >= deadline:
            raise CheckError("the words that the score hangs on were not found in time")
        return score(remaining(text))

    return timed


def blanked(text: str, ranges: Sequence[tuple[int, int]]) -> str:
    """`text` without `ranges`, of the same length: what is left keeps its places."""
    for start, end in ranges:
        text = text[:start] + _GONE * (end - start) + text[end:]
    return text


def remaining(text: str) -> str:
    """What is left of a `blanked` text, closed up."""
    return _GAP.sub("", text)


def _worst_stretch(text: str, score: Score) -> tuple[int, int]:
    words = [match.span() for match in _WORD.finditer(text)]
    if len(words) <= _MOST_WORDS:
        return 0, len(text)
    # Half over each other, so that no clause is cut by all of them.
    starts = range(0, len(words) - _MOST_WORDS // 2, _MOST_WORDS // 2)
    stretches = [(words[i][0], words[min(i + _MOST_WORDS, len(words)) - 1][1]) for i in starts]
    return max(stretches, key=lambda place: (score(text[place[0] : place[1]]), -place[0]))


def _run_together(text: str, words: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Words with nothing but spaces or hyphens between them are one place."""
    places: list[tuple[int, int]] = []
    for start, end in words:
        if places and not text[places[-1][1] : start].strip(" -'’"):
            places[-1] = (places[-1][0], end)
        else:
            places.append((start, end))
    return places


def _without(text: str, ranges: list[tuple[int, int]]) -> str:
    kept, at = [], 0
    for start, end in sorted(ranges):
        kept.append(text[at:start])
        at = end
    return "".join([*kept, text[at:]])
