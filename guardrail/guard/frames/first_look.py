"""A video looked at by a sample of its frames, and by all of them as soon as anything is in it.

Only what a pipeline made is sampled: what goes in is chosen by whoever would hide something in it. A sample is enough
only while everything is quiet, before it and in it: nobody named or shown, no score near a limit of the policy, nothing
missing, nothing unreadable, no rule that blocks or changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from guardrail.decision import Action, Coverage, Verdict
from guardrail.guard.frames.parts import Place, many_frames, places
from guardrail.guard.frames.sampling import sampled
from guardrail.guard.runner import Runner, StageFindings
from guardrail.media import ImageInput, Request
from guardrail.policy import Policy, PolicyEngine
from guardrail.policy.model import AllOf, AnyOf, Compare, Condition, Not, ScoreTest
from guardrail.signals import SignalValue, Stage

__all__ = ["FirstLook", "Looked"]

NEAR = 0.5
"""A score is near a limit from this share of it on."""


class Looked(NamedTuple):
    """What was found, and what is to be said of frames that were not looked at."""

    found: StageFindings
    coverage: tuple[Coverage, ...] = ()


class FirstLook:
    """How videos are looked at under one policy.

    Args:
        every: at least each `every`-th frame, 1 for all of them.
        limits: signal → the lowest number that a rule compares it with, whatever the comparison.
    """

    def __init__(self, every: int = 1, limits: Mapping[str, float] | None = None) -> None:
        self.every = every
        self.limits = dict(limits or {})

    @classmethod
    def of(cls, engine: PolicyEngine) -> FirstLook:
        """As the policy of the engine says; an engine without rules of ours looks at all frames."""
        policy = getattr(engine, "policy", None)
        if not isinstance(policy, Policy) or (policy.video.every or 1) <= 1:
            return cls()
        limits: dict[str, float] = {}
        for rule in policy.rules:
            for signal, limit in _limits(rule.when):
                limits[signal] = min(limit, limits.get(signal, 1.0))
        return cls(policy.video.every or 1, limits)

    def samples(self, request: Request, stage: Stage, known: Mapping[str, SignalValue]) -> bool:
        """Whether a sample of the frames may do for this request, with what is known of it before it is looked at."""
        return self.every > 1 and stage is Stage.OUTPUT and many_frames(request, stage) and self.quiet(known)

    def look(
        self,
        runner: Runner,
        request: Request,
        stage: Stage,
        known: Mapping[str, SignalValue],
        ask: Callable[[Mapping[str, SignalValue]], Verdict],
    ) -> Looked:
        """Look at a sample, and at all other frames too unless it is quiet.

        Args:
            ask: the verdict at this stage, from the signals found in it.
        """
        whole = places(request, stage)
        chosen = self._chosen(request, stage)
        frames = dict(zip(chosen, runner.look_at(request, stage, known, chosen), strict=True))
        found = runner.complete(request, stage, known, list(frames.values()))
        if len(chosen) == len(whole):
            return Looked(found)
        if self.quiet(found.signals) and _passes(ask(found.signals)):
            told = f"{len(chosen)} of {len(whole)} frames were looked at"
            return Looked(found, (Coverage("sampled-frames", stage.value, told),))
        others = [p for p in whole if p not in frames]
        frames |= dict(zip(others, runner.look_at(request, stage, known, others), strict=True))
        return Looked(runner.complete(request, stage, known, [frames[p] for p in whole]))

    def quiet(self, signals: Mapping[str, SignalValue]) -> bool:
        """Whether nothing is in what was found: no item, no flag, no score near a limit, nothing missing."""
        return all(self._quiet(name, value) for name, value in signals.items())

    def _quiet(self, name: str, value: SignalValue) -> bool:
        if value is None or value is True:
            return False
        if isinstance(value, tuple):
            return not value
        if isinstance(value, bool | str):
            return True
        return float(value) < NEAR * self.limits.get(name, 1.0)  # what is no number is not quiet

    def _chosen(self, request: Request, stage: Stage) -> list[Place]:
        media = request.media(stage)
        return [
            Place(i, f) for i, m in enumerate(media) if isinstance(m, ImageInput) for f in sampled(m.frames, self.every)
        ]


def _passes(verdict: Verdict) -> bool:
    return verdict.action.rank < Action.ALTER.rank and not verdict.missing


def _limits(condition: Condition) -> list[tuple[str, float]]:
    """Every number that a condition compares a score with, with the signal; those of fields of lists are left out,
    since a list that is not empty is never quiet."""
    if isinstance(condition, AllOf | AnyOf):
        return [limit for part in condition.parts for limit in _limits(part)]
    if isinstance(condition, Not):
        return _limits(condition.part)
    if isinstance(condition, Compare) and isinstance(condition.test, ScoreTest):
        return [(condition.signal, condition.test.limit)]
    return []
