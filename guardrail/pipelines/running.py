"""Which pipelines run under the guard at this moment: what they ask of themselves meanwhile was judged already.

A run belongs to the thread that it began in and to the context of that thread, and ends with it. A context that was
copied on the way (`asyncio.to_thread`, tasks, callbacks that keep one) carries it along, and finds it over, or in
another thread: there the pipeline is under the guard as ever. No pipeline of diffusers works with threads of its own;
one that did would have its own methods judged once more in them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

__all__ = ["INNER", "is_running", "run_of"]

# The attribute by which a pipeline under a guard holds what the guard keeps of it.
INNER = "_guardrail_inner"


class _Run:
    """One run. The object itself is over when the run is, wherever it was carried."""

    __slots__ = ("pipe", "thread")

    def __init__(self, pipe: Any) -> None:
        self.pipe: Any = pipe
        self.thread = threading.get_ident()


_runs: ContextVar[tuple[_Run, ...]] = ContextVar("guardrail_runs", default=())


@contextlib.contextmanager
def run_of(pipe: Any) -> Iterator[None]:
    """The pipeline runs under the guard inside the block."""
    run, token = _Run(pipe), None
    # A thread can be interrupted at any line: from the first that names the run on, there is one that ends it.
    try:
        token = _runs.set((*_runs.get(), run))
        yield
    finally:
        # First: also lets go of the pipeline where a copied context lives on, or nothing more is carried out here.
        run.pipe = None
        if token is not None:
            _runs.reset(token)


def is_running(pipe: Any) -> bool:
    """Whether this very pipeline runs under the guard now, in this thread and context."""
    here = threading.get_ident()
    return any(run.pipe is pipe and run.thread == here for run in _runs.get())
