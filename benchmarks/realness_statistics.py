"""How well scores tell photographs from depictions (a score is higher for these), and whether a classifier may ship."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from guardrail.bench.statistics import Rate

__all__ = ["curve", "may_ship", "roc", "share", "splits"]

Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SPLITS = 50
KEPT = (0.95, 0.98, 0.995)
KEPT_TO_SHIP = 0.995
# How far beyond the highest photograph of one half the threshold lies, in standard deviations of that half's scores.
MARGIN = 1.0


def share(hits: int, of: int) -> dict[str, Any]:
    rate = Rate(hits, of)
    low, high = rate.interval
    return {"hits": hits, "of": of, "share": round(rate.value, 4), "interval_95": [round(low, 4), round(high, 4)]}


def roc(photographs: Scores, depictions: Scores) -> dict[str, Any]:
    """Area, and the share of depictions passed as real where so many photographs are kept."""
    wins = (depictions[:, None] > photographs[None]).mean() + 0.5 * (depictions[:, None] == photographs[None]).mean()
    out: dict[str, Any] = {"auc": round(float(wins), 4), "passed_as_real": {}}
    for kept in KEPT:
        threshold = np.quantile(photographs, kept, method="higher")
        out["passed_as_real"][f"{kept:.1%} kept"] = share(int((depictions <= threshold).sum()), len(depictions))
    return out


def curve(photographs: Scores, depictions: Scores) -> list[list[float]]:
    """[share of photographs kept, share of depictions found] along the curve."""
    levels = (0.5, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998, 1.0)
    cuts = [np.quantile(photographs, level, method="higher") for level in levels]
    return [[level, round(float((depictions > cut).mean()), 4)] for level, cut in zip(levels, cuts, strict=True)]


def halves(people: list[str]) -> list[Flags]:
    """For each split, which faces are of the half of the people on which the threshold is chosen."""
    names = sorted(set(people))
    owner = np.array([names.index(p) for p in people])
    orders = (np.random.default_rng([7, k]).permutation(len(names)) for k in range(SPLITS))
    return [np.isin(owner, order[: len(names) // 2]) for order in orders]


def splits(photographs: Scores, people: list[str], depictions: Scores, kept: float) -> dict[str, Any]:
    """The threshold chosen on half of the people, read on the other half."""
    kept_there, passed = [], []
    for chosen in halves(people):
        threshold = np.quantile(photographs[chosen], kept, method="higher")
        kept_there.append(float((photographs[~chosen] <= threshold).mean()))
        passed.append(float((depictions <= threshold).mean()))
    return {
        "people": len(set(people)),
        "kept_elsewhere": {"mean": round(float(np.mean(kept_there)), 4), "worst": round(min(kept_there), 4)},
        "depictions_passed": {"mean": round(float(np.mean(passed)), 4), "worst": round(max(passed), 4)},
    }


def may_ship(changed: dict[str, Scores], people: list[str], depictions: dict[str, tuple[Scores, Flags]]) -> Any:
    """The rule of docs/realness.md, on 50 splits of the people.

    The threshold of a split lies beyond every photograph of one half in every change. Holds where, on average over the
    splits, 99.5 % of the other half's photographs are kept in each change, and in each set of depictions, the interval
    at 95 % of those called by model and cues lies over that of the cues alone.

    Args:
        changed: change → the model's score of every photograph.
        people: whose each photograph is.
        depictions: name of a set → (the model's scores, whether the cues alone call it a depiction).
    """
    kept: dict[str, list[float]] = {name: [] for name in changed}
    called: dict[str, list[int]] = {name: [] for name in depictions}
    thresholds = []
    for chosen in halves(people):
        of_half = np.concatenate([scores[chosen] for scores in changed.values()])
        of_half = of_half[np.isfinite(of_half)]
        thresholds.append(float(of_half.max() + MARGIN * of_half.std()))
        for name, scores in changed.items():
            kept[name].append(float((scores[~chosen] < thresholds[-1]).mean()))
        for name, (scores, by_cues) in depictions.items():
            called[name].append(int(((scores >= thresholds[-1]) | by_cues).sum()))
    by_set: dict[str, dict[str, Any]] = {
        name: {
            "cues_alone": share(int(by_cues.sum()), len(by_cues)),
            "with_the_model": share(round(float(np.mean(called[name]))), len(by_cues)),
            "fewest": min(called[name]),
        }
        for name, (_, by_cues) in depictions.items()
    }
    means = {name: round(float(np.mean(values)), 4) for name, values in kept.items()}
    keeps = min(means.values()) >= KEPT_TO_SHIP
    finds = all(v["with_the_model"]["interval_95"][0] > v["cues_alone"]["interval_95"][1] for v in by_set.values())
    return {
        "kept_elsewhere_mean": means,
        "kept_elsewhere_worst": {name: round(min(values), 4) for name, values in kept.items()},
        "depictions_called": by_set,
        "thresholds": {"lowest": round(min(thresholds), 3), "highest": round(max(thresholds), 3)},
        "keeps_enough": keeps,
        "finds_clearly_more": finds,
        "holds": keeps and finds,
    }
