"""Making a named person general, so that the sentence stays whole.

The words that name somebody become a person in general ("a person", "한 사람"), with the article, the plural, the
possessive and, in Korean, the particle that fit. The guard checks the new text again; a rewrite that does not hold
blocks the request.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from guardrail.actions.wording.general import general_person
from guardrail.actions.wording.language import language_of
from guardrail.errors import ActionError
from guardrail.media import Span

__all__ = ["without_persons"]


_HANGUL = re.compile("[\uac00-\ud7a3]")
_KANA = re.compile("[\u3040-\u30ff]")
_HAN = re.compile("[\u4e00-\u9fff]")
_SPANISH = re.compile(
    r"\b(?:el|la|los|las|un|una|de|del|al|con|en|mi|su|y|foto|retrato|imagen|dibujo|que|por|para|sobre)\b",
    re.IGNORECASE,
)
# Words before a name that say what somebody is: the name goes, the word stays ("the actress Jane Doe" → the actress).
_ROLE = re.compile(
    r"\b(?:actor|actress|singer|rapper|president|minister|politician|senator|queen|king|prince|princess|model|player|"
    r"footballer|athlete|streamer|youtuber|celebrity|star|idol|pope|director|author|writer)\s+$",
    re.IGNORECASE,
)
_ROLE_ES = re.compile(
    r"\b(?:actor|actriz|cantante|raper[oa]|(?:ex)?president[ea]|ministr[oa]|polític[oa]|senadora?|rey|reina|príncipe|"
    r"princesa|modelo|jugadora?|futbolista|atleta|estrella|celebridad|famos[oa]|directora?|escritora?|papa|joven|"
    r"guap[oa]|bell[oa]|hermos[oa])\s+$",
    re.IGNORECASE,
)
_ROLE_ZH = re.compile("(?:一[个位名])?((?:女|男)?演员|歌手|明星|[女男]星|总统|主席|总理|模特|导演|作家|球员)$")
# What stands between an article and a name; the article must then stay where it is ("a young Jane Doe").
_QUALITIES = re.compile(
    r"\b(?:(?:very|so|really|extremely) )?(?:(?:(?:very )?{0}(?:, | and | ))*{0}\s+)$".format(
        r"(?:young|younger|old|older|elderly|middle-aged|adult|teenage|little|beautiful|handsome|pretty|cute|gorgeous|"
        r"lovely|stunning|attractive|glamorous|stylish|sexy|hot|naked|nude|topless|shirtless|wet|smiling|laughing|"
        r"crying|angry|sad|happy|serious|tired|drunk|evil|famous|former|late|great|real|realistic|photorealistic|"
        r"hyperrealistic|fake|tiny|giant|tall|short|fat|obese|muscular|skinny|slim|bald|bearded|blonde?|pregnant|"
        r"french|german|dutch|greek|thai|\w+(?:ish|ese|ian|ican|rean))"
    ),
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"\b(?:an?|the|my|your|our)\s+$", re.IGNORECASE)
_ARTICLE_NEAR = re.compile(
    r"\b(?:an?|the|my|your|our) (?:(?!(?:of|with|by|in|on|at|from|and|or|to|for|as|like|is|are)\b)[\w-]+,? ){0,2}$",
    re.IGNORECASE,
)
_TITLE = re.compile(r"(?:\b(?:mr|mrs|ms|miss|dr|sir|dame|lord|lady)\.?\s+|@)$", re.IGNORECASE)
# "my ex-wife", "my mother-in-law": the whole word goes.
_REST_OF_WORD = re.compile(r"(?:-\w+)+")
_PLURAL = re.compile(
    r"(?:my|our|your|his|her|their|the|these|those)\b.*(?<!s)s|.*\bpeople\b.*", re.IGNORECASE | re.DOTALL
)
_BARE_POSSESSIVE = re.compile(r"['’](?!\w)")
# Honorifics go with the name, where a particle or the end of the word follows and they are no part of another word.
_HONORIFIC_KO = re.compile(
    r"\s?(?:씨|님)(?=(?:께서|에게|한테|이랑|처럼|이|가|은|는|을|를|의|과|와|도|만|랑)?(?![가-힣]))"
)
_HONORIFIC_JA = re.compile(
    r"(?:元?大統領|首相|選手|さん|さま|様|氏|ちゃん|くん|君)(?=[がはをのにとでもへや、。,.\s]|から|まで|$)"
)
_HONORIFIC_ZH = re.compile("总统|主席|总理|先生|女士|小姐")
# Particle pairs: the form after a final consonant first; 사람 ends in one.
_PARTICLES = {
    "이": "이",
    "가": "이",
    "은": "은",
    "는": "은",
    "을": "을",
    "를": "을",
    "과": "과",
    "와": "과",
    "랑": "이랑",
    "로": "으로",
    "와의": "과의",
    "와는": "과는",
    "와도": "과도",
    "로서": "으로서",
    "로부터": "으로부터",
}
_CLOSE_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class _Signs:
    """What the letters and words of a whole text say about its language."""

    hangul: bool
    kana: bool
    spanish: bool
    other: str
    """A language that `general_person` knows, or nothing."""


def without_persons(text: str, spans: Sequence[Span]) -> str:
    """`text` with each person span made general. Spans are in characters of `text`.

    Raises:
        ActionError: a span lies outside the text.
    """
    if not all(0 <= s.start < s.end <= len(text) for s in spans):
        raise ActionError("the words that name the person could not be located")
    places = _merged(spans)
    spanish = len(_SPANISH.findall(text)) >= 2
    # The name itself says nothing about the language of its sentence, unless it has letters of its own.
    masked = "".join(text[a:b] for (_, a), (b, _) in itertools.pairwise([(0, 0), *places, (len(text), 0)]))
    around = language_of(masked if re.search(r"[^\W\d_]", masked) else text)
    signs = _Signs(
        hangul=bool(_HANGUL.search(text)),
        kana=bool(_KANA.search(text)),
        spanish=spanish and around in ("es", "en"),
        other=around,
    )
    out = text
    for start, end in reversed(places):
        out = _replace(out, start, end, signs)
    return out


def _merged(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Where two checks found the same person, or parts of one name, it is replaced once."""
    places: list[tuple[int, int]] = []
    for start, end in sorted((s.start, s.end) for s in spans):
        if places and start < places[-1][1]:
            places[-1] = (places[-1][0], max(end, places[-1][1]))
        else:
            places.append((start, end))
    return places


def _replace(text: str, start: int, end: int, signs: _Signs) -> str:
    before, named, after = text[:start], text[start:end], text[end:]
    # Only what stands close by says how the sentence goes on.
    before, close = before[:-_CLOSE_CHARACTERS], before[-_CLOSE_CHARACTERS:]
    match _language(close, named, after, signs):
        case "ko":
            return before + close + _korean(after)
        case "ja":
            return before + close + "ある人物" + _without(_HONORIFIC_JA, after)
        case "zh":
            return before + _chinese(close, after)
        case "es":
            return before + _spanish(close, after)
        case "en":
            return before + _english(close, named, after)
        case other:
            return before + general_person(close, after, other, capital=_starts_sentence(close))


def _language(before: str, named: str, after: str, signs: _Signs) -> str:
    """The language of the words around a name. A name in Latin letters may stand in a sentence of any."""
    # Korean often mixes scripts: the particle after the name tells.
    follows = after[:_CLOSE_CHARACTERS].lstrip()[:1]
    if _HANGUL.search(named) or _HANGUL.match(follows) or (signs.hangul and not named.isascii()):
        return "ko"
    letters = named
    if named.isascii():
        # A letter right behind the name belongs to its sentence; else what stands before it, else what follows.
        nearest = (c for c in (*reversed(before), *after[:_CLOSE_CHARACTERS]) if c.isalpha())
        letters = after[:1] if after[:1].isalpha() else next(nearest, "")
        if _HANGUL.match(letters):
            return "ko"
    if _KANA.search(letters):
        return "ja"
    if _HAN.search(letters):
        return "ja" if signs.kana else "zh"
    if signs.spanish or signs.other == "es":
        return "es"
    return "en" if signs.other in ("ko", "ja", "zh") else signs.other


def _korean(after: str) -> str:
    after = _without(_HONORIFIC_KO, after)
    if after.startswith("들"):
        return "사람" + after
    for length in (3, 2, 1):
        particle = after[:length]
        if particle in _PARTICLES and not _HANGUL.match(after[length : length + 1]):
            return "한 사람" + _PARTICLES[particle] + after[length:]
    return "한 사람" + after


def _chinese(before: str, after: str) -> str:
    after = _without(_HONORIFIC_ZH, after)
    role = _ROLE_ZH.search(before)
    if role:
        return f"{before[: role.start()]}一位{role[1]}{after}"
    return before + "一个人" + after


def _spanish(before: str, after: str) -> str:
    if _ROLE_ES.search(before):
        return before.rstrip() + after
    return before + ("Una persona" if _starts_sentence(before) else "una persona") + after


def _english(before: str, named: str, after: str) -> str:
    if _PLURAL.fullmatch(named):
        general = "people"
    else:
        general = "person"
        if named[:3].lower() in ("my ", "our", "his", "her"):
            after = _without(_REST_OF_WORD, after)
    # "James' house": the new word needs the s; after an opening quote it is a closing one.
    if named[-1:].lower() == "s" and _BARE_POSSESSIVE.match(after) and before[-1:] not in ("'", "‘"):
        after = f"{after[0]}s{after[1:]}"
    before = _TITLE.sub("", before)
    kept = ""
    if role := _ROLE.search(before):
        before, kept, general = before[: role.start()], role[0].rstrip(), ""
    if qualities := _QUALITIES.search(before):
        before, kept = before[: qualities.start()], qualities[0] + kept
    if kept:
        general = (kept.rstrip() + " " + general).rstrip()
        if _ARTICLE_NEAR.search(before) or general.endswith("people"):
            return before + general + after
        general = ("an " if general[:1].lower() in "aeiou" else "a ") + general
    else:
        # An article that stood before the name goes with it: "the Jane Doe statue" has another one now.
        before = _ARTICLE.sub("", before)
        general = general if general == "people" else f"a {general}"
    return before + (general[:1].upper() + general[1:] if _starts_sentence(before) else general) + after


def _starts_sentence(before: str) -> bool:
    return not before.strip() or before.rstrip()[-1:] in ".!?"


def _without(beginning: re.Pattern[str], text: str) -> str:
    found = beginning.match(text)
    return text[found.end() :] if found else text
