"""One prompt through the guard, timed; on one core, so that latencies of two machines mean the same."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from guardrail.decision import Action, Decision
from guardrail.guard import Guard

__all__ = ["ALLOWED", "ALTERED", "BLOCKED", "REFUSED", "SIGNAL", "Judged", "judged", "one_core"]

ALLOWED, ALTERED, BLOCKED = 0, 1, 2
SIGNAL = "prompt.sexual"
REFUSED = "refused"
"""How a cause begins that lies in the prompt (too long) and not in a check that failed."""

_CODES = {Action.ALLOW: ALLOWED, Action.LABEL: ALLOWED, Action.ALTER: ALTERED, Action.BLOCK: BLOCKED}


class Judged(NamedTuple):
    """The decision on a prompt.

    Args:
        action: `ALLOWED`, `ALTERED` or `BLOCKED`.
        score: ``prompt.sexual`` in 0..1; None where it is missing or the policy does not ask for it.
        cause: why it was blocked unread, without content; empty where a rule decided. It counts as blocked.
        ms: wall time of the whole decision.
        cpu_ms: processor time that this process spent on it: what is left of `ms` on a machine that others use too.
    """

    action: int
    score: float | None
    cause: str
    ms: float
    cpu_ms: float


def judged(guard: Guard, text: str) -> Judged:
    """What the guard decides about a prompt on its own."""
    begun, spent = time.perf_counter(), time.process_time()
    decision = guard.check_prompt(text)
    ms, cpu_ms = (time.perf_counter() - begun) * 1e3, (time.process_time() - spent) * 1e3
    score = decision.signals.get(SIGNAL)
    return Judged(_CODES[decision.action], score if isinstance(score, float) else None, _cause(decision), ms, cpu_ms)


def _cause(decision: Decision) -> str:
    """A rule blocks on what it knows; all other blocks are for want of knowledge."""
    blocking = [r for r in decision.reasons if r.effect is Action.BLOCK and not r.shadow]
    if not decision.blocked or any(r.kind == "rule" for r in blocking):
        return ""
    for reason in blocking:
        if reason.kind == "missing":
            return reason.describe()
        if reason.kind == "input":
            return f"{REFUSED}: {reason.cause.partition(':')[0]}"
    return blocking[0].kind if blocking else "unknown"


@contextmanager
def one_core() -> Iterator[bool]:
    """Keep this process and the threads that it starts on one core; False where the system does not offer that."""
    try:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(before)})
    except (AttributeError, OSError):
        yield False
        return
    try:
        yield True
    finally:
        # Threads that began meanwhile inherited the one core: give all of them the others back.
        for task in Path("/proc/self/task").glob("*"):
            with suppress(OSError):
                os.sched_setaffinity(int(task.name), before)
        os.sched_setaffinity(0, before)
