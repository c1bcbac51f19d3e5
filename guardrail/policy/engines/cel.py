"""Conditions in CEL, Google's Common Expression Language (https://cel.dev), by Google's own `cel-expr-python`.

    pip install "guardrail-diffusion[cel]"        # cel-expr-python, Apache-2.0, no dependencies

A policy in CEL (``*.cel.yaml``) is a rule file in which `when` is an expression:

    - id: photographed-person
      at: reference
      when: prompt.sexual >= threshold.sexual.suggestive && reference.faces.exists(f, f.real >= 0.5 && f.identifiable)
      then: block

Signals are variables under their own names, thresholds under ``threshold.family.name``, `true` always holds. Of a list
one writes `exists`, `all`, `exists_one` or `size`; of texts `contains`, `startsWith`, `endsWith`, `matches`, `size`.

What is missing is an error value in CEL. `&&`, `||`, `exists` and `all` absorb errors as Kleene's logic does, whatever
their order; what is still an error in the end is never taken for an answer: `on_missing` says what it amounts to, a
locked rule blocks. (The value that stands for an error is true to Python: only the objects True and False are looked
at.) A part about a signal that is not due takes no part, under a negation too, as in rule files. An error although
nothing is missing, such as the limit of iterations, blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from guardrail.decision import CORE_ACTIONS, ActionKind, ActionSpec
from guardrail.policy.compose import MAX_BYTES, compose
from guardrail.policy.engines.base import OutsideEngine, late
from guardrail.policy.engines.cel_conditions import CelCondition, CelConditions, declare, environment
from guardrail.policy.engines.cel_reasons import ReadyLeaf, leaves_of, plain_comparison
from guardrail.policy.engines.cel_study import THRESHOLDS
from guardrail.policy.engines.cel_words import Part
from guardrail.policy.engines.native import cel_module
from guardrail.policy.engines.present import present
from guardrail.policy.engines.reading import read_policy, shipped_file
from guardrail.policy.engines.verdicts import Judged, acting_specs
from guardrail.policy.files import read_bytes
from guardrail.policy.findings import Findings
from guardrail.policy.model import Policy, Rule
from guardrail.signals import CORE, Stage, Vocabulary

__all__ = ["CelEngine", "load_cel", "load_cel_policy"]


def load_cel(
    source: str | PathLike[str],
    *,
    vocabulary: Vocabulary = CORE,
    actions: Mapping[str, ActionKind] = CORE_ACTIONS,
    shipped: Path | None = None,
) -> CelEngine:
    """The engine for a policy in CEL: a path, or the bare name of one in `shipped`/engines.

    Raises:
        PolicyError: the file does not load; every finding with code, file:line:col and mend.
        MissingExtra: cel-expr-python is not installed.
    """
    return CelEngine(load_cel_policy(source, vocabulary=vocabulary, actions=actions, shipped=shipped))


def load_cel_policy(
    source: str | PathLike[str],
    *,
    vocabulary: Vocabulary = CORE,
    actions: Mapping[str, ActionKind] = CORE_ACTIONS,
    shipped: Path | None = None,
) -> Policy:
    """The policy alone, whose conditions only `CelEngine` reads. Arguments and errors are those of `load_cel`."""
    cel_module()
    path = shipped_file(source, shipped, ".cel.yaml")
    findings = Findings(str(path))
    raw = read_bytes(path, MAX_BYTES + 1)
    root = compose(raw, findings)
    policy = read_policy(root, raw, findings, vocabulary, actions, CelConditions) if root else None
    findings.refuse()
    assert policy is not None
    return policy


class _Ready(NamedTuple):
    """A rule whose condition is compiled for one set of due stages."""

    rule: Rule
    condition: CelCondition
    specs: tuple[ActionSpec, ...]
    expression: Any
    reads: frozenset[str]
    leaves: Mapping[Part, ReadyLeaf]


class CelEngine(OutsideEngine):
    """Judges a policy whose conditions are in CEL. Safe to share between threads."""

    def __init__(self, policy: Policy) -> None:
        conditions = {rule.id: rule.when for rule in policy.rules}
        foreign = [name for name, when in conditions.items() if not isinstance(when, CelCondition)]
        if foreign:
            raise TypeError(f"not conditions in CEL: {', '.join(foreign)}; load the policy with load_cel_policy")
        reads = {n: tuple(r.signal for r in w.reads()) for n, w in conditions.items() if isinstance(w, CelCondition)}
        super().__init__(policy, reads)
        specs = [policy.vocabulary[name] for name in self.needs()]
        self._env = environment(declare(specs))
        self._plans: dict[tuple[Stage, frozenset[Stage]], tuple[_Ready, ...]] = {}
        self._compile = lru_cache(4_096)(self._env.compile)

    def _judge(
        self, signals: Mapping[str, object], stage: Stage, due: frozenset[Stage], deadline: float | None
    ) -> Iterator[Judged]:
        plan = self._plans.get((stage, due))
        if plan is None:
            plan = self._plans[stage, due] = tuple(self._compiled(stage, due))
        needed = frozenset[str]().union(*(ready.reads for ready in plan))
        there = present(signals, [self.policy.vocabulary[name] for name in needed])
        activation = self._env.Activation(dict(there.values))
        for ready in plan:
            if late(deadline):
                return
            failed = [there.failed[name] for name in ready.reads if name in there.failed]
            if failed:
                yield Judged(ready.rule, ready.specs, None, failure=f"engine error: {failed[0]}")
                continue
            try:
                holds = ready.expression.eval(activation).value()
                if holds is False:
                    continue
                holds = True if holds is True else None
                leaves = leaves_of(ready.condition.part, ready.leaves, holds, activation, there.values)
            except Exception as error:  # noqa: BLE001 — one rule that cannot be judged blocks; the others still report
                why = "iteration budget exceeded" if "budget" in str(error) else type(error).__name__
                yield Judged(ready.rule, ready.specs, None, failure=f"engine error: {why}")
                continue
            if holds is None and not leaves:
                yield Judged(ready.rule, ready.specs, None, failure="engine error: nothing is missing, yet CEL fails")
            else:
                yield Judged(ready.rule, ready.specs, holds, leaves)

    def _compiled(self, stage: Stage, due: frozenset[Stage]) -> Iterator[_Ready]:
        """The rules that can fire at `stage`, with what is not due taken out of their conditions."""
        for rule in self.policy.rules:
            condition = rule.when
            specs = acting_specs(rule.then, stage, self.policy.actions)
            if stage not in rule.at or not specs or not isinstance(condition, CelCondition):
                continue
            leaves = {leaf: self._leaf(condition, leaf, due) for leaf, _ in condition.part.leaves()}
            if _can_hold(condition.part, False, leaves):
                expression = self._compile(self._text(condition, condition.part, leaves))
                reads = frozenset(r.signal for leaf in leaves.values() if leaf.expression for r in leaf.reads)
                yield _Ready(rule, condition, specs, expression, reads, leaves)

    def _leaf(self, condition: CelCondition, leaf: Part, due: frozenset[Stage]) -> ReadyLeaf:
        """One leaf on its own; it waits when it reads a signal of a stage that is not due."""
        reads = condition.reads(leaf)
        stages = (self.policy.vocabulary[read.signal].stage for read in reads)
        if any(stage is not None and stage not in due for stage in stages):
            return ReadyLeaf(None, reads)
        tokens = tuple(t for t in condition.tokens if leaf.start <= t.start < leaf.end)
        expression = self._compile(self._text(condition, leaf, {}))
        text = " ".join(condition.text[leaf.start : leaf.end].split())
        return ReadyLeaf(expression, reads, text, *plain_comparison(tokens, reads, self.policy.thresholds))

    def _text(self, condition: CelCondition, part: Part, leaves: Mapping[Part, ReadyLeaf]) -> str:
        """The text of a part with numbers for thresholds, and for each waiting leaf the value that never helps it."""
        waiting = [(leaf, no) for leaf, no in part.leaves() if leaf in leaves and leaves[leaf].expression is None]
        changes = [(leaf.start, leaf.end, "true" if no else "false") for leaf, no in waiting]
        tokens = condition.tokens
        for i, token in enumerate(tokens):
            within = any(start <= token.start < end for start, end, _ in changes)
            if token.text != THRESHOLDS or token.kind != "name" or within or not part.start <= token.start < part.end:
                continue
            if not i or tokens[i - 1].text != ".":
                limit = self.policy.thresholds[tokens[i + 2].text][tokens[i + 4].text]
                changes.append((token.start, tokens[i + 4].end, repr(limit)))
        text, at = "", part.start
        for start, end, word in sorted(changes):
            text, at = text + condition.text[at:start] + word, end
        return text + condition.text[at : part.end]


def _can_hold(part: Part, negated: bool, leaves: Mapping[Part, ReadyLeaf]) -> bool:
    """Whether a condition can hold before what it waits for is there."""
    if part.kind == "leaf":
        return leaves[part].expression is not None
    if part.kind == "not":
        return _can_hold(part.parts[0], not negated, leaves)
    join = any if (part.kind == "any") is not negated else all
    return join(_can_hold(p, negated, leaves) for p in part.parts)
