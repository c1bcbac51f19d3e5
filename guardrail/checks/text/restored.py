"""A whole sentence read back: every word of it misspelt, without vowels, inside junk letters or written together.

Explicit words by themselves are restored elsewhere (`spellings`); this is for what only the sentence gives away. Only
texts in English are read so, and only where many of their words are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from guardrail.checks.text.english import english
from guardrail.checks.text.segment import pieces
from guardrail.checks.text.views import View, substitute

__all__ = ["load", "restored"]

_WORD = re.compile(r"(?<![^\W_])[a-z]+(?![^\W_])")
# Odd words among those up to so many places away: at least two, and that share of them.
_NEAR, _LEAST_WORDS, _LEAST_SHARE = 6, 2, 0.23
# Of the odd words that many must be found again.
_FOUND_SHARE = 0.6
_SURE_ALONE, _FOUND_ALONE, _RARE = 3, 0.75, 6_000
_JUNK = "(?:x{1,3}|z{1,3}|q{1,3})"
_IN_JUNK = re.compile(f"{_JUNK}(.{{3,}}?){_JUNK}")
# Longer ones are several words written together.
_LONGEST = 16
_VOWELS = frozenset("aeiou")
# Small words of other languages in Latin script: what has more of these than of the English ones is not English.
_OTHERS = frozenset(
    """de la el en una un que con los las del por para di il che e con per della una uno nel com em uma do da no na os
    der die das und ein eine mit von auf im den dem le les des et une dans sur avec du au yang dan dengan di untuk
    tidak boleh tanpa ada ini itu dari ke ad al alla su tra fra zu zum zur aus bei nicht ohne sin sobre entre sem sob
    ate sans chez veya icin gibi bu khong la pada seorang bir ve ile cua mot va trong voi nguoi co""".split()  # noqa: SIM905
)
_ENGLISH = frozenset(
    "an and are at by for from her his is it my not of out she the to up with".split()  # noqa: SIM905
)


def load() -> None:
    """Make the tables, which takes a fifth of a second."""
    _by_consonants()
    _by_deletion()


def restored(view: View) -> View | None:
    """The reading in which odd words are what they most likely are; ``None`` where too few are odd, or are found."""
    words = _WORD.findall(view.text)
    known = english()
    odd = [word not in known and len(word) >= 2 for word in words]
    # Disguised words stand together, whatever harmless text is put around them.
    around = [sum(odd[max(0, i - _NEAR) : i + _NEAR + 1]) for i in range(len(words))] if any(odd) else []
    least = min(len(words), 2 * _NEAR + 1) * _LEAST_SHARE
    doubtful = {
        word
        for word, is_odd, near in zip(words, odd, around, strict=bool(around))
        if is_odd and ((near >= _LEAST_WORDS and near >= least) or len(word) > _LONGEST)
    }
    small = set(words)
    ours, others = len(small & _ENGLISH), len(small & _OTHERS)
    if not doubtful or others > ours:
        return None
    found = {word: meant for word in doubtful if (meant := _meant(word)) is not None}
    # Without a single word of English to go by, everything has to fall into place.
    plain = sum(known.get(meant, _RARE) < _RARE for meant in found.values())
    sure = (
        len(found) >= _FOUND_SHARE * len(doubtful) if ours else plain >= max(_SURE_ALONE, _FOUND_ALONE * len(doubtful))
    )
    if not sure and not any(len(word) > _LONGEST for word in found):
        return None
    return substitute(view, _WORD, lambda m: found.get(m[0]), "misspelt")


def _meant(word: str) -> str | None:
    known = english()
    junk = _IN_JUNK.fullmatch(word)
    if junk is not None and junk[1] in known:
        return junk[1]
    if len(word) <= _LONGEST:
        options = sorted({(known[option], option) for option in _options(word)})
        if options:
            return options[0][1]
    if len(word) > _LONGEST:
        cut = pieces(word)
        if sum(len(piece) for piece in cut if piece in known) >= 0.85 * len(word) and len(cut) <= len(word) / 2.5:
            return " ".join(cut)
    return None


def _options(word: str) -> Iterator[str]:
    """Words that `word` may be: without its vowels, or with one slip inside of it."""
    if len(word) >= 2 and _VOWELS.isdisjoint(word[1:]):
        meant = _by_consonants().get(word)
        if meant is not None:
            yield meant
            return
    if len(word) < 4:
        return
    known, shorter = english(), _by_deletion()
    yield from shorter.get(word, ())
    for i in range(1, len(word) - 1):
        without = word[:i] + word[i + 1 :]
        if without in known and len(without) >= 4:
            yield without
        swapped = word[:i] + word[i + 1] + word[i] + word[i + 2 :]
        if swapped in known:
            yield swapped
        # Another letter in its place.
        for other in shorter.get(without, ()):
            if len(other) == len(word) and other[:i] == word[:i] and other[i + 1 :] == word[i + 1 :]:
                yield other


@lru_cache(maxsize=1)
def _by_consonants() -> Mapping[str, str]:
    """The most common word of each row of consonants."""
    table: dict[str, str] = {}
    for word, _ in sorted(english().items(), key=lambda item: (item[1], item[0])):
        if len(word) >= 4:
            bare = word[0] + "".join(c for c in word[1:] if c not in _VOWELS)
            if bare != word:
                table.setdefault(bare, word)
    return table


@lru_cache(maxsize=1)
def _by_deletion() -> Mapping[str, tuple[str, ...]]:
    """Words by what is left of them without one inner letter (the symmetric deletion of Garbe's SymSpell, 2012)."""
    table: dict[str, tuple[str, ...]] = {}
    for word in english():
        if 4 <= len(word) <= _LONGEST:
            for left in {word[:i] + word[i + 1 :] for i in range(1, len(word) - 1)}:
                table[left] = (*table.get(left, ()), word)
    return table
