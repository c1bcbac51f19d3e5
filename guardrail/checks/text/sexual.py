"""``prompt.sexual``: how strongly the texts ask for nudity or sexual content, from word lists.

``prompt.sexual_exempted`` is the same without what a deployment exempts. It is a signal of its own so that an exemption
never reaches a locked rule: those read ``prompt.sexual``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrail.checks.base import CheckSettings, Failure, SignalValues, Span
from guardrail.checks.text.lexicon import Hit, Lexicon
from guardrail.checks.text.normalise import read
from guardrail.checks.text.wordlists import languages, load_list, own_list
from guardrail.decision import EffectiveCheck
from guardrail.media import Request, TextInput
from guardrail.signals import CORE, SignalSpec, Stage

__all__ = ["SexualTextCheck", "combine"]

# The classes of word in the lists; the thresholds of the shipped policies lie at the same places.
EXPLICIT = 0.70
SUGGESTIVE = 0.40
SUGGESTIVE_CEILING = 0.65
WEAK_CEILING = 0.35


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


class SexualTextCheck:
    """Word lists with weights, exemptions and undressing phrases, read through the normaliser."""

    name = "sexual-words"
    version = "1"
    stages = frozenset({Stage.PROMPT})
    needs: frozenset[str] = frozenset()
    gives: tuple[SignalSpec, ...] = (CORE["prompt.sexual"], CORE["prompt.sexual_exempted"])
    inline = True
    timeout_s = 5.0

    def __init__(self, settings: CheckSettings | None = None) -> None:
        settings = settings or CheckSettings()
        lists = [load_list("sexual", language) for language in languages("sexual")]
        own = own_list(settings.words, ())
        self._lexicon = Lexicon([*lists, own])
        self._lenient = Lexicon([*lists, own, own_list((), settings.exempt)]) if settings.exempt else self._lexicon
        self._avoided = Lexicon(load_list("clothing", language) for language in languages("clothing"))

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        return [self._one(request.texts) for request in batch]

    def _one(self, texts: Sequence[TextInput]) -> SignalValues:
        score = exempted = 0.0
        spans: list[Span] = []
        for i, text in enumerate(texts):
            # In a negative prompt words are avoided, not asked for: what counts there is clothing to be avoided.
            lexicon = self._avoided if text.negative else self._lexicon
            views = read(text.text)
            hits, context = lexicon.hits(views)
            found = combine(hits, context)
            score = max(score, found)
            if found and lexicon is self._lexicon is not self._lenient:
                found = combine(*self._lenient.hits(views))
            exempted = max(exempted, found)
            spans += [Span(i, h.start, h.end, "sexual", h.term.section, h.term.weight, h.undone) for h in hits]
        return SignalValues({"prompt.sexual": score, "prompt.sexual_exempted": exempted}, tuple(spans))

    def warmup(self) -> None:
        self.check([Request(texts=(TextInput("a lighthouse"),))], Stage.PROMPT)

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(self.name, self.version)
