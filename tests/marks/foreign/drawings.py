"""Drawn pictures, and a minimal embedder of ``dwtDct`` marks after the method's description, for these tests only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def drawing(seed: int, height: int = 256, width: int = 256) -> NDArray[np.uint8]:
    """Coloured waves and discs with some grain: (H, W, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    planes = []
    for _ in range(3):
        fx, fy, phase = rng.uniform(0.005, 0.06, 3)
        planes.append(128 + 90 * np.sin(fx * x + fy * y + 20 * phase))
    picture = np.stack(planes, -1)
    for _ in range(6):
        cy, cx, r = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(10, 60)
        picture[(y - cy) ** 2 + (x - cx) ** 2 < r * r] = rng.uniform(0, 255, 3)
    return np.clip(np.rint(picture + rng.normal(0, 4, picture.shape)), 0, 255).astype(np.uint8)


def marked(pixels: NDArray[np.uint8], message: tuple[int, ...], *, offset: float = 0.5) -> NDArray[np.uint8]:
    """`pixels` with a message in the U plane. `offset` is that of the plane: 0.5 for floats, 128 for 8-bit pixels."""
    rgb = pixels.astype(np.float64)
    luma = rgb @ [0.299, 0.587, 0.114]
    u = 0.492 * (rgb[..., 2] - luma) + offset
    height, width = (s // 8 * 8 for s in u.shape)
    low = u[:height, :width].reshape(height // 2, 2, width // 2, 2).sum((1, 3)) / 2
    blocks = low.reshape(height // 8, 4, width // 8, 4).transpose(0, 2, 1, 3).reshape(-1, 16)
    rows, place = np.arange(len(blocks)), 1 + np.argmax(np.abs(blocks[:, 1:]), axis=1)
    value = blocks[rows, place]
    level = np.abs(value) // 36 + 0.25 + 0.5 * np.resize(np.array(message, float), len(blocks))
    moves = np.zeros_like(blocks)
    moves[rows, place] = np.where(value >= 0, 1, -1) * level * 36 - value
    moved = moves.reshape(height // 8, width // 8, 4, 4).transpose(0, 2, 1, 3).reshape(low.shape)
    new = u.copy()
    new[:height, :width] += moved.repeat(2, 0).repeat(2, 1) / 2
    # Only U changes: B = Y + U / 0.492, R stays, and G makes the luma what it was.
    change = (new - u) / 0.492
    out = rgb.copy()
    out[..., 2] += change
    out[..., 1] -= change * 0.114 / 0.587
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)
