"""Who is in an index: identities without their vectors, in columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["Entry", "ListName", "Roll"]

ListName = Literal["protected", "consented"]
Entry = tuple[str, ListName, frozenset[str]]


class Roll(Sequence[Entry]):
    """(id, list, purposes) of each identity, in columns: a million of them take 13 MB.

    Args:
        ids: (n,) uint64; an id is written in 16 hex digits.
        protected: (n,) bool.
        purposes: (n,) index into `sets`.
        sets: purposes; an empty set means any.
    """

    def __init__(
        self,
        ids: NDArray[np.uint64],
        protected: NDArray[np.bool_],
        purposes: NDArray[np.integer[Any]],
        sets: Sequence[frozenset[str]],
    ) -> None:
        self.ids, self.protected, self.purposes, self.sets = ids, protected, purposes, sets
        self.count_protected = int(protected.sum())

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Roll:
        given = list(entries)
        return cls(
            np.array([int(name, 16) for name, _, _ in given], np.uint64),
            np.array([kind == "protected" for _, kind, _ in given], np.bool_),
            np.arange(len(given)),
            [frozenset(purposes) for _, _, purposes in given],
        )

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, at: int) -> Entry: ...
    @overload
    def __getitem__(self, at: slice) -> list[Entry]: ...
    def __getitem__(self, at: int | slice) -> Entry | list[Entry]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        kind: ListName = "protected" if self.protected[at] else "consented"
        return f"{int(self.ids[at]):016x}", kind, self.sets[self.purposes[at]]
