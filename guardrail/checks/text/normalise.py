"""Undoing disguises: from a prompt as typed to the texts that a word list can read.

Each `View` is a text of canonical characters with a map back to the original, so that a finding can point at the words
as typed. The plain view undoes what is always safe to undo (compatibility forms, zero-width characters, letter case,
accents). Further views undo a disguise each, and are made only where it is seen: zero-width characters in the place of
spaces, look-alike letters of another script, Hangul taken apart, spaced letters, letters behind a star, digits for
letters, stretched letters, words written together, in pieces or misspelt, emoji, traditional characters. Codes and
prompt syntax are taken off, and what they held is read like a text of its own.

Sources: Unicode Standard Annex #15 (NFKC) and Technical Standard #39 (confusables; the table here is our own, small).
Everything is linear in the length of the text, and there are at most `MOST_VIEWS` views of it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from guardrail.checks.text.characters import BLANK, FOLDS, INVISIBLE, MARKS
from guardrail.checks.text.disguises import digits, jamo, lookalikes, masked, spaced, stretched
from guardrail.checks.text.encodings import decoded
from guardrail.checks.text.excerpts import excerpts
from guardrail.checks.text.hangul import COMPATIBILITY
from guardrail.checks.text.respelt import Words
from guardrail.checks.text.restored import restored
from guardrail.checks.text.syntax import unwrapped
from guardrail.checks.text.turned import upside_down
from guardrail.checks.text.variants import emoji, simplified
from guardrail.checks.text.views import View, compose

__all__ = ["MOST_VIEWS", "View", "plain", "read"]

# For each of five bases: itself, eight steps, two readings of digits, and each of the last three shortened in two ways,
# joined, that respelt, respelt, rotated, turned around in two ways; two for all: parted at capitals, upside down.
MOST_VIEWS = 177


@lru_cache(maxsize=4)
def read(text: str) -> tuple[View, ...]:
    """All readings of `text`, the plain one first; a reading that changes nothing is left out, and of long texts only
    the plain one is whole (see `excerpts`).

    Raises:
        CheckError: so much of a very long text is in disguise that reading it would take too long.

    The small cache lets the checks of one request share the work; it holds the last few prompts of the process.
    """
    first = plain(text)
    views = [first]
    joined = _capitals(text, first)
    if joined is not None:
        _added(views, joined)
    bases = [_undisguise(views, first)]
    gaps = _gaps(text)
    if gaps is not None and _added(views, gaps):
        bases.append(_undisguise(views, gaps))
    inside = decoded(text)
    if inside is not None:
        bases += _read_inside(views, inside)
    for option in (0, -1):
        bare = unwrapped(inside or text, option)
        if bare is None:
            break
        bases += _read_inside(views, bare)
    # Words last: a reading that needs no table of misspellings is the plainer one.
    for letters in bases:
        for view in letters:
            _reword(views, view)
    turned = upside_down(text)
    if turned is not None:
        _added(views, turned)
    return excerpts(views)


def _read_inside(views: list[View], inside: View) -> list[list[View]]:
    """Add the readings of a text that was found inside the typed one and still has its capitals and accents."""
    base = compose(plain(inside.text), inside)
    return [_undisguise(views, base)] if _added(views, base) else []


def _undisguise(views: list[View], base: View) -> list[View]:
    """Add the readings of one base, and give those whose words are still to be looked at.

    The order is the one in which disguises are put on top of each other, and each step starts from the last one that
    changed something, so that combinations come undone too.
    """
    for undo in (lookalikes, jamo, spaced, lookalikes, jamo, masked, simplified, emoji):
        view = undo(base)
        if view is not None and _added(views, view):
            base = view
    letters = [base]
    for one in "il":
        view = digits(base, one)
        if view is not None and _added(views, view):
            letters.append(view)
    for letter in letters:
        for times in (1, 2):
            view = stretched(letter, times)
            if view is None:
                break
            _added(views, view)
    return letters


def _reword(views: list[View], view: View) -> None:
    words = Words(view)
    if not words.odd:
        return
    whole = words.rejoined()
    if whole is not None and _added(views, whole):
        words_of_whole = Words(whole).respelt()
        if words_of_whole is not None:
            _added(views, words_of_whole)
    for one in words.respellings():
        _added(views, one)
    sentence = restored(view if whole is None else whole)
    if sentence is not None:
        _added(views, sentence)


def _added(views: list[View], view: View) -> bool:
    if any(view.text == v.text for v in views):
        return False
    views.append(view)
    return True


# ---- the plain view

# Either characters that stay as they are (but for case), or one character with everything that sits on it: marks, the
# vowel and tail of a Hangul syllable, the voicing of a half-width kana, invisible characters in between.
_ON_TOP = rf"{MARKS}{INVISIBLE}\u1161-\u11ff\uff9e\uff9f"
_CLUSTER = re.compile(
    rf"([ -~\u0430-\u044f\u3001\u3002\u3041-\u3096\u30a1-\u30fa\u30fc\u4e00-\u9fff\uac00-\ud7a3]+)(?![{_ON_TOP}])"
    rf"|[\s\S][{_ON_TOP}]*"
)
_INVISIBLE = re.compile(f"[{INVISIBLE}]+")
_MARK = re.compile(f"[{MARKS}]")
# A base with a hundred marks is an attack on whoever prints it; the first few tell which letter it is.
_MOST_MARKS = 8
_CAPITAL = re.compile("[A-Z](?=[a-z])")
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


def _capitals(text: str, view: View) -> View | None:
    """Words written together with capitals, as tags are ("RedHouse"), parted."""
    inner = {at for match in _CAPITAL.finditer(text) if "a" <= text[(at := match.start()) - 1] <= "z" and at}
    if not inner:
        return None
    chars: list[str] = []
    origin: list[int] = []
    end: list[int] = []
    for c, a, b in zip(view.text, view.origin, view.end, strict=True):
        if a in inner:
            inner.discard(a)
            chars.append(" ")
            origin.append(origin[-1] if origin else a)
            end.append(end[-1] if end else b)
        chars.append(c)
        origin.append(a)
        end.append(b)
    return View("".join(chars), origin, end, ("capitals",))
