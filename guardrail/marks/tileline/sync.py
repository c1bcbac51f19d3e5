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
from guardrail.marks.tileline.layout import CHANNELS, Layout

__all__ = ["GRID", "ROUGH_GRID", "Peak", "aligned", "climb", "locate"]

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


def _turn(values: NDArray[np.complex64], channel: int, variant: int) -> NDArray[np.complex64]:
    """Values of the lattice as the upright image would show them."""
    taken = values[CHANNELS[channel].turned[variant]]
    out: NDArray[np.complex64] = np.where(CHANNELS[channel].conjugate[variant], np.conj(taken), taken)
    return out


def locate(
    lines: Lines, layout: Layout, variants: tuple[int, ...] = tuple(range(8)), count: int = 4, grid: int = GRID
) -> list[Peak]:
    """The `count` best (variant, shift) hypotheses, best first. `lines` are whitened; `grid` shifts per axis."""
    half = np.zeros((len(variants), grid, grid // 2 + 1), np.complex64)
    energy = 0.0
    products = []
    for c, (channel, chosen, phase) in enumerate(zip(CHANNELS, layout.sync, layout.phase, strict=True)):
        ky, kx = channel.k[chosen].T
        # irfft2 counts a column kx > 0 twice (with its mirror image), kx == 0 once.
        weight = np.where(kx == 0, 2.0, 1.0).astype(np.float32)
        product = np.stack([_turn(lines[c], c, v)[chosen] for v in variants]) * np.conj(phase)
        half[:, ky % grid, kx] += product * weight
        energy = energy + (product.real**2 + product.imag**2).sum(1)
        products.append(product)
    root = np.sqrt(energy + 1e-12)
    surface = fft.irfft2(half, (grid, grid)) * (grid * grid / 2 * np.sqrt(2) / root)[:, None, None]
    product = np.concatenate(products, axis=1)
    k = np.concatenate([channel.k[chosen] for channel, chosen in zip(CHANNELS, layout.sync, strict=True)])
    peaks = []
    for _ in range(count):
        v, y, x = (int(i) for i in np.unravel_index(int(surface.argmax()), surface.shape))
        start = np.array([y, x]) / grid
        value, shift = climb(product[v], k, start)
        peaks.append(
            Peak(value * float(np.sqrt(2) / root[v]), variants[v], (float(shift[0] % 1.0), float(shift[1] % 1.0)))
        )
        rows = np.arange(y - 2, y + 3) % grid
        surface[v][np.ix_(rows, np.arange(x - 2, x + 3) % grid)] = -np.inf
    return sorted(peaks, key=lambda p: -p.score)


def climb(
    product: NDArray[np.complex64], k: NDArray[np.int64], shift: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Highest sum of the real parts of product × exp(2πi k·shift) near `shift`, by Newton's method, and its place."""
    turn = 2j * np.pi * k
    best, at = -np.inf, shift
    for _ in range(_NEWTON_STEPS + 1):
        waves = product * np.exp(turn @ shift)
        value = float(waves.real.sum())
        if value <= best:
            break
        best, at = value, shift
        gradient = (waves[:, None] * turn).real.sum(0)
        hessian = np.einsum("n,ni,nj->ij", waves, turn, turn).real
        if np.linalg.det(hessian) <= 0 or hessian[0, 0] >= 0:
            break
        shift = shift - np.linalg.solve(hessian, gradient)
    return best, at


def aligned(lines: Lines, peak: Peak) -> Lines:
    """The lines as the upright, unshifted image would show them."""
    out = []
    for c, channel in enumerate(CHANNELS):
        ramp = np.exp(2j * np.pi * (channel.k @ np.array(peak.shift)))
        out.append((_turn(lines[c], c, peak.variant) * ramp).astype(np.complex64))
    return tuple(out)
