"""What every engine here has in common: the frame around the judging of rules, which fails closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from time import monotonic

from guardrail.decision import PolicyRef, Reason, Verdict
from guardrail.policy.engine import BuiltinEngine
from guardrail.policy.engines.verdicts import Judged, refused, verdict_of
from guardrail.policy.model import Policy
from guardrail.signals import SignalValue, Stage

__all__ = ["OutsideEngine", "Refusal", "late"]

_STAGES = frozenset(Stage)


class Refusal(Exception):
    """The stage cannot be judged; the text becomes the cause of the block and holds nothing of the request."""


class OutsideEngine(ABC):
    """An engine whose rules have the properties of a rule file and whose conditions something else judges.

    Args:
        policy: the rules; what they say under `when` is not looked at here.
        reads: id of a rule → the signals that it reads.
    """

    def __init__(self, policy: Policy, reads: Mapping[str, tuple[str, ...]]) -> None:
        self.policy = policy
        self.reads = reads
        self._speaker = BuiltinEngine(policy)

    @property
    def ref(self) -> PolicyRef:
        return self.policy.ref

    def needs(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for rule in self.policy.rules:
            for signal in dict.fromkeys(self.reads.get(rule.id, ())):
                found.setdefault(signal, []).append(rule.id)
        return {signal: tuple(rules) for signal, rules in found.items()}

    def messages(self, reasons: Iterable[Reason]) -> Mapping[str, str]:
        return self._speaker.messages(reasons)

    def evaluate(
        self,
        signals: Mapping[str, SignalValue],
        *,
        stage: Stage,
        due: frozenset[Stage],
        deadline: float | None = None,
    ) -> Verdict:
        try:
            if not isinstance(stage, Stage) or not isinstance(due, frozenset) or not due <= _STAGES:
                return refused("unknown stage", stage)
            judged = list(self._judge(signals, stage, due, deadline))
            failure = "deadline passed" if late(deadline) else ""
            return verdict_of(judged, stage, self.policy.actions, failure=failure)
        except Refusal as refusal:
            return refused(str(refusal), stage)
        except Exception as error:  # noqa: BLE001 — whatever went wrong, the answer is no
            return refused(f"engine error: {type(error).__name__}", stage)

    @abstractmethod
    def _judge(
        self, signals: Mapping[str, object], stage: Stage, due: frozenset[Stage], deadline: float | None
    ) -> Iterable[Judged]:
        """The rules that hold, are unknown or could not be judged at `stage`.

        Raises:
            Refusal: nothing can be said about the stage.
        """


def late(deadline: float | None) -> bool:
    """Whether the deadline has passed; one of NaN always has."""
    return deadline is not None and not monotonic() <= deadline
