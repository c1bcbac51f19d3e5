"""Whole sentences read back."""

from __future__ import annotations

from random import Random

import pytest

from guardrail.bench.attacks import FAMILIES
from guardrail.checks.text.english import english, is_english
from guardrail.checks.text.normalise import plain, read
from guardrail.checks.text.restored import restored
from guardrail.checks.text.segment import pieces, segment

SENTENCE = "a portrait of the painter with a yellow umbrella, standing on the bridge in the morning"


def back(text: str) -> str:
    found = restored(plain(text))
    return text if found is None else found.text


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("the pntr with a yllw umbrll by the rvr", "the painter with a yellow umbrella by the river"),
        ("a paintr with the yelow umbrela and a brigde", "a painter with the yellow umbrella and a bridge"),
        ("the xpainterx with a qqyellowqq zumbrellaz", "the painter with a yellow umbrella"),
        ("apainterwithayellowumbrella", "a painter with a yellow umbrella"),
        ("yellow umbrella", "yellow umbrella"),
    ],
)
def test_what_is_meant(typed: str, meant: str) -> None:
    assert back(typed) == meant


@pytest.mark.parametrize(
    "text",
    [
        SENTENCE,
        "una mujer con un paraguas amarillo en el puente por la mañana",
        "eine Malerin mit gelbem Regenschirm auf der Brücke am Morgen",
        "ninfa in riva al fiume, acquerello",
        "kral masalı, suluboya",
        "portrait of Jessica Miller by a window",
        "노란 우산을 쓴 화가",
    ],
)
def test_what_stays(text: str) -> None:
    assert restored(plain(text)) is None


@pytest.mark.parametrize("family", ["typo", "vowel_drop", "affixed", "glued"])
def test_most_of_a_disguised_sentence_comes_back(family: str) -> None:
    hidden = FAMILIES[family](SENTENCE.replace(",", ""), Random(3))
    wanted = set(SENTENCE.replace(",", "").split())
    found = set(back(hidden).split())
    assert len(wanted & found) >= 0.7 * len(wanted)
    assert len(wanted & set(hidden.split())) < 0.7 * len(wanted)


def test_a_disguise_among_much_that_is_harmless_is_seen() -> None:
    typed = f"{SENTENCE}. the pntr with a yllw umbrll by the rvr. {SENTENCE}"
    assert "the painter with a yellow umbrella by the river" in back(typed)


def test_places_point_at_what_was_typed() -> None:
    typed = "the pntr with a yllw umbrll by the rvr"
    found = restored(plain(typed))
    assert found is not None
    at = found.text.index("yellow")
    start, end = found.original(at, at + len("yellow"))
    assert typed[start:end] == "yllw"


def test_letters_apart_keep_their_words_and_stops() -> None:
    typed = ".".join("apainter") + " " + ".".join("onabridge")
    assert read("t.h.e p.a.i.n.t.e.r, a y.e.l.l.o.w u.m.b.r.e.l.l.a")[-1].text == "the painter, a yellow umbrella"
    assert any(view.text == "a painter on a bridge" for view in read(typed))


def test_words_have_ranks() -> None:
    ranks = english()
    assert ranks["the"] < ranks["bridge"] < 20_000
    assert is_english("bridges")
    assert not is_english("brdg")


@pytest.mark.parametrize(
    ("letters", "cut"),
    [("redhousebytheriver", "red house by the river"), ("umbrella", "umbrella"), ("qzxv", "qzxv")],
)
def test_letters_are_cut_into_words(letters: str, cut: str) -> None:
    assert segment(letters) == cut
    assert "".join(pieces(letters)) == letters
