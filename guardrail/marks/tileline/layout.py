"""Where the mark lives: integer frequencies ("lines") of a periodic tile, and what a key makes of them.

The tile repeats over the picture. A line is one integer frequency (ky, kx) of the tile in one of three channels, so the
whole mark is a sum of plane waves that all repeat with the tile. Which frequencies carry it is fixed by the version
(the lattice, public: geometry is searched without a key); which of them synchronise, which carry which coded bit, and
every phase and sign come from the key.

One line in six synchronises. The payload lines of a channel are cut into rings of 40 lines from low to high frequency;
a ring gives 80 chips (a real and an imaginary part each), one for each step of the code's trellis: a blur that takes
the upper rings takes the same share from every step.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from guardrail.marks.tileline.code import OUTPUTS, STEPS

__all__ = ["CHANNELS", "FRAME_TILE", "FULL_TILES", "MIRROR", "VARIANTS", "VERSION", "Channel", "Layout", "layout_of"]

VERSION = 1

# Pixels per tile in the analysis frame, luma; chroma is analysed at half of it. 22 cycles in 64 pixels stay below the
# Nyquist frequency with room for the interpolator.
FRAME_TILE = 64

# Tiles along the short side of a full frame.
FULL_TILES = 4

# Squares of the lowest and highest cycles per tile: 5 to 22 and 2.2 to 8. Integers, so that every platform picks and
# sorts the same lines. Measured at 43 dB on 24 photographs and drawings: luma up to 22 instead of 18 gains 1.3 dB of
# signal under JPEG 30, 1.9 dB in grey and 0.2 dB after half size and JPEG 50; 26 loses 0.6 dB of the last.
_LUMA_BAND = (25, 484)
_CHROMA_BAND = (5, 64)
_RING = STEPS // 2  # lines in a ring
_LUMA_RINGS, _CHROMA_RINGS = 15, 2
# How the sync lines estimate what share of the signal came through at each line: width in cycles per tile, and lines
# without signal that are counted in. 1.5 and 1 lose 0.2 of the statistic under JPEG 10 and after half size + JPEG 30.
_CHANNEL_SMOOTHING = 2.5
_CHANNEL_PRIOR = 3.0

# The eight symmetries of a square as integer matrices on (ky, kx): quarter turns, then those of the mirror image.
VARIANTS: NDArray[np.int64] = np.array(
    [
        [[1, 0], [0, 1]],
        [[0, -1], [1, 0]],
        [[-1, 0], [0, -1]],
        [[0, 1], [-1, 0]],
        [[1, 0], [0, -1]],
        [[0, 1], [1, 0]],
        [[-1, 0], [0, 1]],
        [[0, -1], [-1, 0]],
    ]
)

MIRROR = 4  # left to right, not turned


@dataclass(frozen=True)
class Channel:
    """The lattice of one channel.

    Attributes:
        k: (n, 2) integer frequencies (ky, kx), one of each ±pair: kx > 0, or kx == 0 and ky > 0.
        radius: (n,) cycles per tile.
        order: indices that sort by radius.
        turned: (8, n) index of the line that each line becomes under a variant.
        conjugate: (8, n) True where that line is the negative of the one stored.
        tile: pixels per tile in this channel's analysis frame.
        rings: rings of payload lines; the other lines synchronise.
    """

    k: NDArray[np.int64]
    radius: NDArray[np.float64]
    order: NDArray[np.int64]
    turned: NDArray[np.int64]
    conjugate: NDArray[np.bool_]
    tile: int
    rings: int


def _channel(band: tuple[int, int], tile: int, rings: int) -> Channel:
    top = math.isqrt(band[1])
    ky, kx = (a.ravel() for a in np.mgrid[-top : top + 1, -top : top + 1])
    square = ky**2 + kx**2
    keep = (square >= band[0]) & (square <= band[1]) & ((kx > 0) | ((kx == 0) & (ky > 0)))
    k = np.stack([ky[keep], kx[keep]], axis=1)
    order = np.argsort(square[keep], kind="stable")
    index = {(int(y), int(x)): i for i, (y, x) in enumerate(k)}
    images = np.einsum("vij,nj->vni", VARIANTS, k)
    conjugate = (images[..., 1] < 0) | ((images[..., 1] == 0) & (images[..., 0] < 0))
    images = np.where(conjugate[..., None], -images, images)
    turned = np.array([[index[int(y), int(x)] for y, x in variant] for variant in images])
    return Channel(k, np.sqrt(square[keep]), order, turned, conjugate, tile, rings)


# Luma, blue difference, red difference: the lattice of version 1.
CHANNELS = (
    _channel(_LUMA_BAND, FRAME_TILE, _LUMA_RINGS),
    _channel(_CHROMA_BAND, FRAME_TILE // 2, _CHROMA_RINGS),
    _channel(_CHROMA_BAND, FRAME_TILE // 2, _CHROMA_RINGS),
)
assert sum(c.rings for c in CHANNELS) == OUTPUTS


@dataclass(frozen=True)
class Layout:
    """What one key makes of the lattice. Index arrays and phases are per channel; chips are (ring, step).

    Attributes:
        sync: lines that synchronise.
        phase: their unit phases, (±1 ± i) / sqrt(2). Independent signs: the bounds in `calibration` need them.
        payload: the other lines, from low to high frequency.
        slot: which of a ring's 80 real and imaginary parts carries a step.
        sign: its sign.
        spread: (lines, sync lines) weights with which the sync lines estimate the channel at every line.
        k: (n, 2) frequencies of the sync lines of all channels in a row, and `channel` (n,) the channel of each.
        conjugate_phase: (n,) their phases, conjugated.
        turned: (8, n) where each is found under a variant, among all lines of all channels in a row and, after them,
            the same lines conjugated.
    """

    sync: tuple[NDArray[np.int64], ...]
    phase: tuple[NDArray[np.complex64], ...]
    payload: tuple[NDArray[np.int64], ...]
    slot: NDArray[np.int64]
    sign: NDArray[np.float32]
    spread: tuple[NDArray[np.float32], ...]
    k: NDArray[np.int64]
    channel: NDArray[np.int64]
    conjugate_phase: NDArray[np.complex64]
    turned: NDArray[np.int64]

    def chips(self, lines: tuple[NDArray[np.complex64], ...]) -> NDArray[np.float32]:
        """Signed soft chips, (STEPS, OUTPUTS), of the values of all lines of the three channels."""
        rings = []
        for channel, chosen, values in zip(CHANNELS, self.payload, lines, strict=True):
            ring = values[chosen].reshape(channel.rings, _RING)
            rings.append(np.concatenate([ring.real, ring.imag], axis=1))
        soft = np.take_along_axis(np.concatenate(rings), self.slot, axis=1)
        return np.ascontiguousarray((soft * self.sign).T)

    def lines(self, chips: NDArray[np.float32]) -> tuple[NDArray[np.complex64], ...]:
        """The inverse of `chips`: values of the payload lines, zero on the sync lines."""
        rings = np.empty_like(self.sign)
        np.put_along_axis(rings, self.slot, chips.T * self.sign, axis=1)
        out, first = [], 0
        for channel, chosen in zip(CHANNELS, self.payload, strict=True):
            ring = rings[first : first + channel.rings]
            first += channel.rings
            values = np.zeros(len(channel.k), np.complex64)
            values[chosen] = (ring[:, :_RING] + 1j * ring[:, _RING:]).ravel()
            out.append(values)
        return tuple(out)


class _Stream:
    """Keyed random integers: SHAKE-256 (FIPS 202) read from the front."""

    def __init__(self, seed: bytes, size: int) -> None:
        self._octets = hashlib.shake_256(seed).digest(size)
        self._at = 0

    def _take(self, dtype: str, count: int) -> NDArray[np.generic]:
        out = np.frombuffer(self._octets, dtype, count, self._at)
        self._at += out.nbytes
        return out

    def permutation(self, n: int) -> NDArray[np.int64]:
        # Ranks of 64-bit integers; two equal ones (2e-14 for 724) would only favour their order.
        return np.argsort(self._take("<u8", n), kind="stable")

    def signs(self, n: int) -> NDArray[np.float32]:
        return 1.0 - 2.0 * (self._take("u1", n).astype(np.float32) % 2)


# A folder of files is verified one by one, each with a reader of its own.
@lru_cache(maxsize=64)
def layout_of(key: bytes, index: int = 0) -> Layout:
    """The layout of a 32-byte key. `index` names one of several layouts of the same key."""
    seed = b"guardrail/tileline/layout" + VERSION.to_bytes(2, "big") + index.to_bytes(2, "big") + key
    stream = _Stream(seed, 32768)
    sync, phase, payload, spread = [], [], [], []
    for channel in CHANNELS:
        n = len(channel.k)
        chosen = np.sort(stream.permutation(n)[channel.rings * _RING :])
        payload.append(channel.order[~np.isin(channel.order, chosen)])
        sync.append(chosen)
        signs = stream.signs(2 * len(chosen)).reshape(2, -1)
        phase.append(((signs[0] + 1j * signs[1]) / np.sqrt(2)).astype(np.complex64))
        distance = channel.radius[:, None] - channel.radius[None, chosen]
        kernel = np.exp(-0.5 * (distance / _CHANNEL_SMOOTHING) ** 2)
        spread.append((kernel / (kernel.sum(1, keepdims=True) + _CHANNEL_PRIOR)).astype(np.float32))
    slot = np.stack([stream.permutation(STEPS) for _ in range(OUTPUTS)])
    sign = stream.signs(OUTPUTS * STEPS).reshape(OUTPUTS, STEPS)
    return Layout(
        tuple(sync),
        tuple(phase),
        tuple(payload),
        slot,
        sign,
        tuple(spread),
        k=np.concatenate([channel.k[chosen] for channel, chosen in zip(CHANNELS, sync, strict=True)]),
        channel=np.repeat(np.arange(len(CHANNELS)), [len(chosen) for chosen in sync]),
        conjugate_phase=np.conj(np.concatenate(phase)),
        turned=_turned(sync),
    )


def _turned(sync: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    lines = sum(len(channel.k) for channel in CHANNELS)
    parts, first = [], 0
    for channel, chosen in zip(CHANNELS, sync, strict=True):
        parts.append(first + channel.turned[:, chosen] + lines * channel.conjugate[:, chosen])
        first += len(channel.k)
    return np.concatenate(parts, axis=1)
