"""One layer of marking, as every reader of marks reports it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Layer"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of marking.

    Args:
        name: ``watermark``, ``metadata`` or ``png text``.
        verdict: ``found``, ``marked, payload unreadable``, ``claimed`` (anybody could have written it),
            ``nothing found`` or ``not applicable``.
        says: what the layer says, by name.
        false_positive_rate: for the watermark, how often an unmarked image gives this verdict by chance.
    """

    name: str
    verdict: str
    says: dict[str, str] = field(default_factory=dict)
    statistic: float | None = None
    false_positive_rate: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "verdict": self.verdict,
            "says": self.says,
            "statistic": self.statistic,
            "false_positive_rate": self.false_positive_rate,
        }
