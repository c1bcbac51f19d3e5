"""Reader of the fixed messages that other generators write with invisible-watermark's method ``dwtDct``.

The method (package ``invisible-watermark`` 0.2.0, ``maxDct.py``): the U plane of the picture goes through one level of
the Haar wavelet transform; its low-pass band is cut into blocks of 4×4, one message bit a block in reading order,
cyclically. The coefficient of largest magnitude, the first one left aside, is moved to a quarter (0) or three quarters
(1) of a step of 36. Despite the name there is no cosine transform in it.

Read here better than by the package itself, for two reasons. diffusers hands it floats, and OpenCV's U plane has an
offset of 0.5 for floats but 128 for 8-bit pixels: with the other offset another coefficient is the largest, so both are
read. And the votes of flat areas all say the same, whatever the message: the mean of the 3×3 blocks around each is
taken off it, which leaves what changes from bit to bit. Figures: docs/other-marks.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import exp, lgamma
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = ["FOUND_RATE", "MESSAGES", "Reading", "chance", "matching", "read_dwtdct", "votes"]

STEP = 36.0  # of the quantiser, in units of the low-pass band
# Offset of the U plane in the low-pass band (twice that of the plane): 0.5 for floats, 128 for 8-bit pixels.
_OFFSETS: Mapping[str, float] = MappingProxyType({"float": 1.0, "8-bit": 256.0})
# U = 0.492 (B - Y), Y = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601, as OpenCV has it); a half for the Haar low-pass.
_U_OF_RGB = np.array([-0.299, -0.587, 1 - 0.114], np.float32) * np.float32(0.492 / 2)
_SMALLEST_AREA = 256 * 256  # pixels; the package refuses to mark less
_STRIP = 512  # rows at a time, a multiple of 8: memory stays the same whatever the height


def _text(message: str) -> tuple[int, ...]:
    return tuple(int(b) for b in np.unpackbits(np.frombuffer(message.encode(), np.uint8)))


def _number(message: int) -> tuple[int, ...]:
    # As the generators do it: leading zeros are lost.
    return tuple(int(b) for b in f"{message:b}")


MESSAGES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        # diffusers' StableDiffusionXLWatermarker and Stability's generative-models: 48 bits.
        "Stable Diffusion XL": _number(0b101100111110110010010000011110111011000110011110),
        # The scripts of CompVis' and Stability's first and second releases.
        "Stable Diffusion 1": _text("StableDiffusionV1"),
        "Stable Diffusion 2": _text("SDV2"),
        # black-forest-labs' own inference code; 46 bits are left of 48.
        "FLUX.1": _number(0b001010101111111010000111100111001111010100101110),
        # Its watermark node, unless the user gives it another text.
        "InvokeAI": _text("InvokeAI"),
    }
)

FOUND_RATE = 1e-6
"""Largest false-positive rate, all messages and both readings counted, at which a message counts as found."""

# Bits of unmarked pictures are no independent fair coins: neighbouring blocks look alike, so that the number of
# matching bits varies more than a binomial. Correlation of two bits' matches, the upper 95 % bound of the worst
# message, on 2,400 unmarked crops (benchmarks/marks_foreign.py); the rate is that of the beta-binomial with this
# correlation, an extrapolation beyond one in 2,400.
CORRELATION = 0.0065


@dataclass(frozen=True, slots=True)
class Reading:
    """The message that fits best.

    Attributes:
        generator: whose message; a key of `MESSAGES`.
        matching, length: how many of its bits were read as they are.
        pixels: ``float`` or ``8-bit``: what the generator handed to the package.
        rate: chance that an unmarked picture matches some message so well.
    """

    generator: str
    matching: int
    length: int
    pixels: str
    rate: float

    @property
    def found(self) -> bool:
        return self.rate <= FOUND_RATE


def read_dwtdct(pixels: NDArray[np.uint8]) -> Reading | None:
    """Which generator's message (H, W, 3) RGB pixels carry, if any: the best fit, to be judged by `Reading.found`.

    The picture must have its size and position: no crop, no resizing. ``None`` where it is smaller than any that is
    ever marked.
    """
    if pixels.shape[0] * pixels.shape[1] < _SMALLEST_AREA or min(pixels.shape[:2]) < 8:
        return None
    readings: list[Reading] = []
    for kind, grid in votes(pixels).items():
        for generator, message in MESSAGES.items():
            count, length = matching(grid, generator), len(message)
            rate = min(1.0, chance(count, length) * len(MESSAGES) * len(_OFFSETS))
            readings.append(Reading(generator, count, length, kind, rate))
    return min(readings, key=lambda r: (r.rate, -r.matching / r.length))


def matching(grid: NDArray[np.int8], generator: str) -> int:
    """How many bits of a generator's message the votes agree with."""
    message = np.array(MESSAGES[generator], bool)
    contrast = _contrast(grid).ravel()
    sums = np.bincount(np.arange(contrast.size) % message.size, contrast, message.size)
    return int(np.count_nonzero((sums > sums.mean()) == message))


def votes(pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.int8]]:
    """What each 4×4 block of the low-pass band says, +1 or -1, by kind of pixels; shape (H/8, W/8), int8."""
    height, width = pixels.shape[0] // 4 * 4, pixels.shape[1] // 4 * 4
    strips = [_extremes(pixels[top : min(top + _STRIP, height), :width]) for top in range(0, height, _STRIP)]
    lowest, highest = (np.concatenate([s[i] for s in strips]) for i in (0, 1))
    said: dict[str, NDArray[np.int8]] = {}
    for kind, offset in _OFFSETS.items():
        largest = np.maximum(highest + offset, -(lowest + offset))
        said[kind] = np.where(largest % STEP > STEP / 2, 1, -1).astype(np.int8)
    return said


def _extremes(strip: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lowest and highest value of each block without its first, before any offset."""
    x = strip.astype(np.uint16)
    band = (x[0::2, 0::2] + x[0::2, 1::2] + x[1::2, 0::2] + x[1::2, 1::2]) @ _U_OF_RGB
    rows, columns = band.shape[0] // 4, band.shape[1] // 4
    cells = [band[i : rows * 4 : 4, j : columns * 4 : 4] for i in range(4) for j in range(4)][1:]
    lowest, highest = cells[0].copy(), cells[0].copy()
    for cell in cells[1:]:
        np.minimum(lowest, cell, out=lowest)
        np.maximum(highest, cell, out=highest)
    return lowest, highest


def _contrast(grid: NDArray[np.int8]) -> NDArray[np.int32]:
    """Nine times each vote minus the votes of the 3×3 blocks around it, its own among them."""
    padded = np.pad(grid.astype(np.int32), 1, "edge")
    columns = padded[:-2] + padded[1:-1] + padded[2:]
    contrast: NDArray[np.int32] = 9 * grid - columns[:, :-2] - columns[:, 1:-1] - columns[:, 2:]
    return contrast


@cache
def chance(least: int, length: int) -> float:
    """Chance that at least so many bits of one unmarked picture match one message: the tail of a beta-binomial."""
    side = (1 / CORRELATION - 1) / 2
    total = 0.0
    for k in range(least, length + 1):
        choose = lgamma(length + 1) - lgamma(k + 1) - lgamma(length - k + 1)
        beta = lgamma(k + side) + lgamma(length - k + side) - lgamma(length + 2 * side)
        total += exp(choose + beta - 2 * lgamma(side) + lgamma(2 * side))
    return min(1.0, total)
