"""Drawing the label: white on a dark plate through which a quarter of the picture shows.

The plate takes no more than 28 % of the light of what is below it, so that white on it has a contrast of at least
9.2 to 1 whatever the picture is (WCAG 2.2, success criterion 1.4.3 asks for 4.5).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from guardrail.decision import CORE_ACTIONS
from guardrail.errors import MarkError
from guardrail.marks.base import eight_bits
from guardrail.marks.visible.setting import Align, Label, set_label

__all__ = ["PLACES", "SHINES_THROUGH", "draw"]

Pixels = TypeVar("Pixels", bound=np.generic)

PLACES = next(p.choices for p in CORE_ACTIONS["label"].params if p.name == "visible_at")
SHINES_THROUGH = 0.28  # of the picture; at 0.46 the contrast over white would be 4.5
_ALPHA = (2, 4)  # numbers of channels of which the last is opacity


def draw(
    pixels: NDArray[Pixels], text: str, *, place: str = "bottom-right", font: str | Path | None = None
) -> NDArray[Pixels]:
    """A copy with a line of text on a plate, for everybody to see. Nothing but the plate is changed.

    Args:
        pixels: (H, W), or (H, W, C) with C of 1 (grey), 2 (grey and opacity), 3 (RGB) or 4 (RGBA); uint8, or floats in
            0..1. Opaque where the label is.
        text: one line; see `wording`. Broken into lines where the picture is narrow.
        place: a corner or an edge, one of `PLACES`.
        font: a TrueType or OpenType file, of a collection with the number of the face (``some.ttc#2``), which is taken
            if it has all characters; then Pillow's own font, then those of the system.

    Returns:
        pixels of the same shape and type. Characters are at least 5 % of the short side high, measured on what is
        drawn, and at least 12 px where there is room, 8 px always.

    Raises:
        MarkError: the text cannot be drawn as it is read, does not fit, or `pixels` are no such picture.
    """
    if place not in PLACES:
        raise MarkError(f"there is no place for a visible label of this name; use one of {', '.join(PLACES)}")
    _require_picture(pixels)
    height, width = pixels.shape[:2]
    label = set_label(height, width, text, _align(place), str(font) if font else "")
    top, left = _corner(place, height, width, label)
    window = np.s_[top : top + label.ink.shape[0], left : left + label.ink.shape[1]]
    marked = pixels.copy()
    marked[window] = _as(_labelled(eight_bits(pixels[window]), label.ink), pixels.dtype)
    return marked


def _require_picture(pixels: NDArray[np.generic]) -> None:
    layered = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (1, 2, 3, 4))
    if not layered or not (pixels.dtype == np.uint8 or np.issubdtype(pixels.dtype, np.floating)):
        raise MarkError("a visible label goes into (H, W) or (H, W, 1 to 4) pixels, 8 bits or floats in 0..1")


def _align(place: str) -> Align:
    return "left" if place.endswith("left") else "right" if place.endswith("right") else "centre"


def _corner(place: str, height: int, width: int, label: Label) -> tuple[int, int]:
    """Where the plate's first row and column are."""
    free_rows, free_columns = height - label.ink.shape[0], width - label.ink.shape[1]
    top = label.margin if place.startswith("top") else free_rows - label.margin
    align = _align(place)
    left = {"left": label.margin, "centre": free_columns // 2, "right": free_columns - label.margin}[align]
    return top, left


def _labelled(below: NDArray[np.uint8], ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The plate over what is below it, and white text over the plate."""
    layers: NDArray[np.floating[Any]] = below.reshape(*ink.shape, -1).astype(np.float32)
    opaque = layers.shape[2] in _ALPHA
    if opaque:
        # What nobody could see is not shown by the label either: it stands over black.
        layers[..., :-1] *= layers[..., -1:] / 255
    text = ink[..., None].astype(np.float32) / 255
    layers = layers * (SHINES_THROUGH * (1 - text)) + 255 * text
    if opaque:
        layers[..., -1] = 255
    return np.rint(layers).astype(np.uint8).reshape(below.shape)


def _as(values: NDArray[np.uint8], dtype: np.dtype[Pixels]) -> NDArray[Pixels]:
    return (values if dtype == np.uint8 else values / 255).astype(dtype)
