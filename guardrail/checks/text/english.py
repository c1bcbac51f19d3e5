"""English words with how common they are: what disguised words are read back to.

The words are those of the prompt encoder's vocabulary, which stands in the order of how often they were seen (BERT's,
Apache-2.0), with those of the lists. Explicit words count as common: in what somebody took the trouble to disguise,
they are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from guardrail.checks.text.wordlists import common_words, listed_words, name_words
from guardrail.weights import read

__all__ = ["cost", "english", "is_english"]

# Of one or two letters the vocabulary has everything.
_SHORT = tuple(
    "a i an as at be by do go he hi if in is it me my no of on or so to up us we am ok".split()  # noqa: SIM905
)
# Where the words of the lists stand among the others, and those that only captions and names have.
_LISTED_RANK, _CAPTIONS_RANK, _NAMES_RANK = 3_000, 9_000, 14_000
# How much further down a form stands than its word.
_FORM = 4_000


@lru_cache(maxsize=1)
def english() -> Mapping[str, int]:
    """Rank by word: 0 is the most common one."""
    vocabulary = json.loads(read("prompt-classifier"))["vocabulary"]
    words = [w for w in vocabulary if len(w) >= 3 and w.isascii() and w.isalpha()]
    ranks: dict[str, int] = {}
    for rank, word in enumerate((*_SHORT, *words)):
        ranks.setdefault(word, rank)
    for word in sorted(common_words()):
        if len(word) >= 3:
            ranks.setdefault(word, _CAPTIONS_RANK)
    for word, rank in list(ranks.items()):
        if len(word) >= 4 and rank < _CAPTIONS_RANK:
            for form in _forms(word):
                ranks.setdefault(form, rank + _FORM)
    for word in sorted(name_words()):
        ranks.setdefault(word, _NAMES_RANK)
    for word in sorted(listed_words()):
        ranks[word] = min(ranks.get(word, _LISTED_RANK), _LISTED_RANK)
    return MappingProxyType(ranks)


def _forms(word: str) -> Iterator[str]:
    stem = word[:-1] if word.endswith("e") else word
    yield word + "s"
    yield stem + "ing"
    yield stem + "ed"


def is_english(word: str) -> bool:
    """Whether `word`, in lower case, is a word."""
    return word in english()


def cost(rank: int) -> float:
    """How unlikely a word of that rank is, in nats, by Zipf's law."""
    return math.log((rank + 10) * 10.0)
