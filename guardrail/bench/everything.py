"""``guardrail bench all``: every suite, each in a process of its own and a folder of its own, and one run of them all.

A suite that is there already, made by the same command, is not run again; one that was stopped goes on. A suite that
fails or cannot run here is named with its reason, and is no zero anywhere.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from guardrail.bench.comparison import written_value
from guardrail.bench.files import DataError
from guardrail.bench.run.environment import environment
from guardrail.bench.run.folder import RUN, read_run
from guardrail.bench.run.measures import Measure
from guardrail.bench.run.record import Run, StoredRun
from guardrail.bench.tables import Sheet

__all__ = ["Suite", "carry_out_all", "suites_of"]

_START = "from guardrail.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Suite:
    """What runs, under which name, with which words after ``guardrail bench``; or why it does not run."""

    name: str
    words: tuple[str, ...] = ()
    lacking: str = ""


def suites_of(
    *, prompts: Sequence[str], images: Sequence[str], train: Sequence[str], policy: str, workers: int, quick: bool
) -> list[Suite]:
    """Every suite, in the order in which they run.

    Args:
        prompts: labelled prompts, as ``bench prompts --data`` takes them; without them three suites do not run.
        images: folders of pictures.
        train: prompts that trained peers learn from.
        quick: few samples of everything: whether it works here, not what it says.
    """
    few = ("--limit", "200") if quick else ()
    of_prompts = tuple(word for path in prompts for word in ("--data", path))
    of_images = tuple(word for path in images for word in ("--data", path))
    learnt = tuple(word for path in train for word in ("--train", path))
    no_prompts = "" if prompts else "no labelled prompts: --prompts FILE"
    no_images = "" if images else "no pictures: --images FOLDER"
    rules, many = ("--policy", policy), ("--workers", str(workers))
    pictures = tuple(word for path in images for word in ("--images", path))
    small = ("--limit", "4") if quick else ()
    return [
        Suite("policy", ("policy", *(("--draws", "100", "--calls", "50") if quick else ()))),
        Suite("prompts", ("prompts", *of_prompts, *rules, *many, "--attacks", *few), no_prompts),
        Suite("adaptive", ("adaptive", *of_prompts, *rules, *(("--rows", "3") if quick else ())), no_prompts),
        Suite("peers-text", ("peers", "--kind", "text", *of_prompts, *rules, *learnt, *few), no_prompts),
        Suite("peers-engine", ("peers", "--kind", "engine")),
        Suite("images", ("images", *of_images, "--attacks", *small), no_images),
        Suite("marks", ("marks", "--quick") if quick else ("marks", *pictures, *many)),
        Suite("mark-attacks", ("marks", "--attacks", *(("--quick",) if quick else pictures))),
        Suite("pipelines", ("pipelines", *rules, *(("--calls", "5", "--memory-calls", "0") if quick else ()))),
        Suite("latency", ("latency", *rules, *(("--calls", "5", "--processes", "1") if quick else ()))),
    ]


def carry_out_all(
    suites: Sequence[Suite], out: Path, command: str, tell: Callable[[str], None], *, fresh: bool = False
) -> Run:
    """Run what can run, and gather it.

    Args:
        tell: told which suite begins.

    Raises:
        DataError: no suite came to an end.
    """
    done: dict[str, StoredRun] = {}
    not_run: dict[str, str] = {}
    for suite in suites:
        if suite.lacking:
            not_run[suite.name] = suite.lacking
            continue
        folder = out / suite.name
        words = ("bench", *suite.words, "--out", str(folder))
        if fresh or not _is_done(folder, words):
            tell(suite.name)
            why = _start(words)
            if why:
                not_run[suite.name] = why
                continue
        done[suite.name] = read_run(folder)
    if not done:
        raise DataError(f"no suite came to an end: {'; '.join(f'{n}: {why}' for n, why in not_run.items())}")
    return _gathered(done, not_run, command)


def _is_done(folder: Path, words: Sequence[str]) -> bool:
    if not (folder / RUN).exists():
        return False
    said = read_run(folder).run.get("command")
    return said == shlex.join(["guardrail", *words])


def _start(words: Sequence[str]) -> str:
    """Why it failed; empty where it did not. 3 says that some sample could not be checked, which its report counts."""
    ended = subprocess.run(
        [sys.executable, "-c", _START, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ended.returncode in (0, 3):
        return ""
    said = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
    return f"exit code {ended.returncode}: {said[-1] if said else 'it said nothing'}"


def _gathered(done: Mapping[str, StoredRun], not_run: Mapping[str, str], command: str) -> Run:
    measures = tuple(
        replace(measure, of=(*measure.of, ("suite", name)))
        for name, run in done.items()
        for measure in run.measures.values()
    )
    rows = tuple(
        (name, str(run.run.get("title", "")), f"{len(run.measures):,}", _whole(run), str(run.run.get("date", "")))
        for name, run in done.items()
    )
    facts: dict[str, Any] = {
        **environment(command),
        "suites": {
            name: {"command": run.run.get("command"), "date": run.run.get("date")} for name, run in done.items()
        },
    }
    for part in ("policy", "checks", "lists", "data"):
        found = next((run.run[part] for run in done.values() if run.run.get(part)), None)
        if found is not None:
            facts[part] = found
    return Run(
        "all",
        "Every suite",
        facts,
        measures,
        timing={name: run.run.get("timing", {}) for name, run in done.items()},
        told=(("machine", facts["machine"]), ("command", command), ("commit", facts["commit"] or "none")),
        sheets=(
            Sheet("Suites", ("suite", "what", "figures", "first over everything", "date"), rows, words=2),
            *_overall(done),
        ),
        not_run=not_run,
    )


def _whole(run: StoredRun) -> str:
    first = next((m for m in run.measures.values() if not m.of and m.value is not None), None)
    return "–" if first is None else f"{first.name} {written_value(first)}"


def _overall(done: Mapping[str, StoredRun]) -> list[Sheet]:
    """The figures over everything of each suite; its own report has the parts."""
    rows = []
    for name, run in done.items():
        for measure in run.measures.values():
            if not measure.of:
                rows.append((name, measure.name, written_value(measure), _interval(measure), measure.remark))
    head = ("suite", "figure", "value", "95 %", "remark")
    return [Sheet("Figures over everything", head, tuple(rows), words=2)] if rows else []


def _interval(measure: Measure) -> str:
    if measure.interval is None:
        return "–"
    low, high = measure.interval
    return f"{100 * low:.2f}–{100 * high:.2f} %" if measure.unit == "share" else f"{low:.4g}–{high:.4g}"
