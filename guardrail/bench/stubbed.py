"""A guard whose checks answer at once that nothing was found: what is left is what the guard itself costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from guardrail.actions import actions
from guardrail.checks.base import Check, Failure, SignalValues
from guardrail.checks.registry import Declared, declared_checks
from guardrail.decision import EffectiveCheck, PolicyRef, Verdict
from guardrail.errors import ConfigurationError
from guardrail.guard import Guard
from guardrail.guard.judge import Judge
from guardrail.guard.parts import load
from guardrail.guard.runner import Runner
from guardrail.guard.session import Parts, Session
from guardrail.policy import BuiltinEngine, Policy, PolicyEngine
from guardrail.signals import SignalSpec, SignalValue, Stage

__all__ = ["StubCheck", "StubbedGuard"]


class StubCheck:
    """Gives every signal of a check its harmless value. It looks at nothing and runs in the calling thread.

    Args:
        of: the check whose place it takes.
    """

    inline = True
    timeout_s = 60.0

    def __init__(self, of: Declared) -> None:
        self.name = of.name
        self.version = "stub"
        self.stages: frozenset[Stage] = of.factory.stages
        self.needs: frozenset[str] = of.factory.needs
        self.gives: tuple[SignalSpec, ...] = of.gives
        self._said: dict[Stage, dict[str, SignalValue]] = {
            stage: {s.name: s.kind.benign for s in self.gives if s.stage is stage} for stage in Stage
        }

    def check(self, batch: Sequence[Any], stage: Stage) -> list[SignalValues | Failure]:
        return [SignalValues(self._said[stage]) for _ in batch]

    def warmup(self) -> None:
        """There is nothing to load."""

    def effective(self) -> EffectiveCheck:
        return EffectiveCheck(self.name, self.version)


class StubbedGuard(Guard):
    """A guard by a real policy, with a stub in the place of every installed check.

    For measuring alone: it allows what the policy's rules do not refuse unseen.

    Args:
        policy: a rule file or the name of a shipped policy.
        marked: leave its labels in force. Without them no picture is marked.
        audit: path of a record, or ``None`` for none.

    Raises:
        ConfigurationError: a policy of another engine, of which labels cannot be taken out.
    """

    def __init__(self, policy: str | Path = "default", *, marked: bool = False, audit: Path | None = None) -> None:
        engine = load(policy)
        if not marked:
            engine = _without_labels(engine)
        super().__init__(_Unread(engine), gallery=None, known=None, audit=audit)
        # What the policy reads is given by the stubs.
        runner = Runner([StubCheck(of) for of in declared_checks() if _is_read(of, engine)])
        own = self._parts
        judge = Judge(engine, runner, actions())
        self._stubbed = Parts(engine, judge, own.recorder, own.keyring, own.marks, own.limits)

    def session(self) -> Session:
        return Session(self._stubbed)

    @property
    def checks(self) -> tuple[Check, ...]:
        """The stubs that are asked."""
        return self._stubbed.judge.runner.checks


class _Unread:
    """An engine that reads no signal, so that a guard builds no check for it."""

    def __init__(self, engine: PolicyEngine) -> None:
        self._engine = engine

    @property
    def ref(self) -> PolicyRef:
        return self._engine.ref

    def needs(self) -> Mapping[str, tuple[str, ...]]:
        return {}

    def evaluate(self, *args: Any, **kwargs: Any) -> Verdict:
        return self._engine.evaluate(*args, **kwargs)

    def messages(self, reasons: Any) -> Mapping[str, str]:
        return self._engine.messages(reasons)


def _without_labels(engine: PolicyEngine) -> PolicyEngine:
    policy = getattr(engine, "policy", None)
    if not isinstance(policy, Policy):
        raise ConfigurationError("the cost without marks is measured on a rule file of the built-in engine")
    kept = [replace(rule, then=tuple(a for a in rule.then if a.kind != "label")) for rule in policy.rules]
    return BuiltinEngine(replace(policy, rules=tuple(rule for rule in kept if rule.then)))


def _is_read(of: Declared, engine: PolicyEngine) -> bool:
    return any(spec.name in engine.needs() for spec in of.gives)
