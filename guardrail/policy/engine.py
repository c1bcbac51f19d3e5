"""The engine: signals of one stage in, a verdict out. It fails closed.

All rules whose condition holds fire; the strictest effect wins; the order of the rules never matters. An exception, a
missed deadline or an unknown stage is a block with a reason of kind ``engine``, never an exception and never an allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import NamedTuple, Protocol

from guardrail.decision import Action, ActionSpec, Leaf, PolicyRef, Reason, ReasonKind, Verdict
from guardrail.policy.conditions import Collect, Signals, compile_condition
from guardrail.policy.merge import merge
from guardrail.policy.model import SEVERITIES, Always, Policy, Rule, signals_of
from guardrail.policy.probes import Outcome
from guardrail.signals import SignalValue, Stage

__all__ = ["BuiltinEngine", "PolicyEngine"]

_ALLOW = Verdict(Action.ALLOW)
_BLOCK = ActionSpec("block")
_STAGES = frozenset(Stage)
_SEVERITY = {name: i for i, name in enumerate(SEVERITIES)}
_MAX_REMEMBERED = 1_024  # sets of rules that fired together; a policy sees a few dozen


class PolicyEngine(Protocol):
    """Whatever turns signals into verdicts."""

    @property
    def ref(self) -> PolicyRef:
        """Which policy decides."""
        ...

    def needs(self) -> Mapping[str, tuple[str, ...]]:
        """Each signal that a rule reads, with the ids of those rules, shadow rules included."""
        ...

    def evaluate(
        self,
        signals: Mapping[str, SignalValue],
        *,
        stage: Stage,
        due: frozenset[Stage],
        deadline: float | None = None,
    ) -> Verdict:
        """The verdict at `stage`. Never raises.

        Args:
            signals: what the checks said up to now; None or absent means missing.
            stage: where the request stands.
            due: the stages that have run and have media in this request, derived from the request and never from which
                checks returned. Signals without a stage are always due.
            deadline: `time.monotonic()` seconds after which the answer is a block; looked at between rules.
        """
        ...

    def messages(self, reasons: Iterable[Reason]) -> Mapping[str, str]:
        """Language → what the end user may read: the text of the strictest reason that has one, or nothing.

        Only reasons of the strictest effect speak, and none that failed closed because of a missing signal.
        """
        ...


class _Armed(NamedTuple):
    """A rule compiled for one stage and one set of due stages."""

    test: Callable[[Signals], Outcome]
    collect: Collect
    rule: Rule
    effect: Action
    specs: tuple[ActionSpec, ...]
    always: Reason | None = None  # the reason of a rule without a condition: it is the same every time


class BuiltinEngine:
    """Evaluates a `Policy`. Safe to share between threads."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._plans: dict[tuple[Stage, frozenset[Stage]], tuple[_Armed, ...]] = {}
        self._merged: dict[tuple[Stage, bool, tuple[str, ...]], tuple[ActionSpec, ...]] = {}

    @property
    def ref(self) -> PolicyRef:
        return self.policy.ref

    def needs(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for rule in self.policy.rules:
            for signal in dict.fromkeys(signals_of(rule.when)):
                found.setdefault(signal, []).append(rule.id)
        return {signal: tuple(rules) for signal, rules in found.items()}

    def messages(self, reasons: Iterable[Reason]) -> Mapping[str, str]:
        texts = self.policy.messages
        acting = [r for r in reasons if not r.shadow]
        strictest = max((r.effect.rank for r in acting), default=0)
        # A looser reason's text would say the wrong thing: "toned down" about a request that was refused.
        speaking = [r for r in acting if r.effect.rank == strictest and texts.get(r.message)]
        if not speaking:
            return {}
        return texts[max(speaking, key=lambda r: _SEVERITY.get(r.severity, 0)).message]

    def evaluate(
        self,
        signals: Mapping[str, SignalValue],
        *,
        stage: Stage,
        due: frozenset[Stage],
        deadline: float | None = None,
    ) -> Verdict:
        try:
            # Before the look-up, in which a text equals the stage of its name: the answer must not hang on the past.
            if not _known(stage, due):
                return _refused("unknown stage", stage)
            plan = self._plans.get((stage, due))
            if plan is None:
                plan = self._plans[stage, due] = self._compile(stage, due)
            return self._evaluate(plan, signals, stage, deadline)
        except Exception as error:  # noqa: BLE001 — whatever went wrong, the answer is no
            return _refused(f"engine error: {type(error).__name__}", stage)

    def _evaluate(
        self, plan: tuple[_Armed, ...], signals: Mapping[str, SignalValue], stage: Stage, deadline: float | None
    ) -> Verdict:
        reasons: list[Reason] = []
        acting: list[_Armed] = []
        closed = False
        for armed in plan:
            # Written so that a deadline of NaN has passed.
            if deadline is not None and not monotonic() <= deadline:
                break
            try:
                outcome = armed.test(signals)
                reason = None if outcome is False else _reason(armed, outcome, signals, stage)
            except Exception as error:  # noqa: BLE001 — one rule that cannot be judged blocks; the others still report
                reason = _failure(f"engine error: {type(error).__name__}", stage, armed.rule.id)
            if reason is None:
                continue
            reasons.append(reason)
            if reason.shadow:
                continue
            if reason.kind == "rule":
                acting.append(armed)
            else:
                closed = True
        if deadline is not None and not monotonic() <= deadline:
            reasons.append(_failure("deadline passed", stage))
            closed = True
        if not reasons:
            return _ALLOW
        # A plan begins with its strictest rules.
        action = Action.BLOCK if closed else acting[0].effect if acting else Action.ALLOW
        return Verdict(action, self._specs(stage, closed, acting), tuple(reasons))

    def _specs(self, stage: Stage, closed: bool, acting: list[_Armed]) -> tuple[ActionSpec, ...]:
        """The merged actions of the rules that act; remembered, because few sets of rules ever fire together."""
        key = stage, closed, tuple([armed.rule.id for armed in acting])
        specs = self._merged.get(key)
        if specs is None:
            asked = [spec for armed in acting for spec in armed.specs]
            specs = merge([*asked, _BLOCK] if closed else asked, self.policy.actions)
            if len(self._merged) >= _MAX_REMEMBERED:
                self._merged.clear()
            self._merged[key] = specs
        return specs

    def _compile(self, stage: Stage, due: frozenset[Stage]) -> tuple[_Armed, ...]:
        """The rules that can fire at `stage`, strictest first: the reasons do not depend on the order of the file."""
        kinds = self.policy.actions
        plan: list[_Armed] = []
        for rule in self.policy.rules:
            specs = tuple(spec for spec in rule.then if stage in kinds[spec.kind].stages)
            compiled = compile_condition(rule.when, due, self.policy.vocabulary) if stage in rule.at and specs else None
            if compiled is not None:
                effect = max((kinds[spec.kind].effect for spec in specs), key=lambda e: e.rank)
                armed = _Armed(compiled.test, compiled.collect, rule, effect, specs)
                always = _reason(armed, True, {}, stage) if isinstance(rule.when, Always) else None
                plan.append(armed._replace(always=always))
        plan.sort(key=lambda a: (-a.effect.rank, -_SEVERITY[a.rule.severity], a.rule.id))
        return tuple(plan)


def _reason(armed: _Armed, outcome: Outcome, signals: Signals, stage: Stage) -> Reason | None:
    """Why the rule fires or fails closed; None when it is unknown and may be passed over."""
    if armed.always is not None:
        return armed.always
    rule, effect, leaves = armed.rule, armed.effect, list[Leaf]()
    if outcome:
        armed.collect(signals, True, leaves)
        kind: ReasonKind = "rule"
        cause, message = "", rule.message
    elif rule.on_missing == "ignore" or effect.rank < Action.ALTER.rank:
        return None
    else:
        armed.collect(signals, None, leaves)
        kind, effect = "missing", Action.BLOCK
        # Not the rule's message: it speaks of what the rule forbids, and that was not established.
        cause, message = "missing signal", ""
    return Reason(
        kind, rule.id, stage, effect, rule.severity, cause, tuple(leaves), rule.locked, rule.shadow, message, rule.refs
    )


def _known(stage: object, due: object) -> bool:
    return isinstance(stage, Stage) and isinstance(due, frozenset) and due <= _STAGES


def _failure(cause: str, stage: Stage, rule: str = "") -> Reason:
    return Reason("engine", rule, stage, Action.BLOCK, "high", cause)


def _refused(cause: str, stage: object) -> Verdict:
    reason = _failure(cause, stage if isinstance(stage, Stage) else Stage.PROMPT)
    return Verdict(Action.BLOCK, (_BLOCK,), (reason,))
