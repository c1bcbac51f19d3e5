"""Scores of neighbouring frames taken together. A frame's score may only rise by it, never fall.

What lies just under a threshold in frame after frame is more than what does so once. How much more hangs on how far
the errors of neighbouring frames are independent. Were they, n frames of score s would amount to 1 - (1 - s)^n (noisy
or; Pearl 1988, Probabilistic Reasoning in Intelligent Systems, section 4.3.2). Neighbouring frames show nearly the same
pixels, so n is not their number but the effective number of observations, 1 + (n - 1)(1 - r) at correlation r of their
errors (the design effect of Kish 1965, Survey Sampling, turned round).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

__all__ = ["CORRELATION", "smoothed"]

CORRELATION = 0.9
"""Of the errors of frames in one window. What was measured, and why smoothing is off by default: docs/video.md."""


def smoothed(scores: Sequence[float], over: int) -> list[float]:
    """Each score, raised to what the window around it amounts to where that is more.

    Every window is judged by its median, so that one odd frame raises no other one; a frame has the highest of the
    windows that it lies in.

    Args:
        scores: of frames in their order, each in 0..1.
        over: frames of a window; 0 or 1 leaves all as they are. A shorter video is one window.
    """
    raised = list(scores)
    length = min(over, len(scores))
    if length < 2:
        return raised
    weight = 1 + (length - 1) * (1 - CORRELATION)
    for first in range(len(scores) - length + 1):
        middle = median(scores[first : first + length])
        together = min(1.0, 1 - (1 - middle) ** weight)
        for i in range(first, first + length):
            raised[i] = max(raised[i], together)
    return raised
