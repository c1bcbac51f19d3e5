"""What simpler models do on the same rows: for the table in the model card.

    python training/prompts/baselines.py --data ../shared/data/prompts --base FOLDER --work .training

Trained on what part 0 was trained on, measured on what it left out; each threshold is set as the product's is: at most
0.36 % of users' prompts stand at or over it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

import combine as combining  # noqa: E402 — after the path is set
import encoder_training  # noqa: E402
import measure  # noqa: E402
import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
import torch  # noqa: E402
from parts import read, training_rows  # noqa: E402
from rows import USERS, Row, drawn, public  # noqa: E402

from guardrail.checks.text.classifier.ngrams import BUCKETS, features  # noqa: E402
from guardrail.checks.text.classifier.wordpiece import WordPiece  # noqa: E402

SEED = 20261127


def ngram_regression(
    texts: Sequence[str], y: npt.NDArray[np.float32], weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Weights of a logistic regression over the same hashed n-grams, by Adam."""
    torch.manual_seed(SEED)
    rows = [np.unique(features(text)) for text in texts]
    weight = torch.nn.EmbeddingBag(BUCKETS, 1, mode="sum")
    torch.nn.init.zeros_(weight.weight)
    optimiser = torch.optim.Adam(weight.parameters(), lr=2e-3)
    rng = np.random.default_rng(SEED)
    targets, scales = torch.from_numpy(y), torch.from_numpy(weights)
    for _ in range(4):
        order = rng.permutation(len(rows))
        for at in range(0, len(order), 512):
            part = order[at : at + 512]
            lengths = torch.tensor([len(rows[i]) for i in part])
            offsets = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)[:-1]])
            ids = torch.from_numpy(np.concatenate([rows[i] for i in part]).astype(np.int64))
            logits = weight(ids, offsets).squeeze(1) / lengths.sqrt()
            index = torch.from_numpy(part)
            loss = (
                torch.nn.functional.binary_cross_entropy_with_logits(logits, targets[index], reduction="none")
                * scales[index]
            ).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return weight.weight.detach().numpy().squeeze(1)


@torch.no_grad()
def embeddings(texts: Sequence[str], base: Path) -> npt.NDArray[np.float32]:
    """Mean-pooled sentence embeddings of the base model, (n, 384), not fine-tuned."""
    state, vocabulary = encoder_training.base(base)
    model = encoder_training.Encoder(state, vocabulary, vocabulary, 1, 6).eval()
    pieces = WordPiece(vocabulary)
    rows = [encoder_training.window(pieces, text) for text in texts]
    out = np.zeros((len(rows), encoder_training.WIDTH), np.float32)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    pooled: list[torch.Tensor] = []
    model.head = torch.nn.Identity()
    for at in range(0, len(order), 128):
        part = order[at : at + 128]
        ids, mask = encoder_training.padded([rows[i] for i in part])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            pooled = [model(ids, mask)[:, : encoder_training.WIDTH].float()]
        out[part] = torch.nn.functional.normalize(pooled[0], dim=1).numpy()
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path(".training"))
    given = parser.parse_args()
    rows: list[Row] = [*public(given.data), *drawn({"*": 2, "en": 4}, SEED)]
    rng = np.random.default_rng(SEED)
    learned = [r for r in training_rows(rows, 0) if r.kind == "unsafe" or r.source == "grammar" or rng.random() < 0.35]
    y = np.array([r.kind == "unsafe" for r in learned], np.float32)
    scale = combining.weights_of(learned, range(len(learned))).astype(np.float32)
    scale /= scale.mean()
    # Captions of one language are enough to see a false alarm in a thousand.
    index = [i for i, r in enumerate(rows) if r.fold == 0 and r.source not in ("grammar", "ja-jsts-yjcaptions")]
    texts, measured = [read(r.text)[:320] for r in learned], [read(rows[i].text)[:320] for i in index]
    print(f"{len(learned)} rows to learn from, {len(index)} measured", flush=True)
    weight = ngram_regression(texts, y, scale)
    found = {
        "n-gram logistic regression": np.array(
            [weight[f].sum() / len(f) ** 0.5 for f in map(np.unique, map(features, measured))]
        )
    }
    train, test = embeddings(texts, given.base), embeddings(measured, given.base)
    w, b = combining.fitted(train.astype(float), y.astype(float), (scale / scale.sum()).astype(float), decay=1e-5)
    found["MiniLM embeddings, linear head"] = test @ w + b
    users = np.array([rows[i].source == USERS and rows[i].kind == "benign" for i in index])
    columns = {}
    for name, values in found.items():
        limit = combining.threshold(values[users], combining.SHARES[0.70])
        columns[name] = lambda at, values=values, limit=limit: values[at] >= limit
    result = measure.table(rows, index, columns)
    (given.work / "baselines.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for group, cells in result.items():
        print(f"{group:62s} {cells['n']:6d} " + " ".join(f"{cells[name]['rate']:6.1f}" for name in columns))


if __name__ == "__main__":
    main()
