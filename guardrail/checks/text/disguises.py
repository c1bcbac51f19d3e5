"""Disguises, one function each: a reading with the disguise undone, or ``None`` where there is none."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from functools import lru_cache
from string import ascii_lowercase

from guardrail.checks.text.characters import CJK, ELSEWHERE, HAN_KANA, INDIC, LEET, LOOKALIKES, LOOKALIKES_ELSE
from guardrail.checks.text.english import english, is_english
from guardrail.checks.text.hangul import compose_jamo, has_jamo
from guardrail.checks.text.segment import segment
from guardrail.checks.text.views import View, substitute
from guardrail.checks.text.wordlists import common_words, listed_words

__all__ = ["digits", "jamo", "lookalikes", "masked", "spaced", "stretched"]

_TOKEN = re.compile(r"[^\W_]+")
_LOOKALIKE = re.compile(f"[{''.join(LOOKALIKES_ELSE)}]")

# Letters in a row that may be one word.
_LONGEST_WORD = 16
# What a sentence keeps of the marks between its words.
_STOPS = ",.;:!?"
_LETTER = re.compile(r"[a-z0-9@$]")
_GAP_BETWEEN_LETTERS = r"(?:[^\w@$]|_){1,6}"
_SEPARATED = re.compile(rf"(?<![^\W_])(?:[a-z0-9@$]{_GAP_BETWEEN_LETTERS}){{2,}}[a-z0-9@$](?![^\W_])")
_SEPARATED_MIXED = re.compile(_SEPARATED.pattern.replace("a-z", f"a-z{''.join(LOOKALIKES_ELSE)}"))
_LETTER_ELSE = f"[{ELSEWHERE}{INDIC}]"
_SEPARATED_ELSE = re.compile(
    rf"(?<![^\W_{INDIC}])(?:{_LETTER_ELSE}[^\w{ELSEWHERE}{INDIC}]{{1,4}}){{3,}}{_LETTER_ELSE}(?![^\W_{INDIC}])"
)
_GAP_ELSE = re.compile(rf"[^\w{ELSEWHERE}{INDIC}]+")
_SEPARATED_CJK = re.compile(rf"(?<![{CJK}])(?:[{CJK}](?:[^\w,、。，！？：；]|[0-9_]){{1,2}})+[{CJK}](?![{CJK}])")
_INSIDE_CJK = re.compile(rf"(?<=[{CJK}])(?:[^\w\s,、。，！？：；]|[0-9_]){{1,2}}(?=[{CJK}])")
_WIDE_CJK = re.compile(rf"(?<=[{CJK}]) {{2,}}(?=[{CJK}])")
_INSIDE_HAN = re.compile(rf"(?<=[{HAN_KANA}]) {{1,2}}(?=[{HAN_KANA}])")

_SYMBOLS = "".join(re.escape(c) for c in LEET if not c.isalnum())
_LEET_TOKEN = re.compile(rf"[a-z0-9{_SYMBOLS}]+")
_ANY_LEET = re.compile(rf"[0-9{_SYMBOLS}]")
_LEET = re.compile(rf"[a-z][0-9{_SYMBOLS}]|[0-9{_SYMBOLS}][a-z]")
# What people write about pictures anyway: 8k, 3d, 50mm, f1, 1girl, 2nd, 1920x1080, v2, 4th.
_ORDINARY = re.compile(
    r"\d+(?:k|d|mm|cm|px|p|th|st|nd|rd|s|x|girls?|boys?|fps|hz|m|km|kg|mp|am|pm|yo|yrs?|years?|x\d+)"
    r"|[a-z]\d{1,2}|\d+|v\d+|\d+x\d+|[a-z]+!+|[a-z]{4,}\d{1,4}"
)
_MASKED = re.compile(r"(?<![\w*#•●])([a-z]+)([*#•●]{1,3})([a-z]+)(?![\w*#•●])")
_STRETCH = re.compile(r"([^\W\d_])\1{2,}")
_STRETCH_OR_PAIRS = re.compile(r"([^\W\d_])\1\1|([a-z])\2([a-z])\3")
_RUN = re.compile(r"(.)\1*")


def lookalikes(view: View) -> View | None:
    """Letters of other scripts that stand for Latin ones, in tokens that mix scripts or stand alone among Latin ones.

    Russian and Greek texts stay as they are: a token of one script is folded only where nine letters in ten around it
    are Latin (two in three in a very short text), or where it comes out as a listed word.
    """
    if view.text.isascii() or not _LOOKALIKE.search(view.text):
        return None
    latin = sum(c.isascii() and c.isalpha() for c in view.text)
    other = sum(not c.isascii() and c.isalpha() for c in view.text)
    mostly_latin = latin >= 9 * other or (latin + other <= 24 and latin >= 2 * other) or _many_mixed(view.text)

    def change(match: re.Match[str]) -> str | None:
        token = match[0]
        foreign = [c for c in token if c.isalpha() and not c.isascii()]
        if not foreign or not all(c in LOOKALIKES_ELSE for c in foreign):
            return None
        first = "".join(LOOKALIKES.get(c, c) for c in token)
        second = "".join(LOOKALIKES_ELSE.get(c, c) for c in token)
        for folded in (first, second):
            if folded in listed_words():
                return folded
        mixed = any(c.isascii() and c.isalpha() for c in token)
        return (first if first.isascii() else second) if mixed or mostly_latin else None

    def change_letters(match: re.Match[str]) -> str | None:
        # Letters on their own say little; among Latin ones in a row they stand for Latin ones.
        mixed = any(c.isascii() and c.isalpha() for c in match[0])
        return "".join(LOOKALIKES.get(c, c) for c in match[0]) if mixed else None

    found = substitute(view, _SEPARATED_MIXED, change_letters, "look-alikes")
    return substitute(found or view, _TOKEN, change, "look-alikes") or found


def _many_mixed(text: str) -> bool:
    """Whether words of two scripts at once are so many that all of them are in disguise."""
    words = _TOKEN.findall(text)
    mixed = [w for w in words if _LOOKALIKE.search(w) and any(c.isascii() and c.isalpha() for c in w)]
    return len(mixed) >= 2 and 5 * len(mixed) >= len(words)


def jamo(view: View) -> View | None:
    if view.text.isascii() or not has_jamo(view.text):
        return None
    text, sources = compose_jamo(view.text)
    ends = [view.end[i - 1] for i in [*sources[1:], len(view.text)]]
    return View(text, [view.origin[i] for i in sources], ends, (*view.undone, "jamo"))


def spaced(view: View) -> View | None:
    """Spaced letters ("n u d e", "n.u.d.e") and separated syllables joined; long joins are cut into known words."""
    found = substitute(view, _SEPARATED, _join_letters, "spaced")
    if view.text.isascii():
        return found
    changed = found or view
    changed = substitute(changed, _SEPARATED_ELSE, _join_by_gap, "spaced") or changed
    for pattern in (_SEPARATED_CJK, _INSIDE_CJK, _INSIDE_HAN):
        changed = substitute(changed, pattern, _join_syllables, "spaced") or changed
    changed = substitute(changed, _WIDE_CJK, lambda _: " ", "spaced") or changed
    return changed if changed is not view else None


def _join_letters(match: re.Match[str]) -> str | None:
    letters = _LETTER.findall(match[0])
    if sum(c.isalpha() for c in letters) < 3:
        return None
    gaps = _LETTER.split(match[0])[1:-1]
    # Where some gaps are wider than others, the wide ones are the spaces between words; and so is what is not the same
    # where nearly all are.
    usual, times = Counter(gaps).most_common(1)[0]
    alike = 2 * times > len(gaps)
    words, stops = [letters[0]], [""]
    for gap, letter in zip(gaps, letters[1:], strict=True):
        wider = len(gap) > len(usual) or (gap.isspace() and not usual.isspace()) or alike
        if gap != usual and wider:
            stops[-1] = next((c for c in _STOPS if c in gap and c not in usual), "")
            words.append(letter)
            stops.append("")
        else:
            words[-1] += letter
    # Where the gaps tell the words apart they are not cut further, but for what is too long to be one.
    apart = len(words) >= 3 and max(map(len, words)) <= _LONGEST_WORD
    return " ".join((word if apart else _cut(word)) + stop for word, stop in zip(words, stops, strict=True))


def _join_by_gap(match: re.Match[str]) -> str:
    """Letters of a script that is not cut into words here: wider gaps are the spaces."""
    gaps = _GAP_ELSE.findall(match[0])
    usual = Counter(gaps).most_common(1)[0][0]
    return _GAP_ELSE.sub(lambda m: " " if len(m[0]) > len(usual) else "", match[0])


def _cut(letters: str) -> str:
    """`letters` cut into known words; where digits stand among them, as they are cut with letters in their place."""
    swapped = "".join("i" if LEET.get(c) == "1" else LEET.get(c, c) for c in letters)
    if swapped != letters:
        words = segment(swapped).split()
        if not listed_words().isdisjoint(words):
            following = iter(letters)
            return " ".join("".join(itertools.islice(following, len(word))) for word in words)
    return segment(letters)


def _join_syllables(match: re.Match[str]) -> str:
    return "".join(c for c in match[0] if c.isalpha())


def masked(view: View) -> View | None:
    """Letters behind a star ("n*ked"): a listed word, or else an ordinary one, with the letters in their places."""
    if not ("*" in view.text or "#" in view.text or "•" in view.text or "●" in view.text):
        return None

    def change(match: re.Match[str]) -> str | None:
        found = _masks().get(f"{match[1]}{'*' * len(match[2])}{match[3]}")
        if found is None and len(match[2]) == 1:
            # Any word that differs in the one letter; the most common one.
            words = (f"{match[1]}{c}{match[3]}" for c in ascii_lowercase)
            found = min(filter(is_english, words), key=lambda word: english()[word], default=None)
        return found

    return substitute(view, _MASKED, change, "masked")


@lru_cache(maxsize=1)
def _masks() -> dict[str, str]:
    """Listed words by what is left of them when one to three letters in a row, but not the outer ones, are masked."""
    return {
        f"{word[:start]}{'*' * length}{word[start + length :]}": word
        for word in sorted(listed_words(), reverse=True)
        for length in (1, 2, 3)
        for start in range(1, len(word) - length)
    }


def digits(view: View, one: str) -> View | None:
    """Digits and signs that stand for letters; what may be either i or l is `one`."""
    if (
        not _ANY_LEET.search(view.text)
        or not _LEET.search(view.text)
        or (one == "l" and not any(c in view.text for c in "1!|¡"))
    ):
        return None

    def change(match: re.Match[str]) -> str | None:
        token = match[0].rstrip("!|+")
        if token.isalpha() or not any(c.isalpha() for c in token):
            return None
        tail = match[0][len(token) :]
        swapped = "".join(one if LEET.get(c) == "1" else LEET.get(c, c) for c in token)
        bare = token.strip("0123456789")
        for word in (swapped, bare):
            if word in listed_words():
                return word + tail
        if _STRETCH.search(swapped) and _unstretched(swapped):
            return swapped + tail
        either = _either(token) if one == "i" else None
        if either is not None:
            return either + tail
        if swapped in common_words() and "0" in token:
            return swapped + tail
        return None if _ORDINARY.fullmatch(token) else swapped + tail

    return substitute(view, _LEET_TOKEN, change, "digits-for-letters")


def _either(token: str) -> str | None:
    """The listed word that `token` is when some of its signs are i and others l."""
    signs = [i for i, c in enumerate(token) if LEET.get(c) == "1"]
    if not 2 <= len(signs) <= 4:
        return None
    letters = [LEET.get(c, c) for c in token]
    for choice in itertools.product("il", repeat=len(signs)):
        for at, letter in zip(signs, choice, strict=True):
            letters[at] = letter
        if "".join(letters) in listed_words():
            return "".join(letters)
    return None


def stretched(view: View, times: int) -> View | None:
    """Letters written three times or more, written `times` times; the first time also as a listed word has them."""
    if not (_STRETCH_OR_PAIRS if times == 1 else _STRETCH).search(view.text):
        return None

    def change(match: re.Match[str]) -> str | None:
        token = match[0]
        if times == 1 and _STRETCH_OR_PAIRS.search(token):
            word = _unstretched(token)
            if word:
                return word
        return _STRETCH.sub(lambda m: m[1] * times, token)

    return substitute(view, _TOKEN, change, "stretched")


def _unstretched(token: str) -> str | None:
    """The listed word that `token` is when letters in a row are taken for fewer of the same."""
    runs = [(m[1], m.end() - m.start()) for m in _RUN.finditer(token)]
    for word, wanted in _skeletons().get("".join(c for c, _ in runs), ()):
        if all(n >= w for (_, n), w in zip(runs, wanted, strict=True)):
            return word
    return None


@lru_cache(maxsize=1)
def _skeletons() -> dict[str, list[tuple[str, list[int]]]]:
    """Listed words by their letters without repeats, with how often each letter stands there."""
    table: dict[str, list[tuple[str, list[int]]]] = {}
    for word in sorted(listed_words()):
        runs = [(m[1], m.end() - m.start()) for m in _RUN.finditer(word)]
        table.setdefault("".join(c for c, _ in runs), []).append((word, [n for _, n in runs]))
    return table
