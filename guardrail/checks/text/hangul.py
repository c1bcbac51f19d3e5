"""Hangul taken apart and put together: compatibility letters (ㄴㅏㅊㅔ) back to syllables (나체).

Syllable arithmetic as in the Unicode Standard, section 3.12: syllable = 0xAC00 + (lead × 21 + vowel) × 28 + tail.
"""

from __future__ import annotations

import re

__all__ = ["COMPATIBILITY", "compose_jamo", "has_jamo"]

_LEADS = {c: i for i, c in enumerate("ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ")}
_VOWELS = {c: i for i, c in enumerate("ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ")}
_TAILS = {c: i + 1 for i, c in enumerate("ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")}
# NFKC turns compatibility letters into conjoining ones (U+1100 …); this turns them back.
COMPATIBILITY = (
    {chr(0x1100 + i): c for c, i in _LEADS.items()}
    | {chr(0x1161 + i): c for c, i in _VOWELS.items()}
    | {chr(0x11A7 + i): c for c, i in _TAILS.items()}
)
# Compound letters as they are typed: two keys for one letter.
_TWO_VOWELS = dict(zip(("ㅗㅏ", "ㅗㅐ", "ㅗㅣ", "ㅜㅓ", "ㅜㅔ", "ㅜㅣ", "ㅡㅣ"), "ㅘㅙㅚㅝㅞㅟㅢ", strict=True))
_TWO_TAILS = {
    **dict(zip(("ㄱㅅ", "ㄴㅈ", "ㄴㅎ", "ㅂㅅ"), "ㄳㄵㄶㅄ", strict=True)),
    **dict(zip(("ㄹㄱ", "ㄹㅁ", "ㄹㅂ", "ㄹㅅ", "ㄹㅌ", "ㄹㅍ", "ㄹㅎ"), "ㄺㄻㄼㄽㄾㄿㅀ", strict=True)),
}
_VOWEL = re.compile("[ㅏ-ㅣ]")


def has_jamo(text: str) -> bool:
    """True where at least one lone vowel letter stands in the text: without it nothing can be composed."""
    return _VOWEL.search(text) is not None


def compose_jamo(text: str) -> tuple[str, list[int]]:
    """Compose runs of letters; a syllable without a tail takes a following lone consonant.

    Returns:
        The composed text, and for each of its characters the index of the first character that it came from.
    """
    out: list[str] = []
    origin: list[int] = []
    i = 0
    while i < len(text):
        c = text[i]
        start = i
        if c in _LEADS and text[i + 1 : i + 2] in _VOWELS:
            vowel, used = _pair(text, i + 1, _TWO_VOWELS)
            code = 0xAC00 + (_LEADS[c] * 21 + _VOWELS[vowel]) * 28
            i += 1 + used
        elif "\uac00" <= c <= "\ud7a3" and (ord(c) - 0xAC00) % 28 == 0:
            code = ord(c)
            i += 1
        else:
            out.append(c)
            origin.append(start)
            i += 1
            continue
        # A consonant before a vowel begins the next syllable, and one that is repeated is laughter (ㅋㅋ), no tail,
        # unless a vowel follows (ㅅㅜㅇㅇㅣ).
        tail, used = _pair(text, i, _TWO_TAILS)
        if used == 2 and text[i + 2 : i + 3] in _VOWELS:
            tail, used = text[i], 1
        after = text[i + used : i + used + 1]
        laughter = after == tail and text[i + used + 1 : i + used + 2] not in _VOWELS
        if tail in _TAILS and after not in _VOWELS and not laughter:
            code += _TAILS[tail]
            i += used
        out.append(chr(code))
        origin.append(start)
    return "".join(out), origin


def _pair(text: str, at: int, pairs: dict[str, str]) -> tuple[str, int]:
    """The letter at `at` and how many characters it takes: two where they are typed as a compound."""
    compound = pairs.get(text[at : at + 2])
    return (compound, 2) if compound else (text[at : at + 1], 1)
