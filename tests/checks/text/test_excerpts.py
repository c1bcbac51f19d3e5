"""Long texts: one reading as a whole, of the others what is changed."""

from __future__ import annotations

import pytest

from guardrail.checks.text.excerpts import AROUND, LONG, MOST_TIMES, excerpts
from guardrail.checks.text.normalise import plain, read
from guardrail.checks.text.views import View
from guardrail.errors import CheckError
from tests.checks.text.reading import WordsAlone, score

PROSE = "a red house by the sea with a garden and a gate. "


def prose(characters: int) -> str:
    return (PROSE * (characters // len(PROSE) + 1))[:characters]


def changed(text: str, at: int, new: str) -> View:
    whole = plain(text)
    return View(text[:at] + new + text[at + len(new) :], whole.origin, whole.end, ("a change",))


def test_short_texts_are_whole() -> None:
    text = prose(LONG)
    views = (plain(text), changed(text, 700, "blue"))
    assert excerpts(views) == views


def test_of_a_long_text_the_change_is_kept_with_its_surroundings() -> None:
    text = prose(8_000)
    first, other = excerpts((plain(text), changed(text, 4_000, "BLUE")))
    assert first.text == text
    assert other.text == text[4_000 - AROUND : 4_000] + "BLUE" + text[4_004 : 4_004 + AROUND]
    start, end = other.original(AROUND, AROUND + 4)
    assert (start, end) == (4_000, 4_004)


def test_changes_far_apart_are_two_excerpts() -> None:
    text = prose(8_000)
    both = changed(changed(text, 1_000, "BLUE").text, 7_000, "LILA")
    _, other = excerpts((plain(text), both))
    assert other.text.count("\n") == 1
    assert len(other.text) < 5 * AROUND
    assert [text[slice(*other.original(other.text.index(w), other.text.index(w) + 4))] for w in ("BLUE", "LILA")] == [
        text[1_000:1_004],
        text[7_000:7_004],
    ]


def test_what_is_left_out_counts_as_a_change() -> None:
    text = prose(3_000)
    whole = plain(text)
    shorter = View(text[:1_500] + text[1_501:], [*range(1_500), *range(1_501, 3_000)], whole.end[1:])
    _, other = excerpts((whole, shorter))
    assert AROUND <= len(other.text) <= 2 * AROUND + 2


@pytest.mark.parametrize("kept", [slice(1, None), slice(0, -1)], ids=["at the beginning", "at the end"])
def test_what_is_left_out_at_an_end_counts_too(kept: slice) -> None:
    text = prose(3_000)
    whole = plain(text)
    shorter = View(text[kept], whole.origin[kept], whole.end[kept])
    _, other = excerpts((whole, shorter))
    assert AROUND <= len(other.text) <= AROUND + 1


def test_a_reading_that_runs_backwards_is_kept_whole() -> None:
    text = prose(3_000)
    whole = plain(text)
    back = View(text[::-1], whole.origin[::-1], whole.end[::-1], ("reversed",), backwards=True)
    assert len(excerpts((whole, back))[1].text) == len(text)


def test_too_much_disguise_in_a_very_long_text_is_refused() -> None:
    text = prose(19_000)
    # Each differs from all the others everywhere.
    others = [changed(text, 0, letter * 19_000) for letter in "abcdef"[: MOST_TIMES + 1]]
    with pytest.raises(CheckError, match="too much of a very long text is in disguise"):
        excerpts([plain(text), *others])
    assert len(excerpts([plain(text), *others[:2]])) == 3


@pytest.mark.parametrize("hidden", ["n u d e", "nud3", "n*de", "ekac nudе"])
@pytest.mark.parametrize("at", [0, 5_000, 9_900])
def test_a_word_in_disguise_is_found_wherever_it_stands(hidden: str, at: int) -> None:
    text = prose(10_000)
    assert score(WordsAlone(), f"{text[:at]} {hidden} {text[at:]}") >= 0.7
    assert len(read(f"{text[:at]} {hidden} {text[at:]}")) > 1
