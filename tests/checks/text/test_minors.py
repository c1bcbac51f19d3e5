"""``prompt.minor``: words and numbers that say that somebody is under 18, and those that do not; all are harmless."""

from __future__ import annotations

import pytest

from guardrail.media import Request, TextInput
from guardrail.signals import Stage

from .reading import MINOR, answer, avoided, found, minors, score


@pytest.mark.parametrize(
    "text",
    [
        "a child on a swing",
        "kids at the zoo",
        "a toddler with a balloon",
        "teenager with a skateboard",
        "schoolgirl on the bus",
        "a kindergarten class photo",
        "a classroom in a middle school",
        "a 15 year old with a violin",
        "fifteen-year-old chess player",
        "aged 16",
        "age: 14",
        "14yo, 14 y/o",
        "c h i l d",
        "chіld",  # Cyrillic і
        "ch1ld",
        "어린이날 행사",
        "초등학생과 선생님",
        "열다섯 살 선수",
        "15세 피아니스트",
        "중학교 2학년",
        "고등학교 교실",
        "小学生の遠足",
        "中学校の教室",
        "高校生の文化祭",
        "17歳のピアニスト",
        "子供とお母さん",
        "一个小女孩在画画",
        "高中教室",
        "中学生在教室",
        "12岁的钢琴家",
        "niños en el parque",
        "una niña de 12 años",
        "adolescente con guitarra",
    ],
)
def test_under_eighteen(text: str) -> None:
    assert score(minors(), text) >= MINOR


@pytest.mark.parametrize(
    "text",
    [
        "a woman, a man and a dog",
        "a 25 year old woman",
        "eighteen year old whisky, 12 year old scotch",
        "15 years of experience",
        "a 16th century castle",
        "goat kids and baby elephants",
        "kid gloves, inner child, childhood memories",
        "in a minor key",
        "a high school teacher at a reunion",
        "stone age, 5 huts",
        "a girl, a young woman",  # faint: grown-ups are called so as well
        "대학생, 25세 여성",
        "10대 뉴스",
        "루이 14세의 초상",
        "고등학교 교사",
        "아이돌, 아이스크림",
        "女子大生、25歳の女性",
        "5歳馬のレース",
        "警察官の制服",
        "大学生在图书馆",
        "25岁的女人",
        "mujer de 30 años",
        "15 años de experiencia",
    ],
)
def test_not_under_eighteen(text: str) -> None:
    assert score(minors(), text) < MINOR


@pytest.mark.parametrize("age", range(1, 18))
def test_every_age_under_eighteen(age: int) -> None:
    for text in (f"a {age} year old", f"{age}살", f"{age}歳", f"{age}岁", f"{age} años de edad"):
        assert score(minors(), text) >= MINOR, text


@pytest.mark.parametrize("age", [18, 19, 20, 21, 30, 45, 99, 115])
def test_no_age_of_a_grown_up(age: int) -> None:
    for text in (f"a {age} year old", f"{age}살", f"{age}歳", f"{age}岁", f"{age} años de edad"):
        assert score(minors(), text) < MINOR, text


def test_the_strongest_word_counts_and_weak_ones_do_not_add_up() -> None:
    assert score(minors(), "a girl") == score(minors(), "a girl, a girl, a young woman")
    assert score(minors(), "a girl, a child") == score(minors(), "a child")


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("child, kid, teenager", False),  # to avoid children is harmless
        ("adult, mature woman", True),  # to avoid grown-ups is not
        ("adult content, watermark", False),
        ("성인, 어른", True),
        ("大人", True),
        ("成年人", True),
        ("adultos", True),
    ],
)
def test_negative_prompts(text: str, asked: bool) -> None:
    assert (score(minors(), avoided(text)) >= MINOR) is asked


@pytest.mark.parametrize(
    ("text", "words"),
    [("a 15 year old", ["15 year old"]), ("15세 피아니스트", ["15세"]), ("a c h i l d here", ["c h i l d"])],
)
def test_a_finding_points_at_the_words_as_typed(text: str, words: list[str]) -> None:
    assert found(minors(), text) == words


def test_alone_or_in_a_batch_is_the_same() -> None:
    requests = [Request(texts=(TextInput(t),)) for t in ("a child", "a lighthouse", "15세", "a 25 year old")]
    assert minors().check(requests, Stage.PROMPT) == [minors().check([r], Stage.PROMPT)[0] for r in requests]


# ---- several prompts of one picture


@pytest.mark.parametrize(
    "texts",
    [
        ("a 12 year", "old with a violin"),
        ("a ten-year-", "old chess player"),
        ("a tod", "dler with a balloon"),
        ("a middle", "school classroom"),
        ("초등", "학생과 선생님"),
        ("小学", "生の遠足"),
        ("a 12 year", "a 12 year", "old with a violin"),
        ("a lighthouse", "a 12 year", "old"),
    ],
)
def test_cut_in_two_it_is_found_where_the_prompts_meet(texts: tuple[str, ...]) -> None:
    assert all(score(minors(), text) < MINOR for text in texts)
    value, spans = answer(minors(), *texts)
    assert value >= MINOR  # type: ignore[operator]
    assert {s.text for s in spans if "split over prompts" in s.undone} == {texts.index(texts[-2]), len(texts) - 1}


@pytest.mark.parametrize(
    "texts",
    [
        ("a 12 year", "a 12 year"),  # a copy for the other encoder
        ("a kitchen, 8k", "old masters, oil"),
        ("a bottle of whisky, 12 years", "old oak table"),
        ("a 30 year", "old woman"),
    ],
)
def test_prompts_that_meet_without_saying_so(texts: tuple[str, ...]) -> None:
    assert score(minors(), *texts) < MINOR


def test_a_negative_prompt_meets_nothing() -> None:
    assert score(minors(), "a 12 year", avoided("old")) < MINOR
