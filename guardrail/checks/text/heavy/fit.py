"""Fitting a head on a text encoder's state: logistic regression with its calibration, in seconds.

The strength of regularisation is chosen, and the thresholds are set, on rows that the head has not seen (five folds by
group). What is reported are figures on those too: of the user's own rows, and of nothing else.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from guardrail.checks.text.heavy.encoder import WHAT, Encoder, State
from guardrail.checks.text.heavy.head import Head, path_of
from guardrail.checks.text.heavy.rows import Row, sampled
from guardrail.errors import ConfigurationError

__all__ = ["FittedHead", "fit_encoder_head"]

FOLDS = 5
LEAST_ROWS = 20
PENALTIES = (0.003, 0.03, 0.3)
# From the suggestive threshold: to the explicit one at least, and from either end to where a score is 0 or 1.
LEAST_STEP, RUN_OUT = 1.0, 8.0

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FittedHead:
    """A head on disk, and how it did on rows that it was not fitted on.

    Args:
        path, sha256: of the file.
        encoder, encoder_sha256: what it was fitted for.
        sexual, benign: rows of each kind.
        caught, altered: of the sexual ones, the share over the explicit and over the suggestive threshold.
        over_blocked: of the benign ones, the share over the suggestive threshold.
        auroc: area under the curve.
        seconds: for reading all rows and fitting.
    """

    path: Path
    sha256: str
    encoder: str
    encoder_sha256: str
    sexual: int
    benign: int
    caught: float
    altered: float
    over_blocked: float
    auroc: float
    seconds: float


def fit_encoder_head(
    source: Any,
    rows: Iterable[Row | tuple[str, bool]],
    *,
    encoder: str = "text_encoder",
    device: str = "cpu",
    over_blocking: float = 0.005,
    most: int = 2000,
    say: Callable[[str], object] | None = None,
) -> FittedHead:
    """Fit a head for the text encoder of a pipeline, and put it into the data folder.

    Args:
        source: a diffusers pipeline (guarded or not), or its folder.
        rows: labelled prompts; see `read_rows`. Calibrate on prompts of real users among the benign ones: thresholds
            set on captions do not hold.
        over_blocking: share of the benign rows that may reach the suggestive threshold.
        most: rows of each kind at most; the encoder reads each one alone.
        say: called with a line now and then; never with content.

    Raises:
        ConfigurationError: no such encoder, too few rows, or the data folder cannot be written.
        CheckError: the encoder gives what is no number.
    """
    begun = time.perf_counter()
    if not 0.0 < over_blocking < 0.5:
        raise ConfigurationError(f"over_blocking is a share over 0 and under 0.5, not {over_blocking:g}")
    chosen = sampled((r if isinstance(r, Row) else Row(*r) for r in rows), most)
    labels = np.array([row.sexual for row in chosen], dtype=bool)
    folds = np.array([_fold(row) for row in chosen], dtype=int)
    _require_enough(labels, folds)
    reader = Encoder.of(source, encoder, device)
    states: list[list[State]] = []
    for i, row in enumerate(chosen):
        states.append(reader.states(row.text))
        if say is not None and i % 500 == 499:
            say(f"read {i + 1:,} of {len(chosen):,} prompts")
    penalty, unseen = _choose(states, labels, folds)
    suggestive, explicit = _cuts(unseen[~labels], over_blocking)
    mean, scale, weight, bias = _logistic(_first(states), labels, penalty)
    head = Head(
        mean.astype(np.float32),
        scale.astype(np.float32),
        weight.astype(np.float32),
        bias,
        (suggestive - RUN_OUT, suggestive, explicit, explicit + RUN_OUT),
        (0.0, 0.40, 0.70, 1.0),
    )
    path = path_of(reader.sha256)
    sha256 = head.write(path, reader)
    return FittedHead(
        path,
        sha256,
        reader.name,
        reader.sha256,
        int(labels.sum()),
        int((~labels).sum()),
        float((unseen[labels] >= explicit).mean()),
        float((unseen[labels] >= suggestive).mean()),
        float((unseen[~labels] >= suggestive).mean()),
        _auroc(unseen, labels),
        time.perf_counter() - begun,
    )


def _fold(row: Row) -> int:
    return hashlib.sha256((row.group or row.text).encode("utf-8", "replace")).digest()[0] % FOLDS


def _require_enough(labels: npt.NDArray[np.bool_], folds: npt.NDArray[np.int_]) -> None:
    few = [name for name, of in (("sexual", labels), ("benign", ~labels)) if of.sum() < LEAST_ROWS]
    if few:
        raise ConfigurationError(f"{WHAT} needs {LEAST_ROWS} rows or more of each kind; too few are {', '.join(few)}")
    # Both kinds must be among what each fold is fitted on.
    if any(len(set(labels[folds != f])) < 2 for f in range(FOLDS)):
        raise ConfigurationError(f"{WHAT}: all rows of one kind are one group; they cannot be split")


def _first(states: Sequence[Sequence[State]]) -> Numbers:
    """Of each row the first window: which of several the label speaks of is not known."""
    return np.stack([s[0] for s in states]).astype(np.float64)


def _choose(
    states: Sequence[Sequence[State]], labels: npt.NDArray[np.bool_], folds: npt.NDArray[np.int_]
) -> tuple[float, Numbers]:
    """The penalty under which unseen rows are best explained, and the logits of unseen rows under it."""
    first = _first(states)
    best: tuple[float, float, Numbers] | None = None
    for penalty in PENALTIES:
        unseen = np.empty(len(labels))
        for fold in set(folds.tolist()):
            mean, scale, weight, bias = _logistic(first[folds != fold], labels[folds != fold], penalty)
            for i in np.nonzero(folds == fold)[0].tolist():
                unseen[i] = max(float(((s - mean) / scale) @ weight + bias) for s in states[i])
        loss = float((_shares(labels) * np.logaddexp(0.0, np.where(labels, -unseen, unseen))).sum())
        if best is None or loss < best[0]:
            best = (loss, penalty, unseen)
    assert best is not None
    return best[1], best[2]


def _shares(labels: npt.NDArray[np.bool_]) -> Numbers:
    """Weights under which both kinds count the same; together 1."""
    sexual = int(labels.sum())
    shares: Numbers = np.where(labels, 0.5 / sexual, 0.5 / (len(labels) - sexual))
    return shares


def _logistic(x: Numbers, labels: npt.NDArray[np.bool_], penalty: float) -> tuple[Numbers, Numbers, Numbers, float]:
    """Mean, scale, weight and bias of a balanced, L2-penalised logistic regression."""
    from scipy.optimize import minimize

    mean, scale = x.mean(0), x.std(0) + 1e-6
    z = (x - mean) / scale
    shares, sign = _shares(labels), np.where(labels, 1.0, -1.0)

    def loss(at: Numbers) -> tuple[float, Numbers]:
        margin = sign * (z @ at[:-1] + at[-1])
        slope = -sign * shares * np.exp(-np.logaddexp(0.0, margin))
        value = (shares * np.logaddexp(0.0, -margin)).sum() + 0.5 * penalty * at[:-1] @ at[:-1]
        return float(value), np.append(z.T @ slope + penalty * at[:-1], slope.sum())

    found = minimize(loss, np.zeros(z.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return mean, scale, found[:-1], float(found[-1])


def _cuts(benign: Numbers, over_blocking: float) -> tuple[float, float]:
    """The suggestive threshold, which at most that share of unseen benign rows reaches, and the explicit one, which a
    fifth of them reaches at most. With few rows: none."""
    falling = np.sort(benign)[::-1]
    suggestive, explicit = (
        float(np.nextafter(falling[int(share * len(falling))], np.inf)) for share in (over_blocking, over_blocking / 5)
    )
    return suggestive, max(explicit, suggestive + LEAST_STEP)


def _auroc(logits: Numbers, labels: npt.NDArray[np.bool_]) -> float:
    from scipy.stats import rankdata

    ranks, n = rankdata(logits), int(labels.sum())
    return float((ranks[labels].sum() - n * (n + 1) / 2) / (n * (len(labels) - n)))
