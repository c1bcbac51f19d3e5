"""From what the database or the operating system says to one clear error with cause, path and mend."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from guardrail.errors import AuditBroken, AuditError, AuditUnavailable

__all__ = ["Failure", "audit_error", "classify", "is_busy", "word_of"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record cannot be written.

    `word` stands in ``gap`` records; `lasting` means that the file itself is wrong, not its surroundings.
    """

    word: str
    says: str
    mend: str
    lasting: bool = False


FULL = Failure("full", "the disk is full", "free space; recording goes on by itself")
READ_ONLY = Failure("read-only", "the file or its folder is read-only", "make the folder writable for this user")
LOCKED = Failure("locked", "another writer held it beyond the time limit", "look for a process that holds the file")
MISSING = Failure("missing", "the file is gone", "put it back, or restart to begin a new log")
DENIED = Failure("denied", "access is denied", "give this user the folder, or name another path")
UNOPENABLE = Failure("unopenable", "it cannot be opened", "see that its folder exists and is writable")
IO = Failure("io", "reading or writing failed", "look at the disk; recording goes on by itself")
CORRUPT = Failure(
    "corrupt", "the database is corrupt", "keep the file as evidence; restore it or begin a new one", True
)
FOREIGN = Failure("foreign", "it is not as this program writes it", "run verify; keep the file as evidence", True)

_BY_SQLITE = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_PERM: DENIED,
    sqlite3.SQLITE_AUTH: DENIED,
    sqlite3.SQLITE_CANTOPEN: UNOPENABLE,
    sqlite3.SQLITE_IOERR: IO,
    sqlite3.SQLITE_CORRUPT: CORRUPT,
    sqlite3.SQLITE_NOTADB: CORRUPT,
    sqlite3.SQLITE_TOOBIG: CORRUPT,
    # All statements here are constants. When one does not compile, or meets a row that the schema forbids, or a body
    # that is not JSON, the file was changed by somebody else.
    sqlite3.SQLITE_ERROR: FOREIGN,
    sqlite3.SQLITE_CONSTRAINT: FOREIGN,
    sqlite3.SQLITE_MISMATCH: FOREIGN,
}
_BY_ERRNO = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: DENIED,
    errno.EPERM: DENIED,
    errno.ENOENT: MISSING,
    errno.ENOTDIR: UNOPENABLE,
    errno.EEXIST: UNOPENABLE,
}

_WAL_GROWTH_BYTES = 64 * 1024
"""SQLite reports a full disk as such only from `write`; where it maps its index it says "I/O error" or "cannot open".
Below this much free space, that is what it means: the index grows by 32 KiB at a time."""


def _primary(error: sqlite3.Error) -> int:
    # Extended result codes keep the primary one in their low byte (sqlite.org/rescode.html).
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    """Whether trying again may help."""
    return _primary(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def classify(error: BaseException | None, path: Path | None = None) -> Failure:
    """The failure behind `error`. With `path`, its disk is asked for room where SQLite's code is ambiguous."""
    if isinstance(error, TimeoutError):
        return LOCKED
    if isinstance(error, UnicodeDecodeError):
        # Python could not read SQLite's message, which quotes the damaged definition of a table.
        return CORRUPT
    if isinstance(error, sqlite3.Error):
        failure = _BY_SQLITE.get(_primary(error), IO)
    elif isinstance(error, OSError):
        failure = _BY_ERRNO.get(error.errno or 0, IO)
    else:
        return FOREIGN
    return FULL if failure in (IO, UNOPENABLE) and path is not None and _no_room(path) else failure


def _no_room(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _WAL_GROWTH_BYTES
    except OSError:
        return False


def audit_error(error: sqlite3.Error | OSError | UnicodeDecodeError, path: Path) -> AuditError:
    """`error` as the caller sees it; raise it ``from error``."""
    failure = classify(error, path)
    told = f"audit log {path}: {failure.says} ({failure.word}: {error}) — {failure.mend}"
    return AuditBroken(told) if failure.lasting else AuditUnavailable(told)


def word_of(error: AuditError, path: Path) -> str:
    """The fixed word for the ``gap`` record."""
    return classify(error.__cause__, path).word
