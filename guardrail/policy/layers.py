"""Working in what a file extends: rules, thresholds and messages of its parents and packs, overrides, and the locks.

The order of layers, from below: what `extends` names, then what `packs` names, then the file itself. A value of an
upper layer counts wherever its name is used, in the rules of lower layers too. A locked rule of a lower layer is
compared with what has become of it, whatever the route: it must be proven to decide at least as strictly as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from guardrail.decision import ActionKind
from guardrail.policy.findings import Findings, Place, near, shown
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
    limits_of,
)
from guardrail.policy.nodes import Map, Node, Scalar
from guardrail.policy.rules import Defaults, RuleReader
from guardrail.policy.sections import Places
from guardrail.signals import Vocabulary

__all__ = ["Inherited", "Thresholds", "check_locks", "exempting", "finish", "inherit", "overridden", "with_thresholds"]

Thresholds = Mapping[str, Mapping[str, float]]
Messages = Mapping[str, Mapping[str, str]]


class Inherited(NamedTuple):
    """What all parents and packs together give, before the file itself has its say."""

    rules: Mapping[str, Rule]
    thresholds: dict[str, dict[str, float]]
    messages: dict[str, dict[str, str]]


def inherit(parents: Sequence[tuple[Node, Policy]], own: Thresholds, findings: Findings) -> Inherited:
    """Join parents and packs. Two that disagree are noted, unless the file itself settles it."""
    rules: dict[str, Rule] = {}
    thresholds: dict[str, dict[str, float]] = {}
    messages: dict[str, dict[str, str]] = {}
    for node, parent in parents:
        for rule in parent.rules:
            known = rules.setdefault(rule.id, rule)
            if known == rule:
                continue
            if known.path == rule.path:
                # One rule on two ways, changed on one of them: taking either would undo what the other tightened.
                message = (
                    f"{parent.id} and another file that is worked in here disagree about the rule {shown(rule.id)}"
                )
                findings.add("GP084", node, message, "extend one of them only, and override the rule here")
            else:
                message = f"{parent.id} has a rule {shown(rule.id)}, and so has another file that is worked in here"
                findings.add("GP084", node, message, "rename one of them")
        for family, names in parent.thresholds.items():
            for name, value in names.items():
                known_value = thresholds.setdefault(family, {}).setdefault(name, value)
                if known_value != value and name not in own.get(family, {}):
                    message = f"{family}.{name} is {value:g} in {parent.id} and {known_value:g} in another file"
                    findings.add("GP083", node, message, "say under `thresholds` which one is meant")
        for key, texts in parent.messages.items():
            for language, text in texts.items():
                messages.setdefault(key, {}).setdefault(language, text)
    return Inherited(rules, thresholds, messages)


def with_thresholds(rule: Rule, thresholds: Thresholds) -> Rule:
    """The rule with every named limit at its value in `thresholds`; names that are not in it stay as they are."""

    def change(leaf: Compare | ListTest) -> Condition:
        if isinstance(leaf, Compare):
            return leaf._replace(test=_limit(leaf.test, thresholds))
        return leaf._replace(fields=tuple((name, _limit(test, thresholds)) for name, test in leaf.fields))

    when = _mapped(rule.when, change)
    return rule if when == rule.when else replace(rule, when=when)


def exempting(rule: Rule, vocabulary: Vocabulary) -> Rule:
    """The rule with every signal that has a variant under a deployment's exemptions replaced by that variant."""

    def change(leaf: Compare | ListTest) -> Condition:
        variant = f"{leaf.signal}_exempted"
        return leaf._replace(signal=variant) if variant in vocabulary else leaf

    return replace(rule, when=_mapped(rule.when, change))


def _mapped(condition: Condition, change: Callable[[Compare | ListTest], Condition]) -> Condition:
    """The condition with every leaf changed."""
    if isinstance(condition, AllOf):
        return AllOf(tuple(_mapped(part, change) for part in condition.parts))
    if isinstance(condition, AnyOf):
        return AnyOf(tuple(_mapped(part, change) for part in condition.parts))
    if isinstance(condition, Not):
        return Not(_mapped(condition.part, change))
    return condition if isinstance(condition, Always) else change(condition)


def _limit(test: Test, thresholds: Thresholds) -> Test:
    if not isinstance(test, ScoreTest) or not test.threshold:
        return test
    family, _, name = test.threshold.partition(".")
    value = thresholds.get(family, {}).get(name)
    return test if value is None else test._replace(limit=value)


def finish(rule: Rule, said: Defaults) -> Rule:
    """An inherited rule under the mode and the `on_missing` of the file, where the rule itself says nothing of them."""
    if rule.locked:
        return rule
    changes = {k: v for k, v in said._asdict().items() if v is not None and k not in rule.says}
    return replace(rule, **changes) if changes else rule


def overridden(
    node: Node, inherited: Mapping[str, Rule], own: Iterable[str], rules: RuleReader, findings: Findings
) -> tuple[dict[str, Rule], dict[str, Place]]:
    """The inherited rules with the file's `override` worked in, and where each override stands."""
    found = dict(inherited)
    places: dict[str, Place] = {}
    for key, body in node.entries if isinstance(node, Map) else ():
        if key.text in inherited:
            found[key.text] = rules.override(inherited[key.text], _at_key(key, body))
            places[key.text] = key
        elif key.text in own:
            findings.add("GP085", key, f"the rule {shown(key.text)} stands in this file", "change it where it stands")
        else:
            findings.add("GP085", key, f"no rule {shown(key.text)} to override", near(key.text, inherited))
    return found, places


def _at_key(key: Scalar, body: Node) -> Node:
    """The body of an override, at the place of its rule's name: that is where an author looks for it."""
    return Map(key.line, key.column, body.entries) if isinstance(body, Map) else body


def check_locks(
    before: Mapping[str, Rule],
    after: Mapping[str, Rule],
    overrides: Mapping[str, Place],
    places: Places,
    findings: Findings,
    kinds: Mapping[str, ActionKind],
    vocabulary: Vocabulary,
) -> None:
    """Note every locked rule that is not proven to decide at least as strictly as before."""
    if not before:
        return
    from guardrail.policy.compare import loosenings  # 6 ms to import, which a file that extends nothing does not need

    for rule in before.values():
        if not rule.locked:
            continue
        for worse in loosenings(rule, after[rule.id], kinds, vocabulary):
            place = overrides.get(rule.id) or _threshold_place(rule, after[rule.id], places)
            if worse.proven:
                message = f"the locked rule {rule.id} would be looser than in {rule.path}: {worse.text}"
                findings.add("GP086", place, message, "a locked rule can only be made stricter")
            else:
                message = f"it cannot be proven that the locked rule {rule.id} stays as strict: {worse.text}"
                findings.add("GP087", place, message, "leave this part as it is, or add a rule of your own beside it")


def _threshold_place(before: Rule, after: Rule, places: Places) -> Place | None:
    """Where the file sets a threshold that changed the rule."""
    old, new = (dict(limits_of(rule.when)) for rule in (before, after))
    for name, limit in new.items():
        if old.get(name) != limit and f"thresholds.{name}" in places:
            return Node(*places[f"thresholds.{name}"])
    return None
