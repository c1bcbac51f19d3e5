"""What was marked: one entry a released picture, found again by its mark id, the bytes of its file, or its likeness.

No prompt, no user and no picture is in it. A coarse picture can be guessed from a perceptual hash (PDQ), though, so the
file belongs to its owner alone (mode 0600).
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from guardrail.errors import RegistryError
from guardrail.marks.registry_entry import COLUMNS, Entry, is_sha256, microseconds, row_of
from guardrail.marks.registry_file import RegistryFile
from guardrail.marks.registry_further import add_further, by_further, forget_further, further_of
from guardrail.media.pdq import BYTES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from guardrail.marks.registry_index import NearIndex

__all__ = ["Entry", "MarkIdTaken", "Registry", "pdq_of"]

_TIMEOUT_S = 10.0
# Rows read or asked for by number at a time: of the former each a kilobyte at most, of the latter SQLite takes 999.
_AT_ONCE = 500


class MarkIdTaken(RegistryError):
    """A picture with this mark id is registered already."""


class Registry:
    """A registry in one SQLite file. Safe to use from several threads and processes.

    The file is made (mode 0600) with the first entry. Every entry is on disk when `add` returns.

    Args:
        path: the file.
        timeout_s: how long to wait while others write.
    """

    def __init__(self, path: str | Path, *, timeout_s: float = _TIMEOUT_S) -> None:
        self.path = Path(path)
        self._file = RegistryFile(self.path, timeout_s)
        self._near: NearIndex | None = None
        self._near_of = 0

    def add(self, entry: Entry) -> None:
        """Write an entry down.

        Raises:
            MarkIdTaken: the mark id is registered already.
            RegistryError: the file cannot be written.
        """
        self.add_all([entry])

    def add_all(self, entries: Sequence[Entry]) -> None:
        """As `add`, all of them or none."""
        rows = [(*row_of(entry), microseconds(entry.created)) for entry in entries]
        with self._file.writing() as connection:
            for row in rows:
                try:
                    connection.execute(
                        f"INSERT INTO entries ({COLUMNS}, created_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                        row,
                    )
                except sqlite3.IntegrityError:
                    raise MarkIdTaken(
                        f"the mark id {row[0]} is registered already in {self.path}: every picture needs its own"
                    ) from None

    def by_id(self, mark_id: str) -> Entry | None:
        """The entry of a mark id, in either case of its letters.

        Raises:
            RegistryError: there is no such file, or it cannot be read; as with all that read.
        """
        found = self._where("mark_id = ?", (mark_id.lower(),))
        return found[0][1] if found else None

    def by_sha256(self, sha256: str) -> Entry | None:
        """The entry of a file with these bytes, the latest one; a SHA-256 in hex, in either case."""
        if not is_sha256(sha256.lower()):
            raise ValueError("a SHA-256 is 64 hexadecimal digits")
        with self._file.reading() as connection:
            found = self._read(connection, "sha256 <> '' AND sha256 = ?", (sha256.lower(),))
            for number in by_further(connection, sha256.lower()):
                found += self._read(connection, "number = ?", (number,))
        return max(found, key=lambda pair: pair[0])[1] if found else None

    def find(self, name: str) -> Entry | None:
        """The entry of a mark id or of a file's SHA-256, in hex."""
        return self.by_sha256(name) if is_sha256(name.lower()) else self.by_id(name)

    def further_files(self, mark_id: str) -> list[str]:
        """The SHA-256 of the files of a registered picture, in hex, but for the first one, which is in its entry."""
        with self._file.reading() as connection:
            rows = connection.execute("SELECT number FROM entries WHERE mark_id = ?", (mark_id.lower(),)).fetchall()
            return [s for (number,) in rows for s in further_of(connection, number - 1, number).get(number, [])]

    def add_file(self, mark_id: str, sha256: str) -> bool:
        """Enter a file of a registered picture; there may be several of one.

        Args:
            sha256: of its bytes, 64 hex digits.

        Returns:
            Whether there is an entry for it: it may have been forgotten.

        Raises:
            RegistryError: there is no such registry, or it cannot be written.
        """
        if not is_sha256(sha256):
            raise ValueError("a SHA-256 is 64 hexadecimal digits, in small letters")
        with self._file.reading():
            pass  # a file that is not there is an error, not made
        with self._file.writing() as connection:
            found = connection.execute("SELECT number, sha256 FROM entries WHERE mark_id = ?", (mark_id,)).fetchone()
            if found is None:
                return False
            number, first = found
            if not first:
                connection.execute("UPDATE entries SET sha256 = ? WHERE number = ?", (sha256, number))
            elif first != sha256:
                add_further(connection, number, sha256)
        return True

    def nearest(
        self, pdq: bytes | NDArray[np.uint8], distance: int = 31, *, limit: int = 20
    ) -> list[tuple[Entry, int]]:
        """Entries that look like a picture, with their distances in bits of 256, the nearest first. Exact.

        Args:
            pdq: its PDQ hash, 32 bytes; or several of it, (q, 32) uint8, such as those of its eight orientations
                (`guardrail.media.pdq.pdq`): the smallest distance counts.
            distance: the largest that still counts, 0..31. PDQ's makers take 31 for the same picture, changed a little.
            limit: how many at most.

        Raises:
            ValueError: not such a hash or distance.
        """
        import numpy as np

        from guardrail.marks.registry_index import LARGEST_DISTANCE, NearIndex

        if not 0 <= distance <= LARGEST_DISTANCE:
            raise ValueError(f"a distance is 0..{LARGEST_DISTANCE}")
        queries = np.frombuffer(pdq, np.uint8) if isinstance(pdq, bytes) else np.asarray(pdq)
        if queries.dtype != np.uint8 or queries.size == 0 or queries.size % BYTES:
            raise ValueError(f"a PDQ hash has {BYTES} bytes")
        with self._file.reading() as connection:
            if self._near is None or self._near_of != self._file.opened:
                self._near, self._near_of = NearIndex(), self._file.opened
            near = self._near.nearest(connection, queries.reshape(-1, BYTES), distance)[: max(0, limit)]
            apart = dict(near)
            entries: dict[int, Entry] = {}
            for start in range(0, len(near), _AT_ONCE):
                numbers = [number for number, _ in near[start : start + _AT_ONCE]]
                marks = ", ".join("?" * len(numbers))
                entries.update(self._read(connection, f"number IN ({marks})", numbers))
        return [(entries[number], apart[number]) for number, _ in near]

    def __len__(self) -> int:
        with self._file.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])

    def forget(self, *, before: dt.datetime) -> int:
        """Delete the entries that were created before a time (with a time zone), and overwrite them in the file.

        Marks that lead to them are still read; what they were made by is known no more.

        Returns:
            How many were deleted.

        Raises:
            ValueError: the time has no zone.
        """
        limit = microseconds(before.isoformat())
        with self._file.reading():
            pass  # a file that is not there is an error, not made
        with self._file.writing() as connection:
            forget_further(connection, limit)
            gone = connection.execute("DELETE FROM entries WHERE created_us < ?", (limit,)).rowcount
            if gone:
                connection.execute("UPDATE forgotten SET times = times + 1")
        with self._file.plain() as connection:
            # Until the log is folded in, it holds what was deleted.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(gone)

    def export(self) -> Iterator[str]:
        """All entries in the order in which they were added, each as one line of JSON, hashes in hex. Where an entry
        has further files, their SHA-256 are in it as ``files``.

        Entries that come while it runs may or may not be among them.
        """
        last = 0
        while True:
            with self._file.reading() as connection:
                rows = self._read(connection, "number > ?", (last,), limit=_AT_ONCE)
                more = further_of(connection, last, rows[-1][0]) if rows else {}
            for number, entry in rows:
                files = {"files": more[number]} if number in more else {}
                yield json.dumps(entry.to_json() | files, ensure_ascii=False)
            if len(rows) < _AT_ONCE:
                return
            last = rows[-1][0]

    def check(self) -> None:
        """Read the whole file.

        Raises:
            RegistryError: it is damaged.
        """
        with self._file.reading() as connection:
            ((said, *_), *_) = connection.execute("PRAGMA integrity_check(1)").fetchall()
            if said != "ok":
                raise RegistryError(f"the registry {self.path} is damaged; put your copy of it back")
        for _ in self.export():
            pass

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._file.close()

    def _where(self, condition: str, values: Sequence[object]) -> list[tuple[int, Entry]]:
        with self._file.reading() as connection:
            return self._read(connection, condition, values)

    def _read(
        self, connection: sqlite3.Connection, condition: str, values: Sequence[object] = (), *, limit: int = -1
    ) -> list[tuple[int, Entry]]:
        """(number, entry) where the condition holds, in the order in which they were added."""
        rows = connection.execute(
            f"SELECT number, {COLUMNS} FROM entries WHERE {condition} ORDER BY number LIMIT ?",  # noqa: S608 - our own
            (*values, limit),
        )
        try:
            return [(number, Entry(*fields)) for number, *fields in rows]
        except (ValueError, TypeError):
            raise RegistryError(
                f"an entry of the registry {self.path} is damaged; put your copy of the file back"
            ) from None


def pdq_of(pixels: NDArray[np.uint8]) -> bytes | None:
    """The perceptual hash of an (H, W, 3) RGB uint8 picture; ``None`` where it would match by chance."""
    from guardrail.media.pdq import USABLE_QUALITY, pdq

    hashes, quality = pdq(pixels)
    return hashes[0].tobytes() if quality >= USABLE_QUALITY else None
