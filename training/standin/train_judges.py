"""The two judges: small networks that say which shape a picture shows, of other seeds and architectures.

Both see drawn pictures, and what the denoiser takes a drawn picture to be that noise was laid over: the judge of final
pictures where there is little noise left, so that it knows the denoiser's blunt tips and frayed edges; the judge of
previews while there is still much, and then also as the 16×16 colours that a linear map from latents gives. The first
also sees pictures through the autoencoder, the second blurred and noisy ones. Labels come from the scenes that were
drawn; neither judge is taught by the other, nor by anything that the model made from a prompt.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from clock import Clock
from dataset import label, scene_and_picture
from latents import colours, latents
from torch import nn
from torch.nn.functional import avg_pool2d, cross_entropy, interpolate
from train_unet import Model

from guardrail.demo import standin_parts as parts
from guardrail.demo.standin_words import SHAPES

RATE = 2e-3
SEEDS = {"final": 11, "preview": 12}
ROWS = {"final": (0, 12_000), "preview": (12_000, 24_000)}  # no picture is seen by both
# Of the predictions, out of 1000: from 25 % of the steps on; of a picture that is all but finished.
TIMES = {"preview": (150, 750), "final": (50, 450)}
BATCH = 64
BLANK = 4  # more a batch: plain colours, which show nothing; no drawing is without a figure


class Views:
    """Draws training pictures: (n, 3, 64, 64) in [-1, 1] and their labels.

    Args:
        kind: ``final`` or ``preview``.
    """

    def __init__(self, work: Path, kind: str, seed: int) -> None:
        self.kind = kind
        first, last = ROWS[kind]
        self.pictures = np.load(work / "pictures.npy", mmap_mode="r")[first:last]
        self.labels = torch.tensor([label(scene_and_picture(i)[0]) for i in range(first, last)])
        self.generator = torch.Generator().manual_seed(seed)
        # As many stars as all other shapes get in two: the classes are drawn with these weights.
        weight = torch.ones(9)
        weight[0] = 3.0
        counts = torch.bincount(self.labels, minlength=9)
        self.weights = (weight / counts)[self.labels].double()
        extra = np.load(work / f"views-{kind}.npz")
        self.rows = torch.from_numpy(extra["rows"]) - first
        self.decoded = {name: torch.from_numpy(extra[name]) for name in extra.files if name != "rows"}

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        g = self.generator
        drawn = torch.multinomial(self.weights, BATCH // 2, generator=g)
        x = torch.from_numpy(self.pictures[drawn.numpy()]).permute(0, 3, 1, 2)
        x, y = self._worn(x.float().div(127.5).sub(1)), self.labels[drawn]
        name = list(self.decoded)[int(torch.randint(len(self.decoded), (), generator=g))]
        picked = torch.multinomial(self.weights[self.rows], BATCH // 2, generator=g)
        other = self.decoded[name][picked].float().div(127.5).sub(1)
        if other.shape[-1] < 64:
            other = self._larger(other)
        blank = 2 * torch.rand((BLANK, 3, 1, 1), generator=g) - 1
        views = [x, self._noisy(other), self._noisy(blank.expand(-1, -1, 64, 64))]
        return torch.cat(views), torch.cat([y, self.labels[self.rows[picked]], torch.full((BLANK,), len(SHAPES))])

    def _worn(self, x: torch.Tensor) -> torch.Tensor:
        """Blur and pooling for previews; for final pictures a little of either."""
        chance = float(torch.rand((), generator=self.generator))
        if self.kind == "preview" and chance < 0.35:
            x = self._larger(avg_pool2d(x, 4))
        elif chance < (0.7 if self.kind == "preview" else 0.25):
            x = interpolate(avg_pool2d(x, 2), scale_factor=2, mode="bilinear")
        return self._noisy(x)

    def _larger(self, x: torch.Tensor) -> torch.Tensor:
        nearest = float(torch.rand((), generator=self.generator)) < 0.3
        return interpolate(x, size=64, mode="nearest") if nearest else interpolate(x, size=64, mode="bilinear")

    def _noisy(self, x: torch.Tensor) -> torch.Tensor:
        g = self.generator
        strength = torch.rand((len(x), 1, 1, 1), generator=g) * (0.16 if self.kind == "preview" else 0.06)
        light = 0.9 + 0.2 * torch.rand((len(x), 1, 1, 1), generator=g)
        x = x * light + strength * torch.randn(x.shape, generator=g)
        return torch.where(torch.rand((len(x), 1, 1, 1), generator=g) < 0.5, x.flip(3), x).clamp(-1, 1)


@torch.inference_mode()
def prepare(work: Path, kind: str, count: int) -> None:
    """Pictures of some rows as the denoiser predicts them; for previews in both ways, else decoded latents as well.

    Predictions are made from noised latents of drawn pictures, so that what they should show is known.
    """
    first, last = ROWS[kind]
    pictures = np.load(work / "pictures.npy", mmap_mode="r")
    vae = parts.vae().eval()
    vae.load_state_dict(torch.load(work / "vae.pt", weights_only=True)["vae"])
    g = torch.Generator().manual_seed(SEEDS[kind] + 100)
    rows = torch.randperm(last - first, generator=g)[:count] + first
    out: dict[str, list[torch.Tensor]] = {"predicted": [], "linear" if kind == "preview" else "decoded": []}
    model = Model(work).eval()
    model.load_state_dict(torch.load(work / "unet.pt", weights_only=True)["kept"])
    ids = torch.from_numpy(np.load(work / "latents.npz")["ids"]).long()
    alphas = parts.scheduler().alphas_cumprod
    for k in range(0, count, 64):
        chosen = rows[k : k + 64]
        z = latents(torch.from_numpy(pictures[chosen.numpy()]))
        if kind == "final":
            out["decoded"].append(_bytes(vae.decode(z).sample))
        times = torch.randint(*TIMES[kind], (len(z),), generator=g)
        a = alphas[times].sqrt().view(-1, 1, 1, 1)
        s = (1 - alphas[times]).sqrt().view(-1, 1, 1, 1)
        noisy = a * z + s * torch.randn(z.shape, generator=g)
        z = a * noisy - s * model(noisy, times, ids[chosen, 0])
        out["predicted"].append(_bytes(vae.decode(z).sample))
        if kind == "preview":
            out["linear"].append(_bytes(colours(z)))
    np.savez(work / f"views-{kind}.npz", rows=rows.numpy(), **{n: torch.cat(v).numpy() for n, v in out.items()})


def _bytes(x: torch.Tensor) -> torch.Tensor:
    return ((x.float().clamp(-1, 1) + 1) * 127.5).round().byte()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("final", "preview"))
    parser.add_argument("--work", type=Path, default=Path(".guardrail/standin"))
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--decoded", type=int, default=4000, help="how many rows are seen through the autoencoder")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    seed = SEEDS[options.kind]
    torch.manual_seed(seed)  # a program of its own: the global state is its to seed
    if not (options.work / f"views-{options.kind}.npz").exists():
        prepare(options.work, options.kind, options.decoded)
    net = parts.judge() if options.kind == "final" else parts.preview_judge()
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=0.02)
    clock = Clock(options.work / f"judge-{options.kind}.pt", options.minutes, RATE)
    clock.resume(net=net, optimiser=optimiser)
    views = Views(options.work, options.kind, seed + clock.step)
    right = 0.0
    while clock.share < 1:
        for group in optimiser.param_groups:
            group["lr"] = clock.learning_rate(50)
        x, y = views.batch()
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(x)
        loss = cross_entropy(logits.float(), y)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        clock.step += 1
        right = 0.98 * right + 0.02 * float((logits.argmax(1) == y).float().mean())
        if clock.step % 100 == 0:
            print(
                json.dumps({"step": clock.step, "minutes": round(clock.spent, 2), "right": round(right, 4)}), flush=True
            )
        if clock.due:
            clock.save(net=net, optimiser=optimiser)
    clock.save(net=net, optimiser=optimiser)


if __name__ == "__main__":
    main()
