"""Steering a generation away from a concept: by the negative prompt, by projected embeddings, by safety guidance."""

from guardrail.pipelines.steering.run import inactive, steered
from guardrail.pipelines.steering.safety import STRENGTHS, STRONG, SafetySettings
from guardrail.pipelines.steering.wishes import METHODS, Outcome, Wish, report, wish_of

__all__ = [
    "METHODS",
    "STRENGTHS",
    "STRONG",
    "Outcome",
    "SafetySettings",
    "Wish",
    "inactive",
    "report",
    "steered",
    "wish_of",
]
