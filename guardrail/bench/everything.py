"""``guardrail bench all``: every suite, each in a process of its own and a folder of its own, and one run of them all.

A suite that is there already, made by the same command, is not run again; one that was stopped goes on. A suite that
fails or cannot run here is named with its reason, and is no zero anywhere. So is one that an earlier command left in
the folder; made by the words that this command would use, it stays in the report though it was not asked for again.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from guardrail.bench.files import DataError
from guardrail.bench.gathering import gathered
from guardrail.bench.run.environment import source
from guardrail.bench.run.folder import RUN, read_run
from guardrail.bench.run.record import Run, StoredRun
from guardrail.bench.run.samples import FILE

__all__ = ["Suite", "carry_out_all", "failed", "suites_of"]

_START = "from guardrail.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Suite:
    """What runs, under which name, with which words after ``guardrail bench``; or why it does not run.

    Attributes:
        again: it takes seconds and is of files that its words do not name, so that it is measured anew every time.
    """

    name: str
    words: tuple[str, ...] = ()
    lacking: str = ""
    again: bool = False


def suites_of(
    *,
    prompts: Sequence[str],
    images: Sequence[str],
    train: Sequence[str],
    policy: str,
    workers: int,
    quick: bool,
    column: Sequence[str] = (),
    label_map: Sequence[str] = (),
    block: str | None = None,
    benign: str | None = None,
    other: str | None = None,
) -> list[Suite]:
    """Every suite, in the order in which they run.

    Args:
        prompts: labelled prompts, as ``bench prompts --data`` takes them; without them three suites do not run.
        images: folders of pictures.
        train: prompts that trained peers learn from.
        quick: few samples of everything: whether it works here, not what it says.
        column, label_map, block, benign, other: how the prompts are read, as ``bench prompts`` takes it; None for what
            each suite takes by itself.
    """
    few = ("--limit", "200") if quick else ()
    of_prompts = _each("--data", prompts) + _each("--column", column) + _each("--label-map", label_map)
    for option, labels in (("--block", block), ("--benign", benign), ("--other", other)):
        of_prompts += (option, labels) if labels is not None else ()
    of_images, pictures, learnt = _each("--data", images), _each("--images", images), _each("--train", train)
    no_prompts = "" if prompts else "no labelled prompts: --prompts FILE"
    no_images = "" if images else "no pictures: --images FOLDER"
    # What is usual is left out, as `bench prompts` leaves it out of the command that it notes.
    rules = ("--policy", policy) if policy != "default" else ()
    many = ("--workers", str(workers)) if workers != 1 else ()
    small = ("--limit", "4") if quick else ()
    disguised = ("--attack-rows", "20", "--pairs", "0") if quick else ()
    calls = ("--calls", "5", "--memory-calls", "0", "--no-guard-memory") if quick else ()
    forged = ("--quick", "--victims", "1") if quick else pictures
    drawn = ("--draws", "100", "--calls", "50") if quick else ()
    return [
        Suite("policy", ("policy", *((policy,) if policy != "default" else ()), *drawn), again=True),
        Suite("prompts", ("prompts", *of_prompts, *rules, *many, "--attacks", *few, *disguised), no_prompts),
        Suite("adaptive", ("adaptive", *of_prompts, *rules, *(("--rows", "3") if quick else ())), no_prompts),
        Suite("peers-text", ("peers", "--kind", "text", *of_prompts, *rules, *learnt, *few), no_prompts),
        Suite("peers-engine", ("peers", "--kind", "engine")),
        Suite("images", ("images", *of_images, "--attacks", *small), no_images),
        Suite("marks", ("marks", "--quick") if quick else ("marks", *pictures, *many)),
        Suite("mark-attacks", ("marks", "--attacks", *forged)),
        Suite("pipelines", ("pipelines", *rules, *calls)),
        Suite("latency", ("latency", *rules, *(("--calls", "5", "--processes", "0") if quick else ()))),
    ]


def carry_out_all(
    suites: Sequence[Suite],
    out: Path,
    command: str,
    tell: Callable[[str], None],
    *,
    fresh: bool = False,
    only: Sequence[str] = (),
) -> Run:
    """Run what can run, and gather it with what is there.

    Args:
        tell: told which suite begins.
        only: names of suites; the others are not run.

    Raises:
        DataError: none of the suites asked for came to an end.
    """
    done: dict[str, StoredRun] = {}
    not_run: dict[str, str] = {}
    earlier: dict[str, str] = {}
    for suite in suites:
        folder = out / suite.name
        words = ("bench", *suite.words, "--out", str(folder))
        if only and suite.name not in only:
            if not suite.lacking and _is_done(folder, words):
                done[suite.name] = read_run(folder)
            elif (folder / RUN).exists():
                earlier[suite.name] = f"there from an earlier command, not asked for now: {suite.name}/report.html"
            continue
        if suite.lacking:
            not_run[suite.name] = suite.lacking
            continue
        # One that keeps samples goes on from them, and sees whether they are of the same data, policy and program.
        kept = (folder / FILE).exists()
        if fresh or suite.again or kept or not _is_done(folder, words):
            tell(suite.name)
            why = _start((*words, "--fresh") if fresh and kept else words)
            if why:
                not_run[suite.name] = why
                continue
        done[suite.name] = read_run(folder)
    if not any(not only or name in only for name in done):
        raise DataError(f"no suite came to an end: {'; '.join(f'{n}: {why}' for n, why in not_run.items())}")
    return gathered(done, {**not_run, **earlier}, command)


def failed(run: Run, suites: Sequence[Suite]) -> bool:
    """Whether one of the suites asked for did not come to an end, though it has its data."""
    return any(suite.name in run.not_run and not suite.lacking for suite in suites)


def _is_done(folder: Path, words: Sequence[str]) -> bool:
    """Whether the folder holds a run of this program with the same options, in whatever order they were noted."""
    if not (folder / RUN).exists():
        return False
    run = read_run(folder).run
    said = run.get("command")
    return (
        isinstance(said, str)
        and run.get("source") == source()
        and _options(shlex.split(said)) == _options(["guardrail", *words])
    )


def _options(words: Sequence[str]) -> list[list[str]]:
    """Each option with its value, sorted; first what stands before them."""
    found: list[list[str]] = [[]]
    for word in words:
        if word == "--fresh":
            continue
        if word.startswith("--"):
            found.append([word])
        else:
            found[-1].append(word)
    return [found[0], *sorted(found[1:])]


def _start(words: Sequence[str]) -> str:
    """Why it failed; empty where it did not. 3 says that some sample could not be checked, which its report counts."""
    ended = subprocess.run(
        # -P: not from the folder that it is called in, where a file may have the name of a module.
        [sys.executable, "-P", "-c", _START, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ended.returncode in (0, 3):
        return ""
    said = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
    return f"exit code {ended.returncode}: {said[-1] if said else 'it said nothing'}"


def _each(option: str, values: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for value in values for word in (option, value))
