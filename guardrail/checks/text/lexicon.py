"""Finding listed words in the readings of a text.

Words of spaced scripts are looked up by token (with a dictionary on the first token), words of Chinese, Japanese,
Korean and Thai by character. Patterns are regular expressions of the word lists, run over the tokens with single spaces
between them; punctuation stays as a lone comma, so that a pattern does not reach over it. What an exemption covers is
not counted.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from guardrail.checks.text.characters import INDIC, UNSPACED
from guardrail.checks.text.normalise import View, plain
from guardrail.checks.text.wordlists import Section, WordList, common_words

__all__ = ["Hit", "Intervals", "Lexicon", "Term", "TokenText", "is_unspaced", "token_pattern", "tokens_of"]

_TOKEN = re.compile(
    rf"[^\W_{UNSPACED}{INDIC}]+|[{UNSPACED}]+|[{INDIC}]+|[,;:!?()\[\]|，。；：！？、]|(?<=\w{{4}})\.(?=\s|$)"
)
_UNSPACED = re.compile(f"[{UNSPACED}]")
_KATAKANA = re.compile(r"[\u30a1-\u30fa\u30fc]")
_SPLITTERS = frozenset("._-*/|~+·•")
# Short words of other languages in the Latin script, which stand beside each other by chance (Spanish "por no").
_SHORT_FOREIGN = frozenset(
    """a al am an ana au ba ca che chi cho co con cu da de del den der des di do du e el em en er es est et eu fa fe fi
    ga gia go ha han he het i ia ich il in ir is ist ja je ka ke khi la las le les li lo los lui ma mas me mi mir mit mo
    mon na ne ni nie no non nos nu o och ode on or os ou pa pas pe per pi po por pour pra pro que qui ra re sa san se
    sem ser si sie sin so son su sua sub sur ta tan te thi to tra tu tua un una und une uno va van ver vi vo von vor vos
    voz wa xa xe xin xo y ya yo za ze zo zu zur""".split()  # noqa: SIM905 - a word list reads best as one
)


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


class Intervals:
    """Half-open ranges, asked whether one of them covers another range; a look-up costs a binary search."""

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(ranges)
        self._starts = [a for a, _ in ordered]
        # The furthest end of all ranges that begin here or before.
        self._reach = list(itertools.accumulate((b for _, b in ordered), max))

    def cover(self, start: int, end: int) -> bool:
        at = bisect.bisect_right(self._starts, start)
        return at > 0 and self._reach[at - 1] >= end


class TokenText:
    """The tokens of a view, joined with single spaces, with a map back to the view."""

    def __init__(self, view: View) -> None:
        self.view = view
        words: list[str] = []
        spans: list[tuple[int, int]] = []
        for match in _TOKEN.finditer(view.text):
            token = match[0]
            # All that can follow a word character here are letters, digits and marks.
            words.append(token if token.isalnum() or len(token) > 1 else ",")
            spans.append(match.span())
        self.words = words
        self.spans = spans
        self.joined = " ".join(words)
        self.unspaced = not view.text.isascii() and _UNSPACED.search(view.text) is not None
        # Where each word begins in `joined`.
        self.starts = list(itertools.accumulate((len(w) + 1 for w in words), initial=0))[:-1]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Range in the original text behind ``joined[start:end]``."""
        first = bisect.bisect_right(self.starts, start) - 1
        last = bisect.bisect_left(self.starts, end) - 1
        inner = start - self.starts[first]
        left = self.spans[first][0] + min(inner, self.spans[first][1] - self.spans[first][0] - 1)
        tail = end - self.starts[last]
        right = min(self.spans[last][0] + tail, self.spans[last][1])
        return self.view.original(left, max(right, left + 1))


@lru_cache(maxsize=32)
def tokens_of(view: View) -> TokenText:
    """The tokens of `view`, made once for all checks that ask."""
    return TokenText(view)


class Lexicon:
    """Word lists of several languages, compiled.

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
            tokens = tuple(m[0] for m in _TOKEN.finditer(text))
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
                if joined in strong and not self._by_chance(tokens, i, i + count):
                    span = tokens.spans[i][0], tokens.spans[i + count - 1][1]
                    yield Hit(*view.original(*span), strong[joined], (*view.undone, "split"))

    @staticmethod
    def _by_chance(tokens: TokenText, start: int, end: int) -> bool:
        """Whether the pieces are words of their own. A mark instead of a space ("nu_de") is put there on purpose, but
        a forgotten space after a full stop is not, so ordinary English words stay what they are."""
        gaps = [tokens.view.text[a[1] : b[0]] for a, b in itertools.pairwise(tokens.spans[start:end])]
        if gaps and all(gap in _SPLITTERS for gap in gaps):
            return all(w in common_words() for w in tokens.words[start:end])
        return _ordinary(tokens.words, start, end)

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


def token_pattern(phrase: str) -> str:
    """A pattern that finds exactly this phrase, read as texts are read: no case, no marks, single spaces, and one sort
    of punctuation."""
    text = plain(phrase).text
    if is_unspaced(text):
        return re.escape(text.strip())
    return re.escape(TokenText(plain(phrase)).joined.strip(", "))


def is_unspaced(text: str) -> bool:
    return _UNSPACED.search(text) is not None


def _same_run(a: str, b: str) -> bool:
    """Whether two neighbours belong to one word: both Hangul, or both katakana."""
    if _KATAKANA.match(b):
        return _KATAKANA.match(a) is not None
    return "\uac00" <= a <= "\ud7a3" and "\uac00" <= b <= "\ud7a3"


def _ordinary(words: Sequence[str], start: int, end: int) -> bool:
    """Whether the words at this place are all ordinary ones: English ones, or short foreign ones in foreign words."""
    pieces = words[start:end]
    common = common_words()
    if all(w in common for w in pieces):
        return True
    if not all(w in common or w in _SHORT_FOREIGN for w in pieces):
        return False
    around = [w for w in (*words[max(0, start - 12) : start], *words[end : end + 12]) if w.isalpha()]
    return 2 * sum(w in common for w in around) <= len(around)


def _either(patterns: Sequence[str], *, words: bool) -> re.Pattern[str] | None:
    if not patterns:
        return None
    union = "|".join(patterns)
    return re.compile(rf"(?<![^ ])(?:{union})(?![^ ])" if words else union)
