"""The phrase around words that a sentence would not be found without.

A listed word is sexual by itself; these are not: "woman without clothes" is found for "without" as well as for
"clothes". To take out the one word alone would leave half a thought, and a way to say the same. What goes is the phrase
that it stands in; in languages whose phrases cannot be told by small words, all between two commas.
"""

from __future__ import annotations

import re

from guardrail.actions.wording.closed import Closed

__all__ = ["phrase_around"]

# A colon before a weight ends the words; a point in a number ends nothing.
_SEPARATOR = re.compile(r"[,;:|\n!?。，、،؛()\[\]{}<>]|\.(?!\d)")
_WORD = re.compile(r"[\w'’-]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# They join what belongs together: "a stitch of clothing", "about to undress", "her skin is bare".
_WITHIN = _words(
    "of to than so is are was were de del do da du des d di della von vom der die das zum zur "
    "está están é est ist è का की के"
)
_OPENERS = _words("without sin sem sans ohne senza без tanpa không بدون wearing llevando vestindo portant")
# Adnominal endings, by the last consonant of the syllable: -ㄴ and -ㄹ.
_ADNOMINAL = (4, 8)
_NO_VERB = re.compile(
    r"(?:(?:some|any|every|no)?thing|evening|morning|king|ring|wing|string|spring|ceiling|building|painting|drawing|"
    r"lighting|clothing|wedding|stocking|earring|swing|dressing|pudding|sibling)$"
)
_DOING = re.compile(r"\w{2,}ing$")


def phrase_around(text: str, start: int, end: int, closed: Closed | None, language: str) -> tuple[int, int]:
    """The half-open range that goes when ``text[start:end]`` has to go; it always holds that range.

    Args:
        closed: the small words of the language; ``None`` for those without spaces to go by.
        language: two letters.
    """
    first, last = _element(text, start, end)
    if language == "ko":
        return first, _korean_end(text, end, last)
    if closed is None or language in ("tr", "hi"):
        # What qualifies a noun there comes before it, and what it is follows.
        return first, last
    words = list(_WORD.finditer(text, first, last))
    opens = [_opens(m[0].lower(), closed, language) for m in words]
    # "With nothing on": a preposition with nothing behind it ends a phrase.
    opening = [m.start() for m, this, then in zip(words, opens, [*opens[1:], True], strict=False) if this and not then]
    begin = max((at for at in opening if at <= start), default=first)
    stop = min((at for at in opening if at >= end), default=last)
    if begin > first:
        return begin, len(text[:stop].rstrip())
    # The head of the element: a quality can go alone; without its noun nothing of it can stay.
    small = closed.before | closed.after | closed.joins | closed.adverbs | closed.pronouns | closed.commands | _WITHIN
    following = next((m[0].lower() in small for m in words if m.start() >= end), True)
    noun_before = language != "en" and any(m[0].lower() not in small for m in words if m.end() <= start)
    return (start, end) if noun_before or not following else (first, last)


def _element(text: str, start: int, end: int) -> tuple[int, int]:
    """From comma to comma, without the spaces at the ends."""
    first = max((m.end() for m in _SEPARATOR.finditer(text, 0, start)), default=0)
    found = _SEPARATOR.search(text, end)
    last = found.start() if found else len(text)
    while first < start and text[first].isspace():
        first += 1
    while last > end and text[last - 1].isspace():
        last -= 1
    return first, last


def _opens(word: str, closed: Closed, language: str) -> bool:
    """Whether a phrase begins with it: a preposition, "who", "and", "wearing"."""
    if word in _WITHIN:
        return False
    return word in closed.after or word in closed.joins or word in _OPENERS or (language == "en" and _does(word))


def _does(word: str) -> bool:
    return _DOING.match(word) is not None and _NO_VERB.match(word) is None


def _korean_end(text: str, end: int, last: int) -> int:
    """Up to the verb that says of the noun behind it what is to go: "…걸치지 않은" of "여자"."""
    for word in re.finditer(r"\S+", text[:last]):
        syllable = word[0][-1]
        if not (end <= word.end() < last and "가" <= syllable <= "힣"):
            continue
        if syllable == "는" or (ord(syllable) - 0xAC00) % 28 in _ADNOMINAL:
            return word.end()
    return last
