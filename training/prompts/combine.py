"""How the outputs of both models and the word lists' score become one score, and where its thresholds lie.

Fitted on left-out outputs only: of each public row by the models that never saw its split group. The joins are logistic
regressions of a dozen weights. Thresholds are quantiles of real users' prompts that reading found harmless.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rows import FOLDS, USERS, Row
from scipy.optimize import minimize

from guardrail.checks.text.normalise import read
from guardrail.checks.text.sexual import SexualWords

Array = npt.NDArray[np.float64]
# Shares of harmless rows that may stand at or over each score of the shipped policies (leaning, suggestive, explicit):
# of users' prompts, by both models together; by n-grams alone also of captions, and of our own templates left out.
SHARES = {0.25: 0.010, 0.40: 0.0042, 0.70: 0.0036}
# The same of our own harmless templates, left out: they are close twins of the unsafe ones, in languages that users'
# prompts hardly have.
TWINS = {0.25: 0.045, 0.40: 0.018, 0.70: 0.015}
ALONE = {
    "users": {0.25: 0.004, 0.40: 0.0006, 0.70: 0.0004},
    "captions": {0.25: 0.004, 0.40: 0.0006, 0.70: 0.0005},
    "templates": {0.25: 0.010, 0.40: 0.006, 0.70: 0.005},
}
# By n-grams alone: a suggestive word lifts their output by 6, a weak one by 1. Not fitted: the lists were written with
# the templates at hand, so a fit would trust them alone and the n-grams never.
ALONE_JOIN = {"weights": [1.0, 0.0, 6.0, 1.0], "bias": 0.0}
CAPTIONS = ("ko-korsts-captions", "ja-jsts-yjcaptions", "zh-coco-cn")
# The logistic function at the same scores.
PROBABILITY = {"logits": [-6.0, -1.0986, -0.4055, 0.8473, 6.0], "scores": [0.0, 0.25, 0.40, 0.70, 1.0]}


def gathered(work: Path, rows: Sequence[Row]) -> tuple[list[int], Array, Array]:
    """Numbers of the rows that have left-out outputs, and the outputs of n-grams and encoder.

    The encoder's are NaN where it cannot read the text, and where a part has not been run for it.
    """
    cheap: dict[int, npt.NDArray[np.float32]] = {}
    deep: dict[int, npt.NDArray[np.float32]] = {}
    for part in range(FOLDS):
        for values, model in ((cheap, "ngrams"), (deep, "encoder")):
            path = work / f"part-{part}-{model}.npz"
            if path.exists():
                with np.load(path) as found:
                    if "of" in found and str(found["of"]) != fingerprint(rows):
                        raise SystemExit(f"{path} is of other rows: run left-out again")
                    values.update(zip(found["rows"].tolist(), found["values"], strict=True))
    index = sorted(cheap)
    nothing = np.full(len(next(iter(cheap.values()))), np.nan, np.float32)
    return index, np.stack([cheap[i] for i in index]), np.stack([deep.get(i, nothing) for i in index])


def fingerprint(rows: Sequence[Row]) -> str:
    """Of all texts in their order: outputs are kept by the numbers of rows."""
    return hashlib.sha256("\0".join(row.text for row in rows).encode("utf-8", "replace")).hexdigest()


def listed(rows: Sequence[Row], index: Sequence[int]) -> Array:
    """What the word lists say of each row, 0..1."""
    words = SexualWords()
    return np.array([words.found(read(rows[i].text))[0] for i in index])


def inputs(cheap: Array, deep: Array | None, words: Array) -> Array:
    """What the joins weigh: the first output of each model, and which class of word the lists found."""
    classes = [words >= 0.7, (words >= 0.4) & (words < 0.7), (words > 0) & (words < 0.4)]
    columns = [cheap[:, 0], *([] if deep is None else [deep[:, 0]]), *classes]
    return np.clip(np.stack(columns, 1).astype(float), -30, 30)


def fitted(x: Array, y: Array, weights: Array, decay: float = 3e-3) -> tuple[Array, float]:
    """Weights and bias of a logistic regression, with a pull to zero."""
    mean, spread = x.mean(0), x.std(0) + 1e-6
    z = (x - mean) / spread

    def loss(w: Array) -> tuple[float, Array]:
        s = z @ w[:-1] + w[-1]
        p = 1 / (1 + np.exp(-s))
        value = (weights * (np.logaddexp(0, s) - y * s)).sum() + decay * (w[:-1] ** 2).sum()
        g = weights * (p - y)
        return value, np.append(z.T @ g + 2 * decay * w[:-1], g.sum())

    best = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B").x
    w = best[:-1] / spread
    return w, float(best[-1] - mean @ w)


def weights_of(rows: Sequence[Row], index: Sequence[int]) -> Array:
    """Every source counts as the root of its size, users' prompts many times that, since thresholds lie among them, and
    both labels the same in all. Sums to one."""
    groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for at, i in enumerate(index):
        groups[rows[i].source, rows[i].lang, rows[i].kind].append(at)
    out = np.zeros(len(index))
    for (source, _, _), members in groups.items():
        out[members] = len(members) ** -0.5 * (20 if source == USERS else 1)
    unsafe = np.array([rows[i].kind == "unsafe" for i in index])
    for side in (unsafe, ~unsafe):
        out[side] /= 2 * out[side].sum()
    return out


def threshold(values: Array, share: float) -> float:
    """The lowest value that at most `share` of `values` reach."""
    ordered = np.sort(values)[::-1]
    return float(np.nextafter(ordered[int(share * len(ordered))], np.inf))


def calibration(users: Array, twins: Array, low: float) -> dict[str, list[float]]:
    """Where the score stands at 0.25, 0.40 and 0.70: the stricter of what the logits of users' prompts and of harmless
    templates ask for. It is 0 from `low` down."""
    places = [max(threshold(users, SHARES[score]), threshold(twins, TWINS[score])) for score in SHARES]
    return _scale(places, low)


def calibration_alone(values: Array, groups: Mapping[str, npt.NDArray[np.bool_]]) -> dict[str, list[float]]:
    """The same for n-grams alone: at each score the strictest of the groups, without rows that hold explicit words."""
    places = [max(threshold(values[groups[name]], ALONE[name][score]) for name in ALONE) for score in SHARES]
    return _scale(places, float(np.quantile(values[groups["users"]], 0.5)))


def _scale(places: list[float], low: float) -> dict[str, list[float]]:
    for i in (1, 2):
        places[i] = max(places[i], places[i - 1] + 1e-3)
    return {"logits": [min(low, places[0] - 1.0), *places, places[-1] + 4.0], "scores": [0.0, *SHARES, 1.0]}


def joins(
    rows: Sequence[Row], index: Sequence[int], cheap: Array, deep: Array, words: Array, used: Array
) -> dict[str, Any]:
    """Both joins, fitted on the rows that `used` marks."""
    kinds = np.array([rows[i].kind for i in index])
    y = (kinds == "unsafe").astype(float)
    known = used & (kinds != "unjudged")
    asked = known & ~np.isnan(deep[:, 0])
    x = inputs(cheap, deep, words)[asked]
    w, b = fitted(x, y[asked], weights_of(rows, [index[k] for k in np.flatnonzero(asked)]))
    return {"ngrams": ALONE_JOIN, "both": {"weights": w.tolist(), "bias": b}}


def logits(found: Mapping[str, Any], name: str, cheap: Array, deep: Array | None, words: Array) -> Array:
    """The joined logit of each row; NaN where the encoder was not asked."""
    join = found[name]
    return inputs(cheap, deep, words) @ np.array(join["weights"]) + join["bias"]
