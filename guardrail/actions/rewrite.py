"""``rewrite``: changing a prompt so that a part of it is gone and the rest of the wish survives.

``drop: persons`` makes whoever is named a person in general; ``drop: sexual`` takes the sexual words out. By rules, or
by a language model of the user's own behind `Writer`. The guard checks the new text again; a rewrite that does not hold
blocks the request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from guardrail.actions.base import Params, PlanInput, PlannedAction
from guardrail.actions.wording import Task, Writer, without_persons, without_sexual
from guardrail.actions.wording.removal import COUNTS
from guardrail.decision import CORE_ACTIONS, Alteration
from guardrail.errors import ActionError
from guardrail.media import Span, TextInput

__all__ = ["Rewrite", "without_persons", "without_sexual"]

Drop = Literal["persons", "sexual"]
_KIND = {"persons": "person", "sexual": "sexual"}


class Rewrite(PlannedAction):
    """``drop: persons`` or ``drop: sexual``.

    Args:
        writer: writes the new text instead of the rules of `guardrail.actions.wording`.
    """

    spec = CORE_ACTIONS["rewrite"]

    def __init__(self, writer: Writer | None = None) -> None:
        self.writer = writer

    def plan(self, given: PlanInput, params: Params, *, strength: int = 0) -> list[Alteration]:
        drop = cast(Drop, params["drop"])
        texts = given.request.texts
        chosen = [s for s in given.spans if s.kind == _KIND[drop] and (drop == "persons" or s.score >= COUNTS)]
        if not all(0 <= s.text < len(texts) for s in chosen):
            raise ActionError(f"{_found(drop)} in a text that the request does not have")
        changed: list[Alteration] = []
        for index, text in enumerate(texts):
            spans = [s for s in chosen if s.text == index]
            if not spans or text.negative:
                continue
            changed.append(
                Alteration(
                    "rewrite",
                    given.stage,
                    detail=_detail(drop, spans),
                    argument=text.argument,
                    index=index,
                    params=dict(params),
                    text=self._text(text, spans, drop),
                )
            )
        if not changed:
            what = "the words that name the person" if drop == "persons" else "the sexual words"
            raise ActionError(f"{what} could not be located")
        return changed

    def _text(self, text: TextInput, spans: Sequence[Span], drop: Drop) -> str:
        if self.writer is not None:
            return self.writer.write(Task(text.text, drop, tuple((s.start, s.end) for s in spans)))
        return without_persons(text.text, spans) if drop == "persons" else without_sexual(text.text, spans)


def _found(drop: Drop) -> str:
    return "a person was found" if drop == "persons" else "sexual words were found"


def _detail(drop: Drop, spans: Sequence[Span]) -> str:
    if drop == "persons":
        return f"{len(spans)} {'person' if len(spans) == 1 else 'persons'} taken out"
    places = len({(s.start, s.end) for s in spans})
    return f"{places} sexual {'place' if places == 1 else 'places'} taken out"
