"""How long a check takes here, and whether it answers at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from guardrail.checks.base import Check
from guardrail.guard.runner import Runner
from guardrail.media import ImageInput, Request, Role, TextInput
from guardrail.signals import SignalValue, Stage

__all__ = ["measured"]

RUNS = 4


def measured(check: Check, others: Sequence[Check] = ()) -> tuple[float, str]:
    """Median wall time in ms of three runs after a warm-up, on a harmless text and a 512×512 picture of noise.

    Args:
        others: the checks that are here. Those whose signals `check` needs run before it, as in a guard; their time
            does not count.

    Returns:
        The time, and the cause where the check gave no answer.
    """
    rng = np.random.default_rng(0)
    picture = ImageInput((rng.integers(0, 255, (512, 512, 3), dtype=np.uint8),), role=Role.REFERENCE)
    request = Request((TextInput("a lighthouse at dusk, oil on canvas"),), (picture,))
    needed = _needed(check, others)
    runner = Runner([*needed, check])
    stage = Stage.PROMPT if Stage.PROMPT in check.stages else Stage.REFERENCE
    earlier = stage is Stage.REFERENCE and any(Stage.PROMPT in one.stages for one in needed)
    times: list[float] = []
    cause = ""
    for _ in range(RUNS):
        known: dict[str, SignalValue] = {}
        if earlier:
            (said,) = runner.run([request], Stage.PROMPT)
            known = said.signals
        (said,) = runner.run([request], stage, [known])
        times.append(said.timings_ms.get(check.name, 0.0))
        cause = cause or said.failures.get(check.name, "")
    return float(np.median(times[1:])), cause


def _needed(check: Check, others: Sequence[Check]) -> list[Check]:
    """Those of `others` that give what `check` needs, and what they need themselves."""
    wanted = set(check.needs)
    chosen: list[Check] = []
    # As many rounds as checks settle it.
    for _ in others:
        chosen = [o for o in others if o.name != check.name and any(s.name in wanted for s in o.gives)]
        wanted |= {name for one in chosen for name in one.needs}
    return chosen
