"""``prompt.sexual``: how strongly the texts ask for nudity or sexual content.

Word lists with weights know the words; the classifier, which is given their score too, generalises to what has no such
word. The higher of both counts. ``prompt.sexual_exempted`` is the same without what a deployment exempts. It is a
signal of its own so that an exemption never reaches a locked rule: those read ``prompt.sexual``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from guardrail.checks.base import CheckSettings, Failure, SignalValues, Span
from guardrail.checks.text.classifier.attribution import blanked, remaining, until, words_without_which
from guardrail.checks.text.classifier.model import EXPLICIT, LEANING, SUGGESTIVE, hashes
from guardrail.checks.text.classifier.model import load as classifier
from guardrail.checks.text.lexicon import Hit, Lexicon, shipped, tokens_of
from guardrail.checks.text.normalise import View, plain, read
from guardrail.checks.text.request import Joined, meeting, together, with_lettering, without_lettering
from guardrail.checks.text.restored import load as load_sentences
from guardrail.checks.text.wordlists import languages, load_list, own_list
from guardrail.decision import EffectiveCheck
from guardrail.media import Request, TextInput
from guardrail.signals import CORE, SignalSpec, Stage

__all__ = ["EXPLICIT", "LEANING", "SUGGESTIVE", "SexualTextCheck", "SexualWords", "combine", "graded"]

# Weak words count in disguised readings too: alone they decide nothing, and the classifier is to be told the same of a
# disguised text as of a plain one (without them look-alike letters hid 14 % of what was caught plain; with them 1 %).
LOOSEST_DISGUISED = 0.15
SUGGESTIVE_CEILING = 0.65
WEAK_CEILING = 0.35
# For all the texts of a request: as long as the check itself may take at most.
ATTRIBUTION_LIMIT_S = 5.0


def combine(hits: Sequence[Hit], context: bool) -> float:
    """One score from all hits: the strongest explicit word, or the weaker ones together.

    Weaker words add up like independent chances, 1 − Π(1 − weight), each word once and only in its longest reading
    ("sexual" counts nothing inside "sexual assault"). They stay under what is explicit, and words of the weakest sort
    stay under what is suggestive, however many there are.
    """
    weights: dict[str, float] = {}
    for hit in _not_inside_others(hits):
        weight = hit.term.lowered if context else hit.term.weight
        weights[hit.term.name] = max(weight, weights.get(hit.term.name, 0.0))
    strongest = max(weights.values(), default=0.0)
    if strongest >= EXPLICIT:
        return strongest
    remaining = 1.0
    for weight in weights.values():
        remaining *= 1.0 - weight
    ceiling = SUGGESTIVE_CEILING if strongest >= SUGGESTIVE else WEAK_CEILING
    return max(strongest, min(1.0 - remaining, ceiling))


def graded(listed: float) -> float:
    """What the lists' score counts beside the classifier's.

    Explicit words stand as they are. Suggestive ones ("sexy", "lingerie") are harmless in most users' prompts, and too
    much beside a real person or a child: alone they stay under what is suggestive, and over what leans there. Weak ones
    stay under both. Whether they amount to more in their sentence is the classifier's to say, which is given them too.
    """
    if listed >= EXPLICIT:
        return listed
    if listed >= SUGGESTIVE:
        return LEANING + (listed - SUGGESTIVE) / 2
    return min(0.6 * listed, 0.24)


def _not_inside_others(hits: Sequence[Hit]) -> Iterator[Hit]:
    """The explicit hits, and those of the others that no longer hit covers."""
    furthest = -1
    previous = -1
    for hit in sorted(hits, key=lambda h: (h.start, -h.end)):
        # Hits of the very same place do not cover each other.
        if hit.term.weight >= EXPLICIT or hit.end > furthest or (hit.start, hit.end) == (previous, furthest):
            yield hit
        if hit.end > furthest:
            previous, furthest = hit.start, hit.end


class SexualWords:
    """The word lists alone: weights, exemptions and undressing phrases, read through the normaliser.

    Args:
        words: phrases of the deployment's own, with their score.
        exempt: phrases that are harmless in this deployment.
    """

    def __init__(self, words: Sequence[tuple[str, float]] = (), exempt: Sequence[str] = ()) -> None:
        # Without phrases of the deployment's own it is the shipped lexicon that every guard of the process shares.
        lists = [load_list("sexual", language) for language in languages("sexual")] if words or exempt else []
        own = own_list(words, ())
        self._lexicon = (
            Lexicon([*lists, own], loosest_disguised=LOOSEST_DISGUISED)
            if words
            else shipped("sexual", LOOSEST_DISGUISED)
        )
        self._exempt = own_list((), exempt) if exempt else None
        self._lenient = (
            Lexicon([*lists, own, self._exempt], loosest_disguised=LOOSEST_DISGUISED) if self._exempt else self._lexicon
        )
        self._ranges = Lexicon([self._exempt]) if self._exempt else None

    def load(self) -> None:
        """Compile what is compiled when it is first needed."""
        for lexicon in {self._lexicon, self._lenient}:
            lexicon.load()

    def found(self, views: Sequence[View]) -> tuple[float, list[Hit]]:
        """The score, 0..1, and what it comes from."""
        hits, context = self._lexicon.hits(views)
        return combine(hits, context), hits

    def lenient(self, views: Sequence[View]) -> tuple[float, list[Hit]]:
        """The same without what the deployment exempts."""
        hits, context = self._lenient.hits(views)
        return combine(hits, context), hits

    def without_exempt(self, text: str) -> str | None:
        """`text` without the phrases that the deployment exempts; ``None`` where none of them stands in it."""
        if self._ranges is None:
            return None
        kept, at = [], 0
        for start, end in sorted(self._ranges.exempted(tokens_of(plain(text)))):
            if end > at:
                kept.append(text[at : max(at, start)])
                at = end
        return " ".join([*kept, text[at:]]) if at else None


class SexualTextCheck:
    """Word lists and classifier together."""

    name = "sexual-text"
    version = "2"
    stages = frozenset({Stage.PROMPT})
    needs: frozenset[str] = frozenset()
    gives: tuple[SignalSpec, ...] = (CORE["prompt.sexual"], CORE["prompt.sexual_exempted"])
    inline = True
    timeout_s = 5.0

    def __init__(self, settings: CheckSettings | None = None) -> None:
        settings = settings or CheckSettings()
        self._words = SexualWords(settings.words, settings.exempt)
        self._classifier = classifier()
        self._avoided = shipped("clothing")

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        return [self._one(request.texts, bool(request.images)) for request in batch]

    def _one(self, texts: Sequence[TextInput], reference: bool) -> SignalValues:
        score = exempted = 0.0
        spans: list[Span] = []
        for i, text in enumerate(texts):
            if text.negative:
                # In a negative prompt words are avoided, not asked for: what counts is clothing to be avoided.
                hits, context = self._avoided.hits(read(text.text))
                found = lenient = combine(hits, context)
            else:
                found, lenient, hits = self._asked(text.text, reference)
            score = max(score, found)
            exempted = max(exempted, lenient)
            spans += [Span(i, h.start, h.end, "sexual", h.term.section, h.term.weight, h.undone) for h in hits]
        for across in self._across(texts):
            score, exempted = max(score, across.score), max(exempted, across.score)
            spans.append(across)
        joined = together(texts)
        if len(joined.pieces) > 1:
            # Each may be harmless and all of them together not. Words were found above, where they stand.
            found, lenient, _ = self._asked(joined.text, reference)
            score, exempted = max(score, found), max(exempted, lenient)
        return SignalValues({"prompt.sexual": score, "prompt.sexual_exempted": exempted}, tuple(spans))

    def _asked(self, text: str, reference: bool) -> tuple[float, float, list[Hit]]:
        """How strongly one text asks for it, the same without what the deployment exempts, and the words found."""
        views = read(text)
        listed, hits = self._words.found(views)
        found = lenient = self._joined(views, listed, hits, reference)
        bare = without_lettering(text)
        if bare is not None:
            around = read(bare)
            found = with_lettering(found, self._joined(around, *self._words.found(around), reference))
            lenient = found
        rest = self._words.without_exempt(text)
        if rest is not None:
            lenient = min(found, self._joined(read(rest), *self._words.lenient(views), reference))
        return found, lenient, hits

    def _across(self, texts: Sequence[TextInput]) -> Iterator[Span]:
        """What only shows where two prompts of a request meet, as spans in each of them."""
        met = meeting(texts)
        if met is None:
            return
        for hit in self._words.found(read(met.text))[1]:
            if met.crosses(hit.start, hit.end):
                weight = graded(hit.term.weight)
                yield from met.spans(Span(0, hit.start, hit.end, "sexual", hit.term.section, weight, hit.undone))

    def _joined(self, views: Sequence[View], listed: float, hits: Sequence[Hit], reference: bool) -> float:
        scores = self._classifier.scores([view.text for view in views], listed)
        # A deployment's own phrases count as it says.
        own = max((hit.term.weight for hit in hits if hit.term.section == "own"), default=0.0)
        # "Take it off" asks for nothing without a picture, and for a great deal with one.
        return max(graded(listed), own, scores.sexual, scores.undress if reference else 0.0)

    def attributed(self, texts: Sequence[TextInput], reference: bool) -> list[Span]:
        """Where the classifier alone makes the texts suggestive or more: the words that its score hangs on.

        Words that the lists know have spans of their own; these are what is found without them. For explanations and
        rewriting only: it costs dozens of runs of the classifier, in seconds.

        Args:
            texts: those of one request.
            reference: whether a picture goes in with them.

        Returns:
            Spans of the kind ``sexual``, with the score of the texts. Label ``classifier``: without these words they
            would be under suggestive. Label ``sentence``: the whole of a text, where no few words make the difference.

        Raises:
            CheckError: there was not enough time.
        """
        spans = self._one(texts, reference).spans
        listed = [s for s in spans if s.score >= SUGGESTIVE and not texts[s.text].negative]
        score = until(time.monotonic() + ATTRIBUTION_LIMIT_S, lambda text: self._asked(text, reference)[0])
        joined = together(texts)
        # What one prompt says by itself is its own; only the rest is looked for in all of them together.
        alone = [Joined(joined.text[a : a + n], ((0, n, indices),)) for a, n, indices in joined.pieces]
        found: list[Span] = []
        for whole in [*alone, joined] if len(alone) > 1 else alone:
            gone = [
                (begin + s.start, begin + s.end)
                for s in (*listed, *found)
                for begin, _, indices in whole.pieces
                if s.text == indices[0]
            ]
            text = blanked(whole.text, gone)
            grade, _, hits = self._asked(remaining(text), reference)
            # What the lists find now stood in the shade of a longer phrase: it is theirs, and not the sentence's.
            if grade < SUGGESTIVE or any(graded(hit.term.weight) >= SUGGESTIVE for hit in hits):
                continue
            places = words_without_which(text, score, harmless=SUGGESTIVE)
            label = "sentence" if places is None else "classifier"
            for start, end in [(0, len(text))] if places is None else places:
                found += [Span(i, a, b, "sexual", label, grade) for i, a, b in whole.parts(start, end)]
        return found

    def warmup(self) -> None:
        self._words.load()
        self._avoided.load()
        load_sentences()
        self.check([Request(texts=(TextInput("a lighthouse"),))], Stage.PROMPT)

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(self.name, self.version, hashes())
