"""The gallery on disk: SQLite, vectors and labels encrypted with AES-256-GCM under a key of the keyring.

Faces are biometric data: only vectors are kept, never pictures; every consent can expire and be revoked, and revoking
deletes the vectors. Each vector knows the embedder that made it; vectors of different embedders are never compared.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import GalleryError
from guardrail.gallery.match import GalleryIndex

__all__ = ["Gallery", "GalleryStore", "Identity"]

ListName = Literal["protected", "consented"]
_SCHEMA = """
CREATE TABLE IF NOT EXISTS identities (
    id TEXT PRIMARY KEY, list TEXT NOT NULL CHECK (list IN ('protected', 'consented')),
    label BLOB NOT NULL, purposes TEXT NOT NULL, created TEXT NOT NULL, expires TEXT, revoked TEXT,
    key_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS vectors (
    identity TEXT NOT NULL REFERENCES identities (id), embedder TEXT NOT NULL, vector BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS vectors_by_embedder ON vectors (embedder);
CREATE TABLE IF NOT EXISTS state (changes INTEGER NOT NULL);
INSERT INTO state SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM state);
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known about an enrolled person, without any vector.

    Args:
        id: random, says nothing.
        list: ``protected`` or ``consented``.
        label: what the operator calls this entry; encrypted at rest, never recorded elsewhere.
        purposes: what the consent covers; empty means any purpose.
        created, expires, revoked: RFC 3339, UTC; empty where it does not apply.
        embedders: which embedders its vectors are for.
    """

    id: str
    list: ListName
    label: str
    purposes: tuple[str, ...]
    created: str
    expires: str
    revoked: str
    embedders: tuple[str, ...]

    def active(self, now: dt.datetime) -> bool:
        return not self.revoked and (not self.expires or dt.datetime.fromisoformat(self.expires) > now)


class GalleryStore(Protocol):
    """What the guard needs of a gallery; `Gallery` is the shipped one."""

    def enrol(
        self,
        vectors: NDArray[np.float32],
        *,
        embedder: str,
        list: ListName,
        label: str = "",
        purposes: Iterable[str] = (),
        expires: dt.datetime | None = None,
    ) -> Identity: ...
    def revoke(self, identity: str) -> Identity: ...
    def identities(self) -> Sequence[Identity]: ...
    def index(self, embedder: str) -> GalleryIndex: ...


class Gallery:
    """The shipped gallery.

    Args:
        path: the database file; its folder is made if need be.
        key: 32 bytes.
        key_id: name of that key, stored so that a wrong one is told from damage.

    Raises:
        GalleryError: the file is no gallery, cannot be opened, or was written under another key.
    """

    def __init__(self, path: Path, *, key: bytes, key_id: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.path = path
        self._cipher = AESGCM(key)
        self._key_id = key_id
        self._lock = threading.Lock()
        self._cache: dict[str, tuple[tuple[int, int], GalleryIndex]] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as db:
                db.execute("PRAGMA journal_mode=WAL")
                db.executescript(_SCHEMA)
                foreign = db.execute("SELECT key_id FROM identities WHERE key_id != ? LIMIT 1", (key_id,)).fetchone()
        except (sqlite3.Error, OSError) as error:
            raise GalleryError(f"{path} cannot be opened as a gallery: {error}") from None
        if foreign:
            raise GalleryError(f"{path} holds entries under key {foreign[0]}, the active key is {key_id}")

    def enrol(
        self,
        vectors: NDArray[np.float32],
        *,
        embedder: str,
        list: ListName,
        label: str = "",
        purposes: Iterable[str] = (),
        expires: dt.datetime | None = None,
    ) -> Identity:
        """Add an identity with one vector per picture.

        Raises:
            GalleryError: no vectors, vectors that are not finite, or the file cannot be written.
        """
        rows = np.atleast_2d(np.asarray(vectors, np.float32))
        if not rows.size or not np.isfinite(rows).all():
            raise GalleryError("there is no usable face vector to enrol")
        if expires is not None and expires.tzinfo is None:
            raise GalleryError("expires needs a time zone")
        name = secrets.token_hex(8)
        created = _now().isoformat(timespec="seconds")
        until = expires.astimezone(dt.UTC).isoformat(timespec="seconds") if expires else ""
        words = tuple(sorted(set(purposes)))
        with self._write() as db:
            row = (
                name,
                list,
                self._seal(label.encode(), name),
                json.dumps(words),
                created,
                until or None,
                self._key_id,
            )
            db.execute(
                "INSERT INTO identities (id, list, label, purposes, created, expires, key_id) VALUES (?,?,?,?,?,?,?)",
                row,
            )
            sealed = ((name, embedder, self._seal(v.astype("<f4").tobytes(), name)) for v in rows)
            db.executemany("INSERT INTO vectors VALUES (?, ?, ?)", sealed)
        return Identity(name, list, label, words, created, until, "", (embedder,))

    def revoke(self, identity: str) -> Identity:
        """Delete the vectors of an identity and keep the fact that it was revoked, and when.

        Raises:
            GalleryError: no such identity.
        """
        with self._write() as db:
            now = _now().isoformat(timespec="seconds")
            done = db.execute("UPDATE identities SET revoked = ? WHERE id = ? AND revoked IS NULL", (now, identity))
            if not done.rowcount and not db.execute("SELECT 1 FROM identities WHERE id = ?", (identity,)).fetchone():
                raise GalleryError(f"no identity {identity} in {self.path}")
            db.execute("DELETE FROM vectors WHERE identity = ?", (identity,))
        return next(i for i in self.identities() if i.id == identity)

    def identities(self) -> Sequence[Identity]:
        """All identities, revoked ones too, oldest first."""
        with closing(self._connect()) as db:
            rows = db.execute("SELECT * FROM identities ORDER BY created, id").fetchall()
            used: dict[str, list[str]] = {}
            for owner, embedder in db.execute("SELECT DISTINCT identity, embedder FROM vectors"):
                used.setdefault(owner, []).append(embedder)
        return tuple(
            Identity(
                r["id"],
                r["list"],
                self._open(r["label"], r["id"]).decode(),
                tuple(json.loads(r["purposes"])),
                r["created"],
                r["expires"] or "",
                r["revoked"] or "",
                tuple(sorted(used.get(r["id"], ()))),
            )
            for r in rows
        )

    def index(self, embedder: str) -> GalleryIndex:
        """The active vectors of `embedder`. Read again whenever the gallery changed, by whatever process, and whenever
        a consent ran out: a revocation holds at once."""
        now = _now()
        with self._lock, closing(self._connect()) as db:
            changes = db.execute("SELECT changes FROM state").fetchone()[0]
            # How many consents have run out so far changes exactly when one more does.
            over = db.execute(
                "SELECT COUNT(*) FROM identities WHERE expires <= ?", (now.isoformat(timespec="seconds"),)
            ).fetchone()[0]
            cached = self._cache.get(embedder)
            if cached is not None and cached[0] == (changes, over):
                return cached[1]
            index = self._read_index(db, embedder, now)
            self._cache[embedder] = ((changes, over), index)
            return index

    # ---- inner parts

    def _read_index(self, db: sqlite3.Connection, embedder: str, now: dt.datetime) -> GalleryIndex:
        identities: list[tuple[str, ListName, frozenset[str]]] = []
        position: dict[str, int] = {}
        vectors: list[NDArray[np.float32]] = []
        owners: list[int] = []
        query = (
            "SELECT i.id, i.list, i.purposes, v.vector FROM vectors v JOIN identities i ON i.id = v.identity "
            "WHERE v.embedder = ? AND i.revoked IS NULL AND (i.expires IS NULL OR i.expires > ?) ORDER BY v.rowid"
        )
        for name, kind, purposes, sealed in db.execute(query, (embedder, now.isoformat(timespec="seconds"))):
            if name not in position:
                position[name] = len(identities)
                identities.append((name, kind, frozenset(json.loads(purposes))))
            owners.append(position[name])
            vectors.append(np.frombuffer(self._open(sealed, name), "<f4").astype(np.float32))
        stacked = np.stack(vectors) if vectors else np.zeros((0, 1), np.float32)
        return GalleryIndex(stacked, np.array(owners, np.intp), identities)

    def _seal(self, content: bytes, owner: str) -> bytes:
        nonce = secrets.token_bytes(12)
        return nonce + self._cipher.encrypt(nonce, content, owner.encode())

    def _open(self, sealed: bytes, owner: str) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], owner.encode())
        except InvalidTag:
            raise GalleryError(f"an entry of {self.path} does not open with this key, or was changed") from None

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=5.0)
        db.row_factory = sqlite3.Row
        return db

    def _write(self) -> _Transaction:
        return _Transaction(self)


class _Transaction:
    """One write: committed as a whole or not at all, errors named."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._db = self._gallery._connect()
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise GalleryError(f"{self._gallery.path} cannot be written: {error}") from None
        return self._db

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        try:
            if kind is None:
                self._db.execute("UPDATE state SET changes = changes + 1")
                self._db.commit()
            else:
                self._db.rollback()
        finally:
            self._db.close()
        if isinstance(error, sqlite3.Error):
            raise GalleryError(f"{self._gallery.path} cannot be written: {error}") from None


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
