"""What a policy says (verdict) and what the guard answers (decision), with the reasons for it."""

from __future__ import annotations

from guardrail.decision.actions import (
    CORE_ACTIONS,
    REFUSED_ACTIONS,
    TEXT_JOINT,
    Action,
    ActionKind,
    ActionSpec,
    Param,
    is_one_line,
)
from guardrail.decision.answer import (
    Alteration,
    Coverage,
    Decision,
    Decisions,
    EffectiveCheck,
    PolicyRef,
    new_decision_id,
)
from guardrail.decision.reasons import Leaf, Reason, ReasonKind, Verdict
from guardrail.signals import Stage

__all__ = [
    "CORE_ACTIONS",
    "REFUSED_ACTIONS",
    "TEXT_JOINT",
    "Action",
    "ActionKind",
    "ActionSpec",
    "Alteration",
    "Coverage",
    "Decision",
    "Decisions",
    "EffectiveCheck",
    "Leaf",
    "Param",
    "PolicyRef",
    "Reason",
    "ReasonKind",
    "Stage",
    "Verdict",
    "is_one_line",
    "new_decision_id",
]
