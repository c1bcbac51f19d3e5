"""Whether a face is a photograph of a person or a depiction.

Face detectors fire on paintings, statues and drawings as they do on people, and no cheap cue separates them safely
(ten cues in a linear model let 39 % of depictions through at 95 % of real faces kept). So the answer has three states,
and only flat artwork is ever called a depiction: areas of exactly one colour and very few colours, as in vector
drawings, line art and cel shading, which no camera produces. Whatever is unsure counts as real.

A photograph that somebody turned into flat artwork passes as a depiction here; a gallery match is independent of style.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from guardrail.media.types import Frame

__all__ = ["REAL_SCORE", "judge_face", "realness_cues"]

# Over all 162 faces found in 88 test photographs the largest flat share was 0.33 and the largest share of the eight
# commonest colours 0.61 (see benchmarks/results/faces); both must be well beyond that.
FLAT_SHARE = 0.45
FEW_COLOURS_SHARE = 0.68
SMALLEST_PIXELS = 24

Verdict = Literal["depiction", "unsure"]
REAL_SCORE: dict[Verdict, float] = {"depiction": 0.1, "unsure": 0.75}
"""The signal value of each verdict; a certain photograph is never claimed."""


def realness_cues(crop: Frame) -> tuple[float, float]:
    """(share of pixels whose 3×3 surroundings vary by at most one grey level, share of the eight commonest colours)."""
    grey = crop.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(grey, (3, 3))
    flat = float(((windows.max((2, 3)) - windows.min((2, 3))) <= 1.0).mean())
    coarse = (crop >> 3).astype(np.int32)
    codes = coarse[..., 0] << 10 | coarse[..., 1] << 5 | coarse[..., 2]
    counts = np.sort(np.bincount(codes.ravel()))
    return flat, float(counts[-8:].sum() / codes.size)


def judge_face(image: Frame, box: tuple[float, float, float, float]) -> Verdict:
    """The verdict for the face in `box` (left, top, width, height) of an (H, W, 3) image."""
    x, y, w, h = box
    side = max(w, h) * 1.15
    left, top, right, bottom = (
        max(0, int(edge))
        for edge in (x + w / 2 - side / 2, y + h / 2 - side / 2, x + w / 2 + side / 2, y + h / 2 + side / 2)
    )
    crop = image[top:bottom, left:right]
    # Too small to tell: JPEG blocks and scaling decide what is left of the texture.
    if min(crop.shape[:2], default=0) < SMALLEST_PIXELS:
        return "unsure"
    flat, few_colours = realness_cues(crop)
    return "depiction" if flat >= FLAT_SHARE and few_colours >= FEW_COLOURS_SHARE else "unsure"
