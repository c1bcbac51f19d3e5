"""``prompt.persons``: who is named or meant in the texts.

Public figures by a hand-written list with native scripts and spellings, and by the office that one person holds;
private people by relation ("my classmate"), by title and name, by a name on no list, by pointing at the given image
("the girl in this photo"), and by the names that the user of the guard wants protected. Characters, the long dead and
artists named for a style are said to be that, with a `match` under what counts for a policy that asks for persons.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from guardrail.checks.base import CheckSettings, Failure, SignalValues, Span
from guardrail.checks.text.cues import NameCues
from guardrail.checks.text.found import UNREAL, UNREAL_MATCH, Evidence, NameMatch
from guardrail.checks.text.lexicon import Intervals, shipped, tokens_of
from guardrail.checks.text.mentions import Mentions
from guardrail.checks.text.name_index import NameIndex
from guardrail.checks.text.namefile import NameFile
from guardrail.checks.text.normalise import View, read
from guardrail.decision import EffectiveCheck
from guardrail.media import Request, Role, TextInput
from guardrail.signals import CORE, MOST_ITEMS, ItemValue, SignalSpec, Stage

__all__ = ["PersonTextCheck"]

# Images that "the girl in the photo" can mean.
_POINTED_AT = frozenset({Role.REFERENCE, Role.VIDEO})


_shipped_names = lru_cache(maxsize=1)(NameIndex.shipped)
_mentions = lru_cache(maxsize=4)(Mentions)


class PersonTextCheck:
    """One item for each one named, however often and in however many readings the name was found. The i-th item is
    what the i-th span says."""

    name = "person-names"
    version = "2"
    stages = frozenset({Stage.PROMPT})
    needs: frozenset[str] = frozenset()
    gives: tuple[SignalSpec, ...] = (CORE["prompt.persons"],)
    inline = True
    timeout_s = 5.0

    def __init__(self, settings: CheckSettings | None = None) -> None:
        own = settings.names if settings else ()
        # Guards without names of their own share one index.
        self._names = NameIndex.shipped() if own else _shipped_names()
        for name in own:
            self._names.add(name, "private")
        self._files = [NameFile.load(path) for path in settings.name_files] if settings else []
        self._cues = NameCues()
        self._mentions: tuple[tuple[Evidence, Mentions], ...] = (
            ("relation", _mentions("relations")),
            ("role", _mentions("roles")),
        )
        self._references = _mentions("references")
        self._characters = shipped("fictional")

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        return [self._one(request) for request in batch]

    def _one(self, request: Request) -> SignalValues:
        pointed_at = any(image.role in _POINTED_AT for image in request.images)
        found: list[tuple[int, NameMatch]] = []
        for i, text in enumerate(request.texts):
            # Whoever is named in a negative prompt is not asked for.
            if not text.negative:
                found += ((i, name) for name in _apart(self._named(text.text, pointed_at)))
        found = _within(found)
        items: tuple[ItemValue, ...] = tuple(
            {"match": n.match, "kind": n.kind, "evidence": n.evidence} for _, n in found
        )
        # Spans of the kind "person" are what `rewrite` takes out.
        spans = (
            Span(i, n.start, n.end, "character" if n.kind in UNREAL else "person", n.kind, n.match, n.undone)
            for i, n in found
        )
        return SignalValues({"prompt.persons": items}, tuple(spans))

    def _named(self, text: str, pointed_at: bool) -> Iterator[NameMatch]:
        characters = Intervals(())
        for view in read(text):
            found = list(self._in(view, text, pointed_at))
            if not view.undone:
                characters = Intervals((n.start, n.end) for n in found if n.kind in UNREAL and n.evidence != "cue")
            # What is a listed name as typed is no unlisted one in disguise: "Henry VIII" is not Henry VII.
            else:
                found = [n for n in found if n.evidence != "cue" or not characters.cover(n.start, n.end)]
            if found:
                yield from _real(found)

    def _in(self, view: View, text: str, pointed_at: bool) -> Iterator[NameMatch]:
        """Everybody in one reading of a text."""
        yield from self._names.find(view, text)
        for names in self._files:
            yield from names.find(view)
        tokens = tokens_of(view)
        yield from self._cues.find(tokens, text)
        for evidence, mentions in self._mentions:
            for hit in mentions.hits(view):
                kind = (
                    "private" if evidence == "relation" else "historic" if hit.term.section == "historic" else "public"
                )
                match = UNREAL_MATCH if kind == "historic" else hit.term.weight
                yield NameMatch(hit.start, hit.end, match, kind, evidence, hit.undone)  # type: ignore[arg-type]
        if pointed_at:
            for hit in self._references.hits(view):
                yield NameMatch(hit.start, hit.end, hit.term.weight, "private", "reference", hit.undone)
        for start, end in self._characters.exempted(tokens):
            yield NameMatch(start, end, UNREAL_MATCH, "fictional", "title", view.undone)

    def warmup(self) -> None:
        self._names.load()
        for mentions in (self._references, *(m for _, m in self._mentions)):
            mentions.load()
        self.check([Request(texts=(TextInput("a lighthouse, 등대, портрет Анны"),))], Stage.PROMPT)

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(self.name, self.version, {f"names ({f.count:,})": f.sha256 for f in self._files})


def _real(found: Sequence[NameMatch]) -> Iterator[NameMatch]:
    """The findings in one reading without those that are only part of the name of a character, of somebody long dead,
    or of an artist named for a style. Whoever is listed under exactly such a name stays, and so does whom the user of
    the guard wants protected."""
    unreal = [name for name in found if name.kind in UNREAL]
    if not unreal:
        yield from found
        return
    # A style that is told by the words around a name says nothing against a list.
    listed = [name for name in unreal if name.evidence != "cue"]
    by_any, by_list = (Intervals((n.start, n.end) for n in names) for names in (unreal, listed))
    same = {(n.start, n.end) for n in listed if n.kind != "style"}
    for name in found:
        if name.kind in UNREAL or name.evidence == "own-name":
            yield name
        elif name.evidence in ("list", "fuzzy"):
            if not by_list.cover(name.start, name.end) or (name.start, name.end) in same:
                yield name
        elif not (by_any if name.evidence == "cue" else by_list).cover(name.start, name.end):
            yield name


def _within(found: list[tuple[int, NameMatch]]) -> list[tuple[int, NameMatch]]:
    """At most `MOST_ITEMS`, as long as there are not more persons: a list that is too long counts as missing, and that
    must not come of those who are none."""
    room = max(0, MOST_ITEMS - sum(name.kind not in UNREAL for _, name in found))
    kept = []
    for entry in found:
        if entry[1].kind in UNREAL:
            if not room:
                continue
            room -= 1
        kept.append(entry)
    return kept


def _apart(names: Iterable[NameMatch]) -> list[NameMatch]:
    """Overlapping findings are one person: the surest, then the plainest, then the longest, stands for them."""
    kept: list[NameMatch] = []
    # The kept ones do not overlap, so their starts and ends are in the same order.
    starts: list[int] = []
    ends: list[int] = []
    for name in sorted(names, key=lambda n: (-n.match, bool(n.undone), n.start - n.end, n.start)):
        at = bisect.bisect_left(starts, name.end)
        if at and ends[at - 1] > name.start:
            continue
        starts.insert(at, name.start)
        ends.insert(at, name.end)
        kept.append(name)
    return sorted(kept, key=lambda n: n.start)
