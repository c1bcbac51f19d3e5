"""The audit log: one record a decision, written and durable before the result is released."""

from __future__ import annotations

import secrets
import sqlite3
import time
import weakref
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, get_args

from guardrail.audit.body import canonical, event_type
from guardrail.audit.chain import CHECKPOINT_FORMAT, Chain, Receipt, iso
from guardrail.audit.connection import Durability
from guardrail.audit.failures import word_of
from guardrail.audit.refusals import RefusalCounter, Refused
from guardrail.audit.store import Store
from guardrail.audit.verify import VerifyReport, log_id_of, verify_chain
from guardrail.errors import AuditBroken, AuditError

__all__ = ["AuditLog"]

_RECORD = "SELECT prev, seq, time, type, body, hash FROM events"

_PROBE_BYTES = 64 * 1024
"""What `probe` writes: nine pages of 8 KiB, more than a record of 2 KiB and its five index entries can need."""


class AuditLog:
    """An append-only record of decisions in one SQLite file, chained under a key.

    Several threads, processes and `AuditLog` objects may use one file. Nothing is opened here: the first use makes the
    file (mode 0600) and its first record, ``opened``. After a failure every use tries anew, so recording goes on when
    its cause is gone. A process that has used a log never begins another one at its path: if the file vanishes, is
    emptied or set back, appends are refused until it is whole again or the process is restarted.

    Read or copy the file from another process, or after `close`: POSIX drops a process's locks on a file as soon as it
    closes any handle on it (sqlite.org/howtocorrupt.html, 2.2).

    The chain (see `guardrail.audit.chain`) finds what was changed, inserted, removed or reordered by somebody without
    the key; a cut at the end is found with a checkpoint that was exported before. The triggers against UPDATE and
    DELETE stop accidents only.

    Args:
        path: the database file, on a local disk (WAL needs shared memory). ``-wal`` and ``-shm`` stand beside it.
        key: secret of at least 16 bytes. A log has one key for life: a new key begins a new file.
        key_id: public name of the key, written into the log and its checkpoints.
        durability: ``full``: when `append` returns, the record survives loss of power. ``normal``: it survives the end
            of the process, but the last records may be lost with the power (the chain stays whole).
        timeout_s: longest wait for other writers, in seconds, up to 3600.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self, path: Path, *, key: bytes, key_id: str, durability: Durability = "full", timeout_s: float = 5.0
    ) -> None:
        if durability not in get_args(Durability):
            raise ValueError(f"durability is one of {', '.join(get_args(Durability))}, not {durability!r}")
        if not 0 < timeout_s <= 3600:
            raise ValueError(f"timeout_s is {timeout_s}; it must be above 0 and at most 3600")
        self.path = Path(path).absolute()
        self.key_id = key_id
        self.chain = Chain(key)
        self.store = Store(self.path, durability, timeout_s)
        self._seen: Receipt | None = None
        self._refusals = RefusalCounter()
        # A log that nobody closes is closed with its last user or with the interpreter, which folds the WAL in.
        self._finalizer = weakref.finalize(self, self.store.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"AuditLog({str(self.path)!r}, key_id={self.key_id!r})"

    def close(self) -> None:
        """Close the file. Using the log again opens it again."""
        self.store.close()

    # ---- writing

    def append(self, type: str, body: Mapping[str, Any]) -> Receipt:
        """Write one record; see `append_many`."""
        return self.append_many([(type, body)])[0]

    def append_many(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Receipt]:
        """Write records in one transaction: all of them, in order and next to each other, or none.

        When it returns they are durable in the sense of `durability`. If records were refused before, a ``gap`` record
        {count, from, to, cause} comes first, in the same transaction.

        Args:
            events: type (``decision``, ``report``, …) and body of each. A body is a JSON mapping of at most 256 KiB.

        Returns:
            One receipt an event; none for the ``gap``.

        Raises:
            ValueError: a type or body that cannot be recorded, or a key that names content; nothing was written, and
                it does not count as refused.
            AuditUnavailable: the record cannot be written now. Counted in `refused`.
            AuditBroken: the file is corrupt, not an audit log, of another key, or lost records. Counted too.
        """
        rows = [(event_type(kind), canonical(body)) for kind, body in events]
        if not rows:
            return []
        owed = Refused()
        try:
            with self.store.transaction() as connection:
                head = self._head(connection)
                owed = self._refusals.take()
                gap = [(b"gap", canonical(owed.gap()))] if owed.count else []
                receipts = self._insert(connection, head, [*gap, *rows])
            owed = Refused()
        except AuditError as error:
            self._refusals.add(len(rows), word_of(error, self.path))
            raise
        finally:
            self._refusals.bring_back(owed)
        self._seen = max(receipts[-1], self._seen or receipts[-1], key=lambda r: r.seq)
        return receipts[len(gap) :]

    def refused(self) -> Refused:
        """What this process could not write since its last success. Other processes count their own."""
        return self._refusals.now()

    def probe(self) -> None:
        """Find out whether a record can be written now, without adding one.

        A transaction that is rolled back would prove nothing: the disk is asked only at the commit. So this commits 64
        KiB to a table beside the chain, then frees the previous 64 KiB. It has then shown that the log can be locked,
        that so much could be written and (with durability ``full``) synced, and it leaves as many free pages in the
        file. It proves nothing about the next moment, nor about a body near 64 KiB and beyond. Costs about one append.

        Raises:
            AuditUnavailable, AuditBroken: as `append` would; not counted in `refused`.
        """
        with self.store.transaction() as connection:
            self._head(connection)
            filler = connection.execute("INSERT INTO scratch (filler) VALUES (zeroblob(?))", (_PROBE_BYTES,))
            connection.execute("DELETE FROM scratch WHERE id < ?", (filler.lastrowid,))

    def _insert(
        self, connection: sqlite3.Connection, head: Receipt | None, rows: Sequence[tuple[bytes, bytes]]
    ) -> list[Receipt]:
        seq, prev = (head.seq, bytes.fromhex(head.hash)) if head else (0, self.chain.genesis)
        if head is None:
            identity = {"format": 1, "log_id": secrets.token_hex(16), "key_id": self.key_id}
            rows = [(b"opened", canonical(identity)), *rows]
        receipts = []
        for kind, body in rows:
            seq, now = seq + 1, time.time_ns() // 1000
            hash_ = self.chain.link(prev, seq, now, kind, body)
            connection.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", (seq, now, kind.decode(), body.decode(), prev, hash_)
            )
            prev = hash_
            receipts.append(Receipt(seq, hash_.hex()))
        return receipts if head else receipts[1:]

    def _head(self, connection: sqlite3.Connection) -> Receipt | None:
        """The last record, after making sure that it may be continued."""
        row = connection.execute(f"{_RECORD} ORDER BY seq DESC LIMIT 1").fetchone()
        if row is not None and not self.chain.holds(*row):
            raise self._broken("its last record was not written with this key (wrong key, or the record was changed)")
        head = Receipt(row[1], row[5].hex()) if row else None
        if self.store.fresh and head:
            self._admit(connection, head)
        seen = self._seen
        if seen and (head is None or head.seq < seen.seq or (head.seq == seen.seq and head.hash != seen.hash)):
            raise self._broken(f"record {seen.seq}, which this process wrote, is gone: the file was set back")
        return head

    def _admit(self, connection: sqlite3.Connection, head: Receipt) -> None:
        """Look at an existing file once a connection: where it begins, and at what this process wrote before."""
        first = connection.execute(f"{_RECORD} WHERE seq = 1").fetchone()
        if first is None or first[0] != self.chain.genesis or not self.chain.holds(*first):
            raise self._broken("its first record is missing or was changed")
        if (seen := self._seen) and head.seq > seen.seq:
            row = connection.execute(f"{_RECORD} WHERE seq = ?", (seen.seq,)).fetchone()
            if row is None or row[5] != bytes.fromhex(seen.hash):
                raise self._broken(f"record {seen.seq}, which this process wrote, is not in it: it is another log")

    def _broken(self, what: str) -> AuditBroken:
        return AuditBroken(f"audit log {self.path}: {what} — run verify; keep the file as evidence")

    # ---- proving

    def checkpoint(self) -> dict[str, Any]:
        """The head of the chain, signed: export it to where the log's writer cannot change it.

        Returns:
            {format, log_id, seq, hash, time, key_id, signature}, JSON throughout.

        Raises:
            AuditUnavailable, AuditBroken: the log cannot be read, or its head does not verify.
        """
        rows = self.store.rows(f"{_RECORD} ORDER BY seq DESC LIMIT 1")
        if not rows or not self.chain.holds(*rows[0]):
            raise self._broken("its last record does not verify with this key")
        return self.chain.signed(
            {
                "format": CHECKPOINT_FORMAT,
                "log_id": log_id_of(self.store),
                "seq": rows[0][1],
                "hash": rows[0][5].hex(),
                "time": iso(datetime.now(UTC)),
                "key_id": self.key_id,
            }
        )

    def verify(self, checkpoint: Mapping[str, Any] | None = None) -> VerifyReport:
        """Read every record and check it against the chain, and against `checkpoint` where given.

        Memory stays bounded; other threads and processes may go on writing. Found are changed, inserted, removed and
        reordered records and a wrong key; with a checkpoint also a cut tail and another log in this one's place. The
        indexes are not part of the chain: somebody who can write the file can hide a record from a search, not from
        here.

        Raises:
            AuditUnavailable: the file cannot be read.
        """
        return verify_chain(self.store, self.chain, self.key_id, checkpoint)
