"""``prompt.minor``: how likely the texts name somebody under 18, from word lists and ages.

Words of childhood are harmless by themselves; they matter to a rule only together with a sexual signal. A drawn or
generated minor is not recognised in pixels by any shipped check.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrail.checks.base import CheckSettings, Failure, SignalValues, Span
from guardrail.checks.text.lexicon import shipped
from guardrail.checks.text.normalise import read
from guardrail.checks.text.request import meeting
from guardrail.decision import EffectiveCheck
from guardrail.media import Request, TextInput
from guardrail.signals import CORE, SignalSpec, Stage

__all__ = ["MinorTextCheck"]


class MinorTextCheck:
    """Words and ages; the strongest one counts, weak ones do not add up."""

    name = "minor-words"
    version = "2"
    stages = frozenset({Stage.PROMPT})
    needs: frozenset[str] = frozenset()
    gives: tuple[SignalSpec, ...] = (CORE["prompt.minor"],)
    inline = True
    timeout_s = 5.0

    def __init__(self, settings: CheckSettings | None = None) -> None:
        self._lexicon = shipped("minors", 0.2)
        self._avoided = shipped("adults")

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        return [self._one(request.texts) for request in batch]

    def _one(self, texts: Sequence[TextInput]) -> SignalValues:
        score = 0.0
        spans: list[Span] = []
        for i, text in enumerate(texts):
            # To avoid grown-ups is to ask for minors; to avoid children is harmless.
            lexicon = self._avoided if text.negative else self._lexicon
            hits, _ = lexicon.hits(read(text.text))
            score = max([score, *(h.term.weight for h in hits)])
            spans += [Span(i, h.start, h.end, "minor", h.term.section, h.term.weight, h.undone) for h in hits]
        for across in self._across(texts):
            score = max(score, across.score)
            spans.append(across)
        return SignalValues({"prompt.minor": score}, tuple(spans))

    def _across(self, texts: Sequence[TextInput]) -> Iterator[Span]:
        """A word or an age cut in two, half in one prompt and half in the next, as spans in each of them."""
        met = meeting(texts)
        if met is None:
            return
        for hit in self._lexicon.hits(read(met.text))[0]:
            if met.crosses(hit.start, hit.end):
                yield from met.spans(
                    Span(0, hit.start, hit.end, "minor", hit.term.section, hit.term.weight, hit.undone)
                )

    def warmup(self) -> None:
        self._lexicon.load()
        self._avoided.load()
        self.check([Request(texts=(TextInput("a lighthouse"),))], Stage.PROMPT)

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(self.name, self.version)
