"""Which strong word of the lists a word may be: its vowels left out, letters swapped or doubled, turned around, rotated
by thirteen places, written together with others or inside junk letters.

Words that are not ordinary English are looked up in a table made from the strong words. What is also a word or a name
of its own is left out of the table.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterator
from functools import lru_cache

from guardrail.checks.text.segment import pieces, segment
from guardrail.checks.text.wordlists import common_words, languages, listed_words, load_list, name_words

__all__ = ["Found", "backwards", "found", "inner_words", "ordinary", "rot13"]

_LETTERS = re.compile("[A-Z]?[a-z]{5,60}|[A-Z]{6,60}")
_LONGEST_STRONG = 18
_JUNK = "(?:x{1,3}|z{1,3}|q{1,3})?"
_IN_JUNK = re.compile(f"{_JUNK}(.{{4,}}?){_JUNK}")
# Longer words are not kept in memory; nobody writes them twice.
_LONGEST_KEPT = 40
# Written without vowels these are read by everybody; other words need four letters to be recognised.
_SHORT = {"nkd": "naked", "prn": "porn", "fck": "fuck"}
# From this length on a word is more than one.
_TWO_WORDS = 14
_SHORT_WORDS = frozenset(
    {"a", "an", "as", "at", "by", "he", "in", "is", "it", "my", "no", "of", "on", "or", "so", "to", "we"}
)
# Words and names of their own that a respelling of a strong word would be. Found in benign prompts.
_OTHERS = frozenset(
    """bares bass brass chor crampi denude despe despida despido despidos despire flacon gents golay mithun nacken nang
    nange ngan ngon orgs parts peene peins penerima pennisi pens proc pubescent pubs
    rimangono semna waking waning""".split()  # noqa: SIM905 - a word list reads best as one
)

Found = tuple[str, str]  # what was done to a word, and the word


def _languages() -> Iterator[str]:
    # What is already a spelling is not respelt: "oppa" is a brother.
    return (language for language in languages("sexual") if language not in ("romanised", "emoji"))


def _strong_of(language: str) -> Iterator[str]:
    for section in load_list("sexual", language).sections:
        if not section.pattern and section.weight >= 0.7:
            yield from (w for w in section.lines if w.isascii() and w.isalpha() and len(w) >= 4)


@lru_cache(maxsize=1)
def _strong() -> frozenset[str]:
    """Single Latin words of at least four letters that are explicit by themselves, in any language."""
    return frozenset(itertools.chain.from_iterable(map(_strong_of, _languages())))


@lru_cache(maxsize=1)
def _gluable() -> frozenset[str]:
    """Those that are looked for inside others; four letters of a language make too many words of another one."""
    return frozenset(word for word in _strong() if len(word) >= 5) | frozenset(_strong_of("en"))


@lru_cache(maxsize=1)
def ordinary() -> frozenset[str]:
    """What needs no second look: ordinary English, listed words, names of public figures."""
    return common_words() | listed_words() | name_words()


@lru_cache(maxsize=1)
def _starts() -> frozenset[str]:
    return frozenset(word[:4] for word in _gluable())


def rot13(word: str) -> str:
    """Every letter thirteen places on."""
    return codecs.encode(word, "rot13")


def backwards(word: str) -> str:
    """The last letter first."""
    return word[::-1]


def _spellings(word: str) -> Iterator[tuple[str, str]]:
    """What `word` may be written as, and what was done to it."""
    yield rot13(word), "rot13"
    yield backwards(word), "reversed"
    yield from ((word[:i] + word[i - 1 :], "misspelt") for i in range(1, len(word)))
    if len(word) < 5:
        return
    yield from ((word[:i] + word[i + 1] + word[i] + word[i + 2 :], "misspelt") for i in range(1, len(word) - 1))
    vowels = [i for i, c in enumerate(word) if i and c in "aeiou"]
    # Of many vowels only all can be left out; else the table doubles with each.
    most = range(1, len(vowels) + 1) if len(vowels) <= 4 else (len(vowels),)
    for left_out in itertools.chain.from_iterable(itertools.combinations(vowels, n) for n in most):
        rest = "".join(c for i, c in enumerate(word) if i not in left_out)
        # Four letters may come from five or six, not from eight.
        if len(rest) >= 5 or len(word) <= 6:
            yield rest, "misspelt"
    if len(word) >= 7:
        yield from ((word[:i] + word[i + 1 :], "misspelt") for i in range(1, len(word) - 1))


@lru_cache(maxsize=1)
def _table() -> dict[str, Found]:
    table: dict[str, Found] = {short: ("misspelt", word) for short, word in _SHORT.items()}
    for word in sorted(_strong()):
        for spelling, undone in _spellings(word):
            if len(spelling) >= 4 and spelling not in ordinary() and spelling not in _OTHERS:
                table.setdefault(spelling, (undone, word))
    return table


def found(word: str) -> Found | None:
    """What `word` is a spelling of; ``None`` for a word like any other."""
    return _looked_up(word) if len(word) <= _LONGEST_KEPT else _look_up(word)


def _look_up(word: str) -> Found | None:
    known = _table().get(word)
    if known is not None or len(word) < 6:
        return known
    core = _IN_JUNK.fullmatch(word) if word[0] in "xzq" or word[-1] in "xzq" else None
    if core is not None and core[1] != word and core[1] in ordinary():
        return "glued", core[1]
    return _parted(word)


_looked_up = lru_cache(maxsize=1 << 14)(_look_up)


def _parted(word: str) -> Found | None:
    """A strong word written together with others, or a whole phrase: only words of three letters or more, and a few
    shorter ones in what is too long to be one word."""
    starts = _starts()
    long = len(word) >= _TWO_WORDS
    if word in _OTHERS or not (long or any(word[i : i + 4] in starts for i in range(len(word) - 3))):
        return None
    cut = pieces(word)
    known = ordinary()
    sure = [(len(p) >= 3 and p in known) or (long and p in _SHORT_WORDS) for p in cut]
    for i, piece in enumerate(cut):
        if piece in _gluable() and all(sure[max(0, i - 1) : i + 2]):
            return "glued", segment(word)
    letters = sum(len(p) for p, yes in zip(cut, sure, strict=True) if yes)
    return ("glued", segment(word)) if long and len(cut) >= 3 and letters >= 0.85 * len(word) else None


def inner_words(name: str) -> str:
    """The name of a file or an embedding with strong words at the ends of its parts set apart ("easynude_v1")."""
    return _LETTERS.sub(lambda m: _edge(m[0]), name)


def _edge(part: str) -> str:
    small = part.lower()
    for length in range(min(_LONGEST_STRONG, len(part) - 2), 3, -1):
        if small[:length] in _gluable():
            return f"{part[:length]} {part[length:]}"
        # Uranus and Janus are no hint.
        if small[-length:] in _gluable() and small[-length:] != "anus":
            return f"{part[:-length]} {part[-length:]}"
    return part
