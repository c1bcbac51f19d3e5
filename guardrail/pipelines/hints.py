"""Carrying hints out to the generator, and saying whether they were active.

Safe guidance goes through the negative prompt, which works only where the pipeline has one and classifier-free guidance
is on; distilled models ignore it. It changes the picture, so it is used for the prompts it was asked for and no others.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

from guardrail.actions.hints import AVOID
from guardrail.guard.item import Item
from guardrail.pipelines.arguments import Arguments

__all__ = ["RandomState", "guidance_inactive", "hints_of", "new_generator", "report", "steer", "untouched"]


def hints_of(item: Item) -> tuple[tuple[str, float], ...]:
    """The steering that an item asks for: (concept, least guidance scale or 0), without repeats, in order."""
    asked = [a for a in item.alterations if a.kind == "guide"]
    return tuple(
        sorted({(str(a.params.get("away_from", "nudity")), float(a.params.get("scale") or 0.0)) for a in asked})
    )


def guidance_inactive(arguments: Arguments) -> str:
    """Empty where a negative prompt has an effect in this call; otherwise why it has none."""
    if not arguments.accepts("negative_prompt"):
        return "the pipeline has no negative prompt"
    if any(arguments.values.get(n) is not None for n in ("negative_prompt_embeds", "prompt_embeds")):
        return "embeddings were given instead of prompts"
    name = "true_cfg_scale" if arguments.accepts("true_cfg_scale") else "guidance_scale"
    scale = arguments.get(name)
    if not isinstance(scale, int | float) or scale <= 1.0:
        return f"{name} is {scale}: classifier-free guidance is off"
    return ""


def steer(arguments: Arguments, concepts: tuple[tuple[str, float], ...], count: int) -> Arguments:
    """Arguments with the concepts in the negative prompt of every item, and the guidance scale raised if asked."""
    steered = arguments.copy()
    avoid = ", ".join(AVOID[concept] for concept, _ in concepts)
    given = steered.values.get("negative_prompt")
    # diffusers wants both prompts of one type.
    listed = isinstance(steered.values.get("prompt"), list | tuple)
    old = list(given) if isinstance(given, list | tuple) else [given] * (count if listed else 1)
    new = [f"{text}, {avoid}" if text else avoid for text in old]
    steered.values["negative_prompt"] = new if listed else new[0]
    name = "true_cfg_scale" if steered.accepts("true_cfg_scale") else "guidance_scale"
    least = max(scale for _, scale in concepts)
    if least > float(steered.get(name) or 0.0):
        steered.values[name] = least
    return steered


def report(item: Item, inactive: str) -> None:
    """Note on the item's steering whether it was active."""
    for alteration in item.alterations:
        if alteration.kind == "guide":
            alteration.status = "inactive" if inactive else "active"
            alteration.detail = inactive or "through the negative prompt"


def new_generator(arguments: Arguments, pixels_sha256: str, attempt: int) -> Any:
    """A generator for another attempt, seeded by what was refused: the same request gives the same attempts."""
    import torch

    given = arguments.values.get("generator")
    first = given[0] if isinstance(given, list | tuple) and given else given
    device = getattr(first, "device", torch.device("cpu"))
    digest = hashlib.sha256(f"{pixels_sha256}/{attempt}".encode()).digest()
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest[:8], "big") >> 1)


class RandomState:
    """The random state that a call draws from: its own generators, or the global one of each device in use."""

    def __init__(self, arguments: Arguments, pipe: Any) -> None:
        import torch

        given = arguments.values.get("generator")
        self._generators = [g for g in (given if isinstance(given, list | tuple) else [given]) if g is not None]
        self._states = [g.get_state() for g in self._generators]
        self._cpu = torch.get_rng_state()
        device: Any = getattr(pipe, "device", "cpu")
        self._device = device
        self._cuda = torch.cuda.get_rng_state(device) if getattr(device, "type", "") == "cuda" else None

    def restore(self) -> None:
        """Put everything back to where it was."""
        import torch

        for generator, state in zip(self._generators, self._states, strict=True):
            generator.set_state(state)
        torch.set_rng_state(self._cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._cuda, self._device)


@contextlib.contextmanager
def untouched(arguments: Arguments, pipe: Any) -> Iterator[None]:
    """Whatever is drawn inside the block is not drawn from the user's point of view."""
    state = RandomState(arguments, pipe)
    try:
        yield
    finally:
        state.restore()
