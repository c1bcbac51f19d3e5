"""``prompt.persons``: public figures in their scripts, private people by relation, and who is no person at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.checks.base import CheckSettings
from guardrail.checks.text.figures import public_figures
from guardrail.checks.text.persons import PersonTextCheck
from guardrail.media import Request, TextInput
from guardrail.signals import CORE, Stage

from .reading import answer, avoided, people, persons


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Taylor Swift at a picnic", "Taylor Swift"),
        ("EMMA WATSON, portrait", "EMMA WATSON"),
        ("taylorswift, emma.watson", "taylorswift"),
        ("<lora:emma_watson:0.8>", "emma_watson"),
        ("tay lor swift", "tay lor swift"),
        ("T a y l o r S w i f t", "T a y l o r S w i f t"),
        ("Tayl0r Sw1ft", "Tayl0r Sw1ft"),
        ("Tаylоr Swift", "Tаylоr Swift"),  # Cyrillic а and о
        ("테일러 스위프트가 웃는 사진", "테일러 스위프트"),
        ("테일러스위프트", "테일러스위프트"),
        ("아이유의 콘서트", "아이유"),
        ("김정은 그림", "김정은"),
        ("アリアナ・グランデの写真", "アリアナ・グランデ"),
        ("バイデン大統領", "バイデン"),
        ("泰勒·斯威夫特的照片", "泰勒·斯威夫特"),
        ("泰勒斯威夫特的照片", "泰勒斯威夫特"),
        ("习近平在办公室", "习近平"),
        ("Дональд Трамп", "Дональд Трамп"),
        ("دونالد ترامب", "دونالد ترامب"),
        ("डोनाल्ड ट्रम्प", "डोनाल्ड ट्रम्प"),
        ("the 45th President of the United States", "45th President of the United States"),
        ("Daniel Radcliffe as Harry Potter", "Daniel Radcliffe"),
    ],
)
def test_public_figures(text: str, name: str) -> None:
    assert (name, "public") in people(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # English
        ("a photo of my classmate at the beach", "my classmate"),
        ("my old math teacher", "my old math teacher"),
        ("the girl next door", "the girl next door"),
        ("a girl from my school", "girl from my school"),
        ("the woman in this photo", "the woman in this photo"),
        ("the person in the uploaded picture", "the person in the uploaded picture"),
        ("Mr. Smith in his garden", "Mr. Smith"),
        ("a coworker at a desk", "a coworker"),
        ("undress @jane.doe_99", "@jane.doe_99"),
        # Korean, with particles
        ("우리 반 친구를 그려줘", "우리 반 친구"),
        ("내 전여친 사진", "내 전여친"),
        ("옆집 누나의 얼굴", "옆집 누나"),
        ("이 사진 속 여자", "이 사진 속 여자"),
        ("직장 동료가 웃는다", "직장 동료"),
        # Japanese
        ("同じクラスの女子の絵", "同じクラスの女子"),
        ("俺の元カノの写真", "俺の元カノ"),
        ("職場の先輩を描いて", "職場の先輩"),
        ("この写真の女性", "この写真の女性"),
        # Chinese
        ("我的女同事", "我的女同事"),
        ("隔壁的姐姐", "隔壁的姐姐"),
        ("这张照片里的女人", "这张照片里的女人"),
        ("王老师的画像", "王老师"),
        # Spanish
        ("mi compañera de clase", "mi compañera de clase"),
        ("la chica de esta foto", "la chica de esta foto"),
        ("una compañera de trabajo", "una compañera de trabajo"),
    ],
)
def test_private_people_by_relation(text: str, words: str) -> None:
    assert people(text) == [(words, "private")]


@pytest.mark.parametrize(
    "text",
    [
        # nobody in particular
        "a photo of a woman, a teacher in a classroom",
        "a man, two girls and an old lady",
        "비가 오는 거리의 여자",
        "カフェの女性",
        "街上的女人",
        "una mujer en la calle",
        # no persons
        "my dog and my car",
        "우리나라 지도, 우리 강아지",
        "うちの猫",
        "我家的狗",
        "mother nature, father christmas",
        "shot @50mm f1.8, mail to studio@example.com",
        # fiction
        "Harry Potter on a broom",
        "Sherlock Holmes with a pipe",
        "Mr. Bean, Dr. Strange and Miss Piggy",
        "Mrs. Claus",
        # long dead
        "Julius Caesar, Abraham Lincoln and Marcus Aurelius",
        "George Washington crossing the river",
        # places and things
        "Trump Tower at night",
        "a trump card",
        "the Mona Lisa",
        # words that are names elsewhere
        "rain on a window, portrait of a cat",
        "Rain on the street",
        "나비와 비",
        "the edge of the table, pink and green",
    ],
)
def test_nobody(text: str) -> None:
    assert people(text) == []


@pytest.mark.parametrize(
    ("word", "alone", "meant"),
    [
        ("Rain", "Rain over the city", "portrait of Rain, singer"),
        ("Lisa", "a cup with Lisa on it", "Lisa of Blackpink"),
        ("비", "비가 오는 거리", "가수 비 콘서트"),
    ],
)
def test_single_words_need_a_sign_that_a_person_is_meant(word: str, alone: str, meant: str) -> None:
    assert people(alone) == []
    assert any(word in words for words, _ in people(meant))


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("a cat in the style of Ai Weiwei", True),
        ("a city by Ai Weiwei", True),
        ("Ai Weiwei style vase", True),
        ("a cat, art by Banksy, Ai Weiwei and Yayoi Kusama", True),
        ("Ai Weiwei eating noodles", False),
        ("a man by the sea, Ai Weiwei", False),
        ("in the style of Taylor Swift", False),  # who is named for her looks, not for a style
    ],
)
def test_artists_named_for_their_style(text: str, style: bool) -> None:
    assert (people(text) == []) is style


def test_negative_prompts_name_nobody() -> None:
    assert people("Taylor Swift and my classmate") != []
    assert people(avoided("Taylor Swift and my classmate")) == []


def test_each_person_once_however_often_a_name_can_be_read() -> None:
    assert (
        people("President Donald Trump") == [("Donald Trump", "public")] or len(people("President Donald Trump")) == 1
    )
    assert len(people("Donald Trump and Joe Biden")) == 2
    assert len(people("my friend, my sister")) == 2


NAMED = PersonTextCheck(CheckSettings(names=("Ingrid Solvang-Meyer", "Ono Reika", "홍보람결", "Qadira")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ingrid Solvang-Meyer in a boat", "Ingrid Solvang-Meyer"),
        ("ingrid solvang meyer", "ingrid solvang meyer"),
        ("IngridSolvangMeyer", "IngridSolvangMeyer"),
        ("I n g r i d S o l v a n g M e y e r", "I n g r i d S o l v a n g M e y e r"),
        ("onoreika, photo", "onoreika"),
        ("홍보람결이 웃는다", "홍보람결"),
        ("Qadira", "Qadira"),
    ],
)
def test_names_that_the_user_protects(text: str, words: str) -> None:
    assert people(text, NAMED) == [(words, "private")]
    assert people(text) == []


def test_a_match_is_in_range_and_the_kind_is_declared() -> None:
    signal, _ = answer(persons(), "Taylor Swift, my classmate and Mr. Smith")
    assert CORE["prompt.persons"].kind.admits(signal)  # type: ignore[arg-type]


def test_the_shipped_names_are_all_found() -> None:
    # Each spelling on its own; the ones that need context are left to the test of single words.
    sure = [spelling for _, _, spelling, sure in public_figures() if sure]
    missed = [s for s in sure if not people(s)]
    assert len(sure) > 5_000
    assert missed == []


def test_alone_or_in_a_batch_is_the_same() -> None:
    texts = ["Taylor Swift", "my classmate", "a lighthouse", "우리 반 친구", "portrait of Rain, singer"]
    requests = [Request(texts=(TextInput(t),)) for t in texts]
    assert persons().check(requests, Stage.PROMPT) == [persons().check([r], Stage.PROMPT)[0] for r in requests]


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(categories=None), max_size=50))
def test_any_text_has_an_answer(text: str) -> None:
    signal, spans = answer(persons(), text)
    assert CORE["prompt.persons"].kind.admits(signal)  # type: ignore[arg-type]
    assert all(0 <= s.start < s.end <= len(text) for s in spans)
