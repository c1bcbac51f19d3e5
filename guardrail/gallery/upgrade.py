"""Galleries of format 1: one row a vector, in the clear who is on which list, one seal over the SHA-256 of all rows."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from guardrail.errors import GalleryError
from guardrail.gallery import people, vectors
from guardrail.gallery.sealed import NONCE_BYTES, Change

__all__ = ["upgrade"]


def upgrade(
    path: Path,
    db: sqlite3.Connection,
    ciphers: Mapping[str, Any],
    begin: Callable[[sqlite3.Connection, str], Change],
) -> None:
    """Write a gallery of format 1 anew in the format of today, within the transaction of `db`.

    Raises:
        GalleryError: it was written under a key that is not here, or changed by something else.
    """
    named = {key for (key,) in db.execute("SELECT DISTINCT key_id FROM identities")}
    if len(named) > 1 or not named <= set(ciphers):
        raise GalleryError(f"{path} holds entries under key {', '.join(sorted(named))}, which is not on the ring")
    key_id = named.pop() if named else next(iter(ciphers))
    cipher = ciphers[key_id]
    seals = db.execute("SELECT changes, sealed FROM seal").fetchall()
    digest = _digest(db)
    if len(seals) != 1 or not secrets.compare_digest(_open(path, cipher, seals[0][1], f"seal {seals[0][0]}"), digest):
        raise GalleryError(f"entries of {path} were changed by something else; put your copy of it back")
    identities = db.execute(
        "SELECT id, list, label, purposes, created, expires, revoked FROM identities ORDER BY created, id"
    ).fetchall()
    faces = db.execute("SELECT identity, embedder, vector FROM vectors ORDER BY rowid").fetchall()
    for table in ("vectors", "identities", "seal"):
        db.execute(f"DROP TABLE {table}")
    change = begin(db, key_id)
    people.add(change, [_person(path, cipher, row) for row in identities])
    for embedder in sorted({row[1] for row in faces}):
        rows = [row for row in faces if row[1] == embedder]
        owners = np.array([int(owner, 16) for owner, _, _ in rows], np.uint64)
        opened = [np.frombuffer(_open(path, cipher, sealed, owner), "<f4") for owner, _, sealed in rows]
        vectors.append(change, embedder, owners, np.stack(opened))
    change.finish()


def _person(path: Path, cipher: Any, row: tuple[Any, ...]) -> people.Person:
    name, kind, label, purposes, created, expires, revoked = row
    columns = np.zeros((), people.PEOPLE)
    columns["id"] = int(name, 16)
    columns["protected"] = kind == "protected"
    for column, moment in (("created", created), ("expires", expires), ("revoked", revoked)):
        columns[column] = int(dt.datetime.fromisoformat(moment).timestamp()) if moment else 0
    details = {"label": _open(path, cipher, label, name).decode(), "attested": [{"at": created, "what": "enrolled"}]}
    return people.Person(columns, tuple(json.loads(purposes)), details)


def _digest(db: sqlite3.Connection) -> bytes:
    h = hashlib.sha256()
    for row in db.execute("SELECT * FROM identities ORDER BY id"):
        h.update(repr(tuple(row)).encode())
    for row in db.execute("SELECT identity, embedder, vector FROM vectors ORDER BY rowid"):
        h.update(repr(tuple(row)).encode())
    return h.digest()


def _open(path: Path, cipher: Any, sealed: Any, owner: str) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        if not isinstance(sealed, bytes) or len(sealed) < NONCE_BYTES:
            raise InvalidTag
        return bytes(cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], owner.encode()))
    except InvalidTag:
        raise GalleryError(f"an entry of {path} does not open with this key, or was changed") from None
