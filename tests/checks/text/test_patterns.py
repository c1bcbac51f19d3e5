"""Running the patterns of the lists: which, over what, and for how long at worst."""

from __future__ import annotations

import os
import re
import time
from functools import cache
from random import Random

import pytest

from guardrail.checks.text.lexicon import Lexicon, TokenText
from guardrail.checks.text.normalise import plain
from guardrail.checks.text.patterns import Patterns
from guardrail.checks.text.sieve import Parts, Sieve
from guardrail.checks.text.tokens import is_unspaced
from guardrail.checks.text.wordlists import languages, load_list
from tests.checks.text.strings import drawn

NIGHTLY = os.environ.get("GUARDRAIL_NIGHTLY") == "1"
KINDS = ("sexual", "minors", "relations", "references", "roles", "clothing", "adults", "fictional")
# What a text may be long before it is refused (`media.request`).
LONGEST = 20_000


def parts(text: str) -> Parts:
    return TokenText(plain(text)).by_word


@pytest.mark.parametrize(
    ("sources", "text", "found"),
    [
        (["red robe"], "a red robe", [(0, "red robe")]),
        (["red robe"], "a bored robe", []),
        (["robe", "red robe"], "red robe robe", [(0, "robe"), (0, "robe"), (1, "red robe")]),
        (["^red"], "red red", [(0, "red")]),
        (["red$"], "red red", [(0, "red")]),
        (["(?<! )robe"], "robe robe", [(0, "robe")]),
        (["(?<!red )robe"], "robe red robe", [(0, "robe")]),
        ([r"\w+"], "a b", [(0, "a"), (0, "b")]),
    ],
)
def test_matches(sources: list[str], text: str, found: list[tuple[int, str]]) -> None:
    assert [(at, text[a:b]) for at, a, b in Patterns(sources, words=True).matches(parts(text))] == found


@pytest.mark.parametrize(
    ("sources", "text"),
    [
        (["red", "red robe"], "a red robe"),
        (["red robe", "red"], "a red robe red"),
        (["robe a", "red robe"], "red robe a red robe a"),
        (["a a", "a"], "a a a a a"),
        (["a", "a a", "b"], "b a a b a"),
    ],
)
def test_ranges_are_those_of_one_pattern(sources: list[str], text: str) -> None:
    union = re.compile(rf"(?<![^ ])(?:{'|'.join(sources)})(?![^ ])")
    assert list(Patterns(sources, words=True).ranges(parts(text))) == [m.span() for m in union.finditer(text)]


def test_a_sieve_lets_through_what_may_match() -> None:
    sieve = Sieve([frozenset({" red "}), frozenset({" rob", "own "}), None, frozenset({" red robe "})], words=True)
    assert sieve.passed(parts("a red gown")) == [0, 1, 2]
    assert sieve.passed(parts("red robes")) == [0, 1, 2]
    assert sieve.passed(parts("red robe")) == [0, 1, 2, 3]
    assert sieve.passed(parts("a bored probe")) == [2]
    assert Sieve([frozenset({"裸体"}), frozenset({"体"})], words=False).passed(Parts("裸の体")) == [1]


def test_load_compiles_what_is_otherwise_compiled_later() -> None:
    lexicon = Lexicon([load_list("sexual", "en")])
    lexicon.load()


def _longest(unit: str) -> str:
    return (" " + unit * (LONGEST // len(unit) + 1))[:LONGEST]


def _units(source: str, rng: Random) -> set[str]:
    """What an attacker repeats to keep a pattern busy: what it matches, all but the end of it, and parts of it."""
    whole = drawn(source, rng)
    words = whole.split(" ")
    units = {f"{whole} ", f"{whole[:-1]} ", f"{words[0]} ", words[0], f"{' '.join(words[: len(words) // 2 + 1])} "}
    return {unit for unit in units if unit.strip()}


@pytest.mark.parametrize("kind", KINDS)
def test_no_pattern_takes_long_over_its_own_words(kind: str) -> None:
    # The slowest takes some 15 ms; one that is quadratic takes half a second. The limit leaves room for a busy machine.
    rng = Random(3)
    for language in languages(kind):
        words = load_list(kind, language)
        for source in [p for section in words.sections if section.pattern for p in section.lines] + [*words.exempt]:
            if not NIGHTLY and not re.search(r"[+*}]", source):
                continue  # no repetition, no run
            pattern = re.compile(source if is_unspaced(source) else rf" (?:{source})(?![^ ])")
            for _ in range(6 if NIGHTLY else 1):
                for unit in sorted(_units(source, rng)):
                    text = _longest(unit)
                    assert _seconds(pattern, text) < 0.15, (source, unit)


def _seconds(pattern: re.Pattern[str], text: str) -> float:
    # The second time counts only where the first was slow: something else may have run.
    for _ in range(3):
        begin = time.process_time()
        for _ in pattern.finditer(text):
            pass
        seconds = time.process_time() - begin
        if seconds < 0.15:
            break
    return seconds


@cache
def shipped() -> Lexicon:
    return Lexicon([load_list("sexual", language) for language in languages("sexual")])


@pytest.mark.parametrize(
    "unit", ["裸", "가", "a", "naked ", "take off her ", "my ", "1", "emoji eggplant ", "的", "の", "ก"]
)
def test_a_lexicon_is_linear(unit: str) -> None:
    lexicon = shipped()
    seconds = []
    for length in (LONGEST // 4, LONGEST):
        view = plain((unit * (length // len(unit)))[:length])
        lexicon.hits([view])
        best = 1.0
        for _ in range(3):
            begin = time.process_time()
            lexicon.hits([view])
            best = min(best, time.process_time() - begin)
        seconds.append(best)
    # Four times the text: some four times as long, where quadratic is sixteen times.
    assert seconds[1] < 10 * seconds[0] + 0.002
    assert seconds[1] < 0.4
