"""Running checks with time limits, so that a check that fails or hangs becomes a missing signal and nothing else."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from guardrail.checks.base import Check, Failure, Found, JointCheck, SignalValues
from guardrail.errors import CheckError
from guardrail.guard.frames.parts import Place, many_frames, one_frame, placed, places, put_together
from guardrail.guard.pool import Job, Pool
from guardrail.media import Region, Request, Span
from guardrail.signals import MOST_ITEMS, SignalSpec, SignalValue, Stage

__all__ = ["Runner", "StageFindings"]


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
        smoothing: frames of a window over which scores of a video may be raised, 0 for none (`frames.smoothing`).
    """

    def __init__(self, checks: Sequence[Check], *, time_scale: float = 1.0, smoothing: int = 0) -> None:
        self.checks = tuple(checks)
        self._time_scale = time_scale
        self._smoothing = smoothing
        # Once: asking a class whether it has a protocol's methods takes longer than some checks do.
        self._told = frozenset(c.name for c in checks if isinstance(c, JointCheck))
        self._pools = {c.name: Pool(c.name) for c in checks if not c.inline}

    def run(
        self,
        requests: Sequence[Request],
        stage: Stage,
        known: Sequence[Mapping[str, SignalValue]] | None = None,
    ) -> list[StageFindings]:
        """Findings for each request. Requests without media at `stage` are not looked at, long videos frame by frame.

        Args:
            known: the signals of earlier stages, one mapping a request, for checks that need them.
        """
        results = [StageFindings() for _ in requests]
        told = known or [{} for _ in requests]
        with_media = [i for i, r in enumerate(requests) if r.media(stage)]
        short = [i for i in with_media if not many_frames(requests[i], stage)]
        checks = [c for c in self.checks if stage in c.stages]
        if short:
            before, into = [told[i] for i in short], [results[i] for i in short]
            self._walk(checks, [requests[i] for i in short], stage, before, into)
        for i in with_media:
            if i not in short:
                frames = self.look_at(requests[i], stage, told[i], places(requests[i], stage))
                results[i] = self.complete(requests[i], stage, told[i], frames)
        return results

    def look_at(
        self, request: Request, stage: Stage, known: Mapping[str, SignalValue], chosen: Sequence[Place]
    ) -> list[StageFindings]:
        """Findings for some frames of one request, each by itself; regions are those of the whole request.

        A check that failed at one frame is not asked about the others: its signals are missing whatever they say.
        Checks that need the request as a whole are left out.
        """
        checks = [c for c in self.checks if stage in c.stages and c.name not in self._told]
        found: list[StageFindings] = []
        for place in chosen:
            one = StageFindings()
            self._walk(checks, [one_frame(request, stage, place)], stage, [known], [one])
            one.regions = placed(one.regions, place)
            checks = [c for c in checks if c.name not in one.failures]
            found.append(one)
        return found

    def complete(
        self,
        request: Request,
        stage: Stage,
        known: Mapping[str, SignalValue],
        frames: Sequence[StageFindings],
    ) -> StageFindings:
        """What all frames that were looked at amount to, with the checks that need the request as a whole."""
        checks = [c for c in self.checks if stage in c.stages]
        result = self._joined([c for c in checks if c.name not in self._told], stage, frames)
        self._walk([c for c in checks if c.name in self._told], [request], stage, [known], [result])
        return result

    def _joined(self, checks: Sequence[Check], stage: Stage, frames: Sequence[StageFindings]) -> StageFindings:
        joined = StageFindings()
        for one in frames:
            joined.regions += one.regions
            joined.spans += [s for s in one.spans if s not in joined.spans]
            for name, cause in one.failures.items():
                joined.failures.setdefault(name, cause)
            for name, ms in one.timings_ms.items():
                joined.timings_ms[name] = joined.timings_ms.get(name, 0.0) + ms
        joined.ran = [c.name for c in checks if all(c.name in one.ran for one in frames)]
        for check in checks:
            for spec in check.gives:
                if spec.stage is stage and spec.name not in joined.signals:
                    values = [one.signals.get(spec.name) for one in frames]
                    value = put_together(values, over=self._smoothing)
                    if value is None and None not in values:
                        joined.failures.setdefault(check.name, f"gave more {spec.name} than can be named")
                    joined.signals[spec.name] = value
        return joined

    def _walk(
        self,
        checks: Sequence[Check],
        batch: Sequence[Request],
        stage: Stage,
        known: Sequence[Mapping[str, SignalValue]],
        results: Sequence[StageFindings],
    ) -> None:
        """Run checks in the order of their needs; what they find is added to `results`, one for each of `batch`."""
        waiting = list(checks)
        while waiting:
            later = {s.name for c in waiting for s in c.gives}
            level = [c for c in waiting if not any(n in later for n in c.needs)] or waiting
            waiting = [c for c in waiting if c not in level]
            found = [
                Found({**before, **now.signals}, tuple(now.regions)) for before, now in zip(known, results, strict=True)
            ]
            for check, answers, ms in self._level(level, batch, stage, found):
                for result, answer in zip(results, answers, strict=True):
                    _merge(result, check, stage, answer, ms)

    def _level(
        self, checks: Sequence[Check], batch: Sequence[Request], stage: Stage, found: Sequence[Found]
    ) -> list[tuple[Check, Sequence[SignalValues | Failure], float]]:
        """Run checks that do not need each other, those in native code side by side."""
        started: list[tuple[Check, Job]] = []
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
