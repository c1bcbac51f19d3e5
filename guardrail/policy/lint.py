"""Everything that can be said about a rule file without a request: its errors, or what is odd although it loads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import TYPE_CHECKING

from guardrail.decision import CORE_ACTIONS, ActionKind
from guardrail.errors import Finding, PolicyError
from guardrail.policy.engine import BuiltinEngine
from guardrail.policy.findings import Findings
from guardrail.policy.loader import load_cases, load_policy
from guardrail.policy.model import (
    AllOf,
    Always,
    AnyOf,
    Compare,
    Condition,
    ListTest,
    Not,
    Policy,
    Rule,
    ScoreTest,
    Test,
)
from guardrail.policy.nodes import Node
from guardrail.policy.probes import probe_for
from guardrail.policy.testing import run_tests
from guardrail.signals import CORE, Stage, Vocabulary

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["lint_file", "warnings_of"]

_OPTIONAL = (Stage.REFERENCE, Stage.STEP)  # a request may have no image that goes in, and no preview


def lint_file(
    source: str | PathLike[str],
    *,
    shipped: Path | None = None,
    vocabulary: Vocabulary = CORE,
    actions: Mapping[str, ActionKind] = CORE_ACTIONS,
) -> tuple[Finding, ...]:
    """All findings about a rule file and the test file beside it: errors, or warnings when it loads.

    The arguments are those of `load_policy`. Never raises for what stands in the files.
    """
    source = _policy_of_tests(source)
    try:
        policy = load_policy(source, shipped=shipped, vocabulary=vocabulary, actions=actions)
    except PolicyError as error:
        return error.findings
    warnings = warnings_of(policy)
    try:
        return warnings + _untested(policy)
    except PolicyError as error:
        return warnings + error.findings


def _policy_of_tests(source: str | PathLike[str]) -> str | PathLike[str]:
    """Whoever lints a test file means it together with its policy."""
    from pathlib import Path

    path = Path(source)
    beside = path.with_name(path.name.replace(".test.", "."))
    return beside if ".test." in path.name and beside.is_file() else source


def warnings_of(policy: Policy) -> tuple[Finding, ...]:
    """What is odd about a policy that loads, without its tests."""
    from pathlib import Path

    try:
        text = Path(policy.path).read_text("utf-8")
    except OSError:  # moved since it was loaded: the remarks stay right, only without the lines to show
        text = ""
    findings = Findings(policy.path, text)
    if policy.kind != "pack":  # what marks the outputs stands in the policy that names the pack
        _unmarked(policy, findings)
    _unused(policy, findings)
    for rule in policy.own_rules:
        _idle_stages(rule, policy, findings)
        _waiting(rule, policy, findings)
        if rule.shadow:
            findings.add(
                "GP108",
                Node(rule.line, rule.column),
                f"{rule.id} is in shadow mode: it only watches and never acts",
                "set `mode: enforce` when its reports look right",
                warning=True,
            )
    watching = sum(rule.shadow for rule in policy.rules) - sum(rule.shadow for rule in policy.own_rules)
    if watching and policy.ref.mode == "shadow":
        message = f"mode: shadow: {watching} inherited {'rule' if watching == 1 else 'rules'} only watch and never act"
        findings.add("GP108", None, message, "set `mode: enforce` when their reports look right", warning=True)
    return findings.in_order()


def _unmarked(policy: Policy, findings: Findings) -> None:
    marks = (
        spec.params.get("watermark", "none") != "none"
        for rule in policy.rules
        if Stage.OUTPUT in rule.at and not rule.shadow
        for spec in rule.then
    )
    if not any(marks):
        findings.add(
            "GP101",
            None,
            "no rule ever puts a watermark on outputs",
            "add a rule with `at: output`, `when: always`, `then: {label: {watermark: invisible}}`",
            warning=True,
        )


def _unused(policy: Policy, findings: Findings) -> None:
    tests = [test for rule in policy.rules for test in _tests(rule.when)]
    used = {f"thresholds.{test.threshold}" for test in tests if isinstance(test, ScoreTest)}
    used |= {f"messages.{rule.message}" for rule in policy.rules}
    for name, (line, column) in policy.places.items():
        place = Node(line, column)
        section, _, key = name.partition(".")
        if name not in used:
            code, what = ("GP102", "threshold") if section == "thresholds" else ("GP103", "message")
            findings.add(
                code, place, f"the {what} {key} is never used", "remove it, or name it in a rule", warning=True
            )
        if section == "messages" and "en" not in policy.messages[key]:
            message = f"the message {key} has no English text, which other languages fall back to"
            findings.add("GP104", place, message, "add `en:`", warning=True)


def _idle_stages(rule: Rule, policy: Policy, findings: Findings) -> None:
    acting = frozenset[Stage]().union(*(policy.actions[spec.kind].stages for spec in rule.then))
    for stage in sorted(rule.at - acting, key=lambda s: s.position):
        kinds = ", ".join(dict.fromkeys(spec.kind for spec in rule.then))
        findings.add(
            "GP107",
            Node(rule.line, rule.column),
            f"{rule.id} does nothing at {stage}: {kinds} cannot act there",
            f"remove {stage} from `at`, or add an action that can",
            warning=True,
        )


def _waiting(rule: Rule, policy: Policy, findings: Findings) -> None:
    """A part that says "no such thing was found" is not settled by a request in which nothing was looked at."""
    last = max(stage.position for stage in rule.at)
    signals = dict.fromkeys(_satisfied_by_nothing(rule.when, False, policy.vocabulary))
    for signal in signals:
        stage = policy.vocabulary[signal].stage
        if stage in _OPTIONAL and stage is not None and stage.position < last:
            medium = "a reference image" if stage is Stage.REFERENCE else "a preview"
            findings.add(
                "GP106",
                Node(rule.line, rule.column),
                f"in a request without {medium}, {rule.id} waits in vain for {signal}",
                "not measured is not the same as absent: add a rule without this part if it should act there",
                warning=True,
            )


def _untested(policy: Policy) -> tuple[Finding, ...]:
    findings = Findings(policy.path)
    if policy.kind == "deployment":
        return ()  # it has no tests: those of its policy are run there
    report = run_tests(policy, BuiltinEngine(policy), cases=load_cases(policy))
    for rule_id in report.never_fired:
        rule = policy.rule(rule_id)
        findings.add(
            "GP105",
            Node(rule.line, rule.column),
            f"no test fires {rule_id}",
            "add a test in which it decides, and one in which it should not",
            warning=True,
        )
    return findings.in_order()


def _tests(condition: Condition) -> Iterator[Test]:
    if isinstance(condition, AllOf | AnyOf):
        for part in condition.parts:
            yield from _tests(part)
    elif isinstance(condition, Not):
        yield from _tests(condition.part)
    elif isinstance(condition, Compare):
        yield condition.test
    elif isinstance(condition, ListTest):
        yield from (test for _, test in condition.fields)


def _satisfied_by_nothing(condition: Condition, negated: bool, vocabulary: Vocabulary) -> Iterator[str]:
    """The signals of leaves that hold when the signal is benign."""
    if isinstance(condition, AllOf | AnyOf):
        for part in condition.parts:
            yield from _satisfied_by_nothing(part, negated, vocabulary)
    elif isinstance(condition, Not):
        yield from _satisfied_by_nothing(condition.part, not negated, vocabulary)
    elif isinstance(condition, ListTest):
        if (condition.quantifier == "any") is negated:  # of an empty list, `none` and `all` hold
            yield condition.signal
    elif not isinstance(condition, Always):
        kind = vocabulary[condition.signal].kind
        if probe_for(kind, condition.test, negated).judge(kind.benign):
            yield condition.signal
