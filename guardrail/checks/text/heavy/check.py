"""What all heavier checks share: which texts are read, how scores are calibrated, and that no number is no answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from guardrail.checks.base import CheckSettings, Failure, SignalValues
from guardrail.checks.text.heavy.settings import GIVES
from guardrail.checks.text.normalise import read
from guardrail.checks.text.sexual import SexualWords
from guardrail.decision import EffectiveCheck
from guardrail.errors import CheckError
from guardrail.media import Request, TextInput
from guardrail.signals import SignalSpec, Stage

__all__ = ["HeavyCheck", "Scorer"]

# Where the shipped thresholds lie.
SUGGESTIVE, EXPLICIT = 0.40, 0.70


class Scorer(Protocol):
    """A loaded model. Thread-safe; one text at a time, so that no other text has a say in its score."""

    name: str
    weights: Mapping[str, str]
    """File → sha256."""

    def score(self, text: str) -> float:
        """What the model says, 0..1, before calibration.

        Raises:
            CheckError: it said something that is no number, or could not read the text.
        """
        ...


class _Named(Protocol):
    """What `HeavyCheck` needs of a model's settings."""

    @property
    def name(self) -> str: ...
    @property
    def suggestive(self) -> float: ...
    @property
    def explicit(self) -> float: ...
    @property
    def timeout_s(self) -> float: ...
    @property
    def readings(self) -> int: ...


class HeavyCheck:
    """One model as a check of prompts.

    What is to be avoided (a negative prompt) is not scored: these models read every text as a wish. The shipped check
    reads negative prompts.
    """

    version = "1"
    stages = frozenset({Stage.PROMPT})
    needs: frozenset[str] = frozenset()
    gives: tuple[SignalSpec, ...] = GIVES
    inline = False

    def __init__(self, asked: _Named, scorer: Scorer, settings: CheckSettings) -> None:
        self.name = asked.name or f"prompt-model {scorer.name}"
        self.timeout_s = asked.timeout_s
        self._scorer = scorer
        self._places = (0.0, asked.suggestive, asked.explicit, 1.0)
        self._readings = asked.readings
        self._words = SexualWords((), settings.exempt) if settings.exempt else None

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        return [self._one(request.texts) for request in batch]

    def _one(self, texts: Sequence[TextInput]) -> SignalValues | Failure:
        score = exempted = 0.0
        try:
            for text in texts:
                if text.negative:
                    continue
                found = lenient = self._scored(text.text)
                rest = self._words.without_exempt(text.text) if self._words else None
                if rest is not None:
                    lenient = min(found, self._scored(rest))
                score, exempted = max(score, found), max(exempted, lenient)
        except CheckError as error:
            return Failure(str(error))
        return SignalValues({"prompt.sexual": score, "prompt.sexual_exempted": exempted})

    def _scored(self, text: str) -> float:
        said = [self._scorer.score(reading) for reading in _readings(text, self._readings)]
        if not all(math.isfinite(s) and 0.0 <= s <= 1.0 for s in said):
            raise CheckError("the model gave a value that is no number in 0..1")
        return float(np.interp(max(said), self._places, (0.0, SUGGESTIVE, EXPLICIT, 1.0)))

    def warmup(self) -> None:
        # A model that gives no number says so here already, and again with each request.
        self.check([Request(texts=(TextInput("a lighthouse"),))], Stage.PROMPT)

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(self.name, self.version, dict(self._scorer.weights))


def _readings(text: str, most: int) -> Iterator[str]:
    """`text` as typed, and what the normaliser makes of it where that is another text than in lower case."""
    # Half of a surrogate pair is no character: the tokenizers refuse the whole text.
    yield text.encode("utf-8", "replace").decode("utf-8")
    seen = {_bare(text)}
    views = (view.text.encode("utf-8", "replace").decode("utf-8") for view in read(text))
    for view in views if most > 1 else ():
        if len(seen) == most:
            return
        if _bare(view) not in seen:
            seen.add(_bare(view))
            yield view


def _bare(text: str) -> str:
    return " ".join(text.casefold().split())
