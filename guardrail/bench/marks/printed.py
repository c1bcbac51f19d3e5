"""A picture off the screen: printed in dots and seen by a camera, or seen at a slant."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

__all__ = ["halftoned", "perspective", "print_halftone"]

_FINE = 4  # printer's dots per pixel and direction
_CELL = 6.0  # printer's dots per cell of the screen: 1.5 pixels, as 512 px printed 9 cm wide at 100 lines per inch
_ANGLES = (15.0, 75.0, 45.0)  # degrees, of cyan, magenta and yellow: 30 and more apart, so that they show no moiré


@lru_cache(maxsize=1)
def _ranks() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values of the spot function and what share of a cell lies below: makes equal steps of tone equal areas."""
    u = (np.arange(512) + 0.5) / 512
    spot = np.sort((np.cos(2 * np.pi * u)[:, None] + np.cos(2 * np.pi * u)[None, :]).ravel())
    at = np.linspace(0, spot.size - 1, 257).astype(int)
    return spot[at], at / (spot.size - 1)


def halftoned(pixels: NDArray[np.uint8], cell: float = _CELL) -> NDArray[np.uint8]:
    """(4 H, 4 W, 3): every value 0 or 255, by clustered dots of three inks on turned screens.

    Args:
        cell: size of the screen's cell in printer's dots; 4 of them are a pixel of the picture.
    """
    height, width = (n * _FINE for n in pixels.shape[:2])
    out = np.empty((height, width, 3), np.uint8)
    spots, shares = _ranks()
    limit = np.interp(np.arange(256) / 255, shares, spots).astype(np.float32)  # spots below it are paper
    for c, degrees in enumerate(_ANGLES):
        along, across = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]) * 2 * np.pi / cell
        spot = _wave(height, width, across, along) + _wave(height, width, along, -across)
        tone = Image.fromarray(pixels[..., c]).resize((width, height), Image.Resampling.BICUBIC)
        out[..., c] = 255 * (spot < limit[np.asarray(tone)])
    return out


def _wave(height: int, width: int, down: float, right: float) -> NDArray[np.float32]:
    """cos(down · y + right · x) on a grid, as a product of two columns and two rows."""
    y, x = np.exp(1j * down * np.arange(height)), np.exp(1j * right * np.arange(width))
    columns, rows = np.stack([y.real, -y.imag], 1), np.stack([x.real, x.imag])
    return columns.astype(np.float32) @ rows.astype(np.float32)


def print_halftone(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Printed in dots, then photographed: blurred by the lens, sampled at the old size, noisy, saved as JPEG 85."""
    dots = Image.fromarray(halftoned(np.asarray(image)))
    seen = dots.filter(ImageFilter.GaussianBlur(0.35 * _CELL)).reduce(_FINE)
    small = np.asarray(seen, np.float64)
    small = 12 + 0.9 * small + rng.normal(0, 2, small.shape)  # black is not black and paper not white
    buffer = io.BytesIO()
    Image.fromarray(np.clip(np.rint(small), 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
    return Image.open(buffer).convert("RGB")


def perspective(shift: float) -> Callable[[Image.Image, np.random.Generator], Image.Image]:
    """Every corner moves by `shift` of the side, in or out, across and down, by chance; all four never alike."""

    def attack(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        w, h = image.size
        corners = np.array([(0, 0), (w, 0), (w, h), (0, h)], float)
        moved = corners.copy()
        while np.ptp(moved - corners, axis=0).max() == 0:
            moved = corners + rng.choice((-shift, shift), (4, 2)) * (w, h)
        rows, right = [], []
        # From the new corners back to the old ones: eight equations for the eight coefficients of the map.
        for (x, y), (u, v) in zip(moved, corners, strict=True):
            rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
            right += [u, v]
        solved = np.linalg.solve(np.array(rows), np.array(right))
        return image.transform(
            (w, h), Image.Transform.PERSPECTIVE, [float(a) for a in solved], Image.Resampling.BICUBIC
        )

    return attack
