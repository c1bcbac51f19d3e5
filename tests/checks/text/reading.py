"""What the tests of this folder ask the text checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from guardrail.checks.base import Span
from guardrail.checks.text.lexicon import Hit
from guardrail.checks.text.minors import MinorTextCheck
from guardrail.checks.text.normalise import View
from guardrail.checks.text.persons import PersonTextCheck
from guardrail.checks.text.sexual import SexualTextCheck
from guardrail.media import Request, TextInput
from guardrail.signals import Stage

# Where the default policy sets its thresholds.
SUGGESTIVE, EXPLICIT, MATCH, MINOR = 0.40, 0.70, 0.50, 0.20

TextCheck = SexualTextCheck | PersonTextCheck | MinorTextCheck


class WordsAlone(SexualTextCheck):
    """The check with its word lists only: what the classifier makes of the texts is tested where it is."""

    def _joined(self, views: Sequence[View], listed: float, hits: Sequence[Hit], reference: bool) -> float:
        return listed


@lru_cache(maxsize=1)
def sexual() -> SexualTextCheck:
    return WordsAlone()


@lru_cache(maxsize=1)
def persons() -> PersonTextCheck:
    return PersonTextCheck()


@lru_cache(maxsize=1)
def minors() -> MinorTextCheck:
    return MinorTextCheck()


def answer(check: TextCheck, *texts: str | TextInput) -> tuple[object, Sequence[Span]]:
    """The signal of one request, and where it was found."""
    request = Request(texts=tuple(t if isinstance(t, TextInput) else TextInput(t) for t in texts))
    (values,) = check.check([request], Stage.PROMPT)
    assert not hasattr(values, "cause")
    signal = next(iter(values.signals.values()))  # a check may give variants of its signal after it
    return signal, values.spans


def avoided(text: str) -> TextInput:
    """A negative prompt."""
    return TextInput(text, argument="negative_prompt", negative=True)


def score(check: TextCheck, *texts: str | TextInput) -> float:
    signal, _ = answer(check, *texts)
    assert isinstance(signal, float)
    return signal


def people(text: str | TextInput, check: PersonTextCheck | None = None) -> list[tuple[str, str]]:
    """(words as typed, kind) of the persons that count for the default policy."""
    signal, spans = answer(check or persons(), text)
    assert isinstance(signal, tuple)
    assert [s.score for s in spans] == [item["match"] for item in signal if isinstance(item, Mapping)]
    typed = text.text if isinstance(text, TextInput) else text
    return [(typed[s.start : s.end], s.label) for s in spans if s.score >= MATCH]


def found(check: TextCheck, text: str) -> list[str]:
    """The words as typed that the check points at."""
    return [text[s.start : s.end] for s in answer(check, text)[1]]
