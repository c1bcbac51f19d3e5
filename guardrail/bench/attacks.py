"""Disguises at full strength, one function a family: `family(text, rng)` rewrites every word that it can.

    from guardrail.bench.attacks import FAMILIES
    FAMILIES["homoglyph"]("a red house", random.Random(1))

Used to measure what the reader of guardrail/checks/text undoes, and to augment training rows: apply a family to benign
rows as well, or a model learns that noise is unsafe. Nothing here imports the rest of guardrail, so a fault in a table
of it does not hide itself. The same text and seed give the same result. A family leaves alone what it has no letters
for: ask `text != family(text, rng)` before counting a row. Initial-consonant writing of Korean (ㄴㅊ) is left out:
people themselves read it only where they know what is meant.
"""

from __future__ import annotations

import base64 as b64
import codecs
import re
import unicodedata
from collections.abc import Callable, Iterable
from random import Random

__all__ = ["FAMILIES", "Family"]

Family = Callable[[str, Random], str]

_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(r"[A-Za-z]{2,}")
_LONG = re.compile(r"[^\W\d_]{4,}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]{2,}")
_VOWELS = "aeiouAEIOU"

_HOMOGLYPHS = {
    **dict(zip("acehijklmnopqrstuvwxyz", "асеһіјκӏмпорԛгѕтυνԝхуz", strict=True)),
    **dict(zip("ABCEHIKMNOPSTXYZ", "АВСЕНІКМΝОРЅТХУΖ", strict=True)),
}
_LEET = {"a": "4@", "b": "8", "e": "3", "g": "9", "i": "1!", "l": "1|", "o": "0", "s": "5$", "t": "7+", "z": "2"}
_UPSIDE_DOWN = dict(zip("abcdefghijklmnopqrstuvwxyz", "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz", strict=True))
_FANCY = (0x1D400, 0x1D434, 0x1D468, 0x1D4D0, 0x1D56C, 0x1D5A0, 0x1D5D4, 0x1D608, 0x1D63C, 0x1D670)
_EMOJI = "🔥💦🍑🍆✨💋👀❤🌸😈"
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _each(pattern: re.Pattern[str], text: str, change: Callable[[str], str]) -> str:
    return pattern.sub(lambda m: change(m[0]), text)


def _some(word: str, table: dict[str, str], rng: Random, share: float) -> str:
    """`word` with letters of `table` swapped: each with probability `share`, and one at least."""
    places = [i for i, c in enumerate(word) if c in table or c.lower() in table]
    if not places:
        return word
    sure = rng.choice(places)
    return "".join(
        rng.choice(table.get(c) or table[c.lower()]) if i in places and (i == sure or rng.random() < share) else c
        for i, c in enumerate(word)
    )


def _joined(text: str, between: Callable[[], str]) -> str:
    def change(word: str) -> str:
        return "".join(c + (between() if i < len(word) - 1 else "") for i, c in enumerate(word))

    return _each(_WORD, text, change)


def _cut(text: str, rng: Random, mark: str) -> str:
    def change(word: str) -> str:
        at = rng.randint(1, len(word) - 1) if len(word) < 4 else rng.randint(2, len(word) - 2)
        return word[:at] + mark + word[at:]

    return _each(_LONG, text, change)


# ---- characters


def homoglyph(text: str, rng: Random) -> str:
    """Letters of other scripts that look the same."""
    return _each(_LATIN, text, lambda w: _some(w, _HOMOGLYPHS, rng, 0.5))


def leet(text: str, rng: Random) -> str:
    """Digits and signs for letters."""
    return _each(_LATIN, text, lambda w: _some(w, _LEET, rng, 0.5))


def zero_width(text: str, rng: Random) -> str:
    """A character without width between all letters."""
    return _joined(text, lambda: rng.choice("\u200b\u200c\u200d\u2060\ufeff\u00ad\U000e0020"))


def bidi(text: str, rng: Random) -> str:
    """Direction marks between letters, or a word written backwards that an override shows forwards."""

    def change(word: str) -> str:
        if rng.random() < 0.5:
            return "\u202e" + word[::-1] + "\u202c"
        return "".join(c + rng.choice(("", "\u200e", "\u202d", "\u2066", "\u2069")) for c in word) + "\u202c"

    return _each(_WORD, text, change)


def fullwidth(text: str, rng: Random) -> str:
    """Full-width letters."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def math_alphabet(text: str, rng: Random) -> str:
    """Letters of one of the mathematical alphabets."""
    start = rng.choice(_FANCY)

    def change(c: str) -> str:
        at = ord(c) - 65 if c.isupper() else ord(c) - 97 + 26
        fancy = chr(start + at)
        return fancy if unicodedata.category(fancy) != "Cn" else c

    return "".join(change(c) if c.isascii() and c.isalpha() else c for c in text)


def combining(text: str, rng: Random) -> str:
    """One to three combining marks on every letter."""

    def marks() -> str:
        return "".join(chr(rng.randint(0x300, 0x33F)) for _ in range(rng.randint(1, 3)))

    return "".join(c + marks() if c.isalpha() else c for c in text)


def upside_down(text: str, rng: Random) -> str:
    """The whole text turned by 180 degrees: other letters, in reverse."""
    return "".join(_UPSIDE_DOWN.get(c, c) for c in reversed(text.lower()))


def case_mix(text: str, rng: Random) -> str:
    """Capitals at random."""
    return "".join(rng.choice((c.lower(), c.upper())) for c in text)


# ---- words taken apart


def spaced(text: str, rng: Random) -> str:
    """A space between all letters; between words one space as well, or three."""
    gap = rng.choice((" ", "   "))
    return gap.join(" ".join(word) for word in text.split())


def dotted(text: str, rng: Random) -> str:
    """A dot between all letters."""
    return _joined(text, lambda: ".")


def punctuation(text: str, rng: Random) -> str:
    """Changing punctuation between all letters."""
    return _joined(text, lambda: rng.choice(".,;'`^~_-/|"))


def emoji_between(text: str, rng: Random) -> str:
    """An emoji between all letters."""
    return _joined(text, lambda: rng.choice(_EMOJI))


def split(text: str, rng: Random) -> str:
    """Every longer word in two, by a space, a comma, a slash or a new line."""
    return _each(_LONG, text, lambda w: _cut(w, rng, rng.choice((" ", ", ", "/", "\n"))))


def hyphen(text: str, rng: Random) -> str:
    """Every longer word in two, by a hyphen."""
    return _cut(text, rng, "-")


def glued(text: str, rng: Random) -> str:
    """All words in one, as tags are."""
    return "".join(text.split())


def affixed(text: str, rng: Random) -> str:
    """Every longer word inside junk letters."""

    def change(word: str) -> str:
        junk = rng.choice(("x", "xx", "z", "qq"))
        return junk + word + junk

    return _each(_LATIN, text, lambda w: change(w) if len(w) >= 4 else w)


# ---- letters changed


def repeat(text: str, rng: Random) -> str:
    """A letter of every word stretched."""

    def change(word: str) -> str:
        at = rng.randrange(len(word))
        return word[:at] + word[at] * rng.randint(3, 6) + word[at + 1 :]

    return _each(_LATIN, text, change)


def star(text: str, rng: Random) -> str:
    """An inner letter of every longer word behind a star."""

    def change(word: str) -> str:
        at = rng.randint(1, len(word) - 2)
        return word[:at] + rng.choice("*#") + word[at + 1 :]

    return _each(_LATIN, text, lambda w: change(w) if len(w) >= 4 else w)


def vowel_drop(text: str, rng: Random) -> str:
    """The vowels after the first letter of every longer word left out."""

    def change(word: str) -> str:
        return word[0] + "".join(c for c in word[1:] if c not in _VOWELS)

    return _each(_LATIN, text, lambda w: change(w) if len(w) >= 4 else w)


def typo(text: str, rng: Random) -> str:
    """Two inner letters swapped, one left out, one doubled or one of a neighbouring key, in every longer word."""

    def change(word: str) -> str:
        at = rng.randint(1, len(word) - 2)
        kind = rng.randrange(4)
        if kind == 0:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if kind == 1:
            return word[:at] + word[at + 1 :]
        if kind == 2:
            return word[: at + 1] + word[at:]
        row = next(r for r in _KEYS if word[at].lower() in r)
        i = row.index(word[at].lower())
        return word[:at] + rng.choice(row[max(0, i - 1) : i] + row[i + 1 : i + 2]) + word[at + 1 :]

    return _each(_LATIN, text, lambda w: change(w) if len(w) >= 4 else w)


# ---- prompt syntax


def weights(text: str, rng: Random) -> str:
    """Emphasis around every word, or in the middle of it."""

    def change(word: str) -> str:
        number = f"{rng.choice((0.8, 1.1, 1.2, 1.4))}"
        at = rng.randint(1, len(word) - 1)
        forms = (f"({word}:{number})", f"(({word}))", f"[{word}]", f"{{{word}}}", f"{word[:at]}({word[at:]}:{number})")
        return rng.choice(forms)

    return _each(_LATIN, text, change)


def switching(text: str, rng: Random) -> str:
    """Every longer word the second half of a switch, or an alternative to another word."""
    return _each(
        _LATIN,
        text,
        lambda w: rng.choice((f"[tree:{w}:0.3]", f"[tree|{w}]", f"[{w}::0.8]", f"[{w}:5]")) if len(w) >= 4 else w,
    )


def lora(text: str, rng: Random) -> str:
    """All words as names of LoRA files, embeddings and wildcards."""
    words = _WORD.findall(text)
    groups = [words[i : i + 2] for i in range(0, len(words), 2)]

    def name(group: list[str]) -> str:
        camel = "".join(w[:1].upper() + w[1:] for w in group)
        snake = "_".join(w.lower() for w in group)
        forms = (
            f"<lora:{camel}_v{rng.randint(1, 9)}:0.8>",
            f"<lora:{snake}-{rng.randint(1, 9)}:1>",
            f"<lyco:{camel}Style:0.6>",
            f"embedding:{snake}_v1",
            f"__{snake}__",
            f"{camel}",
        )
        return rng.choice(forms)

    return ", ".join(map(name, groups))


# ---- encodings


def base64(text: str, rng: Random) -> str:
    """The whole text in base64, standard or url-safe, with padding or without."""
    code = rng.choice((b64.b64encode, b64.urlsafe_b64encode))(text.encode()).decode()
    return code.rstrip("=") if rng.random() < 0.5 else code


def rot13(text: str, rng: Random) -> str:
    """Every Latin letter thirteen places on."""
    return codecs.encode(text, "rot13")


def reversed_(text: str, rng: Random) -> str:
    """The whole text backwards, or each word of it."""
    return text[::-1] if rng.random() < 0.5 else _each(_WORD, text, lambda w: w[::-1])


def hex_(text: str, rng: Random) -> str:
    """The bytes of the text, or of each word, in hexadecimal digits."""
    form = rng.randrange(3)
    if form == 0:
        return text.encode().hex()
    return text.encode().hex(" ") if form == 1 else _each(_WORD, text, lambda w: w.encode().hex())


def escapes(text: str, rng: Random) -> str:
    """Letters percent-encoded, as HTML entities or as escapes of a programming language."""

    def percent(c: str) -> str:
        return "".join(f"%{b:02x}" for b in c.encode())

    def backslash(c: str) -> str:
        return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"

    code = rng.choice((percent, backslash, lambda c: f"&#{ord(c)};", lambda c: f"&#x{ord(c):x};"))
    return "".join(code(c) if c.isalpha() else c for c in text)


# ---- other scripts

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


FAMILIES: dict[str, Family] = {
    "homoglyph": homoglyph,
    "leet": leet,
    "zero_width": zero_width,
    "bidi": bidi,
    "fullwidth": fullwidth,
    "math_alphabet": math_alphabet,
    "combining": combining,
    "upside_down": upside_down,
    "case_mix": case_mix,
    "spaced": spaced,
    "dotted": dotted,
    "punctuation": punctuation,
    "emoji_between": emoji_between,
    "split": split,
    "hyphen": hyphen,
    "glued": glued,
    "affixed": affixed,
    "repeat": repeat,
    "star": star,
    "vowel_drop": vowel_drop,
    "typo": typo,
    "weights": weights,
    "switching": switching,
    "lora": lora,
    "base64": base64,
    "rot13": rot13,
    "reversed": reversed_,
    "hex": hex_,
    "escapes": escapes,
    "jamo": jamo,
    "romanise": romanise,
}
