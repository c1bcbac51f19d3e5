"""The same rules with other thresholds, for asking what would be: nothing is written, and nothing is enforced by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from guardrail.errors import ConfigurationError
from guardrail.policy.findings import near
from guardrail.policy.model import AllOf, AnyOf, Compare, Condition, ListTest, Not, Policy, ScoreTest, Test

__all__ = ["retuned"]


def retuned(policy: Policy, limits: Mapping[str, float]) -> Policy:
    """A policy in which named thresholds have other values.

    Args:
        limits: ``family.name`` → 0..1.

    Raises:
        ConfigurationError: the policy has no such threshold, or the value is out of range.
    """
    known = [f"{family}.{name}" for family, names in policy.thresholds.items() for name in names]
    for name, limit in limits.items():
        if name not in known:
            raise ConfigurationError(f"{policy.id} has no threshold {name!r}: {near(name, known)}")
        if not 0.0 <= limit <= 1.0:
            raise ConfigurationError(f"the threshold {name} lies in 0..1, not at {limit:g}")
    rules = tuple(replace(rule, when=_condition(rule.when, limits)) for rule in policy.rules)
    thresholds = {
        family: MappingProxyType({name: limits.get(f"{family}.{name}", limit) for name, limit in names.items()})
        for family, names in policy.thresholds.items()
    }
    # Build metadata (semver.org, 10): it is these rules, and yet no version of them.
    changes = ".".join(f"{name}-{limit:g}" for name, limit in limits.items()).replace(".", "-")
    ref = replace(policy.ref, version=f"{policy.version}+{changes}", sha256="")
    return replace(policy, ref=ref, rules=rules, thresholds=MappingProxyType(thresholds))


def _condition(condition: Condition, limits: Mapping[str, float]) -> Condition:
    if isinstance(condition, AllOf | AnyOf):
        return type(condition)(tuple(_condition(part, limits) for part in condition.parts))
    if isinstance(condition, Not):
        return Not(_condition(condition.part, limits))
    if isinstance(condition, Compare):
        return condition._replace(test=_test(condition.test, limits))
    if isinstance(condition, ListTest):
        return condition._replace(fields=tuple((name, _test(test, limits)) for name, test in condition.fields))
    return condition


def _test(test: Test, limits: Mapping[str, float]) -> Test:
    return test._replace(limit=limits.get(test.threshold, test.limit)) if isinstance(test, ScoreTest) else test
