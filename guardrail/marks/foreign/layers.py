"""What the readers of this folder find, as layers of a verification."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from guardrail.marks.foreign.claims import read_claims
from guardrail.marks.foreign.dwtdct import read_dwtdct
from guardrail.marks.foreign.stealth import read_stealth
from guardrail.marks.layers import Layer

__all__ = ["CLAIMED", "foreign_layers"]

CLAIMED = "claimed"
"""Verdict of a layer that anybody could have written: it says who is said to have made the picture, with no rate."""


def foreign_layers(pixels: NDArray[np.uint8] | None, content: bytes | None) -> list[Layer]:
    """Marks of other generators than this one.

    Args:
        pixels: (H, W, 3 or 4), as decoded: not cropped, not resized. Give the alpha channel where there is one.
        content: the file they came from.

    Returns:
        ``invisible-watermark`` where pixels are given: ``found`` with the generator, at most `FOUND_RATE` often by
        chance, or ``nothing found``, or ``not applicable`` under 256×256 pixels. ``hidden metadata`` where its
        signature is there. ``generator metadata``: one a generator that the file names, ``claimed``; or one that says
        ``nothing found``. Damaged and hostile content gives no error, only fewer layers.

    Raises:
        ValueError: pixels of another shape or type.
    """
    layers: list[Layer] = []
    if pixels is not None:
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
            raise ValueError(f"pixels are uint8 of shape (H, W, 3 or 4), not {pixels.dtype} of {pixels.shape}")
        layers.append(_watermark(pixels[..., :3]))
        if place := read_stealth(pixels):
            layers.append(Layer("hidden metadata", CLAIMED, {"generator": "NovelAI or a web UI", "field": place}))
    if content is not None:
        claims = read_claims(content)
        for claim in claims:
            says = {"generator": claim.generator, "version": claim.version, "field": claim.field}
            layers.append(Layer("generator metadata", CLAIMED, {k: v for k, v in says.items() if v}))
        if not claims:
            layers.append(Layer("generator metadata", "nothing found"))
    return layers


def _watermark(pixels: NDArray[np.uint8]) -> Layer:
    reading = read_dwtdct(pixels)
    if reading is None:
        return Layer("invisible-watermark", "not applicable")
    says = {"generator": reading.generator, "matching bits": f"{reading.matching} of {reading.length}"}
    share = reading.matching / reading.length
    if not reading.found:
        return Layer("invisible-watermark", "nothing found", {}, share, reading.rate)
    return Layer("invisible-watermark", "found", says, share, reading.rate)
