"""What an attacker does to pixels. No function here knows a key: what a detector answers comes in as a callable.

Pixels are (H, W, 3) uint8; residuals are (H, W, 3) float32 in grey levels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Climb",
    "added",
    "averaged",
    "band_noise",
    "climbed",
    "corner",
    "mean_residual",
    "median_of",
    "residual",
    "scaled_to",
    "smoothed",
    "without_detail",
]

Pixels = NDArray[np.uint8]
Residual = NDArray[np.float32]

_RADIUS, _SPACE, _RANGE = 3, 2.0, 14.0  # bilateral filter: pixels, pixels, grey levels
_TILES = 4  # along the short side: the attacker has read the source
_BAND = (2.0, 18.0)  # cycles per tile: likewise


def smoothed(pixels: Pixels, how: str = "bilateral") -> NDArray[np.float32]:
    """The picture without its fine detail, and so without most of a mark: bilateral (Tomasi and Manduchi, 1998), or
    median of 5 × 5.

    Raises:
        ValueError: another way was asked for.
    """
    if how == "median":
        from PIL import Image, ImageFilter

        return np.asarray(Image.fromarray(pixels).filter(ImageFilter.MedianFilter(5)), np.float32)
    if how != "bilateral":
        raise ValueError(f"no filter is called {how!r}: take bilateral or median")
    height, width = pixels.shape[:2]
    centre = pixels.astype(np.float32)
    padded = np.pad(centre, ((_RADIUS, _RADIUS), (_RADIUS, _RADIUS), (0, 0)), mode="reflect")
    total, weight = np.zeros_like(centre), np.zeros((height, width, 1), np.float32)
    for dy in range(2 * _RADIUS + 1):
        for dx in range(2 * _RADIUS + 1):
            away = (dy - _RADIUS) ** 2 + (dx - _RADIUS) ** 2
            if away > _RADIUS**2 + 1:
                continue
            other = padded[dy : dy + height, dx : dx + width]
            distance = np.square(other - centre).mean(-1, keepdims=True)
            w = np.exp(-distance / (2 * _RANGE**2) - away / (2 * _SPACE**2))
            total += w * other
            weight += w
    made: NDArray[np.float32] = total / weight
    return made


def without_detail(pixels: Pixels, how: str) -> Pixels:
    """`smoothed`, rounded to eight bits."""
    return np.asarray(np.rint(smoothed(pixels, how)), np.uint8)


def residual(pixels: Pixels, how: str = "bilateral") -> Residual:
    """What smoothing takes away: the attacker's estimate of a mark, with the picture's own detail in it."""
    made: Residual = pixels.astype(np.float32) - smoothed(pixels, how)
    return made


def mean_residual(residuals: Sequence[Residual]) -> Residual:
    """What the estimates have in common."""
    return np.asarray(np.mean(np.stack(residuals), axis=0), np.float32)


def scaled_to(estimate: Residual, psnr_db: float) -> Residual:
    """The same pattern at a strength that costs a picture so many dB of signal-to-noise ratio."""
    power = float(np.mean(np.square(estimate, dtype=np.float64)))
    wanted = 255.0**2 / 10 ** (psnr_db / 10)
    return estimate * np.float32(np.sqrt(wanted / max(power, 1e-12)))


def added(pixels: Pixels, what: Residual, sign: float = 1.0) -> Pixels:
    """Rounded to eight bits."""
    return np.clip(np.rint(pixels + np.float32(sign) * what), 0, 255).astype(np.uint8)


def averaged(copies: Sequence[Pixels]) -> Pixels:
    """One picture out of many marked copies of it: their mean."""
    return np.asarray(np.rint(np.mean(np.stack(copies), axis=0)), np.uint8)


def median_of(copies: Sequence[Pixels]) -> Pixels:
    """The same by the median."""
    return np.asarray(np.rint(np.median(np.stack(copies), axis=0)), np.uint8)


def corner(pixels: Pixels, area: float) -> Pixels:
    """Keeps a share of the area, cut off on all sides but unevenly, so that low frequencies move too."""
    height, width = pixels.shape[:2]
    h, w = round(height * area**0.5), round(width * area**0.5)
    top, left = (height - h) // 3, (width - w) * 2 // 3
    return np.ascontiguousarray(pixels[top : top + h, left : left + w])


class Climb(NamedTuple):
    """Where a search with the detector's answer ended.

    Attributes:
        pixels: the last picture that was tried.
        queries: asked in all.
        reached: the goal was met.
    """

    pixels: Pixels
    queries: int
    reached: bool


def climbed(
    pixels: Pixels,
    score: Callable[[Pixels], float],
    done: Callable[[Pixels], bool],
    rng: np.random.Generator,
    *,
    queries: int,
    up: bool,
    probe_db: float = 38.0,
    lowest_db: float = 30.0,
) -> Climb:
    """Moves a detector's score up or down by asking it: the sensitivity attack.

    Half of the questions go in pairs along random directions of the watermark's own band, repeated with its tile (it is
    published, only the key is secret); their differences add up to an estimate of the gradient (as in Spall's
    simultaneous perturbation, 1992, with all steps taken from one point: the score is nearly linear in the picture, cf.
    Comesaña, Pérez-Freire and Pérez-González, 2006). Then the picture is moved along the estimate, 1 dB more at a time,
    until the goal is met. What is left of the questions goes into a second estimate from there.

    Args:
        score: what the detector says, a number.
        done: whether the goal is met.
        queries: questions of both kinds together.
        up: raise the score; else lower it.
        probe_db: strength of the probes.
        lowest_db: the attacker's limit of quality.
    """
    asked, base = 0, pixels
    gradient = np.zeros(_tile_shape(pixels), np.float32)
    sign = 1.0 if up else -1.0
    tried = pixels
    for share in (0.5, 1.0):
        while asked + 2 <= queries * share:
            direction = _direction(rng, gradient.shape)
            probe = scaled_to(_over(direction, pixels), probe_db)
            difference = score(added(base, probe)) - score(added(base, probe, -1.0))
            asked += 2
            if np.isfinite(difference):
                gradient += np.float32(difference) * direction
        if not gradient.any():
            continue  # nothing was learnt yet
        pattern = _over(gradient, pixels)
        for db in np.arange(44.0, lowest_db - 0.5, -1.0):
            tried = added(pixels, scaled_to(pattern, float(db)), sign)
            asked += 1
            if done(tried):
                return Climb(tried, asked, True)
        base = added(pixels, scaled_to(pattern, lowest_db + 6), sign)
    return Climb(tried, asked, False)


def band_noise(pixels: Pixels, psnr_db: float, rng: np.random.Generator) -> Pixels:
    """Noise in the watermark's band, repeated with its tile: what can be done without a single question."""
    return added(pixels, scaled_to(_over(_direction(rng, _tile_shape(pixels)), pixels), psnr_db))


def _tile_shape(pixels: Pixels) -> tuple[int, int, int]:
    side = max(8, min(pixels.shape[:2]) // _TILES)
    return side, side, 3


def _direction(rng: np.random.Generator, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """One tile of noise in the band, mean square 1."""
    side = shape[0]
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]) * side
    keep = (radius >= _BAND[0]) & (radius <= _BAND[1])
    made = np.stack(
        [np.fft.irfft2(np.fft.rfft2(rng.normal(size=(side, side))) * keep, (side, side)) for _ in range(3)], axis=-1
    )
    return np.asarray(made / np.sqrt(np.mean(made**2)), np.float32)


def _over(tile: NDArray[np.float32], pixels: Pixels) -> NDArray[np.float32]:
    """The tile repeated over a picture."""
    height, width = pixels.shape[:2]
    rows, columns = -(-height // tile.shape[0]), -(-width // tile.shape[1])
    return np.tile(tile, (rows, columns, 1))[:height, :width]
