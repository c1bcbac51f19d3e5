"""The text encoder, taught to say what a caption asks for before the denoiser reads through it.

Denoising alone teaches a text encoder slowly: what a word means is a small share of that loss. Here each caption's
encoding, averaged over its tokens, has to give the scene's shape, companion, colours, texture and setting. What a
caption leaves unsaid stays a guess. The encoder is then left as it is, as Stable Diffusion leaves its own.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from clock import Clock
from dataset import captions, scene_and_picture
from torch import nn
from torch.nn.functional import cross_entropy

from guardrail.demo import standin_parts as parts
from guardrail.demo.standin_words import COLOURS, COMPANIONS, SETTINGS, SHAPES, TEXTURES, Scene

SEED = 3
RATE = 2e-3
BATCH = 128
ASKED = {
    "shape": SHAPES,
    "colour": COLOURS,
    "companion": COMPANIONS,
    "paint": COLOURS,
    "ground": COLOURS,
    "texture": TEXTURES,
    "setting": SETTINGS,
}


class Reader(nn.Module):
    """A text encoder, and a linear layer for each thing that is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.text_encoder = parts.text_encoder()
        width = self.text_encoder.config.hidden_size
        self.heads = nn.ModuleDict({name: nn.Linear(width, len(known) + 1) for name, known in ASKED.items()})

    def forward(self, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        words = self.text_encoder(input_ids=ids).last_hidden_state.mean(1)
        return {name: head(words) for name, head in self.heads.items()}


def answers(scene: Scene) -> list[int]:
    """For each thing of `ASKED` its index; one past the end where the scene has none."""
    return [known.index(v) if (v := getattr(scene, name)) else len(known) for name, known in ASKED.items()]


def text_encoder(work: Path) -> Any:
    """The trained text encoder, ready for use."""
    network = parts.text_encoder()
    network.load_state_dict(torch.load(work / "text.pt", weights_only=True)["text_encoder"])
    return network.eval().requires_grad_(False)


def tokens(texts: list[str]) -> np.ndarray:
    """(N, 32) int16 token ids."""
    found = parts.tokenizer()(texts, padding="max_length", max_length=parts.TOKENS, truncation=True)
    return np.array(found.input_ids, np.int16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".guardrail/standin"))
    parser.add_argument("--minutes", type=float, default=2.5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--scenes", type=int, default=24_000)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)  # a program of its own: the global state is its to seed
    options.work.mkdir(parents=True, exist_ok=True)
    scenes = [scene_and_picture(i)[0] for i in range(options.scenes)]
    wanted = torch.tensor([answers(scene) for scene in scenes])
    groups = [captions(i, scene) for i, scene in enumerate(scenes)]
    ids = torch.from_numpy(tokens([t for group in groups for t in group])).long().view(len(scenes), -1, parts.TOKENS)
    reader = Reader()
    optimiser = torch.optim.AdamW(reader.parameters(), RATE, weight_decay=0.01)
    clock = Clock(options.work / "text.pt", options.minutes, RATE)
    generator = torch.Generator().manual_seed(SEED)
    right = torch.zeros(len(ASKED))
    while clock.share < 1:
        for group in optimiser.param_groups:
            group["lr"] = clock.learning_rate(100)
        rows = torch.randint(len(ids), (BATCH,), generator=generator)
        found = reader(ids[rows, torch.randint(ids.shape[1], (BATCH,), generator=generator)])
        losses = [cross_entropy(logits, wanted[rows, k]) for k, logits in enumerate(found.values())]
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()
        nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimiser.step()
        clock.step += 1
        hits = [(logits.argmax(1) == wanted[rows, k]).float().mean() for k, logits in enumerate(found.values())]
        right = 0.95 * right + 0.05 * torch.stack(hits)
        if clock.step % 100 == 0:
            shares = {name: round(float(share), 3) for name, share in zip(ASKED, right, strict=True)}
            print(json.dumps({"step": clock.step, "minutes": round(clock.spent, 2), **shares}), flush=True)
    clock.save(text_encoder=reader.text_encoder, reader=reader)


if __name__ == "__main__":
    main()
