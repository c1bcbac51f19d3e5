"""What became of each row, in some 60 bytes a row and without its text; and the rates that follow from it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from guardrail.bench.data import BENIGN, BLOCK, OTHER, DataError, Row
from guardrail.bench.judging import ALLOWED, BLOCKED, Judged
from guardrail.bench.statistics import Bools, Floats, Rate

__all__ = ["DIMENSIONS", "Outcomes"]

DIMENSIONS = ("label", "source", "lang", "attack")
MOST_VALUES = 1_000  # different values of a dimension; more make no table
_ROLES = (BLOCK, BENIGN, OTHER)


class Outcomes:
    """One entry a row, in the order of the data.

    Attributes:
        names: dimension → its values, in the order in which they first came.
        causes: why rows were blocked unread → how many.
    """

    def __init__(self, *, with_ids: bool) -> None:
        self.names: dict[str, dict[str, int]] = {d: {} for d in DIMENSIONS}
        self.causes: Counter[str] = Counter()
        self._codes = {d: array("H") for d in DIMENSIONS}
        self._roles, self._actions, self._failed = bytearray(), bytearray(), bytearray()
        self._scores, self._ms = array("d"), array("d")
        self._cpu_ms = array("d")
        self._ids: list[str] | None = [] if with_ids else None
        self._groups: dict[str, set[int]] = {role: set() for role in _ROLES}

    def add(self, row: Row, judged: Judged) -> None:
        """Take the outcome of a row in.

        Raises:
            DataError: a column has more different values than a table can show.
        """
        for dimension in DIMENSIONS:
            known = self.names[dimension]
            value = getattr(row, dimension)
            if value not in known:
                if len(known) == MOST_VALUES:
                    raise DataError(
                        f"{row.place}: the {dimension} has more than {MOST_VALUES} different values; name another "
                        f"column for it, or none: --column {dimension}="
                    )
                known[value] = len(known)
            self._codes[dimension].append(known[value])
        self._roles.append(_ROLES.index(row.role))
        self._actions.append(judged.action)
        self._failed.append(bool(judged.cause))
        if judged.cause:
            self.causes[judged.cause] += 1
        self._scores.append(np.nan if judged.score is None else judged.score)
        self._ms.append(judged.ms)
        self._cpu_ms.append(judged.cpu_ms)
        if self._ids is not None:
            self._ids.append(row.id)
        if row.group:
            self._groups[row.role].add(hash(row.group))

    def __len__(self) -> int:
        return len(self._roles)

    @property
    def milliseconds(self) -> Floats:
        """Wall time of each row."""
        return np.array(self._ms)

    @property
    def cpu_milliseconds(self) -> Floats:
        """Processor time of each row."""
        return np.array(self._cpu_ms)

    def role(self, role: str) -> Bools:
        """Which rows have the role."""
        return np.equal(np.frombuffer(bytes(self._roles), np.uint8), _ROLES.index(role))

    def of(self, dimension: str, value: str) -> Bools:
        """Which rows have the value."""
        return np.equal(np.array(self._codes[dimension], np.uint16), self.names[dimension][value])

    def scored(self, where: Bools | None = None) -> tuple[Floats, Bools]:
        """(score, whether it ought to be blocked) of the rows that have a score and are of either kind."""
        scores, positive = np.array(self._scores), self.role(BLOCK)
        keep = (positive | self.role(BENIGN)) & ~np.isnan(scores)
        if where is not None:
            keep &= where
        return scores[keep], positive[keep]

    def unscored(self) -> int:
        """Rows of either kind without a score: refused unread, or the check failed."""
        return int((np.isnan(np.array(self._scores)) & ~self.role(OTHER)).sum())

    def rate(self, where: Bools) -> dict[str, Any] | None:
        """Blocked, and blocked or altered, among these rows; None where there are none."""
        n = int(where.sum())
        if not n:
            return None
        actions = np.frombuffer(bytes(self._actions), np.uint8)[where]
        failed = int(np.frombuffer(bytes(self._failed), np.uint8)[where].sum())
        return {
            "n": n,
            "blocked": Rate(int((actions == BLOCKED).sum()), n).to_json(),
            "blocked_or_altered": Rate(int((actions != ALLOWED).sum()), n).to_json(),
            "could_not_be_checked": failed,
        }

    def rates(self) -> Iterator[dict[str, Any]]:
        """Overall and by every dimension that the data has, each for what is to be blocked, harmless, and other."""
        roles = {role: self.role(role) for role in _ROLES}
        for role, having in roles.items():
            if rate := self.rate(having):
                yield {"by": "all", "of": "all", "role": role, "groups": len(self._groups[role]), **rate}
        for dimension, names in self.names.items():
            if set(names) == {""}:
                continue
            for value in sorted(names):
                where = self.of(dimension, value)
                for role, having in roles.items():
                    if rate := self.rate(where & having):
                        yield {"by": dimension, "of": value, "role": role, **rate}

    def to_json(self) -> dict[str, Any]:
        """Row by row, for a later comparison: letters for role and action, the score to 6 decimals, no text."""
        return {
            "roles": "".join("pno"[c] for c in self._roles),
            "actions": "".join("axb"[c] for c in self._actions),
            "scores": [None if np.isnan(s) else round(s, 6) for s in self._scores],
            "names": {d: list(self.names[d]) for d in ("source", "lang")},
            "source": list(self._codes["source"]),
            "lang": list(self._codes["lang"]),
            "ids": self._ids,
        }
