"""How long prompts took and how much memory: what differs from run to run, and is no figure to compare by."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from guardrail.bench.tables import Sheet, percentile

__all__ = ["Stopwatch", "timing", "timing_sheets"]


class Stopwatch:
    """Times of all samples, 16 bytes each."""

    def __init__(self) -> None:
        self._ms, self._cpu_ms = array("d"), array("d")

    def add(self, sample: Mapping[str, Any]) -> None:
        self._ms.append(sample["ms"])
        self._cpu_ms.append(sample["cpu_ms"])

    def __len__(self) -> int:
        return len(self._ms)

    @property
    def wall(self) -> dict[str, float]:
        return _percentiles(self._ms)

    @property
    def processor(self) -> dict[str, float]:
        return _percentiles(self._cpu_ms)


def _percentiles(values: array[float]) -> dict[str, float]:
    if not values:
        return {}
    of = np.frombuffer(values)
    return {
        **{f"p{p}": float(np.percentile(of, p)) for p in (50, 95, 99)},
        "max": float(of.max()),
        "mean": float(of.mean()),
    }


def timing(
    watch: Stopwatch,
    opened: Sequence[Mapping[str, Any]],
    spent: Sequence[Mapping[str, float]],
    *,
    now: int,
    seconds: float,
    whole_s: float,
    own_peak: float | None,
    peaks: Sequence[float | None],
) -> dict[str, Any]:
    """For run.json.

    Args:
        watch: of all samples, those of an earlier part of the run too.
        opened: what each worker said when its guard was made.
        spent: milliseconds by part of the decision, of each worker.
        now: samples that were measured by this command, in `seconds`; the rest was there already.
        whole_s: from the first look at the data to the last sample.
        own_peak, peaks: the most resident memory, MiB, of this process and of the workers; of one worker it is this
            process.
    """
    parts: defaultdict[str, float] = defaultdict(float)
    for of in spent:
        for part, ms in of.items():
            parts[part] += ms
    total = sum(parts.values())
    return {
        "samples": len(watch),
        "measured_now": now,
        "seconds": seconds,
        "whole_seconds": whole_s,
        "prompts_per_s": now / seconds if now and seconds else None,
        "workers": len(opened),
        "one_core": all(o["one_core"] for o in opened),
        "cold": {
            "guard_s": max(o["guard_s"] for o in opened),
            "first_prompt_ms": max(o["first_prompt_ms"] for o in opened),
            "warm_s": max(o["warm_s"] for o in opened),
        },
        "latency_ms": watch.wall,
        "processor_ms": watch.processor,
        "memory_mib": {"this_process": own_peak, "workers": list(peaks)},
        "parts": {
            part: {"ms": ms / now, "share": ms / total} for part, ms in sorted(parts.items(), key=lambda x: -x[1])
        }
        if now and total
        else {},
    }


def timing_sheets(told: Mapping[str, Any]) -> list[Sheet]:
    """The same as tables."""
    head = ("time", "p50, ms", "p95, ms", "p99, ms", "max, ms", "mean, ms")
    rows = [
        (
            name,
            *(percentile(told[key], p, told["samples"]) for p in (50, 95, 99)),
            *(f"{told[key][k]:.2f}" for k in ("max", "mean")),
        )
        for name, key in (("wall", "latency_ms"), ("processor", "processor_ms"))
        if told[key]
    ]
    core = "on one core each" if told["one_core"] else "not held to one core: this system does not offer that"
    cold = told["cold"]
    speed = (
        "nothing was measured now"
        if told["prompts_per_s"] is None
        else f"{told['prompts_per_s']:,.0f} prompts/s in all"
    )
    note = (
        f"One prompt at a time in each of {told['workers']} workers, {core}; {speed}. Before: a guard takes "
        f"{cold['guard_s']:.1f} s to make, its first prompt {cold['first_prompt_ms']:,.0f} ms, loading the rest "
        f"{cold['warm_s']:.1f} s; none of that is in the table. On a busy machine look at processor time."
    )
    sheets = [Sheet(f"Time of a decision, {told['samples']:,} warm prompts", head, tuple(rows), note)]
    parts = tuple((p, f"{v['ms']:.3f}", f"{100 * v['share']:.1f}") for p, v in told["parts"].items())
    if parts:
        note = f"Over the {told['measured_now']:,} prompts that were measured now; wall time."
        sheets.append(Sheet("Parts of a decision", ("part", "ms a prompt", "% of all parts"), parts, note))
    memory = told["memory_mib"]
    each = [("this process", memory["this_process"]), *((f"worker {i}", m) for i, m in enumerate(memory["workers"], 1))]
    rows_of = tuple((name, f"{mib:,.0f}") for name, mib in each if mib is not None)
    if rows_of:
        sheets.append(Sheet("Memory at its most", ("process", "resident, MiB"), rows_of))
    return sheets
