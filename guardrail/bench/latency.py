"""``guardrail bench latency``: what the guard costs a service, from a cold start to a guarded call.

Figures of processes are medians over fresh interpreters, those of calls are over calls in one process after
`Guard.warmup`, one at a time on one thread a model. Every picture has other noise, so that no cache can help.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from guardrail.bench.files import DataError
from guardrail.bench.pipelines import one_thread
from guardrail.bench.run.environment import environment, written_date
from guardrail.bench.run.fingerprint import policy_facts
from guardrail.bench.run.record import Run
from guardrail.bench.tables import Sheet, counted, explained, percentile
from guardrail.decision import Decision
from guardrail.guard import Guard
from guardrail.guard.parts import load
from guardrail.pipelines import wrap

__all__ = ["LatencyPlan", "measure"]

PROMPTS = {
    "prompt, 4 words": "a castle at dusk",
    "prompt, 24 words": "a castle on a cliff at dusk, oil on canvas, warm light from the windows, birds over the sea, "
    "highly detailed, cinematic",
    "prompt, Korean": "해질녘 절벽 위의 성, 캔버스에 유화, 창문에서 새어 나오는 따뜻한 빛",
}
SIDES = (512, 1024)
_STOCK = 16  # pictures that take turns
_STEPS = 4  # of the guarded call

Times = dict[str, float]


@dataclass(frozen=True, slots=True)
class LatencyPlan:
    """What to measure.

    Args:
        opener: opens an image-to-image pipeline; None leaves the guarded call out.
        picture: makes a PIL image with a person in it; None leaves pictures out.
        policy: a rule file or the name of a shipped policy.
        calls: of each kind; a third of it for pictures, a twentieth for the pipeline.
        processes: fresh interpreters for each cold figure; 0 leaves them out.
        command: how this was called, for the report.
    """

    opener: Callable[[], Any] | None
    picture: Callable[[], Any] | None
    policy: str = "default"
    calls: int = 300
    processes: int = 7
    command: str = ""


def measure(plan: LatencyPlan, progress: Callable[[str, int, int], None] | None = None) -> Run:
    """All figures are times: they stand in `Run.timing`, and metrics.json holds none.

    Raises:
        DataError: a fresh process fails.
        ConfigurationError: the policy cannot be enforced here.
    """
    tell = progress or (lambda what, done, of: None)
    not_run: dict[str, str] = {}
    timing: dict[str, Any] = {"cold_ms": {}, "call_ms": {}, "share_ms": {}, "share_calls": {}}
    if plan.processes:
        timing["cold_ms"] = _cold(plan, tell)
    else:
        not_run["fresh processes"] = "left out (--processes 0)"
    engine = load(plan.policy)
    with tempfile.TemporaryDirectory() as folder:
        with Guard(engine, audit=None, gallery=None) as guard:
            guard.warmup()
            checks = [e.to_json() for e in guard.effective()]
            _prompts(plan, guard, timing, tell)
            _pictures(plan, guard, timing, not_run, tell)
        with Guard(engine, audit=Path(folder) / "audit.sqlite", gallery=None) as guard:
            text = PROMPTS["prompt, 24 words"]
            timing["call_ms"]["prompt, 24 words, on record"] = _calls(lambda: guard.check_prompt(text), plan.calls)
        _whole_call(plan, Path(folder), timing, not_run, tell)
    timing["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {**environment(plan.command), "policy": policy_facts(engine), "checks": checks, "calls": plan.calls}
    busy = "" if facts["load"] is None else f"; load average {facts['load']:.1f} when it ended"
    return Run(
        "latency",
        "What the guard costs",
        facts,
        (),
        timing=timing,
        told=(
            ("policy", f"{engine.ref.id} {engine.ref.version}, sha256 {engine.ref.sha256}"),
            ("machine", facts["machine"] + busy),
            ("command", plan.command),
            ("date", written_date(facts)),
            ("peak memory of this process", f"{timing['peak_memory_mb']:.0f} MB"),
        ),
        sheets=tuple(_sheets(timing)),
        not_run=not_run,
    )


# ---- fresh processes


def _cold(plan: LatencyPlan, tell: Callable[[str, int, int], None]) -> dict[str, Times]:
    guard = f"g = guardrail.Guard({plan.policy!r}, audit=None, gallery=None)"
    ready = f"import guardrail; {guard}"
    statements = {
        "import guardrail": ("pass", "import guardrail"),
        "import guardrail and its Guard": ("pass", "import guardrail; guardrail.Guard"),
        "Guard() ready": ("import guardrail; guardrail.Guard", guard),
        "first prompt": (ready, "g.check_prompt('a castle')"),
        "second prompt": (f"{ready}; g.check_prompt('a castle')", "g.check_prompt('a castle at dusk')"),
        "warmup()": (ready, "g.warmup()"),
    }
    found = {}
    for i, (name, (before, statement)) in enumerate(statements.items()):
        tell("fresh processes", i, len(statements))
        found[name] = _percentiles([_fresh(before, statement) for _ in range(plan.processes)])
    tell("fresh processes", len(statements), len(statements))
    return found


def _fresh(before: str, statement: str) -> float:
    """Milliseconds of a statement in a new interpreter, without the interpreter's own start."""
    code = f"import time\n{before}\nt=time.perf_counter()\n{statement}\nprint((time.perf_counter()-t)*1e3)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise DataError(f"a fresh process failed at `{statement}`, saying: {said[0]}")
    return float(done.stdout.split()[-1])


# ---- calls


def _calls(call: Callable[[], object], n: int) -> Times:
    for _ in range(min(20, n)):
        call()
    taken = []
    for _ in range(n):
        begun = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begun) * 1e3)
    return _percentiles(taken)


def _percentiles(ms: list[float]) -> Times:
    return {f"p{p}": float(np.percentile(ms, p)) for p in (50, 95, 99)} | {"max": max(ms), "calls": float(len(ms))}


def _prompts(plan: LatencyPlan, guard: Guard, timing: dict[str, Any], tell: Callable[[str, int, int], None]) -> None:
    for i, (name, text) in enumerate(PROMPTS.items()):
        tell("prompts", i, len(PROMPTS))
        timing["call_ms"][name] = _calls(lambda text=text: guard.check_prompt(text), plan.calls)  # type: ignore[misc]
    text = PROMPTS["prompt, 24 words"]
    _shares(timing, "prompt, 24 words", lambda: guard.check_prompt(text), 50)


def _pictures(
    plan: LatencyPlan,
    guard: Guard,
    timing: dict[str, Any],
    not_run: dict[str, str],
    tell: Callable[[str, int, int], None],
) -> None:
    if plan.picture is None:
        not_run["pictures"] = "no picture with a person is at hand: pip install 'guardrail-diffusion[demo]'"
        return
    for i, side in enumerate(SIDES):
        tell("pictures", i, len(SIDES))
        stock = _noisy(plan.picture(), side)
        turn = iter(range(10**9))
        check = lambda stock=stock, turn=turn: guard.check_image(stock[next(turn) % _STOCK])  # noqa: E731
        timing["call_ms"][f"picture, {side} px"] = _calls(check, max(5, plan.calls // 3))
        _shares(timing, f"picture, {side} px", check, 10)


def _noisy(picture: Any, side: int) -> list[Any]:
    """The picture scaled to a square, with noise of ±3 grey levels, another in each."""
    base = np.asarray(picture.convert("RGB").resize((side, side)), np.int16)
    rng = np.random.default_rng(1)
    return [np.clip(base + rng.integers(-3, 4, base.shape, np.int16), 0, 255).astype(np.uint8) for _ in range(_STOCK)]


def _shares(timing: dict[str, Any], name: str, make: Callable[[], Decision], runs: int) -> None:
    """Median milliseconds of each step of one request, and of how many."""
    found = [dict(make().timings_ms) for _ in range(runs)]
    timing["share_ms"][name] = {step: statistics.median(f.get(step, 0.0) for f in found) for step in found[0]}
    timing["share_calls"][name] = runs


def _whole_call(
    plan: LatencyPlan,
    folder: Path,
    timing: dict[str, Any],
    not_run: dict[str, str],
    tell: Callable[[str, int, int], None],
) -> None:
    """Image to image, bare and guarded: how long the guard adds, and which step of it."""
    if plan.opener is None or plan.picture is None:
        not_run["a guarded call"] = "diffusers is not installed: pip install 'guardrail-diffusion[demo]'"
        return
    import torch

    tell("a guarded call", 0, 1)
    bare = plan.opener()
    bare.set_progress_bar_config(disable=True)
    given: dict[str, Any] = {"image": plan.picture(), "num_inference_steps": _STEPS, "strength": 0.75}
    runs = max(5, plan.calls // 20)

    def generate(pipe: Any) -> Any:
        return pipe("as an oil painting", generator=torch.Generator().manual_seed(1), **given)

    with one_thread(), Guard(load(plan.policy), audit=folder / "call.sqlite", gallery=None) as guard:
        timing["call_ms"][f"image to image, {_STEPS} steps, bare"] = _calls(lambda: generate(bare), runs)
        guard.warmup()
        pipe = wrap(bare, guard=guard)
        timing["call_ms"][f"image to image, {_STEPS} steps, guarded"] = _calls(lambda: generate(pipe), runs)
        _shares(timing, "image to image", lambda: generate(pipe).guardrail[0], max(3, runs // 4))
    tell("a guarded call", 1, 1)


# ---- tables


def _sheets(timing: Mapping[str, Any]) -> list[Sheet]:
    head = ("what", "p50, ms", "p95, ms", "p99, ms", "most, ms", "n")
    sheets = [
        Sheet("Cold: fresh processes", head, tuple(_row(name, of) for name, of in timing["cold_ms"].items())),
        Sheet(
            "Warm: one call after another",
            head,
            tuple(_row(name, of) for name, of in timing["call_ms"].items()),
            "Wall time on one thread; a busy machine lengthens it.",
        ),
    ]
    for name, steps in timing["share_ms"].items():
        total = sum(steps.values())
        n = counted(timing["share_calls"][name])
        rows = tuple((step, f"{ms:.3f}", f"{100 * ms / total:.0f}", n) for step, ms in steps.items())
        sheets.append(Sheet(f"Share of each step: {name}", ("step", "median, ms", "share, %", "n"), rows))
    return [explained(sheet) for sheet in sheets if sheet.rows]


def _row(name: str, of: Mapping[str, float]) -> tuple[str, ...]:
    n = int(of["calls"])
    return (name, *(percentile(of, p, n) for p in (50, 95, 99)), f"{of['max']:.2f}", counted(n))
