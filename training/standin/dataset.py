"""The pictures and captions that everything here is trained on, made once from a seed and kept as plain arrays."""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
from drawing import SIDE, draw

from guardrail.demo.standin_words import SHAPES, Scene, caption, random_scene

SEED = 20261128
PICTURES = 24_000
CAPTIONS = 4  # a picture
UNKNOWN = 0.06  # share of captions with words that the vocabulary lacks; such words are to be ignored
GIBBERISH = 0.02  # share of captions of nothing else


def scene_and_picture(number: int, seed: int = SEED) -> tuple[Scene, np.ndarray]:
    """Scene `number` and its picture, whatever was drawn before."""
    rng = Random(seed * 1_000_003 + number)
    scene = random_scene(rng)
    return scene, draw(scene, rng)


def captions(number: int, scene: Scene, seed: int = SEED) -> list[str]:
    """`CAPTIONS` captions of a scene, a few of them with unknown words."""
    rng = Random(seed * 2_000_003 + number)
    return [_disturbed(caption(scene, rng), rng) for _ in range(CAPTIONS)]


def _disturbed(text: str, rng: Random) -> str:
    chance = rng.random()
    if chance > UNKNOWN + GIBBERISH:
        return text
    strange = [
        "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9))) for _ in range(rng.randint(1, 4))
    ]
    if chance < GIBBERISH:
        return " ".join(strange)
    words = text.split()
    for word in strange[:2]:
        words.insert(rng.randint(0, len(words)), word)
    return " ".join(words)


def label(scene: Scene) -> int:
    """The index of the scene's shape in `SHAPES`; one past the end where there is none."""
    return SHAPES.index(scene.shape) if scene.shape else len(SHAPES)


def pictures(count: int, seed: int = SEED) -> tuple[np.ndarray, list[Scene]]:
    """(count, 64, 64, 3) uint8 and their scenes."""
    out = np.empty((count, SIDE, SIDE, 3), np.uint8)
    scenes = []
    for i in range(count):
        scene, out[i] = scene_and_picture(i, seed)
        scenes.append(scene)
    return out, scenes


def _part(start: int, stop: int) -> np.ndarray:
    return np.stack([scene_and_picture(i)[1] for i in range(start, stop)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".guardrail/standin"))
    parser.add_argument("--count", type=int, default=PICTURES)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    steps = list(range(0, options.count, 2000))
    with ProcessPoolExecutor(2) as pool:
        parts = list(pool.map(_part, steps, [min(s + 2000, options.count) for s in steps]))
    np.save(options.work / "pictures.npy", np.concatenate(parts))


if __name__ == "__main__":
    main()
