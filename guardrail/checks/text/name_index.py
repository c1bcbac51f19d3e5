"""Looking up listed names in the readings of a text: those of public figures, of characters and of the long dead, and
the user's own.

Names of two or more words are matched wherever they stand; single words that are also ordinary words or common names
("Rain", "Lisa") count only with a sign that a person is meant. The shipped names are put into tables when a text is of
their script for the first time: half of them are not in Latin letters, and most processes never see those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from guardrail.checks.text.characters import UNSPACED
from guardrail.checks.text.cue_words import name_lists
from guardrail.checks.text.figures import famous_names, public_figures, unreal_figures
from guardrail.checks.text.found import UNREAL_MATCH, Evidence, Kind, NameMatch
from guardrail.checks.text.lexicon import TokenText, tokens_of
from guardrail.checks.text.misspelt import MISSPELT_MATCH, Slips
from guardrail.checks.text.name_context import (
    as_style,
    as_style_unspaced,
    is_place,
    meant_as_person,
    squeezed,
    stands_alone,
)
from guardrail.checks.text.normalise import View, plain
from guardrail.checks.text.wordlists import common_words

__all__ = ["NameIndex"]

_UNSPACED = re.compile(f"[{UNSPACED}]")
# Scripts with spaces other than Latin: from Greek to Georgian, without the Latin letters of Vietnamese after them.
_FOREIGN = re.compile("[\u0370-\u1cff]")
# Names whose words can be cut without the normaliser: nothing in them is folded, and no sign of them is a token.
_SIMPLE = re.compile(r"[A-Za-z0-9' \-]+")
_WORD = re.compile("[a-z0-9]+")
_LISTED_MATCH, _UNSURE_MATCH = 0.95, 0.7


class _Who(NamedTuple):
    """What all spellings of a name share. `artist`: whether "in the style of" means the style and not the looks."""

    kind: Kind
    evidence: Evidence
    artist: bool
    sure: bool

    @property
    def match(self) -> float:
        return UNREAL_MATCH if self.kind in ("fictional", "historic") else _LISTED_MATCH if self.sure else _UNSURE_MATCH

    def matched(self, start: int, end: int, style: bool, undone: tuple[str, ...]) -> NameMatch:
        if style:
            return NameMatch(start, end, UNREAL_MATCH, "style", self.evidence, undone)
        return NameMatch(start, end, self.match, self.kind, self.evidence, undone)


_Entry = tuple[tuple[str, ...], _Who]


class NameIndex:
    """Look-up by first token (spaced scripts) and by first character (Chinese, Japanese, Korean, Thai)."""

    def __init__(self) -> None:
        # By the first word, then by the second; "" where there is none.
        self._words: dict[str, dict[str, list[_Entry]]] = {}
        # Names of several words, by all their letters.
        self._joined: dict[str, _Entry] = {}
        self._longest = 0
        # By the first character, then by the second; "" where there is none.
        self._characters: dict[str, dict[str, list[tuple[str, _Who]]]] = {}
        self._slips = Slips()
        # Shipped names that are not in the tables yet.
        self._waiting: dict[Literal["foreign", "unspaced"], list[tuple[str, _Who]]] = {"foreign": [], "unspaced": []}

    @classmethod
    def shipped(cls) -> NameIndex:
        """The index of the shipped lists."""
        index, famous = cls(), famous_names()
        who = {
            (artist, sure): _Who("public", "list", artist, sure) for artist in (False, True) for sure in (False, True)
        }
        for name, field, spelling, sure in public_figures():
            index._ship(spelling, who[field == "arts" or _is_artist(name), sure])
            if spelling is name and name in famous:
                index._slips.add(_words_of(name))
        unreal = {"fictional": _Who("fictional", "list", False, True), "historic": _Who("historic", "list", True, True)}
        for figure in unreal_figures():
            index._ship(figure.spelling, unreal[figure.kind])
        return index

    def _ship(self, spelling: str, who: _Who) -> None:
        if spelling.isascii():
            self._add_words(spelling, who)
        elif _UNSPACED.search(spelling):
            self._waiting["unspaced"].append((spelling, who))
        elif _FOREIGN.search(spelling):
            self._waiting["foreign"].append((spelling, who))
        else:
            self._add_words(spelling, who)

    def add(self, name: str, kind: Literal["public", "private"]) -> None:
        """Add a name of the user's own, in whatever script."""
        who = _Who(kind, "own-name", False, True)
        text = plain(name.strip()).text
        if _UNSPACED.search(text):
            self._add_characters(name, who)
        else:
            self._add_words(name.strip(), who)

    def load(self) -> None:
        """Put all waiting names into the tables, whatever texts come."""
        self._take("foreign")
        self._take("unspaced")

    def _take(self, script: Literal["foreign", "unspaced"]) -> None:
        names, self._waiting[script] = self._waiting[script], []
        for name, who in names:
            (self._add_characters if script == "unspaced" else self._add_words)(name, who)

    def _add_characters(self, name: str, who: _Who) -> None:
        joined, _ = squeezed(plain(name.strip()).text)
        if len(joined) < 2:
            who = who._replace(sure=False)
        self._characters.setdefault(joined[0], {}).setdefault(joined[1:2], []).append((joined, who))

    def _add_words(self, name: str, who: _Who) -> None:
        if _SIMPLE.fullmatch(name):
            words = written = tuple(_WORD.findall(name.lower()))
        else:
            written = tuple(TokenText(plain(name)).words)
            words = tuple(w for w in written if w != ",")
        if not words:
            return
        self._put(words, who)
        if written != words:
            self._put(written, who)
        if who.kind in ("fictional", "historic"):
            return
        self._slips.known.update(words)
        if len(words) == 1:
            return
        compact = "".join(words)
        sure = who if who.sure else who._replace(sure=True)
        if compact not in self._joined:
            self._joined[compact] = words, sure
            self._longest = max(self._longest, len(compact))
        # Short joined names run into ordinary words; who asks for protection of a name takes that risk.
        if len(compact) >= (6 if who.evidence == "own-name" else 8) and compact not in common_words():
            self._put((compact,), sure)

    def _put(self, words: tuple[str, ...], who: _Who) -> None:
        seconds = self._words.get(words[0])
        if seconds is None:
            seconds = self._words[words[0]] = {}
        second = words[1] if len(words) > 1 else ""
        entries = seconds.get(second)
        if entries is None:
            seconds[second] = [(words, who)]
        else:
            entries.append((words, who))

    # ---- finding

    def find(self, view: View, original: str) -> Iterator[NameMatch]:
        """All names in one reading of a text."""
        tokens = tokens_of(view)
        if self._waiting["foreign"] and not view.text.isascii() and _FOREIGN.search(view.text):
            self._take("foreign")
        yield from self._in_words(tokens, original)
        yield from self._in_pieces(tokens)
        if not view.undone:
            yield from self._misspelt(tokens)
        if tokens.unspaced:
            if self._waiting["unspaced"]:
                self._take("unspaced")
            yield from self._in_characters(view)

    def _in_words(self, tokens: TokenText, original: str) -> Iterator[NameMatch]:
        words, view, listed = tokens.words, tokens.view, self._words
        for i, word in enumerate(words):
            seconds = listed.get(word)
            if seconds is None:
                continue
            after = seconds.get(words[i + 1], ()) if i + 1 < len(words) else ()
            for name, who in (*seconds.get("", ()), *after):
                last = i + len(name)
                if len(name) > 2 and tuple(words[i:last]) != name:
                    continue
                if is_place(words, i, last):
                    continue
                if not who.sure and not meant_as_person(tokens, i, original):
                    continue
                start, end = view.original(tokens.spans[i][0], tokens.spans[last - 1][1])
                yield who.matched(start, end, self._styled(who, words, i, last), view.undone)

    @staticmethod
    def _styled(who: _Who, words: list[str], start: int, end: int) -> bool:
        return who.artist and as_style(words, start, end, old=who.kind == "historic")

    def _in_pieces(self, tokens: TokenText) -> Iterator[NameMatch]:
        """Names cut in other places than between their words ("tay lorswift"), above all where spaced letters were
        joined and cut again."""
        words, view = tokens.words, tokens.view
        most, shortest = (9, 6) if "spaced" in view.undone else (3, 8)
        for i, joined in enumerate(words):
            for last in range(i + 1, min(i + most, len(words))):
                joined += words[last]
                if len(joined) > self._longest:
                    break
                entry = self._joined.get(joined)
                if entry is None or len(joined) < shortest or tuple(words[i : last + 1]) == entry[0]:
                    continue
                start, end = view.original(tokens.spans[i][0], tokens.spans[last][1])
                who = entry[1]
                yield who.matched(start, end, self._styled(who, words, i, last + 1), (*view.undone, "split"))

    def _misspelt(self, tokens: TokenText) -> Iterator[NameMatch]:
        words, view = tokens.words, tokens.view
        for first, last, name in self._slips.find(words):
            if is_place(words, first, last):
                continue
            _, who = self._joined["".join(name)]
            start, end = view.original(tokens.spans[first][0], tokens.spans[last - 1][1])
            if self._styled(who, words, first, last):
                yield who.matched(start, end, True, (*view.undone, "misspelt"))
            else:
                yield NameMatch(start, end, MISSPELT_MATCH, who.kind, "fuzzy", (*view.undone, "misspelt"))

    def _in_characters(self, view: View) -> Iterator[NameMatch]:
        # Names are written with and without separators between the parts: 泰勒·斯威夫特, 泰勒斯威夫特.
        text = view.text
        letters, kept = squeezed(text)
        for i, c in enumerate(letters):
            seconds = self._characters.get(c)
            if seconds is None:
                continue
            after = letters[i + 1 : i + 2]
            for name, who in (*seconds.get("", ()), *(seconds.get(after, ()) if after else ())):
                if not letters.startswith(name, i):
                    continue
                first, last = kept[i], kept[i + len(name) - 1]
                if not stands_alone(text, first, last + 1, name, who.sure):
                    continue
                start, end = view.original(first, last + 1)
                style = who.kind == "historic" and as_style_unspaced(text, last + 1)
                yield who.matched(start, end, style, view.undone)


def _is_artist(name: str) -> bool:
    return tuple(name.lower().split()) in name_lists().artists


def _words_of(name: str) -> tuple[str, ...]:
    return tuple(w for w in TokenText(plain(name)).words if w != ",")
