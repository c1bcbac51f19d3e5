"""Taking words out of a Korean text: whole words with their particles and endings, and the light verb after them."""

from __future__ import annotations

import re

__all__ = ["cut_korean", "korean_wish"]

_PARTICLE = "에게서|에게|에서|으로|로서|까지|부터|처럼|보다|이랑|랑|하고|이나|이|가|은|는|을|를|의|에|로|와|과|도|만|나"
# What stands whole behind or before the word that goes, in one piece with it: 누드사진, 미녀누드.
_KEPT = (
    "사진|그림|이미지|화보|영상|일러스트|여자|여성|남자|남성|모델|미녀|커플|부부|연인|사람|여인|소설|만화|포스터|"
    "인물|조각상|캐릭터|초상화|컷|배우|무희|댄서"
)
_SUFFIX = re.compile(rf"(?P<kept>{_KEPT})(?P<rest>[가-힣]*)")
_PAINTING = re.compile(r"화(?P<rest>(?:를|가|는|의|로|와)?)$")
# After an object that is gone, its verb goes; after "…고", the verb that says it goes on.
_LIGHT = re.compile(
    r"(?:하|한|할|했|해|즐기|즐긴|즐겨|나누|나눈|보이|보인|보여|드러내|드러낸|노출|강조|내놓|내민|입|찍|찍은|벗|가리|만지)"
    r"[가-힣]*$"
)
_GOES_ON = re.compile(r"(?:있|계시|버리|버린|놓|놓은|둔|두고)[가-힣]*$")
_STATE = re.compile(r"(?:중인|상태인|상태의|상태로|차림의|차림으로|차림인|채로|채|되어|된|만든|중)$")
_OBJECT = re.compile(r"(?:을|를|만)$")
_DEGREE = re.compile(
    r"(?:완전히?|완전한|완벽하게|홀딱|아주|매우|너무|다|싹|전부|모두|거의|반쯤|살짝|몽땅|훤히|굉장히|정말)$"
)
_ENDS_SENTENCE = re.compile(r"^\s*(?:$|[,.!?\n，。;:|)\]])")
_ASKS = re.compile(
    r"(?:줘|주세요|줄래|줘요|주라|달라|해|해라|하라|봐|보여|버려|바꿔|부탁해|해줘|시켜|만들어|그려)[가-힣]*$"
)
_CLAUSE_END = re.compile(r"[가-힣]+(?:고|서|며|면서|다음|뒤|후)(?:는)?$")
_SMALL = re.compile(
    rf"(?:이|그|저|내|제|나|좀|다|더|한|그녀|그놈|얘|걔|쟤|이거|그거|사진|"
    rf"그림|이미지|화보|영상|사진 속|속|안)(?:{_PARTICLE})?"
    r"|(?:그려|만들어|보여|뽑아|생성해|해|바꿔|제발|부탁)(?:줘|주세요|줘요|줄래|해|해요|합니다|봐)?|줘|주세요|해줘"
)
# "실오라기 하나 걸치지 않은": what such a noun needs to say that nothing is worn.
_NOTHING_ON = re.compile(r"(?:하나도?|한|올|조각|걸치지|걸친|입지|입은|안|않[가-힣]*|없[이는]|게)")
_NOTHING = re.compile(r"^(?:실오라기|천|아무|옷|의복)")
# "배경을 바꾸고 [옷을 벗겨줘]": what is left ends as a request of its own.
_ASKED = {
    "바꾸고": "바꿔",
    "하고": "해",
    "만들고": "만들어",
    "넣고": "넣어",
    "지우고": "지워",
    "올리고": "올려",
    "두고": "둬",
}
_TOKEN = re.compile(r"[^\s,.!?;:()\[\]，。]+")


def cut_korean(text: str, start: int, end: int, *, edit: bool) -> str:
    """`text` without ``text[start:end]``, its particles and endings, and what hung on it.

    Args:
        edit: the words undress somebody; where they are a request, the whole clause goes.
    """
    a, b = _whole(text, start, end)
    if edit and (span := _request(text, a, b)):
        left, right = text[: span[0]], text[span[1] :]
        return _closed_up(_as_request(left, text[a : span[1]]) if _ENDS_SENTENCE.match(right) else left, right)
    prefix, suffix = text[a:start], text[end:b]
    if kept := _kept(prefix, suffix):
        return text[:a] + kept + text[b:]
    b = _with_verbs(text, a, b)
    a = _with_degrees(text, a)
    left, right = text[:a], text[b:]
    if _ENDS_SENTENCE.match(right):
        left = _without_hanging(left)
    return _closed_up(left, right)


def korean_wish(text: str) -> bool:
    """Whether anything but pronouns, words for pictures and words of asking is left."""
    return any(not _SMALL.fullmatch(t) and re.search(r"[^\W\d_]", t) for t in _TOKEN.findall(text))


def _whole(text: str, start: int, end: int) -> tuple[int, int]:
    while start and _TOKEN.match(text[start - 1]):
        start -= 1
    while end < len(text) and _TOKEN.match(text[end]):
        end += 1
    return start, end


def _kept(prefix: str, suffix: str) -> str:
    """The noun that was in one piece with the word: 누드사진을 → 사진을, 누드화를 → 그림을."""
    if (noun := _SUFFIX.match(suffix)) and not prefix:
        return noun[0]
    if (painting := _PAINTING.match(suffix)) and not prefix:
        return "그림" + {"를": "을", "가": "이", "는": "은", "와": "과", "로": "으로"}.get(
            painting["rest"], painting["rest"]
        )
    if re.fullmatch(_KEPT, prefix):
        particle = re.fullmatch(_PARTICLE, suffix)
        return prefix + (_fitting(prefix, particle[0]) if particle else "")
    if prefix and not re.search("[가-힣]", prefix):
        # Latin letters, digits and brackets before it stay: "(누드:1.2)".
        return ""
    return ""


_PAIRS = {"이": "가", "가": "이", "은": "는", "는": "은", "을": "를", "를": "을", "과": "와", "와": "과"}
_AFTER_CONSONANT = frozenset("이은을과")


def _fitting(word: str, particle: str) -> str:
    """The form of a particle that fits behind `word`: 여자 takes 를, 사람 takes 을."""
    if particle not in _PAIRS or not "가" <= word[-1] <= "힣":
        return particle
    consonant = (ord(word[-1]) - 0xAC00) % 28 != 0
    return particle if consonant == (particle in _AFTER_CONSONANT) else _PAIRS[particle]


def _as_request(left: str, gone: str) -> str:
    for ending, asked in _ASKED.items():
        if left.rstrip().endswith(ending):
            return left.rstrip().removesuffix(ending) + asked + ("주세요" if "주세요" in gone else "줘")
    return left


def _next(text: str, at: int) -> re.Match[str] | None:
    spaces = re.compile(r" *").match(text, at)
    assert spaces is not None
    return _TOKEN.match(text, spaces.end())


def _with_verbs(text: str, a: int, b: int) -> int:
    """Where the words end that say what was done with what is gone."""
    if (token := _next(text, b)) and _STATE.match(token[0]):
        b = token.end()
    if _OBJECT.search(text[a:b]) and (token := _next(text, b)) and _LIGHT.match(token[0]):
        b = token.end()
    if _NOTHING.match(text[a:b]):
        while (token := _next(text, b)) and _NOTHING_ON.fullmatch(token[0]):
            b = token.end()
    if re.search(r"[고어아여]$", text[a:b]) and (token := _next(text, b)) and _GOES_ON.match(token[0]):
        b = token.end()
    return b


def _with_degrees(text: str, a: int) -> int:
    while (before := re.search(r"(\S+) *$", text[:a])) and _DEGREE.match(before[1]):
        a = before.start()
    return a


def _request(text: str, a: int, b: int) -> tuple[int, int] | None:
    """The clause around an undressing request: from the last sentence, comma or "…고" to the end of its verb."""
    token = _next(text, b)
    if token and re.fullmatch(r"(?:하|만들|바꾸|처리하)고|(?:해|만들어|바꿔|처리해)서", token[0]):
        b = token.end()
        token = _next(text, b)
    joins = re.search(r"[가-힣](?:고|서|며)$", text[a:b]) is not None
    asks = _ASKS.search(text[a:b]) is not None
    if token and not asks and _ASKS.match(token[0]):
        b, asks = token.end(), True
    goes_on = joins and token is not None and _GOES_ON.match(token[0])
    if not (asks or (joins and not goes_on and _ASKS.search(text.rstrip(" .!~")))):
        return None
    begin = max((m.end() for m in re.finditer(r"[,.!?\n，。]", text[:a])), default=0)
    for other in _TOKEN.finditer(text, begin, a):
        if _CLAUSE_END.fullmatch(other[0]) and len(other[0]) > 1 and not other[0].endswith("에서"):
            begin = other.end()
    return begin, b


def _without_hanging(left: str) -> str:
    """The last word without a particle that waits for a verb."""
    last = re.search(r"(\S+?)(이|가|은|는|을|를|과|와|의)?\s*$", left)
    if last is None or last[2] is None or (len(last[1]) < 2 and last[2] in "이가의"):
        return left
    return left[: last.end(1)]


def _closed_up(left: str, right: str) -> str:
    tail, begin = left.rstrip(" "), right.lstrip(" ")
    while tail[-1:] and tail[-1:] in "([" and (weight := re.match(r"\s*(?::\s*[\d.]+)?\s*[)\]]", begin)):
        tail, begin = tail[:-1].rstrip(" "), begin[weight.end() :].lstrip(" ")
    if not tail or tail[-1] in ",.!?\n，。|":
        begin = begin.lstrip(" ,，.|") if not tail or begin[:1] in (",", "，", ".", "|") else begin
        if not begin:
            tail = tail.rstrip(" ,，|")
    if not tail or not begin or begin[0] in ",.!?)]，。\n" or tail[-1] in "([\n":
        return tail + begin
    return f"{tail} {begin}"
