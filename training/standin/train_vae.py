"""The autoencoder: its encoder learns to give the latents that `latents.py` lays down, its decoder to draw them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from clock import Clock
from latents import latents
from torch import nn

from guardrail.demo import standin_parts as parts

SEED = 1
RATE = 3e-3
CROPS = 0.65  # share of the time on crops: more than twice as many steps; whole pictures set the norms right
NOISE = 0.06  # deviation of what is added to the latents that are decoded: the denoiser's are not exact
LOG_VARIANCE = -9.0  # what the encoder says of its latents' variance: next to none


def loss_of(vae: nn.Module, pictures: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """L1 of decoded pixels and of their differences to the neighbours, and the encoder's error; also the plain L1."""
    x = pictures.permute(0, 3, 1, 2).float().div(127.5).sub(1)
    z = latents(pictures)
    posterior = vae.encode(x).latent_dist
    strength = NOISE * 2 * torch.rand((len(z), 1, 1, 1), generator=generator)
    y = vae.decode(z + strength * torch.randn(z.shape, generator=generator)).sample.float()
    plain = (y - x).abs().mean()
    edges = (y.diff(dim=2) - x.diff(dim=2)).abs().mean() + (y.diff(dim=3) - x.diff(dim=3)).abs().mean()
    encoded = (posterior.mean.float() - z).abs().mean() + 0.01 * (posterior.logvar - LOG_VARIANCE).square().mean()
    return plain + edges + 0.1 * encoded, plain.detach()


def batch(pictures: np.ndarray, rng: np.random.Generator, crops: bool) -> torch.Tensor:
    """Crops of 32×32 whose corners lie on the latents' grid, or whole pictures."""
    if not crops:
        return torch.from_numpy(pictures[np.sort(rng.integers(len(pictures), size=8))])
    corners = 4 * rng.integers(0, 9, size=(16, 2))
    numbers = rng.integers(len(pictures), size=16)
    chosen = [pictures[n, r : r + 32, c : c + 32] for n, (r, c) in zip(numbers, corners, strict=True)]
    return torch.from_numpy(np.stack(chosen))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".guardrail/standin"))
    parser.add_argument("--minutes", type=float, default=13.5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)  # a program of its own: the global state is its to seed
    pictures = np.load(options.work / "pictures.npy", mmap_mode="r")
    vae = parts.vae()
    optimiser = torch.optim.AdamW(vae.parameters(), RATE, weight_decay=1e-4, betas=(0.9, 0.98))
    clock = Clock(options.work / "vae.pt", options.minutes, RATE)
    clock.resume(vae=vae, optimiser=optimiser)
    rng = np.random.default_rng(SEED + clock.step)
    generator = torch.Generator().manual_seed(SEED + clock.step)
    mean = 0.0
    while clock.share < 1:
        for group in optimiser.param_groups:
            group["lr"] = clock.learning_rate(100)
        with torch.autocast("cpu", torch.bfloat16):
            loss, plain = loss_of(vae, batch(pictures, rng, clock.share < CROPS), generator)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        clock.step += 1
        mean = 0.98 * mean + 0.02 * float(plain) if mean else float(plain)
        if clock.step % 100 == 0:
            print(json.dumps({"step": clock.step, "minutes": round(clock.spent, 2), "l1": round(mean, 4)}), flush=True)
        if clock.due:
            clock.save(vae=vae, optimiser=optimiser)
    clock.save(vae=vae, optimiser=optimiser)


if __name__ == "__main__":
    main()
