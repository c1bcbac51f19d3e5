"""The plain implementation of `Lexicon`, which the fast one has to agree with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from guardrail.checks.text.lexicon import (
    Hit,
    Intervals,
    Lexicon,
    Term,
    TokenText,
    _same_run,
    is_unspaced,
    tokens_of,
)
from guardrail.checks.text.normalise import View, plain
from guardrail.checks.text.tokens import _TOKEN as TOKEN
from guardrail.checks.text.wordlists import Section, WordList

__all__ = ["SlowLexicon"]


class SlowLexicon:
    """What `Lexicon` finds, by running every pattern over every text.

    Args:
        lists: the files to use together.
        loosest_disguised: in readings of disguised text only terms of at least this weight count: nobody disguises
            "bikini".
    """

    def __init__(self, lists: Iterable[WordList], *, loosest_disguised: float = 0.4) -> None:
        self._loosest = loosest_disguised
        self._words: dict[str, list[tuple[tuple[str, ...], Term]]] = {}
        self._unspaced: dict[str, list[tuple[str, bool, bool, Term]]] = {}
        # Phrases of scripts that need no spaces, by their letters: 가슴노출 for 가슴 노출.
        self._phrases: dict[str, Term] = {}
        self._strong: dict[str, Term] = {}
        self._spaced_patterns: list[tuple[re.Pattern[str], Term]] = []
        self._unspaced_patterns: list[tuple[re.Pattern[str], Term]] = []
        exempt: tuple[list[str], list[str]] = ([], [])
        context: tuple[list[str], list[str]] = ([], [])
        for words in lists:
            for section in words.sections:
                self._add(section)
            for pattern in words.exempt:
                exempt[is_unspaced(pattern)].append(pattern)
            for word in words.context:
                context[is_unspaced(word)].append(re.escape(plain(word).text))
        for entries in self._words.values():
            entries.sort(key=lambda e: -len(e[0]))
        joined = sorted(map(re.escape, self._phrases), key=len, reverse=True)
        self._joined_phrase = re.compile(rf"(?<![가-힣])(?:{'|'.join(joined)})") if joined else None
        self._spaced_exempt, self._unspaced_exempt = _either(exempt[0], words=True), _either(exempt[1], words=False)
        self._spaced_context, self._unspaced_context = _either(context[0], words=True), _either(context[1], words=False)

    def _add(self, section: Section) -> None:
        for line in section.lines:
            term = Term(section.name, section.weight, section.lowered, line)
            if section.pattern:
                if is_unspaced(line):
                    self._unspaced_patterns.append((re.compile(line), term))
                else:
                    self._spaced_patterns.append((re.compile(rf"(?<![^ ])(?:{line})(?![^ ])"), term))
                continue
            head, tail = line.startswith("^"), line.endswith("$")
            text = plain(line.removeprefix("^").removesuffix("$")).text
            if is_unspaced(text):
                self._unspaced.setdefault(text[0], []).append((text, head, tail, term))
                if " " in text and not head and not tail:
                    self._phrases.setdefault(text.replace(" ", ""), term)
                continue
            tokens = tuple(m[0] for m in TOKEN.finditer(text))
            self._words.setdefault(tokens[0], []).append((tokens[1:], term))
            if len(tokens) == 1 and section.weight >= 0.7 and len(text) >= 4:
                self._strong[text] = term

    # ---- finding

    def hits(self, views: Sequence[View]) -> tuple[list[Hit], bool]:
        """All hits in all readings of one text, and whether a [context] word stands in it."""
        found: dict[tuple[int, int, str], Hit] = {}
        context = False
        for view in views:
            tokens = tokens_of(view)
            context = context or self._in_context(tokens)
            matches = [hit for hit in self._matches(tokens) if not (view.undone and hit.term.weight < self._loosest)]
            if not matches:
                continue
            exempt = Intervals(self.exempted(tokens))
            for hit in matches:
                if not exempt.cover(hit.start, hit.end):
                    # The plainest reading of the same place wins.
                    found.setdefault((hit.start, hit.end, hit.term.name), hit)
        return list(found.values()), context

    def _in_context(self, tokens: TokenText) -> bool:
        if self._spaced_context is not None and self._spaced_context.search(tokens.joined):
            return True
        if not tokens.unspaced or self._unspaced_context is None:
            return False
        return self._unspaced_context.search(tokens.view.text) is not None

    def exempted(self, tokens: TokenText) -> Iterator[tuple[int, int]]:
        """Ranges of the original text that an [exempt] pattern covers."""
        if self._spaced_exempt is not None:
            for match in self._spaced_exempt.finditer(tokens.joined):
                yield tokens.original(*match.span())
        if self._unspaced_exempt is not None and tokens.unspaced:
            for match in self._unspaced_exempt.finditer(tokens.view.text):
                yield tokens.view.original(*match.span())

    def _matches(self, tokens: TokenText) -> Iterator[Hit]:
        view = tokens.view
        yield from self._token_matches(tokens)
        if self._strong:
            yield from self._split_matches(tokens)
        for pattern, term in self._spaced_patterns:
            for match in pattern.finditer(tokens.joined):
                yield Hit(*tokens.original(*match.span()), term, view.undone)
        if tokens.unspaced:
            yield from self._character_matches(view)
            for pattern, term in self._unspaced_patterns:
                for match in pattern.finditer(view.text):
                    yield Hit(*view.original(*match.span()), term, view.undone)

    def _token_matches(self, tokens: TokenText) -> Iterator[Hit]:
        words, view = tokens.words, tokens.view
        for i, word in enumerate(words):
            for rest, term in self._words.get(word, ()):
                if not rest or tuple(words[i + 1 : i + 1 + len(rest)]) == rest:
                    start, end = tokens.spans[i][0], tokens.spans[i + len(rest)][1]
                    yield Hit(*view.original(start, end), term, view.undone)

    def _split_matches(self, tokens: TokenText) -> Iterator[Hit]:
        """Strong words cut in two or three ("na ked", "un-dress"), where not all pieces are ordinary words."""
        words, view, strong = tokens.words, tokens.view, self._strong
        for i in range(len(words) - 1):
            pair = words[i] + words[i + 1]
            triple = pair + words[i + 2] if i + 2 < len(words) else ""
            for count, joined in ((2, pair), (3, triple)):
                if joined in strong and not Lexicon._by_chance(tokens, i, i + count):
                    span = tokens.spans[i][0], tokens.spans[i + count - 1][1]
                    yield Hit(*view.original(*span), strong[joined], (*view.undone, "split"))

    def _character_matches(self, view: View) -> Iterator[Hit]:
        text = view.text
        for i, c in enumerate(text):
            for word, head, tail, term in self._unspaced.get(c, ()):
                if not text.startswith(word, i):
                    continue
                end = i + len(word)
                if head and i and _same_run(text[i - 1], c):
                    continue
                if tail and end < len(text) and _same_run(text[end], text[end - 1]):
                    continue
                yield Hit(*view.original(i, end), term, view.undone)
        if self._joined_phrase is not None:
            for match in self._joined_phrase.finditer(text):
                yield Hit(*view.original(*match.span()), self._phrases[match[0]], view.undone)


def _either(patterns: Sequence[str], *, words: bool) -> re.Pattern[str] | None:
    if not patterns:
        return None
    union = "|".join(patterns)
    return re.compile(rf"(?<![^ ])(?:{union})(?![^ ])" if words else union)
