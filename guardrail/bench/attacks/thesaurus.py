"""The thesaurus of the family ``synonyms``: English words of pictures that stand for each other.

`synonyms.txt`, one group a line, was written for this project out of its author's own vocabulary: dictionary words
only, no slang and no code words, of which a list would be a recipe. ``python benchmarks/thesaurus.py`` puts the file
into order after a change and refuses what is wrong in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

__all__ = ["FILE", "ordered", "synonyms"]

FILE = Path(__file__).with_name("synonyms.txt")
_WORD = re.compile(r"[a-z]+(-[a-z]+)*")


def ordered(text: str) -> str:
    """The groups in order: words of a group by the alphabet, groups by their first word; lines with # first.

    Raises:
        ValueError: a word is written in another way than in small letters, stands in two groups, or is alone.
    """
    notes = [line for line in text.splitlines() if line.startswith("#")]
    groups = [sorted(line.split()) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    seen: set[str] = set()
    for group in groups:
        if len(group) < 2:
            raise ValueError(f"{' '.join(group)!r} is alone: a group has two words or more")
        for word in group:
            if not _WORD.fullmatch(word):
                raise ValueError(f"{word!r}: write words in small letters, with hyphens if need be")
            if word in seen:
                raise ValueError(f"{word!r} stands twice: it would have two meanings")
            seen.add(word)
    return "\n".join([*notes, *map(" ".join, sorted(groups))]) + "\n"


@cache
def synonyms() -> Mapping[str, tuple[str, ...]]:
    """For each word those that it can be replaced by, in the order of the file."""
    made: dict[str, tuple[str, ...]] = {}
    for line in FILE.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            group = line.split()
            made |= {word: tuple(other for other in group if other != word) for word in group}
    return MappingProxyType(made)
