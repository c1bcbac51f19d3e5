"""The signature of metadata hidden in the lowest bits of pixels ("stealth pnginfo"), as NovelAI and web UIs write it.

Down the columns from the upper left, one bit a pixel from the alpha channel, or three from red, green and blue. Only
the signature is looked for: what follows it, prompts among it, is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_stealth"]

_SIGNATURES: Mapping[bytes, str] = MappingProxyType(
    {
        b"stealth_pnginfo": "alpha channel",
        b"stealth_pngcomp": "alpha channel",
        b"stealth_rgbinfo": "colour channels",
        b"stealth_rgbcomp": "colour channels",
    }
)
_BITS = 8 * 15


def read_stealth(pixels: NDArray[np.uint8]) -> str:
    """Where such a signature lies in (H, W, 3 or 4) pixels: ``alpha channel``, ``colour channels``, or empty."""
    height, width, channels = pixels.shape
    if height * width < _BITS:
        return ""
    columns = -(-_BITS // height)
    # (column, row, channel): the order in which it was written.
    first = pixels[:, :columns].transpose(1, 0, 2).reshape(-1, channels)[:_BITS] & 1
    if channels == 4 and (found := _SIGNATURES.get(np.packbits(first[:, 3]).tobytes())):
        return found
    return _SIGNATURES.get(np.packbits(first[:, :3].reshape(-1)[:_BITS]).tobytes(), "")
