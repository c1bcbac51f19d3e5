"""Finding the tile's origin and which of the eight turns and mirror images was taken.

The sync lines of an image that was shifted by d tiles are the embedded ones times exp(2πi k·d): one inverse transform
of (observed × conjugate of embedded) is the correlation at every shift. A turned or mirrored image has the same lines
in other places, so the eight variants are eight gathers of one spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from guardrail.marks.tileline.frontend import Lines
from guardrail.marks.tileline.layout import CHANNELS, VARIANTS, Layout

__all__ = ["GRID", "ROUGH_GRID", "Peak", "aligned", "both_signs", "climb", "locate"]

# Shifts tried per axis. The highest line turns by 41 degrees over half a step; the refinement below takes that back.
GRID = 96
# Enough to sort maps by, of which the best are refined: at half a step the middle of the band has turned by 39 degrees.
ROUGH_GRID = 64
_NEWTON_STEPS = 2


@dataclass(frozen=True)
class Peak:
    """One hypothesis: `score` is the sync correlation over its root energy (see `calibration.sync_rate`)."""

    score: float
    variant: int
    shift: tuple[float, float]  # tiles


def both_signs(lines: Lines) -> NDArray[np.complex64]:
    """All lines of the three channels in a row, then the same conjugated: what `Layout.turned` points into."""
    values = np.concatenate(lines)
    return np.concatenate([values, np.conj(values)])


def locate(signed: NDArray[np.complex64], layout: Layout, count: int = 4, grid: int = GRID) -> list[Peak]:
    """The `count` best (variant, shift) hypotheses, best first.

    Args:
        signed: `both_signs` of whitened lines; the same for every layout.
        layout: whose sync lines are looked for.
        grid: shifts tried per axis.
    """
    product = signed[layout.turned] * layout.conjugate_phase
    ky, kx = layout.k.T
    half = np.zeros((len(VARIANTS), grid, grid // 2 + 1), np.complex64)
    # irfft2 counts a column kx > 0 twice (with its mirror image), kx == 0 once. The channels share frequencies.
    first = 0
    for chosen in layout.sync:
        part = slice(first, first + len(chosen))
        first += len(chosen)
        half[:, ky[part] % grid, kx[part]] += product[:, part] * np.where(kx[part] == 0, 2, 1).astype(np.float32)
    root = np.sqrt((product.real**2 + product.imag**2).sum(1) + 1e-12)
    surface = fft.irfft2(half, (grid, grid)) * (grid * grid / 2 * np.sqrt(2) / root)[:, None, None]
    peaks = []
    for _ in range(count):
        v, y, x = (int(i) for i in np.unravel_index(int(surface.argmax()), surface.shape))
        value, shift = climb(product[v], layout.k, np.array([y, x]) / grid)
        peaks.append(Peak(value * float(np.sqrt(2) / root[v]), v, (float(shift[0] % 1.0), float(shift[1] % 1.0))))
        if len(peaks) < count:
            rows = np.arange(y - 2, y + 3) % grid
            surface[v][np.ix_(rows, np.arange(x - 2, x + 3) % grid)] = -np.inf
    return sorted(peaks, key=lambda p: -p.score)


def climb(
    product: NDArray[np.complex64], k: NDArray[np.int64], shift: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Highest sum of the real parts of product × exp(2πi k·shift) near `shift`, by Newton's method, and its place."""
    ky, kx = k.T.astype(np.float64)
    best, at = -np.inf, shift
    for _ in range(_NEWTON_STEPS + 1):
        waves = product * np.exp(2j * np.pi * (ky * shift[0] + kx * shift[1]))
        value = float(waves.real.sum())
        if value <= best:
            break
        best, at = value, shift
        # Gradient and Hessian, by 2π and by -4π².
        gradient = np.array([-(waves.imag @ ky), -(waves.imag @ kx)])
        down = waves.real * ky
        yy, yx, xx = float(down @ ky), float(down @ kx), float((waves.real * kx) @ kx)
        determinant = yy * xx - yx * yx
        if determinant <= 0 or yy <= 0:
            break
        step = np.array([xx * gradient[0] - yx * gradient[1], yy * gradient[1] - yx * gradient[0]])
        shift = shift + step / (2 * np.pi * determinant)
    return best, at


def aligned(lines: Lines, peak: Peak) -> Lines:
    """The lines as the upright, unshifted image would show them."""
    out = []
    for values, channel in zip(lines, CHANNELS, strict=True):
        taken = values[channel.turned[peak.variant]]
        turned = np.where(channel.conjugate[peak.variant], np.conj(taken), taken)
        ramp = np.exp(2j * np.pi * (channel.k @ np.array(peak.shift)))
        out.append((turned * ramp).astype(np.complex64))
    return tuple(out)
