"""A run on prompts, made of its samples alone and of what was known before."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from guardrail.bench.analysis import Analysis, analyse
from guardrail.bench.data_facts import data_facts, told_data
from guardrail.bench.process import peak_mib
from guardrail.bench.prompt_plan import Plan, Seen
from guardrail.bench.run.environment import written_date
from guardrail.bench.run.fingerprint import policy_facts
from guardrail.bench.run.record import Run
from guardrail.bench.run.samples import iter_samples
from guardrail.bench.scores import thresholds_on
from guardrail.bench.shown import Shown
from guardrail.bench.subject import moved, titled
from guardrail.bench.timing import Stopwatch, timing, timing_sheets

__all__ = ["to_run"]

_HEADLINE = (
    "block_rate", "stop_rate", "over_block_rate", "over_stop_rate", "not_checked_rate", "attack_lost_rate",
    "attack_alarm_rate", "auroc",
)  # fmt: skip


def to_run(plan: Plan, seen: Seen, path: Path) -> Run:
    """The run, out of the samples at `path`, which are read once."""
    watch, causes, shown = Stopwatch(), Counter[str](), Shown(plan.show, texts=plan.keep_text)
    steered = 0

    def read() -> Iterator[dict[str, Any]]:
        nonlocal steered
        for sample in iter_samples(path):
            watch.add(sample)
            shown.offer(sample)
            if sample["cause"]:
                causes[sample["cause"]] += 1
            steered += sample["action"] == "alter" and "bypassed" not in sample
            yield sample

    policy = getattr(seen.engine, "policy", None)
    analysis: Analysis = analyse(read(), thresholds=thresholds_on(policy))
    whole = time.perf_counter() - seen.begun
    took = timing(
        watch,
        seen.opened,
        seen.spent,
        now=seen.now,
        seconds=seen.seconds,
        whole_s=whole,
        own_peak=peak_mib(),
        peaks=seen.peaks,
    )
    not_run = dict(seen.left_out)
    if steered:
        not_run["bypass after guide"] = (
            f"{steered:,} altered prompts keep their text, as the generator is steered instead: whether that helps "
            "shows in pictures only"
        )
    return Run(
        "prompts",
        f"{titled(plan.policy, seen.engine.ref)} on prompts",
        {
            **seen.facts,
            "policy": policy_facts(seen.engine),
            "checks": seen.opened[0]["effective"],
            "only_checks": list(plan.checks),
            "lists": seen.lists,
            "data": data_facts(seen.found, plan.columns, plan.labels, plan.limit, plan.seed),
            "limit": plan.limit,
            "disguises": plan.disguises,
            "could_not_be_checked": dict(sorted(causes.items())),
        },
        analysis.measures,
        analysis.curves,
        took,
        tuple(_told(plan, seen, took, causes)),
        (*analysis.sheets, *shown.sheets(), *timing_sheets(took)),
        analysis.figures,
        not_run,
        plan.keep_text,
        _HEADLINE,
    )


def _told(plan: Plan, seen: Seen, took: Mapping[str, Any], causes: Counter[str]) -> Iterator[tuple[str, str]]:
    facts, policy = seen.facts, seen.opened[0]["policy"]
    differs = moved(plan.policy, seen.engine.ref)
    yield "policy", f"{policy['id']} {policy['version']}{differs}, sha256 {policy['sha256']}"
    checks = [
        f"{e['check']} {e['version']}"
        + (f" ({', '.join(f'{n} {h[:16]}' for n, h in e['weights'].items())})" if e["weights"] else "")
        for e in seen.opened[0]["effective"]
    ]
    yield "checks", "; ".join(checks) + (" (only these, by --checks)" if plan.checks else "")
    yield from told_data(seen.found, plan.limit, plan.seed)
    labels = plan.labels.to_json()
    named = (("to be blocked", "block"), ("harmless", "benign"), ("counted apart", "other"))
    yield "labels", "; ".join(f"{name}: {', '.join(labels[role])}" for name, role in named if labels[role])
    told = "; ".join(f"{n:,} {cause}" for cause, n in sorted(causes.items()))
    yield "could not be checked", f"{told} (blocked for that, and counted as blocked)" if told else "none"
    load = "" if facts["load"] is None else f"; load average {facts['load']:.1f} before it began"
    yield "machine", facts["machine"] + load
    yield (
        "took",
        f"{took['whole_seconds']:,.1f} s with {plan.workers} workers, {took['measured_now']:,} prompts measured",
    )
    yield "command", plan.command
    yield "date", written_date(facts)
