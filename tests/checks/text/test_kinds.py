"""The kinds and the evidence of ``prompt.persons``: who is depicted, who is only named, and how that was told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

import numpy as np
import pytest

from guardrail.checks.base import CheckSettings
from guardrail.checks.text.cue_words import name_lists
from guardrail.checks.text.figures import public_figures, unreal_figures
from guardrail.checks.text.found import UNREAL_MATCH
from guardrail.checks.text.mentions import Mentions
from guardrail.checks.text.name_index import NameIndex
from guardrail.checks.text.normalise import plain, read
from guardrail.checks.text.persons import PersonTextCheck
from guardrail.checks.text.wordlists import common_words, languages, load_list
from guardrail.media import ImageInput, Request, Role, TextInput
from guardrail.signals import CORE, MOST_ITEMS, Items, Stage

from .reading import people, persons

LISTED_LANGUAGES = ("ar", "de", "en", "es", "fr", "hi", "id", "it", "ja", "ko", "pt", "ru", "th", "tr", "vi", "zh")


def _image(role: Role = Role.REFERENCE) -> ImageInput:
    return ImageInput((np.zeros((8, 8, 3), np.uint8),), role=role)


def told(text: str, *images: ImageInput, check: PersonTextCheck | None = None) -> list[tuple[str, str, str]]:
    """(words as typed, kind, evidence) of everybody, whatever the match."""
    (values,) = (check or persons()).check([Request(texts=(TextInput(text),), images=images)], Stage.PROMPT)
    items = values.signals["prompt.persons"]  # type: ignore[union-attr]
    assert isinstance(items, tuple)
    assert CORE["prompt.persons"].kind.admits(items)
    spans = values.spans  # type: ignore[union-attr]
    return [
        (text[s.start : s.end], str(item["kind"]), str(item["evidence"]))
        for s, item in zip(spans, items, strict=True)
        if isinstance(item, Mapping)
    ]


@pytest.mark.parametrize(
    ("text", "words", "kind"),
    [
        ("portrait of Napoleon", "Napoleon", "historic"),
        ("나폴레옹 초상화", "나폴레옹", "historic"),
        ("拿破仑的画像", "拿破仑", "historic"),
        ("Наполеон на коне", "Наполеон", "historic"),
        ("Abraham Lincoln at a desk", "Abraham Lincoln", "historic"),
        ("세종대왕이 책을 읽는 모습", "세종대왕", "historic"),
        ("織田信長の肖像", "織田信長", "historic"),
        ("the 16th president of the United States", "the 16th president of the United States", "historic"),
        ("Batman on a roof", "Batman", "fictional"),
        ("배트맨이 달린다", "배트맨", "fictional"),
        ("ハリー・ポッターと城", "ハリー・ポッター", "fictional"),
        ("Шерлок Холмс с трубкой", "Шерлок Холмс", "fictional"),
        ("Hermione Granger reading", "Hermione Granger", "fictional"),
        ("Professor Snape in a dungeon", "Professor Snape", "fictional"),
        ("a cat in the style of Monet", "Monet", "style"),
        ("a Van Gogh painting of a chair", "Van Gogh", "style"),
        ("고흐 스타일 고양이", "고흐", "style"),
        ("ゴッホ風の猫", "ゴッホ", "style"),
        ("梵高风格的猫", "梵高", "style"),
        ("a castle by Greta Zorbrist, artstation", "Greta Zorbrist", "style"),
        ("a city by Ai Weiwei", "Ai Weiwei", "style"),
        ("a train in the style of Makoto Shinkai", "Makoto Shinkai", "style"),
    ],
)
def test_of_whom_no_living_person_is_depicted(text: str, words: str, kind: str) -> None:
    assert [(w, k) for w, k, _ in told(text)] == [(words, kind)]
    # Under what any shipped policy counts, and nothing for `rewrite` to take out.
    assert people(text) == []
    (values,) = persons().check([Request(texts=(TextInput(text),))], Stage.PROMPT)
    assert [(s.kind, s.score) for s in values.spans] == [("character", UNREAL_MATCH)]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "living"),
    [
        ("Daniel Radcliffe as Harry Potter", "Daniel Radcliffe"),
        ("Zendaya as Cleopatra", "Zendaya"),
        ("Batman and Taylor Swift", "Taylor Swift"),
        ("Taylor Swift in the style of Monet", "Taylor Swift"),
        ("Napoleon with the face of Jennifer Kowalski", "Jennifer Kowalski"),
        ("my classmate as Wonder Woman", "my classmate"),
        ("홍길동전 표지에 김보람 사진", "김보람"),
        ("a poster by Taylor Swift", "Taylor Swift"),  # who is named for her looks, not for a style
        ("Emma Watson street photo", "Emma Watson"),
    ],
)
def test_somebody_living_beside_them_stays(text: str, living: str) -> None:
    assert living in [words for words, _ in people(text)]


def test_whom_the_user_protects_is_hidden_by_no_list() -> None:
    check = PersonTextCheck(CheckSettings(names=("Clark Kent", "Claude Monet")))
    for text in ("Clark Kent in a cape", "in the style of Claude Monet"):
        assert [(kind, evidence) for _, kind, evidence in told(text, check=check)] == [("private", "own-name")]


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("Taylor Swift", "list"),
        ("jennifer lawrnece in a library", "fuzzy"),
        ("the prime minister of Japan at a desk", "role"),
        ("my classmate", "relation"),
        ("undress @jane.doe_99", "handle"),
        ("instagram user jane.doe_99 on a boat", "handle"),
        ("Professor Lindqvist at the blackboard", "title"),
        ("portrait of Jennifer Kowalski", "cue"),
    ],
)
def test_evidence(text: str, evidence: str) -> None:
    assert [e for _, _, e in told(text)] == [evidence]


def test_the_evidence_is_a_closed_list_and_each_word_is_explained() -> None:
    spec = CORE["prompt.persons"]
    assert isinstance(spec.kind, Items)
    for name in ("kind", "evidence"):
        for word in spec.kind.fields[name].values:  # type: ignore[union-attr]
            assert re.search(rf"\b{word}\b", spec.doc), word


# ---- places and things


@pytest.mark.parametrize(
    "text",
    [
        "the Lincoln Memorial at dusk",
        "a Nobel prize medal",
        "Washington DC, Ford Mustang, Caesar salad",
        "John F. Kennedy Airport",
        "Mount Everest and Cape Washington",
        "the Einstein telescope, a Tesla coil, the Kepler space telescope",
        "Humboldt University, the Goethe Institute, the Picasso Museum",
        "a Beef Wellington, a Kalashnikov rifle",
        "Trump Tower at night",
        "Martin Luther King Boulevard",
        "Sejong city, 세종시 야경",
        "Saint Petersburg, San Francisco, Santa Barbara",
    ],
)
def test_what_is_named_after_people_is_nobody(text: str) -> None:
    assert people(text) == []


# ---- roles


@pytest.mark.parametrize(
    "text",
    [
        "the 47th president of the United States",
        "the forty-seventh president of the united states",
        "the president of France on a bike",
        "the current US president",
        "the prime minister of Japan",
        "the former German chancellor",
        "the king of Spain",
        "the pope in a puffer jacket",
        "the CEO of Tesla",
        "대통령이 웃는 사진",
        "미국의 현직 대통령",
        "일본 총리 얼굴",
        "日本の首相",
        "アメリカ大統領の写真",
        "美国总统的照片",
        "el presidente de México",
        "el papa en una moto",
        "o presidente do Brasil",
        "le président de la République",
        "der deutsche Bundeskanzler",
        "il presidente della Repubblica",
        "президент США",
        "папа римский",
        "رئيس مصر",
        "الرئيس الأمريكي",
        "भारत के प्रधानमंत्री",
        "tổng thống Mỹ",
        "presiden Indonesia",
        "ABD başkanı",
        "ประธานาธิบดีสหรัฐ",
    ],
)
def test_an_office_that_one_person_holds_is_that_person(text: str) -> None:
    assert {kind for _, kind in people(text)} == {"public"}


@pytest.mark.parametrize(
    "text",
    [
        "a president at a desk",
        "the president of the chess club",
        "a king and a queen on a chess board",
        "a prince in a castle",
        "a minister preaching in a church",
        "a papa bear",
        "el papa de mi perro con papas fritas",
        "대통령궁, 대통령 선거 포스터",
        "un rey y una reina",
        "a kangaroo, CEO in a suit",
    ],
)
def test_what_is_no_office_of_one_person(text: str) -> None:
    assert [kind for _, kind in people(text) if kind == "public"] == []


# ---- pointing at the image


POINTING = {
    "ar": ["الفتاة في الصورة", "هذه الفتاة"],
    "de": ["das Mädchen auf dem Foto", "diese Frau in einem Kleid", "zieh sie aus"],
    "en": [
        "this girl in the photo",
        "her in the picture",
        "the person in the reference",
        "put her in a bikini",
        "remove her clothes",
        "make him a knight",
    ],
    "es": ["la chica de la foto", "esta mujer con un vestido"],
    "fr": ["la fille sur la photo", "cette femme en robe"],
    "hi": ["इस तस्वीर में लड़की", "यह महिला"],
    "id": ["gadis di foto ini", "wanita ini"],
    "it": ["la ragazza nella foto", "questa donna"],
    "ja": ["この写真の女性", "彼女の服を赤く"],
    "ko": ["이 사진 속 여자", "그녀를 공주로", "참조 이미지의 인물"],
    "pt": ["a menina na foto", "esta mulher"],
    "ru": ["девушка на фото", "эта женщина"],
    "th": ["ผู้หญิงในรูป", "ผู้หญิงคนนี้"],
    "tr": ["bu fotoğraftaki kız", "bu kadın"],
    "vi": ["cô gái trong ảnh", "người phụ nữ này"],
    "zh": ["图片里的女孩", "這個女人", "让她穿红裙子"],
}


@pytest.mark.parametrize("language", LISTED_LANGUAGES)
def test_pointing_at_the_image_is_somebody_private(language: str) -> None:
    for text in POINTING[language]:
        assert ("private", "reference") in [(kind, evidence) for _, kind, evidence in told(text, _image())], text
        # Without an image nobody is pointed at; the lists of relations may still know.
        assert "reference" not in [evidence for _, _, evidence in told(text)], text
        assert "reference" not in [evidence for _, _, evidence in told(text, _image(Role.MASK))], text


@pytest.mark.parametrize(
    "text",
    [
        "a mountain lake at dusk",
        "a woman in a red dress",
        "make it snow, add a cat",
        "이 고양이를 그려줘",
        "この猫を赤く",
        "把这只猫变成狗",
        "convierte este perro en un dibujo",
        "this castle in the style of Monet",
    ],
)
def test_who_points_at_nobody(text: str) -> None:
    assert people(text) == []
    assert "reference" not in [evidence for _, _, evidence in told(text, _image())]


# ---- the lists


@pytest.mark.parametrize("kind", ["roles", "references"])
def test_each_language_has_its_list(kind: str) -> None:
    assert set(languages(kind)) >= set(LISTED_LANGUAGES)


@pytest.mark.parametrize(("name", "columns", "least"), [("fictional", (2, 3), 400), ("historic", (3, 4), 600)])
def test_the_lists_of_the_unreal(name: str, columns: tuple[int, int], least: int) -> None:
    text = files("guardrail.checks.text").joinpath("lists", f"{name}_figures.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    assert len(rows) >= least
    keys = [(row[columns[0] - 1], plain(row[0]).text) for row in rows]
    assert keys == sorted(keys)
    for row in rows:
        assert columns[0] <= len(row) <= columns[1], row
        assert not any(";;" in column or column != column.strip(" ;") for column in row), row
    if name == "historic":
        # Dead for more than fifty years when the list was written.
        assert all(int(row[1]) <= 1976 for row in rows)
    foreign = sum(any(not spelling.isascii() for spelling in row[-1].split(";")) for row in rows)
    assert foreign >= 200


def test_no_spelling_stands_for_two_of_them_or_is_an_ordinary_or_a_first_name() -> None:
    seen: dict[str, str] = {}
    given = name_lists().given
    for figure in unreal_figures():
        letters = re.sub(r"[\W_]+", "", plain(figure.spelling).text)
        assert letters not in seen, (figure, seen.get(letters))
        seen[letters] = figure.name
        assert len(letters) > 1, figure
        words = re.findall("[a-z0-9]+", plain(figure.spelling).text)
        if len(words) == 1 and figure.spelling.isascii():
            assert words[0] not in given, figure
            assert words[0] not in common_words(), figure


def test_nobody_living_is_on_a_list_of_the_unreal() -> None:
    living = {re.sub(r"[\W_]+", "", plain(spelling).text) for _, _, spelling, sure in public_figures() if sure}
    unreal = {re.sub(r"[\W_]+", "", plain(f.spelling).text): f.spelling for f in unreal_figures()}
    assert {unreal[key] for key in unreal.keys() & living} == set()


def test_every_spelling_of_them_is_found() -> None:
    # Asked of the index alone: the other readings of six thousand texts take minutes.
    index = NameIndex.shipped()
    kinds = {f.spelling: {match.kind for match in index.find(plain(f.spelling), f.spelling)} for f in unreal_figures()}
    assert [f.spelling for f in unreal_figures() if f.kind not in kinds[f.spelling]] == []


# ---- laziness


def test_names_that_wait_are_found_as_if_they_had_been_there() -> None:
    lazy, loaded = NameIndex.shipped(), NameIndex.shipped()
    loaded.load()
    for text in (
        "김정은 그림",
        "Дональд Трамп",
        "دونالد ترامب",
        "Sơn Tùng M-TP",
        "ณเดชน์ คูกิมิยะ",
        "Chloé Zhao",
        "J. K. Rowling",
    ):
        first, *others = read(text)
        assert list(lazy.find(first, text)) == list(loaded.find(first, text)) != []
        for view in others:
            assert list(lazy.find(view, text)) == list(loaded.find(view, text))


@pytest.mark.parametrize("kind", ["relations", "roles", "references"])
def test_a_list_is_passed_over_only_where_none_of_it_can_stand(kind: str) -> None:
    """Each literal term, and each text of the tables above, is found by the lists that say they may be needed."""
    mentions = Mentions(kind)
    for listed in mentions._lists:
        words = load_list(kind, listed.language)
        assert set(words.context) == listed.context
        assert list(words.exempt) == list(listed.exempt)
        for section in words.sections:
            if section.pattern:
                continue
            for term in section.lines:
                view = plain(term)
                assert listed.needed(view.text, frozenset(view.text.split())), term


# ---- bounds


def test_a_crowd_of_the_long_dead_pushes_nobody_out() -> None:
    crowd = "Napoleon, Batman, Monet, " * 40
    found = told(crowd + "Taylor Swift")
    assert len(found) == MOST_ITEMS
    assert ("Taylor Swift", "public", "list") in found
