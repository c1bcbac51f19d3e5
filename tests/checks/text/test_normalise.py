"""Disguises undone: what becomes readable, what stays as it is, and that every reading points back at the original."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.checks.text.characters import FOLDS, INVISIBLE, LOOKALIKES, LOOKALIKES_ELSE
from guardrail.checks.text.excerpts import MOST_TIMES
from guardrail.checks.text.hangul import compose_jamo
from guardrail.checks.text.normalise import MOST_VIEWS, View, plain, read
from guardrail.checks.text.segment import segment
from guardrail.errors import CheckError
from tests.budget import examples


def texts(text: str) -> list[str]:
    return [view.text for view in read(text)]


def reading(text: str, wanted: str) -> View:
    """The reading of `text` in which `wanted` stands."""
    return next(view for view in read(text) if wanted in view.text)


# ---- the plain reading


@pytest.mark.parametrize(
    ("typed", "plainly"),
    [
        ("A Red FOX", "a red fox"),
        ("ｎｕｄｅ", "nude"),  # full width
        ("𝓷𝓾𝓭𝓮 𝔫𝔲𝔡𝔢 𝚗𝚞𝚍𝚎", "nude nude nude"),  # mathematical alphabets
        ("ⓝⓤⓓⓔ 🅝🅤🅓🅔 🄽🅄🄳🄴", "nude nude nude"),  # enclosed
        ("🇳🇺🇩🇪", "nude"),  # regional indicators
        ("ɴᴜᴅᴇ ƥǫɾɳ", "nude pqrn"),  # small capitals, hooks
        ("ñüdé ø đ ł", "nude o d l"),  # accents and strokes of Latin letters
        ("n\u0300\u0301u\u0336d\u20dde", "nude"),  # marks on top
        ("n\u200bu\u200cd\u200de", "nude"),  # zero width
        ("\u202enude\u202c", "nude"),  # direction
        ("nu\u00adde nu\ufe0fde nu\u2060de", "nude nude nude"),  # soft hyphen, variation selector, word joiner
        ("nu\U000e0020de", "nude"),  # tag characters
        ("a\u00a0b\u2003c\u3000d\u2800e", "a b c d e"),  # spaces of all widths
        ("ｾｯｸｽ", "セックス"),  # half-width kana
        ("ﾇｰﾄﾞ ﾊﾟﾝ", "ヌード パン"),  # voicing marks are characters of their own there
        ("\u1102\u1161\u110e\u1166", "나체"),  # conjoining jamo
        ("\u304b\u3099", "が"),  # what belongs to the letter stays
        ("й ё", "й ё"),
        ("مُثيرة ســـحر", "مثيرة سحر"),  # vowel points, tatweel
        ("ﬁne Ⅳ ½", "fine iv 1\u20442"),
    ],
)
def test_what_is_always_safe_to_undo(typed: str, plainly: str) -> None:
    assert plain(typed).text == plainly


@pytest.mark.parametrize(
    "text",
    [
        "Красивый закат над морем, мама и папа",
        "Όμορφο ηλιοβασίλεμα πάνω από τη θάλασσα",
        "Պատկեր Երեւանի մասին",
        "Ένα σπίτι και μια γάτα",
        "Привет world",
        "это плакат к фильму the movie",
        "바닷가의 등대 8k",
        "海边的灯塔，日落",
        "海辺の灯台、夕日",
        "منارة عند البحر",
        "समुद्र के किनारे प्रकाशस्तंभ",
        "ประภาคารริมทะเล",
    ],
)
def test_prose_of_other_scripts_has_one_reading(text: str) -> None:
    (only,) = read(text)
    assert only.undone == ()


@pytest.mark.parametrize(
    "text",
    [
        "8k",
        "50mm f1.8",
        "1girl, 2boys",
        "1920x1080",
        "v2 4th 3d",
        "f16 b2",
        "12 am 60fps",
        "wow!!! so red!",
        "studio54",
    ],
)
def test_ordinary_tokens_with_digits_stay(text: str) -> None:
    assert texts(text) == [text]


# ---- disguises


@pytest.mark.parametrize(
    ("typed", "wanted", "undone"),
    [
        ("nudе wоman", "nude woman", ("look-alikes",)),  # Cyrillic е and о
        ("пudе woman", "nude woman", ("look-alikes",)),
        ("ρorn film", "porn film", ("look-alikes",)),  # Greek rho
        ("ᑎude woman here", "nude woman here", ("look-alikes",)),
        ("ꓠude woman here", "nude woman here", ("look-alikes",)),
        ("n u d e woman", "nude woman", ("spaced",)),
        ("n.u.d.e", "nude", ("spaced",)),
        ("n-u-d-e n_u_d_e", "nude", ("spaced",)),
        ("n*u*d*e", "nude", ("spaced",)),
        ("n\nu\nd\ne", "nude", ("spaced",)),
        ("n u d e  w o m a n", "nude woman", ("spaced",)),  # wider gaps are between words
        ("n u d e w o m a n", "nude woman", ("spaced",)),  # cut into known words
        ("nud3 woman", "nude woman", ("digits-for-letters",)),
        ("n4k3d", "naked", ("digits-for-letters",)),
        ("$exy t!ts", "sexy tits", ("digits-for-letters",)),
        ("pu55y", "pussy", ("digits-for-letters",)),
        ("nuuuude", "nude", ("stretched",)),
        ("nnuuddee", "nude", ("stretched",)),
        ("pusssssy", "pussy", ("stretched",)),  # doubled letters of the word are kept
        ("ㄴㅏㅊㅔ 사진", "나체 사진", ("jamo",)),
        ("누ㄷㅡ", "누드", ("jamo",)),
        ("나.체 사진", "나체 사진", ("spaced",)),
        ("裸.体", "裸体", ("spaced",)),
        ("裸 体 女 人", "裸体女人", ("spaced",)),
        ("裸★体女人", "裸体女人", ("spaced",)),
        ("セッ クス", "セックス", ("spaced",)),
        ("누드  모델", "누드 모델", ("spaced",)),  # more spaces than one
        ("n*ked", "naked", ("masked",)),
        ("p*rn f#ck", "porn fuck", ("masked",)),
        ("NudeWoman", "nude woman", ("capitals",)),
        ("<lora:NudeWoman:0.8>", "nude woman", ("capitals",)),
        ("nude\u200bwoman", "nude woman", ("zero-width",)),
        ("nu\u3164de", "nude", ("zero-width",)),  # a blank that is a letter to Unicode
    ],
)
def test_disguises(typed: str, wanted: str, undone: tuple[str, ...]) -> None:
    assert reading(typed, wanted).undone == undone


@pytest.mark.parametrize(
    ("typed", "wanted", "undone"),
    [
        ("п u d е", "nude", ("look-alikes", "spaced")),
        ("n u d 3", "nude", ("spaced", "digits-for-letters")),
        ("a n 4 k 3 d man", "a naked man", ("spaced", "digits-for-letters")),
        ("nuuudеее", "nude", ("look-alikes", "stretched")),
        ("nuuuud3", "nude", ("digits-for-letters", "stretched")),
        ("ㄴ.ㅏ.ㅊ.ㅔ", "나체", ("spaced", "jamo")),
        ("n\u200bu\u200bd\u200b3", "nude", ("digits-for-letters",)),
        ("Ｎ.Ｕ.Ｄ.Ｅ", "nude", ("spaced",)),
    ],
)
def test_disguises_on_top_of_each_other(typed: str, wanted: str, undone: tuple[str, ...]) -> None:
    assert reading(typed, wanted).undone == undone


@pytest.mark.parametrize(
    ("letters", "words"),
    [
        ("nudewoman", "nude woman"),
        ("taylorswift", "taylor swift"),
        ("nude", "nude"),
        ("abc", "abc"),
        ("xqzvk", "xqzvk"),
        ("aredhouse", "a red house"),
    ],
)
def test_joined_letters_are_cut_into_known_words(letters: str, words: str) -> None:
    assert segment(letters) == words


@pytest.mark.parametrize(
    ("typed", "composed"),
    [
        ("ㄴㅏㅊㅔ", "나체"),
        ("ㄷㅏㄹㄱ", "닭"),  # two consonants are one tail
        ("ㄷㅏㄹㄱㅣ", "달기"),  # unless a vowel takes the second
        ("ㅇㅗㅏㄴ", "완"),  # a vowel typed with two keys
        ("가ㄴ", "간"),  # a tail typed apart
        ("아ㅋㅋㅋ", "아ㅋㅋㅋ"),  # laughter is no tail
        ("ㅅㅜㅇㅇㅣ", "숭이"),  # but a letter twice before a vowel is tail and lead
        ("ㅏㅏ", "ㅏㅏ"),
    ],
)
def test_hangul_is_composed(typed: str, composed: str) -> None:
    text, origin = compose_jamo(typed)
    assert text == composed
    assert len(origin) == len(text)


# ---- back to the original


@pytest.mark.parametrize(
    ("typed", "wanted", "words"),
    [
        ("a nude woman", "nude", "nude"),
        ("a ｎｕｄｅ woman", "nude", "ｎｕｄｅ"),
        ("a n\u200bu\u200bde woman", "nude", "n\u200bu\u200bde"),
        ("a nu\u0301\u0302de woman", "nude", "nu\u0301\u0302de"),
        ("a n u d e woman", "nude", "n u d e"),
        ("n u d e w o m a n", "nude", "n u d e"),
        ("n u d e w o m a n", "woman", "w o m a n"),
        ("so n.u.d.e  w.o.m.a.n", "woman", "w.o.m.a.n"),
        ("a nudе woman", "nude", "nudе"),
        ("a n4k3d man", "naked", "n4k3d"),
        ("a nuuuude man", "nude", "nuuuude"),
        ("한 ㄴㅏㅊㅔ 사진", "나체", "ㄴㅏㅊㅔ"),
        ("一 裸 体 的", "裸体", "裸 体"),
        ("½ nude", "nude", "nude"),
        ("a HotNudeWoman", "nude", "Nude"),
        ("a n*de woman", "nude", "n*de"),
    ],
)
def test_a_reading_points_at_the_words_as_typed(typed: str, wanted: str, words: str) -> None:
    view = reading(typed, wanted)
    at = view.text.index(wanted)
    start, end = view.original(at, at + len(wanted))
    assert typed[start:end] == words


# Everything that a string can hold, with more of what the reader looks at.
_PIECES = st.one_of(
    st.text(st.characters(categories=None), max_size=6),
    st.text(st.sampled_from("nudeporn 0135@$!|.-_\n"), max_size=8),
    st.text(st.sampled_from(sorted(LOOKALIKES) + sorted(FOLDS)), max_size=4),
    st.text(st.sampled_from("ㄴㅏㅊㅔㄹㄱㅗ나체누 裸体.セックス々"), max_size=6),
    st.sampled_from(["\ud800", "\udfff", "\u0301" * 12, "\u200b", "\u3164", "\u1161", "\u11a8", "\u0130", "ﷺ", "\x00"]),
)
ANY_TEXT = st.lists(_PIECES, max_size=8).map("".join)


@settings(max_examples=examples(300), deadline=None)
@given(ANY_TEXT)
def test_every_reading_has_a_map_into_the_original(text: str) -> None:
    views = read(text)
    assert 1 <= len(views) <= MOST_VIEWS
    assert len({v.text for v in views}) == len(views)
    for view in views:
        assert len(view.text) == len(view.origin) == len(view.end)
        assert all(0 <= a < b <= len(text) for a, b in zip(view.origin, view.end, strict=True))
        step = -1 if view.backwards else 1
        assert all(a <= b for a, b in itertools.pairwise(view.origin[::step]))
        assert all(a <= b for a, b in itertools.pairwise(view.end[::step]))


@settings(max_examples=examples(200), deadline=None)
@given(ANY_TEXT)
def test_what_is_plain_stays_plain(text: str) -> None:
    once = plain(text).text
    assert plain(once).text == once


@settings(max_examples=examples(100), deadline=None)
@given(ANY_TEXT)
def test_reading_twice_is_reading_once(text: str) -> None:
    first = read(text)
    read.cache_clear()
    again = read(text)
    assert [(v.text, list(v.origin), list(v.end), v.undone) for v in first] == [
        (v.text, list(v.origin), list(v.end), v.undone) for v in again
    ]


def test_lone_surrogates_are_read_past() -> None:
    assert "nude" in reading("n\ud800ude \udc00 n u d e", "nude").text


# ---- cost

_UNITS = {
    "prose": "a red house by the sea. ",
    "spaced": "n u d e ",
    "stretched": "nuuuude ",
    "digits": "n4k3d 8k ",
    "look-alikes": "nudе ",
    "jamo": "ㄴㅏㅊㅔ ",
    "han": "裸 体 女 人",
    "zero width": "n\u200bu",
    "marks": "e" + "\u0301" * 30,
    "one letter": "a",
    "dotted": "a.",
    "everything": "n\u200bu d.3 ㄴㅏ裸 体nudеee$ ",
}


@pytest.mark.nightly
@pytest.mark.parametrize("unit", _UNITS.values(), ids=_UNITS.keys())
def test_a_megabyte_is_read_in_a_few_passes(unit: str) -> None:
    # The number of readings does not grow with the text, and none of them is longer than a small multiple of it:
    # so a pass over them all is linear.
    text = (unit * (1_000_000 // len(unit) + 1))[: 1_000_000 if unit in ("a", _UNITS["marks"]) else 100_000]
    try:
        views = read(text)
    except CheckError:
        assert unit == _UNITS["everything"]
        return
    assert len(views) <= MOST_VIEWS
    assert sum(len(v.text) for v in views) <= MOST_TIMES * len(text)


# ---- the tables


def test_lookalikes_are_other_scripts_read_as_latin() -> None:
    assert all(not c.isascii() and latin.isascii() and latin.isalpha() for c, latin in LOOKALIKES_ELSE.items())


def test_folds_give_canonical_letters() -> None:
    assert all(plain(target).text == target for target in FOLDS.values())


def test_invisible_characters_vanish() -> None:
    import re

    table = re.compile(f"[{INVISIBLE}]")
    assert [hex(c) for c in range(0x3000) if table.match(chr(c)) and plain(f"a{chr(c)}b").text != "ab"] == []
