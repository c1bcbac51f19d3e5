"""Which of hundreds of patterns a text has anchors for, found with a few look-ups."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from operator import add

__all__ = ["Parts", "Sieve"]

# How many letters of the beginning of a word are looked up.
_HEAD = 3
# Strings with the patterns that need them, by something that stands in each of the strings.
_Index = dict[str, list[tuple[str, list[int]]]]


class Parts:
    """What a `Sieve` looks up of a text.

    Args:
        text: for patterns over words, the words with single spaces between, before and after them.
        words: the words, or nothing for patterns over characters.
    """

    __slots__ = ("bare", "heads", "opened", "pairs", "text", "words")

    def __init__(self, text: str, words: Iterable[str] = ()) -> None:
        self.text = text
        self.opened = text[:-1]
        self.bare = text[1:-1]
        self.words = frozenset(words)
        self.heads = frozenset([w[:_HEAD] for w in self.words])
        self.pairs = frozenset(() if self.words else itertools.chain(text, map(add, text, text[1:])))


class Sieve:
    """Which of many patterns a text has anchors for.

    Args:
        needed: the anchors of each pattern; ``None`` for one that is always run.
        words: whether they are looked for between whole words.
    """

    def __init__(self, needed: Iterable[frozenset[str] | None], *, words: bool) -> None:
        self._always: list[int] = []
        users: dict[str, list[int]] = {}
        for i, strings in enumerate(needed):
            if strings is None:
                self._always.append(i)
            for string in strings or ():
                users.setdefault(string, []).append(i)
        # By a word, by how a word begins or by a pair of characters that the text must have; the rest is looked for.
        self._words: _Index = {}
        self._heads: _Index = {}
        self._pairs: _Index = {}
        self._rest: list[tuple[str, list[int]]] = []
        for string, indices in users.items():
            if not words:
                self._pairs.setdefault(_rarest_pair(string), []).append((string, indices))
                continue
            _, *whole, last = string.split(" ") if " " in string else ("", string)
            longest = max(whole, key=len, default="")
            if longest:
                # Such a word is all there is to find.
                rest = "" if len(longest) + 2 == len(string) else string
                self._words.setdefault(longest, []).append((rest, indices))
            elif " " in string and len(last) >= _HEAD:
                self._heads.setdefault(last[:_HEAD], []).append((string, indices))
            else:
                self._rest.append((string, indices))

    def passed(self, parts: Parts) -> list[int]:
        """The patterns that may match in a text, in their order."""
        text = parts.text
        found = set(self._always)
        for index, present in ((self._words, parts.words), (self._heads, parts.heads), (self._pairs, parts.pairs)):
            if index:
                for key in index.keys() & present:
                    for string, users in index[key]:
                        if string in text:
                            found.update(users)
        for string, users in self._rest:
            if string in text:
                found.update(users)
        return sorted(found)


def _rarest_pair(string: str) -> str:
    """Two neighbours in `string`, or all of it where it is no longer."""
    # Han and Hangul tell more than kana, Thai and Latin, and all of them more than a space.
    pairs = [string[i : i + 2] for i in range(len(string) - 1)]
    return max(pairs, key=lambda p: (" " not in p, sum(c > "\u30ff" for c in p)), default=string)
