"""What a mark in pixels and a mark in files have to offer, so that others can be put beside or in place of ours."""

from __future__ import annotations

from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["RANK", "Detected", "PixelMark", "eight_bits"]

RANK = {"payload": 2, "marked": 1, "none": 0}
"""Verdicts by how much they say."""


class Detected(Protocol):
    """Outcome of looking for a mark.

    Attributes:
        verdict: ``payload``: read; ``marked``: there, but the payload cannot be read; ``none``: no evidence.
        payload: the bits as an integer, or None.
        statistic: what the verdict rests on; higher is more certain.
        false_positive_rate: how often an unmarked picture gives such a verdict by chance, all candidates counted;
            None where the mark has no calibrated detector.
    """

    @property
    def verdict(self) -> Literal["payload", "marked", "none"]: ...
    @property
    def payload(self) -> int | None: ...
    @property
    def statistic(self) -> float: ...
    @property
    def false_positive_rate(self) -> float | None: ...


@runtime_checkable
class PixelMark(Protocol):
    """A watermark in the pixels. Implementations hold no mutable state and draw nothing from global random state.

    Attributes:
        name: e.g. ``tileline``.
        version: of the mark's format.
        payload_bits: how many bits it carries.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def payload_bits(self) -> int: ...

    def embed(self, image: NDArray[Any], payload: int) -> NDArray[Any]:
        """A marked copy of (H, W, 3) RGB pixels, uint8 or floats in 0..1; same shape and dtype."""

    def detect(self, image: NDArray[Any]) -> Detected:
        """Looks for the mark in (H, W, 3) RGB pixels."""


def eight_bits(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Pixels as a file would hold them: floats in 0..1 rounded to eight bits a channel, uint8 as they are."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    return np.rint(np.clip(pixels.astype(np.float32), 0, 1) * 255).astype(np.uint8)
