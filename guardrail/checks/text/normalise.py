"""Undoing disguises: from a prompt as typed to the texts that a word list can read.

Each `View` is a text of canonical characters with a map back to the original, so that a finding can point at the words
as typed. The plain view undoes what is always safe to undo (compatibility forms, zero-width characters, letter case,
accents). Further views undo a disguise each, and are made only where it is seen: zero-width characters in the place of
spaces, look-alike letters of another script, Hangul taken apart, spaced letters, digits for letters, stretched letters.

Sources: Unicode Standard Annex #15 (NFKC) and Technical Standard #39 (confusables; the table here is our own, small).
Everything is linear in the length of the text, and there are at most `MOST_VIEWS` views of it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from guardrail.checks.text.characters import (
    BLANK,
    CJK,
    FOLDS,
    HAN_KANA,
    INVISIBLE,
    LEET,
    LOOKALIKES,
    LOOKALIKES_ELSE,
    MARKS,
)
from guardrail.checks.text.hangul import COMPATIBILITY, compose_jamo, has_jamo
from guardrail.checks.text.segment import segment
from guardrail.checks.text.wordlists import listed_words

__all__ = ["MOST_VIEWS", "View", "plain", "read"]

# For each of two bases: itself, four steps, two readings of digits, and each of the last three shortened in two ways.
MOST_VIEWS = 26


@dataclass(frozen=True, slots=True, eq=False)
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
    views: list[View] = []
    for base in (plain(text), _gaps(text)):
        if base is not None and _added(views, base):
            _undisguise(views, base)
    return tuple(views)


def _undisguise(views: list[View], base: View) -> None:
    """Add the readings of one base.

    The order is the one in which disguises are put on top of each other, and each step starts from the last one that
    changed something, so that combinations come undone too.
    """
    for undo in (_lookalikes, _jamo, _spaced, _jamo):
        view = undo(base)
        if view is not None and _added(views, view):
            base = view
    letters = [base]
    for one in "il":
        view = _leet(base, one)
        if view is not None and _added(views, view):
            letters.append(view)
    for letter in letters:
        for times in (1, 2):
            view = _stretched(letter, times)
            if view is not None:
                _added(views, view)


def _added(views: list[View], view: View) -> bool:
    if any(view.text == v.text for v in views):
        return False
    views.append(view)
    return True


# ---- the plain view

# Either characters that stay as they are (but for case), or one character with everything that sits on it: marks, the
# vowel and tail of a Hangul syllable, invisible characters in between.
_ON_TOP = rf"{MARKS}{INVISIBLE}\u1161-\u11ff"
_CLUSTER = re.compile(
    rf"([ -~\u0430-\u044f\u3001\u3002\u3041-\u3096\u30a1-\u30fa\u30fc\u4e00-\u9fff\uac00-\ud7a3]+)(?![{_ON_TOP}])"
    rf"|[\s\S][{_ON_TOP}]*"
)
_INVISIBLE = re.compile(f"[{INVISIBLE}]+")
_MARK = re.compile(f"[{MARKS}]")
# A base with a hundred marks is an attack on whoever prints it; the first few tell which letter it is.
_MOST_MARKS = 8
_GAP = re.compile(rf"(?<=[^\W_])[{INVISIBLE}]+(?=[^\W_])|[{BLANK}]")


def plain(text: str) -> View:
    """The plain reading alone: canonical characters, nothing disguised undone."""
    if text.isascii() and text.isprintable():
        return View(text.lower(), range(len(text)), range(1, len(text) + 1))
    chars: list[str] = []
    origin: list[int] = []
    end: list[int] = []
    for match in _CLUSTER.finditer(text):
        a, b = match.span()
        if match[1] is not None:
            chars.append(match[1].lower())
            origin.extend(range(a, b))
            end.extend(range(a + 1, b + 1))
        else:
            folded = _fold(_INVISIBLE.sub("", match[0])[:_MOST_MARKS])
            chars.append(folded)
            origin.extend([a] * len(folded))
            end.extend([b] * len(folded))
    return View("".join(chars), origin, end)


@lru_cache(maxsize=4096)
def _fold(cluster: str) -> str:
    """Canonical form of one visible character with its marks: NFKC, no case, no accents on Latin letters."""
    if cluster[:1] in BLANK:
        return " " if cluster else ""
    composed = unicodedata.normalize("NFKC", "".join(FOLDS.get(c, c) for c in cluster)).casefold()
    return "".join(map(_fold_one, composed))


def _fold_one(c: str) -> str:
    if c.isspace() or unicodedata.category(c)[0] == "Z":
        return " "
    if c.isascii():
        return c if c.isprintable() else ""
    if _MARK.match(c):
        return ""
    # Accents are dropped from Latin letters only: й, が and 각 are letters of their own.
    base = unicodedata.normalize("NFD", c)[0]
    return base if base.isascii() else FOLDS.get(c) or FOLDS.get(base) or COMPATIBILITY.get(c, c)


def _gaps(text: str) -> View | None:
    """The other reading of characters without ink: those of no width as spaces, those that look like spaces as none."""
    if text.isascii() and text.isprintable():
        return None
    # One character for one, so that places in the text stay the same.
    changed = _GAP.sub(lambda m: "\u200b" if m[0] in BLANK else " " * len(m[0]), text)
    if changed == text:
        return None
    view = plain(changed)
    return View(view.text, view.origin, view.end, ("zero-width",))


# ---- disguises

_TOKEN = re.compile(r"[^\W_]+")
_LOOKALIKE = re.compile(f"[{''.join(LOOKALIKES_ELSE)}]")

_LETTER = re.compile(r"[a-z0-9@$]")
_GAP_BETWEEN_LETTERS = r"(?:[^\w@$]|_){1,6}"
_SEPARATED = re.compile(rf"(?<![^\W_])(?:[a-z0-9@$]{_GAP_BETWEEN_LETTERS}){{2,}}[a-z0-9@$](?![^\W_])")
_SEPARATED_CJK = re.compile(rf"(?<![{CJK}])(?:[{CJK}](?:[^\w\n,、。，！？：；]|[0-9_]){{1,2}})+[{CJK}](?![{CJK}])")
_INSIDE_CJK = re.compile(rf"(?<=[{CJK}])(?:[^\w\s,、。，！？：；]|[0-9_]){{1,2}}(?=[{CJK}])")
_INSIDE_HAN = re.compile(rf"(?<=[{HAN_KANA}]) {{1,2}}(?=[{HAN_KANA}])")

_SYMBOLS = "".join(re.escape(c) for c in LEET if not c.isalnum())
_LEET_TOKEN = re.compile(rf"[a-z0-9{_SYMBOLS}]+")
_LEET = re.compile(rf"[a-z][0-9{_SYMBOLS}]|[0-9{_SYMBOLS}][a-z]")
# What people write about pictures anyway: 8k, 3d, 50mm, f1, 1girl, 2nd, 1920x1080, v2, 4th.
_ORDINARY = re.compile(
    r"\d+(?:k|d|mm|cm|px|p|th|st|nd|rd|s|x|girls?|boys?|fps|hz|m|km|kg|mp|am|pm|yo|yrs?|years?|x\d+)"
    r"|[a-z]\d{1,2}|\d+|v\d+|\d+x\d+|[a-z]+!+|[a-z]{4,}\d{1,4}"
)
_STRETCH = re.compile(r"([^\W\d_])\1{2,}")
_STRETCH_OR_PAIRS = re.compile(r"([^\W\d_])\1\1|([a-z])\2([a-z])\3")
_RUN = re.compile(r"(.)\1*")


def _lookalikes(view: View) -> View | None:
    """Letters of other scripts that stand for Latin ones, in tokens that mix scripts or stand alone among Latin ones.

    Russian and Greek texts stay as they are: a token of one script is folded only where nine letters in ten around it
    are Latin (two in three in a very short text), or where it comes out as a listed word.
    """
    if view.text.isascii() or not _LOOKALIKE.search(view.text):
        return None
    latin = sum(c.isascii() and c.isalpha() for c in view.text)
    other = sum(not c.isascii() and c.isalpha() for c in view.text)
    mostly_latin = latin >= 9 * other or (latin + other <= 24 and latin >= 2 * other)

    def change(match: re.Match[str]) -> str | None:
        token = match[0]
        foreign = [c for c in token if c.isalpha() and not c.isascii()]
        if not foreign or not all(c in LOOKALIKES_ELSE for c in foreign):
            return None
        first = "".join(LOOKALIKES.get(c, c) for c in token)
        second = "".join(LOOKALIKES_ELSE.get(c, c) for c in token)
        for folded in (first, second):
            if folded in listed_words():
                return folded
        mixed = any(c.isascii() and c.isalpha() for c in token)
        return (first if first.isascii() else second) if mixed or mostly_latin else None

    return _substitute(view, _TOKEN, change, "look-alikes")


def _jamo(view: View) -> View | None:
    if view.text.isascii() or not has_jamo(view.text):
        return None
    text, sources = compose_jamo(view.text)
    ends = [view.end[i - 1] for i in [*sources[1:], len(view.text)]]
    return View(text, [view.origin[i] for i in sources], ends, (*view.undone, "jamo"))


def _spaced(view: View) -> View | None:
    """Spaced letters ("n u d e", "n.u.d.e") and separated syllables joined; long joins are cut into known words."""
    found = _substitute(view, _SEPARATED, _join_letters, "spaced")
    if view.text.isascii():
        return found
    changed = found or view
    for pattern in (_SEPARATED_CJK, _INSIDE_CJK, _INSIDE_HAN):
        changed = _substitute(changed, pattern, _join_syllables, "spaced") or changed
    return changed if changed is not view else None


def _join_letters(match: re.Match[str]) -> str | None:
    letters = _LETTER.findall(match[0])
    if sum(c.isalpha() for c in letters) < 3:
        return None
    gaps = _LETTER.split(match[0])[1:-1]
    # Where some gaps are wider than others, the wide ones are the spaces between words.
    usual = Counter(gaps).most_common(1)[0][0]
    words = [letters[0]]
    for gap, letter in zip(gaps, letters[1:], strict=True):
        wider = len(gap) > len(usual) or (gap.isspace() and not usual.isspace())
        if gap != usual and wider:
            words.append(letter)
        else:
            words[-1] += letter
    return " ".join(map(segment, words))


def _join_syllables(match: re.Match[str]) -> str:
    return "".join(c for c in match[0] if c.isalpha())


def _leet(view: View, one: str) -> View | None:
    """Digits and signs that stand for letters; what may be either i or l is `one`."""
    if not _LEET.search(view.text) or (one == "l" and not any(c in view.text for c in "1!|¡")):
        return None

    def change(match: re.Match[str]) -> str | None:
        token = match[0].rstrip("!|+")
        if token.isalpha() or not any(c.isalpha() for c in token):
            return None
        tail = match[0][len(token) :]
        swapped = "".join(one if LEET.get(c) == "1" else LEET.get(c, c) for c in token)
        bare = token.strip("0123456789")
        for word in (swapped, bare):
            if word in listed_words():
                return word + tail
        return None if _ORDINARY.fullmatch(token) else swapped + tail

    return _substitute(view, _LEET_TOKEN, change, "digits-for-letters")


def _stretched(view: View, times: int) -> View | None:
    """Letters written three times or more, written `times` times; the first time also as a listed word has them."""
    if not (_STRETCH_OR_PAIRS if times == 1 else _STRETCH).search(view.text):
        return None

    def change(match: re.Match[str]) -> str | None:
        token = match[0]
        if times == 1 and _STRETCH_OR_PAIRS.search(token):
            word = _unstretched(token)
            if word:
                return word
        return _STRETCH.sub(lambda m: m[1] * times, token)

    return _substitute(view, _TOKEN, change, "stretched")


def _unstretched(token: str) -> str | None:
    """The listed word that `token` is when letters in a row are taken for fewer of the same."""
    runs = [(m[1], m.end() - m.start()) for m in _RUN.finditer(token)]
    for word, wanted in _skeletons().get("".join(c for c, _ in runs), ()):
        if all(n >= w for (_, n), w in zip(runs, wanted, strict=True)):
            return word
    return None


@lru_cache(maxsize=1)
def _skeletons() -> dict[str, list[tuple[str, list[int]]]]:
    """Listed words by their letters without repeats, with how often each letter stands there."""
    table: dict[str, list[tuple[str, list[int]]]] = {}
    for word in sorted(listed_words()):
        runs = [(m[1], m.end() - m.start()) for m in _RUN.finditer(word)]
        table.setdefault("".join(c for c, _ in runs), []).append((word, [n for _, n in runs]))
    return table


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
    undone = view.undone if view.undone[-1:] == (name,) else (*view.undone, name)
    return View("".join(text), origin, end, undone)
