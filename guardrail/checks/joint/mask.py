"""Where the mask of an edit lies, seen from a face in the picture: on the body below it, on the face, or elsewhere.

No model finds bodies here. The body is where it has to be below a face: about three widths of the face's box across
and seven of its heights down (an adult is some seven and a half heads tall, and a detector's box is three quarters of a
head high).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from guardrail.media import ImageInput, Role
from guardrail.media.types import Frame

__all__ = ["Box", "Placed", "body_of", "painted", "place"]

Box = tuple[float, float, float, float]
"""Left, top, width, height."""
Grid = NDArray[np.bool_]

GRID = 256
"""Cells across and down of the grid that every mask is read on, whatever its own size: pipelines resize it too."""
# Pipelines cut masks at the middle, or take grey as a strength. A tenth is more than JPEG or a soft edge leaves behind.
PAINTED = 0.1
# In latents a mask is resized by its nearest pixels: of every 8×8 one decides. White dots 8 apart repaint everything.
CUT = 0.5
LATENT_PIXELS = 8
# Pipelines scale larger pictures down, as far as this by default, and the gaps between dots with them.
SMALLEST_SCALED = 512
BODY_WIDTHS, BODY_HEIGHTS = 3.0, 7.0
# The middle of the body, about as wide as a trunk and as two legs that stand apart. A mask of everything but the person
# takes in the corners of the body's box and leaves this as it is.
CORE_WIDTHS = 1.2
# A mask over a chest alone is a fifth of that middle.
CORE_SHARE = 0.2
# Smaller ones: all of the mask lies on the body, and it is no speck beside the face.
INSIDE_SHARE, LEAST_FACES = 0.7, 0.5
FACE_SHARE = 0.5

Where = Literal["body", "face", "elsewhere"]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a mask lies for one face.

    Args:
        where: ``body`` wins over ``face``; ``elsewhere`` leaves the person as it is.
        box: of the body, or of the face, in pixels of the picture.
        masked: share of that box that is repainted, 0..1.
        inside: share of what is repainted that lies in it, 0..1.
    """

    where: Where
    box: Box
    masked: float
    inside: float


def painted(mask: ImageInput, size: tuple[int, int] | None = None) -> Grid:
    """(GRID, GRID) True where the mask lets the pipeline repaint, in any of its frames.

    White is repainted, as diffusers has it; where the role is ``keep``, white stays. Transparency is not looked at:
    pipelines convert a mask to grey, which drops it. A cell is painted by its mean, by any pixel that pipelines round
    to white, and where it lies in a gap between such pixels that a mask in latents may not have.

    Args:
        size: height and width of the picture, which the mask is scaled to; the mask's own where it is not known.
    """
    found = np.zeros((GRID, GRID), np.bool_)
    for frame in mask.frames:
        shown = _grey(frame)
        if mask.role is Role.KEEP:
            shown = 1.0 - shown
        found |= (_means(shown) >= PAINTED - 1e-6) | _closed(_any_in_cell(shown >= CUT), size or shown.shape[:2])
    return found


def _grey(frame: Frame) -> NDArray[np.float32]:
    """(H, W) grey, 0..1."""
    from PIL import Image

    return np.asarray(Image.fromarray(np.ascontiguousarray(frame[..., :3])).convert("L"), np.float32) / 255.0


def _means(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """(GRID, GRID) mean of each cell."""
    from PIL import Image

    return np.asarray(Image.fromarray(grey).resize((GRID, GRID), Image.Resampling.BOX), np.float32)


def _any_in_cell(pixels: Grid) -> Grid:
    """(GRID, GRID) True where a cell holds a pixel that is True, or a part of one."""
    for axis in (0, 1):
        n = pixels.shape[axis]
        first, last = np.arange(GRID) * n // GRID, -(-np.arange(1, GRID + 1) * n // GRID)
        counts = np.insert(np.cumsum(pixels, axis=axis, dtype=np.int32), 0, 0, axis=axis)
        pixels = counts.take(last, axis) > counts.take(first, axis)
    return pixels


def _closed(cells: Grid, size: tuple[int, int]) -> Grid:
    """Cells with what lies between them painted too, where every part of it is within `LATENT_PIXELS` of paint.

    Spread, then drawn back: gaps fill, and the outline of a mask stays where it is.
    """
    reach = [int(np.ceil(LATENT_PIXELS * GRID / min(n, SMALLEST_SCALED))) for n in size]
    spread = np.pad(cells, [(r, r) for r in reach])
    for axis, r in enumerate(reach):
        spread = _within(spread, r, axis)
    for axis, r in enumerate(reach):
        spread = ~_within(~spread, r, axis)
    return spread[reach[0] : reach[0] + GRID, reach[1] : reach[1] + GRID]


def _within(cells: Grid, reach: int, axis: int) -> Grid:
    """True where a True cell is at most `reach` cells away along the axis."""
    n = cells.shape[axis]
    counts = np.insert(np.cumsum(cells, axis=axis, dtype=np.int32), 0, 0, axis=axis)
    at = np.arange(n)
    return counts.take(np.minimum(at + reach + 1, n), axis) > counts.take(np.maximum(at - reach, 0), axis)


def body_of(face: Box, size: tuple[int, int], down: tuple[int, int] = (0, 1), widths: float = BODY_WIDTHS) -> Box:
    """The box of the body below a face, cut at the edges of the picture; empty where the picture ends at the chin.

    Args:
        size: height and width of the picture.
        down: where the chin points, one of (0, 1), (0, -1), (1, 0), (-1, 0): people lie, and pictures are turned.
    """
    x, y, w, h = face
    across, along = (w * widths, h * BODY_HEIGHTS) if down[0] == 0 else (h * widths, w * BODY_HEIGHTS)
    if down[0] == 0:
        left, right = x + w / 2 - across / 2, x + w / 2 + across / 2
        top, bottom = (y + h, y + h + along) if down[1] > 0 else (y - along, y)
    else:
        top, bottom = y + h / 2 - across / 2, y + h / 2 + across / 2
        left, right = (x + w, x + w + along) if down[0] > 0 else (x - along, x)
    left, top = max(left, 0.0), max(top, 0.0)
    return left, top, max(min(right, size[1]) - left, 0.0), max(min(bottom, size[0]) - top, 0.0)


def place(face: Box, size: tuple[int, int], masks: Sequence[Grid], down: tuple[int, int] = (0, 1)) -> Placed:
    """Where masks of a picture lie for one face in it.

    Args:
        face: in pixels of the picture.
        size: height and width of the picture, which the masks cover whole.
        masks: as `painted` gives them; what any of them repaints counts.
        down: as for `body_of`.
    """
    grid = np.logical_or.reduce(list(masks)) if masks else np.zeros((GRID, GRID), np.bool_)
    body = body_of(face, size, down)
    core, _ = _shares(body_of(face, size, down, CORE_WIDTHS), size, grid)
    masked, inside = _shares(body, size, grid)
    face_cells = face[2] * face[3] / (size[0] * size[1]) * GRID * GRID
    small_but_on_it = inside >= INSIDE_SHARE and core > 0 and int(grid.sum()) >= LEAST_FACES * face_cells
    if core >= CORE_SHARE or small_but_on_it:
        return Placed("body", body, masked, inside)
    masked, inside = _shares(face, size, grid)
    return Placed("face" if masked >= FACE_SHARE else "elsewhere", face, masked, inside)


def _shares(box: Box, size: tuple[int, int], grid: Grid) -> tuple[float, float]:
    """(share of the box that is painted, share of what is painted that lies in the box)."""
    x, y, w, h = box
    across, down = GRID / size[1], GRID / size[0]
    left, right = max(0, round(x * across)), min(GRID, round((x + w) * across))
    top, bottom = max(0, round(y * down)), min(GRID, round((y + h) * down))
    part = grid[top:bottom, left:right]
    whole = int(grid.sum())
    if not part.size or not whole:
        return 0.0, 0.0
    return float(part.mean()), float(part.sum() / whole)
