"""The state of one request on its way through the stages, and the decision that it ends in."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from guardrail.decision import (
    Action,
    Alteration,
    Coverage,
    Decision,
    EffectiveCheck,
    PolicyRef,
    Reason,
    Stage,
    Verdict,
    new_decision_id,
)
from guardrail.media import Request
from guardrail.signals import SignalValue

__all__ = ["Item"]


@dataclass(slots=True)
class Item:
    """One item of a call. `request` stays as it came in; `current` is what is generated from.

    A fork is made for each output: what the inputs said is shared, what the output says is its own.
    """

    request: Request
    current: Request
    policy: PolicyRef
    before: frozenset[Stage] = frozenset()
    """Stages of an earlier decision that this one builds on."""
    user_hash: str = ""
    prompt_index: int = 0
    image_index: int = 0
    action: Action = Action.ALLOW
    stage: Stage = Stage.PROMPT
    signals: dict[str, SignalValue] = field(default_factory=dict)
    ran: set[Stage] = field(default_factory=set)
    reasons: list[Reason] = field(default_factory=list)
    alterations: list[Alteration] = field(default_factory=list)
    labels: dict[str, float | bool | str] = field(default_factory=dict)
    reports: list[tuple[str, str, str]] = field(default_factory=list)
    effective: dict[str, EffectiveCheck] = field(default_factory=dict)
    coverage: list[Coverage] = field(default_factory=list)
    timings_ms: dict[str, float] = field(default_factory=dict)
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)
    decision_id: str = field(default_factory=lambda: new_decision_id(time.time_ns() // 1_000_000, os.urandom(10)))

    @property
    def blocked(self) -> bool:
        return self.action is Action.BLOCK

    def due(self) -> frozenset[Stage]:
        """The stages whose signals must be there."""
        return self.current.due(frozenset(self.ran)) | self.before

    def fork(self, image_index: int) -> Item:
        """A copy for one output, with an id of its own."""
        return replace(
            self,
            image_index=image_index,
            signals=dict(self.signals),
            ran=set(self.ran),
            reasons=list(self.reasons),
            alterations=[replace(a) for a in self.alterations],
            labels=dict(self.labels),
            reports=list(self.reports),
            effective=dict(self.effective),
            coverage=list(self.coverage),
            timings_ms=dict(self.timings_ms),
            decision_id=new_decision_id(time.time_ns() // 1_000_000, os.urandom(10)),
        )

    def note(self, verdict: Verdict, stage: Stage) -> None:
        """Take over what the policy said at a stage."""
        self.stage = stage
        self.reasons += verdict.reasons
        if verdict.action.rank > self.action.rank:
            self.action = verdict.action

    def block(self, stage: Stage, reason: Reason) -> None:
        """Block for a reason of the guard's own."""
        self.stage = stage
        self.action = Action.BLOCK
        self.reasons.append(reason)

    def took(self, step: str, begun: float) -> None:
        """Add the wall time since `begun` (time.perf_counter) to a step."""
        self.timings_ms[step] = self.timings_ms.get(step, 0.0) + (time.perf_counter() - begun) * 1e3

    def decision(self, *, mark_id: str = "", pixels_sha256: str = "") -> Decision:
        """The answer as it stands."""
        action = Action.ALLOW if self.action is Action.LABEL else self.action
        context = self.request.context
        told = {"purpose": context.purpose, "locale": context.locale, "tenant": context.tenant}
        told["user"] = self.user_hash
        return Decision(
            id=self.decision_id,
            action=action,
            stage=self.stage,
            policy=self.policy,
            prompt_index=self.prompt_index,
            image_index=self.image_index,
            reasons=tuple(self.reasons),
            signals=dict(self.signals),
            alterations=tuple(self.alterations) if action is not Action.BLOCK else (),
            effective=tuple(self.effective.values()),
            coverage=tuple(dict.fromkeys(self.coverage)),
            timings_ms=dict(self.timings_ms),
            labels=dict(self.labels) if action is not Action.BLOCK else {},
            messages=dict(self.messages),
            context={k: v for k, v in told.items() if v},
            pixels_sha256=pixels_sha256,
            mark_id=mark_id,
            due=tuple(sorted(self.due(), key=lambda s: s.position)),
            inputs=dict(self.inputs),
            created=dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        )
