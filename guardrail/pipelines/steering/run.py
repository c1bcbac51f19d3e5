"""Steering one run of a pipeline, by whatever method is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from guardrail.pipelines.arguments import Arguments
from guardrail.pipelines.steering import denoiser, negative, projection
from guardrail.pipelines.steering.encoding import between
from guardrail.pipelines.steering.guidance import guidance_off, raise_scale
from guardrail.pipelines.steering.safety import STRENGTHS, SafetySettings
from guardrail.pipelines.steering.wishes import Outcome, Wish

__all__ = ["inactive", "steered"]

_INACTIVE = {"negative": negative.inactive, "projection": projection.inactive, "safety": denoiser.inactive}
# Taken back by the change itself, at the moment when it is made.
_OTHER_TEXT = "the pipeline encoded another text than the prompt"


def inactive(pipe: Any, arguments: Arguments, wish: Wish) -> str:
    """Empty where a call can be steered as is wished; otherwise why not, known before it runs."""
    return _INACTIVE[wish.method](pipe, arguments)


@contextlib.contextmanager
def steered(
    pipe: Any,
    arguments: Arguments,
    wish: Wish | None,
    count: int,
    *,
    safety: SafetySettings | None = None,
    slack: float = projection.SLACK,
) -> Iterator[tuple[Arguments, Outcome]]:
    """What to call the pipeline with, inside the block, so that it steers.

    Nothing is drawn from a random state. The pipeline has its own methods and hooks again when the block ends, whatever
    is raised.

    Args:
        arguments: of the call; they stay as they are.
        wish: what for; ``None`` leaves the call as it is.
        count: prompts of the call.
        safety: numbers for the method ``safety``, instead of those that the wish names.
        slack: for the method ``projection``: by what part further from the concept a prompt must lie without a word for
            that word to be projected.

    Returns:
        The arguments, and an outcome that is known when the block has ended.
    """
    if wish is None or (cause := inactive(pipe, arguments, wish)):
        yield arguments, Outcome("nothing is to be steered" if wish is None else cause)
        return
    if wish.method == "negative":
        outcome = Outcome("", negative.DETAIL)
        yield negative.merged(arguments, wish, count), outcome
        if getattr(pipe, "do_classifier_free_guidance", True) is False:
            outcome.inactive = "the pipeline ran without classifier-free guidance"
        return
    changed, outcome = arguments.copy(), Outcome(_OTHER_TEXT)
    if not guidance_off(pipe, arguments):
        raise_scale(changed, wish.scale)
    if wish.method == "projection":
        with between(pipe, changed, projection.Projection(wish, outcome, slack)):
            yield changed, outcome
        return
    third = denoiser.ThirdPrediction(pipe, wish, outcome, safety or STRENGTHS[wish.strength])
    with between(pipe, changed, third), third.hooked():
        yield changed, outcome
