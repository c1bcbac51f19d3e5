"""One picture with one method, as it is kept between two sittings of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from guardrail.bench.files import DataError
from guardrail.bench.marks.methods import Read

__all__ = ["Seen"]


@dataclass(slots=True)
class Seen:
    """What was measured.

    Attributes:
        enlarged: by how much the picture was scaled; over 1 it is smoother than pictures are.
        quality: of the marked picture, by measure.
        ms: by call: wall and processor time.
        reads: by condition: what was read, how many bits were right, processor ms.
        unmarked, other_key: verdicts where there is no mark of the key.
        error: the class of the error for which it could not be marked.
    """

    picture: str
    group: str
    enlarged: float
    quality: dict[str, float] = field(default_factory=dict)
    ms: dict[str, tuple[float, float]] = field(default_factory=dict)
    reads: dict[str, tuple[Read, int, float]] = field(default_factory=dict)
    unmarked: str = ""
    other_key: str = ""
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "picture": self.picture,
            "group": self.group,
            "enlarged": self.enlarged,
            # JSON has no infinity: an unchanged picture counts as 99 dB.
            "quality": {name: min(value, 99.0) for name, value in self.quality.items()},
            "ms": self.ms,
            "reads": {name: [*_told(read), right, ms] for name, (read, right, ms) in self.reads.items()},
            "unmarked": self.unmarked,
            "other_key": self.other_key,
            "error": self.error,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Seen:
        """Raises DataError for what is none."""
        try:
            return cls(
                told["picture"],
                told["group"],
                float(told["enlarged"]),
                {name: float(value) for name, value in told["quality"].items()},
                {name: (float(wall), float(cpu)) for name, (wall, cpu) in told["ms"].items()},
                {
                    name: (
                        Read(None if payload is None else int(payload, 16), verdict, statistic),
                        int(right),
                        float(ms),
                    )
                    for name, (payload, verdict, statistic, right, ms) in told["reads"].items()
                },
                told["unmarked"],
                told["other_key"],
                told["error"],
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise DataError("results.jsonl holds something that is no picture: begin anew with --fresh") from None


def _told(read: Read) -> list[Any]:
    """A payload is 64 bits, which not every reader of JSON holds exactly, and a statistic may be no number."""
    payload = None if read.payload is None else f"{read.payload:x}"
    finite = read.statistic is not None and isfinite(read.statistic)
    return [payload, read.verdict, read.statistic if finite else None]
