"""The gallery on disk: SQLite, vectors and labels encrypted with AES-256-GCM under a key of the keyring.

Faces are biometric data: only vectors are kept, never pictures; every consent can expire and be revoked, and revoking
deletes the vectors. A change that did not come through here is an error (see `guardrail.gallery.file`), never an empty
answer. Each vector knows the embedder that made it; vectors of different embedders are never compared.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import GalleryError
from guardrail.gallery.file import GalleryFile
from guardrail.gallery.match import GalleryIndex

__all__ = ["Gallery", "GalleryStore", "Identity"]

ListName = Literal["protected", "consented"]


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
        GalleryError: the file is no gallery, cannot be opened, was changed by something else, or was written under
            another key.
    """

    def __init__(self, path: Path, *, key: bytes, key_id: str) -> None:
        self.path = path
        self._file = GalleryFile(path, key=key, key_id=key_id)
        self._key_id = key_id
        self._lock = threading.Lock()
        self._cache: dict[str, tuple[tuple[int, bytes, int], GalleryIndex]] = {}

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
            GalleryError: no vectors, vectors that say nothing (not finite, zero) or are of another length than those
                of the same embedder, an empty purpose, an `expires` that is over or has no time zone, or the file
                cannot be written.
        """
        rows = _usable(vectors)
        words = _words(purposes)
        until = _until(expires)
        name = secrets.token_hex(8)
        created = _second(_now())
        with self._file.writing() as db:
            known = db.execute(
                "SELECT identity, vector FROM vectors WHERE embedder = ? LIMIT 1", (embedder,)
            ).fetchone()
            if known and len(self._file.open(known[1], known[0])) != rows[0].nbytes:
                raise GalleryError(f"the vectors of {embedder} in {self.path} have another length than these")
            row = (
                name,
                list,
                self._file.seal(label.encode(), name),
                json.dumps(words),
                created,
                until or None,
                self._key_id,
            )
            db.execute(
                "INSERT INTO identities (id, list, label, purposes, created, expires, key_id) VALUES (?,?,?,?,?,?,?)",
                row,
            )
            sealed = ((name, embedder, self._file.seal(v.tobytes(), name)) for v in rows)
            db.executemany("INSERT INTO vectors VALUES (?, ?, ?)", sealed)
        return Identity(name, list, label, words, created, until, "", (embedder,))

    def revoke(self, identity: str) -> Identity:
        """Delete the vectors of an identity and keep the fact that it was revoked, and when.

        Raises:
            GalleryError: no such identity.
        """
        with self._file.writing() as db:
            done = db.execute(
                "UPDATE identities SET revoked = ? WHERE id = ? AND revoked IS NULL", (_second(_now()), identity)
            )
            if not done.rowcount and not db.execute("SELECT 1 FROM identities WHERE id = ?", (identity,)).fetchone():
                raise GalleryError(f"no identity {identity} in {self.path}")
            db.execute("DELETE FROM vectors WHERE identity = ?", (identity,))
        self._file.compact()
        return next(i for i in self.identities() if i.id == identity)

    def identities(self) -> Sequence[Identity]:
        """All identities, revoked ones too, oldest first.

        Raises:
            GalleryError: the file cannot be read, or was changed by something else.
        """
        with self._file.reading() as db:
            self._file.verify(db)
            rows = db.execute(
                "SELECT id, list, label, purposes, created, expires, revoked FROM identities ORDER BY created, id"
            ).fetchall()
            used: dict[str, list[str]] = {}
            for owner, embedder in db.execute("SELECT DISTINCT identity, embedder FROM vectors"):
                used.setdefault(owner, []).append(embedder)
        return tuple(
            Identity(
                name,
                kind,
                self._file.open(label, name).decode(),
                tuple(json.loads(purposes)),
                created,
                expires or "",
                revoked or "",
                tuple(sorted(used.get(name, ()))),
            )
            for name, kind, label, purposes, created, expires, revoked in rows
        )

    def index(self, embedder: str) -> GalleryIndex:
        """The active vectors of `embedder`. Read again whenever the gallery changed, by whatever process, and whenever
        a consent ran out: a revocation holds at once.

        Raises:
            GalleryError: the file cannot be read, or was changed by something else.
        """
        now = _second(_now())
        with self._lock, self._file.reading() as db:
            # How many consents have run out so far changes exactly when one more does.
            over = db.execute("SELECT COUNT(*) FROM identities WHERE expires <= ?", (now,)).fetchone()[0]
            state = (*self._file.state(db), over)
            cached = self._cache.get(embedder)
            if cached is not None and cached[0] == state:
                return cached[1]
            self._file.verify(db)
            index = self._read_index(db, embedder, now)
            self._cache[embedder] = (state, index)
            return index

    def _read_index(self, db: sqlite3.Connection, embedder: str, now: str) -> GalleryIndex:
        identities: list[tuple[str, ListName, frozenset[str]]] = []
        position: dict[str, int] = {}
        vectors: list[NDArray[np.float32]] = []
        owners: list[int] = []
        query = (
            "SELECT i.id, i.list, i.purposes, v.vector FROM vectors v JOIN identities i ON i.id = v.identity "
            "WHERE v.embedder = ? AND i.revoked IS NULL AND (i.expires IS NULL OR i.expires > ?) ORDER BY v.rowid"
        )
        for name, kind, purposes, sealed in db.execute(query, (embedder, now)):
            if name not in position:
                position[name] = len(identities)
                identities.append((name, kind, frozenset(json.loads(purposes))))
            owners.append(position[name])
            vectors.append(np.frombuffer(self._file.open(sealed, name), "<f4").astype(np.float32))
        stacked = np.stack(vectors) if vectors else np.zeros((0, 1), np.float32)
        return GalleryIndex(stacked, np.array(owners, np.intp), identities)


def _usable(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """One row per picture. A vector of zeros lies at the same distance from everybody, NaN at none at all."""
    with np.errstate(over="ignore"):
        rows = np.atleast_2d(np.asarray(vectors, "<f4"))
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all() or not rows.any(axis=1).all():
        raise GalleryError("there is no usable face vector to enrol")
    return rows


def _words(purposes: Iterable[str]) -> tuple[str, ...]:
    """An empty word would cover every request that names no purpose; a bare word would become its letters."""
    words = (purposes,) if isinstance(purposes, str) else tuple(purposes)
    if isinstance(purposes, str) or not all(isinstance(w, str) and w.strip() for w in words):
        raise GalleryError("purposes are a list of words, none of them empty; no purposes at all means any")
    return tuple(sorted(set(words)))


def _until(expires: dt.datetime | None) -> str:
    if expires is None:
        return ""
    if expires.tzinfo is None:
        raise GalleryError("expires needs a time zone")
    if expires <= _now():
        raise GalleryError("expires is in the past: the entry would never hold")
    return _second(expires.astimezone(dt.UTC))


def _second(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
