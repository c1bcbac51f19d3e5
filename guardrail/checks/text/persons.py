"""``prompt.persons``: real people that the texts name.

Public figures by a hand-written list with native scripts and spellings; private people by relation ("my classmate",
"the woman in this photo"), by title and name, and by the names that the user of the guard wants protected. Fictional
characters are left out, and artists where they are named for a style.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from guardrail.checks.base import CheckSettings, Failure, SignalValues, Span
from guardrail.checks.text.cues import NameCues
from guardrail.checks.text.figures import NameIndex, public_figures
from guardrail.checks.text.lexicon import Hit, Intervals, Lexicon, is_unspaced, tokens_of
from guardrail.checks.text.namefile import NameFile
from guardrail.checks.text.normalise import View, read
from guardrail.checks.text.wordlists import languages, load_list
from guardrail.decision import EffectiveCheck
from guardrail.media import Request, TextInput
from guardrail.signals import CORE, ItemValue, SignalSpec, Stage

__all__ = ["PersonTextCheck"]

# A handle, "@jane.doe_99": begins with a letter, has three in a row; no e-mail address, no "@50mm".
_HANDLE = re.compile(r"(?<![\w@.])@(?=[\w.]*[a-z]{3})[a-z_][\w.]{2,29}")
_HANDLE_MATCH = 0.6


class PersonTextCheck:
    """One item for each person named, however often and in however many readings the name was found."""

    name = "person-names"
    version = "1"
    stages = frozenset({Stage.PROMPT})
    needs: frozenset[str] = frozenset()
    gives: tuple[SignalSpec, ...] = (CORE["prompt.persons"],)
    inline = True
    timeout_s = 5.0

    def __init__(self, settings: CheckSettings | None = None) -> None:
        self._names = NameIndex()
        for _, field, spelling, sure in public_figures():
            self._names.add(spelling, kind="public", sure=sure, artist=field == "arts")
        for name in settings.names if settings else ():
            self._names.add(name, kind="private")
        self._files = [NameFile.load(path) for path in settings.name_files] if settings else []
        self._cues = NameCues()
        self._relations = _Relations()
        self._fictional = Lexicon(load_list("fictional", language) for language in languages("fictional"))

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        return [self._one(request.texts) for request in batch]

    def _one(self, texts: Sequence[TextInput]) -> SignalValues:
        spans: list[Span] = []
        for i, text in enumerate(texts):
            # Whoever is named in a negative prompt is not asked for.
            if not text.negative:
                spans += _longest(self._spans(i, text.text))
        items: tuple[ItemValue, ...] = tuple({"match": s.score, "kind": s.label} for s in spans)
        return SignalValues({"prompt.persons": items}, tuple(spans))

    def _spans(self, index: int, text: str) -> list[Span]:
        views = read(text)
        found = [
            Span(index, *views[0].original(*handle.span()), "person", "private", _HANDLE_MATCH)
            for handle in _HANDLE.finditer(views[0].text)
        ]
        for view in views:
            names = [*self._names.find(view, text), *(name for f in self._files for name in f.find(view))]
            styles = Intervals((n.start, n.end) for n in names if n.style)
            spans = [
                Span(index, n.start, n.end, "person", n.kind, n.match, n.undone)
                for n in names
                if not styles.cover(n.start, n.end)
            ]
            spans += [
                Span(index, hit.start, hit.end, "person", "private", hit.term.weight, hit.undone)
                for hit in self._relations.hits(view)
            ]
            spans += [
                Span(index, start, end, "person", "private", match, view.undone)
                for start, end, match in self._cues.find(tokens_of(view), text)
            ]
            if spans:
                fictional = Intervals(self._fictional.exempted(tokens_of(view)))
                found += [s for s in spans if not fictional.cover(s.start, s.end)]
        return found

    def warmup(self) -> None:
        self.check([Request(texts=(TextInput("a lighthouse"),))], Stage.PROMPT)

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(self.name, self.version, {f"names ({f.count:,})": f.sha256 for f in self._files})


class _Relations:
    """The lists of relations. One with a [context] names there words of which each of its patterns needs one: a text
    without such a word is not searched."""

    def __init__(self) -> None:
        self._lexicons: list[tuple[bool, frozenset[str], Lexicon]] = []
        lists = [load_list("relations", language) for language in languages("relations")]
        # What is nobody's relation in one language is not found through the words of another either ("ex libris").
        exempt = tuple(pattern for words in lists for pattern in words.exempt)
        for words in lists:
            lexicon = Lexicon([replace(words, context=(), exempt=exempt)])
            spaced = any(not is_unspaced(line) for section in words.sections for line in section.lines)
            self._lexicons.append((spaced, frozenset(words.context), lexicon))

    def hits(self, view: View) -> Iterator[Hit]:
        tokens = tokens_of(view)
        for spaced, needed, lexicon in self._lexicons:
            if (spaced or tokens.unspaced) and not (needed and needed.isdisjoint(tokens.words)):
                yield from lexicon.hits([view])[0]


def _longest(spans: Sequence[Span]) -> list[Span]:
    """Overlapping findings are one person: the surest, then the longest, stands for them."""
    kept: list[Span] = []
    # The kept ones do not overlap, so their starts and ends are in the same order.
    starts: list[int] = []
    ends: list[int] = []
    for span in sorted(spans, key=lambda s: (-s.score, s.start - s.end, s.start)):
        at = bisect.bisect_left(starts, span.end)
        if at and ends[at - 1] > span.start:
            continue
        starts.insert(at, span.start)
        ends.insert(at, span.end)
        kept.append(span)
    return sorted(kept, key=lambda s: s.start)
