"""The file of a gallery: how it is opened, read and written, and how a change from outside is noticed.

Vectors and labels are encrypted; list, purposes and dates stand in the clear, and decide who may be depicted. So one
seal covers every row: the SHA-256 of both tables, encrypted with the count of changes as associated data. It is
checked when the gallery is opened, whenever it is read again, and before every write. Nobody without the key can add,
change, move or take away a row unnoticed; the whole file gone, or an older copy in its place, is not noticed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from guardrail.errors import GalleryError

__all__ = ["GalleryFile"]

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS identities (
    id TEXT PRIMARY KEY, list TEXT NOT NULL CHECK (list IN ('protected', 'consented')),
    label BLOB NOT NULL, purposes TEXT NOT NULL, created TEXT NOT NULL, expires TEXT, revoked TEXT,
    key_id TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS vectors (
    identity TEXT NOT NULL REFERENCES identities (id), embedder TEXT NOT NULL, vector BLOB NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS vectors_by_embedder ON vectors (embedder)",
    "CREATE TABLE IF NOT EXISTS seal (changes INTEGER NOT NULL, sealed BLOB NOT NULL)",
)
BUSY_S = 5.0
NONCE_BYTES = 12
# The smallest page that SQLite has.
SMALLEST_BYTES = 512


class GalleryFile:
    """One gallery on disk under one key.

    Args:
        path: the database; it and its folder are made if need be, readable by their owner only.
        key: 32 bytes.
        key_id: name of that key.

    Raises:
        GalleryError: no gallery, unreadable, changed from outside, or written under another key.
    """

    def __init__(self, path: Path, *, key: bytes, key_id: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.path = path
        self._cipher = AESGCM(key)
        with self._named("be opened as a gallery"):
            self._make()
            with closing(self._connect()) as db:
                self._prepare(db)
                foreign = db.execute("SELECT key_id FROM identities WHERE key_id != ? LIMIT 1", (key_id,)).fetchone()
                if foreign:
                    raise GalleryError(f"{path} holds entries under key {foreign[0]}, the active key is {key_id}")
                self.verify(db)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One state of the gallery, whatever is written meanwhile. What is read is not verified: see `verify`."""
        with self._named("be read"), closing(self._connect()) as db:
            db.execute("BEGIN")
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write: committed as a whole or not at all, and never on top of what somebody else changed."""
        with self._named("be written"), closing(self._connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            changes = self.verify(db)
            yield db
            self._renew(db, changes + 1)
            db.execute("COMMIT")

    def compact(self) -> None:
        """Take what was overwritten out of the write-ahead log too; what a reader still holds goes when it is done."""
        with self._named("be written"), closing(self._connect()) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # ---- the seal

    def state(self, db: sqlite3.Connection) -> tuple[int, bytes]:
        """How many changes there were, and the seal: no two states of a gallery have the same."""
        rows = db.execute("SELECT changes, sealed FROM seal").fetchall()
        if len(rows) != 1:
            raise GalleryError(f"{self.path} has no seal, or several: it was changed by something else")
        return rows[0][0], rows[0][1]

    def verify(self, db: sqlite3.Connection) -> int:
        """The count of changes.

        Raises:
            GalleryError: the rows are not those that were written under this key.
        """
        changes, sealed = self.state(db)
        if not secrets.compare_digest(self.open(sealed, f"seal {changes}"), _digest(db)):
            raise GalleryError(f"entries of {self.path} were changed by something else; put your copy of it back")
        return changes

    def _renew(self, db: sqlite3.Connection, changes: int) -> None:
        db.execute("DELETE FROM seal")
        db.execute("INSERT INTO seal VALUES (?, ?)", (changes, self.seal(_digest(db), f"seal {changes}")))

    def seal(self, content: bytes, owner: str) -> bytes:
        """`content`, encrypted and bound to `owner`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, owner.encode())

    def open(self, sealed: object, owner: str) -> bytes:
        """What `seal` was given.

        Raises:
            GalleryError: another key, another owner, or changed.
        """
        from cryptography.exceptions import InvalidTag

        try:
            if not isinstance(sealed, bytes) or len(sealed) < NONCE_BYTES:
                raise InvalidTag
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], owner.encode())
        except InvalidTag:
            raise GalleryError(f"an entry of {self.path} does not open with this key, or was changed") from None

    # ---- opening

    def _make(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            return
        except FileExistsError:
            pass
        # Another process may just be making it. What stays shorter than a page was cut off, and to SQLite it is a new
        # database: one that knows nobody.
        until = time.monotonic() + BUSY_S
        while self.path.stat().st_size < SMALLEST_BYTES:
            if time.monotonic() > until:
                raise GalleryError(f"{self.path} is empty; put your copy of it back, or delete it to begin a new one")
            time.sleep(0.02)

    def _prepare(self, db: sqlite3.Connection) -> None:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and "identities" not in tables:
            raise GalleryError(f"{self.path} is a database of something else, no gallery")
        _patiently(db, "PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            db.execute(statement)
        filled = db.execute("SELECT EXISTS (SELECT 1 FROM identities UNION ALL SELECT 1 FROM vectors)").fetchone()[0]
        if not filled and not db.execute("SELECT 1 FROM seal").fetchone():
            self._renew(db, 0)
        db.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        # mode=rw: a gallery that vanished while it is in use is an error, not an empty one.
        db = sqlite3.connect(f"file:{quote(str(self.path))}?mode=rw", uri=True, timeout=BUSY_S, isolation_level=None)
        # Deleted rows are overwritten with zeros.
        db.execute("PRAGMA secure_delete = ON")
        return db

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            raise GalleryError(f"{self.path} cannot {what}: {error}") from None


def _digest(db: sqlite3.Connection) -> bytes:
    h = hashlib.sha256()
    for row in db.execute("SELECT * FROM identities ORDER BY id"):
        h.update(repr(tuple(row)).encode())
    for row in db.execute("SELECT identity, embedder, vector FROM vectors ORDER BY rowid"):
        h.update(repr(tuple(row)).encode())
    return h.digest()


def _patiently(db: sqlite3.Connection, statement: str) -> None:
    """SQLite does not wait where two connections both want to change the journal mode: one of them has to give up."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            db.execute(statement)
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
        time.sleep(0.02)
