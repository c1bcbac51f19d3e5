"""Training one pair of models, n-grams and encoder, on everything but one part of the public rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random

import encoder_training
import ngram_training
import numpy as np
import numpy.typing as npt
from augment import seen
from rows import MEASURE_ONLY, OUTPUTS, USERS, Row

from guardrail.checks.text.classifier.chunks import SIZE, chunks
from guardrail.checks.text.classifier.model import WINDOW, is_latin
from guardrail.checks.text.classifier.wordpiece import WordPiece
from guardrail.checks.text.minors import MinorTextCheck
from guardrail.checks.text.normalise import plain
from guardrail.media import Request, TextInput
from guardrail.signals import Stage

LATIN = {"en", "es", "pt", "fr", "de", "it", "id", "vi", "tr", "nl", "pl", "jv", "sw"}
# What share of the encoder's rows comes from where, and what a row of a source counts.
SHARES = {
    "public unsafe": 0.23, "users": 0.17, "public benign": 0.10,
    "en unsafe": 0.12, "en benign": 0.16, "other unsafe": 0.11, "other benign": 0.11,
}  # fmt: skip
# An image's failure, not the words, made these labels: they pull less.
WEIGHTS = {"adversarial-nibbler": 0.6, "ko-apeach": 0.5, "ko-kosbi-test": 0.5}


def training_rows(rows: Sequence[Row], left_out: int) -> list[Row]:
    return [r for r in rows if r.fold != left_out and r.source not in MEASURE_ONLY and r.kind != "unjudged"]


def read(text: str) -> str:
    return plain(text).text


def companions(rows: Sequence[Row], seed: int) -> dict[bool, list[str]]:
    """Harmless texts of our own and of users, without people under 18, in Latin script or not."""
    check = MinorTextCheck()
    found: dict[bool, list[str]] = {True: [], False: []}
    pool = [r for r in rows if r.kind == "benign" and r.source in ("grammar", USERS) and len(r.text) < 160]
    for row in Random(seed).sample(pool, min(len(pool), 6000)):
        answer = check.check([Request(texts=(TextInput(row.text),))], Stage.PROMPT)[0]
        if answer.signals["prompt.minor"] == 0 and row.labels[4] != 1:  # type: ignore[union-attr]
            found[is_latin(read(row.text))].append(row.text)
    return found


def train_ngrams(rows: Sequence[Row], *, seed: int, epochs: int) -> dict[str, npt.NDArray[np.generic]]:
    rng = Random(seed)
    beside = companions(rows, seed)
    texts: list[str] = []
    labels: list[npt.NDArray[np.float32]] = []
    weights: list[float] = []
    for row in rows:
        # Public unsafe rows are few; captions are many and much alike.
        times = {"unsafe": 4, "benign": 1}[row.kind] if row.source != "grammar" else 1
        if row.source == USERS:
            times = 3
        share = 1.0 if row.source in ("grammar", USERS) or row.kind == "unsafe" else 0.5
        if rng.random() >= share:
            continue
        # What names people under 18 is never put beside another text.
        side = () if row.labels[4] == 1 else beside[is_latin(read(row.text))]
        for _ in range(times):
            texts.append(seen(row.text, rng, companions=side)[:SIZE])
            labels.append(row.labels)
            weights.append(WEIGHTS.get(row.source, 1.0))
    print(f"n-grams: {len(texts)} rows", flush=True)
    return ngram_training.train(texts, np.stack(labels), np.array(weights, np.float32), epochs=epochs, seed=seed)


def train_encoder(
    rows: Sequence[Row], folder: Path, *, seed: int, steps: int, layers: int
) -> tuple[encoder_training.Encoder, list[str]]:
    latin = [r for r in rows if r.lang in LATIN or is_latin(read(r.text))]
    state, vocabulary = encoder_training.base(folder)
    kept = encoder_training.pruned(vocabulary, (read(r.text) for r in latin))
    pieces = WordPiece(kept)
    model = encoder_training.Encoder(state, vocabulary, kept, len(OUTPUTS), layers)
    pools: dict[str, list[Row]] = defaultdict(list)
    for row in latin:
        pools[_pool(row)].append(row)
    print({name: len(pool) for name, pool in pools.items()}, f"vocabulary {len(kept)}", flush=True)
    # Within a pool every source, and every section of a grammar, has the weight of the root of its size.
    tables = {name: _table(pool) for name, pool in pools.items()}
    names = [name for name in SHARES if tables.get(name)]
    shares = [SHARES[name] for name in names]
    beside = companions(rows, seed)[True]

    def draw(rng: Random) -> tuple[str, npt.NDArray[np.float32], float]:
        sources, cumulated = tables[rng.choices(names, shares)[0]]
        row = rng.choice(rng.choices(sources, cum_weights=cumulated)[0])
        side = () if row.labels[4] == 1 else beside
        return seen(row.text, rng, companions=side), row.labels, WEIGHTS.get(row.source, 1.0)

    encoder_training.train(model, pieces, draw, steps=steps, seed=seed)
    return model, kept


def _pool(row: Row) -> str:
    if row.source == USERS and row.kind == "benign":
        return "users"
    if row.source != "grammar":
        return f"public {row.kind}"
    return f"{'en' if row.lang == 'en' else 'other'} {row.kind}"


def _table(pool: Sequence[Row]) -> tuple[list[list[Row]], list[float]]:
    by: dict[str, list[Row]] = defaultdict(list)
    for row in pool:
        labels = "".join("?" if np.isnan(x) else str(int(x)) for x in row.labels)
        by[f"{row.source}:{row.lang}:{labels}"].append(row)
    total, cumulated = 0.0, []
    for group in by.values():
        total += len(group) ** 0.5
        cumulated.append(total)
    return list(by.values()), cumulated


def token_rows(pieces: WordPiece, texts: Sequence[str]) -> tuple[list[list[int]], list[int]]:
    """Windows of all texts, cut as the product cuts them, and for each window the text that it is of."""
    rows, owner = [], []
    for i, text in enumerate(texts):
        for chunk in chunks(text):
            ids = pieces.ids(chunk)
            for start in range(0, max(len(ids), 1), WINDOW):
                rows.append([pieces.cls, *ids[start : start + WINDOW], pieces.sep])
                owner.append(i)
    return rows, owner
