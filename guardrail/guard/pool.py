"""Threads for the calls of one check, with a limit of time for each.

Native code cannot be killed from a thread: a call that does not come back keeps its thread, the thread is counted as
hung, and its check answers "missing" at once after too many of those. Worker threads are daemons, so that a hung one
does not keep the process alive.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

from guardrail.checks.base import Failure, SignalValues

__all__ = ["MOST_HUNG_CALLS", "WORKERS_PER_CHECK", "Job", "Pool"]

MOST_HUNG_CALLS = 4
WORKERS_PER_CHECK = 2


class Job:
    """One call on a worker thread. It is finished or abandoned, never both: the lock of its pool settles which."""

    def __init__(
        self, pool: Pool, work: Callable[[], Sequence[SignalValues | Failure]] | None, cause: str = ""
    ) -> None:
        self.work = work
        self.cause = cause
        self.milliseconds = 0.0
        self.result: Sequence[SignalValues | Failure] | None = None
        self.abandoned = False
        self.finished = threading.Event()
        self._pool = pool

    def wait(self, seconds: float) -> Sequence[SignalValues | Failure] | None:
        """What it gave; ``None``, with the cause, where it gave nothing in time."""
        try:
            if self.work is not None and not self.finished.wait(seconds):
                self._pool.give_up(self, seconds)
        except BaseException:
            # Interrupted: nobody waits for it any more, and it may hang.
            self._pool.give_up(self, seconds)
            raise
        return self.result


class Pool:
    """A few daemon threads for one check. Threads that hang are replaced, up to a limit."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._hung = 0

    def submit(self, work: Callable[[], Sequence[SignalValues | Failure]]) -> Job:
        with self._lock:
            if self._hung >= MOST_HUNG_CALLS:
                return Job(self, None, f"out of service: {self._hung} calls hang")
            if self._threads < WORKERS_PER_CHECK:
                self._threads += 1
                threading.Thread(target=self._work, name=f"guardrail-{self._name}", daemon=True).start()
        job = Job(self, work)
        self._jobs.put(job)
        return job

    def give_up(self, job: Job, seconds: float) -> None:
        """A caller waits no more for a job, unless it came back this moment: its thread may never come back, so
        another one may start."""
        with self._lock:
            if job.abandoned or job.finished.is_set():
                return
            job.abandoned = True
            job.cause = f"timed out after {seconds:g} s"
            job.milliseconds = seconds * 1e3
            self._hung += 1
            self._threads -= 1

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            with self._lock:
                if job.abandoned:
                    # It waited longer than its caller did. Its place was given away: give it back.
                    self._hung -= 1
                    self._threads += 1
                    continue
            if not self._run(job):
                return

    def _run(self, job: Job) -> bool:
        """Run a job; whether its caller still waited for it, and this thread may take another one."""
        assert job.work is not None
        result, cause, begin = None, "", time.perf_counter()
        try:
            result = job.work()
        except BaseException as error:  # noqa: BLE001 - a panic in native code must not take the worker with it
            cause = type(error).__name__
        milliseconds = (time.perf_counter() - begin) * 1e3
        with self._lock:
            if job.abandoned:
                # It came back after all; a replacement may be running, so this thread ends.
                self._hung -= 1
                return False
            job.result, job.cause, job.milliseconds = result, cause, milliseconds
            job.finished.set()
            return True
