"""Why a request is decided as it is: every rule at every stage it went through, down to each comparison.

    print(explain(policy, {"prompt.sexual": 0.66}, Stage.PROMPT, {Stage.PROMPT}))

What a rule amounts to is asked of the engine itself, so that an explanation cannot say anything else than what was
decided; the tree below it comes from `trace`, and a property test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from guardrail.decision import Action, PolicyRef, Reason, Verdict
from guardrail.policy.conditions import compile_condition
from guardrail.policy.engine import BuiltinEngine
from guardrail.policy.model import Policy, Rule
from guardrail.policy.trace import Traced, trace
from guardrail.signals import SignalValue, Stage

__all__ = ["Explanation", "RuleExplained", "RuleOutcome", "StageExplained", "explain"]

RuleOutcome = Literal["fires", "does-not", "unknown", "waits", "error", "idle", "elsewhere"]
"""What a rule amounts to at a stage. ``unknown``: it hinges on a missing signal. ``waits``: on one that is not due.
``error``: the engine could not judge it, and blocks. ``idle``: none of its actions can act at this stage.
``elsewhere``: it is not looked at here."""


class RuleExplained(NamedTuple):
    """A rule at a stage.

    Attributes:
        effect: what it asks for; a block where it fails closed; None where it asks for nothing.
        decides: it is one of the rules without which the decision would be looser.
        missing: the signals because of which it is unknown.
        waits_for: the signals whose stage is still to come; with `absent`, those that this request has no input for.
        condition: its condition with the values; None where it was not looked at.
        actions: those of its actions that can act at this stage.
    """

    rule: Rule
    outcome: RuleOutcome
    effect: Action | None = None
    decides: bool = False
    missing: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    condition: Traced | None = None
    actions: tuple[str, ...] = ()

    @property
    def fails_closed(self) -> bool:
        """It blocks because it cannot know."""
        return self.effect is Action.BLOCK and self.outcome in ("unknown", "error")

    @property
    def acts(self) -> bool:
        return self.effect is not None and not self.rule.shadow

    def to_json(self) -> dict[str, Any]:
        rule = self.rule
        return {
            "rule": rule.id,
            "path": rule.path,
            "line": rule.line,
            "outcome": self.outcome,
            "effect": self.effect.value if self.effect else None,
            "fails_closed": self.fails_closed,
            "decides": self.decides,
            "locked": rule.locked,
            "shadow": rule.shadow,
            "severity": rule.severity,
            "at": [s.value for s in Stage if s in rule.at],
            "then": [spec.to_json() for spec in rule.then],
            "actions_here": list(self.actions),
            "missing": list(self.missing),
            "waits_for": list(self.waits_for),
            "absent": list(self.absent),
            "condition": _tree(self.condition) if self.condition else None,
        }


class StageExplained(NamedTuple):
    """All rules at one stage, in the order of the file, and what they come to together."""

    stage: Stage
    due: frozenset[Stage]
    verdict: Verdict
    rules: tuple[RuleExplained, ...]

    @property
    def action(self) -> Action:
        return self.verdict.action

    def rule(self, rule_id: str) -> RuleExplained:
        """The rule of that id.

        Raises:
            KeyError: no rule has it.
        """
        for found in self.rules:
            if found.rule.id == rule_id:
                return found
        raise KeyError(rule_id)

    def to_json(self) -> dict[str, Any]:
        return {
            "stage": self.stage.value,
            "due": [s.value for s in Stage if s in self.due],
            "action": self.action.value,
            "actions": [spec.to_json() for spec in self.verdict.specs],
            "rules": [r.to_json() for r in self.rules],
        }


class Explanation(NamedTuple):
    """The stages that a request went through, the last one at the end."""

    policy: PolicyRef
    stages: tuple[StageExplained, ...]

    @property
    def last(self) -> StageExplained:
        return self.stages[-1]

    @property
    def action(self) -> Action:
        """What the last stage comes to: the verdict's action."""
        return self.last.action

    @property
    def decision(self) -> Literal["allow", "alter", "block"]:
        """What all stages come to together. A label alone is an allow."""
        strictest = max((s.action for s in self.stages), key=lambda action: action.rank)
        return "block" if strictest is Action.BLOCK else "alter" if strictest is Action.ALTER else "allow"

    def __str__(self) -> str:
        from guardrail.policy.telling import tell  # printing costs an import that deciding never needs

        return tell(self)

    def to_json(self) -> dict[str, Any]:
        return {
            "policy": self.policy.to_json(),
            "stage": self.last.stage.value,
            "decision": self.decision,
            "stages": [s.to_json() for s in self.stages],
        }


def explain(policy: Policy, signals: Mapping[str, SignalValue], stage: Stage, due: Iterable[Stage]) -> Explanation:
    """Explain what a policy says at `stage`, and at the stages before it that the request went through.

    Args:
        signals: what the checks said; None or absent means missing where it is due.
        stage: where the request stands.
        due: the stages that have run and have media in this request; see `PolicyEngine.evaluate`.
    """
    stage, ran = Stage(stage), frozenset(Stage(s) for s in due)
    engine = BuiltinEngine(policy)
    # Every request passes the prompt stage, whether it has words or not.
    passed = [s for s in Stage if s.position < stage.position and (s in ran or s is Stage.PROMPT)]
    reached = {s: frozenset(d for d in ran if d.position <= s.position) for s in passed} | {stage: ran}
    verdicts = {s: engine.evaluate(signals, stage=s, due=known) for s, known in reached.items()}
    # A label stops nothing: where it is the strictest effect, nothing was decided.
    strictest = max((v.action for v in verdicts.values()), key=lambda action: action.rank)
    decisive = strictest if strictest.rank >= Action.ALTER.rank else None
    stages = (_stage(policy, signals, s, reached[s], verdict, decisive) for s, verdict in verdicts.items())
    return Explanation(policy.ref, tuple(stages))


def _stage(
    policy: Policy,
    signals: Mapping[str, SignalValue],
    stage: Stage,
    due: frozenset[Stage],
    verdict: Verdict,
    decisive: Action | None,
) -> StageExplained:
    reasons = {reason.rule: reason for reason in verdict.reasons}
    found: list[RuleExplained] = []
    for rule in policy.rules:
        if stage not in rule.at:
            found.append(RuleExplained(rule, "elsewhere"))
        elif not (able := tuple(s.kind for s in rule.then if stage in policy.actions[s.kind].stages)):
            found.append(RuleExplained(rule, "idle"))
        else:
            explained = _rule(policy, signals, rule, stage, due, reasons.get(rule.id))
            decides = explained.acts and explained.effect is decisive
            found.append(explained._replace(decides=decides, actions=able))
    return StageExplained(stage, due, verdict, tuple(found))


def _rule(
    policy: Policy,
    signals: Mapping[str, SignalValue],
    rule: Rule,
    stage: Stage,
    due: frozenset[Stage],
    reason: Reason | None,
) -> RuleExplained:
    tree = trace(rule.when, signals, due, policy.vocabulary)
    if reason is not None:
        outcome: RuleOutcome = "fires" if reason.kind == "rule" else "unknown" if reason.kind == "missing" else "error"
        return RuleExplained(rule, outcome, reason.effect, missing=tree.because("missing"), condition=tree)
    if tree.state == "missing":
        return RuleExplained(rule, "unknown", missing=tree.because("missing"), condition=tree)
    if tree.state != "waits":
        return RuleExplained(rule, "does-not", condition=tree)
    # Not due yet, or never in this request: only the first can still change the outcome.
    names = tree.because("waits")
    later = tuple(n for n in names if _position(policy, n) > stage.position)
    absent = tuple(n for n in names if n not in later)
    settled = not later and compile_condition(rule.when, due, policy.vocabulary) is not None
    return RuleExplained(rule, "does-not" if settled else "waits", waits_for=later, absent=absent, condition=tree)


def _position(policy: Policy, signal: str) -> int:
    of = policy.vocabulary[signal].stage
    return -1 if of is None else of.position


def _tree(part: Traced) -> dict[str, Any]:
    shown: dict[str, Any] = {"text": part.text, "state": part.state}
    if part.leaf is not None:
        shown |= part.leaf.to_json()
        # Signed, so that no reader has to know which way a comparison goes: below 0 it is that much short of holding.
        margin = part.leaf.margin
        shown["margin"] = margin if margin is None or part.state == "yes" else -margin
    if part.parts:
        shown["parts"] = [_tree(p) for p in part.parts]
    return shown
