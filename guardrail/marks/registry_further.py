"""The further files of registered pictures: a picture may be saved several times, and each file has its own bytes.

The first file of a picture stands in its entry. Registries of format 2 have no table for the others: they are read as
they are, and get it with the first file that needs it.
"""

from __future__ import annotations

import sqlite3

__all__ = ["FORMAT", "SCHEMA", "add_further", "by_further", "forget_further", "further_of"]

FORMAT = 3
"""Version of the tables of a registry that has this one."""

_STATEMENTS = (
    "CREATE TABLE files (sha256 TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (sha256, number)) WITHOUT ROWID",
    "CREATE INDEX files_number ON files (number)",
    f"PRAGMA user_version = {FORMAT}",
)
SCHEMA = ";\n".join((*_STATEMENTS, ""))


def add_further(connection: sqlite3.Connection, number: int, sha256: str) -> None:
    """Enter a further file of an entry, in a write transaction; a registry of format 2 becomes one of format 3."""
    if not _has_table(connection):
        for statement in _STATEMENTS:
            connection.execute(statement)
    connection.execute("INSERT OR IGNORE INTO files VALUES (?, ?)", (sha256, number))


def by_further(connection: sqlite3.Connection, sha256: str) -> list[int]:
    """The numbers of the entries of which this is a further file."""
    if not _has_table(connection):
        return []
    return [number for (number,) in connection.execute("SELECT number FROM files WHERE sha256 = ?", (sha256,))]


def further_of(connection: sqlite3.Connection, after: int, last: int) -> dict[int, list[str]]:
    """The SHA-256 of the further files of the entries with the numbers after < number <= last."""
    more: dict[int, list[str]] = {}
    if _has_table(connection):
        rows = connection.execute(
            "SELECT number, sha256 FROM files WHERE number > ? AND number <= ? ORDER BY number, sha256", (after, last)
        )
        for number, sha256 in rows:
            more.setdefault(number, []).append(sha256)
    return more


def forget_further(connection: sqlite3.Connection, before_us: int) -> None:
    """Delete those of the entries that were created before a time."""
    if _has_table(connection):
        connection.execute(
            "DELETE FROM files WHERE number IN (SELECT number FROM entries WHERE created_us < ?)", (before_us,)
        )


def _has_table(connection: sqlite3.Connection) -> bool:
    # Asked in each transaction: another process may make it at any time.
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'files'").fetchone())
