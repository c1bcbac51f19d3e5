"""``rewrite``: taking the named person out of a prompt, so that the sentence stays whole.

The words that name somebody become a person in general ("a person", "한 사람"), with the article, the plural, the
possessive and, in Korean, the particle that fit. The guard checks the new text again; a rewrite that does not hold
blocks the request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from guardrail.actions.base import Params, PlanInput, PlannedAction
from guardrail.decision import CORE_ACTIONS, Alteration
from guardrail.errors import ActionError
from guardrail.media import Span

__all__ = ["Rewrite", "without_persons"]

_HANGUL = re.compile("[\uac00-\ud7a3]")
_KANA = re.compile("[\u3040-\u30ff]")
_HAN = re.compile("[\u4e00-\u9fff]")
_SPANISH = re.compile(r"\b(?:el|la|los|las|un|una|de|del|con|en|mi|su|foto|que|por|para)\b", re.IGNORECASE)
# Words before a name that say what somebody is: the name goes, the word stays ("the actress Jane Doe" → the actress).
_ROLES = re.compile(
    r"\b(an? |the )?((?:\w+ )?(?:actor|actress|singer|rapper|president|minister|politician|senator|queen|king|prince|"
    r"princess|model|player|footballer|athlete|streamer|youtuber|celebrity|star|idol|pope|director|author|writer))\s*$",
    re.IGNORECASE,
)
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
}


class Rewrite(PlannedAction):
    """``drop: persons``."""

    spec = CORE_ACTIONS["rewrite"]

    def plan(self, given: PlanInput, params: Params, *, strength: int = 0) -> list[Alteration]:
        changed: list[Alteration] = []
        for index, text in enumerate(given.request.texts):
            spans = [s for s in given.spans if s.text == index and s.kind == "person"]
            if not spans or text.negative:
                continue
            new = without_persons(text.text, spans)
            if not new.strip():
                raise ActionError("nothing is left of the prompt without the person")
            changed.append(
                Alteration(
                    "rewrite",
                    given.stage,
                    detail=f"{len(spans)} {'person' if len(spans) == 1 else 'persons'} taken out",
                    argument=text.argument,
                    index=index,
                    params=dict(params),
                    text=new,
                )
            )
        if not changed:
            raise ActionError("the words that name the person could not be located")
        return changed


def without_persons(text: str, spans: Sequence[Span]) -> str:
    """`text` with each person span made general. Spans are in characters of `text`."""
    out = text
    for span in sorted(spans, key=lambda s: s.start, reverse=True):
        out = _replace(out, span.start, span.end, text)
    return re.sub(r"[ \t]{2,}", " ", out).strip()


def _replace(text: str, start: int, end: int, whole: str) -> str:
    before, named, after = text[:start], text[start:end], text[end:]
    # Korean often mixes scripts: the particle after the name tells.
    if _HANGUL.search(named) or _HANGUL.match(after.lstrip()[:1]) or (_HANGUL.search(whole) and not named.isascii()):
        return before + "한 사람" + _particle(after)
    if _KANA.search(whole):
        return before + "ある人物" + after
    if _HAN.search(named):
        return before + "一个人" + after
    spanish = len(_SPANISH.findall(whole)) >= 2
    role = _ROLES.search(before)
    if role and not spanish:
        article = role[1] or _article(role[2])
        return before[: role.start()] + article + role[2] + after
    general = "una persona" if spanish else "a person"
    return _drop_article(before) + (general.capitalize() if _starts_sentence(before) else general) + after


def _article(word: str) -> str:
    return "an " if word[:1].lower() in "aeiou" else "a "


def _drop_article(before: str) -> str:
    """An article that stood before the name goes with it: "the Jane Doe statue" has another one now."""
    return re.sub(r"\b(?:an?|the)\s+$", "", before, flags=re.IGNORECASE)


def _starts_sentence(before: str) -> bool:
    return not before.strip() or before.rstrip()[-1:] in ".!?"


def _particle(after: str) -> str:
    """The particle that follows a Korean name, in the form that 사람 takes."""
    for length in (2, 1):
        particle = after[:length]
        if particle in ("이랑", "으로"):
            return after
        if length == 1 and particle in _PARTICLES and not _HANGUL.match(after[1:2]):
            return _PARTICLES[particle] + after[1:]
    return after
