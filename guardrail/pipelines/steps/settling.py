"""Leaving a pipeline as a finished run would have left it, after a run was ended in the middle."""

from __future__ import annotations

from typing import Any

from guardrail.pipelines.steps.hosts import hosts

__all__ = ["settle"]


def settle(pipe: Any) -> None:
    """Release what offload hooks hold and clear what says that a run goes on, in inner pipelines too.

    A run that comes to its end does this itself: without it, offloaded models stay on the device.
    """
    for inner in {id(p): p for p in (*(h.pipe for h in hosts(pipe)), pipe)}.values():
        free = getattr(inner, "maybe_free_model_hooks", None)
        if callable(free):
            free()
        state = vars(inner)
        if "_interrupt" in state:
            inner._interrupt = False
        if "_current_timestep" in state:
            inner._current_timestep = None
