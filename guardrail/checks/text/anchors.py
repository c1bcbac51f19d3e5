"""What must stand in a text for a pattern to match: strings of which every match contains one.

The analysis only ever claims too little: what it does not know stands for any string, and a pattern with syntax that it
does not know has no anchors, so that it is always run. The idea is that of Russ Cox, "Regular Expression Matching with
a Trigram Index" (2012); a set of whole strings takes the place of trigrams.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from guardrail.checks.text.characters import UNSPACED

__all__ = ["anchors"]

# More strings than this are not told apart any further.
_MOST = 24
# Strings that most texts have; an anchor of another word is better.
_FREQUENT = frozenset(
    """a an and are as at by for from he her him his in is it its my no not of on or she the their them they to with
    your com con da das de der des di die do du e el em en et i il la le les mit o um uma un una und von y""".split()  # noqa: SIM905
)
_PIECE = re.compile(
    r"""(?P<literal>[^\\()\[\]{}|?*+.^$]+)
    |\\(?P<escape>u[0-9a-fA-F]{4}|.)
    |(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])
    |(?P<flat>\((?:\?:)?[^()\[\]{}\\?*+.^$]+\))
    |(?P<looked>\(\?<?[=!][^()\[\]\\]*\))
    |(?P<nested>\((?:\?:)?(?!\?)(?:[^()\[\]\\]|\([^()\[\]\\]*\))*\))
    |(?P<group>\((?:\?:)?(?!\?))
    |(?P<look>\(\?<?[=!])
    |(?P<times>(?:[?*+]|\{(?:\d+(?:,\d*)?|,\d*)\})[?+]?)
    |(?P<sign>[|).^$])""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN_SET = re.compile(r"\[([^\\\]^-]+)\]")
_WIDE = re.compile(f"[{UNSPACED}]")
_NOWHERE = frozenset({""})


class _Unknown(Exception):
    """A pattern uses syntax that is not read here."""


# No list has this character.
_MARK = "\0"
_BLANK = " \0"


class _Part(NamedTuple):
    """What is known of a part of a pattern.

    Attributes:
        exact: all strings that it matches, or ``None``.
        needed: strings of which each of its matches contains one, or ``None``; not said where `exact` is. One that
            begins with `_MARK` stands at the beginning of the match or after a space, one that ends with it at the end
            or before a space.
        opens: whether each match but the empty one begins with a space.
        closes: whether each match but the empty one ends with a space.
        empty: whether it may match the empty string.
    """

    exact: frozenset[str] | None
    needed: frozenset[str] | None
    opens: bool
    closes: bool
    empty: bool


def _exactly(strings: frozenset[str]) -> _Part:
    """A part that matches these strings and no others."""
    opens = all(s[:1] in _EDGE for s in strings)
    closes = all(s[-1:] in _EDGE for s in strings)
    return _Part(strings, None, opens, closes, "" in strings)


_EDGE = ("", " ")
_NOTHING = _exactly(_NOWHERE)
_ANYTHING = _Part(None, None, False, False, True)
_CHARACTER = _ANYTHING._replace(empty=False)


def anchors(pattern: str, *, words: bool) -> frozenset[str] | None:
    """Strings of which every match of `pattern` contains one; ``None`` where no such strings are known.

    Args:
        pattern: a regular expression of a word list, matched with no flags.
        words: whether it is matched against whole words; then the strings may begin and end with a space, and it is the
            text with a space before and after it that contains one of them.
    """
    edge = [_exactly(frozenset({" "}))] if words else []
    try:
        reader = _Reader(pattern)
        part = _in_turn([*edge, reader.alternatives(), *edge])
    except _Unknown:
        return None
    needed = _needed(part)
    return frozenset([s.strip(_MARK) for s in needed]) if needed and reader.at_end() else None


class _Reader:
    """A recursive descent through one pattern."""

    def __init__(self, pattern: str) -> None:
        self._pieces = list(_pieces(pattern))
        self._at = 0

    def at_end(self) -> bool:
        return self._at == len(self._pieces)

    def _peek(self) -> tuple[str, str]:
        return self._pieces[self._at] if self._at < len(self._pieces) else ("", "")

    def alternatives(self) -> _Part:
        """Everything up to the end of the group, or of the pattern."""
        branches = [self._sequence()]
        while self._peek()[1] == "|" and self._peek()[0] == "sign":
            self._at += 1
            branches.append(self._sequence())
        return _either(branches)

    def _sequence(self) -> _Part:
        parts: list[_Part] = []
        while self._at < len(self._pieces):
            kind, text = self._pieces[self._at]
            if kind == "sign" and text in "|)":
                break
            self._at += 1
            if kind == "literal":
                # A repetition is of the last letter alone.
                if len(text) > 1 and self._peek()[0] == "times":
                    parts.append(_exactly(frozenset({text[:-1]})))
                    text = text[-1]
                part = _exactly(frozenset({text}))
            else:
                part = self._atom(kind, text)
            if self._peek()[0] == "times":
                part = _repeated(part, self._peek()[1])
                self._at += 1
                if self._peek()[0] == "times":
                    raise _Unknown
            parts.append(part)
        return _in_turn(parts) if len(parts) != 1 else parts[0]

    def _atom(self, kind: str, text: str) -> _Part:
        if kind == "flat":
            return _either([_exactly(frozenset(_inside(text).split("|")))])
        if kind == "nested":
            return _group(text)
        if kind == "looked":
            return _NOTHING
        if kind in ("group", "look"):
            inside = self.alternatives()
            if self._peek() != ("sign", ")"):
                raise _Unknown
            self._at += 1
            # What is only looked at takes no room; that it must stand there is more than needs to be known.
            return inside if kind == "group" else _NOTHING
        if kind == "set":
            plain = _PLAIN_SET.fullmatch(text)
            return _exactly(frozenset(plain[1])) if plain and len(plain[1]) <= _MOST else _CHARACTER
        if kind == "escape":
            return _escaped(text)
        return _CHARACTER if text == "." else _NOTHING


def _pieces(pattern: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(pattern):
        match = _PIECE.match(pattern, at)
        if match is None or match.lastgroup is None:
            raise _Unknown
        yield match.lastgroup, match[match.lastgroup]
        at = match.end()


def _inside(group: str) -> str:
    return group.removeprefix("(").removeprefix("?:").removesuffix(")")


@lru_cache(maxsize=1024)
def _group(text: str) -> _Part:
    """A group that may well come again: patterns share what their lists name once."""
    reader = _Reader(_inside(text))
    part = reader.alternatives()
    if not reader.at_end():
        raise _Unknown
    return part


def _escaped(text: str) -> _Part:
    if len(text) > 1:
        return _exactly(frozenset({chr(int(text[1:], 16))}))
    if not text.isalnum():
        return _exactly(frozenset({text}))
    if text in "bBAZ":
        return _NOTHING
    if text in "wWdDsS":
        return _CHARACTER
    raise _Unknown


def _repeated(part: _Part, times: str) -> _Part:
    eager = times.rstrip("?+") or times[0]
    if eager in ("{1}", "{1,1}"):
        return part
    never = eager[0] in "?*" or eager[:2] in ("{0", "{,")
    if part.exact is not None and eager in ("?", "{0,1}", "{,1}"):
        return _exactly(part.exact | _NOWHERE)
    # The first time it stands at the beginning, but seldom at the end.
    needed = None if never else _placed(_needed(part), _MARK, "")
    return part._replace(exact=None, needed=needed, empty=never or part.empty)


def _needed(part: _Part) -> frozenset[str] | None:
    if part.exact is None:
        return part.needed
    return _rarer(None, frozenset([f"{_MARK}{s}{_MARK}" for s in part.exact]))


def _either(branches: Sequence[_Part]) -> _Part:
    if len(branches) == 1 and (branches[0].exact is None or len(branches[0].exact) <= _MOST):
        return branches[0]
    opens, closes, empty = (
        all(b.opens for b in branches),
        all(b.closes for b in branches),
        any(b.empty for b in branches),
    )
    exact: frozenset[str] | None = None
    if all(b.exact is not None for b in branches):
        exact = frozenset().union(*(b.exact for b in branches if b.exact is not None))
        if len(exact) <= _MOST:
            return _Part(exact, None, opens, closes, empty)
    needed = [_needed(b) for b in branches]
    known = [strings for strings in needed if strings is not None]
    both = frozenset[str]().union(*known) if len(known) == len(needed) else None
    return _Part(None, both, opens, closes, empty)


def _in_turn(parts: Sequence[_Part]) -> _Part:
    # What is known to stand at the border before each part and after the last, on its left and on its right: a space, a
    # space or the edge of all this (`_MARK`), or nothing is known.
    left, right = [_MARK], [_MARK]
    for part in parts:
        left.append("" if not part.closes else left[-1] if part.empty else " ")
    for part in reversed(parts):
        right.append("" if not part.opens else right[-1] if part.empty else " ")
    right.reverse()
    best: frozenset[str] | None = None
    run, begin, whole = _NOWHERE, _MARK, True
    for i, part in enumerate(parts):
        if part.exact is not None and len(run) * len(part.exact) <= _MOST:
            run = frozenset([a + b for a in run for b in part.exact])
            continue
        best = _rarer(best, frozenset([f"{begin}{s}{right[i]}" for s in run]))
        if part.exact is not None:
            run, begin = part.exact, left[i]
        else:
            best = _rarer(best, _placed(part.needed, left[i], right[i + 1]))
            run, begin = _NOWHERE, left[i + 1]
        whole = False
    if not whole:
        best = _rarer(best, frozenset([f"{begin}{s}{_MARK}" for s in run]))
    return _Part(run if whole else None, best, right[0] != "", left[-1] != "", all(p.empty for p in parts))


def _placed(needed: frozenset[str] | None, before: str, after: str) -> frozenset[str] | None:
    """Strings of a part with what stands beside the part in the place of their marks."""
    if needed is None:
        return None
    started = [before + s[1:] if s[0] == _MARK else s for s in needed]
    return frozenset([s[:-1] + after if s[-1] == _MARK else s for s in started])


def _rarer(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """Which of two sets of strings fewer texts have one of."""
    if not other or any(not s.strip(_BLANK) for s in other):
        return one
    return other if one is None or _share(other) < _share(one) else one


@lru_cache(maxsize=4096)
def _share(strings: frozenset[str]) -> float:
    """About how many texts have one of these, for comparing: each letter makes a string rarer."""
    share = 0.0
    for s in strings:
        s = s.strip(_MARK)
        if s.isascii():
            word = s.strip()
            whole = len(word) == len(s) - 2
            share += 0.3 if whole and word in _FREQUENT else (0.6 if whole else 0.7) ** len(word)
        else:
            share += (0.2 if _WIDE.search(s) else 0.55) ** len(s)
    return share
