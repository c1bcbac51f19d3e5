"""A grown box and its one flat colour: what a redaction covers, and what it is measured against."""

from __future__ import annotations

import numpy as np

from guardrail.media.types import Frame

__all__ = ["GROW", "flat", "grown"]

GROW = 1.3
"""Recognisers look at the whole face; a box from brows to chin leaves hair and jaw."""


def grown(box: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of whole pixels, not cut at the picture's edges.

    Args:
        box: left, top, width, height, in pixels.
    """
    x, y, w, h = box
    return (
        int(np.floor(x + w / 2 - w * GROW / 2)),
        int(np.floor(y + h / 2 - h * GROW / 2)),
        int(np.ceil(x + w / 2 + w * GROW / 2)),
        int(np.ceil(y + h / 2 + h * GROW / 2)),
    )


def flat(patch: Frame) -> Frame:
    """As large as an (H, W, C) patch that is not empty, in the mean colour of its border: it sits in the picture."""
    border = np.concatenate([patch[0], patch[-1], patch[:, 0], patch[:, -1]])
    return np.broadcast_to(np.rint(border.mean(0)).astype(np.uint8), patch.shape).copy()
