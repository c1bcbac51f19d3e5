"""First names: with a surname, alone, doubtful ones that are words too, and unknown ones."""

from __future__ import annotations

import re

from guardrail.checks.text.cue_sentence import Sentence
from guardrail.checks.text.cue_surnames import surname_at, surname_shape
from guardrail.checks.text.cue_words import BARE, CUED, FULL, SHAPED
from guardrail.checks.text.wordlists import common_words

__all__ = ["doubtful", "listed", "unknown"]

# Endings of professions and of other words that describe: "Software Engineer" is nobody.
_WORDLIKE = re.compile(
    r"(?:ers?|ors?|ists?|ians?|ants?|ents?|eers?|man|men|yst|ress|ive|ary|ics?|al|ate|ion|ing|ic|ty|ous|ful|less|ness|"
    r"ment|ism|ble|ship|ogy|ure|ware|work|ed|ly|age|hood|punk|core)$"
)


def listed(sentence: Sentence, i: int) -> tuple[int, float]:
    """A first name that is one wherever a surname follows."""
    last, shape = surname_at(sentence, i + 1)
    cue = sentence.near(i, last)
    if shape == "known":
        return last, FULL if cue else CUED
    if shape == "capital":
        return last, CUED
    if shape == "ordinary" and sentence.capital(i):
        return last, SHAPED
    if shape == "unknown" and (cue or sentence.acting(last)):
        return last, SHAPED if cue else BARE
    return (last if shape == "unknown" else i + 1), _alone(sentence, i, sentence.words[i] in sentence.lists.given)


def doubtful(sentence: Sentence, i: int) -> tuple[int, float]:
    """A first name that is a word, a month, a place or a character too."""
    last, shape = surname_at(sentence, i + 1)
    cue, capital = sentence.near(i, last), sentence.capital(i)
    if shape == "known":
        both = capital and sentence.upper[last - 1]
        if both and cue:
            return last, CUED
        if sentence.ordinary(last - 1):
            return last, 0.0
        return last, SHAPED if both else BARE if cue else 0.0
    if shape == "capital" and capital:
        return last, BARE if cue and not _WORDLIKE.search(sentence.words[last - 1]) else 0.0
    if shape == "ordinary" and capital and not _WORDLIKE.search(sentence.words[last - 1]):
        return last, BARE if cue and sentence.asked(i) else 0.0
    return i + 1, _alone(sentence, i, False)


def _alone(sentence: Sentence, i: int, given: bool) -> float:
    """A first name with no surname."""
    if i + 1 < len(sentence.words) and sentence.words[i + 1] in sentence.lists.places:
        return 0.0
    before = sentence.words[i - 1] if i else ""
    titled = before in sentence.cues.titles
    if not given:
        return BARE if titled and sentence.telling and sentence.upper[i] else 0.0
    if titled or sentence.asked(i):
        return SHAPED
    if before not in ("", ",", "and", "to", "with", "for"):
        return 0.0
    after = sentence.words[i + 1 : i + 3]
    if after[:1] == ["s"] and after[1:] and after[1] in ("body", "face", "breasts", "naked", "nude", "nudes", "selfie"):
        return SHAPED
    return BARE if after and (after[0] in sentence.cues.doing or after[0] in sentence.cues.placed) else 0.0


def unknown(sentence: Sentence, i: int) -> tuple[int, float] | None:
    """A first name that is on no list, by its surname or its capitals."""
    word, words = sentence.words[i], sentence.words
    if word in common_words() or word in sentence.cues.no_names or word in sentence.lists.places or not word.isascii():
        return None
    if i + 1 >= len(words) or len(word) < 3:
        return None
    titled = i > 0 and words[i - 1] in sentence.cues.addresses
    if titled and sentence.capital(i) and word in sentence.lists.surnames:
        return i + 1, CUED
    wordlike = _WORDLIKE.search(word) is not None
    last, match = _with_unknown(sentence, i, wordlike)
    if match:
        return last, match
    if titled and sentence.capital(i) and (words[i - 1] in sentence.cues.surely_addresses or not wordlike):
        return i + 1, BARE
    return None


def _with_unknown(sentence: Sentence, i: int, wordlike: bool) -> tuple[int, float]:
    """What the word after an unknown one says about it."""
    words = sentence.words
    last, shape = surname_at(sentence, i + 1)
    if last != i + 2:
        last, shape = i + 2, surname_shape(sentence, i + 1)
    both = sentence.capital(i) and sentence.upper[i + 1]
    after_wordlike = _WORDLIKE.search(words[i + 1]) is not None
    if shape == "known" and words[i] not in sentence.cues.doing:
        ordinary, cue = sentence.ordinary(i + 1), sentence.near(i, last)
        if both and not (wordlike and after_wordlike):
            return last, CUED if cue and not ordinary else BARE if cue or not ordinary else 0.0
        if not ordinary and not wordlike and sentence.asked(i):
            return last, BARE
    # "Radio Host Weekly" is a title.
    if shape == "capital" and both and not wordlike and not after_wordlike and not any(sentence.upper[last : last + 1]):
        worn = words[last : last + 1] and words[last] in sentence.cues.wearing
        if worn or (sentence.asked(i) and sentence.person_picture(i)):
            return last, SHAPED
    return last, 0.0
