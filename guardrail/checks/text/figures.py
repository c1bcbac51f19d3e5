"""Names: the shipped list of public figures and the user's own list, looked up in the readings of a text.

Names of two or more words are matched wherever they stand; single words that are also ordinary words or common names
("Rain", "Lisa") count only with a sign that a person is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from guardrail.checks.text.characters import CJK
from guardrail.checks.text.lexicon import TokenText
from guardrail.checks.text.normalise import View, plain
from guardrail.checks.text.wordlists import common_words

__all__ = ["NameIndex", "NameMatch", "public_figures"]

_HAS_CJK = re.compile(f"[{CJK}]")
_BETWEEN_CJK = re.compile(r"[\s·・•‧=＝.\-]+")
_PLACES = frozenset(
    """airport street avenue road boulevard bridge tower towers stadium arena library museum plaza center centre hotel
    university college school hospital foundation park lake mountain island bay river square highway memorial monument
    statue state city county truck mustang mansion golf station line cup prize award theorem effect theory cocktail
    code bird birds chocolate steaks card cards""".split()  # noqa: SIM905 - a word list reads best as one
)
# Signs that a single ambiguous word is a person's name.
_PERSON_CUES = frozenset(
    """actor actress singer rapper idol kpop celebrity star president minister politician senator prince princess queen
    king model player footballer striker athlete streamer youtuber influencer member portrait selfie face wearing posing
    smiling concert interview paparazzi lookalike starring blackpink bts twice aespa newjeans""".split()  # noqa: SIM905
)
_CJK_CUES = re.compile(
    r"가수|배우|아이돌|멤버|선수|작가|감독|모델|유튜버|스트리머|연예인|걸그룹|보이그룹|대통령|의원|씨|님|얼굴|셀카|콘서트|"
    r"歌手|演员|演員|明星|偶像|球员|导演|模特|总统|總統|女优|本人|俳優|女優|アイドル|選手|監督|歌手|モデル|大統領|さん|ちゃん"
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
    """Look-up by first token (spaced scripts) and by first character (Chinese, Japanese, Korean)."""

    def __init__(self) -> None:
        self._tokens: dict[str, list[_Entry]] = {}
        self._cjk: dict[str, list[tuple[str, _Entry]]] = {}

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
        text = plain(name.strip()).text
        if _HAS_CJK.search(text):
            joined = _BETWEEN_CJK.sub("", text)
            entry = _Entry((joined,), match, kind, artist, sure and len(joined) >= 2)
            self._cjk.setdefault(joined[0], []).append((joined, entry))
            return
        words = tuple(t for t in re.findall(r"[^\W_]+", text))
        if not words:
            return
        entry = _Entry(words, match, kind, artist, sure)
        self._tokens.setdefault(words[0], []).append(entry)
        compact = "".join(words)
        if len(words) > 1 and len(compact) >= 8:
            self._tokens.setdefault(compact, []).append(_Entry((compact,), match, kind, artist, True))

    def find(self, view: View, original: str) -> Iterator[NameMatch]:
        """All names in one reading of a text."""
        tokens = TokenText(view)
        yield from self._spaced(tokens, view, original)
        if not view.text.isascii() and _HAS_CJK.search(view.text):
            yield from self._unspaced(view)

    def _spaced(self, tokens: TokenText, view: View, original: str) -> Iterator[NameMatch]:
        words = tokens.words
        cue = not _PERSON_CUES.isdisjoint(words)
        for i, word in enumerate(words):
            for entry in self._tokens.get(word, ()):
                last = i + len(entry.words)
                if tuple(words[i:last]) != entry.words:
                    continue
                start, end = view.original(tokens.spans[i][0], tokens.spans[last - 1][1])
                match = entry.match
                if len(entry.words) == 1 and last < len(words) and words[last] in _PLACES:
                    continue
                if not entry.sure:
                    # An ordinary word needs its capital letter as well as the sign.
                    capital = original[start:end][:1].isupper()
                    if not cue or (word in common_words() and not capital):
                        continue
                    match = 0.7
                yield NameMatch(start, end, match, entry.kind, entry.artist and _as_style(words, i), view.undone)

    def _unspaced(self, view: View) -> Iterator[NameMatch]:
        # Names are written with and without separators between the parts: 泰勒·斯威夫特, 泰勒斯威夫特.
        kept = [i for i, c in enumerate(view.text) if not _BETWEEN_CJK.match(c)]
        squeezed = "".join(view.text[i] for i in kept)
        for i, c in enumerate(squeezed):
            for name, entry in self._cjk.get(c, ()):
                if not squeezed.startswith(name, i):
                    continue
                last = i + len(name) - 1
                if len(name) <= 3 and _inside_word(view.text, kept[i], kept[last]):
                    continue
                near = view.text[max(0, kept[i] - 6) : kept[last] + 6]
                if not entry.sure and not _CJK_CUES.search(near):
                    continue
                start, end = view.original(kept[i], kept[last] + 1)
                yield NameMatch(start, end, entry.match if entry.sure else 0.7, entry.kind, False, view.undone)


def _inside_word(text: str, start: int, last: int) -> bool:
    """Short Hangul names must begin a word (particles may follow); other scripts have no word breaks to go by."""
    return "\uac00" <= text[start] <= "\ud7a3" and start > 0 and "\uac00" <= text[start - 1] <= "\ud7a3"


def _as_style(words: Sequence[str], at: int) -> bool:
    """Whether the name at `at` follows "by", "after" or "(style|manner|works|art) of"."""
    before = tuple(words[max(0, at - 2) : at])
    return before[-1:] in (("by",), ("after",)) or before in {(w, "of") for w in ("style", "manner", "works", "art")}


@lru_cache(maxsize=1)
def public_figures() -> tuple[tuple[str, str, str, bool], ...]:
    """The shipped list as (name, field, spelling, sure) rows; `sure` is False for words that need context."""
    rows: list[tuple[str, str, str, bool]] = []
    text = files("guardrail.checks.text").joinpath("lists", "public_figures.tsv").read_text("utf-8")
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        name, _country, field, aliases, mononyms = (*line.split("\t"), "", "")[:5]
        for spelling in _parts([name, *aliases.split(";")]):
            single = len(spelling.split()) == 1 and spelling.isascii()
            rows.append((name, field, spelling, not single))
        rows.extend((name, field, m.removesuffix("!"), m.endswith("!")) for m in _parts(mononyms.split(";")))
    return tuple(rows)


def _parts(words: Iterable[str]) -> Iterator[str]:
    return (w.strip() for w in words if w.strip())
