"""How well ``prompt.sexual`` tells harmless prompts from others, and where the policy's thresholds stand on that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from guardrail.bench.judging import SIGNAL
from guardrail.bench.outcomes import Outcomes
from guardrail.bench.statistics import Bools, Floats, Rate, area_under, bins, brier, curve
from guardrail.policy import Policy
from guardrail.policy.model import AllOf, AnyOf, Compare, Condition, Not, ScoreTest
from guardrail.signals import Stage

__all__ = ["score_report", "thresholds_on"]

TARGETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
"""Shares of harmless prompts, for the table that says which threshold keeps below them."""
# The exempted signal is the same score where the deployment exempts nothing in the prompt.
_SIGNALS = (SIGNAL, f"{SIGNAL}_exempted")
_POINTS, _POINTS_BY_LANGUAGE = 200, 60


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


def score_report(outcomes: Outcomes, policy: Policy | None, *, sweep: bool) -> dict[str, Any]:
    """ROC, area, calibration and thresholds, over all rows and by language where the data name it.

    Args:
        sweep: also which threshold keeps false alarms below each of `TARGETS`.
    """
    limits = thresholds_on(policy)
    parts: list[tuple[str, Bools | None]] = [("all", None)]
    languages = sorted(name for name in outcomes.names["lang"] if name)
    parts += [(name, outcomes.of("lang", name)) for name in languages]
    by = []
    for name, where in parts:
        scores, truth = outcomes.scored(where)
        if len(scores):
            most = _POINTS if where is None else _POINTS_BY_LANGUAGE
            by.append({"lang": name, **_one(scores, truth, limits, most, sweep=sweep)})
    return {"signal": SIGNAL, "without_score": outcomes.unscored(), "thresholds": limits, "by_language": by}


def _one(scores: Floats, truth: Bools, limits: dict[str, float], most: int, *, sweep: bool) -> dict[str, Any]:
    area, roc = area_under(scores, truth), curve(scores, truth)
    points = roc.thinned(most) if roc else None
    report: dict[str, Any] = {
        "positives": int(truth.sum()),
        "negatives": int((~truth).sum()),
        "auroc": area.to_json() if area else None,
        "brier": brier(scores, truth),
        "reliability": [
            {"from": b.low, "to": b.high, "mean_score": b.mean, "positive": b.found.to_json()}
            for b in bins(scores, truth)
        ],
        "operating_points": [{"threshold": n, **_at(scores, truth, limit)} for n, limit in limits.items()],
        # The first threshold is infinite, which JSON does not have.
        "roc": [
            [None if np.isinf(t) else float(t), float(f), float(p)]
            for t, f, p in zip(points.threshold, points.false, points.true, strict=True)
        ]
        if points
        else [],
    }
    if sweep:
        report["sweep"] = _sweep(scores, truth)
    return report


def _at(scores: Floats, truth: Bools, limit: float) -> dict[str, Any]:
    """At a limit and over: the share of either kind; None where there is none of the kind."""
    over = scores >= limit
    return {"limit": limit, "recall": _rate(over[truth]), "false_alarms": _rate(over[~truth])}


def _rate(hits: Bools) -> dict[str, Any] | None:
    return Rate(int(hits.sum()), len(hits)).to_json() if len(hits) else None


def _sweep(scores: Floats, truth: Bools) -> list[dict[str, Any]]:
    """For each target the lowest of the scores that, as a threshold, keeps false alarms at or below it."""
    harmless = np.sort(scores[~truth])[::-1]
    found = []
    for target in TARGETS if len(harmless) else ():
        allowed = int(np.floor(target * len(harmless) + 1e-9))
        # One more harmless row than is allowed has this score: the threshold is the next higher score there is.
        wall = harmless[allowed] if allowed < len(harmless) else -np.inf
        above = scores[scores > wall]
        limit = float(above.min()) if len(above) else None
        at = _at(scores, truth, limit) if limit is not None else {"limit": None, "recall": None, "false_alarms": None}
        found.append({"target": target, **at})
    return found
