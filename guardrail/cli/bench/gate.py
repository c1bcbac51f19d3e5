"""``guardrail bench gate``: let a build fail on a run that is worse than an earlier one, or than limits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guardrail.cli import show
from guardrail.cli.policy.shared import JSON, refuse

__all__ = ["register"]


def gate(
    run: Annotated[Path, typer.Argument(help="Folder of the run that is to be released.")],
    baseline: Annotated[Path | None, typer.Option(help="Folder of an earlier run, on the same data.")] = None,
    fail_under: Annotated[
        list[str] | None, typer.Option("--fail-under", help="FIGURE=NUMBER that it must reach: block_rate=0.98.")
    ] = None,
    fail_over: Annotated[
        list[str] | None, typer.Option("--fail-over", help="FIGURE=NUMBER that it must not pass: over_block_rate=0.02.")
    ] = None,
    bound: Annotated[
        bool, typer.Option("--bound", help="Hold the worse end of the interval against the limits, not the value.")
    ] = False,
    tolerance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="How much worse than the baseline a figure may be.")
    ] = 0.005,
    on_change: Annotated[
        bool, typer.Option("--fail-on-change", help="Fail on any policy, list or check that differs, too.")
    ] = False,
    junit: Annotated[Path | None, typer.Option(help="Also write the findings as JUnit XML.")] = None,
    json: JSON = False,
) -> None:
    """Compare a run with a baseline and with limits, and fail on what is worse, naming it and what differs.

    A figure over everything fails when it is worse by more than the tolerance; one of a part (a language, a label) when
    that is more than chance as well; and so does a check that no longer ran, a locked rule that was changed, a list
    that is empty. Exit code: 0 nothing is worse, 1 something is, 2 it cannot be said.
    """
    from guardrail.bench.comparison import compare
    from guardrail.bench.files import DataError
    from guardrail.bench.gate import gate as gated
    from guardrail.bench.gate import limits_of, write_junit
    from guardrail.bench.run.folder import read_run

    try:
        limits = limits_of(fail_under or (), fail_over or (), bound=bound)
        against = compare(baseline, run) if baseline is not None else None
        found = gated(read_run(run).measures, limits, against, tolerance, on_change=on_change)
        if junit is not None:
            write_junit(found, junit)
    except DataError as error:
        refuse(error, json)
    failed = [f for f in found if f.failure]
    differ = against.differ if against is not None else ()
    if json:
        show.print_json(
            {
                "passed": not failed,
                "looked_at": len(found),
                "failures": [{"figure": f.key, "why": f.failure} for f in failed],
                "remarks": [{"figure": f.key, "told": f.told, "remark": f.remark} for f in found if f.remark],
                "differ": list(differ),
            }
        )
    else:
        for finding in failed:
            show.say(f"FAIL {finding.failure}")
        for finding in found:
            if finding.remark and not finding.failure:
                show.say(f"pass {finding.key}, {finding.told}: {finding.remark}")
        if differ:
            show.say("What differs from the baseline:")
            for text in differ:
                show.say(f"  {text}")
        show.say(f"{len(failed)} of {len(found)} figures fail." if failed else f"{len(found)} figures pass.")
    raise typer.Exit(1 if failed else 0)


def register(app: typer.Typer) -> None:
    app.command()(gate)
