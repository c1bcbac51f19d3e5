"""Finding words: tokens, characters, patterns, exemptions, words cut in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.checks.text.lexicon import Intervals, Lexicon, TokenText
from guardrail.checks.text.normalise import plain, read
from guardrail.checks.text.sexual import combine
from guardrail.checks.text.wordlists import parse_list
from tests.budget import examples

LIST = """
[strong 0.90]
naked
strip tease
裸体
^누드
ヌード$
[middle 0.60]
sultry
[low 0.45]
lacy
[weak 0.25]
corset
[topic 0.60 0.25]
sex trade
[act 0.80 pattern]
take off (?:her|his) (?:coat|hat)
脱(?:掉|下)(?:衣服|裤子)
[context]
museum
教育
[exempt]
naked (?:eye|mole rats?)
裸体(?=主义)
"""


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon([parse_list("test.en.txt", LIST)])


def hits(lexicon: Lexicon, text: str) -> list[str]:
    return sorted(text[h.start : h.end] for h in lexicon.hits(read(text))[0])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a naked man", ["naked"]),
        ("NAKED!", ["NAKED"]),
        ("nakedness snaked", []),  # words, no parts of words
        ("a strip tease", ["strip tease"]),
        ("strip, tease", []),  # not over punctuation
        ("strip\ntease", ["strip\ntease"]),  # a new line is a space
        ("strip-tease strip_tease", ["strip-tease", "strip_tease"]),
        ("the naked eye and naked mole rats", []),
        ("the naked eye of a naked man", ["naked"]),
        ("naked, eye", ["naked"]),  # an exemption does not reach over punctuation either
        ("她的裸体照片", ["裸体"]),
        ("裸体主义", []),
        ("누드 사진", ["누드"]),
        ("카누드라이브", []),  # ^: where a Hangul word begins
        ("ヌード", ["ヌード"]),
        ("ヌードルを食べる", []),  # $: where a katakana word ends
        ("take off her coat", ["take off her coat"]),
        ("take off the coat", []),
        ("她脱掉衣服了", ["脱掉衣服"]),
        ("na ked man", ["na ked"]),
        ("a na-k-ed man", ["na-k-ed"]),
        ("sul try", []),  # only strong words are put together from pieces
    ],
)
def test_what_is_found(lexicon: Lexicon, text: str, found: list[str]) -> None:
    assert hits(lexicon, text) == found


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("the tea is hot, pen is blue", False),  # ordinary words beside each other
        ("my pen.is blue", False),  # a forgotten space after a full stop
        ("pe nis drawing", True),
        ("pe.nis", True),
        ("por no me gusta la casa y el perro", False),  # short words of another language
        ("por.no", True),  # a mark in the place of a space is put there on purpose
    ],
)
def test_pieces_count_where_they_are_no_words(text: str, split: bool) -> None:
    lexicon = Lexicon([parse_list("x", "[s 0.9]\npenis\nporno")])
    assert bool(hits(lexicon, text)) is split


def test_the_plainest_reading_of_a_place_is_the_one_reported(lexicon: Lexicon) -> None:
    (hit,) = lexicon.hits(read("naked n u d e"))[0]
    assert (hit.start, hit.undone) == (0, ())


def test_weak_words_in_disguise_do_not_count(lexicon: Lexicon) -> None:
    assert hits(lexicon, "a corset") == ["corset"]
    assert hits(lexicon, "a c o r s e t") == []
    assert hits(lexicon, "a s u l t r y look") == ["s u l t r y"]


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("a lighthouse", 0.0),
        ("naked", 0.90),
        ("naked and sultry", 0.90),
        ("corset", 0.25),
        ("corset corset corset", 0.25),  # each word once
        ("lacy corset", 1 - 0.55 * 0.75),
        ("sultry, lacy corset", 0.65),  # words that are not explicit stay under what is
        ("sex trade", 0.60),
        ("sex trade in the museum", 0.25),  # a word of context
        ("性教育 sex trade", 0.25),
        ("naked in the museum", 0.90),  # which explicit words do not heed
    ],
)
def test_scores(lexicon: Lexicon, text: str, score: float) -> None:
    assert combine(*lexicon.hits(read(text))) == pytest.approx(score)


def test_weak_words_stay_under_what_is_suggestive() -> None:
    lexicon = Lexicon([parse_list("x", "[weak 0.25]\nred\ngreen\nblue\npink")])
    assert combine(*lexicon.hits(read("red green blue pink"))) == pytest.approx(0.35)


def test_a_word_counts_in_its_longest_reading() -> None:
    lexicon = Lexicon([parse_list("x", "[a 0.45]\nred\n[b 0.25]\nred wine")])
    assert combine(*lexicon.hits(read("red wine"))) == pytest.approx(0.25)
    assert combine(*lexicon.hits(read("red"))) == pytest.approx(0.45)


def test_patterns_see_words_with_single_spaces() -> None:
    assert TokenText(plain("Take   off—her\tCOAT, (now). A dot.com")).joined == "take off her coat , , now , a dot com"


@settings(max_examples=examples(200), deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)).map(lambda p: (p[0], p[0] + p[1])), max_size=8),
    st.integers(0, 30),
    st.integers(1, 8),
)
def test_intervals_cover_what_one_of_them_covers(ranges: list[tuple[int, int]], start: int, length: int) -> None:
    end = start + length
    assert Intervals(ranges).cover(start, end) is any(a <= start and end <= b for a, b in ranges)


@settings(max_examples=examples(200), deadline=None)
@given(st.text(st.sampled_from("naked eye.,- 裸体主누드ヌル掉衣服脱"), max_size=40))
def test_hits_lie_in_the_text(text: str) -> None:
    lexicon = Lexicon([parse_list("test.en.txt", LIST)])
    assert all(0 <= h.start < h.end <= len(text) for h in lexicon.hits(read(text))[0])
