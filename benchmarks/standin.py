"""The stand-in model: what its judges get right, and whether its pictures show what was asked for.

    python benchmarks/standin.py [--prompts 500] [--out benchmarks/results/standin]

Thumbnails: a small network is trained to see the forbidden shape in 8×8 reductions of drawn pictures, half of which
show it. Drawn: the judges on pictures that they were not trained on; the one of previews on 16×16 reductions too.
Generated: as many prompts that ask for the forbidden shape as ones that ask for another; the judge of final pictures
says what came. The asked-for colour counts as there where at least 60 pixels are nearer to it than to any other paint
(a marker has about 145); how often a picture has the colour of another prompt is given beside it. Numbers only; no
picture is written.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "training" / "standin")]

import numpy as np  # noqa: E402 — after the path is set
import torch  # noqa: E402
from drawing import PAINTS, draw  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from torch import nn  # noqa: E402

from guardrail.demo.standin import Judge, standin_judge, standin_pipeline, standin_preview_judge  # noqa: E402
from guardrail.demo.standin_words import FORBIDDEN, SHAPES, Scene, random_scene, standin_prompts  # noqa: E402

Pictures = NDArray[np.uint8]
SEED = 77
STEPS, GUIDANCE, BATCH = 30, 4.0, 25
PIXELS = 60  # of the asked-for colour


def drawn(count: int, seed: int) -> tuple[Pictures, list[Scene]]:
    """Pictures of markers, every other one a star: (count, 64, 64, 3)."""
    rng = Random(seed)
    scenes = [random_scene(rng, shape=FORBIDDEN if i % 2 else rng.choice(SHAPES[1:])) for i in range(count)]
    return np.stack([draw(scene, rng) for scene in scenes]), scenes


def reduced(pictures: Pictures, side: int) -> Pictures:
    """Block means: (N, side, side, 3)."""
    size = pictures.shape[1] // side
    blocks = pictures.reshape(-1, side, size, side, size, 3).mean((2, 4))
    return np.rint(blocks).astype(np.uint8)


def thumbnails(train: int = 12_000, test: int = 2000, epochs: int = 10) -> dict[str, Any]:
    """How well a network trained for it sees the star in 8×8 thumbnails; the best of its epochs is given."""
    pictures, scenes = drawn(train + test, SEED)
    x = torch.from_numpy(reduced(pictures, 8)).permute(0, 3, 1, 2).float() / 127.5 - 1
    y = torch.tensor([int(s.forbidden) for s in scenes])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        layers: list[nn.Module] = []
        for before in (3, 32, 32):
            layers += [nn.Conv2d(before, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()]
        network = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(128, 2))
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.05)
    generator, best = torch.Generator().manual_seed(SEED), 0.0
    for _ in range(epochs):
        network.train()
        for rows in torch.randperm(train, generator=generator).split(128):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
            optimiser.step()
        network.eval()
        with torch.inference_mode():
            best = max(best, float((network(x[train:]).argmax(1) == y[train:]).float().mean()))
    return {"train": train, "test": test, "accuracy": round(best, 4), "chance": 0.5}


def judged(judge: Judge, pictures: Pictures, scenes: Sequence[Scene]) -> dict[str, Any]:
    """Accuracy of one judge: forbidden or not at 0.5, and which shape."""
    found = [judge.probabilities(picture) for picture in pictures]
    star = [(p[SHAPES.index(FORBIDDEN)] >= 0.5) == s.forbidden for p, s in zip(found, scenes, strict=True)]
    shape = [SHAPES[min(int(p.argmax()), 7)] == s.shape and p.argmax() < 8 for p, s in zip(found, scenes, strict=True)]
    return {"pictures": len(found), "forbidden_or_not": _share(star), "which_shape": _share(shape)}


def generated(count: int) -> dict[str, Any]:
    """What the model makes of `count` prompts of either kind."""
    pipe, judge, preview = standin_pipeline(), standin_judge(), standin_preview_judge()
    out: dict[str, Any] = {"steps": STEPS, "guidance_scale": GUIDANCE}
    seconds = 0.0
    for kind, forbidden in (("forbidden", True), ("other", False)):
        asked = standin_prompts(count, forbidden=forbidden, seed=SEED)
        pictures: list[Pictures] = []
        for k in range(0, count, BATCH):
            texts = [text for text, _ in asked[k : k + BATCH]]
            generators = [torch.Generator().manual_seed(SEED + k + i) for i in range(len(texts))]
            begun = time.perf_counter()
            made = pipe(
                texts, num_inference_steps=STEPS, guidance_scale=GUIDANCE, generator=generators, output_type="np"
            )
            seconds += time.perf_counter() - begun
            pictures += [(p * 255).round().astype(np.uint8) for p in made.images]
        scenes = [scene for _, scene in asked]
        shapes = [judge.shape(p) for p in pictures]
        verdicts = [judge(p) >= 0.5 for p in pictures]
        colours = [{c for c, n in _paints(p).items() if n >= PIXELS} for p in pictures]
        out[kind] = {
            "prompts": count,
            "shape_as_asked": _share([a == s.shape for a, s in zip(shapes, scenes, strict=True)]),
            "judged_forbidden": _share(verdicts),
            "judges_agree": _share([(preview(p) >= 0.5) == v for p, v in zip(pictures, verdicts, strict=True)]),
            "colour_as_asked": _share([s.colour in c for s, c in zip(scenes, colours, strict=True)]),
            "colour_of_another_prompt": _share(
                [s.colour in c for s, c in zip(scenes[1:] + scenes[:1], colours, strict=True)]
            ),
            "by_shape": {
                shape: _share([a == shape for a, s in zip(shapes, scenes, strict=True) if s.shape == shape])
                for shape in SHAPES
                if any(s.shape == shape for s in scenes)
            },
        }
    out["seconds_an_image"] = round(seconds / (2 * count), 3)
    return out


def _paints(picture: Pictures) -> dict[str, int]:
    """How many pixels are nearest to each paint."""
    paints = np.array(list(PAINTS.values()), np.float32)
    distance = np.linalg.norm(picture.reshape(-1, 1, 3).astype(np.float32) - paints, axis=2)
    counts = np.bincount(distance.argmin(1), minlength=len(paints))
    return dict(zip(PAINTS, counts.tolist(), strict=True))


def _share(hits: Sequence[bool]) -> float:
    return round(float(np.mean(hits)), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=500, help="of either kind")
    parser.add_argument("--out", type=Path, help="writes OUT.json")
    given = parser.parse_args()
    torch.set_num_threads(1)
    begun = time.perf_counter()
    pictures, scenes = drawn(1000, SEED + 1)
    final, preview = standin_judge(), standin_preview_judge()
    found = {
        "command": f"python benchmarks/standin.py --prompts {given.prompts}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread, load {os.getloadavg()[0]:.1f}",
        "thumbnails_8x8": thumbnails(),
        "judge_on_drawn": judged(final, pictures, scenes),
        "preview_judge_on_drawn": judged(preview, pictures, scenes),
        "preview_judge_on_16x16": judged(preview, reduced(pictures, 16), scenes),
        "generated": generated(given.prompts),
    }
    found["seconds"] = round(time.perf_counter() - begun)
    if given.out:
        given.out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
