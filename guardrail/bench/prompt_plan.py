"""What ``guardrail bench prompts`` is asked for, and what it comes to know besides its samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guardrail.bench.attacks import FAMILIES
from guardrail.bench.data import Columns, Labels, Survey
from guardrail.policy import PolicyEngine

__all__ = ["Plan", "Seen"]

_SEED = 1  # of disguises, where none is given


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Args:
        data: names of data, files and folders.
        policy: as `Guard` takes it by name or path.
        split: the only one to read of data that have several; empty for all.
        checks: the only checks to run; empty for all that the policy needs.
        limit: at most so many rows; None for all.
        seed: of the rows that `limit` draws, which are evenly spread where there is none, and of the disguises.
        attacks: also measure what disguises do to caught and to harmless prompts.
        attack_rows: at most so many of each.
        pairs: compositions of two disguises tried on each of those rows.
        show: name so many missed rows and so many false alarms.
        keep_text: results.jsonl holds the prompts, and so do the tables of named rows. Off, no output holds a prompt.
        workers: processes, each with a guard of its own. The samples are the same whatever their number.
        out: the folder of results.jsonl; None for a temporary one.
        fresh: begin anew, whatever is in the folder.
        command: how this was called, for the report.
    """

    data: Sequence[Path]
    policy: str = "default"
    columns: Columns = field(default_factory=Columns)
    labels: Labels = field(default_factory=Labels)
    checks: tuple[str, ...] = ()
    limit: int | None = None
    seed: int | None = None
    attacks: bool = False
    attack_rows: int = 500
    pairs: int = 31
    show: int = 0
    keep_text: bool = False
    workers: int = 1
    out: Path | None = None
    fresh: bool = False
    command: str = ""
    split: str = ""

    @property
    def disguises(self) -> dict[str, int] | None:
        """What decides which copies there are; None where there are none."""
        if not self.attacks:
            return None
        seed = _SEED if self.seed is None else self.seed
        return {"rows": self.attack_rows, "pairs": self.pairs, "seed": seed, "families": len(FAMILIES)}


@dataclass(slots=True)
class Seen:
    """What a run came to know besides its samples."""

    found: Survey
    engine: PolicyEngine
    left_out: dict[str, str]
    facts: dict[str, Any]
    lists: dict[str, dict[str, Any]]
    opened: list[dict[str, Any]]
    spent: list[dict[str, float]] = field(default_factory=list)
    peaks: list[float | None] = field(default_factory=list)
    now: int = 0
    seconds: float = 0.0
    begun: float = 0.0
