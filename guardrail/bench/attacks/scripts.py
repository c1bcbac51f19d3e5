"""Letters of one script written with those of another."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from random import Random

__all__ = ["jamo", "romanise", "romanise_cyrillic", "romanise_kana"]


_LEADS = re.split(" ", "g kk n d tt r m b pp s ss  j jj ch k t p h")
_MIDDLES = re.split(" ", "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i")
_TAILS = re.split(" ", " k k k n n n t l k m l l l p l m p p t t ng t t k t p t")


def _syllable(c: str) -> tuple[int, int, int] | None:
    at = ord(c) - 0xAC00
    return (at // 588, at // 28 % 21, at % 28) if 0 <= at < 11172 else None


def _map(text: str, change: Callable[[tuple[int, int, int]], Iterable[str]]) -> str:
    parts = ((c, _syllable(c)) for c in text)
    return "".join("".join(change(s)) if s is not None else c for c, s in parts)


def jamo(text: str, rng: Random) -> str:
    """Hangul syllables taken apart into the letters of the keyboard."""
    leads, tails = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ", " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
    return _map(text, lambda s: (leads[s[0]], chr(0x314F + s[1]), tails[s[2]] if s[2] else ""))


def romanise(text: str, rng: Random) -> str:
    """Hangul in Latin letters, syllable by syllable, by the table of the Revised Romanisation of Korean."""
    return _map(text, lambda s: (_LEADS[s[0]], _MIDDLES[s[1]], _TAILS[s[2]]))


# GOST 7.79-2000 (B) without its accents.
_CYRILLIC = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        re.split(" ", "a b v g d e yo zh z i j k l m n o p r s t u f h c ch sh shh  y  e yu ya"),
        strict=True,
    )
)


def romanise_cyrillic(text: str, rng: Random) -> str:
    """Russian letters in Latin ones."""

    def change(c: str) -> str:
        latin = _CYRILLIC.get(c.lower())
        return c if latin is None else latin.capitalize() if c.isupper() else latin

    return "".join(map(change, text))


def romanise_kana(text: str, rng: Random) -> str:
    """Hiragana and Katakana in Latin letters, sign by sign, as their names in Unicode spell them; Kanji stay."""

    def change(c: str) -> str:
        if not "\u3041" <= c <= "\u30fa":
            return c
        name = unicodedata.name(c, "")
        _, letter, sound = name.rpartition(" LETTER ")
        return sound.rpartition(" ")[2].lower() if letter else c

    return "".join(map(change, text))
