"""A run as every suite gives it, and as it is read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guardrail.bench.run.figures import Figure
from guardrail.bench.run.measures import Measure
from guardrail.bench.tables import Sheet

__all__ = ["FORMAT", "METRICS", "RUN", "Run", "StoredRun"]

RUN, METRICS = "run.json", "metrics.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Run:
    """What a suite found.

    Attributes:
        suite: ``prompts``, ``images``, ``pipelines``, ``marks``, ``policy``, ``latency``, ``peers`` or ``all``.
        title: heads the report.
        facts: of `environment`, and what was measured: ``policy`` (id, version, sha256, thresholds), ``checks`` (name,
            version, sha256 of each model and list), ``data`` (descriptions with sha256). Goes into run.json.
        measures: the figures. Nothing in them may differ between two runs of one command: times are in `timing`.
        curves: points that figures are drawn from, by name; of them too nothing may differ.
        timing: latency, throughput, memory: what differs from run to run. Goes into run.json.
        told: facts in words, (name, value), for the head of the report.
        sheets: tables of the report. Every share in them with its n and interval.
        figures: plots of the report.
        not_run: what was asked for and did not run → why. Never a zero in a table.
        texts: whether results.jsonl holds prompts.
        headline: keys of the measures that a reader looks for first; by default those over everything, see
            `guardrail.bench.headline`.
    """

    suite: str
    title: str
    facts: Mapping[str, Any]
    measures: tuple[Measure, ...]
    curves: Mapping[str, Any] = field(default_factory=dict)
    timing: Mapping[str, Any] = field(default_factory=dict)
    told: tuple[tuple[str, str], ...] = ()
    sheets: tuple[Sheet, ...] = ()
    figures: tuple[Figure, ...] = ()
    not_run: Mapping[str, str] = field(default_factory=dict)
    texts: bool = False
    headline: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as a folder holds it: `run` is run.json, `measures` and `curves` are metrics.json."""

    suite: str
    run: Mapping[str, Any]
    measures: Mapping[str, Measure]
    curves: Mapping[str, Any]
