"""Alterations: each PLANS a change, none carries it out. The guard applies the plan and checks that it holds."""

from guardrail.actions.base import PlannedAction
from guardrail.actions.registry import action_kinds, actions, validate

__all__ = ["PlannedAction", "action_kinds", "actions", "validate"]
