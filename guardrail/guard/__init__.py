"""One request through the stages: running checks with limits, asking the policy, altering, marking, recording."""

from guardrail.guard.guard import Guard

__all__ = ["Guard"]
