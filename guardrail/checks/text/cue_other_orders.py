"""Names written in another order or script than English ones: romanised Korean and Chinese, Cyrillic, Arabic and
Devanagari."""

from __future__ import annotations

import re
from collections.abc import Sequence

from guardrail.checks.text.cue_sentence import Sentence
from guardrail.checks.text.cue_words import CUED, FULL, SHAPED
from guardrail.checks.text.wordlists import common_words

__all__ = ["native", "romanised"]

_SLAVIC_SURNAME = re.compile(
    r"(?:ова?|ева?|ёва?|ина?|ын|ына|ская|ский|ской|енко|чук|ук|юк|ян|дзе|швили|ич)(?:а|у|ой|ым|ы)?$"
)


def romanised(sentence: Sentence, i: int) -> tuple[int, float] | None:
    """Romanised Korean and Chinese names: a surname and one or two syllables, in either order."""
    words, lists = sentence.words, sentence.lists
    for surnames, syllables in (
        (sentence.cues.korean_surnames, lists.korean),
        (sentence.cues.pinyin_surnames, lists.pinyin),
    ):
        for at, parts in ((i, (i + 1, i + 2)), (i + 1, (i,)), (i + 2, (i, i + 1))):
            if at >= len(words) or parts[0] >= len(words) or words[at] not in surnames:
                continue
            name = [words[p] for p in parts if p < len(words)]
            last = max(at, parts[0] + len(name) - 1) + 1
            if len(name) == 2 and at == i and not _built(name, syllables, 2):
                name, last = name[:1], i + 2
            if len(name) < len(parts) and at > i:
                continue
            if not _built(name, syllables, len(name)) or "".join(name) in common_words():
                continue
            if any(w in common_words() or w in lists.places for w in name) and not all(sentence.upper[i:last]):
                continue
            joined = "".join(name)
            capitals = sentence.telling and all(sentence.upper[i : last : max(1, last - i - 1)])
            if len(joined) < 5 and not capitals:
                continue
            if any(w in sentence.cues.no_names for w in name):
                continue
            cue = sentence.near(i, last)
            worded = words[at] in common_words() or words[at] in sentence.cues.word_surnames
            if (cue and not (worded and len(joined) < 6 and len(name) == 1)) or capitals:
                return last, FULL if cue and capitals else CUED if capitals else SHAPED
    return None


def native(sentence: Sentence, i: int) -> tuple[int, float]:
    """First names in Cyrillic, Arabic and Devanagari with a surname behind them."""
    after = sentence.words[i + 1] if i + 1 < len(sentence.words) else ","
    if after != "," and (_SLAVIC_SURNAME.search(after) or "\u0600" <= after[0] <= "\u0dff") and len(after) > 2:
        return i + 2, CUED
    return i + 1, SHAPED if i and sentence.words[i - 1] in sentence.cues.native_cues else 0.0


def _built(parts: Sequence[str], syllables: re.Pattern[str], most: int) -> bool:
    """Whether the parts are syllables: one each, or two written together."""
    if len(parts) == 2:
        return most == 2 and all(2 <= len(p) <= 6 and syllables.fullmatch(p) for p in parts)
    return len(parts[0]) >= 3 and syllables.fullmatch(parts[0]) is not None
