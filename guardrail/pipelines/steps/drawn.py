"""Pictures to measure an autoencoder with: colour fields, soft noise, shapes and stripes, drawn here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["drawn_pictures"]


def drawn_pictures(count: int, side: int, *, seed: int) -> NDArray[np.float32]:
    """(count, 3, side, side) pictures in 0..1, the same for the same numbers.

    Soft noise has the spectrum of photographs, amplitude falling with frequency (Field 1987); what is drawn over it
    has edges and flat colours.
    """
    random = np.random.default_rng(seed)
    return np.stack([_one(random, side) for _ in range(count)]).astype(np.float32)


def _one(random: np.random.Generator, side: int) -> NDArray[np.float64]:
    y, x = np.mgrid[0:side, 0:side] / side
    picture = _soft(random, side, float(random.uniform(0.8, 1.6)))
    picture = random.uniform(0, 1, (3, 1, 1)) + random.uniform(0.1, 0.5) * picture
    angle = random.uniform(0, np.pi)
    picture += random.uniform(-0.4, 0.4, (3, 1, 1)) * (np.cos(angle) * x + np.sin(angle) * y - 0.5)
    for _ in range(int(random.integers(2, 7))):
        colour = random.uniform(0, 1, (3, 1, 1))
        if random.uniform() < 0.3:
            colour = colour + 0.4 * np.sign(np.sin(random.uniform(10, 60) * (np.cos(angle) * x + np.sin(angle) * y)))
        where = _shape(random, x, y)
        picture = np.where(where, colour, picture)
    return np.clip(picture, 0, 1)


def _shape(random: np.random.Generator, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    (u, v), (a, b) = random.uniform(0, 1, 2), random.uniform(0.05, 0.35, 2)
    turn = random.uniform(0, np.pi)
    p = (np.cos(turn) * (x - u) + np.sin(turn) * (y - v)) / a
    q = (np.cos(turn) * (y - v) - np.sin(turn) * (x - u)) / b
    kind = int(random.integers(3))
    if kind == 0:
        return np.asarray(p**2 + q**2 < 1)
    return np.asarray(np.maximum(abs(p), abs(q)) < 1 if kind == 1 else (q > -0.8) & (q + 2 * abs(p) < 1))


def _soft(random: np.random.Generator, side: int, fall: float) -> NDArray[np.float64]:
    """(3, side, side) noise whose amplitude falls as frequency to the power of `fall`, of unit spread."""
    spectrum = np.fft.rfft2(random.standard_normal((3, side, side)))
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    noise = np.fft.irfft2(spectrum / np.maximum(np.hypot(fy, fx), 1 / side) ** fall, (side, side))
    noise -= noise.mean((1, 2), keepdims=True)
    mixed = np.einsum("ij,jyx->iyx", random.uniform(-1, 1, (3, 3)) + np.eye(3), noise)
    return np.asarray(mixed / (mixed.std() + 1e-9))
