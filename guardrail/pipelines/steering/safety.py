"""Safe latent diffusion: a third prediction, for the concept, of which the second is kept away.

The method of Schramowski et al. 2022 (arXiv 2211.05105, section 3). With predictions for no prompt (u), for the prompt
(t) and for the concept (s), the guided prediction is ``u + g · (t − u − γ)``, where γ is ``μ ⊙ (s − u)`` plus momentum,
and μ is 0 wherever the prompt's prediction is not near the concept's. It is worked out for each value by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["STRENGTHS", "STRONG", "SafetySettings", "SafetyState"]


@dataclass(frozen=True, slots=True)
class SafetySettings:
    """Numbers of the method, with the paper's letters.

    Args:
        scale: s_S, how fast μ grows with the distance between prompt and concept; it ends at 1.
        threshold: λ, how far ahead of the concept's prediction a value of the prompt's may be and still be near it.
        momentum: s_m, the part of the momentum that is added.
        decay: β_m, what part of the momentum is kept from step to step.
        warmup: δ as a share of the schedule; before that, momentum only gathers.
    """

    scale: float = 2000.0
    threshold: float = 0.025
    momentum: float = 0.5
    decay: float = 0.7
    warmup: float = 0.14


STRONG = SafetySettings()
STRENGTHS: Mapping[str, SafetySettings] = MappingProxyType(
    {
        "medium": SafetySettings(1000.0, 0.01, 0.3, 0.4, 0.2),
        "strong": STRONG,
        "max": SafetySettings(5000.0, 1.0, 0.5, 0.7, 0.0),
    }
)
"""The paper's settings (its table of hyperparameters: 10, 7 and 0 of 50 steps of warm-up)."""


class SafetyState:
    """One run: what is carried from step to step."""

    def __init__(self, settings: SafetySettings = STRONG) -> None:
        self.settings = settings
        self._momentum: Tensor | None = None

    def away(self, plain: Tensor, prompt: Tensor, concept: Tensor, progress: float) -> Tensor:
        """γ, to be taken from the prompt's prediction before it is guided.

        Args:
            plain, prompt, concept: u, t and s, of one shape and dtype.
            progress: where in the schedule the step is, 0 … 1.

        Returns:
            Of the same shape and dtype; zeros during warm-up.
        """
        import torch

        now = self.settings
        difference = prompt.float() - concept.float()
        mask = (difference.abs() * now.scale).clamp(max=1.0) * (difference < now.threshold)
        momentum = torch.zeros_like(difference) if self._momentum is None else self._momentum
        gamma = mask * (concept.float() - plain.float()) + now.momentum * momentum
        self._momentum = now.decay * momentum + (1.0 - now.decay) * gamma
        if progress < now.warmup:
            gamma = torch.zeros_like(gamma)
        return gamma.to(prompt.dtype)
