"""Reading the texts of a request as a request: what is only to be written in the picture, and what several prompts say
together.

A word in quotes is no way around a filter: ``a picture of "naked woman"`` asks for just that. Only where the words say
that a surface carries it (``a sign that says "nude beach"``) it is lettering; what is left of the sentence is judged in
full, and the lettering is suggestive at most, since a generator may draw what it should write.

Pipelines with several text encoders take several prompts for one picture. A request cut in two at any place ("take off
her" in one, "dress" in the other) is found where the two meet.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guardrail.checks.text.characters import UNSPACED
from guardrail.media import Span, TextInput

__all__ = ["LETTERING", "Joined", "Meeting", "different", "meeting", "together", "with_lettering", "without_lettering"]

LETTERING = 0.60
"""The most that words to be written in the picture count."""
MOST_WORDS, MOST_CHARACTERS = 6, 48
REACH = 80
"""Characters on either side of a place where two prompts meet."""

_QUOTED = re.compile(
    rf"\"([^\"\n]{{1,{MOST_CHARACTERS}}})\"|“([^”“\n]{{1,{MOST_CHARACTERS}}})”|«([^»«\n]{{1,{MOST_CHARACTERS}}})»"
    rf"|„([^“”„\n]{{1,{MOST_CHARACTERS}}})[“”]|「([^」「\n]{{1,{MOST_CHARACTERS}}})」|『([^』『\n]{{1,{MOST_CHARACTERS}}})』"
    rf"|(?<!\w)['‘]([^'‘’\n]{{1,{MOST_CHARACTERS}}})['’](?!\w)"
)
_SURFACE = (
    r"(?:sign|signboard|signpost|poster|banner|billboard|placard|plaque|label|logo|sticker|t-?shirt|tee|shirt|hoodie|"
    r"sweater|cap|mug|cup|book|cover|headline|newspaper|card|note|letter|chalkboard|blackboard|whiteboard|graffiti|wall|"
    r"door|cake|bottle|jar|box|bag|licen[cs]e plate|flag|tombstone|bubble|button|badge|scroll|sheet|page|menu|ticket|"
    r"road|board|title|text|lettering|font|typography|neon|marquee|stamp|tag)s?"
)
_WRITES = (
    r"(?:says?|saying|reads?|reading|states?|stating|spells?|spelling|labell?ed|titled|entitled|marked|written|printed|"
    r"engraved|inscribed|with (?:the |a )?(?:words?|text|letters?|lettering|slogan|caption|inscription|title|phrase|"
    r"message|quote|writing))"
)
_BEFORE = re.compile(
    rf"\b{_SURFACE}\b(?:\s+[\w'’-]+){{0,4}}?\s+(?:that\s+|which\s+)?{_WRITES}(?:\s+(?:the\s+)?(?:words?|text|phrase))?\s*:?\s*$"
    rf"|\b(?:words?|text|phrase|lettering|slogan|caption)\s*:?\s*$"
    r"|(?:cartel|letrero|camiseta|póster|placa|cartaz|faixa|camisa)\b.{0,30}?(?:que (?:dice|diz)|"
    r"con (?:el texto|las palabras)"
    r"|com (?:o texto|as palavras|a frase)|escrito)\s*:?\s*$"
    r"|(?:panneau|pancarte|affiche|t-shirt|enseigne)\b.{0,30}?(?:qui dit|disant|marquée?|"
    r"avec (?:le texte|l['’]inscription"
    r"|les mots))\s*:?\s*$"
    r"|(?:schild|plakat|banner|t-shirt|poster)\b.{0,30}?(?:mit der (?:aufschrift|inschrift)|mit dem (?:text|wort)|"
    r"auf dem .{0,12}?steht)\s*:?\s*$"
    r"|(?:cartello|insegna|maglietta|poster|striscione)\b.{0,30}?(?:che dice|"
    r"con (?:la scritta|il testo|le parole))\s*:?\s*$"
    r"|(?:табличк|вывеск|плакат|футболк|знак|баннер)\w*.{0,30}?(?:с надписью|где написано)\s*:?\s*$"
    r"|(?:写着|寫著|写有|印着|印著|标有|标着|题为|写上)\s*[:：]?\s*$",
    re.IGNORECASE,
)
_WORDS = re.compile(r"\b(?:words?|text|phrase|letters)\s*$", re.IGNORECASE)
_AFTER = re.compile(
    rf"\s*(?:(?:is\s+)?(?:written|painted|printed|engraved|carved|in (?:neon|gold|big|large|bold|red|white) \w+)\s+)?"
    rf"(?:on|across|above|over)\s+(?:an?|the)\s+(?:[\w-]+\s+){{0,3}}?{_SURFACE}\b",
    re.IGNORECASE,
)
_AFTER_EAST = re.compile(
    r"\s*(?:(?:이)?라(?:고|는)\s*(?:쓰인|쓰여|써진|써\s?있|적힌|적혀|쓴|적은|새겨진|인쇄된|문구|글자|글씨|글|단어|제목|간판|표지판)"
    r"|(?:と|って)(?:書かれた|書いた|書いてある|印刷された|刻まれた)|という(?:文字|看板|言葉|文|タイトル|標識)|の(?:文字|看板|標識)"
    r"|(?:的|字样的?|二字的?|几个字的?)(?:牌子|标志|招牌|海报|字样|横幅|标语|路牌))"
)
# What may follow lettering: the sentence goes on about where it is, not about what was quoted.
_GOES_ON = re.compile(
    r"\s*(?:$|[,.;:!?)\]}\n]|(?:on|in|at|with|by|near|under|above|behind|beside|next|and|hanging|standing|held|written|"
    r"painted|printed|over|across|for|to|from|while|as|en|con|sur|avec|dans|et|an|auf|im|mit|und|su|in|e|y|na|em|com|на|в|"
    r"у|и)\b|[,，、。의가이은는을를에的])",
    re.IGNORECASE,
)


def _lettering(text: str) -> Iterator[tuple[int, int]]:
    for quoted in _QUOTED.finditer(text):
        words = next(g for g in quoted.groups() if g is not None)
        if len(words.split()) > MOST_WORDS:
            continue
        after = text[quoted.end() : quoted.end() + REACH]
        before = text[max(0, quoted.start() - REACH) : quoted.start()]
        told = _BEFORE.search(before) and _GOES_ON.match(after)
        if told or _AFTER_EAST.match(after) or (_WORDS.search(before) and _AFTER.match(after)):
            yield quoted.span()


def without_lettering(text: str) -> str | None:
    """`text` without what is only to be written in the picture; ``None`` where there is nothing of the sort."""
    kept: list[str] = []
    at = 0
    for start, end in _lettering(text):
        kept.append(text[at:start])
        at = end
    return " ".join([*kept, text[at:]]) if at else None


def with_lettering(whole: float, rest: float) -> float:
    """The score of a text with lettering, from the score of all of it and that of the rest, 0..1."""
    return max(rest, min(whole, LETTERING))


# ---- several prompts of one picture

_UNSPACED = re.compile(f"[{UNSPACED}]")


@dataclass(frozen=True, slots=True)
class Meeting:
    """The places where the prompts of a request meet, as one text.

    Args:
        text: the end of each prompt and the beginning of the next, in order.
        starts: where each piece begins in `text`.
        pieces: for each the index in `Request.texts`, the offset in that text, the length.
    """

    text: str
    starts: tuple[int, ...]
    pieces: tuple[tuple[int, int, int], ...]

    def parts(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """(index of the text, start, end) for each prompt that ``text[start:end]`` has characters of."""
        found: list[tuple[int, int, int]] = []
        first = max(0, bisect.bisect_right(self.starts, start) - 1)
        for begin, (index, offset, length) in zip(self.starts[first:], self.pieces[first:], strict=True):
            a, b = max(start, begin), min(end, begin + length)
            if begin >= end:
                break
            if a < b:
                found.append((index, offset + a - begin, offset + b - begin))
        return found

    def crosses(self, start: int, end: int) -> bool:
        """Whether a finding needs more than one prompt."""
        return len({index for index, _, _ in self.parts(start, end)}) > 1

    def spans(self, span: Span) -> list[Span]:
        """A finding in `text` as one in each of its prompts."""
        return [
            Span(index, a, b, span.kind, span.label, span.score, (*span.undone, "split over prompts"))
            for index, a, b in self.parts(span.start, span.end)
        ]


def different(texts: Sequence[TextInput]) -> dict[str, list[int]]:
    """The different prompts of a request in order, each with its places in `texts`. Pipelines copy one prompt for every
    encoder: a copy says nothing new. Negative and empty ones are left out."""
    found: dict[str, list[int]] = {}
    for number, given in enumerate(texts):
        if not given.negative and given.text.strip():
            found.setdefault(given.text, []).append(number)
    return found


@dataclass(frozen=True, slots=True)
class Joined:
    """The different prompts of a request as one sentence.

    Args:
        text: all of them, a comma between each two.
        pieces: for each where it begins in `text`, its length, and its places in `Request.texts`.
    """

    text: str
    pieces: tuple[tuple[int, int, tuple[int, ...]], ...]

    def parts(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """(index of the text, start, end) in each prompt, and each copy of it, that ``text[start:end]`` reaches."""
        return [
            (index, max(start - begin, 0), min(end - begin, length))
            for begin, length, indices in self.pieces
            for index in indices
            if max(start - begin, 0) < min(end - begin, length)
        ]


def together(texts: Sequence[TextInput]) -> Joined:
    """What the prompts of a request say as one sentence: "a woman" and "without any clothes" mean nothing apart."""
    between = ", "
    pieces: list[tuple[int, int, tuple[int, ...]]] = []
    at = 0
    found = different(texts)
    for text, indices in found.items():
        pieces.append((at, len(text), tuple(indices)))
        at += len(text) + len(between)
    return Joined(between.join(found), tuple(pieces))


def meeting(texts: Sequence[TextInput]) -> Meeting | None:
    """Where the prompts meet; ``None`` where there are not at least two different ones. Negative ones are left out."""
    chosen = {text: indices[0] for text, indices in different(texts).items()}
    if len(chosen) < 2:
        return None
    written: list[str] = []
    starts: list[int] = []
    pieces: list[tuple[int, int, int]] = []
    at = 0
    for text, index in chosen.items():
        ends = [(0, len(text))] if len(text) <= 2 * REACH else [(0, REACH), (len(text) - REACH, len(text))]
        for a, b in ends:
            piece = text[a:b]
            # No space where the next script needs none: a word cut in two is whole again.
            between = "" if not written or (_UNSPACED.match(piece) and _UNSPACED.match(written[-1][-1:])) else " "
            # The two ends of one long prompt are no neighbours.
            between = "\n.\n" if a else between
            at += len(between)
            written += [between, piece]
            starts.append(at)
            pieces.append((index, a, b - a))
            at += len(piece)
    return Meeting("".join(written), tuple(starts), tuple(pieces))
