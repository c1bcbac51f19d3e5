"""The SQLite file: one connection a process behind a lock, opened late and opened again after any trouble.

Threads take turns at one connection: SQLite lets one writer in at a time anyway. A fork would carry the connection's
file locks into a process that does not hold them (sqlite.org/howtocorrupt.html, 2.6), so every connection is closed
before a fork, and both sides open their own.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from guardrail.audit.connection import Durability, connect, ensure_schema, make_ready, patiently
from guardrail.audit.failures import audit_error, classify
from guardrail.errors import AuditError

__all__ = ["Store"]

_stores: weakref.WeakSet[Store] = weakref.WeakSet()
_registry = threading.Lock()


class Store:
    """One audit file. All methods are safe to call from several threads.

    Args:
        path: the database; its folder is made when the first record is written.
        durability: ``full`` syncs at every commit, ``normal`` only when the write-ahead log is folded in.
        timeout_s: longest wait for threads and processes that write, together.
    """

    def __init__(self, path: Path, durability: Durability, timeout_s: float) -> None:
        self.path = path
        self.timeout_s = timeout_s
        self.fresh = True
        """The connection is a new one: nothing that was believed about the file before holds."""
        self._durability = durability
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[tuple[int, int] | None, ...] = ()
        self._known = False
        self._lock = threading.Lock()
        with _registry:
            _stores.add(self)

    # ---- use

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: committed, and with durability ``full`` synced, when the block ends without error.

        Raises:
            AuditUnavailable, AuditBroken: with the path, the cause and the mend.
        """
        with self._held(create=True) as (connection, deadline):
            patiently(connection, "BEGIN IMMEDIATE", (), deadline)
            if self.fresh and not self._known:  # a known log that is empty now was emptied: that must not pass for new
                ensure_schema(connection)
            yield connection
            # An error here leaves open whether the record survives; the caller withholds the result either way, so at
            # worst there is a record of something that was never released.
            connection.execute("COMMIT")
            self._known, self.fresh = True, False

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query over an existing file; the caller limits their number. Text comes as bytes.

        Raises:
            AuditUnavailable, AuditBroken: with the path, the cause and the mend.
        """
        with self._held(create=False) as (connection, deadline):
            found = patiently(connection, sql, params, deadline)
            self._known = True
            return found

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        # With a limit: it may be the garbage collector that closes, in a thread that holds the lock to fork.
        if self._lock.acquire(timeout=self.timeout_s):
            try:
                self._drop()
            finally:
                self._lock.release()

    # ---- the connection

    @contextmanager
    def _held(self, *, create: bool) -> Iterator[tuple[sqlite3.Connection, float]]:
        deadline = time.monotonic() + self.timeout_s
        if not self._lock.acquire(timeout=self.timeout_s):
            error = TimeoutError(f"{self.timeout_s:g} s passed while other threads of this process were writing")
            raise audit_error(error, self.path) from error
        try:
            yield self._open(deadline, create=create), deadline
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            raised = audit_error(error, self.path)
            # A full disk and a busy writer leave the connection sound. Anything else may not: look at the file anew.
            if not isinstance(error, sqlite3.Error) or classify(error).word not in ("full", "locked"):
                self._drop()
            raise raised from error
        except AuditError:
            self._drop()
            raise
        finally:
            if self._connection is not None and self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            self._lock.release()

    def _open(self, deadline: float, *, create: bool) -> sqlite3.Connection:
        # A connection goes on writing to a file that was deleted or replaced under it, and those records are lost
        # without a word. Three stat calls (3 µs) find that; the file's own write-ahead log is as precious as the file.
        if self._connection is not None and self._identity == self._files():
            return self._connection
        self._drop()
        if not self.path.exists():
            if self._known or not create:
                raise FileNotFoundError(errno.ENOENT, "no such file")
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with suppress(FileExistsError):  # another process was faster
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        self._connection = connect(self.path)
        make_ready(self._connection, self.path, self._durability, deadline)
        self._identity = self._files()
        return self._connection

    def _files(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_inode(f"{self.path}{suffix}") for suffix in ("", "-wal", "-shm"))

    def _drop(self) -> None:
        connection, self._connection, self.fresh = self._connection, None, True
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def _inode(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - three of them before every append
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


# ---- forks

_held_for_fork: list[Store] = []


def _before_fork() -> None:
    _registry.acquire()
    for store in list(_stores):
        store._lock.acquire()
        store._drop()
        _held_for_fork.append(store)


def _after_fork() -> None:
    while _held_for_fork:
        _held_for_fork.pop()._lock.release()
    _registry.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
