"""Train the realness classifier and write it as ONNX.

    pip download --no-deps matplotlib==3.10.8 scipy==1.9.3 && unzip each into WHEELS   (two photographs come with them)
    python training/faces/examples.py --wheels WHEELS --out FOLDER --count 6000
    python training/faces/train.py FOLDER --out guardrail/checks/image/weights/realness.onnx

On one thread. The seeds are fixed; another machine, or another release of a library, rounds otherwise and gives a
model like this one, not the same bytes.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from cameras import SIDE
from network import Network, prepared
from onnx_file import onnx_bytes
from torch.nn import functional

BATCH = 48
# Side of the part of each example that a step sees: half the work, and no telling by the outline of a head.
PATCH = 48
LEARNING_RATE = 3e-3
# A photograph called a depiction is the worse error.
PHOTOGRAPH_WEIGHT = 1.5
SMOOTHING = 0.02
AVERAGE = 0.99
WARM_UP = 30


def train(pictures: np.ndarray, labels: np.ndarray, epochs: int, seed: int) -> Network:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = Network().to(memory_format=torch.channels_last)
    average = copy.deepcopy(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.02)
    steps = epochs * (len(labels) // BATCH)
    step, started, losses = 0, time.monotonic(), []
    for epoch in range(epochs):
        order = rng.permutation(len(labels))
        for k in range(len(labels) // BATCH):
            rows = np.sort(order[k * BATCH : (k + 1) * BATCH])
            top, left = rng.integers(0, SIDE - PATCH + 1, 2)
            x = pictures[rows, top : top + PATCH, left : left + PATCH]
            if rng.random() < 0.5:
                x = x[:, :, ::-1]
            y = torch.from_numpy(labels[rows])
            for group in optimiser.param_groups:
                warm = min(1.0, (step + 1) / WARM_UP)
                group["lr"] = LEARNING_RATE * warm * (0.5 + 0.5 * math.cos(math.pi * step / steps))
            model.train()
            logits = model(prepared(x))
            soft = y * (1 - 2 * SMOOTHING) + SMOOTHING
            weight = torch.where(y > 0.5, 1.0, PHOTOGRAPH_WEIGHT)
            loss = functional.binary_cross_entropy_with_logits(logits, soft, weight)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                keep = min(AVERAGE, (step + 1) / (step + 10))
                for mean, now in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
                    if mean.dtype.is_floating_point:
                        mean.lerp_(now, 1 - keep)
            losses.append(loss.item())
            step += 1
        speed = step * BATCH / (time.monotonic() - started)
        print(f"epoch {epoch}: loss {np.mean(losses):.4f}, {speed:.0f} a second", file=sys.stderr, flush=True)
        losses = []
    return average.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="what examples.py wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    files = [np.load(path) for path in sorted(given.folder.glob("*.npz"))]
    real = np.concatenate([f["real"] for f in files])
    drawn = np.concatenate([f["drawn"] for f in files])
    kinds = np.concatenate([f["kinds"] for f in files])
    # The last twentieth is looked at once, at the end. Its photographs are the same, so it says little.
    cut = len(real) - len(real) // 20
    pictures = np.concatenate([real[:cut], drawn[:cut]])
    labels = np.concatenate([np.zeros(cut), np.ones(cut)]).astype(np.float32)
    model = train(pictures, labels, given.epochs, given.seed)
    with torch.no_grad():
        seen = model(prepared(real[cut:])).numpy()
        threshold = float(np.quantile(seen, 0.98))
        made = model(prepared(drawn[cut:])).numpy()
    for kind in sorted(set(kinds)):
        found = made[kinds[cut:] == kind] > threshold
        print(f"{kind}: {found.mean():.3f} of {len(found)} found at 98 % of photographs kept", file=sys.stderr)
    content = onnx_bytes({k: v.numpy() for k, v in model.state_dict().items()})
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_bytes(content)
    print(hashlib.sha256(content).hexdigest(), len(content))


if __name__ == "__main__":
    main()
