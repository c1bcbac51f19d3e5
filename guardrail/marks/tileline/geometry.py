"""Scale, rotation and small distortions: the comb of lines found in the power spectrum, then the sync lines.

All lines of the lattice repeat with the tile, whatever the key: scaled by s and turned by θ they stand in the power
spectrum at R(θ)k / s. In log-polar coordinates scale and rotation are shifts, so one correlation with the lattice tries
every scale and every angle at once (Reddy and Chatterji, 1996, for whole images; here for a comb). The best hypotheses
are then held against the key's sync lines, and the most promising refined as a full affine map.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from guardrail.marks.tileline.frontend import Planes, levels
from guardrail.marks.tileline.layout import CHANNELS, FRAME_TILE, MIRROR, VARIANTS, Layout
from guardrail.marks.tileline.sync import Peak, climb

__all__ = ["UPRIGHT_POINTS", "Comb", "Matrix", "Spectra", "combs", "refine", "upright"]

Matrix = NDArray[np.float64]

_SIDE = 1024  # transform size of luma; a frame of 256 pixels is sampled four times as densely as it needs
_WIDEST = 512  # frame pixels of the long side that are searched: the middle of longer pictures

# Largest tile, in units of the frame's: a picture cropped to 1 / _LARGEST of its short side. And the smallest.
_LARGEST, _SMALLEST = 3.2, 0.3
_STEP = 0.006  # of log scale; the same in radians is 262 columns for a quarter turn
_COLUMNS = 256
_LOW, _HIGH = float(CHANNELS[0].radius.min()), float(CHANNELS[0].radius.max())
_BAND_ROWS = int(np.ceil(np.log(_HIGH / _LOW) / _STEP)) + 1
_SCALES = int(np.ceil(np.log(_LARGEST / _SMALLEST) / _STEP))
# Lines counted in before a count is trusted: scales at which most of the comb lies beyond the spectrum stay modest.
_PRIOR_LINES = 60.0
_ROWS = fft.next_fast_len(_BAND_ROWS + _SCALES, real=True)


# Scales of the upright search and its grid of shifts.
_UPRIGHT_SCALES = np.exp(np.arange(np.log(0.9), np.log(2.5), _STEP))
_COARSE = 64
UPRIGHT_POINTS = 2 * len(_UPRIGHT_SCALES) * _COARSE * _COARSE


class Spectra:
    """Transforms of the whitened planes, to be read at any frequency; phases refer to the middle of the picture."""

    def __init__(self, planes: Planes) -> None:
        spectra = []
        for plane, channel in zip(planes, CHANNELS, strict=True):
            scale = FRAME_TILE // channel.tile
            spectra.append(_centred(plane, _WIDEST // scale, _SIDE // scale))
        self._sides = np.array([spectrum.shape[0] for spectrum in spectra])
        self._widths = np.array([spectrum.shape[1] for spectrum in spectra])
        self._firsts = np.cumsum([0, *(spectrum.size for spectrum in spectra[:-1])])
        self._values = np.concatenate([spectrum.ravel() for spectrum in spectra])
        luma = spectra[0]
        self.power = luma.real**2 + luma.imag**2

    def lines(self, matrix: Matrix) -> tuple[NDArray[np.complex64], ...]:
        """Raw values of all lines under a (2, 2) map of the lattice: line k stands at matrix @ k cycles per tile."""
        values = self.at(_LINES, _LINES_CHANNEL, matrix)
        return tuple(np.split(values, _LINES_ENDS, axis=-1))

    def at(self, k: NDArray[np.int64], channel: NDArray[np.int64], matrix: Matrix) -> NDArray[np.complex64]:
        """(…, n) values of lines k (n, 2) of channels (n,) under (…, 2, 2) maps: bilinear reading of the transforms."""
        ky, kx = (k / _TILES[channel, None]).T
        side, width, first = self._sides[channel], self._widths[channel], self._firsts[channel]
        m = matrix[..., None]
        fy = m[..., 0, 0, :] * ky + m[..., 0, 1, :] * kx
        fx = m[..., 1, 0, :] * ky + m[..., 1, 1, :] * kx
        mirrored = fx < 0
        fy, fx = np.where(mirrored, -fy, fy), np.abs(fx)
        limit = 0.5 - 1 / side
        inside = (np.abs(fy) < limit) & (fx < limit)
        down, right = np.where(inside, fy, 0.0) * side, np.where(inside, fx, 0.0) * side
        y, x = np.floor(down).astype(np.int64), right.astype(np.int64)
        v, u = (down - y).astype(np.float32), (right - x).astype(np.float32)
        top, below = first + y % side * width + x, first + (y + 1) % side * width + x
        flat = self._values
        value = (1 - v) * ((1 - u) * flat[top] + u * flat[top + 1]) + v * ((1 - u) * flat[below] + u * flat[below + 1])
        angle = (np.pi * (fy + fx)).astype(np.float32)
        ramp = np.empty_like(value)
        np.cos(angle, out=ramp.real)
        np.negative(np.sin(angle, out=angle), out=ramp.imag)
        value *= ramp
        return np.where(inside, np.where(mirrored, np.conj(value), value), 0)


# Frequencies and channels of all lines in a row, and where the next channel begins.
_TILES = np.array([channel.tile for channel in CHANNELS])
_LINES = np.concatenate([channel.k for channel in CHANNELS])
_LINES_CHANNEL = np.repeat(np.arange(len(CHANNELS)), [len(channel.k) for channel in CHANNELS])
_LINES_ENDS = np.cumsum([len(channel.k) for channel in CHANNELS])[:-1]


def _centred(plane: NDArray[np.float32], widest: int, side: int) -> NDArray[np.complex64]:
    height, width = plane.shape
    top, left = max(0, (height - widest) // 2), max(0, (width - widest) // 2)
    plane = plane[top : top + widest, left : left + widest]
    half_y, half_x = plane.shape[0] // 2, plane.shape[1] // 2
    padded = np.zeros((side, side), np.float32)
    padded[: plane.shape[0] - half_y, : plane.shape[1] - half_x] = plane[half_y:, half_x:]
    padded[: plane.shape[0] - half_y, side - half_x :] = plane[half_y:, :half_x]
    padded[side - half_y :, : plane.shape[1] - half_x] = plane[:half_y, half_x:]
    padded[side - half_y :, side - half_x :] = plane[:half_y, :half_x]
    return np.asarray(fft.rfft2(padded), np.complex64)


@dataclass(frozen=True)
class _Polar:
    """The log-polar view of a luma spectrum whose rows are divided and columns multiplied by a stretch.

    Attributes:
        index: (rows, 2 × _COLUMNS) cell of the spectrum for each log radius and angle in [0, π).
        inside: whether it lies inside the spectrum.
        share: how much of a cell's surroundings does.
        lines: (scales, _COLUMNS) root of how many lines of the comb do, with a prior that holds small counts down.
    """

    index: NDArray[np.int32]
    inside: NDArray[np.bool_]
    share: NDArray[np.float32]
    lines: NDArray[np.float32]


@lru_cache(maxsize=16)
def _polar(stretch: float) -> _Polar:
    radius = _LOW / FRAME_TILE / _LARGEST * np.exp(_STEP * np.arange(_BAND_ROWS + _SCALES))[:, None]
    angle = np.pi * np.arange(2 * _COLUMNS)[None, :] / (2 * _COLUMNS)
    fy, fx = radius * np.sin(angle) / stretch, radius * np.cos(angle) * stretch
    fy, fx = np.where(fx < 0, -fy, fy), np.abs(fx)
    inside = (np.abs(fy) < 0.5) & (fx < 0.5)
    y, x = np.rint(fy * _SIDE).astype(np.int32) % _SIDE, np.rint(fx * _SIDE).astype(np.int32)
    share = _around(inside.astype(np.float32)) + 1e-6
    lines = np.sqrt(np.maximum(_correlate(inside.astype(np.float32)), 0) + _PRIOR_LINES)
    return _Polar(np.where(inside, y * (_SIDE // 2 + 1) + x, 0), inside, share, lines)


def _around(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    return ndimage.uniform_filter(cells, 25, mode=("constant", "wrap"))


def _correlate(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum over the lattice at every (scale, angle), the two quarter turns of the view folded together."""
    folded = np.zeros((_ROWS, _COLUMNS), np.float32)
    np.add(cells[:, :_COLUMNS], cells[:, _COLUMNS:], out=folded[: len(cells)])
    return np.asarray(fft.irfft2(fft.rfft2(folded) * _template(), folded.shape)[:_SCALES])


@lru_cache(maxsize=1)
def _template() -> NDArray[np.complex64]:
    """Conjugate transform of the lattice in log-polar cells, quarter turns folded together."""
    cells = np.zeros((_ROWS, _COLUMNS), np.float32)
    ky, kx = CHANNELS[0].k.T
    rows = np.rint(np.log(CHANNELS[0].radius / _LOW) / _STEP).astype(np.int64)
    columns = np.rint(np.arctan2(ky, kx) % (np.pi / 2) / (np.pi / 2) * _COLUMNS).astype(np.int64) % _COLUMNS
    np.add.at(cells, (rows, columns), 1.0)
    out = np.conj(fft.rfft2(cells)).astype(np.complex64)
    out.setflags(write=False)
    return out


@dataclass(frozen=True)
class Comb:
    score: float
    scale: float
    radians: float
    stretch: float

    def matrix(self) -> Matrix:
        c, s = np.cos(self.radians), np.sin(self.radians)
        out: Matrix = np.diag([1 / self.stretch, self.stretch]) @ np.array([[c, s], [-s, c]]) / self.scale
        return out


def combs(spectra: Spectra, stretch: float = 1.0, count: int = 8, upright: int = 3) -> list[Comb]:
    """The strongest combs under a stretch: `count` of any angle and `upright` more at angles near zero."""
    polar = _polar(stretch)
    cells = np.where(polar.inside, spectra.power.ravel()[polar.index], 0)
    excess = cells / (_around(cells) / polar.share + 1e-12)
    # Above six times its surroundings a peak is a pattern of the picture, not a line of ours.
    np.minimum(excess, 6.0, out=excess)
    excess -= polar.inside
    score = _correlate(excess) / polar.lines
    score = (score - score.mean()) / (score.std() + 1e-9)
    found = []
    columns = np.arange(_COLUMNS)
    near_zero = (columns <= 1) | (columns == _COLUMNS - 1)
    for wanted, allowed in ((upright, columns[near_zero]), (count, columns)):
        for _ in range(wanted):
            part = score if len(allowed) == _COLUMNS else score[:, allowed]
            i, j = divmod(int(part.argmax()), len(allowed))
            j = int(allowed[j])
            angle = (j if j <= _COLUMNS // 2 else j - _COLUMNS) * (np.pi / 2) / _COLUMNS
            found.append(Comb(float(score[i, j]), float(_LARGEST * np.exp(-_STEP * i)), angle, stretch))
            score[max(0, i - 3) : i + 4, np.arange(j - 3, j + 4) % _COLUMNS] = -np.inf
    return found


def upright(spectra: Spectra, layout: Layout, count: int = 3) -> list[Matrix]:
    """Scales at which the key's sync lines agree best, for pictures that were cropped but not turned.

    A weak mark in a small crop shows in the agreement of phases when the comb's power no longer stands out.
    """
    scores = np.zeros(len(_UPRIGHT_SCALES))
    maps = np.eye(2) / _UPRIGHT_SCALES[:, None, None]
    ky, kx = layout.k.T
    for turn in (np.eye(2, dtype=np.int64), VARIANTS[MIRROR]):
        every = spectra.at(layout.k @ turn.T, layout.channel, maps)
        half = np.zeros((len(maps), _COARSE, _COARSE // 2 + 1), np.complex64)
        energy = np.zeros(len(maps))
        for c, (channel, chosen) in enumerate(zip(CHANNELS, layout.sync, strict=True)):
            part = layout.channel == c
            values = every[:, part]
            order = np.argsort(channel.radius[chosen], kind="stable")
            power = np.empty(values.shape, np.float32)
            near = values[:, order]
            power[:, order] = ndimage.uniform_filter1d(near.real**2 + near.imag**2, 11, axis=-1, mode="reflect")
            values = values / np.sqrt(power + 1e-12) * layout.conjugate_phase[part]
            half[:, ky[part] % _COARSE, kx[part]] += values * np.where(kx[part] == 0, 2.0, 1.0).astype(np.float32)
            energy += (values.real**2 + values.imag**2).sum(1)
        peak = fft.irfft2(half, (_COARSE, _COARSE)).max((1, 2)) / np.sqrt(energy + 1e-12)
        scores = np.maximum(scores, peak)
    out = []
    for _ in range(count):
        i = int(scores.argmax())
        out.append(maps[i])
        scores[max(0, i - 2) : i + 3] = 0
    return out


# Scale, rotation, stretch, shear.
_MOVES = np.array([[[1, 0], [0, 1]], [[0, 1], [-1, 0]], [[1, 0], [0, -1]], [[0, 1], [1, 0]]], np.float64)
# Relative size of the moves, one round each: half a cell of the comb's grid first, a twentieth of a cycle over the
# picture last.
_ROUNDS = (0.003, 0.003, 0.0015, 0.0015, 0.0008)


def refine(spectra: Spectra, layout: Layout, matrix: Matrix, peak: Peak) -> tuple[Matrix, Peak]:
    """Climbs from a rough map and its peak to the affine map under which the sync lines agree best.

    Each round fits a parabola through three points for scale, rotation, stretch and shear, then lets the shift follow.
    """
    k = layout.k
    turned = k @ VARIANTS[peak.variant].T
    level = np.concatenate(levels(spectra.lines(matrix)))
    weight = layout.conjugate_phase / level[layout.turned[peak.variant] % len(level)]

    def products(maps: Matrix) -> NDArray[np.complex64]:
        out: NDArray[np.complex64] = spectra.at(turned, layout.channel, maps) * weight
        return out

    product = products(matrix)
    best, shift = climb(product, k, np.array(peak.shift))
    for size in _ROUNDS:
        moves = size * np.concatenate([_MOVES, -_MOVES])
        agreement = (products((np.eye(2) + moves) @ matrix) * np.exp(2j * np.pi * (k @ shift))).real.sum(-1)
        up, down = agreement[:4], agreement[4:]
        bend = 2 * best - up - down
        step = np.where(bend > 0, 0.5 * (up - down) / np.maximum(bend, 1e-9), np.sign(up - down))
        tried = (np.eye(2) + size * np.einsum("m,mij->ij", np.clip(step, -1.5, 1.5), _MOVES)) @ matrix
        there = products(tried)
        reached, moved = climb(there, k, shift)
        if reached > best:
            best, shift, matrix, product = reached, moved, tried, there
    score = float(np.sqrt(2) * best / (np.linalg.norm(product) + 1e-12))
    return matrix, Peak(score, peak.variant, (float(shift[0]), float(shift[1])))
