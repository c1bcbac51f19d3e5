"""Where in the texts of a request something was found, for the person who typed them and asked.

A decision never holds content, nor where in it something was found. This runs the checks of the prompt stage once more
and gives their spans to the caller alone: nothing of it is decided on, recorded or logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from guardrail.guard.attribution import attributed
from guardrail.guard.guard import Guard
from guardrail.media import Request, Span, TextInput
from guardrail.signals import Stage

__all__ = ["Explained", "explain"]


@dataclass(frozen=True, slots=True)
class Explained:
    """One text and what fired in it, each finding once, in the order of the text.

    Args:
        spans: in characters (code points) of `text`.
        failures: check name → why it could not look.
    """

    text: str = field(repr=False)
    argument: str
    negative: bool
    spans: tuple[Span, ...] = ()
    failures: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Offsets and what was found there; not the words."""
        return {
            "argument": self.argument,
            "negative": self.negative,
            "spans": [
                {
                    "start": s.start,
                    "end": s.end,
                    "kind": s.kind,
                    "label": s.label,
                    "score": round(s.score, 4),
                    "undone": list(s.undone),
                }
                for s in self.spans
            ],
            "failures": dict(self.failures),
        }


def explain(guard: Guard, texts: Sequence[TextInput]) -> tuple[Explained, ...]:
    """What the checks of `guard` find in `texts`, which are judged together as the texts of one request.

    Raises:
        TextTooLong: a text is longer than the guard's limits allow.
    """
    checked = tuple(text.within(guard.limits) for text in texts)
    runner = guard.session().parts.judge.runner
    (found,) = runner.run([Request(checked)], Stage.PROMPT)
    whole, unsaid = attributed(runner.checks, Request(checked))
    found.spans += whole
    failures = tuple({**unsaid, **found.failures}.items())
    return tuple(
        Explained(text.text, text.argument, text.negative, _once([s for s in found.spans if s.text == i]), failures)
        for i, text in enumerate(checked)
    )


def _once(spans: Sequence[Span]) -> tuple[Span, ...]:
    """One of those that say the same of the same place: the plainest reading, then the highest score."""
    best: dict[tuple[int, int, str, str], Span] = {}
    for span in sorted(spans, key=lambda s: (len(s.undone), -s.score)):
        best.setdefault((span.start, span.end, span.kind, span.label), span)
    return tuple(sorted(best.values(), key=lambda s: (s.start, -s.end, s.kind, s.label)))
