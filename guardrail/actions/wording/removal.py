"""Taking what is sexual out of a prompt, so that the rest of the wish survives.

What goes is given by spans; the words around them are looked at only to leave no article, preposition, particle or
comma hanging. Whether the new text passes is not judged here: the guard checks it again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from guardrail.actions.wording.closed import CLOSED, PICTURES
from guardrail.actions.wording.han import cut_han
from guardrail.actions.wording.korean import cut_korean, korean_wish
from guardrail.actions.wording.language import language_of
from guardrail.actions.wording.phrases import phrase_around
from guardrail.actions.wording.spaced import cut_spaced
from guardrail.errors import ActionError
from guardrail.media import Span

__all__ = ["COUNTS", "without_sexual"]

COUNTS = 0.40
"""Weaker words (a bikini, a bath) stay: alone they are nobody's concern."""

CLOSE_CHARACTERS = 400

_MAKE = re.compile(
    r"(?:make|making|turn|render|generate|show|edit|change|convert|put|imagine|get|have|want)\s+(?!(?:the|her|his|him|"
    r"them|this|that|my|your|it|me|us|everyone|everybody|all|\w+['’]s)\b)",
    re.IGNORECASE,
)
_PERSON = (
    r"wom[ae]n|girls?|lady|ladies|man|men|guys?|couples?|lovers?|persons?|people|models?|babes?|nymphs?|maidens?|"
    r"goddess(?:es)?|wife|girlfriend|she|her|mujer(?:es)?|hombres?|chic[ao]s?|mulher(?:es)?|homem|homens|moças?|femmes?|"
    r"hommes?|filles?|donn[ae]|uom(?:o|ini)|ragazz[aoei]|frau(?:en)?|mann|männer|mädchen|wanita|perempuan|pria|cô gái|"
    r"phụ nữ|đàn ông|kadın(?:lar)?|adam|kız|женщин\w*|мужчин\w*|девушк\w*|парн\w*|امرأة|رجل|महिला|औरत|पुरुष|लड़की"
)
_PERSON_FIRST = re.compile(rf"(?:{_PERSON})\b[\s,]+(?=\w)", re.IGNORECASE)
_PERSON_LAST = re.compile(rf"(?<=\w)[\s-]+(?:{_PERSON})\s*$", re.IGNORECASE)
_PERSON_LAST_KO = re.compile(
    r"(?<=\S) +(?:여자|여성|여인|남자|남성|커플|부부|연인|사람|모델|미녀|소설|"
    r"사진|그림|이미지|화보|영상|포즈|모습)[가-힣]?$"
)
_PUT_ON = re.compile(r"(?:cloth\w*|garments?|nothing|anything|underwear|bra|panties)\s+on$", re.IGNORECASE)
_PERSON_LAST_HAN = re.compile(
    r"(?<=.)の?(?:美女|女[性人子]?|男[性人子]?|写真|画像|画|照片|图片|圖片|照|ผู้หญิง|ผู้ชาย|รูป|ภาพ)$"
)
_PERSON_FIRST_HAN = re.compile(r"(?:美女|女[性人子]|男[性人子]|她|他|ผู้หญิง|ผู้ชาย)(?:[のが的])?(?=.)")
_PERSON_FIRST_KO = re.compile(r"(?:여자|여성|남자|남성|모델|미녀|그녀|사람|친구)[가이은는의를을]? +(?=\S)")
# The letters of "8k" are no word.
_WORD = re.compile(r"(?<![\w])[^\W\d_]+")


_KO = (_PERSON_FIRST_KO, _PERSON_LAST_KO)
_HAN = (_PERSON_FIRST_HAN, _PERSON_LAST_HAN)
_ENDS = {"ko": (_KO, (_PERSON_FIRST, _PERSON_LAST)), "ja": (_HAN,), "zh": (_HAN,), "th": (_HAN,)}


def without_sexual(text: str, spans: Sequence[Span]) -> str:
    """`text` without its sexual spans that weigh at least `COUNTS`. Spans are in characters of `text`.

    Raises:
        ActionError: a span lies outside the text, nothing of that weight was found, or no wish would be left.
    """
    if not all(0 <= s.start < s.end <= len(text) for s in spans):
        raise ActionError("the sexual words could not be located")
    language = language_of(text)
    places = _places(text, [s for s in spans if s.score >= COUNTS], language)
    if not places:
        raise ActionError("the sexual words could not be located")
    out = text
    for start, end, edit in reversed(places):
        # Only what stands close by says how the sentence goes on; a text full of findings stays linear.
        begin, stop = _near(out, start, end)
        near = _cut(out[begin:stop], start - begin, end - begin, edit, language)
        out = out[:begin] + near + out[stop:]
    out = out.strip()
    if not _has_wish(out, language):
        raise ActionError("nothing of the wish would be left")
    return out


def _near(text: str, start: int, end: int) -> tuple[int, int]:
    """The surroundings of a place, from and to a space where there is one."""
    begin, stop = max(0, start - CLOSE_CHARACTERS), min(len(text), end + CLOSE_CHARACTERS)
    if begin:
        begin = max(text.find(" ", begin, start), begin)
    if stop < len(text):
        space = text.rfind(" ", end, stop)
        stop = space if space >= 0 else stop
    return begin, stop


def _cut(text: str, start: int, end: int, edit: bool, language: str) -> str:
    if language == "ko":
        return cut_korean(text, start, end, edit=edit)
    if language in ("ja", "zh", "th"):
        return cut_han(text, start, end, language)
    return cut_spaced(text, start, end, CLOSED[language], edit=edit, english=language == "en")


def _places(text: str, spans: Sequence[Span], language: str) -> list[tuple[int, int, bool]]:
    """(start, end, whether it is an undressing edit), in order, without overlaps.

    A pattern that reaches over a whole sentence ("make a picture of … naked") gives way to the words inside it.
    """
    narrow = [_narrowed(text, s, language) for s in spans]
    inner = [
        (a, b, edit)
        for a, b, edit in narrow
        if not (
            edit
            and _MAKE.match(text, a)
            and any(
                (c, d) != (a, b) and a <= c and d <= b and s.score >= 0.7
                for s, (c, d, _) in zip(spans, narrow, strict=True)
            )
        )
    ]
    places: list[tuple[int, int, bool]] = []
    for a, b, edit in sorted(inner):
        if places and (a < places[-1][1] or not text[places[-1][1] : a].strip()):
            first, last, other = places[-1]
            places[-1] = (first, max(b, last), edit or other)
        else:
            places.append((a, b, edit))
    return places


def _narrowed(text: str, span: Span, language: str) -> tuple[int, int, bool]:
    """The span without the persons at its ends: "woman in the shower" is a woman still; for words that no list knows,
    the phrase that they stand in."""
    a, b = span.start, span.end
    if span.label == "classifier":
        return *phrase_around(text, a, b, CLOSED.get(language), language), False
    for first, last in _ENDS.get(language, ((_PERSON_FIRST, _PERSON_LAST),)):
        if found := first.match(text, a, b):
            a = found.end()
        if found := last.search(text[:b], a):
            b = found.start()
    # A pattern may take the preposition behind a word for its context.
    closed = CLOSED.get(language)
    while closed and (word := re.search(r"(?<=\w)\s+(\w+)$", text[a:b])) and word[1].lower() in closed.after:
        if _PUT_ON.search(text[a:b]):
            break
        b = a + word.start()
    return a, b, span.label == "undress"


def _has_wish(text: str, language: str) -> bool:
    if language == "ko":
        return korean_wish(text)
    if language in ("ja", "zh", "th"):
        return bool(re.search(r"[^\W\d_]", re.sub(r"写真|画像|照片|图片|图像|絵|画|ภาพ|รูป|给我|一张|请", "", text)))
    closed = CLOSED[language]
    small = closed.before | closed.after | closed.joins | closed.copulas | closed.pronouns | closed.commands
    return any(w.lower() not in small and w.lower() not in PICTURES for w in _WORD.findall(text))
