"""The patterns of word lists, of which a text is matched against those that it has anchors for.

A pattern is compiled when a text first has an anchor of it, and the anchors are read when the first text comes.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from guardrail.checks.text.anchors import anchors
from guardrail.checks.text.sieve import Parts, Sieve

__all__ = ["Patterns"]

_SET = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_PLAIN = r"[^ ()|\\\[\].^$?*+{}][^()|\\\[\].^$?*+{}]*"
# What may tell the beginning of a text from a space there: all that looks behind but for plain text that does not begin
# with a space.
_LOOKS_BEHIND = re.compile(rf"\^|\\[ABb]|\(\?<[!=](?!{_PLAIN}(?:\|{_PLAIN})*\))")


class Patterns:
    """Regular expressions with their places in a list.

    Args:
        sources: none of them matches the empty string.
        words: whether they match whole words with single spaces between them; otherwise they match anywhere.
    """

    def __init__(self, sources: Sequence[str], *, words: bool) -> None:
        self._sources = sources
        self._words = words
        self._compiled: list[tuple[re.Pattern[str], int] | None] = [None] * len(sources)

    def __len__(self) -> int:
        return len(self._sources)

    @cached_property
    def _sieve(self) -> Sieve:
        return Sieve((anchors(source, words=self._words) for source in self._sources), words=self._words)

    def matches(self, parts: Parts) -> Iterator[tuple[int, int, int]]:
        """(place of the pattern, start, end) of all matches, pattern by pattern; start and end as in the text without
        the spaces around it."""
        for at in self._sieve.passed(parts):
            pattern, shift = self._ready(at)
            text = self._text(parts, shift)
            for match in pattern.finditer(text):
                start, end = match.span()
                yield at, start, end - shift

    def ranges(self, parts: Parts) -> Iterator[tuple[int, int]]:
        """(start, end) of what one pattern with all of them as alternatives matches: from left to right, the first in
        the list before the others, with no overlaps."""
        # For each pattern that may match, its next match.
        queue: list[tuple[int, int, int]] = []
        for at in self._sieve.passed(parts):
            self._search(parts, at, 0, queue)
        reached = 0
        while queue:
            start, at, end = heapq.heappop(queue)
            if start >= reached:
                yield start, end
                reached = max(end, start + 1)
            self._search(parts, at, reached, queue)

    def _search(self, parts: Parts, at: int, begin: int, queue: list[tuple[int, int, int]]) -> None:
        pattern, shift = self._ready(at)
        match = pattern.search(self._text(parts, shift), begin)
        if match is not None:
            heapq.heappush(queue, (match.start(), at, match.end() - shift))

    def _ready(self, at: int) -> tuple[re.Pattern[str], int]:
        """A pattern, and how many spaces it takes before the words."""
        ready = self._compiled[at]
        if ready is None:
            ready = self._compiled[at] = self._compile(self._sources[at])
        return ready

    def _compile(self, source: str) -> tuple[re.Pattern[str], int]:
        if not self._words:
            return re.compile(source), 0
        if _LOOKS_BEHIND.search(_SET.sub(".", source)):
            return re.compile(rf"(?<![^ ])(?:{source})(?![^ ])"), 0
        # To go from space to space is some five times faster than to look behind every character.
        return re.compile(rf" (?:{source})(?![^ ])"), 1

    def _text(self, parts: Parts, shift: int) -> str:
        if not self._words:
            return parts.text
        return parts.opened if shift else parts.bare

    def load(self) -> None:
        """Read and compile all of them now."""
        _ = self._sieve
        for at in range(len(self)):
            self._ready(at)
