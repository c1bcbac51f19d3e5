"""Whether a face is a photograph of a person or a depiction.

Face detectors fire on paintings, statues and drawings as they do on people, and no cheap cue separates them safely
(ten cues in a linear model let 39 % of depictions through at 95 % of real faces kept). So the answer has three states,
and by itself only flat artwork is called a depiction: areas of exactly one colour and very few colours, as in vector
drawings, line art and cel shading, which no camera produces. Whatever is unsure counts as real. A backend that the
user brings and measured (`realness_model.py`, `realness_clip.py`) can be sure of more; docs/realness.md has figures.

A photograph that somebody turned into flat artwork passes as a depiction here; a gallery match is independent of style.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np

from guardrail.media.types import Frame

__all__ = ["REAL_SCORE", "RealnessBackend", "Verdict", "judge_face", "realness_cues"]

# Both must be reached. Over 154 photographed faces in eleven changes the nearest had 0.73 of what is needed (see
# benchmarks/results/realness.json).
FLAT_SHARE = 0.45
FEW_COLOURS_SHARE = 0.68
SMALLEST_PIXELS = 24

Box = tuple[float, float, float, float]
Verdict = Literal["depiction", "unsure"]
REAL_SCORE: dict[Verdict, float] = {"depiction": 0.1, "unsure": 0.75}
"""The signal value of each verdict; a certain photograph is never claimed."""


class RealnessBackend(Protocol):
    """A model that may be sure where the cues are not."""

    name: str
    weights: Mapping[str, str]
    """File name → sha256."""

    def is_depiction(self, image: Frame, box: Box) -> bool:
        """Whether it is sure that the face in `box` of an (H, W, 3) uint8 RGB image is no photograph.

        Raises:
            CheckError: it gave a value that is no number.
        """
        ...


def realness_cues(crop: Frame) -> tuple[float, float]:
    """(share of pixels whose 3×3 surroundings vary by at most one grey level, share of the eight commonest colours)."""
    grey = crop.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    # Down, then across: ten times as fast as windows of 3×3, and the same.
    most = np.maximum(np.maximum(grey[:-2], grey[1:-1]), grey[2:])
    least = np.minimum(np.minimum(grey[:-2], grey[1:-1]), grey[2:])
    most = np.maximum(np.maximum(most[:, :-2], most[:, 1:-1]), most[:, 2:])
    least = np.minimum(np.minimum(least[:, :-2], least[:, 1:-1]), least[:, 2:])
    flat = float(((most - least) <= 1.0).mean())
    coarse = (crop >> 3).astype(np.int32)
    codes = coarse[..., 0] << 10 | coarse[..., 1] << 5 | coarse[..., 2]
    counts = np.sort(np.bincount(codes.ravel()))
    return flat, float(counts[-8:].sum() / codes.size)


def judge_face(image: Frame, box: Box, backend: RealnessBackend | None = None) -> Verdict:
    """The verdict for one face.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: left, top, width, height in pixels.
        backend: asked where the cues are not sure.

    Raises:
        CheckError: the backend gave a value that is no number.
    """
    if _is_flat_artwork(image, box):
        return "depiction"
    return "depiction" if backend is not None and backend.is_depiction(image, box) else "unsure"


def _is_flat_artwork(image: Frame, box: Box) -> bool:
    x, y, w, h = box
    side = max(w, h) * 1.15
    left, top, right, bottom = (
        max(0, int(edge))
        for edge in (x + w / 2 - side / 2, y + h / 2 - side / 2, x + w / 2 + side / 2, y + h / 2 + side / 2)
    )
    crop = image[top:bottom, left:right]
    # Too small to tell: JPEG blocks and scaling decide what is left of the texture.
    if min(crop.shape[:2], default=0) < SMALLEST_PIXELS:
        return False
    flat, few_colours = realness_cues(crop)
    return flat >= FLAT_SHARE and few_colours >= FEW_COLOURS_SHARE
