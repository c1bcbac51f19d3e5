"""``guardrail bench prompts``: what a policy decides about labelled prompts, by the guard itself.

Each decision is a line of results.jsonl as soon as it is made, and every figure is made of those lines alone: a run
that was killed goes on where it was and ends with the same figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, nullcontext
from functools import cache, partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from guardrail.bench.data import DataError, Row, rows, survey
from guardrail.bench.judging import REFUSED, Judged, sample_of
from guardrail.bench.prompt_plan import Plan, Seen
from guardrail.bench.prompt_run import to_run
from guardrail.bench.report import prepare
from guardrail.bench.robustness import cases_of_a_row, chosen, copies
from guardrail.bench.run.environment import environment
from guardrail.bench.run.fingerprint import list_facts
from guardrail.bench.run.record import Run
from guardrail.bench.run.samples import FILE, Samples, damaged, iter_samples
from guardrail.bench.subject import Subject
from guardrail.bench.workers import Crew
from guardrail.keys import load_keyring

__all__ = ["Plan", "failed_checks", "measure", "to_run"]

Tell = Callable[[str, int, int], None]
_Asking = tuple[Row, dict[str, Any], int]
_lists = cache(list_facts)  # what is shipped does not change while a program runs


def measure(plan: Plan, progress: Tell | None = None) -> Run:
    """Put every prompt to the guard, and make figures of the samples.

    Args:
        progress: told (what is done, how many so far, of how many).

    Raises:
        DataError: the data cannot be used; the folder holds the samples of another run.
        ConfigurationError: the policy cannot be enforced here.
        WorkerError: a worker ended; what was measured stays, and the same command goes on from it.
    """
    load_keyring()  # before workers do, which would all find none and say so
    subject = Subject(plan.policy, plan.checks)
    engine, left_out = subject.engine()
    begun = time.perf_counter()
    facts = environment(plan.command, seed=plan.seed, workers=plan.workers)
    with nullcontext(str(plan.out)) if plan.out is not None else TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        prepare(path.parent)
        # Another process makes an engine of its own: they are not pickled.
        with Crew(subject.open if plan.workers > 1 else partial(subject.open, engine), plan.workers) as crew:
            found = survey(plan.data, plan.columns, plan.labels, plan.split)
            seen = Seen(found, engine, left_out, facts, _lists(), crew.ready(), begun=begun)
            if any(o["policy"]["sha256"] != engine.ref.sha256 for o in seen.opened):
                raise DataError(f"the policy {plan.policy} was changed while it was loaded: run again")
            with Samples(path, _identity(plan, seen), fresh=plan.fresh, keep=False) as samples:
                begun = time.perf_counter()
                try:
                    _measured(plan, seen, crew, samples, path, progress or (lambda what, done, of: None))
                finally:
                    seen.seconds = time.perf_counter() - begun
            seen.spent, seen.peaks = crew.spent, crew.peaks
        return to_run(plan, seen, path)


def failed_checks(run: Run) -> int:
    """Prompts that a check failed at or did not answer for in time; those refused for their length are none."""
    causes: Mapping[str, int] = run.facts["could_not_be_checked"]
    return sum(n for cause, n in causes.items() if not cause.startswith(REFUSED))


def _identity(plan: Plan, seen: Seen) -> dict[str, Any]:
    """What the samples depend on."""
    return {
        "suite": "prompts",
        "guardrail": seen.facts["guardrail"],
        "source": seen.facts["source"],
        "policy": seen.opened[0]["policy"],
        "checks": {"only": plan.checks, "run": seen.opened[0]["effective"]},
        "lists": {name: told["sha256"] for name, told in seen.lists.items()},
        "data": [[f.shown, f.sha256, f.rows] for f in seen.found.files],
        "columns": plan.columns.to_json(),
        "labels": plan.labels.to_json(),
        "descriptions": [d.to_json() for d in seen.found.descriptions],
        "limit": plan.limit,
        "seed": plan.seed,
        "disguises": plan.disguises,
        "texts": plan.keep_text,
    }


def _measured(plan: Plan, seen: Seen, crew: Crew, samples: Samples, path: Path, tell: Tell) -> None:
    """Add the samples that are not there yet."""
    total = seen.found.rows if plan.limit is None else min(plan.limit, seen.found.rows)
    done = min(samples.count, total)
    if done:
        _same(
            _rows(plan, seen), iter_samples(path) if plan.disguises is None else islice(iter_samples(path), done), path
        )
    tell("prompts", done, total)
    if done < total:
        asked: Iterator[_Asking] = ((row, {}, at) for at, row in enumerate(_rows(plan, seen), 1))
        _added(plan, seen, crew, samples, islice(asked, done, None), lambda at: tell("prompts", at, total))
    if plan.disguises is None:
        return
    samples.flush()
    before, seed = max(0, samples.count - total), plan.disguises["seed"]
    # Chosen from what is on disk, so that a run that goes on chooses the same.
    kinds = chosen(zip(_rows(plan, seen), iter_samples(path), strict=False), plan.attack_rows, seed)
    cases = sum(map(len, kinds)) * cases_of_a_row(plan.pairs)

    def made() -> Iterator[_Asking]:
        every = enumerate((copy for kind in kinds for copy in copies(kind, plan.pairs, seed)), 1)
        yield from ((copy.row, copy.told(), at) for at, copy in every if copy is not None)

    if before:
        _same((row for row, _, _ in made()), islice(iter_samples(path), total, None), path)
    what = "disguised prompts"
    _added(plan, seen, crew, samples, islice(made(), before, None), lambda at: tell(what, at, cases))


def _same(asked: Iterable[Row], found: Iterable[Mapping[str, Any]], path: Path) -> None:
    """See that the samples of an earlier command are those of the rows, each once and in order."""
    asked = iter(asked)
    for sample in found:
        row = next(asked, None)
        if row is None or sample.get("id") != row.name:
            raise damaged(path)


def _rows(plan: Plan, seen: Seen) -> Iterator[Row]:
    return rows(seen.found, plan.columns, plan.labels, plan.limit, plan.seed)


def _added(
    plan: Plan,
    seen: Seen,
    crew: Crew,
    samples: Samples,
    asked: Iterable[_Asking],
    tell: Callable[[int], None],
) -> None:
    """Put rows to the guard; each with what else its sample says, and its place among all, which is told."""
    with closing(crew.ask((one, one[0].text) for one in asked)) as answers:
        for (row, more, at), answer in answers:
            assert isinstance(answer, Judged)
            samples.add(sample_of(seen.found.unnamed(row), answer, text=row.text if plan.keep_text else None) | more)
            seen.now += 1
            tell(at)
