"""The file of a gallery: how it is opened, read and written, and how a change from outside is noticed.

Everything is encrypted, in blocks that one sealed manifest names (see `guardrail.gallery.sealed`). All of it is
verified when the gallery is opened; afterwards whatever is read, and whatever a write builds on. Nobody without the key
can add, change, move or take away anything unnoticed; the whole file gone, or an older copy of it in its place, is not
noticed.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from guardrail.errors import GalleryError
from guardrail.gallery.manifest import Manifest
from guardrail.gallery.sealed import FORMAT, NONCE_BYTES, TAG_BYTES, Change, State, View, opened, sealed_as

__all__ = ["GalleryFile"]

_SCHEMA = (
    """CREATE TABLE blocks (
    kind TEXT NOT NULL, number INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY (kind, number))""",
    "CREATE TABLE seal (format INTEGER NOT NULL, key_id TEXT NOT NULL, changes INTEGER NOT NULL, sealed BLOB NOT NULL)",
)
BUSY_S = 5.0
# The smallest page that SQLite has.
SMALLEST_BYTES = 512
# Blocks lie in chains of pages: fewer and larger pages are read faster.
PAGE_BYTES = 16384


class GalleryFile:
    """One gallery on disk.

    Args:
        path: the database; it and its folder are made if need be, readable by their owner only.
        keys: 32 bytes each, by name, the active one first: a gallery under one of the others is read and written under
            that, until it is put under the active one (see `Gallery.rekey`).

    Raises:
        GalleryError: no gallery, unreadable, changed from outside, or written under a key that is not here.
    """

    def __init__(self, path: Path, keys: Mapping[str, bytes]) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.path = path
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        self.active = next(iter(keys))
        with self._named("be opened as a gallery"):
            made = self._make()
            try:
                with closing(self._connect()) as db:
                    taken_over = self._prepare(db)
            except BaseException:
                # A full disk, say. A file without content would be refused for ever.
                if made:
                    self._take_back()
                raise
        if taken_over:
            self.compact()
        with self.reading() as view:
            view.verify()

    @contextmanager
    def reading(self) -> Iterator[View]:
        """One state of the gallery, whatever is written meanwhile. Each block is verified as it is read.

        Raises:
            GalleryError: unreadable, or changed by something else.
        """
        with self._named("be read"), closing(self._connect()) as db:
            db.execute("BEGIN")
            yield View(self.path, db, *self._manifest(db))

    @contextmanager
    def writing(self) -> Iterator[Change]:
        """One write: committed as a whole or not at all, and never on top of a block that somebody else changed."""
        with self._named("be written"), closing(self._connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            change = Change(self.path, db, *self._manifest(db))
            yield change
            change.finish()
            db.execute("COMMIT")

    def rekey(self) -> bool:
        """Put everything under the active key; False where it is."""
        with self.writing() as change:
            old = change.key_id
            # Under the active key already: everything is encrypted anew all the same, which costs a write only.
            change.rekey(self._ciphers[self.active], self.active)
        self.compact()
        return old != self.active

    def compact(self) -> None:
        """Take what was overwritten out of the write-ahead log too; what a reader still holds goes when it is done."""
        with self._named("be written"), closing(self._connect()) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def state(self) -> State:
        """Which state the gallery is in; read without being verified.

        Raises:
            GalleryError: unreadable, or no seal.
        """
        with self._named("be read"), closing(self._connect()) as db:
            return State(*self._seal_row(db, f"substr(sealed, 1, {NONCE_BYTES + TAG_BYTES})")[1:])

    def _seal_row(self, db: sqlite3.Connection, sealed: str = "sealed") -> tuple[int, str, int, bytes]:
        rows = db.execute(f"SELECT format, key_id, changes, {sealed} FROM seal").fetchall()  # noqa: S608 - ours
        if len(rows) != 1:
            raise GalleryError(f"{self.path} has no seal, or several: it was changed by something else")
        return rows[0]  # type: ignore[no-any-return]

    def _manifest(self, db: sqlite3.Connection) -> tuple[Any, str, Manifest, bytes]:
        written, key_id, changes, sealed = self._seal_row(db)
        if written != FORMAT:
            raise GalleryError(f"{self.path} has format {written}, this guardrail reads {FORMAT}; update it")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise GalleryError(f"{self.path} holds entries under key {key_id}, the active key is {self.active}")
        manifest = Manifest.decode(opened(self.path, cipher, sealed, sealed_as(key_id, changes)), changes)
        there = set(db.execute("SELECT kind, number FROM blocks"))
        if there != {(kind, number) for kind, of in manifest.blocks.items() for number in of}:
            raise GalleryError(f"parts of {self.path} were added or taken away by something else; put your copy back")
        return cipher, key_id, manifest, sealed[: NONCE_BYTES + TAG_BYTES]

    # ---- opening

    def _make(self) -> bool:
        """Whether the file was made just now; one that was there and is too short is refused."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            return True
        except FileExistsError:
            pass
        # Another process may just be making it. What stays shorter than a page was cut off, and to SQLite it is a new
        # database: one that knows nobody.
        until = time.monotonic() + BUSY_S
        while self.path.stat().st_size < SMALLEST_BYTES:
            if time.monotonic() > until:
                what = "is no gallery" if self.path.stat().st_size else "is empty"
                raise GalleryError(f"{self.path} {what}; put your copy of it back, or delete it to begin a new one")
            time.sleep(0.02)
        return False

    def _take_back(self) -> None:
        """Delete what was made and could not be filled, unless another process has filled it meanwhile."""
        with suppress(OSError, sqlite3.Error, GalleryError):
            with closing(self._connect()) as db:
                # Holds off whoever is about to fill it.
                db.execute("BEGIN IMMEDIATE")
                if self._refuse_others(db):
                    return
                self.path.unlink()
            for suffix in ("-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _prepare(self, db: sqlite3.Connection) -> bool:
        """Make the tables of a new gallery; whether an older format was taken over."""
        self._refuse_others(db)
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        _patiently(db, "PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        tables = self._refuse_others(db)
        if "vectors" in tables:
            from guardrail.gallery.upgrade import upgrade

            upgrade(self.path, db, self._ciphers, self._begin)
        elif not tables:
            self._begin(db, self.active).finish()
        db.execute("COMMIT")
        return "vectors" in tables

    def _begin(self, db: sqlite3.Connection, key_id: str) -> Change:
        """An empty gallery."""
        for statement in _SCHEMA:
            db.execute(statement)
        return Change(self.path, db, self._ciphers[key_id], key_id, Manifest(secrets.token_hex(16)))

    def _refuse_others(self, db: sqlite3.Connection) -> set[str]:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and not tables & {"blocks", "identities"}:
            raise GalleryError(f"{self.path} is a database of something else, no gallery")
        return tables

    def _connect(self) -> sqlite3.Connection:
        # mode=rw: a gallery that vanished while it is in use is an error, not an empty one.
        db = sqlite3.connect(f"file:{quote(str(self.path))}?mode=rw", uri=True, timeout=BUSY_S, isolation_level=None)
        # What was deleted is overwritten with zeros; what was committed is on the disk, also after the power failed.
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA synchronous = FULL")
        return db

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            raise GalleryError(f"{self.path} cannot {what}: {error}") from None


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
