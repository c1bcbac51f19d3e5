"""Samples of a run as columns, in some 60 bytes a sample and without a text."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrail.bench.files import DataError
from guardrail.bench.statistics import Bools, Floats

__all__ = ["ACTIONS", "ALLOW", "ALTER", "BENIGN", "BLOCK", "BLOCKED", "DIMENSIONS", "NONE", "OTHER", "Columns"]

DIMENSIONS = ("label", "lang", "source", "attack")
ROLES = ("block", "benign", "other")
BLOCK, BENIGN, OTHER = range(3)
ACTIONS = ("allow", "alter", "block")
ALLOW, ALTER, BLOCKED = range(3)
NONE = ""
"""The value of a dimension that a sample has none of; of `attack`, that of a prompt as it came."""
_MOST_VALUES = 2**16
_UNKNOWN = 2  # of `bypassed`: nobody looked

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """One entry a sample, in the order of the samples.

    Attributes:
        role, action: positions in `ROLES` and `ACTIONS`.
        score: NaN where there is none.
        codes: dimension → position in `names[dimension]`, which is sorted.
        unread: blocked only because it could not be checked; `causes` says why, and how often.
        bypassed: an alteration did not help; of the samples in `seen_again` only.
        id, of: hashes; `of` is that of the clean row, 0 for a row as it came.
        group: a cluster of dependent rows: those of one split group; of one pair where there is no group; else the row
            alone. A disguised copy has its own and not that of its clean row, unless the sample says so.
        pair: hash, 0 where there is none.
        families: family of disguises → positions of the copies that are in it and in others besides.
    """

    role: NDArray[np.uint8]
    action: NDArray[np.uint8]
    score: Floats
    codes: Mapping[str, NDArray[np.uint16]]
    names: Mapping[str, tuple[str, ...]]
    unread: Bools
    causes: Mapping[str, int]
    bypassed: Bools
    seen_again: Bools
    id: Hashes
    of: Hashes
    group: Ints
    pair: Hashes
    families: Mapping[str, Ints]

    def __len__(self) -> int:
        return len(self.role)

    @property
    def clean(self) -> Bools:
        """Rows as they came: no disguised copies of others."""
        return np.asarray(self.of == 0)

    @property
    def blocked(self) -> Bools:
        return np.asarray(self.action == BLOCKED)

    @property
    def stopped(self) -> Bools:
        """Blocked or altered."""
        return np.asarray(self.action != ALLOW)

    def scored(self) -> Bools:
        """Rows as they came with a score, to be blocked or harmless."""
        return np.asarray(self.clean & (self.role != OTHER) & ~np.isnan(self.score))

    @classmethod
    def of_samples(cls, samples: Iterable[Mapping[str, Any]]) -> Columns:
        """Read samples, each once.

        Raises:
            DataError: one of them is none.
        """
        made = _Reader()
        for number, sample in enumerate(samples, 1):
            try:
                made.add(sample)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise DataError(
                    f"sample {number} is none of this version ({type(error).__name__}: {error}): measure anew"
                ) from None
        return made.columns()


class _Reader:
    def __init__(self) -> None:
        self.role, self.action, self.unread, self.bypassed = (bytearray() for _ in range(4))
        self.score = array("d")
        self.codes = {d: array("H") for d in DIMENSIONS}
        self.names: dict[str, dict[str, int]] = {d: {} for d in DIMENSIONS}
        self.causes: Counter[str] = Counter()
        self.id, self.of, self.group, self.pair = (array("Q") for _ in range(4))
        self.families: dict[str, array[int]] = {}

    def add(self, sample: Mapping[str, Any]) -> None:
        score, bypassed = sample["score"], sample.get("bypassed")
        if score is not None and not isfinite(score):
            raise ValueError(f"a score of {score}")
        self.role.append(ROLES.index(sample["role"]))
        self.action.append(ACTIONS.index(sample["action"]))
        self.score.append(np.nan if score is None else score)
        self.bypassed.append(_UNKNOWN if bypassed is None else bool(bypassed))
        cause = sample.get("cause") or ""
        self.unread.append(bool(cause))
        if cause:
            self.causes[str(cause)] += 1
        for dimension, known in self.names.items():
            value = str(sample.get(dimension) or NONE)
            if value not in known:
                if len(known) == _MOST_VALUES:
                    raise ValueError(f"more than {_MOST_VALUES} values of {dimension}")
                known[value] = len(known)
            self.codes[dimension].append(known[value])
        for column, name in ((self.id, "id"), (self.of, "of"), (self.group, "group"), (self.pair, "pair")):
            column.append(_hash(sample.get(name)))
        for family in sample.get("families") or ():
            self.families.setdefault(str(family), array("q")).append(len(self.role) - 1)

    def columns(self) -> Columns:
        codes, names = {}, {}
        for dimension, known in self.names.items():
            ordered = sorted(known)
            place = np.zeros(max(1, len(known)), np.uint16)
            for new, value in enumerate(ordered):
                place[known[value]] = new
            codes[dimension] = place[np.array(self.codes[dimension], np.uint16)]
            names[dimension] = tuple(ordered)
        group, pair = np.array(self.group, np.uint64), np.array(self.pair, np.uint64)
        bypassed = np.frombuffer(bytes(self.bypassed), np.uint8)
        return Columns(
            np.frombuffer(bytes(self.role), np.uint8),
            np.frombuffer(bytes(self.action), np.uint8),
            np.array(self.score, np.float64),
            codes,
            names,
            np.frombuffer(bytes(self.unread), np.uint8) == 1,
            dict(sorted(self.causes.items())),
            bypassed == 1,
            bypassed != _UNKNOWN,
            np.array(self.id, np.uint64),
            np.array(self.of, np.uint64),
            _clusters(np.where(group != 0, group, pair)),
            pair,
            {family: np.array(self.families[family], np.int64) for family in sorted(self.families)},
        )


def _hash(value: object) -> int:
    """64 bits that are the same in every process; 0 for nothing. Two of a million texts share one with p < 1e-7."""
    if value is None or value == "":
        return 0
    return int.from_bytes(blake2b(str(value).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") or 1


def _clusters(keys: Hashes) -> Ints:
    """Numbers of clusters in the order in which they first come; a key of 0 is a cluster of one row."""
    lone = keys == 0
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    begins = np.where(lone, np.arange(len(keys)), first[inverse])  # the row that a cluster begins with
    return np.unique(begins, return_inverse=True)[1].astype(np.int64)
