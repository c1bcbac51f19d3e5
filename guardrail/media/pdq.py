"""PDQ: a perceptual hash of 256 bits that survives re-encoding, scaling, blur and changes of light.

The algorithm is the one published by Facebook ("The TMK+PDQF video-hashing algorithm and the PDQ image-hashing
algorithm", 2019; reference code in ThreatExchange): luma, a box filter run twice along each axis (Jarosz), 64×64
samples, a cosine transform of which 16×16 coefficients are kept, and one bit a coefficient: above the median or not.

Every step up to the coefficients is linear and works along one axis at a time, so that all of them together are one
16×n matrix for rows and one for columns. Compared with pdqhash 0.2.8 by benchmarks/known_images.py, both given the
picture at no more than 512 pixels a side: on 1,000 pictures at most 10 bits apart, 0.5 on average.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from guardrail.media.types import Frame

__all__ = [
    "BITS",
    "BYTES",
    "Matrix",
    "both_ways",
    "coefficients",
    "from_hex",
    "luma",
    "pack",
    "pack_sure",
    "pdq",
    "product",
    "to_hex",
]

Matrix = NDArray[np.float32]

BITS, BYTES = 256, 32
# What is larger is scaled down first: the reference does so, and hashing costs the same whatever came in.
LARGEST_SIDE = 512
SAMPLES = 64
KEPT = 16
# Of 0..100. The reference says: pictures under 50 have too little in them for their hash to mean anything.
USABLE_QUALITY = 50
# OpenBLAS starts threads above so many multiplications.
_UNSHARED = 1 << 18
# What the reference divides the sum of gradients by, so that a picture with enough in it reaches 100.
_GRADIENTS_PER_QUALITY = 90


def pdq(image: Frame) -> tuple[NDArray[np.uint8], int]:
    """The hashes of an (H, W, 3) RGB uint8 image in its eight orientations, and its quality.

    Returns:
        (8, 32) uint8, most significant bit first, the order in which the hex form is written: first the image as it
        is, then mirrored left to right, upside down, both, and the same four of the transposed image. Quality 0..100:
        a hash under `USABLE_QUALITY` matches by chance.
    """
    grey = luma(image)
    samples = product(product(_sampling(grey.shape[0]), grey), _sampling(grey.shape[1]).T)
    rows, columns = coefficients(grey.shape[0]), coefficients(grey.shape[1])
    four = np.concatenate([both_ways(rows, grey, columns), both_ways(rows, grey[::-1], columns)])
    return pack(np.concatenate([four, four.transpose(0, 2, 1)])), _quality(samples)


def luma(image: Frame, side: int | None = None) -> Matrix:
    """(height, width) float32 in 0..255: at most `LARGEST_SIDE` along each axis, or exactly `side` along both."""
    from PIL import Image

    grey = Image.fromarray(np.ascontiguousarray(image[..., :3])).convert("L")
    fitting = (min(grey.width, LARGEST_SIDE), min(grey.height, LARGEST_SIDE))
    size = (side, side) if side is not None else fitting
    if size != grey.size:
        grey = grey.resize(size, Image.Resampling.BOX if side is None else Image.Resampling.BILINEAR)
    return np.asarray(grey, np.float32)


def coefficients(length: int) -> Matrix:
    """(16, `length`): from the values along one axis to the cosine coefficients that are kept."""
    return _coefficients(length)


@lru_cache(64)
def _coefficients(length: int) -> Matrix:
    return (_cosines() @ _sampling(length)).astype(np.float32)


@lru_cache(256)
def _sampling(length: int) -> Matrix:
    """(64, length): two passes of the box filter, then every (length / 64)th value."""
    # Width and phase of the window as the reference has them: of 4 values, one before and two after the middle one.
    window = (length + 2 * SAMPLES - 1) // (2 * SAMPLES)
    after = (window + 2) // 2
    before = window - after
    at = np.arange(length)
    low, high = np.maximum(at - before, 0), np.minimum(at + after, length)
    inside = (at[None] >= low[:, None]) & (at[None] < high[:, None])
    box = inside / (high - low)[:, None]
    taken = ((np.arange(SAMPLES) + 0.5) * length / SAMPLES).astype(np.intp)
    return np.asarray(box[taken] @ box, np.float32)


@lru_cache(1)
def _cosines() -> Matrix:
    """(16, 64): rows 1 to 16 of the orthonormal cosine transform; row 0, the mean, says nothing about content."""
    frequency, sample = np.arange(1, KEPT + 1)[:, None], np.arange(SAMPLES)[None]
    basis = np.cos(np.pi / (2 * SAMPLES) * frequency * (2 * sample + 1))
    return np.asarray(np.sqrt(2 / SAMPLES) * basis, np.float32)


def both_ways(rows: Matrix, grey: Matrix, columns: Matrix) -> Matrix:
    """(2, 16, 16): the coefficients of a picture, and those of its mirror image.

    The reference mirrors a hash by changing the sign of the odd frequencies. Its window is not symmetric, though, so
    that this is not the hash of the mirrored picture (measured: up to 86 bits off where textures are fine; 27 of 295
    mirrored pictures were missed). Filtering the mirrored picture costs two products of 16 rows more, and is exact.

    Args:
        rows: (16, height), `columns`: (16, width): as from `coefficients`.
        grey: (height, width).
    """
    half = product(rows, grey)
    return np.stack([half @ columns.T, half[:, ::-1] @ columns.T]).astype(np.float32, copy=False)


def product(left: Matrix, right: Matrix) -> Matrix:
    """``left @ right`` in pieces so small that OpenBLAS does not share them among threads.

    Its second thread waits in a loop and takes the core from the checks that run beside this one: measured, 31 ms of
    processor time for the versions of one picture where 17 are needed.
    """
    out = np.empty((left.shape[0], right.shape[1]), np.float32)
    wide = max(1, _UNSHARED // left.size)
    for start in range(0, right.shape[1], wide):
        np.matmul(left, right[:, start : start + wide], out=out[:, start : start + wide])
    return out


def pack(blocks: Matrix) -> NDArray[np.uint8]:
    """(n, 16, 16) coefficients → (n, 32) hashes: above the (lower) median or not, highest frequency first."""
    flat = blocks.reshape(len(blocks), BITS)
    median = np.partition(flat, BITS // 2 - 1, axis=1)[:, BITS // 2 - 1]
    return np.packbits((flat > median[:, None])[:, ::-1], axis=1)


def pack_sure(blocks: Matrix, kept: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """As `pack`, with (n, 32) masks of the `kept` bits whose coefficients lie farthest from the median: those that a
    small change of the picture is least likely to turn."""
    flat = blocks.reshape(len(blocks), BITS)
    median = np.partition(flat, BITS // 2 - 1, axis=1)[:, BITS // 2 - 1]
    apart = np.abs(flat - median[:, None])
    # Stable, so that equal distances leave the same bits out everywhere.
    order = np.argsort(apart, axis=1, kind="stable")
    sure = np.zeros(flat.shape, np.bool_)
    np.put_along_axis(sure, order[:, BITS - kept :], True, axis=1)
    return pack(blocks), np.packbits(sure[:, ::-1], axis=1)


def _quality(samples: Matrix) -> int:
    """0..100: how much changes between neighbouring samples, in whole hundredths of the range of values."""
    down, across = np.diff(samples, axis=0), np.diff(samples, axis=1)
    total = sum(int(np.abs(np.trunc(d * np.float32(100 / 255))).sum()) for d in (down, across))
    return min(100, total // _GRADIENTS_PER_QUALITY)


def to_hex(value: NDArray[np.uint8]) -> str:
    """64 hex digits, as lists and services exchange them."""
    return value.tobytes().hex()


def from_hex(text: str) -> NDArray[np.uint8]:
    """(32,) uint8.

    Raises:
        ValueError: not 64 hex digits.
    """
    if len(text) != 2 * BYTES:
        raise ValueError("a PDQ hash has 64 hex digits")
    return np.frombuffer(bytes.fromhex(text), np.uint8)
