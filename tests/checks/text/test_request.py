"""Texts read as a request: negations, lettering in the picture, what is avoided, several prompts of one picture."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.checks.text.classifier.model import PromptScores
from guardrail.checks.text.normalise import read
from guardrail.checks.text.request import LETTERING, meeting, with_lettering, without_lettering
from guardrail.checks.text.sexual import SexualTextCheck, SexualWords
from guardrail.media import Span, TextInput
from tests.budget import examples

from .reading import EXPLICIT, SUGGESTIVE, answer, avoided, score

WORDS = SexualWords()


@lru_cache(maxsize=1)
def sexual() -> SexualTextCheck:
    """The check with a classifier that finds nothing, so that the word lists decide."""
    nothing = SimpleNamespace(scores=lambda readings, listed: PromptScores(0.0, 0.0, 0.0, 0.0, 0.0, False))
    with mock.patch("guardrail.checks.text.sexual.classifier", return_value=nothing):
        return SexualTextCheck()


def listed(text: str) -> float:
    """What the word lists alone say."""
    return WORDS.found(read(text))[0]


# ---- negation

NOT_ASKED_FOR = [
    "not nude",
    "no nudity",
    "without nudity",
    "a fully clothed woman, no nudity",
    "a woman in a park, without any nudity",
    "non-nude portrait",
    "not undressed",
    "not naked but in a red dress",
    "he is not dressed for the weather",
    "a doll not dressed up yet",
    "a table with nothing on the plate",
    "no shirt on the line",
    "누드 아님",
    "누드 아님, 공원의 여자",
    "누드가 아닌 그림",
    "옷을 다 입은 여자",
    "노출 없이",
    "keine Nacktheit, Frau im Park",
    "eine nicht nackte Frau",
    "une femme habillée, pas nue",
    "sans nudité",
    "una mujer no desnuda",
    "sin desnudos",
    "non nuda",
    "sem nudez",
    "без наготы",
    "裸ではない女性",
    "ヌードなし",
    "不要裸体",
    "没有裸露",
    "tidak telanjang",
    "không khỏa thân",
]
ASKED_FOR = [
    "a woman not clothed",
    "a woman who is not dressed",
    "no clothes on",
    "a woman with not a stitch on",
    "a woman without a single piece of clothing",
    "she has nothing on",
    "not wearing any clothes",
    "anything but clothed",
    "isn't not naked",
    "she is not not naked",
    "never not nude",
    "not without nudity",
    "nudity is not excluded",
    "no, nude",
    "not only nude but also wet",
    "not just naked, completely naked",
    "no censorship, nude",
    "옷을 안 입은 여자",
    "옷을 전혀 입지 않은 여자",
    "누드가 아닌 건 아니야",
    "알몸이 아닌 게 아닌 여자",
    "nicht bekleidete Frau",
    "femme pas habillée",
    "mujer no vestida",
    "donna non vestita",
    "mulher não vestida",
    "женщина не одета",
    "giyinik değil",
    "服を着ていない女性",
    "ヌードでないわけではない",
    "没有穿衣服的女人",
    "不是不裸体",
]


@pytest.mark.parametrize("text", NOT_ASKED_FOR)
def test_what_is_negated_is_not_asked_for(text: str) -> None:
    assert listed(text) < SUGGESTIVE


@pytest.mark.parametrize("text", ASKED_FOR)
def test_a_negated_negation_and_negated_clothes_ask_for_it(text: str) -> None:
    assert listed(text) >= EXPLICIT


@pytest.mark.parametrize("text", ["a man not fully clothed", "a woman with no dress on", "nothing underneath her coat"])
def test_half_of_it_is_suggestive(text: str) -> None:
    assert SUGGESTIVE <= listed(text) < EXPLICIT


# ---- lettering

LETTERED = [
    ('a sign that says "nude beach"', "a sign that says  "),
    ('a neon sign reading "NUDES" above a bar', "a neon sign reading   above a bar"),
    ("a T-shirt with the words 'naked truth'", "a T-shirt with the words  "),
    ("a poster titled “Naked” in a hall", "a poster titled   in a hall"),
    ('the words "sexy" on a wall', "the words   on a wall"),
    ('"nude beach"라고 쓰인 간판', " 라고 쓰인 간판"),
    ("「ヌード」と書かれた看板", " と書かれた看板"),
    ("写着“裸体”的牌子", "写着 的牌子"),
    ('un cartel que dice "playa nudista"', "un cartel que dice  "),
    ("un panneau avec le texte «plage nue»", "un panneau avec le texte  "),
    ("Schild mit der Aufschrift „nackt“", "Schild mit der Aufschrift  "),
    ('un cartello con la scritta "nudi"', "un cartello con la scritta  "),
    ("табличка с надписью «голый»", "табличка с надписью  "),
]
QUOTED = [
    'a picture of "naked woman"',
    'a photo of "nude woman" on the bed',
    '"naked woman"',
    "'nude' woman on a bed",
    'a sign that says "naked" woman on the bed',
    'a sign that says "naked woman',
    "a sign that says nude woman",
    'a sign says "x" and "naked woman"',
    'a sign that says "a naked woman spreads her legs wide for all of us"',
    'a woman holding a sign that says "nude", naked',
    'a naked woman with a sign that says "nude beach"',
    'a woman "naked"라고 찍은 사진',
]


@pytest.mark.parametrize(("text", "rest"), LETTERED)
def test_what_is_only_to_be_written_is_read_apart(text: str, rest: str) -> None:
    assert without_lettering(text) == rest
    assert with_lettering(listed(text), listed(rest)) <= LETTERING < EXPLICIT


@pytest.mark.parametrize("text", QUOTED)
def test_a_quote_is_no_way_around(text: str) -> None:
    rest = without_lettering(text)
    assert listed(text) >= EXPLICIT
    assert rest is None or with_lettering(listed(text), listed(rest)) >= EXPLICIT


def test_the_check_reads_lettering_so() -> None:
    assert SUGGESTIVE <= score(sexual(), 'a sign that says "nude beach"') <= LETTERING
    assert score(sexual(), 'a picture of "naked woman"') >= EXPLICIT
    assert score(sexual(), 'a naked woman with a sign that says "nude beach"') >= EXPLICIT


@given(st.text(alphabet="ab \"'“”「」sign says", max_size=60))
def test_lettering_takes_out_quotes_and_nothing_else(text: str) -> None:
    rest = without_lettering(text)
    if rest is not None:
        assert len(rest) < len(text)
        left = iter(text)
        assert all(c in left for c in rest if c != " ")


# ---- what is to be avoided


@pytest.mark.parametrize("text", ["nude, nsfw", "no clothes", "naked people, blurry"])
def test_to_avoid_it_is_harmless(text: str) -> None:
    assert score(sexual(), avoided(text)) < SUGGESTIVE


def test_two_texts_to_be_avoided_are_not_a_prompt() -> None:
    assert meeting([TextInput("a castle"), avoided("take off her"), avoided("dress")]) is None


# ---- several prompts

ACROSS = [
    ("take off her", "dress"),
    ("a na", "ked woman"),
    ("a nu", "de"),
    ("na", "k", "ed woman"),
    ("wearing", "nothing at all"),
    ("알", "몸의 여자"),
    ("누", "드 사진"),
    ("脱掉她的", "衣服"),
    ("裸", "体女人"),
    ("服を脱", "がせて"),
    ("a long castle by the sea, " * 20 + "take off her", "dress " + "and a red sky, " * 20),
]


@pytest.mark.parametrize("parts", ACROSS, ids=range(len(ACROSS)))
def test_a_request_cut_over_prompts_is_found(parts: tuple[str, ...]) -> None:
    texts = [TextInput(t, f"prompt_{i + 1}" if i else "prompt") for i, t in enumerate(parts)]
    assert max(listed(t) for t in parts) < EXPLICIT
    assert score(sexual(), *texts) >= EXPLICIT
    spans = [s for s in answer(sexual(), *texts)[1] if "split over prompts" in s.undone]
    assert len({s.text for s in spans}) >= 2
    assert all(0 <= s.start < s.end <= len(parts[s.text]) for s in spans)


@pytest.mark.parametrize(
    "parts",
    [
        ("a castle at dusk", "oil painting, 8k"),
        ("a castle", "a castle"),
        ("a woman in a red dress", "clothes shop, take a look"),
        ("a photo of a model", "taking off from the airport"),
        ("no", "people"),
        ("성", "관"),
        ("a castle", ""),
    ],
)
def test_prompts_that_meet_by_chance_are_harmless(parts: tuple[str, ...]) -> None:
    assert score(sexual(), *parts) < SUGGESTIVE


def test_the_strictest_prompt_of_an_item_counts() -> None:
    assert score(sexual(), "a castle", TextInput("a naked woman", "prompt_2")) >= EXPLICIT


@settings(max_examples=examples(100))
@given(st.lists(st.text(alphabet="abc 가나裸", max_size=200), max_size=5), st.data())
def test_every_place_of_the_meeting_is_in_its_prompt(texts: list[str], data: st.DataObject) -> None:
    met = meeting([TextInput(t) for t in texts])
    if met is None:
        return
    start = data.draw(st.integers(0, len(met.text) - 1))
    end = data.draw(st.integers(start + 1, len(met.text)))
    for index, a, b in met.parts(start, end):
        assert texts[index][a:b] in met.text[start:end]
    for span in met.spans(Span(0, start, end, "sexual")):
        assert 0 <= span.start < span.end <= len(texts[span.text])


def test_many_long_prompts_are_short_where_they_meet() -> None:
    met = meeting([TextInput(f"{i} " + "x" * 20_000) for i in range(30)])
    assert met is not None
    assert len(met.text) < 30 * 200
