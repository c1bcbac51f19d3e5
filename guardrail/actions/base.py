"""What an action is: from a request and what was found in it to a list of planned alterations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from guardrail.decision import ActionKind, Alteration
from guardrail.media import Region, Request, Span
from guardrail.signals import Stage

__all__ = ["Params", "PlanInput", "PlannedAction"]

Params = Mapping[str, float | bool | str]


@dataclass(frozen=True, slots=True)
class PlanInput:
    """What a plan may look at.

    Args:
        request: the request as it stands before this action.
        stage: where it is judged; its media are what can be changed.
        spans: what was found in its texts.
        regions: what was found in the images of the stage.
    """

    request: Request
    stage: Stage
    spans: Sequence[Span] = ()
    regions: Sequence[Region] = ()


class PlannedAction(ABC):
    """One alteration a rule may ask for. Stateless.

    A class registered under the entry-point group ``guardrail.actions`` is called without arguments and gives one.
    """

    spec: ClassVar[ActionKind]

    def validate(self, params: Params) -> None:
        """Refuse parameters that the declaration alone cannot refuse; called when a policy is loaded.

        Raises:
            ConfigurationError: the parameters make no sense together.
        """
        return

    @abstractmethod
    def plan(self, given: PlanInput, params: Params, *, strength: int = 0) -> list[Alteration]:
        """The changes to make: new text, new pixels (a tuple of frames), or a hint to the generator.

        Args:
            strength: 0 at first; a change that does not hold is planned again one step stronger.

        Raises:
            ActionError: the change cannot be planned; the item is blocked.
        """
