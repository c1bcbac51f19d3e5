"""One guarded call of a modular pipeline: what leaves in its state is held to the same rules as its pictures."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from guardrail.decision import Action, Decision, Stage
from guardrail.pipelines.arguments import Arguments
from guardrail.pipelines.call import GuardedCall
from guardrail.pipelines.kinds import Kind, classify
from guardrail.pipelines.modular.blocks import BlocksCall, state_class
from guardrail.pipelines.modular.state import Made, latents_in, made_names, pictures_beside, withhold
from guardrail.pipelines.outputs import MEDIA_FIELDS, Result
from guardrail.pipelines.placeholders import blank_media, output_size, outputs_per_prompt
from guardrail.pipelines.provenance import ledger_of, register
from guardrail.pipelines.steps import GuardStop

__all__ = ["ModularCall"]

POLICY_LIMIT_S = 1.0
_FORMS = ("pil", "np", "pt")
_EMBEDDINGS = frozenset({Kind.TEXT_EMBEDDING, Kind.IMAGE_EMBEDDING, Kind.CONDITION_LATENT})


@dataclass(slots=True)
class ModularCall(GuardedCall):
    """As `GuardedCall`; `call` is a `BlocksCall`.

    Args:
        asked: names that the caller asks for, ``None`` for the whole state.
    """

    asked: tuple[str, ...] | None = None
    elsewhere: set[int] = field(init=False, default_factory=set)

    @property
    def _blocks(self) -> BlocksCall:
        assert isinstance(self.call, BlocksCall)
        return self.call

    def _run(self, arguments: Arguments) -> Result:
        _leave_out_stops()
        made = self._blocks(self.pipe, **arguments.values).asked_for(self.asked or ())
        return Result.open(made, latent=made.as_latents, alone=True)

    def _merged(self, merged: Result | None, result: Result, members: Sequence[int]) -> Result:
        # Of runs after the first only the pictures are taken over: the latents in the state are others'.
        if merged is not None:
            self.elsewhere |= {i for i in range(len(result)) if self._owner(i, len(result)) in members}
        return GuardedCall._merged(self, merged, result, members)

    # ---- leaving

    def _release(self, result: Result) -> Any:
        # Not by zero-argument super: a dataclass with slots is another class than the one that it is written in.
        made: Made = GuardedCall._release(self, result)
        decisions = list(made.guardrail)
        latents = latents_in(made.state.values, made.given)
        away = [i for i, d in enumerate(decisions) if d.blocked or _changed(d) or i in self.elsewhere]
        if latents and self._leaves(latents) and made.name not in latents:
            away += [i for i, d in enumerate(decisions) if i not in away and not self._may_leave_as_latents(d)]
        if away:
            withhold(made, away, len(decisions))
        for name in pictures_beside(made, pictures_given=bool(self.inputs.pictures)):
            made.state.values[name] = None
        self._remember(made, latents, away, len(decisions))
        return made

    def _leaves(self, names: Sequence[str]) -> bool:
        return self.asked is None or bool(set(names) & set(self.asked))

    def _may_leave_as_latents(self, decision: Decision) -> bool:
        """Whether the policy would let an output leave as latents, from which anybody can decode it unmarked."""
        signals = {**decision.signals, "output.markable": "latent"}
        try:
            verdict = self.session.parts.judge.engine.evaluate(
                signals,
                stage=Stage.OUTPUT,
                due=frozenset(decision.due),
                deadline=time.monotonic() + POLICY_LIMIT_S,
            )
        except Exception:  # noqa: BLE001 - an engine that cannot say does not let it leave
            return False
        return verdict.action is not Action.BLOCK

    def _remember(self, made: Made, latents: Sequence[str], away: Sequence[int], outputs: int) -> None:
        """What leaves is known by what it was made from, where all of that was read."""
        if any(u.kind != Kind.LATENT for u in self.inputs.unverified):
            return
        ledger = ledger_of(self.guard)
        values = made.state.values
        for name in latents:
            if self._leaves([name]) and is_rows(values[name], outputs):
                for i in range(outputs):
                    if i not in away:
                        ledger.add(values[name][i : i + 1], [self._origin(self._owner(i, outputs))])
        if self.inputs.unverified:
            return
        origins = [self._origin(i) for i in range(len(self.items))]
        for name in filter(lambda n: self._leaves([n]), made_names(values, made.given)):
            first = values[name][0] if isinstance(values[name], list) and values[name] else values[name]
            if hasattr(first, "ndim") and classify(name, first) in _EMBEDDINGS:
                register(ledger, None, {name: values[name]}, origins)

    # ---- when nothing is generated

    def _nothing(self) -> Any:
        """The state as it was given, with placeholders in the place of pictures. Where something else was asked for,
        only the pipeline knows its form: then it runs one step on nothing, and what comes of it is emptied."""
        name = next((n for n in MEDIA_FIELDS if n in self._blocks.outputs), "")
        form = self.arguments.get("output_type", "pil")
        if not name or form not in _FORMS or not set(self.asked or (name,)) <= {name}:
            made: Made = GuardedCall._nothing(self)
            withhold(made, range(len(made.guardrail)), len(made.guardrail))
            for other in pictures_beside(made, pictures_given=False):
                made.state.values[other] = None
            return made
        verdicts = self._close_blocked(self.items)
        media = self._placeholders(name, str(form))
        state = state_class()(values={**self.arguments.values, name: media})
        blank = Made(state, self._blocks.outputs, self.arguments.values, (name,))
        if self.on_block == "none" and form == "pil":
            blank[name] = [None] * len(media)
        blank.guardrail = verdicts
        return blank

    def _placeholders(self, name: str, form: str) -> Any:
        arguments = self.arguments.copy()
        if not self.inputs.pictures:
            for side in ("height", "width"):
                default = getattr(self.pipe, f"default_{side}", None)
                if not isinstance(arguments.get(side), int) and isinstance(default, int):
                    arguments.values[side] = default
        height, width = output_size(self.pipe, arguments, self.inputs)
        video = name in ("videos", "frames", "video")
        frames = arguments.get("num_frames") if video else 1
        frames = frames if isinstance(frames, int) else getattr(self.pipe, "default_num_frames", 1)
        count = self.inputs.count * outputs_per_prompt(arguments)
        return blank_media(form, count, frames, height, width, video=video)


def is_rows(value: Any, outputs: int) -> bool:
    return value is not None and hasattr(value, "ndim") and value.ndim >= 2 and len(value) == outputs


def _changed(decision: Decision) -> bool:
    """Whether other pixels left than those that the latents hold."""
    return any(a.stage is Stage.OUTPUT and a.status == "applied" for a in decision.alterations)


class _NoStops(logging.Filter):
    """Leaves out what diffusers says about our own way of ending a run: a traceback for every enclosing block."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not isinstance(sys.exc_info()[1], GuardStop)


_no_stops = _NoStops()


def _leave_out_stops() -> None:
    # Stays on: it concerns nothing but our own exception, and other threads may be in a call.
    logging.getLogger("diffusers.modular_pipelines.modular_pipeline").addFilter(_no_stops)
