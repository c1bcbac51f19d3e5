"""Surnames: where one may begin, and what speaks for it."""

from __future__ import annotations

import re

from guardrail.checks.text.cue_sentence import Sentence
from guardrail.checks.text.wordlists import common_words

__all__ = ["surname_at", "surname_shape"]

_SUFFIX_VERB = re.compile(r"(?:ing|ly|ed|ness|tion|ous|ful|less|able|ist|ism)$")
# Endings that only surnames have: Kovačević, Tkachenko, Kapanadze, Papadopoulos, Svensson.
_SURNAME_END = re.compile(
    r"\w{2}(?:ovic|evic|kovic|enko|chuk|czyk|wski|wska|vskiy|nsky|ska|shvili|adze|ntyan|osyan|ryan|opoulos|akis|sson|dottir|"
    r"escu|oglu|[lnrstkmdbz]ov|[lnrstkmdbz]ova|[lnrstkm]yev|eyeva|aitis|iene|zadeh|nejad|uddin)$"
)


def surname_at(sentence: Sentence, j: int) -> tuple[int, str]:
    """Where the surname that may begin here ends, and what speaks for it."""
    words = sentence.words
    middle = 0
    while middle < 3 and _inside(sentence, j):
        j += 1
        middle += 1
    if middle and j < len(words) and words[j] in sentence.cues.between | {","}:
        return j, ""
    shape = surname_shape(sentence, j)
    if not middle and shape in ("", "unknown", "capital", "known") and j < len(words):
        # A second first name: "maria jose garcia", "Anna Lena Berg".
        if words[j] in sentence.lists.given or shape == "known":
            further = surname_shape(sentence, j + 1)
            if (
                further in ("known", "capital")
                and (further == "known" or sentence.upper[j])
                and not sentence.plain(j + 1)
            ):
                return j + 2, further
        if words[j] in sentence.lists.given:
            return j + 1, "known"
    elif (
        middle
        and shape == "unknown"
        and words[j - 1] in sentence.cues.between
        and words[j - 1] not in ("mc", "von", "van", "bin")
    ):
        shape = ""
    return (j + 1, shape) if shape else (j, "")


def _inside(sentence: Sentence, j: int) -> bool:
    """Whether this word stands between first name and surname: "john f kennedy", "theo van den berg"."""
    words = sentence.words
    if j >= len(words):
        return False
    if len(words[j]) == 1 and words[j].isalpha() and words[j] not in "sax":
        return True
    return words[j] in sentence.cues.between and words[j + 1 : j + 2] not in ([], [","])


def surname_shape(sentence: Sentence, j: int) -> str:
    if j >= len(sentence.words):
        return ""
    word = sentence.words[j]
    cues, capital, plain_word = sentence.cues, sentence.capital(j), word in common_words()
    surname = word in sentence.lists.surnames or (not plain_word and _SURNAME_END.search(word) is not None)
    if word in sentence.lists.places or word in cues.glue or len(word) < 2 or not (word.isascii() and word.isalpha()):
        return "known" if surname and capital else ""
    if surname:
        return "known" if capital or not plain_word or sentence.ends(j) else ""
    if capital:
        return "ordinary" if plain_word else "capital"
    if plain_word or len(word) < 4 or word in cues.no_names or word in cues.doing or word in cues.placed:
        return ""
    return "" if _SUFFIX_VERB.search(word) else "unknown"
