"""Names on no list: what shows that a person is meant, and who or what only looks like one. All names are invented."""

from __future__ import annotations

import pytest

from guardrail.checks.text.cue_words import name_lists
from guardrail.checks.text.wordlists import common_words

from .reading import people, persons


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # a first name and a surname
        ("portrait of Jennifer Kowalski", "Jennifer Kowalski"),
        ("Jennifer Kowalski at the beach", "Jennifer Kowalski"),
        ("jennifer kowalski at the beach", "jennifer kowalski"),
        ("a photo of brenda stubblefield wearing a red coat", "brenda stubblefield"),
        ("Maria Jose Garcia reading a book", "Maria Jose Garcia"),
        ("foto de maría garcía en la playa", "maría garcía"),
        ("selfie of Rob Lindqvist in a kitchen", "Rob Lindqvist"),
        ("Theo van den Berg on a bicycle", "Theo van den Berg"),
        ("a picture of Fatima Rahman with a dog", "Fatima Rahman"),
        ("draw Priya Sharma riding a bicycle", "Priya Sharma"),
        ("haruka tanabe smiling", "haruka tanabe"),
        ("JenniferKowalski selfie", "JenniferKowalski"),
        # first names that are words need more beside them
        ("portrait of Grace Lindholm", "Grace Lindholm"),
        ("a photo of Austin Meyer smiling", "Austin Meyer"),
        # romanised Korean and Chinese, in either order
        ("photo of Kim Boseul", "Kim Boseul"),
        ("portrait of park seo yeon", "park seo yeon"),
        ("selfie of Minkyung Park", "Minkyung Park"),
        ("portrait of Zhang Weiling", "Zhang Weiling"),
        # a first name alone
        ("portrait of jennifer", "jennifer"),
        ("a woman named Jennifer", "Jennifer"),
        ("jennifer smiling at the camera", "jennifer"),
        # a title
        ("Dr. Kowalski in a lab coat", "Kowalski"),
        ("Professor Lindqvist at the blackboard", "Lindqvist"),
        # an unknown first name
        ("portrait of Zvezdana Kowalski", "Zvezdana Kowalski"),
        ("headshot of Qvella Zorbrandt", "Qvella Zorbrandt"),
        # Korean
        ("김보람 사진", "김보람"),
        ("최은경의 초상화", "최은경"),
        ("해변에 있는 박서윤", "박서윤"),
        ("박도경 씨가 웃는다", "박도경 씨"),
        ("윤서희가 웃는 모습", "윤서희"),
        # Japanese
        ("田中美咲の写真", "田中美咲"),
        ("海辺にいる鈴木陽菜", "鈴木陽菜"),
        ("佐藤 花子の肖像画", "佐藤 花子"),
        ("高橋さんの似顔絵", "高橋さん"),
        ("エミリー・コワルスキーの写真", "エミリー・コワルスキー"),
        # Chinese
        ("王丽华的照片", "王丽华"),
        ("画一张陈美玲的肖像", "陈美玲"),
        ("张晓梅在海边", "张晓梅"),
        ("李女士的画像", "李女士"),
        ("艾米莉·科瓦尔斯基的照片", "艾米莉·科瓦尔斯基"),
        # other scripts
        ("Анна Ковальская на пляже", "Анна Ковальская"),
        # handles
        ("instagram user jane.doe_99 on a boat", "jane.doe_99"),
        ("tiktok: mary_ann.k as a queen", "mary_ann.k"),
        ("인스타 jieun_daily99 사진", "jieun_daily99"),
    ],
)
def test_names(text: str, words: str) -> None:
    assert (words, "private") in people(text)


@pytest.mark.parametrize(
    "text",
    [
        # named for a style or as the author
        "a castle by Greta Stubblefield",
        "a castle in the style of Brenda Lindqvist",
        "Brenda Lindqvist style castle",
        "a castle, by Carl Lindqvist, Anna Kowalski and Peter Zorbrist, oil on canvas",
        "a castle, concept art, greta stubblefield, artstation",
        "a castle, trending on artstation, greg rutkowski",
        "art inspired by Brenda Lindqvist",
        "a copy of Brenda Lindqvist's paintings",
        # characters, and who is long dead
        "Luke Skywalker and Han Solo",
        "portrait of Sarah Connor",
        "Charlie Brown with a kite",
        "Jack Skellington smiling",
        "portrait of Vincent van Gogh",
        "Mary Magdalene by a river",
        # places
        "a street in San Jose",
        "Victoria Falls at dawn",
        "Lake Louise in winter, Virginia Beach in summer",
        "Charlotte Harbor, Mount Elizabeth",
        "Austin, Texas at night",
        # brands and things
        "a Jack Wolfskin jacket, a Papa John pizza",
        "a Harley Davidson on a road",
        "a jack russell with a teddy bear",
        "a Graham cracker and a Caesar salad",
        # months, flowers, virtues, colours and animals
        "a rose in June, grace and hope",
        "april showers, may flowers, summer day",
        "portrait of a robin on a holly branch",
        "an amber ring, a ruby and a pearl",
        "king crab and arctic fox",
        "will you mark the paper",
        # professions, titles and other capitals
        "headshot of Software Engineer",
        "Art Director laughing",
        "portrait of Radio Host",
        "A Photo Of A Golden Retriever In The Park",
        "Golden Gate at sunset",
        "doctor in a lab coat, nurse and teacher",
        # ordinary words of the shape of a name
        "정원에 있는 강아지 사진",
        "주차장에 있는 자동차",
        "이상한 나라의 그림",
        "고양이가 웃는 모습",
        "우아한 여자의 초상화",
        "山田の中の小道",
        "白云在天上",
        "黄色的马在海边",
        "高大的男人微笑",
        "看见一张照片",
        # numbers and addresses
        "shot on instagram.com with f1.8",
    ],
)
def test_nobody(text: str) -> None:
    assert people(text) == []


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("jennifer smiling", "portrait of jennifer"),
        ("portrait of jennifer", "portrait of jennifer kowalski"),
        ("jennifer stubblefield in the rain", "photo of jennifer kowalski in the rain"),
    ],
)
def test_more_beside_a_name_is_worth_more(less: str, more: str) -> None:
    def match(text: str) -> float:
        from .reading import answer

        _, spans = answer(persons(), text)
        return max(s.score for s in spans)

    assert 0.5 <= match(less) < match(more) <= 0.8


def test_the_list_says_each_thing_once() -> None:
    lists = name_lists()
    assert len(lists.given) >= 600
    assert lists.given & lists.common == set()
    assert lists.given & lists.either == set()
    assert lists.either & lists.common == set()
    # A first name that is an ordinary word belongs under [given-common].
    assert sorted(lists.given & common_words()) == []
    assert all(w == w.lower() and w.isalpha() for w in lists.given | lists.common | lists.surnames)


def test_a_long_text_costs_what_its_length_does() -> None:
    # Nothing looks back further than a fixed number of words.
    assert people("Jennifer Kowalski, " * 500 + "a lighthouse") != []
