"""Finding listed words in the readings of a text.

Words of spaced scripts are looked up by token (with a dictionary on the first token), words of Chinese, Japanese and
Korean by character. Patterns are regular expressions of the word lists, run over the tokens with single spaces between
them; punctuation stays as a lone comma, so that a pattern does not reach over it. What an exemption covers is not
counted.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from guardrail.checks.text.characters import CJK
from guardrail.checks.text.normalise import View
from guardrail.checks.text.wordlists import Section, WordList, common_words

__all__ = ["Hit", "Lexicon", "Term", "TokenText"]

_TOKEN = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+|[,;:!?()\[\]\n|，。；：！？、]|(?<=\w{{4}})\.(?=\s|$)")
_HAS_CJK = re.compile(f"[{CJK}]")
_KATAKANA = re.compile(r"[\u30a1-\u30fa\u30fc]")


@dataclass(frozen=True, slots=True)
class Term:
    """An entry of a word list."""

    section: str
    weight: float
    lowered: float
    name: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A listed word in a text: where in the original, which entry, what had to be undone to read it."""

    start: int
    end: int
    term: Term
    undone: tuple[str, ...]


class TokenText:
    """The tokens of a view, joined with single spaces, with a map back to the view."""

    def __init__(self, view: View) -> None:
        self.view = view
        words: list[str] = []
        spans: list[tuple[int, int]] = []
        for match in _TOKEN.finditer(view.text):
            token = match[0]
            words.append(token if token.isalnum() else ",")
            spans.append(match.span())
        self.words = words
        self.spans = spans
        self.joined = " ".join(words)
        starts: list[int] = []
        at = 0
        for word in words:
            starts.append(at)
            at += len(word) + 1
        self._starts = starts

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Range in the original text behind ``joined[start:end]``."""
        first = bisect.bisect_right(self._starts, start) - 1
        last = bisect.bisect_left(self._starts, end) - 1
        inner = start - self._starts[first]
        left = self.spans[first][0] + min(inner, self.spans[first][1] - self.spans[first][0] - 1)
        tail = end - self._starts[last]
        right = min(self.spans[last][0] + tail, self.spans[last][1])
        return self.view.original(left, max(right, left + 1))


class Lexicon:
    """Word lists of several languages, compiled.

    Args:
        lists: the files to use together.
        loosest: in readings of disguised text only terms of at least this weight count: nobody disguises "bikini".
    """

    def __init__(self, lists: Iterable[WordList], *, loosest_disguised: float = 0.4) -> None:
        self._loosest = loosest_disguised
        self._words: dict[str, list[tuple[tuple[str, ...], Term]]] = {}
        self._cjk: dict[str, list[tuple[str, bool, bool, Term]]] = {}
        self._strong: dict[str, Term] = {}
        self._latin_patterns: list[tuple[re.Pattern[str], Term]] = []
        self._cjk_patterns: list[tuple[re.Pattern[str], Term]] = []
        latin_exempt: list[str] = []
        cjk_exempt: list[str] = []
        latin_context: list[str] = []
        cjk_context: list[str] = []
        for words in lists:
            for section in words.sections:
                self._add(section)
            for pattern in words.exempt:
                (cjk_exempt if _HAS_CJK.search(pattern) else latin_exempt).append(pattern)
            for word in words.context:
                (cjk_context if _HAS_CJK.search(word) else latin_context).append(re.escape(word))
        for entries in self._words.values():
            entries.sort(key=lambda e: -len(e[0]))
        self._latin_exempt = _either(latin_exempt, words=True)
        self._cjk_exempt = _either(cjk_exempt, words=False)
        self._latin_context = _either(latin_context, words=True)
        self._cjk_context = _either(cjk_context, words=False)

    def _add(self, section: Section) -> None:
        for line in section.lines:
            term = Term(section.name, section.weight, section.lowered, line)
            if section.pattern:
                if _HAS_CJK.search(line):
                    self._cjk_patterns.append((re.compile(line), term))
                else:
                    self._latin_patterns.append((re.compile(rf"(?<![^ ])(?:{line})(?![^ ])"), term))
                continue
            head, tail = line.startswith("^"), line.endswith("$")
            text = line.removeprefix("^").removesuffix("$")
            if _HAS_CJK.search(text):
                self._cjk.setdefault(text[0], []).append((text, head, tail, term))
                continue
            tokens = tuple(text.split())
            self._words.setdefault(tokens[0], []).append((tokens[1:], term))
            if len(tokens) == 1 and section.weight >= 0.7 and len(text) >= 4:
                self._strong[text] = term

    # ---- finding

    def hits(self, views: Sequence[View]) -> tuple[list[Hit], bool]:
        """All hits in all readings of one text, and whether a [context] word stands in it."""
        found: dict[tuple[int, int, str], Hit] = {}
        context = False
        for view in views:
            tokens = TokenText(view)
            cjk = not view.text.isascii() and _HAS_CJK.search(view.text) is not None
            context = context or self._in_context(tokens, view, cjk)
            exempt = list(self.exempted(tokens, view))
            for hit in self._matches(tokens, view, cjk):
                if view.undone and hit.term.weight < self._loosest:
                    continue
                if any(a <= hit.start and hit.end <= b for a, b in exempt):
                    continue
                # The plainest reading of the same place wins.
                found.setdefault((hit.start, hit.end, hit.term.name), hit)
        return list(found.values()), context

    def _in_context(self, tokens: TokenText, view: View, cjk: bool) -> bool:
        latin = self._latin_context is not None and self._latin_context.search(tokens.joined) is not None
        return latin or (cjk and self._cjk_context is not None and self._cjk_context.search(view.text) is not None)

    def exempted(self, tokens: TokenText, view: View) -> Iterator[tuple[int, int]]:
        """Ranges of the original text that an [exempt] pattern covers."""
        if self._latin_exempt is not None:
            for match in self._latin_exempt.finditer(tokens.joined):
                yield tokens.original(*match.span())
        if self._cjk_exempt is not None and not view.text.isascii():
            for match in self._cjk_exempt.finditer(view.text):
                yield view.original(*match.span())

    def _matches(self, tokens: TokenText, view: View, cjk: bool) -> Iterator[Hit]:
        yield from self._token_matches(tokens, view)
        yield from self._split_matches(tokens, view)
        for pattern, term in self._latin_patterns:
            for match in pattern.finditer(tokens.joined):
                yield Hit(*tokens.original(*match.span()), term, view.undone)
        if cjk:
            yield from self._character_matches(view)
            for pattern, term in self._cjk_patterns:
                for match in pattern.finditer(view.text):
                    yield Hit(*view.original(*match.span()), term, view.undone)

    def _token_matches(self, tokens: TokenText, view: View) -> Iterator[Hit]:
        words = tokens.words
        for i, word in enumerate(words):
            for rest, term in self._words.get(word, ()):
                if not rest or tuple(words[i + 1 : i + 1 + len(rest)]) == rest:
                    start, end = tokens.spans[i][0], tokens.spans[i + len(rest)][1]
                    yield Hit(*view.original(start, end), term, view.undone)

    def _split_matches(self, tokens: TokenText, view: View) -> Iterator[Hit]:
        """Strong words cut in two or three ("na ked", "un-dress"), where not all pieces are ordinary words."""
        words = tokens.words
        for i in range(len(words) - 1):
            pair = words[i] + words[i + 1]
            for count, joined in ((2, pair), (3, pair + words[i + 2] if i + 2 < len(words) else "")):
                term = self._strong.get(joined)
                if term is not None and not all(w in common_words() for w in words[i : i + count]):
                    span = tokens.spans[i][0], tokens.spans[i + count - 1][1]
                    yield Hit(*view.original(*span), term, (*view.undone, "split"))

    def _character_matches(self, view: View) -> Iterator[Hit]:
        text = view.text
        for i, c in enumerate(text):
            for word, head, tail, term in self._cjk.get(c, ()):
                if not text.startswith(word, i):
                    continue
                end = i + len(word)
                if head and i and _same_run(text[i - 1], c):
                    continue
                if tail and end < len(text) and _same_run(text[end], text[end - 1]):
                    continue
                yield Hit(*view.original(i, end), term, view.undone)


def _same_run(a: str, b: str) -> bool:
    """Whether two neighbours belong to one word: both Hangul, both katakana, or both of another script."""
    if _KATAKANA.match(b):
        return _KATAKANA.match(a) is not None
    return "\uac00" <= a <= "\ud7a3" and "\uac00" <= b <= "\ud7a3"


def _either(patterns: Sequence[str], *, words: bool) -> re.Pattern[str] | None:
    if not patterns:
        return None
    union = "|".join(patterns)
    return re.compile(rf"(?<![^ ])(?:{union})(?![^ ])" if words else union)
