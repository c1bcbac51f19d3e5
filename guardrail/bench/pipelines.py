"""``guardrail bench pipelines``: what putting a pipeline under the guard costs, all checks stubbed.

Every figure is of the guard alone. The same call is made bare and guarded, in turns, so that a busy machine slows both;
the medians of the differences are one estimate. The other, the calmer one, is the time that a guarded call spends
outside of the pipeline's own: that leaves out what the guard does in between, which for a step is measured apart.
"""

from __future__ import annotations

import functools
import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from guardrail import __version__
from guardrail.bench.files import DataError
from guardrail.bench.run.environment import commit, machine
from guardrail.bench.run.measures import FEW
from guardrail.bench.stubbed import StubbedGuard

__all__ = ["FORMAT", "KIND", "PipelinePlan", "measure"]

KIND, FORMAT = "guardrail bench pipelines", 1
PROMPT = "a castle at dusk, oil on canvas"
STEPS, LOOP_STEPS = 2, 200
TINY_SIDE = 64
WARM_CALLS = 15
MARKED_EVERY = 10
"""A mark takes many times as long as all the rest: a call with one is made in every tenth turn."""
# Of the steps of a loop: so late that none is due in it, so that what is measured is the looking on alone.
NEVER_DUE = (0.999,)
_MARKED = "and marks"
LOOKING = "strict"
"""A policy that refuses previews for what is in them alone. Decoded by the autoencoder: of one with random weights no
linear map can be made."""
TARGETS = {"call": 1.0, "step": 0.1, "growth": 0.01, "guard": 600.0}
"""Milliseconds a call and a step; share of the resident memory after 1,000 calls; MB."""


@dataclass(frozen=True, slots=True)
class PipelinePlan:
    """What to measure.

    Args:
        opener: opens the pipeline; a function of a module, for other processes open it by name.
        picture: makes a PIL image with a person in it, likewise.
        model: folder of a pipeline that is called with a prompt alone; ``None`` for the one that `opener` has.
        policy: a rule file or the name of a shipped policy; its checks are stubbed, its rules are not.
        calls: turns, in each of which every way of guarding is called once, but for `MARKED_EVERY`.
        warm_calls: before them, not counted.
        marks: also what marking the output costs.
        memory_calls: calls between two looks at the memory; 0 leaves memory out.
        guard_memory: also start a process of its own with every check loaded.
        command: how this was called, for the report.
    """

    opener: Callable[[Path | None], Any]
    picture: Callable[[], Any]
    model: Path | None = None
    policy: str = "default"
    calls: int = 200
    warm_calls: int = WARM_CALLS
    marks: bool = True
    memory_calls: int = 1000
    guard_memory: bool = True
    command: str = ""


def measure(plan: PipelinePlan, progress: Callable[[str, int, int], None] | None = None) -> dict[str, Any]:
    """The report, as JSON holds it.

    Args:
        progress: told (what is done, how many so far, of how many).

    Raises:
        DataError: the pipeline cannot be called with a prompt alone, or memory not be measured.
        ConfigurationError: the pipeline cannot be opened, or the policy not be measured here.
    """
    from guardrail.bench.pipeline_memory import grown, loaded

    tell = progress or (lambda what, done, of: None)
    load_average = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    begun = time.perf_counter()
    pipe = plan.opener(plan.model)
    options = call_options(pipe, tiny=plan.model is None)
    with tempfile.TemporaryDirectory() as folder, one_thread():
        _try(pipe, options)
        calls = _calls(plan, pipe, options, Path(folder), tell)
        steps = _steps(plan, pipe)
    report: dict[str, Any] = {
        "kind": KIND,
        "format": FORMAT,
        "pipeline": {
            "class": type(pipe).__name__,
            "from": str(plan.model) if plan.model is not None else "the demo",
            "parameters": sum(p.numel() for m in modules_of(pipe) for p in m.parameters()),
            "steps_a_call": STEPS,
        },
        "policy": plan.policy,
        "call_ms": calls,
        "step_ms": steps,
        "memory": grown(plan.opener, plan.model, plan.policy, plan.memory_calls) if plan.memory_calls else None,
        "guard_memory": loaded(plan.opener, plan.picture, plan.policy) if plan.guard_memory else None,
    }
    report["targets"] = _targets(report)
    report["run"] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": plan.command,
        "machine": machine(),
        "guardrail": __version__,
        "commit": commit(),
        "load": load_average,
        "seconds": time.perf_counter() - begun,
    }
    return report


# ---- the pipeline


def call_options(pipe: Any, *, tiny: bool) -> dict[str, Any]:
    """What the pipeline is called with, besides a generator."""
    from guardrail.pipelines.arguments import signature_of

    wanted: dict[str, Any] = {"prompt": PROMPT, "num_inference_steps": STEPS}
    wanted |= {"height": TINY_SIDE, "width": TINY_SIDE} if tiny else {}
    names = signature_of(type(pipe).__call__).parameters
    return {name: value for name, value in wanted.items() if name in names}


def generate(pipe: Any, options: dict[str, Any]) -> Any:
    """One call, always from the same noise."""
    import torch

    return pipe(**options, generator=torch.Generator().manual_seed(1))


def modules_of(pipe: Any) -> Iterator[Any]:
    """The networks of a pipeline."""
    return (part for part in pipe.components.values() if hasattr(part, "parameters"))


def _try(pipe: Any, options: dict[str, Any]) -> None:
    try:
        generate(pipe, options)
    except (TypeError, ValueError) as error:
        name = type(pipe).__name__
        raise DataError(f"{name} cannot be called with a prompt alone ({type(error).__name__}): take another") from None


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: on several, what the pipeline itself takes varies by more than the guard costs."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# ---- a call


class _Clock:
    """Wall and processor time (ms) of what ran in the block, added up since the last `taken`."""

    def __init__(self) -> None:
        self._wall = self._cpu = 0.0
        self.tapped = False

    @contextmanager
    def running(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self._cpu += (time.process_time() - cpu) * 1e3
            self._wall += (time.perf_counter() - wall) * 1e3

    def taken(self) -> tuple[float, float]:
        said = self._wall, self._cpu
        self._wall = self._cpu = 0.0
        return said


def _calls(
    plan: PipelinePlan, pipe: Any, options: dict[str, Any], folder: Path, tell: Callable[[str, int, int], None]
) -> dict[str, Any]:
    """Of each way of guarding: wall and processor time, as the difference to bare calls and as the guard's own."""
    from guardrail.pipelines import wrap

    inside = _Clock()
    plain = type(pipe)
    pipe.__class__ = _with_call(plain, inside)
    guards = {
        "wrapper": StubbedGuard(plan.policy),
        "and record": StubbedGuard(plan.policy, audit=folder / "record.sqlite"),
    }
    if plan.marks:
        guards["and marks"] = StubbedGuard(plan.policy, marked=True, audit=folder / "marked.sqlite")
    ways = {name: wrap(pipe, guard=guard) for name, guard in guards.items()}
    guards["strict"] = StubbedGuard(LOOKING)
    ways["wrapper with previews' tap"] = wrap(pipe, guard=guards["strict"], previews=NEVER_DUE, preview_decoder="vae")
    try:
        for name, way in (("", pipe), *ways.items()):
            for _ in range(1 if name == _MARKED else plan.warm_calls):
                generate(way, options)
        rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in ways}
        bare: list[tuple[float, float]] = []
        with _no_collection():
            for number in range(plan.calls):
                bare.append(_timed(pipe, options, inside)[:2])
                for name, way in ways.items():
                    if name == _MARKED and number % MARKED_EVERY:
                        continue
                    wall, cpu, own_wall, own_cpu = _timed(way, options, inside)
                    rows[name].append((wall - bare[-1][0], cpu - bare[-1][1], own_wall, own_cpu))
                gc.collect(0)
                tell("calls", number + 1, plan.calls)
    finally:
        pipe.__class__ = plain
        for guard in guards.values():
            guard.close()
    head = ("difference_wall", "difference_processor", "own_wall", "own_processor")
    made: dict[str, Any] = {
        name: {what: spread([row[i] for row in taken]) for i, what in enumerate(head)} for name, taken in rows.items()
    }
    return {"bare": {what: spread([b[i] for b in bare]) for i, what in enumerate(("wall", "processor"))}} | made


def _timed(way: Any, options: dict[str, Any], inside: _Clock) -> tuple[float, float, float, float]:
    """Wall and processor ms of a call, and what of both was outside of the pipeline's own call."""
    whole = _Clock()
    with whole.running():
        generate(way, options)
    (wall, cpu), (wall_inside, cpu_inside) = whole.taken(), inside.taken()
    return wall, cpu, wall - wall_inside, cpu - cpu_inside


def _with_call(kind: Any, clock: _Clock) -> Any:
    """The class of a pipeline whose own call is timed: the same call by name, signature and origin."""
    call = kind.__call__

    @functools.wraps(call)
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
        with clock.running():
            return call(self, *args, **kwargs)

    return type(kind.__name__, (kind,), {"__call__": __call__, "__module__": kind.__module__})


# ---- a step


def _steps(plan: PipelinePlan, pipe: Any) -> dict[str, Any]:
    """What the guard adds to a step: loops of the scheduler's steps alone, bare and guarded in turns."""
    from guardrail.errors import ConfigurationError
    from guardrail.pipelines import wrap

    clock, plain = _Clock(), type(pipe)
    pipe.__class__ = _stepping(plain, clock, type(pipe.scheduler))
    # By the default policy nothing that a preview could show would refuse a harmless prompt: then none is made.
    with StubbedGuard(plan.policy) as guard, StubbedGuard(LOOKING) as looking:
        try:
            ways = {"without previews": wrap(pipe, guard=guard)}
            try:
                ways["with previews' tap"] = wrap(pipe, guard=looking, previews=NEVER_DUE, preview_decoder="vae")
            except ConfigurationError as error:
                return {"not_measured": str(error)}
            taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ("bare", *ways)}
            with _no_collection():
                for number in range(max(5, plan.calls // 4)):
                    for name, way in (("bare", pipe), *ways.items()):
                        clock.tapped = False
                        way(PROMPT)
                        if clock.tapped != ("tap" in name):
                            return {
                                "not_measured": "the scheduler was not watched where it should be, or was elsewhere"
                            }
                        if number >= 2:
                            taken[name].append(clock.taken())
                        clock.taken()
        finally:
            pipe.__class__ = plain
    made: dict[str, Any] = {}
    for name in ways:
        pairs = list(zip(taken[name], taken["bare"], strict=True))
        for i, what in enumerate(("wall", "processor")):
            made.setdefault(name, {})[what] = spread([(a[i] - b[i]) / LOOP_STEPS for a, b in pairs])
    return made | {"steps_a_loop": LOOP_STEPS}


def _stepping(kind: Any, clock: _Clock, scheduler: Any) -> Any:
    """The class of a pipeline whose call does nothing but step its scheduler, and hands back a grey picture."""

    @functools.wraps(kind.__call__)
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
        import torch
        from PIL import Image

        channels = int(getattr(self.vae.config, "latent_channels", 4))
        latents = torch.zeros(1, channels, 8, 8)
        self.scheduler.set_timesteps(LOOP_STEPS)
        times = list(self.scheduler.timesteps)
        clock.tapped = type(self.scheduler) is not scheduler
        with torch.no_grad(), clock.running():
            for t in times:
                self.scheduler.step(latents, t, latents)
        return ([Image.new("RGB", (TINY_SIDE, TINY_SIDE), (127, 127, 127))],)

    return type(kind.__name__, (kind,), {"__call__": __call__, "__module__": kind.__module__})


# ---- figures


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection of all generations in the middle of a call; the young one is emptied between calls."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 5th and 95th percentile, and of how many."""
    p5, p50, p95 = (float(v) for v in np.percentile(np.asarray(values), (5, 50, 95)))
    return {"p5": p5, "p50": p50, "p95": p95, "n": len(values)}


def _targets(report: dict[str, Any]) -> list[dict[str, Any]]:
    """What was promised, and whether it holds; None where too few calls say nothing of it. Processor time: what others
    do on the machine is not in it. A process is measured as a whole: `n` is None."""
    found: list[tuple[str, float, float, int | None]] = []
    own = report["call_ms"]["wrapper"]
    for what, name in (("own", "own_processor"), ("difference of", "difference_processor")):
        what = f"wrapper, {what} processor time, ms a call"
        found.append((what, TARGETS["call"], own[name]["p50"], own[name]["n"]))
    for name in ("without previews", "with previews' tap"):
        if name in report["step_ms"]:
            said = report["step_ms"][name]["processor"]
            found.append((f"{name}, processor time, ms a step", TARGETS["step"], said["p50"], said["n"]))
    memory, guard = report["memory"], report["guard_memory"]
    if memory is not None and memory["resident_growth"] is not None:
        found.append(("growth of resident memory", TARGETS["growth"], memory["resident_growth"], memory.get("calls")))
    if guard is not None and guard["above_bare_mb"] is not None:
        found.append(("memory above torch and diffusers, MB", TARGETS["guard"], guard["above_bare_mb"], None))
    return [
        {
            "what": what,
            "limit": limit,
            "value": value,
            "n": n,
            "met": None if n is not None and n < FEW else value <= limit,
        }
        for what, limit, value, n in found
    ]
