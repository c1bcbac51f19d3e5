"""What the words around a listed name say: a person, a place or thing named after one, a style, or another word."""

from __future__ import annotations

import re
from collections.abc import Sequence

from guardrail.checks.text.lexicon import TokenText
from guardrail.checks.text.wordlists import common_words

__all__ = ["as_style", "as_style_unspaced", "is_place", "meant_as_person", "squeezed", "stands_alone"]

_BETWEEN = re.compile(r"[\s·・•‧=＝.\-]+")
# What a single name is given to.
_NAMED_THINGS = frozenset(
    """airport street avenue road boulevard bridge tower towers stadium arena library museum plaza center centre hotel
    university college school institute academy hospital clinic foundation park lake mountain mount island bay river
    square highway freeway expressway tunnel dam memorial monument mausoleum tomb statue state city county town district
    dc station terminal line cup trophy prize award medal scholarship lecture theorem effect theory law laws equation
    constant syndrome disease machine engine motor coil cipher code number numbers telescope crater comet rover probe
    satellite space truck mustang model tank rifle pistol revolver gun missile carrier destroyer cruiser ship submarine
    mansion house golf course cocktail bird birds chocolate steaks card cards salad dressing sandwich burger pizza pie
    cake cut crab sauce soup wellington scissors boots jacket sneakers sofa chair lamp vase restaurant bar pub cafe
    cinema theater theatre bank beer whiskey whisky wine""".split()  # noqa: SIM905 - a word list reads best as one
)
# What a full name is given to as well.
_NAMED_AFTER_FULL = frozenset(
    """airport street avenue road boulevard bridge stadium library university school hospital foundation highway
    expressway memorial monument museum institute academy prize award mausoleum""".split()  # noqa: SIM905
)
# "Emma Watson street style" is somebody on a street.
_NO_STREET = frozenset(
    "style photo photos photography photoshoot fashion wear art dance portrait scene view snap look outfit".split()  # noqa: SIM905
)
_BEFORE_PLACES = frozenset("mount mt lake fort port cape saint st san santa camp rue via avenida calle place".split())  # noqa: SIM905
# Signs that a single ambiguous word is a person's name, and how many words away they may stand.
_PERSON_CUES = frozenset(
    """actor actress singer rapper idol kpop celebrity star president minister politician senator prince princess queen
    king model player footballer striker athlete streamer youtuber influencer member portrait selfie face wearing posing
    smiling concert interview paparazzi lookalike starring blackpink bts twice aespa newjeans""".split()  # noqa: SIM905
)
_NEAR = 4
_ROLES = (
    "가수|배우|아이돌|멤버|선수|작가|감독|모델|유튜버|스트리머|연예인|걸그룹|보이그룹|대통령|의원|얼굴|셀카|콘서트|"
    "歌手|演员|演員|明星|偶像|球员|导演|模特|总统|總統|女优|本人|俳優|女優|アイドル|選手|監督|モデル|大統領"
)
_ROLE_CUES = re.compile(_ROLES)
_PERSON_CUES_UNSPACED = re.compile(_ROLES + "|씨|님|さん|ちゃん")
# What may follow a Korean name without a space.
_PARTICLE = re.compile(
    "(?:은|는|이|가|을|를|의|와|과|도|만|에|에게|한테|께|께서|로|으로|랑|이랑|하고|처럼|같은|같이|보다|까지|부터|"
    "씨|님|야|아|이야|이다|라는|이라는|인|에서|에게서|닮은|선수|배우|가수|얼굴|사진|셀카|초상화|스타일|풍|화풍)?"
    "(?![가-힣])"
)
_STYLE = frozenset(
    "style styles manner works work art artwork painting aesthetic reminiscent homage tribute spirit technique".split()  # noqa: SIM905
)
_STYLE_AFTER_OLD = frozenset(
    "painting paintings style styles styled inspired esque print prints artwork brushwork sonata symphony opera".split()  # noqa: SIM905
)
_STYLE_UNSPACED = re.compile(
    "(?:의|の|的)? ?(?:스타일|화풍|풍으로|풍의|작품|그림체|"
    "スタイル|画風|風の|風に|調の|風格|风格|画风|畫風|笔触|的画作|的畫作)"
)
_MOST_ENUMERATED = 12


def is_place(words: Sequence[str], start: int, end: int) -> bool:
    """Whether the name ``words[start:end]`` is that of a place or thing: "Trump Tower", "John Kennedy Airport"."""
    after = words[end] if end < len(words) else ","
    if end - start == 1:
        return after in _NAMED_THINGS or (start > 0 and words[start - 1] in _BEFORE_PLACES)
    if after not in _NAMED_AFTER_FULL:
        return False
    return after != "street" or _NO_STREET.isdisjoint(words[end + 1 : end + 2])


def squeezed(text: str) -> tuple[str, Sequence[int]]:
    """A text without what separates the parts of a name, and where each of its characters stood."""
    if _BETWEEN.search(text) is None:
        return text, range(len(text))
    kept = [i for i, c in enumerate(text) if not _BETWEEN.match(c)]
    return "".join(text[i] for i in kept), kept


def meant_as_person(tokens: TokenText, at: int, original: str) -> bool:
    """Whether the single, ambiguous word at `at` is a name here: a sign of a person close by, a capital where the word
    is also an ordinary one, and no surname of somebody else after it."""
    words = tokens.words
    near = words[max(0, at - _NEAR) : at + 1 + _NEAR]
    if _PERSON_CUES.isdisjoint(near):
        return False
    start, _ = tokens.view.original(*tokens.spans[at])
    if words[at] in common_words() and not original[start : start + 1].isupper():
        return False
    if at and words[at - 1] == "by":
        return False
    if at + 1 < len(words):
        after = words[at + 1]
        first, _ = tokens.view.original(*tokens.spans[at + 1])
        if original[first : first + 1].isupper() and after not in common_words() and after not in _PERSON_CUES:
            return after == ","
    return True


def stands_alone(text: str, start: int, end: int, name: str, sure: bool) -> bool:
    """Whether the name at this place is no piece of another word, and, where it is not sure, is meant as a person."""
    hangul = "\uac00" <= name[0] <= "\ud7a3"
    # Short Hangul names must begin a word; other scripts have no word breaks to go by.
    if hangul and len(name) <= 3 and start > 0 and "\uac00" <= text[start - 1] <= "\ud7a3":
        return False
    if sure and len(name) > 2:
        return True
    if hangul and not _PARTICLE.match(text, end):
        return False
    if sure:
        return True
    # One syllable is also an ordinary word far too often: 비 is rain.
    reach, cues = (4, _ROLE_CUES) if len(name) == 1 else (6, _PERSON_CUES_UNSPACED)
    return cues.search(text[max(0, start - reach) : start] + " " + text[end : end + reach]) is not None


def as_style(words: Sequence[str], start: int, end: int, *, old: bool = False) -> bool:
    """Whether the artist named here stands for a style or as the author: after "by" or "style of", also further down
    such an enumeration ("by one, another and a third"), or before "style". Of the long dead (`old`) the works are
    meant in more ways: "a Monet painting"."""
    after = words[end : end + 1]
    if after == ["style"] or (after == ["s"] and not _STYLE.isdisjoint(words[end + 1 : end + 4])):
        return True
    if words[max(0, start - 2) : start] in (["inspired", "by"], ["inspiration", "from"]) or (
        old and not _STYLE_AFTER_OLD.isdisjoint(words[end : end + 2])
    ):
        return True
    for _ in range(_MOST_ENUMERATED):
        before = [*words[max(0, start - 3) : start]]
        if before[-1:] == ["artist"]:
            before.pop()
        if before[-1:] in (["by"], ["after"]) or (before[-1:] == ["of"] and not _STYLE.isdisjoint(before[-2:-1])):
            return True
        # One name back, over ", somebody" or "and somebody"; things ("by the sea, …") are no names.
        stop = start
        while stop > 0 and words[stop - 1] in (",", "and"):
            stop -= 1
        first = stop
        while first > 0 and stop - first < 3 and words[first - 1] not in (",", "and", "by", "after", "of"):
            first -= 1
        if stop == start or first == stop or words[first] in ("a", "an", "the", "my", "his", "her"):
            return False
        start = first
    return False


def as_style_unspaced(text: str, end: int) -> bool:
    """The same in Korean, Japanese and Chinese, for a name that ends at `end`: 고흐 스타일, ゴッホ風の, 梵高风格."""
    return _STYLE_UNSPACED.match(text, end) is not None
