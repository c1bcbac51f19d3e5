"""The denoiser, trained on latents that were made once. It reads captions through the text encoder of `train_text.py`.

Captions are dropped in an eighth of the examples, for classifier-free guidance (Ho and Salimans 2022). What is kept is
an exponential mean of the weights.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from clock import Clock
from dataset import captions, scene_and_picture
from latents import latents, mirrored
from torch import nn
from train_text import text_encoder, tokens

from guardrail.demo import standin_parts as parts

SEED = 2
DROPPED = 0.12
BATCH = 32
RATE = 1.5e-3
MEAN = 0.998
FIGURE = 6.0  # how much more an error counts on a figure than on the ground: markers fill a thirtieth of a picture


class Model(nn.Module):
    """The denoiser, with the text encoder that it reads prompts through; the latter stays as it is."""

    def __init__(self, work: Path) -> None:
        super().__init__()
        self.unet = parts.unet()
        self._text_encoder = [text_encoder(work)]  # in a list: none of its weights is trained here

    def forward(self, latents: torch.Tensor, times: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            words = self._text_encoder[0](input_ids=ids).last_hidden_state
        return self.unet(latents, times, words, return_dict=False)[0]


class Examples:
    """Latents and token ids of all pictures, with a random number generator of their own."""

    def __init__(self, work: Path, seed: int) -> None:
        stored = np.load(work / "latents.npz")
        self.latents = torch.from_numpy(stored["latents"])
        self.ids = torch.from_numpy(stored["ids"]).long()
        self.empty = torch.from_numpy(stored["empty"]).long()
        self.generator = torch.Generator().manual_seed(seed)
        scheduler = parts.scheduler()
        self.alphas = scheduler.alphas_cumprod

    def batch(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Noised latents, times, token ids, the velocity that is to be predicted, and what its errors weigh."""
        g = self.generator
        rows = torch.randint(len(self.latents), (BATCH,), generator=g)
        clean = self.latents[rows].float()
        clean = torch.where((torch.rand(BATCH, generator=g) < 0.5).view(-1, 1, 1, 1), mirrored(clean), clean)
        ids = self.ids[rows, torch.randint(self.ids.shape[1], (BATCH,), generator=g)]
        ids = torch.where((torch.rand(BATCH, generator=g) < DROPPED)[:, None], self.empty, ids)
        # Shapes are settled in the middle of the way, where three quarters of the examples lie (Esser et al. 2024).
        middle = (0.2 + torch.randn(BATCH, generator=g)).sigmoid()
        share = torch.where(torch.rand(BATCH, generator=g) < 0.75, middle, torch.rand(BATCH, generator=g))
        times = (share * 1000).long().clamp(max=999)
        noise = torch.randn(clean.shape, generator=g)
        a = self.alphas[times].sqrt().view(-1, 1, 1, 1)
        s = (1 - self.alphas[times]).sqrt().view(-1, 1, 1, 1)
        return a * clean + s * noise, times, ids, a * noise - s * clean, weights(clean)


def weights(clean: torch.Tensor) -> torch.Tensor:
    """(N, 1, 16, 16) of (N, 12, 16, 16), one in the mean: larger the further a latent is from its picture's median."""
    middle = clean[:, :3].flatten(2).median(2).values[..., None, None]
    distance = (clean[:, :3] - middle).abs().mean(1, keepdim=True)
    found = 1 + (FIGURE - 1) * distance.clamp(max=1)
    return found / found.mean()


def prepare(work: Path) -> None:
    """Latents of all pictures, and the captions' tokens."""
    pictures = np.load(work / "pictures.npy", mmap_mode="r")
    texts = [captions(i, scene_and_picture(i)[0]) for i in range(len(pictures))]
    found = [latents(torch.from_numpy(np.array(pictures[k : k + 1000]))) for k in range(0, len(pictures), 1000)]
    np.savez(
        work / "latents.npz",
        latents=torch.cat(found).half().numpy(),
        ids=tokens([t for group in texts for t in group]).reshape(len(texts), -1, parts.TOKENS),
        empty=tokens([""])[0],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".guardrail/standin"))
    parser.add_argument("--minutes", type=float, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="the same, faster, after a minute of compiling")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)  # a program of its own: the global state is its to seed
    if not (options.work / "latents.npz").exists():
        prepare(options.work)
    model, kept = Model(options.work), Model(options.work)
    kept.load_state_dict(model.state_dict())
    optimiser = torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-3, betas=(0.9, 0.99))
    clock = Clock(options.work / "unet.pt", options.minutes, RATE)
    clock.resume(model=model, kept=kept, optimiser=optimiser)
    examples = Examples(options.work, SEED + clock.step)
    run = torch.compile(model) if options.compile else model
    mean = 0.0
    while clock.share < 1:
        for group in optimiser.param_groups:
            group["lr"] = clock.learning_rate()
        noisy, times, ids, wanted, weight = examples.batch()
        with torch.autocast("cpu", torch.bfloat16):
            found = run(noisy, times, ids)
        loss = (weight * (found.float() - wanted).square()).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        clock.step += 1
        with torch.no_grad():
            rate = 1 - min(MEAN, clock.step / (clock.step + 20))
            torch._foreach_lerp_(list(kept.parameters()), list(model.parameters()), rate)
        mean = 0.99 * mean + 0.01 * float(loss.detach()) if mean else float(loss.detach())
        if clock.step % 100 == 0:
            print(json.dumps({"step": clock.step, "minutes": round(clock.spent, 2), "mse": round(mean, 4)}), flush=True)
        if clock.due:
            clock.save(model=model, kept=kept, optimiser=optimiser)
    clock.save(model=model, kept=kept, optimiser=optimiser)


if __name__ == "__main__":
    main()
