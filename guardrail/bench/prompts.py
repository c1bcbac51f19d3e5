"""``guardrail bench prompts``: what a policy decides about labelled prompts, by the guard itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from guardrail import __version__
from guardrail.bench.data import BENIGN, BLOCK, Columns, Labels, Survey, rows, survey
from guardrail.bench.files import found_in
from guardrail.bench.judging import ALLOWED, REFUSED, judged, one_core
from guardrail.bench.outcomes import Outcomes
from guardrail.bench.robustness import Sample, attacked
from guardrail.bench.run.environment import load_average, machine
from guardrail.bench.scores import score_report
from guardrail.bench.shown import Shown
from guardrail.bench.statistics import Floats
from guardrail.guard import Guard
from guardrail.guard.parts import load

__all__ = ["FORMAT", "KIND", "Plan", "failed_checks", "measure"]

KIND, FORMAT = "guardrail bench prompts", 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Args:
        data: files and folders.
        policy: as `Guard` takes it by name or path.
        limit: at most so many rows, evenly spread; None for all.
        attacks: also measure what disguises do to caught and to harmless prompts.
        attack_rows: at most so many of each, drawn with `seed`.
        pairs: compositions of two disguises tried on each of those rows.
        show: name so many missed rows and so many false alarms.
        with_text: the named rows with their text. Off, no output holds a prompt.
        thresholds: also a table of thresholds by false alarms.
        command: how this was called, for the report.
    """

    data: Sequence[Path]
    policy: str = "default"
    columns: Columns = field(default_factory=Columns)
    labels: Labels = field(default_factory=Labels)
    limit: int | None = None
    attacks: bool = False
    attack_rows: int = 500
    pairs: int = 31
    seed: int = 1
    show: int = 0
    with_text: bool = False
    thresholds: bool = False
    command: str = ""


def measure(plan: Plan, progress: Callable[[str, int, int], None] | None = None) -> dict[str, Any]:
    """The report, as JSON holds it. All but ``run`` and what a timed-out check moved is the same for the same input.

    Args:
        progress: told (what is done, how many so far, of how many).

    Raises:
        DataError: the data cannot be used.
        ConfigurationError: the policy cannot be enforced here.
    """
    tell = progress or (lambda what, done, of: None)
    found = survey(found_in(plan.data), plan.columns, plan.labels)
    begun, busy = time.perf_counter(), load_average()
    engine = load(plan.policy)
    with one_core() as pinned, Guard(engine, audit=None, gallery=None) as guard:
        guard.warmup()
        started = time.perf_counter()
        outcomes = Outcomes(with_ids=found.with_ids)
        shown = Shown(plan.show, with_text=plan.with_text)
        caught, harmless = Sample(plan.attack_rows, plan.seed), Sample(plan.attack_rows, plan.seed + 1)
        total = found.rows if plan.limit is None else min(plan.limit, found.rows)
        for i, row in enumerate(rows(found, plan.columns, plan.labels, plan.limit)):
            answer = judged(guard, row.text)
            outcomes.add(row, answer)
            shown.offer(row, answer)
            if plan.attacks and row.role == BENIGN:
                harmless.offer(row.text, answer)
            elif plan.attacks and row.role == BLOCK and answer.action != ALLOWED and not answer.cause:
                caught.offer(row.text, answer)
            tell("prompts", i + 1, total)
        disguised = attacked(guard, caught, harmless, plan.pairs, plan.seed, tell) if plan.attacks else None
        effective = [e.to_json() for e in guard.effective()]
        policy = guard.policy.to_json()
    return {
        "kind": KIND,
        "format": FORMAT,
        "policy": policy,
        "effective": effective,
        "data": _data(plan, found, outcomes),
        "rates": list(outcomes.rates()),
        "could_not_be_checked": dict(sorted(outcomes.causes.items())),
        "scores": score_report(outcomes, getattr(engine, "policy", None), sweep=plan.thresholds),
        "attacks": disguised,
        "shown": shown.to_json(),
        "rows": outcomes.to_json(),
        "run": {
            **_run(plan, outcomes, pinned, busy),
            "start_s": started - begun,
            "seconds": time.perf_counter() - begun,
        },
    }


def failed_checks(report: dict[str, Any]) -> int:
    """Prompts that a check failed at or did not answer for in time; those refused for their length are none."""
    causes = [report["could_not_be_checked"], (report["attacks"] or {}).get("could_not_be_checked", {})]
    return sum(n for of in causes for cause, n in of.items() if not cause.startswith(REFUSED))


def _data(plan: Plan, found: Survey, outcomes: Outcomes) -> dict[str, Any]:
    return {
        "files": [{"name": str(f.path), "sha256": f.sha256, "rows": f.rows} for f in found.files],
        "rows": found.rows,
        "measured": len(outcomes),
        "labels": plan.labels.to_json(),
        "limit": plan.limit,
    }


def _run(plan: Plan, outcomes: Outcomes, pinned: bool, busy: float | None) -> dict[str, Any]:
    ms = outcomes.milliseconds
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": plan.command,
        "machine": machine(),
        "guardrail": __version__,
        "one_core": pinned,
        "load": busy,
        "latency_ms": _percentiles(ms),
        "processor_ms": _percentiles(outcomes.cpu_milliseconds),
        "prompts_per_s": float(1e3 / ms.mean()),
    }


def _percentiles(values: Floats) -> dict[str, float]:
    return {f"p{p}": float(np.percentile(values, p)) for p in (50, 95, 99)}
