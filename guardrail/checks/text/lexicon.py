"""Finding listed words in the readings of a text.

Words of spaced scripts are looked up by token (with a dictionary on the first token), words of Chinese, Japanese,
Korean and Thai by character. Patterns are regular expressions of the word lists, run over the tokens with single spaces
between them; punctuation stays as a lone comma, so that a pattern does not reach over it. What an exemption covers is
not counted. Only patterns that a text has anchors for are run (`anchors`), which is most of what makes this fast.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from guardrail.checks.text.normalise import View, plain
from guardrail.checks.text.patterns import Patterns
from guardrail.checks.text.sieve import Sieve
from guardrail.checks.text.tokens import TokenText, is_unspaced, tokens_of, words_of
from guardrail.checks.text.wordlists import Section, WordList, common_words, languages, load_list

__all__ = [
    "Hit",
    "Intervals",
    "Lexicon",
    "Term",
    "TokenText",
    "is_unspaced",
    "shipped",
    "token_pattern",
    "tokens_of",
]

_KATAKANA = re.compile(r"[\u30a1-\u30fa\u30fc]")
# Whether something is looked for by character rather than by word.
_SIDES = (False, True)
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


def _term(section: Section, line: str) -> Term:
    return Term(section.name, section.weight, section.lowered, line)


# A term of a script without spaces, whether a word must begin and must end with it, and its entry.
_Characters = tuple[str, bool, bool, Term]


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


class Lexicon:
    """Word lists of several languages, compiled.

    Args:
        lists: the files to use together.
        loosest_disguised: in readings of disguised text only terms of at least this weight count: nobody disguises
            "bikini".
    """

    def __init__(self, lists: Iterable[WordList], *, loosest_disguised: float = 0.4) -> None:
        self._loosest = loosest_disguised
        lists = list(lists)
        self._words: dict[str, list[Term]] = {}
        # Terms of several words, by the first two of them.
        self._longer: dict[str, list[tuple[list[str], Term]]] = {}
        self._unspaced: dict[str, list[_Characters]] = {}
        # Phrases of scripts that need no spaces, by their letters: 가슴노출 for 가슴 노출.
        self._phrases: dict[str, Term] = {}
        self._strong: dict[str, Term] = {}
        sections = [section for words in lists for section in words.sections]
        for section in sections:
            if not section.pattern:
                self._add(section)
        for longer in self._longer.values():
            longer.sort(key=lambda e: -len(e[0]))
        # Both by the first two characters of a place in a text; the longest phrase first.
        self._heads = _by_head(self._unspaced)
        self._phrase_heads: dict[str, list[str]] = {}
        for phrase in sorted(self._phrases, key=len, reverse=True):
            self._phrase_heads.setdefault(phrase[:2], []).append(phrase)
        # Of each two the first is for words, the second for characters.
        patterns = [_term(section, line) for section in sections if section.pattern for line in section.lines]
        self._pattern_terms = [[term for term in patterns if is_unspaced(term.name) is side] for side in _SIDES]
        self._patterns = [Patterns([t.name for t in self._pattern_terms[side]], words=not side) for side in _SIDES]
        exempt = [pattern for words in lists for pattern in words.exempt]
        self._exempt = [Patterns([p for p in exempt if is_unspaced(p) is side], words=not side) for side in _SIDES]
        context = [(is_unspaced(word), plain(word).text) for words in lists for word in words.context]
        self._context = [
            Sieve([frozenset({f" {word} "}) for unspaced, word in context if not unspaced], words=True),
            Sieve([frozenset({word}) for unspaced, word in context if unspaced], words=False),
        ]

    def load(self) -> None:
        """Compile now what is otherwise compiled when a text first needs it: about a millisecond a pattern."""
        for patterns in (*self._patterns, *self._exempt):
            patterns.load()

    def _add(self, section: Section) -> None:
        for line, text in zip(section.lines, _plain_lines(section.lines), strict=True):
            term = _term(section, line)
            if is_unspaced(text):
                head, tail = line.startswith("^"), line.endswith("$")
                self._unspaced.setdefault(text[0], []).append((text, head, tail, term))
                if " " in text and not head and not tail:
                    self._phrases.setdefault(text.replace(" ", ""), term)
                continue
            tokens = words_of(text)
            if len(tokens) > 1:
                self._longer.setdefault(f"{tokens[0]} {tokens[1]}", []).append((tokens[2:], term))
                continue
            self._words.setdefault(tokens[0], []).append(term)
            if section.weight >= 0.7 and len(text) >= 4:
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
        spaced, unspaced = self._context
        return bool(spaced.passed(tokens.by_word) or (tokens.unspaced and unspaced.passed(tokens.by_character)))

    def exempted(self, tokens: TokenText) -> Iterator[tuple[int, int]]:
        """Ranges of the original text that an [exempt] pattern covers."""
        spaced, unspaced = self._exempt
        for start, end in spaced.ranges(tokens.by_word):
            yield tokens.original(start, end)
        if tokens.unspaced:
            for start, end in unspaced.ranges(tokens.by_character):
                yield tokens.view.original(start, end)

    def _matches(self, tokens: TokenText) -> Iterator[Hit]:
        view = tokens.view
        yield from self._token_matches(tokens)
        if self._strong:
            yield from self._split_matches(tokens)
        (spaced, unspaced), (terms, unspaced_terms) = self._patterns, self._pattern_terms
        for at, start, end in spaced.matches(tokens.by_word):
            yield Hit(*tokens.original(start, end), terms[at], view.undone)
        if tokens.unspaced:
            yield from self._character_matches(tokens)
            for at, start, end in unspaced.matches(tokens.by_character):
                yield Hit(*view.original(start, end), unspaced_terms[at], view.undone)

    def _token_matches(self, tokens: TokenText) -> Iterator[Hit]:
        view, pairs = tokens.view, tokens.pairs
        longer = {} if self._longer.keys().isdisjoint(pairs) else self._longer
        if not longer and self._words.keys().isdisjoint(tokens.words):
            return
        for i, word in enumerate(tokens.words):
            if longer and i < len(pairs):
                for rest, term in longer.get(pairs[i], ()):
                    if not rest or tokens.words[i + 2 : i + 2 + len(rest)] == rest:
                        start, end = tokens.spans[i][0], tokens.spans[i + 1 + len(rest)][1]
                        yield Hit(*view.original(start, end), term, view.undone)
            for term in self._words.get(word, ()):
                yield Hit(*view.original(*tokens.spans[i]), term, view.undone)

    def _split_matches(self, tokens: TokenText) -> Iterator[Hit]:
        """Strong words cut in two or three ("na ked", "un-dress"), where not all pieces are ordinary words."""
        words, view, strong = tokens.words, tokens.view, self._strong
        if strong.keys().isdisjoint(tokens.glued):
            return
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

    def _character_matches(self, tokens: TokenText) -> Iterator[Hit]:
        view, text, heads = tokens.view, tokens.view.text, self._heads
        if not heads.keys().isdisjoint(tokens.by_character.pairs):
            for i, c in enumerate(text):
                for word, head, tail, term in heads.get(text[i : i + 2]) or heads.get(c, []):
                    if not text.startswith(word, i):
                        continue
                    end = i + len(word)
                    if head and i and _same_run(text[i - 1], c):
                        continue
                    if tail and end < len(text) and _same_run(text[end], text[end - 1]):
                        continue
                    yield Hit(*view.original(i, end), term, view.undone)
        if not self._phrase_heads.keys().isdisjoint(tokens.by_character.pairs):
            yield from self._joined_phrases(view)

    def _joined_phrases(self, view: View) -> Iterator[Hit]:
        """Phrases without their spaces, the longest at a place, where they do not begin within a Hangul word."""
        text, reached = view.text, 0
        for i in range(len(text)):
            phrases = self._phrase_heads.get(text[i : i + 2])
            if phrases is None or i < reached or (i and "\uac00" <= text[i - 1] <= "\ud7a3"):
                continue
            phrase = next((p for p in phrases if text.startswith(p, i)), None)
            if phrase is not None:
                reached = i + len(phrase)
                yield Hit(*view.original(i, reached), self._phrases[phrase], view.undone)


@lru_cache(maxsize=8)
def shipped(kind: str, loosest_disguised: float = 0.4) -> Lexicon:
    """The shipped lists of one kind in all languages, made once in a process: a lexicon does not change."""
    return Lexicon((load_list(kind, language) for language in languages(kind)), loosest_disguised=loosest_disguised)


def token_pattern(phrase: str) -> str:
    """A pattern that finds exactly this phrase, read as texts are read: no case, no marks, single spaces, and one sort
    of punctuation."""
    text = plain(phrase).text
    if is_unspaced(text):
        return re.escape(text.strip())
    return re.escape(TokenText(plain(phrase)).joined.strip(", "))


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


def _plain_lines(lines: Sequence[str]) -> list[str]:
    """The terms as texts are read, without the signs at their ends."""
    bare = [line.removeprefix("^").removesuffix("$") for line in lines]
    # All at once is some ten times faster; no term has a bar.
    together = plain("|".join(bare)).text.split("|")
    return together if len(together) == len(bare) else [plain(line).text for line in bare]


def _by_head(unspaced: Mapping[str, list[_Characters]]) -> dict[str, list[_Characters]]:
    """By the first two characters of a place in a text, the terms that may stand there; `unspaced` has them by the
    first one."""
    found: dict[str, list[_Characters]] = {}
    for entries in unspaced.values():
        for head in dict.fromkeys(text[:2] for text, *_ in entries):
            found[head] = [entry for entry in entries if head.startswith(entry[0][:2])]
    return found
