"""The perceptual hashes of a registry in memory, kept up with the file."""

from __future__ import annotations

import sqlite3
import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardrail.known.index import LARGEST_DISTANCE, SMALL, HashIndex
from guardrail.media.pdq import BYTES

__all__ = ["LARGEST_DISTANCE", "NearIndex"]


class _Part(NamedTuple):
    """Entries by number, and the index of their hashes in the same order."""

    numbers: NDArray[np.int64]
    hashes: NDArray[np.uint8]
    searched: HashIndex

    @classmethod
    def of(cls, numbers: NDArray[np.int64], hashes: NDArray[np.uint8]) -> _Part:
        return cls(numbers, hashes, HashIndex(hashes, np.full(len(hashes), LARGEST_DISTANCE, np.uint8)))

    def and_(self, more: _Part) -> _Part:
        return _Part.of(np.concatenate([self.numbers, more.numbers]), np.concatenate([self.hashes, more.hashes]))


_EMPTY = _Part.of(np.zeros(0, np.int64), np.zeros((0, BYTES), np.uint8))


class NearIndex:
    """All hashes, as one index of most of them and a small one of those that came last; some 110 bytes an entry.

    The large one is built anew for every `SMALL` entries that came, when something was forgotten, and when the last
    entry is not in the file any more: another state was restored into it. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forgotten = -1
        self._last = 0
        self._last_id = ""
        self._large = self._small = _EMPTY

    def nearest(
        self, connection: sqlite3.Connection, queries: NDArray[np.uint8], distance: int
    ) -> list[tuple[int, int]]:
        """(number of the entry, smallest distance to any of the (q, 32) queries), the nearest first.

        Args:
            connection: in a transaction, so that what is read belongs to one state of the file.
        """
        with self._lock:
            self._catch_up(connection)
            parts = (self._large, self._small)
        found: list[tuple[int, int]] = []
        for part in parts:
            rows, apart = part.searched.search(queries)
            near = apart <= distance
            found += zip(part.numbers[rows[near]].tolist(), apart[near].tolist(), strict=True)
        return sorted(found, key=lambda pair: (pair[1], pair[0]))

    def _catch_up(self, connection: sqlite3.Connection) -> None:
        (forgotten,) = connection.execute("SELECT times FROM forgotten").fetchone()
        if forgotten != self._forgotten or _id_of(connection, self._last) != self._last_id:
            self._forgotten, self._last, self._last_id = forgotten, 0, ""
            self._large = self._small = _EMPTY
        rows = connection.execute(
            "SELECT number, pdq FROM entries WHERE number > ? AND pdq IS NOT NULL ORDER BY number", (self._last,)
        ).fetchall()
        if not rows:
            return
        numbers = np.array([number for number, _ in rows], np.int64)
        hashes = np.frombuffer(b"".join(pdq for _, pdq in rows), np.uint8).reshape(-1, BYTES)
        self._last = int(numbers[-1])
        self._last_id = _id_of(connection, self._last)
        self._small = self._small.and_(_Part.of(numbers, hashes))
        if len(self._small.numbers) > SMALL:
            self._large, self._small = self._large.and_(self._small), _EMPTY


def _id_of(connection: sqlite3.Connection, number: int) -> str:
    """The mark id of an entry; empty where there is none."""
    found = connection.execute("SELECT mark_id FROM entries WHERE number = ?", (number,)).fetchone()
    return str(found[0]) if found else ""
