"""Training of the cheap stage: see guardrail/checks/text/classifier/ngrams.py for what it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from guardrail.checks.text.classifier.ngrams import BUCKETS, features

DIMENSIONS, HIDDEN = 16, 64


class Net(nn.Module):
    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.table = nn.Embedding(BUCKETS, DIMENSIONS)
        nn.init.uniform_(self.table.weight, -0.05, 0.05)
        self.hidden = nn.Linear(2 * DIMENSIONS + 1, HIDDEN)
        self.out = nn.Linear(HIDDEN, outputs)

    def forward(self, ids: torch.Tensor, offsets: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        weight = self.table.weight
        mean = nn.functional.embedding_bag(ids, weight, offsets, mode="mean")
        top = nn.functional.embedding_bag(ids, weight, offsets, mode="max")
        pooled = torch.cat([mean * 16, top, (lengths.log() / 8).unsqueeze(1)], 1)
        return self.out(torch.relu(self.hidden(pooled)))


def masked_loss(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Binary cross entropy over the labels that are known; the first, ``unsafe``, counts double."""
    known = ~torch.isnan(labels)
    loss = nn.functional.binary_cross_entropy_with_logits(logits, labels.nan_to_num(0.0), reduction="none")
    scale = torch.ones(labels.shape[1])
    scale[0] = 2.0
    loss = loss * known * scale * weights.unsqueeze(1)
    return loss.sum() / (known * scale).sum().clamp(min=1)


def train(
    texts: Sequence[str],
    labels: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32],
    *,
    epochs: int,
    seed: int,
    rate: float = 4e-3,
    batch: int = 512,
    dropped: float = 0.15,
) -> dict[str, npt.NDArray[np.generic]]:
    """Weights as `NgramModel` takes them. `dropped`: share of n-grams left out of a row each time it is seen."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    rows = [features(text) for text in texts]
    targets, scales = torch.from_numpy(labels), torch.from_numpy(weights)
    net = Net(labels.shape[1])
    table = [net.table.weight]
    others = [*net.hidden.parameters(), *net.out.parameters()]
    optimiser = torch.optim.AdamW(
        [{"params": table, "weight_decay": 0.0}, {"params": others, "weight_decay": 1e-3}], lr=rate
    )
    steps = epochs * (len(rows) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1, pct_start=0.05)
    done, total = 0, 0.0
    for _ in range(epochs):
        order = rng.permutation(len(rows))
        for at in range(0, len(order) - batch + 1, batch):
            chosen = order[at : at + batch]
            picked = [rows[i][rng.random(len(rows[i])) >= dropped] for i in chosen]
            picked = [p if len(p) else rows[i] for p, i in zip(picked, chosen, strict=True)]
            lengths = torch.tensor([len(p) for p in picked])
            offsets = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)[:-1]])
            ids = torch.from_numpy(np.concatenate(picked).astype(np.int64))
            index = torch.from_numpy(chosen)
            loss = masked_loss(net(ids, offsets, lengths.float()), targets[index], scales[index])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            done += 1
            total += float(loss)
            if done % 300 == 0:
                print(f"  n-grams: step {done}/{steps}, loss {total / 300:.4f}", flush=True)
                total = 0.0
    return tensors(net)


def tensors(net: Net) -> dict[str, npt.NDArray[np.generic]]:
    table = net.table.weight.detach().numpy()
    scale = np.float32(np.quantile(np.abs(table).max(1), 0.9999) / 127)
    return {
        "table": np.clip(np.round(table / scale), -127, 127).astype(np.int8),
        "table_scale": np.array(scale, np.float32),
        "hidden": net.hidden.weight.detach().numpy().T.copy(),
        "hidden_bias": net.hidden.bias.detach().numpy().copy(),
        "out": net.out.weight.detach().numpy().T.copy(),
        "out_bias": net.out.bias.detach().numpy().copy(),
    }
