"""The SQLite file of a registry: made whole or not at all, one connection a process, and errors with their mend.

Nothing is ever made anew in the place of a file that cannot be read: marks lead into it for years.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from guardrail.drafts import draft_of
from guardrail.errors import RegistryError
from guardrail.marks.registry_further import FORMAT
from guardrail.marks.registry_further import SCHEMA as FILES_SCHEMA

__all__ = ["FORMAT", "RegistryFile"]

_APPLICATION_ID = 0x67726D72  # "grmr", at offset 68 of the file
# In the file's header. Format 1 had no column for the decision (no release wrote it), format 2 no further files.
_READ = (2, FORMAT)

# AUTOINCREMENT: a number is never given twice, so that "what came after number n" is asked for by number.
_SCHEMA = f"""
CREATE TABLE entries (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  mark_id TEXT NOT NULL UNIQUE, key TEXT NOT NULL, tag INTEGER NOT NULL,
  pdq BLOB CHECK (pdq IS NULL OR length(pdq) = 32),
  sha256 TEXT NOT NULL, pixels_sha256 TEXT NOT NULL, model TEXT NOT NULL, policy TEXT NOT NULL,
  created TEXT NOT NULL, decision TEXT NOT NULL, created_us INTEGER NOT NULL
);
CREATE INDEX entries_sha256 ON entries (sha256) WHERE sha256 <> '';
CREATE INDEX entries_created ON entries (created_us);
CREATE TABLE forgotten (times INTEGER NOT NULL);
INSERT INTO forgotten VALUES (0);
PRAGMA application_id = {_APPLICATION_ID};
{FILES_SCHEMA}
"""  # noqa: S608 - numbers of our own

_files: weakref.WeakSet[RegistryFile] = weakref.WeakSet()
# Connections that a fork brought along. Closing one would fold in a log that the parent writes to
# (sqlite.org/howtocorrupt.html, 2.6), so they are kept and never touched.
_inherited: list[sqlite3.Connection] = []


class RegistryFile:
    """One file. Threads take turns at one connection; processes wait for each other at SQLite's write lock.

    Args:
        timeout_s: how long to wait for other writers.

    Attributes:
        opened: how often it was opened. After another opening it may be another file, a copy that was put back.
    """

    def __init__(self, path: Path, timeout_s: float) -> None:
        self.path = path
        self.timeout_s = timeout_s
        self.opened = 0
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._lock = threading.RLock()
        _files.add(self)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A write transaction, on disk when the block ends; makes the file first where there is none.

        Raises:
            RegistryError: with the path, the cause and the mend.
        """
        with self._held(create=True) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Reading one state of the file, whatever others write meanwhile.

        Raises:
            RegistryError: as `writing`; and there is no such file.
        """
        with self._held(create=False) as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def plain(self) -> Iterator[sqlite3.Connection]:
        """The connection without a transaction, for SQLite's own commands; the file must be there."""
        with self._held(create=False) as connection:
            yield connection

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    connection.close()

    @contextlib.contextmanager
    def _held(self, *, create: bool) -> Iterator[sqlite3.Connection]:
        if not self._lock.acquire(timeout=self.timeout_s):
            raise _refused(TimeoutError(), self.path)
        try:
            yield self._open(create=create)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise _refused(error, self.path) from None
        finally:
            self._lock.release()

    def _open(self, *, create: bool) -> sqlite3.Connection:
        # A connection goes on writing to a file that was deleted or replaced under it, and those entries are lost.
        if self._connection is not None and self._identity == _inode(self.path):
            return self._connection
        known = self._identity is not None
        self.close()
        if not self.path.exists():
            if known:
                raise RegistryError(f"the registry {self.path} has vanished since it was opened; put your copy back")
            if not create:
                raise RegistryError(
                    f"there is no registry {self.path}; correct the path (one is made with the first picture "
                    "that is registered)"
                )
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _make(self.path)
        self._identity = _inode(self.path)
        self.opened += 1
        self._connection = _connect(self.path, self.timeout_s)
        _require_ours(self._connection, self.path)
        return self._connection

    def _after_fork(self) -> None:
        self._lock = threading.RLock()
        if self._connection is not None:
            _inherited.append(self._connection)
            self._connection = None


def _make(path: Path) -> None:
    """Put an empty registry at `path` unless something is there: another process may be doing the same."""
    with draft_of(path) as draft:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = sqlite3.connect(draft, isolation_level=None)
        try:
            connection.executescript(_SCHEMA)
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        finally:
            connection.close()
        if mode != "wal":
            raise OSError(errno.ENOTSUP, "this file system cannot carry a write-ahead log; use a local disk")
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)


def _connect(path: Path, timeout_s: float) -> sqlite3.Connection:
    # Whoever may not write may still look things up.
    mode = "rw" if os.access(path, os.W_OK) else "ro"
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA synchronous = FULL")  # registered means on disk
    connection.execute("PRAGMA fullfsync = 1")  # on macOS a plain fsync leaves it in the drive's cache
    connection.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten
    return connection


def _require_ours(connection: sqlite3.Connection, path: Path) -> None:
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if mark != _APPLICATION_ID:
        raise RegistryError(f"{path} is no registry of marks; name another file, or put your copy of it back")
    if version not in _READ:
        raise RegistryError(
            f"{path} is a registry of format {version}, this guardrail reads format {FORMAT}: "
            "use the guardrail that wrote it"
        )


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)
_CLOSED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)


def _refused(error: Exception, path: Path) -> RegistryError:
    """What SQLite or the system raised, with what to do about it."""
    code = getattr(error, "sqlite_errorcode", -1) & 0xFF
    if code in _BUSY or isinstance(error, TimeoutError):
        return RegistryError(f"the registry {path} is being written by others for too long; try again")
    if code in _DAMAGED:
        return RegistryError(f"{path} is no registry, or is damaged; put your copy of it back, or name another file")
    if code in _CLOSED or isinstance(error, PermissionError):
        return RegistryError(
            f"the registry {path} cannot be opened or written: give this user access to the file and to its folder, "
            "where SQLite keeps two more files"
        )
    if code == sqlite3.SQLITE_FULL or getattr(error, "errno", 0) == errno.ENOSPC:
        return RegistryError(f"the registry {path} cannot be written: the disk is full; make room")
    cause = getattr(error, "sqlite_errorname", "") or getattr(error, "strerror", "") or type(error).__name__
    return RegistryError(f"the registry {path} cannot be used ({cause}); check the file and its disk")


def _after_fork() -> None:
    for file in list(_files):
        file._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
