"""One process of a benchmark: the core that it is kept on, and the memory that it took."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["one_core", "peak_mib"]


@contextmanager
def one_core(number: int | None = None) -> Iterator[bool]:
    """Keep this process and the threads that it starts on one core; False where the system does not offer that.

    Args:
        number: of the worker, they take turns over the cores that this process may use; None for the last of them.
    """
    try:
        before = os.sched_getaffinity(0)
        cores = sorted(before)
        os.sched_setaffinity(0, {cores[-1 if number is None else number % len(cores)]})
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


def peak_mib() -> float | None:
    """The most resident memory that this process had, in MiB; None where the system does not say.

    Of ``/proc``: `getrusage` tells of a new process what its parent had.
    """
    try:
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    except (OSError, StopIteration):
        return None
