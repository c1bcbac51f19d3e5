"""The look that realness models take at a face: a square of the picture, never stretched."""

from __future__ import annotations

import numpy as np

from guardrail.media.types import Frame

__all__ = ["Box", "face_view"]

BILINEAR = 2
"""In `PIL.Image.Resampling`, which is not imported before it is needed."""
Box = tuple[float, float, float, float]


def face_view(image: Frame, box: Box, scale: float, side: int, resample: int = BILINEAR) -> Frame | None:
    """(side, side, 3): the square around the face, moved into the image where it reaches over its edge.

    Never stretched and never padded: bars of one colour would look like flat artwork. ``None`` where the box does not
    meet the image.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: left, top, width, height of the face in pixels.
        scale: side of the square in lengths of the box's longer side.
        side: of the view, in pixels.
        resample: a number of `PIL.Image.Resampling`.
    """
    from PIL import Image

    x, y, w, h = box
    height, width = image.shape[:2]
    if min(w, h) <= 0 or x >= width or y >= height or x + w <= 0 or y + h <= 0:
        return None
    length = max(1, min(round(max(w, h) * scale), height, width))
    left = min(max(0, round(x + w / 2 - length / 2)), width - length)
    top = min(max(0, round(y + h / 2 - length / 2)), height - length)
    square = np.ascontiguousarray(image[top : top + length, left : left + length, :3])
    return np.asarray(Image.fromarray(square).resize((side, side), Image.Resampling(resample)))
