"""Memory of a guarded pipeline over many calls, and of a guard with every check loaded: each in a process of its own.

What other measurements left behind would be counted otherwise. The process prints one line of JSON.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from guardrail.bench.files import DataError

__all__ = ["grown", "loaded"]

WARM_CALLS = 100
REFERENCE_SIDE = 512
MB = 1e6


def grown(opener: Callable[..., Any], model: Path | None, policy: str, calls: int) -> dict[str, Any]:
    """How much the memory of a guarded pipeline grows over `calls` calls, record included, marks not.

    Raises:
        DataError: the process failed.
    """
    return _in_a_process("growth", policy, _name(opener), str(calls), str(model) if model is not None else "")


def loaded(opener: Callable[..., Any], picture: Callable[[], Any], policy: str) -> dict[str, Any]:
    """How much memory a guard takes with all that a policy reads loaded, by check.

    Raises:
        DataError: the process failed, e.g. because models are not pulled.
    """
    return _in_a_process("guard", policy, _name(opener), _name(picture))


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}:{function.__qualname__}"


def _named(name: str) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), attribute)
    return found


def _in_a_process(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "guardrail.bench.pipeline_memory", *arguments], capture_output=True, text=True
    )
    if done.returncode:
        # The last line of a traceback says what it was.
        raise DataError(
            f"memory could not be measured: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def resident() -> int | None:
    """Resident memory of this process in bytes; ``None`` where the system does not say it in ``/proc``."""
    gc.collect()
    try:
        import ctypes

        # Freed memory that the allocator keeps is no growth.
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        pass  # another C library: then what it keeps is in the figure
    return _kilobytes("VmRSS")


def _kilobytes(name: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), None)


def _growth(policy: str, opener: str, calls: int, model: Path | None) -> dict[str, Any]:
    from guardrail.bench.pipelines import call_options, generate, one_thread
    from guardrail.bench.stubbed import StubbedGuard
    from guardrail.pipelines import wrap

    # The guard first: it says at once what is wrong with the policy.
    with (
        tempfile.TemporaryDirectory() as folder,
        StubbedGuard(policy, audit=Path(folder) / "record.sqlite") as guard,
        one_thread(),
    ):
        pipe = _named(opener)(model)
        options = call_options(pipe, tiny=model is None) | {"num_inference_steps": 1}
        bare = _over(lambda: generate(pipe, options), calls // 4)
        guarded = wrap(pipe, guard=guard)
        found = _over(lambda: generate(guarded, options), calls)
        traced = _traced(lambda: generate(guarded, options), max(50, calls // 4))
    return {"calls": calls, **found, "bare": {"calls": calls // 4, **bare}, "traced": traced}


def _over(call: Callable[[], Any], calls: int) -> dict[str, Any]:
    for _ in range(WARM_CALLS):
        call()
    before = resident()
    for _ in range(calls):
        call()
    after = resident()
    share = (after - before) / before if after is not None and before is not None else None
    return {"resident_before": before, "resident_after": after, "resident_growth": share}


def _traced(call: Callable[[], Any], calls: int) -> dict[str, Any]:
    """What Python objects are left of calls: bytes a call, and the lines that made most of them."""
    tracemalloc.start()
    try:
        for _ in range(WARM_CALLS // 2):
            call()
        gc.collect()
        before, first = tracemalloc.get_traced_memory()[0], tracemalloc.take_snapshot()
        # What the first look itself keeps is no growth.
        base = tracemalloc.get_traced_memory()[0] - before
        for _ in range(calls):
            call()
        gc.collect()
        left = tracemalloc.get_traced_memory()[0] - before - base
        compared = tracemalloc.take_snapshot().compare_to(first, "lineno")
    finally:
        tracemalloc.stop()
    most = [
        {"line": _line(d.traceback[0]), "bytes": d.size_diff, "objects": d.count_diff}
        for d in compared
        if d.size_diff > 0 and d.traceback[0].filename != tracemalloc.__file__
    ]
    return {"calls": calls, "bytes_a_call": left / calls, "most": most[:8]}


def _line(frame: tracemalloc.Frame) -> str:
    """Module and line without the folders of this machine."""
    parts = Path(frame.filename).parts
    start = next((i + 1 for i, p in enumerate(parts) if p == "site-packages"), max(0, len(parts) - 3))
    return f"{'/'.join(parts[start:])}:{frame.lineno}"


def _guard(policy: str, opener: str, picture_of: str) -> dict[str, Any]:
    """The order is the one of a service that starts: its libraries, the guard, its checks, a request."""
    import torch

    torch.set_num_threads(1)
    # Held, as a service holds it: the process that the guard comes into.
    pipe = _named(opener)(None)
    looks = [(f"torch, diffusers, {type(pipe).__name__}", resident())]
    import guardrail

    guard_class = guardrail.Guard  # imported when it is asked for
    looks.append(("import guardrail", resident()))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        guard = guard_class(
            policy, gallery=place / "gallery.sqlite", known=place / "known", audit=place / "record.sqlite"
        )
        with guard:
            looks.append(("guard made", resident()))
            # One by one, so that each has its share; what two of them use is counted at the first.
            for check in guard._parts.judge.runner.checks:
                check.warmup()
                looks.append((f"check {check.name}", resident()))
            guard.warmup()
            looks.append(("marks and the rest of warmup", resident()))
            picture = _named(picture_of)().resize((REFERENCE_SIDE, REFERENCE_SIDE))
            decision = guard.check_request(prompt="a portrait by the sea, oil on canvas", images=[picture])
            guard.check_output(picture, after=decision)
            looks.append((f"a request with {REFERENCE_SIDE}×{REFERENCE_SIDE} pixels, and its output", resident()))
            effective = [e.to_json() for e in guard.effective()]
    base, last = looks[0][1], looks[-1][1]
    rows = [
        {"after": name, "mb": now / MB, "added_mb": (now - (looks[i - 1][1] or 0)) / MB if i else None}
        for i, (name, now) in enumerate(looks)
        if now is not None
    ]
    peak = _kilobytes("VmHWM")
    return {
        "rows": rows,
        "above_bare_mb": (last - base) / MB if last is not None and base is not None else None,
        "peak_above_bare_mb": (peak - base) / MB if peak is not None and base is not None else None,
        "effective": effective,
    }


def main(arguments: list[str]) -> None:
    """Measure, and print one line of JSON."""
    what, policy, opener, *rest = arguments
    if what == "guard":
        found = _guard(policy, opener, rest[0])
    else:
        calls, model = rest
        found = _growth(policy, opener, int(calls), Path(model) if model else None)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
