"""Running checks with time limits, so that a check that fails or hangs becomes a missing signal and nothing else.

Native code cannot be killed from a thread: a call that does not come back keeps its thread, the thread is counted as
hung, and its check answers "missing" at once after too many of those. Worker threads are daemons, so that a hung one
does not keep the process alive.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from guardrail.checks.base import Check, Failure, Found, JointCheck, SignalValues
from guardrail.errors import CheckError
from guardrail.media import Region, Request, Span
from guardrail.signals import MOST_ITEMS, SignalSpec, SignalValue, Stage

__all__ = ["Runner", "StageFindings"]

MOST_HUNG_CALLS = 4
WORKERS_PER_CHECK = 2


@dataclass(slots=True)
class StageFindings:
    """What all checks of a stage said about one request.

    Args:
        signals: every declared signal of the stage; ``None`` where a check could not answer.
        failures: check name → cause, without content.
        ran: names of the checks that answered.
        timings_ms: wall time of each check; for a batch, of the whole batch.
    """

    signals: dict[str, SignalValue] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    timings_ms: dict[str, float] = field(default_factory=dict)


class Runner:
    """Runs a fixed set of checks, in the order in which they were given.

    Args:
        checks: ordered so that what a check needs comes before it.
        time_scale: factor on every check's own time limit (tests and slow machines).
    """

    def __init__(self, checks: Sequence[Check], *, time_scale: float = 1.0) -> None:
        self.checks = tuple(checks)
        self._time_scale = time_scale
        # Once: asking a class whether it has a protocol's methods takes longer than some checks do.
        self._told = frozenset(c.name for c in checks if isinstance(c, JointCheck))
        self._pools = {c.name: _Pool(c.name) for c in checks if not c.inline}

    def run(
        self,
        requests: Sequence[Request],
        stage: Stage,
        known: Sequence[Mapping[str, SignalValue]] | None = None,
    ) -> list[StageFindings]:
        """Findings for each request. Requests without media at `stage` are not looked at.

        Args:
            known: the signals of earlier stages, one mapping a request, for checks that need them.
        """
        results = [StageFindings() for _ in requests]
        with_media = [i for i, r in enumerate(requests) if r.media(stage)]
        if not with_media:
            return results
        batch = [requests[i] for i in with_media]
        waiting = [c for c in self.checks if stage in c.stages]
        while waiting:
            later = {s.name for c in waiting for s in c.gives}
            level = [c for c in waiting if not any(n in later for n in c.needs)] or waiting
            waiting = [c for c in waiting if c not in level]
            found = [
                Found({**(known[i] if known else {}), **results[i].signals}, tuple(results[i].regions))
                for i in with_media
            ]
            for check, answers, ms in self._level(level, batch, stage, found):
                for i, answer in zip(with_media, answers, strict=True):
                    _merge(results[i], check, stage, answer, ms)
        return results

    def _level(
        self, checks: Sequence[Check], batch: Sequence[Request], stage: Stage, found: Sequence[Found]
    ) -> list[tuple[Check, Sequence[SignalValues | Failure], float]]:
        """Run checks that do not need each other, those in native code side by side."""
        started: list[tuple[Check, _Job]] = []
        for check in checks:
            if not check.inline:
                work = partial(self._answers, check, batch, stage, found)
                started.append((check, self._pools[check.name].submit(work)))
        finished: list[tuple[Check, Sequence[SignalValues | Failure], float]] = []
        for check in checks:
            if check.inline:
                begin = time.perf_counter()
                said = self._answers(check, batch, stage, found)
                finished.append((check, said, (time.perf_counter() - begin) * 1e3))
        for check, job in started:
            answers = job.wait(check.timeout_s * self._time_scale * len(batch))
            if answers is None:
                answers = [Failure(job.cause)] * len(batch)
            finished.append((check, answers, job.milliseconds))
        return finished

    def _answers(
        self, check: Check, batch: Sequence[Request], stage: Stage, found: Sequence[Found]
    ) -> Sequence[SignalValues | Failure]:
        try:
            told = check.name in self._told
            answers = check.check_found(batch, stage, found) if told else check.check(batch, stage)  # type: ignore[attr-defined]
            if len(answers) == len(batch):
                return answers
            cause = f"gave {len(answers)} answers for {len(batch)} requests"
        except CheckError as error:  # its text holds no content: that is its contract
            cause = f"{type(error).__name__}: {error}"
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a missing signal, and the policy then blocks; Rust panics are none
            # of Python's Exceptions. The type only: a message may quote what was checked.
            cause = type(error).__name__
        return [Failure(cause)] * len(batch)

    def warmup(self) -> None:
        """Load everything that loads lazily."""
        for check in self.checks:
            check.warmup()


def _merge(into: StageFindings, check: Check, stage: Stage, answer: SignalValues | Failure, ms: float) -> None:
    into.timings_ms[check.name] = ms
    given: Mapping[str, SignalValue] = {}
    if isinstance(answer, SignalValues):
        try:
            given, spans, regions = _plain(answer), tuple(answer.spans), tuple(answer.regions)
        except Exception as error:  # noqa: BLE001 - what a check answers may be anything; it is a missing signal then
            into.failures[check.name] = f"gave an answer that cannot be read: {type(error).__name__}"
        else:
            into.ran.append(check.name)
            into.spans += spans
            into.regions += regions
    else:
        into.failures[check.name] = getattr(answer, "cause", f"gave {type(answer).__name__}")
    for spec in check.gives:
        if spec.stage is stage:
            value = given.get(spec.name)
            if value is None:
                into.failures.setdefault(check.name, f"gave no {spec.name}")
            elif not spec.kind.admits(value):
                value = None
                into.failures[check.name] = f"gave no valid {spec.name}, or more than {MOST_ITEMS} items"
            known = spec.name in into.signals
            into.signals[spec.name] = _stricter(spec, into.signals[spec.name], value) if known else value


def _plain(answer: SignalValues) -> dict[str, SignalValue]:
    """The values as they are now, with items in dictionaries of our own: what is judged is what is recorded."""
    return {
        name: tuple(dict(item) if isinstance(item, Mapping) else item for item in value)
        if isinstance(value, tuple)
        else value
        for name, value in dict(answer.signals).items()
    }


def _stricter(spec: SignalSpec, a: SignalValue, b: SignalValue) -> SignalValue:
    """Two checks gave one signal. Where one of them is missing the whole is: half an answer is no all-clear."""
    if a is None or b is None:
        return None
    if isinstance(a, tuple) and isinstance(b, tuple):
        return a + b
    if isinstance(a, bool | float | int) and isinstance(b, bool | float | int):
        return max(a, b)
    return None


class _Job:
    """One call on a worker thread."""

    def __init__(self, work: Callable[[], Sequence[SignalValues | Failure]] | None, cause: str = "") -> None:
        self.work = work
        self.cause = cause
        self.milliseconds = 0.0
        self._abandoned = threading.Event()
        self._result: Sequence[SignalValues | Failure] | None = None
        self._finished = threading.Event()
        self._pool: _Pool | None = None

    def run(self) -> None:
        assert self.work is not None
        begin = time.perf_counter()
        try:
            self._result = self.work()
        except BaseException as error:  # noqa: BLE001 - a panic in native code must not take the worker with it
            self.cause = type(error).__name__
        self.milliseconds = (time.perf_counter() - begin) * 1e3
        self._finished.set()

    def given_up(self) -> bool:
        """Whether the caller does not wait any more."""
        return self._abandoned.is_set()

    def wait(self, seconds: float) -> Sequence[SignalValues | Failure] | None:
        if self.work is None:
            return None
        if self._finished.wait(seconds):
            return self._result
        self.cause = f"timed out after {seconds:g} s"
        self.milliseconds = seconds * 1e3
        self._abandoned.set()
        if self._pool is not None:
            self._pool.lost_one()
        return None


class _Pool:
    """A few daemon threads for one check. Threads that hang are replaced, up to a limit."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._hung = 0

    def submit(self, work: Callable[[], Sequence[SignalValues | Failure]]) -> _Job:
        with self._lock:
            if self._hung >= MOST_HUNG_CALLS:
                return _Job(None, f"out of service: {self._hung} calls hang")
            if self._threads < WORKERS_PER_CHECK:
                self._threads += 1
                threading.Thread(target=self._work, name=f"guardrail-{self._name}", daemon=True).start()
        job = _Job(work)
        job._pool = self
        self._jobs.put(job)
        return job

    def lost_one(self) -> None:
        """A caller gave up on a job: its thread may never come back, so another one may start."""
        with self._lock:
            self._hung += 1
            self._threads -= 1

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job.given_up():
                # It waited longer than its caller did. Its place was given away: give it back.
                with self._lock:
                    self._hung -= 1
                    self._threads += 1
                continue
            job.run()
            if job.given_up():
                # It came back after all; a replacement may be running, so this thread ends.
                with self._lock:
                    self._hung -= 1
                return
