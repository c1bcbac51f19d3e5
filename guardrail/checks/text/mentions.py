"""People who are mentioned without a name: the lists of relations, of roles, and of references to the given image.

A list is compiled when a text may need it for the first time: one with a [context] names there words of which each of
its patterns needs one, and one in a script without spaces needs that script.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files

from guardrail.checks.text.characters import HAN_KANA, HANGUL, INDIC
from guardrail.checks.text.lexicon import Hit, Intervals, Lexicon, tokens_of
from guardrail.checks.text.normalise import View
from guardrail.checks.text.wordlists import WordList, languages, load_list

__all__ = ["Mentions"]

_SECTION = re.compile(r"^\[([a-z]+)([^\]\n]*)\]$", re.MULTILINE)
_MACRO = re.compile(r"<([a-z]+)>")
# Hangul, Thai, Chinese and Japanese, Cyrillic, Arabic, the scripts of India.
_SCRIPTS = tuple(
    re.compile(f"[{letters}]")
    for letters in (HANGUL, "\u0e01-\u0e7f", HAN_KANA, "\u0400-\u052f", "\u0600-\u06ff", INDIC)
)


class Mentions:
    """The lists of one kind in all languages."""

    def __init__(self, kind: str) -> None:
        self._lists = [_Listed(kind, language) for language in languages(kind)]

    def hits(self, view: View) -> Iterator[Hit]:
        """Where somebody is mentioned in one reading of a text."""
        tokens = tokens_of(view)
        words = frozenset(tokens.words)
        found: list[Hit] = []
        for listed in self._lists:
            if listed.needed(view.text, words):
                found += listed.lexicon.hits([view])[0]
        if found:
            exempt = Intervals(self._exemptions.exempted(tokens))
            yield from (hit for hit in found if not exempt.cover(hit.start, hit.end))

    @cached_property
    def _exemptions(self) -> Lexicon:
        # What is nobody in one language is not found through the words of another either ("ex libris").
        exempt = tuple(line for listed in self._lists for line in listed.exempt)
        return Lexicon([WordList("exempt", (), exempt)])

    def load(self) -> None:
        """Compile all of it, whatever texts come."""
        for listed in self._lists:
            _ = listed.lexicon
        _ = self._exemptions


@dataclass
class _Listed:
    """One list; what decides whether it is needed is read at once, without compiling any of it.

    Attributes:
        context: words of which a text needs one; empty where there is no such section.
        exempt: patterns.
        script: finds the letters that stand in each of its lines, if there is such a script.
    """

    kind: str
    language: str

    def __post_init__(self) -> None:
        text = files("guardrail.checks.text").joinpath("lists", f"{self.kind}.{self.language}.txt").read_text("utf-8")
        _, *parts = _SECTION.split(text)
        sections = [(name, argument, _lines(body)) for name, argument, body in _threes(parts)]
        macros = {argument: "".join(lines) for name, argument, lines in sections if name == "macro"}
        terms: list[str] = []
        self.context: frozenset[str] = frozenset()
        self.exempt: tuple[str, ...] = ()
        for name, _, lines in sections:
            if name == "context":
                self.context = frozenset(lines)
            elif name != "macro":
                lines = [_MACRO.sub(lambda m: macros[m[1]], line) for line in lines]
                if name == "exempt":
                    self.exempt = tuple(lines)
                else:
                    terms += lines
        self.script = next((script for script in _SCRIPTS if terms and all(map(script.search, terms))), None)

    def needed(self, text: str, words: frozenset[str]) -> bool:
        """Whether something of it can stand in this text."""
        if self.script is not None and (text.isascii() or not self.script.search(text)):
            return False
        return not self.context or not self.context.isdisjoint(words)

    @cached_property
    def lexicon(self) -> Lexicon:
        return Lexicon([replace(load_list(self.kind, self.language), context=(), exempt=())])


def _threes(parts: list[str]) -> Iterator[tuple[str, str, str]]:
    return zip(parts[::3], (p.strip() for p in parts[1::3]), parts[2::3], strict=True)


def _lines(body: str) -> list[str]:
    return [line for line in map(str.strip, body.splitlines()) if line and line[0] != "#"]
