"""Training by the clock: a run ends after so many minutes, whatever else runs, and can be taken up again."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch


class Clock:
    """Minutes of training so far, over all runs of it.

    Args:
        path: the checkpoint.
        minutes: how long the training is, all runs together; the learning rate falls to zero by then.
    """

    def __init__(self, path: Path, minutes: float, rate: float) -> None:
        self.path, self.minutes, self.rate = path, minutes, rate
        self.before = 0.0
        self.start = self.saved = time.monotonic()
        self.step = 0

    def resume(self, **parts: Any) -> None:
        """Take the parts' states from the checkpoint, if there is one."""
        if self.path.exists():
            state = torch.load(self.path, weights_only=True)
            for name, part in parts.items():
                part.load_state_dict(state[name])
            self.before, self.step = state["minutes"], state["step"]

    def save(self, **parts: Any) -> None:
        states = {name: part.state_dict() for name, part in parts.items()}
        draft = self.path.with_suffix(".draft")
        torch.save({**states, "minutes": self.spent, "step": self.step}, draft)
        draft.replace(self.path)
        self.saved = time.monotonic()

    @property
    def spent(self) -> float:
        return self.before + (time.monotonic() - self.start) / 60

    @property
    def share(self) -> float:
        return min(1.0, self.spent / self.minutes)

    @property
    def due(self) -> bool:
        """Time for a checkpoint: every two minutes."""
        return time.monotonic() - self.saved > 120

    def learning_rate(self, warmup: int = 200) -> float:
        """Linear warm-up, then half a cosine to zero."""
        return self.rate * min(1.0, (self.step + 1) / warmup) * (0.5 + 0.5 * math.cos(math.pi * self.share))
