"""The content tag: 20 keyed bits of what a picture shows at large, to tell a mark from its copy on another picture.

A residual can be lifted from one picture and laid over another, and the payload comes along. The tag does not fit
there: its bits are the signs of keyed projections of the lowest frequencies, which survive codecs and resizing and
belong to this picture. Binding a mark to a robust digest of its host is the remedy of Kutter, Voloshynovskiy and
Herrigel ("Watermark copy attack", 2000) and of Fridrich ("Robust bit extraction from images", 1999).

The comparison is soft: a projection near zero may have changed its sign under a codec, and counts little. For a
picture that the tag was not made for, the signs are fair coins to anybody without the key, and Hoeffding's inequality
bounds the chance of an agreement t by exp(-t² / 2).
"""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["TAG_BITS", "Binding", "Tagger", "binding"]

TAG_BITS = 20
Binding = Literal["genuine", "copied", "not checkable"]

_SIDE = 32  # pixels per side of the picture that the frequencies are taken of
_HIGHEST = 6  # the sum of the two frequencies, in half cycles per picture, ends below it
_LOWEST = 1

# Agreement (see `Tagger.agreement`) from which a mark belongs to the picture, and under which it was copied.
# Measured by `benchmarks/marks_tag.py`: see benchmarks/results/marks-tag.json.
GENUINE = 2.8
COPIED = 2.5


class Tagger:
    """Tags under one key. Holds no mutable state.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        rows, columns = np.mgrid[:_HIGHEST, :_HIGHEST]
        self._kept = (rows + columns >= _LOWEST) & (rows + columns < _HIGHEST)
        # Natural pictures have about the amplitude 1 / frequency: evened out, every frequency counts alike.
        self._even = np.hypot(rows, columns)[self._kept]
        count = int(self._kept.sum())
        octets = hashlib.shake_256(b"guardrail/marks/tag" + key).digest(count * TAG_BITS * 8)
        uniform = (np.frombuffer(octets, "<u8").astype(np.float64) + 0.5) / 2.0**64
        # Sums of keyed signs would do; the spread of logistic values makes the directions denser.
        directions = np.log(uniform / (1 - uniform)).reshape(count, TAG_BITS)
        self._directions, _ = np.linalg.qr(directions)

    def projections(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """The 20 projections of (H, W, 3) pixels; all zero for a picture of one colour."""
        from scipy import fft  # a fifth of a second, which who only checks prompts need not wait

        luma = Image.fromarray(np.ascontiguousarray(pixels)).convert("L")
        small = np.asarray(luma.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float64)
        spectrum = fft.dctn(small, norm="ortho")[:_HIGHEST, :_HIGHEST][self._kept] * self._even
        out: NDArray[np.float64] = spectrum @ self._directions
        return out

    def tag(self, pixels: NDArray[np.uint8]) -> int:
        """The tag of (H, W, 3) uint8 pixels."""
        bits = self.projections(pixels) > 0
        return int("".join("1" if bit else "0" for bit in bits), 2)

    def agreement(self, tag: int, pixels: NDArray[np.uint8]) -> float:
        """How well a tag fits (H, W, 3) uint8 pixels: -sqrt(20) to sqrt(20), near 0 for another picture's tag."""
        signs = np.array([1.0 if tag >> (TAG_BITS - 1 - i) & 1 else -1.0 for i in range(TAG_BITS)])
        projections = self.projections(pixels)
        norm = float(np.linalg.norm(projections))
        return float(signs @ projections) / norm if norm > 1e-9 else 0.0


def binding(agreement: float, *, whole: bool) -> Binding:
    """Whether a mark was made for the picture it is in.

    Args:
        agreement: of the tag that was read with the picture, turned upright.
        whole: the picture is as large as it was marked: a cropped one may show something else at large.
    """
    if agreement >= GENUINE:
        return "genuine"
    return "copied" if whole and agreement < COPIED else "not checkable"
