"""Where the policy's thresholds stand on ``prompt.sexual``."""

from __future__ import annotations

from collections.abc import Iterator

from guardrail.bench.judging import SIGNAL
from guardrail.policy import Policy
from guardrail.policy.model import AllOf, AnyOf, Compare, Condition, Not, ScoreTest
from guardrail.signals import Stage

__all__ = ["thresholds_on"]

# The exempted signal is the same score where the deployment exempts nothing in the prompt.
_SIGNALS = (SIGNAL, f"{SIGNAL}_exempted")


def thresholds_on(policy: Policy | None) -> dict[str, float]:
    """The limits that rules at the prompt stage compare ``prompt.sexual`` with, by name (the number where it has none).

    Empty for a policy of another engine: its conditions cannot be read here.
    """
    found: dict[str, float] = {}
    for rule in policy.rules if policy is not None else ():
        if Stage.PROMPT in rule.at:
            for test in _tests(rule.when):
                found[test.threshold or f"{test.op} {test.limit:g}"] = test.limit
    return dict(sorted(found.items(), key=lambda item: (item[1], item[0])))


def _tests(condition: Condition) -> Iterator[ScoreTest]:
    if isinstance(condition, AllOf | AnyOf):
        for part in condition.parts:
            yield from _tests(part)
    elif isinstance(condition, Not):
        yield from _tests(condition.part)
    elif isinstance(condition, Compare) and condition.signal in _SIGNALS and isinstance(condition.test, ScoreTest):
        yield condition.test
