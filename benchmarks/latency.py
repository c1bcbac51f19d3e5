"""What the guard costs: import, readiness, prompts, images, and the share of each stage in a whole call.

    python benchmarks/latency.py [--out benchmarks/results/latency] [--calls 300]

Every process figure is the median of fresh interpreters; every call figure p50 and p99 of calls in one process, after
`warmup()`. Pictures are noise around a photograph out of scikit-image's wheel, so that no cache can help.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 — after the path is set

PROMPTS = {
    "4 words": "a castle at dusk",
    "24 words": "a castle on a cliff at dusk, oil on canvas, warm light from the windows, birds over the sea, "
    "highly detailed, cinematic",
    "Korean": "해질녘 절벽 위의 성, 캔버스에 유화, 창문에서 새어 나오는 따뜻한 빛",
}


def fresh(statement: str, *, setup: str = "", runs: int = 7) -> float:
    """Median milliseconds of a statement in fresh interpreters, without the interpreter's own start."""
    code = f"import time\n{setup}\nt=time.perf_counter()\n{statement}\nprint((time.perf_counter()-t)*1e3)"
    taken = []
    for _ in range(runs):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
        taken.append(float(done.stdout.split()[-1]))
    return statistics.median(taken)


def calls(call: Callable[[], object], n: int) -> dict[str, float]:
    for _ in range(min(20, n)):
        call()
    taken = []
    for _ in range(n):
        begun = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begun) * 1e3)
    taken.sort()
    return {"p50": round(taken[n // 2], 3), "p99": round(taken[min(n - 1, int(n * 0.99))], 3), "calls": n}


def pictures(side: int) -> Callable[[], Any]:
    """Portraits of one size, each with other noise."""
    import skimage.data
    from PIL import Image

    portrait = np.asarray(Image.fromarray(np.ascontiguousarray(skimage.data.astronaut())).resize((side, side)))
    rng = np.random.default_rng(1)

    def make() -> Any:
        noise = rng.integers(-3, 4, portrait.shape, np.int16)
        return np.clip(portrait + noise, 0, 255).astype(np.uint8)

    return make


def processes() -> dict[str, float]:
    guard = "g = guardrail.Guard(audit=None, gallery=None)"
    return {
        "import guardrail, ms": fresh("import guardrail"),
        "import guardrail and its Guard, ms": fresh("import guardrail; guardrail.Guard"),
        "Guard() of the default policy ready, ms": fresh(guard, setup="import guardrail; guardrail.Guard"),
        "first prompt, ms": fresh("g.check_prompt('a castle')", setup=f"import guardrail; {guard}"),
        "second prompt, ms": fresh(
            "g.check_prompt('a castle at dusk')", setup=f"import guardrail; {guard}; g.check_prompt('a castle')"
        ),
        "warmup(), ms": fresh("g.warmup()", setup=f"import guardrail; {guard}"),
    }


def shares(decision: Any) -> dict[str, float]:
    return {name: round(ms, 3) for name, ms in decision.timings_ms.items()}


def median_shares(make: Callable[[], Any], runs: int) -> dict[str, float]:
    """Median milliseconds of each step of one request."""
    found = [shares(make()) for _ in range(runs)]
    return {name: round(statistics.median(f.get(name, 0.0) for f in found), 3) for name in found[0]}


def whole_call(folder: Path, runs: int) -> dict[str, Any]:
    """An image-to-image call on the tiny pipeline: how long the guard adds, and which step of it."""
    import torch

    import guardrail
    from guardrail.demo.pictures import portrait
    from guardrail.demo.tiny import tiny_stable_diffusion

    torch.set_num_threads(1)
    bare = tiny_stable_diffusion("StableDiffusionImg2ImgPipeline")
    bare.set_progress_bar_config(disable=True)
    given: dict[str, Any] = {"image": portrait(), "num_inference_steps": 4, "strength": 0.75}

    def generate(pipe: Any) -> Any:
        return pipe("as an oil painting", generator=torch.Generator().manual_seed(1), **given)

    alone = calls(lambda: generate(bare), runs)
    with guardrail.Guard(audit=folder / "call.sqlite", gallery=None) as guard:
        guard.warmup()
        pipe = guardrail.wrap(bare, guard=guard)
        guarded = calls(lambda: generate(pipe), runs)
        steps = median_shares(lambda: generate(pipe).guardrail[0], max(5, runs // 4))
    return {"bare, ms": alone, "guarded, ms": guarded, "steps, ms": steps}


def measure(n: int) -> dict[str, Any]:
    import guardrail

    result: dict[str, Any] = {"processes": {k: round(v, 2) for k, v in processes().items()}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with guardrail.Guard(audit=None, gallery=None) as guard:
            guard.warmup()
            result["prompt, ms"] = {k: calls(lambda p=p: guard.check_prompt(p), n * 3) for k, p in PROMPTS.items()}
            for side in (512, 1024):
                make = pictures(side)
                stock = [make() for _ in range(16)]
                turn = iter(range(10**9))
                result[f"image {side} px, ms"] = calls(lambda: guard.check_image(stock[next(turn) % 16]), n // 3)  # noqa: B023
            result["steps of a prompt, ms"] = median_shares(lambda: guard.check_prompt(PROMPTS["24 words"]), 50)
            make = pictures(512)
            result["steps of an image 512 px, ms"] = median_shares(lambda: guard.check_image(make()), 20)
        with guardrail.Guard(audit=folder / "audit.sqlite", gallery=None) as guard:
            result["prompt on record, ms"] = calls(lambda: guard.check_prompt(PROMPTS["24 words"]), n)
        result["image-to-image call on the tiny pipeline"] = whole_call(folder, max(8, n // 20))
    return result


def markdown(result: dict[str, Any]) -> str:
    lines = ["# What the guard costs", "", f"{result['machine']}. Made by `{result['command']}`.", ""]
    lines += ["| fresh process | median |", "|---|---|"]
    lines += [f"| {k.removesuffix(', ms')} | {v:.1f} ms |" for k, v in result["processes"].items()]
    lines += ["", "| call | p50 | p99 | calls |", "|---|---|---|---|"]
    for name, row in result["prompt, ms"].items():
        lines.append(f"| prompt, {name} | {row['p50']:.2f} ms | {row['p99']:.2f} ms | {row['calls']} |")
    for name in ("prompt on record", "image 512 px", "image 1024 px"):
        row = result[f"{name}, ms"]
        lines.append(f"| {name} | {row['p50']:.2f} ms | {row['p99']:.2f} ms | {row['calls']} |")
    whole = result["image-to-image call on the tiny pipeline"]
    for name in ("bare", "guarded"):
        row = whole[f"{name}, ms"]
        title = f"image to image, 512 px, 4 steps, tiny pipeline, {name}"
        lines.append(f"| {title} | {row['p50']:.0f} ms | {row['p99']:.0f} ms | {row['calls']} |")
    for title, steps in (
        ("prompt of 24 words", result["steps of a prompt, ms"]),
        ("image 512 px", result["steps of an image 512 px, ms"]),
        ("image-to-image call", whole["steps, ms"]),
    ):
        total = sum(steps.values())
        lines += ["", f"| step of one {title} | median | share |", "|---|---|---|"]
        lines += [f"| {k} | {v:.3f} ms | {v / total:.0%} |" for k, v in steps.items()]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="file stem for .json and .md")
    parser.add_argument("--calls", type=int, default=300)
    given = parser.parse_args()
    result = {
        "machine": f"{os.cpu_count()}-core {platform.machine()}, Python {platform.python_version()}, "
        "one thread per model",
        "command": "python benchmarks/latency.py",
        **measure(given.calls),
    }
    if given.out:
        given.out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        given.out.with_suffix(".md").write_text(markdown(result), "utf-8")
    print(markdown(result))


if __name__ == "__main__":
    main()
