"""One state of a gallery, block by block: what is read is verified, what is written is sealed.

Blocks are encrypted with AES-256-GCM (NIST SP 800-38D), each bound to its place and version, and one sealed manifest
names them all (see `guardrail.gallery.manifest`).
"""

from __future__ import annotations

import secrets
import sqlite3
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from guardrail.errors import GalleryError
from guardrail.gallery.manifest import Manifest

__all__ = [
    "BLOCK_ROWS",
    "DRAWN",
    "FORMAT",
    "NONCE_BYTES",
    "TAG_BYTES",
    "Change",
    "State",
    "View",
    "opened",
    "sealed_as",
]

FORMAT = 2
# Half a megabyte of 128 numbers a row: what one enrolment writes anew. A thousand blocks hold a million rows.
BLOCK_ROWS = 1024
NONCE_BYTES = 12
TAG_BYTES = 16
# Versions from here on were drawn at random; lower ones are counts of changes, as they were written before.
DRAWN = 2**62


class State(NamedTuple):
    """Names one state of a gallery: no two have the same."""

    key_id: str
    changes: int
    stamp: bytes


class View:
    """One state of the gallery, as it stood when this was made."""

    def __init__(
        self, path: Path, db: sqlite3.Connection, cipher: Any, key_id: str, manifest: Manifest, stamp: bytes = b""
    ) -> None:
        self._path = path
        self._db = db
        self._cipher = cipher
        self.key_id = key_id
        self.manifest = manifest
        self.state = State(key_id, manifest.changes, stamp)

    def get(self, kind: str, number: int) -> bytes:
        """The content of a block.

        Raises:
            GalleryError: it is not what was written there last under this key.
        """
        entry = self.manifest.of(kind).get(number)
        row = self._db.execute("SELECT content FROM blocks WHERE kind = ? AND number = ?", (kind, number)).fetchone()
        if entry is None or row is None:
            raise GalleryError(f"a part of {self._path} is missing; put your copy of it back")
        return opened(self._path, self._cipher, row[0], _place(self.manifest.gallery, kind, number, entry[0]))

    def verify(self) -> None:
        """Look at every block.

        Raises:
            GalleryError: one is not what was written there last under this key.
        """
        for kind, blocks in self.manifest.blocks.items():
            for number in blocks:
                self.get(kind, number)


class Change(View):
    """A write that goes on: what it reads is what it wrote so far."""

    @cached_property
    def version(self) -> int:
        """Of the blocks that this change writes. Not a count: after a copy was put back the next change would have the
        count of one that is known, and a block of either history would pass for that of the other."""
        return DRAWN + secrets.randbelow(DRAWN)

    def put(self, kind: str, number: int, content: bytes, rows: int) -> None:
        """Write a block anew, or another one."""
        sealed = _seal(self._cipher, content, _place(self.manifest.gallery, kind, number, self.version))
        self._db.execute("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)", (kind, number, sealed))
        self.manifest.blocks.setdefault(kind, {})[number] = (self.version, rows)

    def drop(self, kind: str, number: int) -> None:
        self._db.execute("DELETE FROM blocks WHERE kind = ? AND number = ?", (kind, number))
        self.manifest.blocks[kind].pop(number)

    def rekey(self, cipher: Any, key_id: str) -> None:
        """Encrypt every block again, under another key."""
        before = View(self._path, self._db, self._cipher, self.key_id, self.manifest)
        for kind, blocks in self.manifest.blocks.items():
            for number, (_, rows) in list(blocks.items()):
                content = before.get(kind, number)
                self._cipher = cipher
                self.put(kind, number, content, rows)
        self._cipher, self.key_id = cipher, key_id

    def finish(self) -> None:
        """Seal what was written."""
        changes = self.manifest.changes + 1
        sealed = _seal(self._cipher, self.manifest.encode(), sealed_as(self.key_id, changes))
        self._db.execute("DELETE FROM seal")
        self._db.execute("INSERT INTO seal VALUES (?, ?, ?, ?)", (FORMAT, self.key_id, changes, sealed))


def _place(gallery: str, kind: str, number: int, version: int) -> bytes:
    return f"guardrail gallery {FORMAT} {gallery} {kind} {number} {version}".encode()


def sealed_as(key_id: str, changes: int) -> bytes:
    """The place of the manifest."""
    return f"guardrail gallery {FORMAT} seal {key_id} {changes}".encode()


def _seal(cipher: Any, content: bytes, place: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + bytes(cipher.encrypt(nonce, content, place))


def opened(path: Path, cipher: Any, sealed: object, place: bytes) -> bytes:
    """What was sealed for this place.

    Raises:
        GalleryError: it was not, or not under this key.
    """
    from cryptography.exceptions import InvalidTag

    try:
        if not isinstance(sealed, bytes) or len(sealed) < NONCE_BYTES + TAG_BYTES:
            raise InvalidTag
        view = memoryview(sealed)
        return bytes(cipher.decrypt(view[:NONCE_BYTES], view[NONCE_BYTES:], place))
    except InvalidTag:
        raise GalleryError(
            f"a part of {path} does not open with this key, or was changed by something else; put your copy of it back"
        ) from None
