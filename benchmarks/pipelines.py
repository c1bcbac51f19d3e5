"""What the guard costs around a pipeline: `guardrail bench pipelines`, with its result kept.

    python benchmarks/pipelines.py [--calls 400] [--memory-calls 1000] [--out benchmarks/results/pipelines.json]
    python benchmarks/pipelines.py --profile 200

Run it on an idle machine: a call of the tiny pipeline takes some 15 ms, and the question is about
the last one of them.
`--profile` prints where the guard spends the time of so many calls, instead of measuring.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from guardrail.bench.pipeline_tables import pipeline_facts, pipeline_sheets  # noqa: E402 — after the path is set
from guardrail.bench.pipelines import (  # noqa: E402
    PipelinePlan,
    call_options,
    generate,
    measure,
    one_thread,
)
from guardrail.bench.report import written  # noqa: E402
from guardrail.bench.stubbed import StubbedGuard  # noqa: E402
from guardrail.demo.opening import open_pipeline  # noqa: E402
from guardrail.demo.pictures import portrait  # noqa: E402


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
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--memory-calls", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--profile", type=int, default=0)
    given = parser.parse_args()
    if given.profile:
        profile(given.profile)
        return
    command = shlex.join(["python", "benchmarks/pipelines.py", *sys.argv[1:]])
    report = measure(
        PipelinePlan(open_pipeline, portrait, calls=given.calls, memory_calls=given.memory_calls, command=command)
    )
    if given.out:
        given.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(written("The guard around a pipeline", pipeline_facts(report), pipeline_sheets(report)))


if __name__ == "__main__":
    main()
