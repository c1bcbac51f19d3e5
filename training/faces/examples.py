"""The training set: made anew from seeds, the same each time.

    python training/faces/examples.py --wheels WHEELS --out FOLDER [--count 6000]

Half are photographs, half depictions; the depictions are mostly renderings of the very crops that are photographs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from cameras import camera, journey
from heads import drawn_head, modelled_head
from lines import LINES
from photographs import Picture, load_photographs, photo_crop
from stylise import FLAT, PAINTED, SMOOTH, Random

# Kinds of depiction and how often each is made.
KINDS = {"flat": 0.17, "painted": 0.30, "smooth": 0.22, "lines": 0.13, "drawn": 0.09, "modelled": 0.09}
CHUNK = 200
_RENDERINGS = {"flat": FLAT, "painted": PAINTED, "smooth": SMOOTH, "lines": LINES}


def depiction(crop: Picture, kind: str, rng: Random) -> Picture:
    if kind == "drawn":
        return drawn_head(rng)
    if kind == "modelled":
        return modelled_head(rng, textured=rng.random() < 0.3)
    ways = _RENDERINGS[kind]
    return ways[rng.integers(0, len(ways))](crop, rng)


def photograph(crop: Picture, rng: Random) -> Picture:
    if rng.random() < 0.04:
        return camera(modelled_head(rng, textured=True), rng, always=True)
    return camera(crop, rng)


def pair(photographs: dict[str, Picture], seed: int) -> tuple[Picture, Picture, str]:
    """A photograph, a depiction of it, and the depiction's kind; both sent through the same journey."""
    rng = np.random.default_rng([5, seed])
    crop = photo_crop(photographs, rng)
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    real, drawn = photograph(crop, rng), depiction(crop, kind, rng)
    return journey(real, rng), journey(drawn, rng), kind


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=6000, help="pairs")
    parser.add_argument("--start", type=int, default=0, help="first seed")
    given = parser.parse_args()
    photographs = load_photographs(given.wheels)
    given.out.mkdir(parents=True, exist_ok=True)
    for first in range(given.start, given.start + given.count, CHUNK):
        made = [pair(photographs, seed) for seed in range(first, first + CHUNK)]
        real, drawn, kinds = (np.array(part) for part in zip(*made, strict=True))
        np.savez(given.out / f"{first:06}.npz", real=real, drawn=drawn, kinds=kinds)
        print(first, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
