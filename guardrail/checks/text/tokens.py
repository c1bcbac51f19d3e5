"""The tokens of a reading of a text, with a map back to it."""

from __future__ import annotations

import bisect
import itertools
import re
from functools import cached_property, lru_cache
from operator import add

from guardrail.checks.text.characters import INDIC, UNSPACED
from guardrail.checks.text.normalise import View
from guardrail.checks.text.sieve import Parts

__all__ = ["TokenText", "is_unspaced", "tokens_of", "words_of"]

_TOKEN = re.compile(
    rf"[^\W_{UNSPACED}{INDIC}]+|[{UNSPACED}]+|[{INDIC}]+|[,;:!?()\[\]|，。；：！？、]|(?<=\w{{4}})\.(?=\s|$)"
)
_UNSPACED = re.compile(f"[{UNSPACED}]")
_IN_PARTS = re.compile(f"[{UNSPACED}{INDIC}]")


class TokenText:
    """The tokens of a view, joined with single spaces, with a map back to the view."""

    def __init__(self, view: View) -> None:
        self.view = view
        words: list[str] = []
        spans: list[tuple[int, int]] = []
        for match in _TOKEN.finditer(view.text):
            token = match[0]
            # All that can follow a word character here are letters, digits and marks.
            words.append(token if token.isalnum() or len(token) > 1 else ",")
            spans.append(match.span())
        self.words = words
        self.spans = spans
        self.joined = " ".join(words)
        self.unspaced = not view.text.isascii() and _UNSPACED.search(view.text) is not None
        # Where each word begins in `joined`.
        self.starts = list(itertools.accumulate((len(w) + 1 for w in words), initial=0))[:-1]

    @cached_property
    def pairs(self) -> list[str]:
        """Each word with the next one."""
        return [f"{a} {b}" for a, b in itertools.pairwise(self.words)]

    @cached_property
    def glued(self) -> list[str]:
        """Each two and each three words as one."""
        two = list(map(add, self.words, self.words[1:]))
        return [*two, *map(add, two, self.words[2:])]

    @cached_property
    def by_word(self) -> Parts:
        """What patterns over words look up."""
        return Parts(f" {self.joined} ", self.words)

    @cached_property
    def by_character(self) -> Parts:
        """What patterns over characters look up."""
        return Parts(self.view.text)

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Range in the original text behind ``joined[start:end]``."""
        first = bisect.bisect_right(self.starts, start) - 1
        last = bisect.bisect_left(self.starts, end) - 1
        inner = start - self.starts[first]
        left = self.spans[first][0] + min(inner, self.spans[first][1] - self.spans[first][0] - 1)
        tail = end - self.starts[last]
        right = min(self.spans[last][0] + tail, self.spans[last][1])
        return self.view.original(left, max(right, left + 1))


@lru_cache(maxsize=32)
def tokens_of(view: View) -> TokenText:
    """The tokens of `view`, made once for all checks that ask."""
    return TokenText(view)


def is_unspaced(text: str) -> bool:
    return _UNSPACED.search(text) is not None


def words_of(text: str) -> list[str]:
    """The tokens of a term, which is read as texts are read."""
    if text.replace(" ", "").isalnum() and not _IN_PARTS.search(text):
        return text.split()
    return [m[0] for m in _TOKEN.finditer(text)]
