"""Steering by the negative prompt: the concept is put before what the user avoids already."""

from __future__ import annotations

from typing import Any

from guardrail.pipelines.arguments import Arguments
from guardrail.pipelines.kinds import is_negative
from guardrail.pipelines.parameters import Holds, held_by
from guardrail.pipelines.steering.guidance import guidance_off, raise_scale
from guardrail.pipelines.steering.wishes import Wish

__all__ = ["DETAIL", "inactive", "merged"]

DETAIL = "through the negative prompt"
_MAIN = "negative_prompt"
# Texts for the second, third and fourth encoder. Where they are left out, the pipeline takes the first for them.
_OTHERS = ("negative_prompt_2", "negative_prompt_3", "negative_prompt_4")


def inactive(pipe: Any, arguments: Arguments) -> str:
    """Empty where a negative prompt has an effect in this call; otherwise why it has none."""
    if not arguments.accepts(_MAIN):
        return "the pipeline has no negative prompt"
    if any(value is not None and _is_embedding(name) for name, value in arguments.values.items()):
        return "negative embeddings were given instead of a negative prompt"
    return guidance_off(pipe, arguments)


def merged(arguments: Arguments, wish: Wish, count: int) -> Arguments:
    """Arguments with the concept in the negative prompt of every item, and the guidance scale raised if asked.

    The concept stands first: encoders cut long texts at their end.

    Args:
        count: prompts of the call.
    """
    steered = arguments.copy()
    prompt = steered.values.get("prompt")
    # diffusers wants both prompts of one type; with embeddings, a list where there are several.
    listed = isinstance(prompt, list | tuple) if prompt is not None else count > 1
    given = steered.get(_MAIN)
    if listed and not isinstance(given, list | tuple):
        given = [given] * count
    steered.values[_MAIN] = _with(given, wish.text)
    for name in _OTHERS:
        other = steered.values.get(name)
        if other:
            steered.values[name] = _with(other, wish.text)
    raise_scale(steered, wish.scale)
    return steered


def _with(given: Any, text: str) -> Any:
    if isinstance(given, list | tuple):
        return [_with(one, text) for one in given]
    return f"{text}, {given}" if given else text


def _is_embedding(name: str) -> bool:
    return is_negative(name) and held_by(name) is Holds.TEXT_EMBEDDING
