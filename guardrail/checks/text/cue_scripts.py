"""Names that stand on no list in Korean, Japanese and Chinese: a surname and syllables or characters that first names
are made of, beside a title, a picture or what people do.

Shape alone is no sign: in Korean news a surname and two syllables begin a word in 71 % of the sentences that name
nobody. With what is asked for here, 0.1 % of Korean, Japanese and Chinese captions have a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from guardrail.checks.text.cue_words import sections_of
from guardrail.checks.text.normalise import View

__all__ = ["names_in_characters"]

# What a name is worth: with a title or a listed first name; by its shape and what stands beside; a first name alone.
_TITLED, _SHAPED, _ALONE = 0.60, 0.55, 0.50

# ---- Korean
_AFTER = (
    "(?:이)?(?:은|는|이|가|을|를|의|와|과|도|만|에게|한테|께|께서|랑|이랑|하고|처럼|야|이야|입니다|인데|씨|님|군|양)?"
)
_PICTURE = (
    "(?:사진|얼굴|셀카|초상화|인물|프로필|증명사진|그려|나체|누드|알몸|몸매|비키니|수영복|벗|합성|"
    "딥페이크|닮은|코스프레)"
)
_DOING = (
    "(?:모습|웃|앉|서 있|입은|입고|걷|뛰|자고|먹|춤|책을|타는|타고|들고|바라|해변|공원|바다|카페|포즈|노래|달리|"
    "운동|우주|빨간|드레스)"
)
# ---- Japanese
_ADDRESS = "(?:さん|ちゃん|くん|君|先生|先輩|部長|課長|社長|様)"
_OF_PICTURE = "(?:さん)?の(?:写真|肖像|自撮り|顔|ポートレート|ヌード)"
# ---- Chinese
_TITLE = (
    "(?:老师|老師|同学|同學|小姐|女士|先生|教授|经理|經理|阿姨|姐姐|学姐|學姐|学妹|學妹|医生|醫生|"
    "总|總|老板|老闆|哥|姐)"
)
_BEFORE = "(?:^|[^一-龥]|画|畫|绘|繪|张|張|把|给|給|让|讓|将|將|叫|是|的|和|与|與|幅|拍|替|帮|幫)"
_BEHIND = (
    "(?:的(?:照片|肖像|自拍|头像|頭像|脸|臉|画像|畫像|写真|图片|圖片|裸照|身体|身體|样子|樣子|衣服|照)|"
    "在(?!线|線)|穿|微笑|笑着|笑著|坐着|坐著|坐在|站在|戴着|戴著|骑|騎|正在|跑步|看书|看書|读书|讀書|跳舞|游泳|喝|拿着|"
    "拿著|抱着|抱著|脱|脫|裸|，|,|$)"
)


def names_in_characters(view: View) -> Iterator[tuple[int, int, float]]:
    """Ranges of the original text with how surely each is the name of a person."""
    patterns, no_names, no_starts = _compiled()
    for pattern, worth in patterns:
        for match in pattern.finditer(view.text):
            if match[1] not in no_names and not match[1].startswith(no_starts):
                yield *view.original(*match.span(1)), worth


@lru_cache(maxsize=1)
def _compiled() -> tuple[tuple[tuple[re.Pattern[str], float], ...], frozenset[str], tuple[str, ...]]:
    cues, names = sections_of("name_cues.txt"), sections_of("given_names.txt")
    patterns = (*_korean(names, cues), *_japanese(names), *_chinese(names))
    return (
        tuple((re.compile(pattern), worth) for pattern, worth in patterns),
        frozenset(cues["unspaced_no_names"].split()),
        tuple(cues["korean_no_starts"].split()),
    )


def _either(section: str) -> str:
    return "|".join(sorted(section.split(), key=len, reverse=True))


def _letters(section: str) -> str:
    return "".join(section.split())


def _korean(names: dict[str, str], cues: dict[str, str]) -> Iterator[tuple[str, float]]:
    # Weak surnames begin ordinary words, so that those need a listed first name or a picture.
    usual = _letters(names["ko-surname-strong"] + names["ko-surname-middle"])
    surname = f"(?:[{usual}{_letters(names['ko-surname-weak'])}]|남궁|황보|선우|독고|제갈)"
    given = f"[{_letters(names['ko-first'])}][{_letters(names['ko-second'])}]"
    listed = _either(names["ko-given"])
    before = _either(cues["korean_before"]).replace("_", " ")
    alone, ends = "(?<![가-힣])", "(?![가-힣])"
    yield rf"{alone}({surname}(?:[가-힣]{{1,2}})? ?(?:{_either(cues['korean_titles'])}))(?![가-힣]{{2,}})", _TITLED
    yield rf"{alone}([{usual}]{given} ?(?:님|양|군|학생|형)){ends}", _TITLED
    yield rf"{alone}({surname} ?(?:{listed})){_AFTER}{ends}", _TITLED
    yield rf"{alone}({surname}(?:{listed}))(?={_PICTURE}|모습)", _TITLED
    yield rf"{alone}([{usual}]{given}){_AFTER}{ends}(?: ?{_PICTURE}|[^가-힣]{{0,20}}(?:{_PICTURE}|{_DOING}))", _SHAPED
    yield rf"{alone}({surname}{given})(?=의? ?{_PICTURE})", _SHAPED
    yield rf"(?:(?<=^)|(?<=[,.\n] ))([{usual}]{given}){_AFTER}(?=$|,)", _SHAPED
    yield rf"(?:{before}) ([{usual}]{given}){_AFTER}{ends}", _SHAPED
    yield rf"{alone}((?:{listed})이?)[의가는를이]? ?(?=사진|얼굴|셀카|누드|나체|알몸|몸매|벗)", _ALONE


def _japanese(names: dict[str, str]) -> Iterator[tuple[str, float]]:
    surname, foreign = _either(names["ja-surname"]), _either(names["ja-katakana-given"])
    given = f"(?:[{_letters(names['ja-name-kanji'])}]{{1,3}}|{_either(names['ja-kana-given'])})"
    yield rf"((?:{surname}) ?{given})(?![一-龥])", _TITLED
    yield rf"(?<![一-龥])((?:{surname}){_ADDRESS})", _TITLED
    yield rf"(?<![一-龥ァ-ヴー])((?:{given}|{foreign})(?:さん|ちゃん))(?![一-龥])", _ALONE
    yield rf"(?<![ァ-ヴー])((?:{foreign})[・= ][ァ-ヴー]{{2,}}(?:[・= ][ァ-ヴー]{{2,}})?)", _TITLED
    yield rf"(?<![ァ-ヴー・])([ァ-ヴー]{{2,12}}・[ァ-ヴー]{{2,12}})(?={_OF_PICTURE})", _SHAPED


def _chinese(names: dict[str, str]) -> Iterator[tuple[str, float]]:
    surname, given = _letters(names["zh-surname"]), _letters(names["zh-name-chars"])
    foreign = _letters(names["zh-foreign"])
    yield rf"(?<![一-龥])([{surname}][一-龥]{{0,2}}{_TITLE})(?![一-龥]{{4,}})", _TITLED
    listed = rf"[{surname}]?(?:{_either(names['zh-given'])})"
    yield rf"({listed})(?=的|在|微笑|笑|穿|坐|站|，|,|$|正|骑|騎|脱|脫|裸)", _SHAPED
    yield rf"{_BEFORE}([{surname}][{given}]{{1,2}}){_BEHIND}", _SHAPED
    yield rf"([{foreign}]{{2,5}}[·・•]+[{foreign}]{{2,6}})", _TITLED
