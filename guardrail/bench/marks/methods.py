"""Watermarks behind one face, so that ours and other people's are measured by the same lines of code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from guardrail.marks.tileline import TileLine
from guardrail.marks.tileline.mark import LAYOUTS

__all__ = ["Marker", "Method", "Read", "tileline"]

Pixels = NDArray[np.uint8]


class Read(NamedTuple):
    """What a detector said: the payload or None, its verdict in a word, and what the verdict rests on, if it says."""

    payload: int | None
    verdict: str
    statistic: float | None = None


class Marker(Protocol):
    """A watermark with one key. Pixels are (H, W, 3) uint8."""

    def embed(self, pixels: Pixels, payload: int) -> Pixels: ...

    def read(self, pixels: Pixels, *, search: bool = True) -> Read: ...


@dataclass(frozen=True, slots=True)
class Method:
    """A watermark as it is measured; can be sent to other processes.

    Attributes:
        name: stands in tables.
        bits: of its payload.
        marker: makes one for a key of 32 bytes.
        checked: it says itself whether it read something. Others always give bits, which are right or wrong.
        asked_db: the signal-to-noise ratio asked for, if it can be asked.
        single: the same with one layout a key, for the time of one.
        layouts: of a key.
    """

    name: str
    bits: int
    marker: Callable[[bytes], Marker]
    checked: bool = True
    asked_db: float | None = None
    single: Callable[[bytes], Marker] | None = None
    layouts: int = 1


class _TileLine:
    def __init__(self, key: bytes, *, psnr_db: float, layouts: int = LAYOUTS) -> None:
        self._mark = TileLine(key, psnr_db=psnr_db, layouts=layouts)

    def embed(self, pixels: Pixels, payload: int) -> Pixels:
        return self._mark.embed(pixels, payload)

    def read(self, pixels: Pixels, *, search: bool = True) -> Read:
        found = self._mark.detect(pixels, search=search)
        return Read(found.payload, found.verdict, found.statistic)


def tileline(psnr_db: float) -> Method:
    """Ours, at a strength."""
    return Method(
        f"TileLine {psnr_db:g} dB",
        TileLine.payload_bits,
        partial(_TileLine, psnr_db=psnr_db),
        asked_db=psnr_db,
        single=partial(_TileLine, psnr_db=psnr_db, layouts=1),
        layouts=LAYOUTS,
    )
