"""A report of ``guardrail bench pipelines`` as tables of text, the same for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardrail.bench.run.environment import environment, written_date
from guardrail.bench.run.record import Run
from guardrail.bench.tables import Sheet, counted, explained, percentile

__all__ = ["pipeline_facts", "pipeline_sheets", "pipelines_run"]

_CALL = {
    "difference_wall": "guarded − bare, wall",
    "difference_processor": "guarded − bare, processor",
    "own_wall": "outside of the pipeline's call, wall",
    "own_processor": "outside of the pipeline's call, processor",
}


_MET = {True: "yes", False: "no", None: "too few calls to say"}


def pipelines_run(report: Mapping[str, Any]) -> Run:
    """The report as a run. All of it are times and memory, which differ from run to run: metrics.json holds none."""
    run = report["run"]
    parts = ("call_ms", "step_ms", "memory", "guard_memory", "targets")
    not_run = {name: "left out" for name in ("memory", "guard_memory") if report[name] is None}
    return Run(
        "pipelines",
        "The guard around a pipeline",
        {
            **environment(run["command"]),
            "date": run["date"],
            "commit": run["commit"],
            "load": run["load"],
            "pipeline": report["pipeline"],
            "policy": {"id": report["policy"]},
        },
        (),
        timing={**{name: report[name] for name in parts}, "seconds": run["seconds"]},
        told=tuple(pipeline_facts(report)),
        sheets=tuple(pipeline_sheets(report)),
        not_run=not_run,
    )


def pipeline_sheets(report: Mapping[str, Any]) -> list[Sheet]:
    """Every table that has something to show."""
    made = [_targets(report), _calls(report["call_ms"]), _steps(report["step_ms"])]
    if report["memory"] is not None:
        made += _growth(report["memory"])
    if report["guard_memory"] is not None:
        made.append(_guard(report["guard_memory"]))
    return [explained(sheet) for sheet in made if sheet.rows]


def _targets(report: Mapping[str, Any]) -> Sheet:
    rows = tuple(
        (
            t["what"],
            _figure(t["value"]),
            _figure(t["limit"]),
            "–" if t["n"] is None else counted(t["n"]),
            _MET[t["met"]],
        )
        for t in report["targets"]
    )
    note = "Medians over n calls, or n loops of steps. Memory is of one process."
    return Sheet("Targets", ("what", "measured", "at most", "n", "met"), rows, note)


def _calls(calls: Mapping[str, Any]) -> Sheet:
    rows = [("bare call", what, *_spread(said)) for what, said in calls["bare"].items()]
    rows += [
        (name, _CALL[what], *_spread(said)) for name, of in calls.items() if name != "bare" for what, said in of.items()
    ]
    note = (
        "Checks stubbed. Record: the wrapper and a record; marks: both and a mark; previews: policy strict, none due."
    )
    return Sheet("A call, ms", ("guarded", "measure", "p5", "p50", "p95", "n"), tuple(rows), note, words=2)


def _steps(steps: Mapping[str, Any]) -> Sheet:
    rows = tuple(
        (name, what, *_spread(said)) for name, of in steps.items() if isinstance(of, dict) for what, said in of.items()
    )
    note = steps.get("not_measured", "Added to one scheduler.step; a preview that is due is none of it.")
    return Sheet("A step, ms", ("guarded", "time", "p5", "p50", "p95", "n"), rows, note, words=2)


def _growth(memory: Mapping[str, Any]) -> list[Sheet]:
    rows = tuple(
        (
            name,
            f"{of['calls']:,}",
            _mb(of["resident_before"]),
            _mb(of["resident_after"]),
            _percent(of["resident_growth"]),
        )
        for name, of in (("guarded, with record", memory), ("bare", memory["bare"]))
    )
    traced = memory["traced"]
    note = f"Objects of Python left: {traced['bytes_a_call']:,.0f} bytes a call over {traced['calls']:,} calls."
    head = ("pipeline", "calls", "MB before", "MB after", "growth")
    left = tuple((m["line"], f"{m['bytes']:,}", f"{m['objects']:,}") for m in traced["most"])
    return [
        Sheet("Memory over many calls", head, rows, note),
        Sheet("What is left of them", ("line", "bytes", "objects"), left, brief=False),
    ]


def _guard(memory: Mapping[str, Any]) -> Sheet:
    rows = tuple(
        (r["after"], f"{r['mb']:.0f}", "" if r["added_mb"] is None else f"{r['added_mb']:+.1f}") for r in memory["rows"]
    )
    note = "Resident memory of a fresh process; what two checks share is counted at the first of them."
    return Sheet("The guard with every check loaded, MB", ("after", "resident", "added"), rows, note)


def pipeline_facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was measured, with what and where, as (name, value)."""
    run, pipe = report["run"], report["pipeline"]
    busy = "" if run["load"] is None else f"; load average {run['load']:.1f} before it began"
    facts = [
        ("pipeline", f"{pipe['class']} of {pipe['from']}, {pipe['parameters']:,} parameters"),
        ("calls", f"{pipe['steps_a_call']} steps each, one prompt, torch on one thread"),
        ("policy", report["policy"]),
        ("machine", run["machine"] + busy),
        ("command", run["command"]),
        ("date", written_date(run)),
    ]
    if report["guard_memory"] is not None and (peak := report["guard_memory"]["peak_above_bare_mb"]) is not None:
        facts.insert(3, ("memory of the guard at its peak", f"{peak:.0f} MB above torch and diffusers"))
    return facts


def _spread(said: Mapping[str, float]) -> tuple[str, ...]:
    n = int(said["n"])
    return (*(percentile(said, p, n, _places(said[f"p{p}"])) for p in (5, 50, 95)), counted(n))


def _figure(value: float) -> str:
    return f"{value:.{_places(value)}f}"


def _places(value: float) -> int:
    return 0 if abs(value) >= 100 else 2 if abs(value) >= 1 else 4


def _mb(value: int | None) -> str:
    return "not said" if value is None else f"{value / 1e6:.1f}"


def _percent(value: float | None) -> str:
    return "not said" if value is None else f"{100 * value:+.2f} %"
