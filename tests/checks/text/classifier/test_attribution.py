"""Which words a score hangs on: found, no more of them than needed, within bounds."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from guardrail.checks.text.classifier.attribution import (
    blanked,
    remaining,
    responsible,
    until,
    words_without_which,
)
from guardrail.errors import CheckError


def score(text: str) -> float:
    """Two words that matter, one more than the other."""
    return 0.9 * ("red" in text) + 0.05 * ("blue" in text) if "red" in text else 0.5 * ("blue" in text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a red door", [(2, 5)]),
        ("a red and blue door", [(2, 5), (10, 14)]),
        ("a green door", []),
        ("", []),
    ],
)
def test_the_words_that_the_score_hangs_on(text: str, expected: list[tuple[int, int]]) -> None:
    assert [found[:2] for found in responsible(text, score, harmless=0.4)] == expected


def test_it_stops_where_nothing_helps() -> None:
    assert len(responsible("a b c d e f g h i j k l", lambda _: 1.0, harmless=0.4, most=5)) == 5


# ---- for a whole text, long ones too


def needs(*words: str) -> Callable[[str], float]:
    """Harmful while all of the words are there."""
    return lambda text: 0.9 if all(word in remaining(text).split() for word in words) else 0.1


def any_of(*words: str) -> Callable[[str], float]:
    """More harmful the more of the words are there."""
    return lambda text: min(0.3 + 0.15 * sum(word in remaining(text).split() for word in words), 1.0)


FILLER = "tree " * 200


@pytest.mark.parametrize(
    ("text", "score", "expected"),
    [
        ("a red door", needs("red"), ["red"]),
        ("a red door", needs("green"), []),
        ("a red and blue door", needs("red", "blue"), ["red"]),  # one of the two is enough
        ("a red and blue door", any_of("red", "blue"), ["red", "blue"]),
        ("a red blue door", any_of("red", "blue"), ["red blue"]),  # side by side they are one place
        ("", needs("red"), []),
        # Wherever it stands in a long text.
        (f"red {FILLER}", needs("red"), ["red"]),
        (f"{FILLER}red {FILLER}", needs("red"), ["red"]),
        (f"{FILLER}red", needs("red"), ["red"]),
        (f"red {FILLER}blue", any_of("red", "blue"), ["red", "blue"]),
    ],
)
def test_the_fewest_words_without_which_it_is_harmless(
    text: str, score: Callable[[str], float], expected: list[str]
) -> None:
    places = words_without_which(text, score, harmless=0.4)
    assert places is not None
    assert [text[a:b] for a, b in places] == expected
    assert score(blanked(text, places)) < 0.4


def test_a_word_that_later_ones_make_needless_is_put_back() -> None:
    scores = {"abc": 0.9, "bc": 0.7, "ac": 0.8, "ab": 0.8, "c": 0.6, "b": 0.6, "a": 0.1, "": 0.0}
    found = words_without_which("a b c", lambda t: scores["".join(remaining(t).split())], harmless=0.4)
    assert found == [(2, 5)]  # "a" fell first, and stays


def test_where_no_few_words_matter_there_are_none() -> None:
    assert words_without_which("a b c d e f g h i j k l", lambda _: 1.0, harmless=0.4) is None
    assert words_without_which("...", lambda _: 1.0, harmless=0.4) is None


@pytest.mark.parametrize("length", [12, 60, 500])
def test_it_is_bounded_in_runs(length: int) -> None:
    runs = 0

    def score(_: str) -> float:
        nonlocal runs
        runs += 1
        return 1.0

    assert words_without_which("word " * length, score, harmless=0.4) is None
    assert runs <= 8 * 60 + length // 30 + 10


def test_it_is_bounded_in_time() -> None:
    with pytest.raises(CheckError, match="not found in time"):
        words_without_which("a red door", until(time.monotonic() - 1, needs("red")), harmless=0.4)


@pytest.mark.parametrize(
    ("text", "gone", "left"),
    [
        ("a red door", [(2, 5)], "a door"),
        ("red", [(0, 3)], ""),
        ("a red, blue door", [(2, 5), (7, 11)], "a, door"),
        ("a  wide gap", [], "a  wide gap"),
    ],
)
def test_what_is_taken_out_leaves_the_rest_in_its_place(text: str, gone: list[tuple[int, int]], left: str) -> None:
    assert len(blanked(text, gone)) == len(text)
    assert remaining(blanked(text, gone)) == left
