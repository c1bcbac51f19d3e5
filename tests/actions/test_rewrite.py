"""Taking a named person out of a prompt: the sentence stays whole, and the name is in none of the texts any more.

In the tables [brackets] are what a check found; the names are invented, so that no word list decides here.
"""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.actions.base import PlanInput
from guardrail.actions.rewrite import Rewrite, without_persons
from guardrail.checks.base import CheckSettings
from guardrail.checks.text.persons import PersonTextCheck
from guardrail.decision import Action, Alteration
from guardrail.errors import ActionError
from guardrail.media import Request, Span, TextInput
from guardrail.signals import Stage

NAMED = "{id: named, at: prompt, when: {prompt.persons: {any: {match: '>= 0.8'}}}, then: {rewrite: {drop: persons}}}"


def read(marked: str, text: int = 0) -> tuple[str, list[Span]]:
    """The text without its brackets, and where they were."""
    spans: list[Span] = []
    plain = ""
    for piece in re.split(r"(\[[^\]]*\])", marked):
        if piece.startswith("["):
            spans.append(Span(text, len(plain), len(plain) + len(piece) - 2, "person", "public", 0.95))
            piece = piece[1:-1]
        plain += piece
    return plain, spans


def plan(*marked: str, more: tuple[Span, ...] = (), **options: Any) -> list[Alteration]:
    found = [read(m, i) for i, m in enumerate(marked)]
    texts = tuple(TextInput(t, f"prompt_{i + 1}" if i else "prompt", **options) for i, (t, _) in enumerate(found))
    spans = [s for _, spans in found for s in spans] + list(more)
    return Rewrite().plan(PlanInput(Request(texts), Stage.PROMPT, spans), {"drop": "persons"})


ENGLISH = {
    "a photo of [Jane Doe] eating a burger": "a photo of a person eating a burger",
    "[Jane Doe] on a beach": "A person on a beach",
    "A castle. [Jane Doe] waves": "A castle. A person waves",
    "a castle, [jane doe], 8k": "a castle, a person, 8k",
    # The article, and what stands between it and the name.
    "the [Jane Doe] statue": "A person statue",
    "An [Anna Doe] look-alike": "A person look-alike",
    "next to my [Jane Doe] poster": "next to a person poster",
    "a young [Jane Doe] reading": "a young person reading",
    "old [Jane Doe] reading": "An old person reading",
    "portrait of a very old, smiling [Jane Doe]": "portrait of a very old, smiling person",
    "photo of beautiful young [Jane Doe]": "photo of a beautiful young person",
    "a woman smiling, [Jane Doe]": "a woman smiling, a person",
    # What somebody is stays.
    "the actress [Jane Doe] in a garden": "the actress in a garden",
    "actress [Jane Doe] in a garden": "An actress in a garden",
    "a photo of actress [Jane Doe]": "a photo of an actress",
    "a photo of French singer [Jane Doe]'s dog": "a photo of a French singer's dog",
    "the former president [Jane Doe]": "the former president",
    "Mr. [John Doe] waves": "A person waves",
    "@[janedoe] at the beach": "A person at the beach",
    # Possessives.
    "[Jane Doe]'s house on a hill": "A person's house on a hill",
    "[John Banks]' house": "A person's house",
    "the actor [John Banks]’ house": "the actor’s house",
    "a photo of '[John Banks]' in a hat": "a photo of 'a person' in a hat",
    "[Jane Doe]’s and [John Doe]'s cats": "A person’s and a person's cats",
    "[my friends]' party": "People's party",
    # Relations are words, and the whole word goes.
    "[my ex]-wife's dog": "A person's dog",
    "a dog beside [my mother]-in-law": "a dog beside a person",
    "photo of [my classmates] playing": "photo of people playing",
    "photo of [my boss] playing": "photo of a person playing",
    # Several persons, lists.
    "[Jane Doe] and [John Doe] dance": "A person and a person dance",
    "[A Doe], [B Doe], and [C Doe] at tea": "A person, a person, and a person at tea",
    "- [Jane Doe], red dress\n  - [John Doe], blue suit": "- a person, red dress\n  - a person, blue suit",
    "1. [Jane Doe] 2. [John Doe]": "1. A person 2. A person",
    # The prompt syntax of generators.
    "([Jane Doe]:1.3), masterpiece": "(a person:1.3), masterpiece",
    '{"prompt": "[Jane Doe]", "style":  "oil"}': '{"prompt": "a person", "style":  "oil"}',
    # Another script elsewhere in the text does not make a sentence of another language.
    "a photo of [Jane Doe] with the text ありがとう": "a photo of a person with the text ありがとう",
    "a photo of [Jane Doe] with a sign 你好": "a photo of a person with a sign 你好",
}
KOREAN = {
    "[홍길동]이 햄버거를 먹는 사진": "한 사람이 햄버거를 먹는 사진",
    "[제인 도]가 웃는다": "한 사람이 웃는다",
    "[제인 도]는 무대에서 노래한다": "한 사람은 무대에서 노래한다",
    "[제인 도]를 그린 유화": "한 사람을 그린 유화",
    "[제인 도]와 [존 도]가 춤추는 사진": "한 사람과 한 사람이 춤추는 사진",
    "[제인 도]와의 사진": "한 사람과의 사진",
    "[제인 도]랑 놀기": "한 사람이랑 놀기",
    "[제인 도]로 변장": "한 사람으로 변장",
    "[제인 도]로부터 온 편지": "한 사람으로부터 온 편지",
    "[홍길동]으로 변장": "한 사람으로 변장",
    "[제인 도]의 집": "한 사람의 집",
    "[제인 도]에게 꽃을 주는 소년": "한 사람에게 꽃을 주는 소년",
    "[제인 도], 고화질": "한 사람, 고화질",
    "[제인 도] 씨가 웃는다": "한 사람이 웃는다",
    "[홍길동]님의 집": "한 사람의 집",
    "[홍길동]씨앗": "한 사람씨앗",
    "[내 친구]들이 춤춘다": "사람들이 춤춘다",
    "[Jane Doe]가 정원에서": "한 사람이 정원에서",
    "사진: [Jane Doe]": "사진: 한 사람",
}
JAPANESE = {
    "[ジェーン・ドウ]がハンバーガーを食べる写真": "ある人物がハンバーガーを食べる写真",
    "[山田太郎]の肖像画、きれい": "ある人物の肖像画、きれい",
    "[ジェーン・ドウ]さんが笑う": "ある人物が笑う",
    "[ドウ]大統領が笑う": "ある人物が笑う",
    "[ドウ]様子": "ある人物様子",
    "[ジェーン]と[ジョン]の写真": "ある人物とある人物の写真",
    "[Jane Doe]の肖像": "ある人物の肖像",
    "[Jane Doe]、公園で": "ある人物、公園で",
}
CHINESE = {
    "[张三丰]在吃汉堡": "一个人在吃汉堡",
    "一张[张三丰]和[李四光]的照片": "一张一个人和一个人的照片",
    "[张三丰]先生在吃汉堡": "一个人在吃汉堡",
    "总统[张三丰]在吃汉堡": "一位总统在吃汉堡",
    "一位演员[张三丰]的照片": "一位演员的照片",
    "[Jane Doe]在花园里": "一个人在花园里",
}
SPANISH = {
    "una foto de [Juana Pérez] comiendo": "una foto de una persona comiendo",
    "[Juana Pérez] come en la playa": "Una persona come en la playa",
    "la casa de [Juana Pérez]": "la casa de una persona",
    "el presidente [Juan Pérez] en la playa": "el presidente en la playa",
    "un retrato del actor [Juan Pérez]": "un retrato del actor",
    "una joven [Juana Pérez] en el parque": "una joven en el parque",
    "retrato al estilo de [Juana Pérez]": "retrato al estilo de una persona",
    # One Spanish word is not enough: names have them.
    "[Jane Doe] in a Casa de": "A person in a Casa de",
}


@pytest.mark.parametrize(
    ("before", "after"),
    [(b, a) for table in (ENGLISH, KOREAN, JAPANESE, CHINESE, SPANISH) for b, a in table.items()],
)
def test_the_person_is_out_and_the_sentence_whole(before: str, after: str) -> None:
    text, spans = read(before)
    assert without_persons(text, spans) == after


@given(
    st.lists(
        st.sampled_from(["castle", "blue", "runs,", "8k", "[Jane Doe]", "[제인 도]", "[山田太郎]", "—"]), max_size=9
    ),
    st.sampled_from([" ", "  ", "\n", ", "]),
)
def test_nothing_of_a_name_is_left_and_every_other_word_is(pieces: list[str], between: str) -> None:
    text, spans = read(between.join(pieces))
    after = without_persons(text, spans)
    assert not any(name in after for name in ("Jane", "Doe", "제인", "도", "山", "太郎"))
    assert re.findall(r"castle|blue|runs,|8k|—", after) == [p for p in pieces if not p.startswith("[")]


# ---- the words of a check as well


@pytest.mark.parametrize(
    "prompt",
    [
        "a photo of Jane Exemplar's dog and Jane Exemplar",
        "a young j-a-n-e e.x.e.m.p.l.a.r in a hat",
        "una foto de Jane Exemplar en la playa",
        "홍길순가상이 웃는 사진",
        "홍길순가상님의 초상화",
        "架空山太郎さんが笑う写真",
        "一张架空山太郎的照片",
    ],
)
def test_what_was_rewritten_names_nobody(prompt: str) -> None:
    check = PersonTextCheck(CheckSettings(names=("Jane Exemplar", "홍길순가상", "架空山太郎")))
    request = Request((TextInput(prompt),))
    (found,) = check.check([request], Stage.PROMPT)
    (change,) = Rewrite().plan(PlanInput(request, Stage.PROMPT, found.spans), {"drop": "persons"})  # type: ignore[union-attr]
    (again,) = check.check([Request((TextInput(change.text or ""),))], Stage.PROMPT)
    assert again.signals["prompt.persons"] == ()  # type: ignore[union-attr]


def test_a_request_is_rewritten_in_all_of_its_texts(make_guard: Any) -> None:
    session = make_guard(f"rules: [{NAMED}]", names=["Jane Exemplar"]).session()
    texts = (TextInput("Jane Exemplar"), TextInput("Jane  Exemplar's hat", "prompt_2"), TextInput("oil", "prompt_3"))
    session.open([Request(texts)])
    session.judge_inputs()
    (item,) = session.items
    assert [t.text for t in item.current.texts] == ["A person", "A person's hat", "oil"]
    assert [(a.argument, a.status) for a in item.alterations] == [("prompt", "applied"), ("prompt_2", "applied")]
    assert not item.blocked


# ---- the plan


def test_every_text_with_a_person_is_a_change_of_its_own() -> None:
    first, second = plan("[Jane Doe] and [John Doe]", "a castle", "[Jane Doe]")
    assert (first.argument, first.index, first.text) == ("prompt", 0, "A person and a person")
    assert (second.argument, second.index, second.text) == ("prompt_3", 2, "A person")
    assert first.detail == "2 persons taken out"
    assert (second.kind, second.stage, second.params, second.pixels) == (
        "rewrite",
        Stage.PROMPT,
        {"drop": "persons"},
        None,
    )
    assert "Doe" not in repr((first, second))


def test_only_persons_are_taken_out() -> None:
    found = Span(0, 0, 5, "sexual")
    (change,) = plan("naked [Jane Doe]", more=(found,))
    assert change.text == "A naked person"


@pytest.mark.parametrize("others", [((0, 8),), ((2, 6), (5, 8)), ((0, 4), (0, 8)), ((5, 8),)])
def test_a_name_that_two_checks_found_is_replaced_once(others: tuple[tuple[int, int], ...]) -> None:
    more = tuple(Span(0, start, end, "person") for start, end in others)
    assert plan("[Jane Doe] on a hill", more=more)[0].text == "A person on a hill"


def test_nothing_is_changed_in_place() -> None:
    text, spans = read("[Jane Doe] waves")
    request = Request((TextInput(text),))
    given_ = PlanInput(request, Stage.PROMPT, tuple(spans))
    once = Rewrite().plan(given_, {"drop": "persons"})
    assert request.texts[0].text == "Jane Doe waves"
    assert [a.text for a in once] == [a.text for a in Rewrite().plan(given_, {"drop": "persons"})]


@pytest.mark.parametrize(
    ("texts", "spans"),
    [
        (("a castle",), ()),
        (("Jane Doe",), (Span(0, 0, 8, "sexual"),)),
        ((), ()),
        (("Jane Doe",), (Span(0, 4, 9, "person"),)),
        (("Jane Doe",), (Span(0, -3, 4, "person"),)),
        (("Jane Doe",), (Span(0, 4, 4, "person"),)),
        (("Jane Doe",), (Span(0, 5, 2, "person"),)),
        (("Jane Doe",), (Span(1, 0, 4, "person"),)),
        (("Jane Doe",), (Span(0, 0, 8, "person"), Span(-1, 0, 4, "person"))),
    ],
    ids=[
        "nobody",
        "nothing-of-a-person",
        "no-texts",
        "past-the-end",
        "before-it",
        "empty",
        "backwards",
        "no-text",
        "-1",
    ],
)
def test_what_cannot_be_located_is_an_error(texts: tuple[str, ...], spans: tuple[Span, ...]) -> None:
    request = Request(tuple(TextInput(t) for t in texts))
    with pytest.raises(ActionError) as caught:
        Rewrite().plan(PlanInput(request, Stage.PROMPT, spans), {"drop": "persons"})
    assert "Jane" not in str(caught.value)


def test_who_is_to_be_avoided_is_not_rewritten() -> None:
    with pytest.raises(ActionError, match="could not be located"):
        plan("[Jane Doe]", negative=True)


def test_a_rewrite_that_does_not_hold_is_a_block(make_guard: Any) -> None:
    # A policy that is never content with the new words.
    guard = make_guard(
        f"rules: [{NAMED}, {{id: always, at: prompt, when: always, then: {{rewrite: {{drop: persons}}}}}}]"
    )
    decision = guard.check_prompt("my classmate reading")
    assert decision.action is Action.BLOCK
    assert decision.reasons[-1].cause == "rewrite: the changed prompt is still refused by the policy"


def test_a_text_full_of_names_takes_no_longer_than_it_should() -> None:
    # 20,000 characters are the limit of a text; patterns that look back from each name must not look back to its start.
    text, spans = read("young [Emma Doe] " * 1300)
    begun = time.process_time()
    without_persons(text, spans)
    without_persons("young " * 3300 + "Emma", [Span(0, 19_800, 19_804, "person")])
    assert time.process_time() - begun < 2.0
