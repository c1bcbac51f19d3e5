"""Names: the shipped list of public figures and the user's own list, looked up in the readings of a text.

Names of two or more words are matched wherever they stand; single words that are also ordinary words or common names
("Rain", "Lisa") count only with a sign that a person is meant. The names of the most depicted
are found with one letter wrong, too ("taylor swfit").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from guardrail.checks.text.characters import UNSPACED
from guardrail.checks.text.lexicon import TokenText, tokens_of
from guardrail.checks.text.normalise import View, plain
from guardrail.checks.text.wordlists import common_words

__all__ = ["NAMED_PLACES", "NameIndex", "NameMatch", "famous_names", "public_figures", "squeezed", "stands_alone"]

_UNSPACED = re.compile(f"[{UNSPACED}]")
_BETWEEN = re.compile(r"[\s·・•‧=＝.\-]+")
_PLACES = frozenset(
    """airport street avenue road boulevard bridge tower towers stadium arena library museum plaza center centre hotel
    university college school hospital foundation park lake mountain island bay river square highway memorial monument
    statue state city county truck mustang mansion golf station line cup prize award theorem effect theory cocktail
    code bird birds chocolate steaks card cards""".split()  # noqa: SIM905 - a word list reads best as one
)
# What a full name is given to as well.
NAMED_PLACES = frozenset(
    """airport street avenue road boulevard bridge stadium library university school hospital foundation highway
    expressway""".split()  # noqa: SIM905
)
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
    "(?:은|는|이|가|을|를|의|와|과|도|만|에|에게|한테|께|께서|로|으로|랑|이랑|하고|처럼|같은|같이|보다|까지|부터|씨|님|야|아|이야|이다|"
    "라는|이라는|인|에서|에게서|닮은|선수|배우|가수|얼굴|사진|셀카)?(?![가-힣])"
)
_STYLE = frozenset({"style", "styles", "manner", "works", "work", "art", "artwork", "painting", "aesthetic"})
_MOST_ENUMERATED = 12
# Shorter names and parts of names are one letter away from too many others.
_SHORTEST_MISSPELT, _SHORTEST_PART = 9, 4
# Less sure than the name as listed: one letter can make it another person's.
_MISSPELT_MATCH = 0.8

# Ordinary words, besides the common ones, that are one letter away from a part of a famous name: "Blake Lovely".
_NO_SLIPS = frozenset(
    """able acne age alien alike alive angels anger angle apex april areas arson ate bake bales balk balm bands
    bangs barks barren bate beanie beet bells belly bills birth bites blade blanks bloke blood blooms blown
    blunts blush bolts bones boom boot bowling brake bribe brief brim brine broom browns brows bruise bunt
    burner bushy buss bust caged cages came cape card care carried carrier carton chap charges chat chew chic
    chin chip choke chop christians clan clerk client cling clink cock coin coke colt comet cones coo cooker
    cooks cooler copper cord cruiser cruises curly cyan dagger daily dairy damn darker date dates deal deli dell
    demise demo demon denim dew dial din dingo diver doge doggy dolls draw driven drivers drown easter eater
    else elven fair falcon fame faster fate fell fifth files filth find fine fins flame flood fold fond forage
    former fort forth frown gain gallon gated gazes geese gel genre germ gig glint gloom gloss gorge grange
    grants grate grave grin grind grins growling grunt gush halls harpy hate haul hear hell herb herds hero
    heron hoard holes homes hoods hook hug hugs hula hunger hush ink jail jawed jeer jest join joke jokes jolly
    judo jug junk justices kale kings lace lark late laurel lava lego let lets likely limb limo limp lion livery
    login loom lose loss lovely lunar macro mad mafia maggot magpie maid mail main malt mangy mania manly maps
    march marks maroon mart martian mass mast mate mates math matte maul mauve mega melon mere merged merry mess
    micron mild milky mill mills mime mine moan mock mode mods money moose mush nail names nasa naval nerd nest
    newly nine nook norm oars ones organ pail pale parka parts patron peal pee peer perky pest pets pong pore
    postman posts pout print pug push queer rage rant rates real rink rise roam roar robe rode role rome roses
    rover rowing rump salmon sander sands sauna scoop scout seal sears seer sell serene shack shaky shark shawl
    shears shift sigh silk sings sins slum songs sons speaks spear stair stare stark starry start stole stoned
    stoner stony styled sundae sunday tale tanks tanning tape task tell test than theme then thief thorn thorns
    thorny throne timer ton tone tones tons took trace trench trucker trumps tucked tuna vans vector veer vents
    victory viral wage wain wand wands wants wars weekend weight went wooly word wrench yarn yell zest zones""".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class NameMatch:
    """A name in a text, in characters of the original.

    Args:
        match: how sure it is that this person is meant, 0..1.
        style: True where the person is an artist who is only named for a style or as the author.
    """

    start: int
    end: int
    match: float
    kind: Literal["public", "private"]
    style: bool
    undone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    words: tuple[str, ...]
    match: float
    kind: Literal["public", "private"]
    artist: bool
    sure: bool


class NameIndex:
    """Look-up by first token (spaced scripts) and by first character (Chinese, Japanese, Korean, Thai)."""

    def __init__(self) -> None:
        # By the first word, then by the second; "" where there is none.
        self._tokens: dict[str, dict[str, list[_Entry]]] = {}
        # Names of several words, by all their letters.
        self._joined: dict[str, _Entry] = {}
        self._longest = 0
        # By the first character, then by the second; "" where there is none.
        self._unspaced: dict[str, dict[str, list[tuple[str, _Entry]]]] = {}
        # Famous names by their first and by their second word, with its place.
        self._famous: dict[str, list[tuple[int, _Entry]]] = {}
        # The words of all names: none of them is another one misspelt.
        self._known: set[str] = set()

    def add(
        self,
        name: str,
        *,
        kind: Literal["public", "private"],
        sure: bool = True,
        match: float = 0.95,
        artist: bool = False,
    ) -> None:
        """Add one spelling of a name. `sure` is False for words that need a sign that a person is meant."""
        view = plain(name.strip())
        text = view.text
        if _UNSPACED.search(text):
            joined = _BETWEEN.sub("", text)
            entry = _Entry((joined,), match, kind, artist, sure and len(joined) >= 2)
            self._unspaced.setdefault(joined[0], {}).setdefault(joined[1:2], []).append((joined, entry))
            return
        written = tuple(TokenText(view).words)
        words = tuple(w for w in written if w != ",")
        if not words:
            return
        for spelling in {words, written}:
            self._put(_Entry(spelling, match, kind, artist, sure))
        self._known.update(words)
        compact = "".join(words)
        if kind == "public" and len(words) > 1 and len(compact) >= _SHORTEST_MISSPELT and name in famous_names():
            entry = _Entry(words, min(match, _MISSPELT_MATCH), kind, artist, True)
            for place, word in enumerate(words[:2]):
                self._famous.setdefault(word, []).append((place, entry))
        if len(words) > 1:
            self._joined.setdefault(compact, _Entry(words, match, kind, artist, True))
            self._longest = max(self._longest, len(compact))
        # Short joined names run into ordinary words; who asks for protection of a name takes that risk.
        if len(words) > 1 and len(compact) >= (8 if kind == "public" else 6) and compact not in common_words():
            self._put(_Entry((compact,), match, kind, artist, True))

    def _put(self, entry: _Entry) -> None:
        second = entry.words[1] if len(entry.words) > 1 else ""
        self._tokens.setdefault(entry.words[0], {}).setdefault(second, []).append(entry)

    def find(self, view: View, original: str) -> Iterator[NameMatch]:
        """All names in one reading of a text."""
        tokens = tokens_of(view)
        yield from self._in_tokens(tokens, original)
        yield from self._in_pieces(tokens)
        if not view.undone:
            yield from self._misspelt(tokens)
        if tokens.unspaced:
            yield from self._in_characters(view)

    def _in_tokens(self, tokens: TokenText, original: str) -> Iterator[NameMatch]:
        words, view = tokens.words, tokens.view
        for i, word in enumerate(words):
            seconds = self._tokens.get(word)
            if seconds is None:
                continue
            after = seconds.get(words[i + 1], ()) if i + 1 < len(words) else ()
            for entry in (*seconds.get("", ()), *after):
                last = i + len(entry.words)
                if len(entry.words) > 1 and tuple(words[i:last]) != entry.words:
                    continue
                if last < len(words) and words[last] in (_PLACES if len(entry.words) == 1 else NAMED_PLACES):
                    continue
                start, end = view.original(tokens.spans[i][0], tokens.spans[last - 1][1])
                if not entry.sure and not _meant_as_person(tokens, i, original):
                    continue
                style = entry.artist and _as_style(words, i, last)
                yield NameMatch(start, end, entry.match if entry.sure else 0.7, entry.kind, style, view.undone)

    def _in_pieces(self, tokens: TokenText) -> Iterator[NameMatch]:
        """Names cut in other places than between their words ("tay lorswift"), above all where spaced letters were
        joined and cut again."""
        words, view = tokens.words, tokens.view
        most, shortest = (9, 6) if "spaced" in view.undone else (3, 8)
        for i, joined in enumerate(words):
            for last in range(i + 1, min(i + most, len(words))):
                joined += words[last]
                if len(joined) > self._longest:
                    break
                entry = self._joined.get(joined)
                if entry is None or len(joined) < shortest or tuple(words[i : last + 1]) == entry.words:
                    continue
                start, end = view.original(tokens.spans[i][0], tokens.spans[last][1])
                style = entry.artist and _as_style(words, i, last + 1)
                yield NameMatch(start, end, entry.match, entry.kind, style, (*view.undone, "split"))

    def _misspelt(self, tokens: TokenText) -> Iterator[NameMatch]:
        """Famous names with one letter wrong, other than their first. A slip is in one of the words, so another is
        right; what is a word of its own, or of any listed name, is no slip."""
        words, view = tokens.words, tokens.view
        for i, word in enumerate(words):
            for place, entry in self._famous.get(word, ()):
                first, last = i - place, i - place + len(entry.words)
                if first < 0 or last > len(words):
                    continue
                wrong = [k for k, (a, b) in enumerate(zip(words[first:last], entry.words, strict=True)) if a != b]
                if len(wrong) != 1 or place != (0 if wrong[0] else 1):
                    continue
                typed, right = words[first + wrong[0]], entry.words[wrong[0]]
                if len(right) < _SHORTEST_PART or (wrong[0] == 0 and typed[0] != right[0]):
                    continue
                if typed in self._known or typed in common_words() or typed in _NO_SLIPS:
                    continue
                if not _one_edit(typed, right):
                    continue
                if last < len(words) and words[last] in NAMED_PLACES:
                    continue
                start, end = view.original(tokens.spans[first][0], tokens.spans[last - 1][1])
                style = entry.artist and _as_style(words, first, last)
                yield NameMatch(start, end, entry.match, entry.kind, style, (*view.undone, "misspelt"))

    def _in_characters(self, view: View) -> Iterator[NameMatch]:
        # Names are written with and without separators between the parts: 泰勒·斯威夫特, 泰勒斯威夫特.
        text = view.text
        letters, kept = squeezed(text)
        for i, c in enumerate(letters):
            seconds = self._unspaced.get(c)
            if seconds is None:
                continue
            after = letters[i + 1 : i + 2]
            for name, entry in (*seconds.get("", ()), *(seconds.get(after, ()) if after else ())):
                if not letters.startswith(name, i):
                    continue
                first, last = kept[i], kept[i + len(name) - 1]
                if not stands_alone(text, first, last + 1, name, entry.sure):
                    continue
                start, end = view.original(first, last + 1)
                yield NameMatch(start, end, entry.match if entry.sure else 0.7, entry.kind, False, view.undone)


def _one_edit(a: str, b: str) -> bool:
    """Whether one letter left out, put in or replaced, or two neighbours swapped, make `a` of `b`."""
    if abs(len(a) - len(b)) > 1:
        return False
    i = 0
    while i < len(a) and i < len(b) and a[i] == b[i]:
        i += 1
    if len(a) != len(b):
        return a[i + 1 :] == b[i:] if len(a) > len(b) else a[i:] == b[i + 1 :]
    return a[i + 1 :] == b[i + 1 :] or (a[i : i + 2] == b[i : i + 2][::-1] and a[i + 2 :] == b[i + 2 :])


def squeezed(text: str) -> tuple[str, Sequence[int]]:
    """A text without what separates the parts of a name, and where each of its characters stood."""
    if _BETWEEN.search(text) is None:
        return text, range(len(text))
    kept = [i for i, c in enumerate(text) if not _BETWEEN.match(c)]
    return "".join(text[i] for i in kept), kept


def _meant_as_person(tokens: TokenText, at: int, original: str) -> bool:
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


def _as_style(words: Sequence[str], start: int, end: int) -> bool:
    """Whether the artist named here stands for a style or as the author: after "by" or "style of", also further down
    such an enumeration ("by one, another and a third"), or before "style"."""
    if words[end : end + 1] == ["style"]:
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


@lru_cache(maxsize=1)
def public_figures() -> tuple[tuple[str, str, str, bool], ...]:
    """The shipped list as (name, field, spelling, sure) rows; `sure` is False for words that need context."""
    rows: list[tuple[str, str, str, bool]] = []
    for name, _country, field, aliases, mononyms, _head in _lines():
        for spelling in _parts([name, *aliases.split(";")]):
            single = len(spelling.split()) == 1 and spelling.isascii()
            rows.append((name, field, spelling, not single))
        rows.extend((name, field, m.removesuffix("!"), m.endswith("!")) for m in _parts(mononyms.split(";")))
    return tuple(rows)


@lru_cache(maxsize=1)
def famous_names() -> frozenset[str]:
    """The most depicted of the shipped list."""
    return frozenset(name for name, *_, head in _lines() if head == "*")


def _lines() -> Iterator[list[str]]:
    """The six columns of each line of the shipped list; the last ones may be left out there."""
    text = files("guardrail.checks.text").joinpath("lists", "public_figures.tsv").read_text("utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            yield [*line.split("\t"), "", "", ""][:6]


def _parts(words: Iterable[str]) -> Iterator[str]:
    return (w.strip() for w in words if w.strip())
