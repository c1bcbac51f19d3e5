"""Hashes of what a picture may have been before somebody cut or turned it a little.

PDQ as such loses a picture whose edges were cut by 5 % (measured: a mean distance of 84, where 31 is a match) or that
was turned by 3° (53). So further versions of it are hashed: smaller ones (the known picture was cut out of this one),
larger ones (this one was cut out of the known picture: what is missing is guessed), and ones turned back. A crop along
the axes is another matrix and no new picture; a turned version costs one affine transform of 256×256 pixels.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardrail.media.pdq import Matrix, both_ways, coefficients, luma, pack, pack_sure, product
from guardrail.media.types import Frame

__all__ = ["changed_hashes", "cropped_hashes"]

SIDE = 256
# How much is cut from each side: steps of 2 %, since a match tolerates about 1 % (measured: 95 % within 31 at 1 % off).
CUTS = (0.02, 0.04, 0.06, 0.08, 0.10)
ONE_SIDED = (0.05, 0.10)
# A cut that is undone needs more luck, so its steps are finer around those that happen most.
UNCUT = (0.02, 0.04, 0.05, 0.06, 0.08)
# The filter of the reference has a window that is not symmetric, so that sizes of a picture are hashed up to 1.5 of 512
# pixels apart. Fine textures are lost by that (measured: 58 bits between bricks and the same at half size).
NUDGES = (-1.5 / 512, 0.0, 1.5 / 512)
# Degrees; a match tolerates 1° (measured: 75 to 83 % within 31 at 1° off).
TURNS = (-4.5, -3.0, -1.5, 1.5, 3.0, 4.5)
# What lay beyond an edge is guessed to be like the edge, or to fade into the mean over a tenth of the side. Neither
# guess is always the better one: measured at 5 % a side, 70 % and 74 % match, 79 % by one of the two.
FADE = 0.1
# Of the 256 bits of such a hash, these are compared: those that a wrong guess is least likely to turn. Measured on
# pictures cut by 5 % a side: with 256 bits 75 % match, with 224 94 %, with 192 98 %, at the same share of bits apart.
SURE_BITS = 192


class _Part(NamedTuple):
    """From where to where along one axis; 0 and 1 are the edges of the picture."""

    begin: float
    end: float
    fading: bool = False


def cropped_hashes(image: Frame) -> NDArray[np.uint8]:
    """(13, 32): the hashes of crops of a picture that is put on a list, so that its crops are found by one look."""
    grey = luma(image, SIDE)
    whole = _Part(0.0, 1.0)
    pairs = [(_Part(c, 1 - c), _Part(c, 1 - c)) for c in CUTS]
    for cut in ONE_SIDED:
        for part in (_Part(cut, 1.0), _Part(0.0, 1 - cut)):
            pairs += [(part, whole), (whole, part)]
    return pack(np.stack([product(product(_of_part(rows), grey), _of_part(columns).T) for rows, columns in pairs]))


def changed_hashes(image: Frame) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The hashes of what an (H, W, 3) picture may have been before, each as it is and mirrored: (n, 32), and (n, 32)
    masks of the `SURE_BITS` bits of each that are worth comparing."""
    grey = luma(image, SIDE)
    parts = [_Part(c, 1 - c) for c in CUTS] + [_Part(n, 1 + n) for n in NUDGES]
    blocks = [both_ways(_of_part(part), grey, _of_part(part)) for part in parts]
    level: Matrix = (grey - grey.mean()).astype(np.float32)
    for cut in UNCUT:
        beyond = cut / (1 - 2 * cut)
        for fading in (False, True):
            taken = _of_part(_Part(-beyond, 1 + beyond, fading))
            blocks.append(both_ways(taken, level, taken))
    height, width = image.shape[:2]
    matrix = coefficients(SIDE)
    blocks += [both_ways(matrix, turned, matrix) for turned in _turned_back(grey, height, width)]
    return pack_sure(np.concatenate(blocks), SURE_BITS)


@lru_cache(64)
def _of_part(part: _Part) -> Matrix:
    """(16, SIDE): the coefficients along one axis of a part of it."""
    at = (part.begin + (np.arange(SIDE) + 0.5) / SIDE * (part.end - part.begin)) * SIDE - 0.5
    inside = np.clip(at, 0, SIDE - 1)
    low = np.minimum(inside.astype(np.intp), SIDE - 2)
    share = inside - low
    weight = np.exp(-np.abs(at - inside) / SIDE / FADE) if part.fading else np.ones(SIDE)
    taken = np.zeros((SIDE, SIDE))
    taken[np.arange(SIDE), low] = (1 - share) * weight
    taken[np.arange(SIDE), low + 1] += share * weight
    return (coefficients(SIDE) @ taken).astype(np.float32)


def _turned_back(grey: Matrix, height: int, width: int) -> list[Matrix]:
    """(SIDE, SIDE) each: turned about the middle, at the size of the picture, and at that of a picture that had grown
    so that its turned corners fit in. What lies beyond the edges is like them."""
    from PIL import Image

    margin = SIDE // 8
    wide = Image.fromarray(np.pad(grey.astype(np.uint8), margin, mode="edge"))
    turned = []
    for degrees in TURNS:
        cos, sin = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
        lean = abs(sin)
        grown = cos * cos - lean * lean
        sizes = [(float(width), float(height))]
        before = ((width * cos - height * lean) / grown, (height * cos - width * lean) / grown)
        if min(before[0] / width, before[1] / height) > 0.5:
            sizes.append(before)
        for w, h in sizes:
            # From the pixels of the result to the picture before, turned, to the pixels of what came in.
            a, b = cos * w / width, -sin * h / width
            d, e = sin * w / height, cos * h / height
            middle = SIDE / 2
            shift = middle + margin
            data = (a, b, shift - (a + b) * middle, d, e, shift - (d + e) * middle)
            result = wide.transform((SIDE, SIDE), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
            turned.append(np.asarray(result, np.float32))
    return turned
