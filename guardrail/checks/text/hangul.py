"""Hangul taken apart and put together: compatibility letters (ㄴㅏㅊㅔ) back to syllables (나체).

Syllable arithmetic as in the Unicode Standard, section 3.12: syllable = 0xAC00 + (lead × 21 + vowel) × 28 + tail.
"""

from __future__ import annotations

__all__ = ["compose_jamo", "has_jamo"]

_LEADS = {c: i for i, c in enumerate("ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ")}
_VOWELS = {c: i for i, c in enumerate("ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ")}
_TAILS = {c: i + 1 for i, c in enumerate("ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")}
# NFKC turns compatibility letters into conjoining ones (U+1100 …); both are read.
_CONJOINING = (
    {chr(0x1100 + i): c for c, i in _LEADS.items()}
    | {chr(0x1161 + i): c for c, i in _VOWELS.items()}
    | {chr(0x11A7 + i): c for c, i in _TAILS.items()}
)


def has_jamo(text: str) -> bool:
    """True where at least one lone vowel letter stands in the text: without it nothing can be composed."""
    return any(c in _VOWELS or c in _CONJOINING for c in text)


def compose_jamo(text: str) -> tuple[str, list[int]]:
    """Compose runs of letters; a syllable without a tail takes a following lone consonant.

    Returns:
        The composed text, and for each of its characters the index of the first character that it came from.
    """
    letters = [_CONJOINING.get(c, c) for c in text]
    out: list[str] = []
    origin: list[int] = []
    i = 0
    while i < len(letters):
        c = letters[i]
        start = i
        vowel = letters[i + 1] if i + 1 < len(letters) else ""
        if c in _LEADS and vowel in _VOWELS:
            code = 0xAC00 + (_LEADS[c] * 21 + _VOWELS[vowel]) * 28
            i += 2
        elif "\uac00" <= c <= "\ud7a3" and (ord(c) - 0xAC00) % 28 == 0:
            code = ord(c)
            i += 1
        else:
            out.append(c)
            origin.append(start)
            i += 1
            continue
        tail = letters[i] if i < len(letters) else ""
        after = letters[i + 1] if i + 1 < len(letters) else ""
        # A consonant before a vowel begins the next syllable.
        if tail in _TAILS and after not in _VOWELS:
            code += _TAILS[tail]
            i += 1
        out.append(chr(code))
        origin.append(start)
    return "".join(out), origin
