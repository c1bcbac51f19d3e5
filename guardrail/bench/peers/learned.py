"""Baselines that are trained here: n-grams with a linear model, and sentence embeddings with a linear head.

What they learn from is a file of the user's, never a row they are measured on: rows of a group or with a text that is
measured are left out. A fifth of the groups is kept back to choose the threshold: the lowest score at which at most
1 % of its harmless rows would be stopped. Same rows for every trained peer, the same seed, the same result.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrail.bench.data import BENIGN, BLOCK, Columns, Labels, rows, survey
from guardrail.bench.peers.base import Answer, NotHere, Opened, Peer, package_version, without

__all__ = [
    "Fitted",
    "Training",
    "fold",
    "linear_head",
    "lowest_threshold",
    "nothing",
    "read_training",
    "tfidf",
    "trained",
]

Floats = NDArray[np.float64]
FALSE_ALARMS = 0.01
"""Share of the harmless rows kept back that a trained peer's own decision may stop."""
HELD_OUT = 5  # one group in so many
FEWEST = 20  # rows of either kind to fit on, under which nothing is learned
_MOST_FEATURES = 200_000


@dataclass(frozen=True, slots=True)
class Training:
    """What trained peers learn from.

    Args:
        texts, truth: rows to fit on, True for what ought to be blocked.
        held, held_truth: rows of other groups, for the threshold.
        told: files, counts and what was left out, in words.
    """

    texts: tuple[str, ...]
    truth: tuple[bool, ...]
    held: tuple[str, ...]
    held_truth: tuple[bool, ...]
    told: str


def fold(text: str) -> bytes:
    """What two rows of the same text have in common, whatever their case and spaces; 8 bytes."""
    return blake2b(" ".join(text.casefold().split()).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def read_training(
    files: Sequence[Path],
    columns: Columns,
    labels: Labels,
    *,
    most: int,
    seed: int,
    groups: frozenset[str],
    texts: frozenset[bytes],
) -> Training:
    """Rows to learn from: all that ought to be blocked, and at most `most` harmless ones.

    Args:
        groups, texts: of the rows that are measured (texts as `fold` gives them): none of these is learned from.

    Raises:
        DataError: the data cannot be used.
        NotHere: they hold too few rows of one kind.
    """
    found = survey(files, columns, labels)
    chosen: dict[bool, list[tuple[bytes, str, bool]]] = {True: [], False: []}
    left_out = 0
    for row in rows(found, columns, labels):
        if row.role not in (BLOCK, BENIGN):
            continue
        if (row.group and row.group in groups) or fold(row.text) in texts:
            left_out += 1
            continue
        # Order and part follow from the row itself: another file beside it moves none of them.
        order = _digest(seed, "row", row.group, row.text)
        held = _digest(seed, "part", row.group or row.text)[0] % HELD_OUT == 0
        chosen[row.role == BLOCK].append((order, row.text, held))
    kept = [(*one, True) for one in sorted(chosen[True])] + [(*one, False) for one in sorted(chosen[False])[:most]]
    kept.sort()
    fit = [(text, bad) for _, text, held, bad in kept if not held]
    held_out = [(text, bad) for _, text, held, bad in kept if held]
    for bad, what in ((True, "to be blocked"), (False, "harmless")):
        held_back = bad or any(not b for _, b in held_out)  # the threshold rests on harmless rows alone
        if sum(b is bad for _, b in fit) < FEWEST or not held_back:
            raise NotHere(f"--train holds too few rows that are {what} to learn from: give a file with more of them")
    told = (
        f"{sum(b for _, b in fit):,} rows to be blocked and {sum(not b for _, b in fit):,} harmless of "
        + ", ".join(f"{f.path.name} (sha256 {f.sha256[:16]})" for f in found.files)
        + f"; threshold on {len(held_out):,} rows of other groups; {left_out:,} rows left out because they are measured"
    )
    return Training(
        tuple(t for t, _ in fit), tuple(b for _, b in fit), tuple(t for t, _ in held_out),
        tuple(b for _, b in held_out), told,
    )  # fmt: skip


def _digest(seed: int, *parts: str) -> bytes:
    return blake2b("\0".join((str(seed), *parts)).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def lowest_threshold(scores: Floats, truth: NDArray[np.bool_], most: float = FALSE_ALARMS) -> float:
    """The lowest score that, as a threshold (at it and over), stops at most the share `most` of the harmless rows."""
    harmless = np.sort(scores[~truth])[::-1]
    allowed = int(np.floor(most * len(harmless) + 1e-9))
    wall = float(harmless[allowed]) if allowed < len(harmless) else -np.inf
    above = scores[scores > wall]
    return float(above.min()) if len(above) else float(np.nextafter(wall, np.inf))


Fitted = Callable[[str], float]
"""A score of one text, 0..1."""


def trained(fit: Callable[[Training], Fitted], training: Callable[[], Training]) -> Opened:
    """A peer out of what is fitted, with its threshold."""
    given = training()
    score = fit(given)
    # Rounded as samples are, so that the decision on a row that is read back is the same.
    held = np.array([round(score(text), 6) for text in given.held])
    limit = lowest_threshold(held, np.array(given.held_truth, bool))

    def judge(text: str) -> Answer:
        value = round(score(text), 6)
        return Answer("block" if value >= limit else "allow", value)

    return Opened(judge, {"learned from": given.told, "threshold": f"{limit:.6f}"})


def tfidf(training: Callable[[], Training] | None, seed: int) -> Peer:
    """Character n-grams weighted by TF-IDF, and a logistic regression (scikit-learn)."""
    return Peer(
        "TF-IDF + logistic regression",
        "text",
        partial(trained, partial(_tfidf, seed=seed), training) if training is not None else nothing,
        package_version("scikit-learn"),
        "BSD-3-Clause",
        "at most 1 % false alarms on harmless training rows kept back",
        "--train",
        without("sklearn", "scikit-learn")
        or ("" if training is not None else "nothing to learn from: give --train FILE"),
    )


def nothing() -> Opened:
    """Stands where there is nothing to learn from; such a peer is lacking, and never opened."""
    raise NotHere("nothing to learn from: give --train FILE")


def _tfidf(given: Training, *, seed: int) -> Fitted:
    features: Any = importlib.import_module("sklearn.feature_extraction.text")
    vectors = features.TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), min_df=2, max_features=_MOST_FEATURES, sublinear_tf=True
    )
    model = _regression(seed)
    model.fit(vectors.fit_transform(given.texts), np.array(given.truth, bool))
    return lambda text: float(model.predict_proba(vectors.transform([text]))[0, 1])


def linear_head(
    vectors: NDArray[np.float32], truth: Sequence[bool], seed: int
) -> Callable[[NDArray[np.float32]], float]:
    """A logistic regression on standardised embeddings, (n, width); gives 0..1 for one of them, (width,)."""
    mean, spread = vectors.mean(0), vectors.std(0) + 1e-6
    model = _regression(seed)
    model.fit((vectors - mean) / spread, np.array(truth, bool))
    return lambda one: float(model.predict_proba(((one - mean) / spread)[None])[0, 1])


def _regression(seed: int) -> Any:
    """liblinear: coordinate descent on one core, so that the same rows give the same weights."""
    linear: Any = importlib.import_module("sklearn.linear_model")
    return linear.LogisticRegression(
        C=1.0, class_weight="balanced", solver="liblinear", random_state=seed, max_iter=1000
    )
