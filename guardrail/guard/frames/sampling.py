"""Which frames of a video are looked at first, where a policy does not ask for all of them.

The first, the last, every k-th, and every frame in which something came up: where the mean of one of 4×4 cells, in any
channel, differs by more than 10 of 255 from the frame before or from the frame that was looked at last. So a cut, or a
picture put in for one frame, is not passed over, and slow changes add up until they count.

What is smaller than that is passed over: a face of 32×32 pixels in a video of 512×512 fills a sixteenth of a cell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from guardrail.media.types import Frame

__all__ = ["CELLS", "MOVED", "cell_means", "sampled"]

CELLS = 4
MOVED = 10.0
"""Of 255, in the mean of a cell."""


def sampled(frames: Sequence[Frame], every: int) -> list[int]:
    """Indices of the frames to look at, in order.

    Args:
        frames: each (H, W, 3 or 4) uint8, read one at a time.
        every: at least each `every`-th frame; 1 for all of them.
    """
    if every <= 1:
        return list(range(len(frames)))
    chosen: list[int] = []
    last = before = np.empty(0)
    for i, frame in enumerate(frames):
        now = cell_means(frame)
        due = not chosen or i - chosen[-1] >= every or i == len(frames) - 1
        if due or _moved(now, before) or _moved(now, last):
            chosen.append(i)
            last = now
        before = now
    return chosen


def cell_means(frame: Frame) -> NDArray[np.float64]:
    """(CELLS, CELLS, channels) mean of each cell, 0..255; of a frame smaller than that, of fewer."""
    height, width = frame.shape[:2]
    rows = np.unique(np.arange(CELLS) * height // CELLS)
    columns = np.unique(np.arange(CELLS) * width // CELLS)
    sums = np.add.reduceat(np.add.reduceat(frame, rows, axis=0, dtype=np.int64), columns, axis=1)
    counts = np.diff([*rows, height])[:, None] * np.diff([*columns, width])[None, :]
    return np.asarray(sums / counts[..., None])


def _moved(now: NDArray[np.float64], then: NDArray[np.float64]) -> bool:
    return now.shape != then.shape or bool((np.abs(now - then) > MOVED).any())
