"""Undoing disguises: from a prompt as typed to the texts that a word list can read.

Each `View` is a text of canonical characters with a map back to the original, so that a finding can point at the words
as typed. The plain view undoes what is always safe to undo (compatibility forms, zero-width characters, letter case,
accents on Latin letters). Further views undo a disguise each, and are made only where it is seen: look-alike letters of
another script, Hangul taken apart, spaced letters, digits for letters, stretched letters.

Sources: Unicode Standard Annex #15 (NFKC) and Technical Standard #39 (confusables; the table here is our own, small).
Everything is linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from guardrail.checks.text.characters import CJK, FOLDS, INVISIBLE, LEET, LOOKALIKES
from guardrail.checks.text.hangul import compose_jamo, has_jamo
from guardrail.checks.text.segment import segment

__all__ = ["View", "plain", "read"]


@dataclass(frozen=True, slots=True)
class View:
    """A readable text.

    Args:
        text: canonical lower-case characters.
        origin: for each of them the index of the (first) original character behind it.
        end: for each of them the index after the last original character behind it.
        undone: the disguises that were undone to get here; empty for the plain reading.
    """

    text: str
    origin: Sequence[int]
    end: Sequence[int]
    undone: tuple[str, ...] = ()

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The half-open range of original characters behind ``text[start:end]``."""
        return self.origin[start], self.end[end - 1]


@lru_cache(maxsize=4)
def read(text: str) -> tuple[View, ...]:
    """All readings of `text`, the plain one first; a reading that changes nothing is left out.

    The small cache lets the checks of one request share the work; it holds the last few prompts of the process.
    """
    views = [plain(text)]

    def also(undo: Callable[[View], View | None], bases: Iterable[View]) -> None:
        for base in tuple(bases):
            view = undo(base)
            if view is not None and all(view.text != v.text for v in views):
                views.append(view)

    # The order is the one in which disguises are put on top of each other, so that combinations come undone too.
    also(_lookalikes, views[-1:])
    also(_jamo, views[-1:])
    also(_spaced, views[-1:])
    letters = views[:]
    also(_leet_i, letters)
    also(_leet_l, letters)
    joined = views[:]
    also(_stretched_to_one, joined)
    also(_stretched_to_two, joined)
    return tuple(views)


# ---- the plain view


def plain(text: str) -> View:
    """The plain reading alone: canonical characters, nothing disguised undone."""
    if text.isascii():
        if text.isprintable():
            return View(text.lower(), range(len(text)), range(1, len(text) + 1))
        return _build((i, 1, c.lower() if c.isprintable() else _blank(c)) for i, c in enumerate(text))
    return _build((i, len(cluster), _fold(cluster[:8])) for i, cluster in _clusters(text))


def _blank(c: str) -> str:
    return " " if c in "\t\n\r\v\f" else ""


def _build(parts: Iterable[tuple[int, int, str]]) -> View:
    chars: list[str] = []
    origin: list[int] = []
    end: list[int] = []
    for i, width, replacement in parts:
        chars.append(replacement)
        origin.extend([i] * len(replacement))
        end.extend([i + width] * len(replacement))
    return View("".join(chars), origin, end)


def _clusters(text: str) -> list[tuple[int, str]]:
    """Characters with the marks and conjoining jamo that follow them: the units that NFKC may compose.

    A base with a hundred marks is an attack on whoever prints it; the first few are enough to read it (see `plain`).
    """
    starts = [i for i, c in enumerate(text) if not (unicodedata.combining(c) or "\u1160" <= c <= "\u11ff")]
    if not starts or starts[0] != 0:
        starts.insert(0, 0)
    return [(a, text[a:b]) for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]


@lru_cache(maxsize=4096)
def _fold(cluster: str) -> str:
    """Canonical form of one character with its marks: NFKC, no case, nothing invisible, no accents on Latin letters."""
    visible = "".join(FOLDS.get(c, c) for c in cluster if c not in INVISIBLE and unicodedata.category(c) != "Cf")
    out: list[str] = []
    for c in unicodedata.normalize("NFKC", visible).casefold():
        if c.isascii():
            out.append(c if c.isprintable() else _blank(c))
        elif unicodedata.category(c)[0] == "Z":
            out.append(" ")
        elif unicodedata.combining(c) and out and out[-1].isascii():
            continue
        else:
            # Accents are dropped from Latin letters only: й, が and 각 are letters of their own.
            base = unicodedata.normalize("NFD", c)[0]
            out.append(base if base.isascii() else FOLDS.get(c, c))
    return "".join(out)


# ---- disguises

_TOKEN = re.compile(r"[^\W_]+")
_LEET_TOKEN = re.compile(r"[\w@$!|+€£¥¢§µ×]+")
# What people write about pictures anyway: 8k, 3d, 50mm, f1, 1girl, 2nd, 1920x1080, v2, 4th.
_ORDINARY = re.compile(
    r"\d+(?:k|d|mm|cm|px|p|th|st|nd|rd|s|x|girls?|boys?|fps|hz|m|km|kg|mp|am|pm|yo|yrs?|years?|x\d+)"
    r"|[a-z]\d{1,2}|\d+|v\d+|\d+x\d+|[a-z]+!+|[a-z]{4,}\d{1,4}"
)
_SEPARATED = re.compile(r"(?<![^\W_])(?:[^\W_][ \t.\-_*/|+~,·•]{1,3}){2,}[^\W_](?![^\W_])")
_SEPARATED_CJK = re.compile(rf"(?<![{CJK}])(?:[{CJK}][ .\-_*/|+~,·•0-9]{{1,2}})+[{CJK}](?![{CJK}])")
_INSIDE_CJK = re.compile(rf"(?<=[{CJK}])[.\-_*/|+~·•0-9]{{1,2}}(?=[{CJK}])")
_STRETCH = re.compile(r"([^\W\d_])\1{2,}")


def _lookalikes(view: View) -> View | None:
    """Letters of other scripts that stand for Latin ones, in tokens that mix scripts or stand alone among Latin ones.

    Russian and Greek texts stay as they are: a token of one script is folded only where nine letters in ten around it
    are Latin (two in three in a very short text).
    """
    if view.text.isascii() or not any(c in LOOKALIKES for c in view.text):
        return None
    latin = sum(c.isascii() and c.isalpha() for c in view.text)
    other = sum(not c.isascii() and c.isalpha() for c in view.text)
    mostly_latin = latin >= 9 * other or (latin + other <= 24 and latin >= 2 * other)

    def change(match: re.Match[str]) -> str | None:
        token = match[0]
        foreign = [c for c in token if c.isalpha() and not c.isascii()]
        if not foreign or not all(c in LOOKALIKES for c in foreign):
            return None
        mixed = any(c.isascii() and c.isalpha() for c in token)
        return "".join(LOOKALIKES.get(c, c) for c in token) if mixed or mostly_latin else None

    return _substitute(view, _TOKEN, change, "look-alikes")


def _jamo(view: View) -> View | None:
    if view.text.isascii() or not has_jamo(view.text):
        return None
    text, sources = compose_jamo(view.text)
    ends = [view.end[i - 1] for i in [*sources[1:], len(view.text)]]
    return View(text, [view.origin[i] for i in sources], ends, (*view.undone, "jamo"))


def _spaced(view: View) -> View | None:
    """Spaced letters ("n u d e", "n.u.d.e") and separated syllables joined; long joins are cut into known words."""

    def change(match: re.Match[str]) -> str | None:
        letters = [c for c in match[0] if c.isalnum()]
        if sum(c.isalpha() for c in letters) < 3 or not all(c.isascii() for c in letters):
            return None
        # Where some gaps are wider than others, the wide ones are the spaces between words.
        words = re.split(r"[ \t]{2,}|[,/|]", match[0])
        return " ".join(segment("".join(c for c in w if c.isalnum())) for w in words)

    latin = _substitute(view, _SEPARATED, change, "spaced")
    if view.text.isascii():
        return latin
    view = latin or view
    for pattern in (_SEPARATED_CJK, _INSIDE_CJK):
        view = _substitute(view, pattern, lambda m: "".join(c for c in m[0] if c.isalpha()), "spaced") or view
    return view if "spaced" in view.undone else None


def _leet(view: View, one: str) -> View | None:
    def change(match: re.Match[str]) -> str | None:
        token = match[0].rstrip("!|+")
        if token.isalpha() or not any(c.isalpha() for c in token) or _ORDINARY.fullmatch(token):
            return None
        swapped = "".join(one if LEET.get(c) == "1" else LEET.get(c, c) for c in token)
        return swapped + match[0][len(token) :]

    return _substitute(view, _LEET_TOKEN, change, "digits-for-letters")


def _leet_i(view: View) -> View | None:
    return _leet(view, "i") if any(c in view.text for c in LEET) else None


def _leet_l(view: View) -> View | None:
    return _leet(view, "l") if any(c in view.text for c in "1!|") else None


def _stretched_to_one(view: View) -> View | None:
    return _substitute(view, _STRETCH, lambda m: m[1], "stretched")


def _stretched_to_two(view: View) -> View | None:
    return _substitute(view, _STRETCH, lambda m: m[1] * 2, "stretched")


def _substitute(
    view: View, pattern: re.Pattern[str], change: Callable[[re.Match[str]], str | None], name: str
) -> View | None:
    """A view in which matches are replaced by what `change` gives; ``None`` if nothing changed.

    The new characters share the original characters of their match out between them, in order.
    """
    text: list[str] = []
    origin: list[int] = []
    end: list[int] = []
    at = 0
    for match in pattern.finditer(view.text):
        new = change(match)
        if new is None or new == match[0]:
            continue
        a, b = match.span()
        text += [view.text[at:a], new]
        origin.extend(view.origin[at:a])
        end.extend(view.end[at:a])
        cuts = [a + k * (b - a) // max(1, len(new)) for k in range(len(new) + 1)]
        origin.extend(view.origin[min(c, b - 1)] for c in cuts[:-1])
        end.extend(view.end[max(c - 1, a)] for c in cuts[1:])
        at = b
    if not text:
        return None
    text.append(view.text[at:])
    origin.extend(view.origin[at:])
    end.extend(view.end[at:])
    return View("".join(text), origin, end, (*view.undone, name))
