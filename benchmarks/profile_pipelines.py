"""Where the guard spends its time around a pipeline; how much that is, `guardrail bench pipelines` says.

python benchmarks/profile_pipelines.py [--calls 200]
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from guardrail.bench.pipelines import call_options, generate, one_thread  # noqa: E402 — after the path is set
from guardrail.bench.stubbed import StubbedGuard  # noqa: E402
from guardrail.demo.opening import open_pipeline  # noqa: E402


def profile(calls: int) -> None:
    """The functions of the guard by the time spent in them, of which the pipeline's own call is one."""
    from guardrail.pipelines import wrap

    pipe = open_pipeline(None)
    options = call_options(pipe, tiny=True)
    with one_thread(), StubbedGuard() as guard:
        guarded = wrap(pipe, guard=guard)
        generate(guarded, options)
        profiler = cProfile.Profile()
        profiler.enable()
        for _ in range(calls):
            generate(guarded, options)
        profiler.disable()
    pstats.Stats(profiler).sort_stats("cumulative").print_stats("guardrail", 60)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=200)
    profile(parser.parse_args().calls)


if __name__ == "__main__":
    main()
