"""The disguises of guardrail/bench/attacks.py, for the training scripts."""

from guardrail.bench.attacks import FAMILIES, Family

__all__ = ["FAMILIES", "Family"]
