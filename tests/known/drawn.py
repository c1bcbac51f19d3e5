"""Drawn pictures with enough in them for a perceptual hash; every seed is another one."""

from __future__ import annotations

import numpy as np
from PIL import Image

from guardrail.media.types import Frame


def drawn(seed: int, size: tuple[int, int] = (240, 320)) -> Frame:
    """(height, width, 3) uint8: soft patches of colour, as a photograph has them at a distance."""
    rng = np.random.default_rng(seed)
    octaves = [(4, 1.0), (8, 0.6), (16, 0.4), (32, 0.2)]
    out = np.zeros((*size, 3))
    for cells, strength in octaves:
        noise = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        out += strength * np.asarray(noise.resize(size[::-1], Image.Resampling.BICUBIC), np.float64)
    out -= out.min()
    return np.rint(out / out.max() * 255).astype(np.uint8)


def plain(size: tuple[int, int] = (64, 64)) -> Frame:
    """One colour."""
    return np.full((*size, 3), 90, np.uint8)
