"""A gallery in one encrypted file, to keep or to carry to another machine: no pickle, no names in the clear.

Layout: a magic line, the length of a JSON header, the header (how the key is made), then chunks. Each chunk is
encrypted with AES-256-GCM under a key that only this file has, bound to the header and to its number, so that none can
be changed, moved or left out; the last one says that it is the last. Where the key comes from: see
`guardrail.gallery.lock`.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from guardrail.drafts import draft_of
from guardrail.errors import GalleryError
from guardrail.gallery import people, vectors
from guardrail.gallery.identity import usable
from guardrail.gallery.lock import MAGIC, Lock, read_header
from guardrail.gallery.sealed import Change, View

__all__ = ["Imported", "read_export", "write_export"]

NONCE_BYTES = 12
TAG_BYTES = 16
# Sealed. More than a reader should hold in memory at once comes from no writer of ours.
LARGEST_CHUNK = 2**26


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, in identities.

    Args:
        added: new ones.
        known: those whose id was here already; they stay as they are.
        revoked: those of them that the export knows as revoked, and that are revoked here now.
    """

    added: int
    known: int
    revoked: int


def write_export(view: View, out: Path, lock: Lock) -> int:
    """Write everything into a new file that only its owner can read; how many identities there are.

    Raises:
        GalleryError: the file is there already or cannot be written, an entry is too large for an export, or the
            gallery was changed by something else.
    """
    count = pieces = 0
    with _new_file(out) as file:
        header = json.dumps(lock.header()).encode()
        file.write(MAGIC + len(header).to_bytes(4, "little") + header)
        cipher, bound = lock.cipher(json.loads(header)), hashlib.sha256(header).hexdigest()
        for content, found in _contents(view):
            _write_chunk(file, cipher, bound, pieces, content)
            count, pieces = count + found, pieces + 1
        _write_chunk(file, cipher, bound, pieces, _chunk({"end": count}))
    return count


def read_export(change: Change, source: Path, lock: Lock, now: int) -> Imported:
    """Take in what an export holds. Ids that are here already stay as they are, except that a revocation holds in both.

    Raises:
        GalleryError: no export, damaged, cut off, locked otherwise, or vectors of another length than those here.
    """
    with _reading(source, lock) as chunks:
        return _take_in(change, chunks, now)


def require_export(source: Path, lock: Lock) -> None:
    """Reads an export to its end, and takes nothing in.

    Raises:
        GalleryError: no export, damaged, cut off, or locked otherwise.
    """
    with _reading(source, lock) as chunks:
        for _ in chunks:
            pass


@contextmanager
def _reading(source: Path, lock: Lock) -> Iterator[Iterator[tuple[dict[str, Any], bytes]]]:
    try:
        with source.open("rb") as file:
            yield _chunks(file, lock, source)
    except OSError as error:
        raise GalleryError(f"{source} cannot be read: {error.strerror or type(error).__name__}") from None
    except (ValueError, KeyError, TypeError, IndexError):
        raise GalleryError(f"{source} is no export of a gallery, or was cut off") from None


def _contents(view: View) -> Iterator[tuple[bytes, int]]:
    for number, block in people.blocks(view):
        notes = people.details(view, number)
        persons = [block.person(i, notes) for i in range(len(block.rows))]
        rows = [[p.columns[name].item() for name in _COLUMNS] + [p.purposes, p.details] for p in persons]
        yield from _people_chunks(rows)
    for name, embedding in view.manifest.embedders.items():
        for number, owners in vectors.owners_of(view, embedding):
            matrix = vectors.read(view, embedding, number)
            yield _chunk({"vectors": name, "rows": len(owners)}, owners.tobytes() + matrix.tobytes()), 0


_COLUMNS = ("id", "created", "expires", "revoked", "protected")


def _people_chunks(rows: list[Any]) -> Iterator[tuple[bytes, int]]:
    """As few as hold them: many renewals and long labels of a block's people can be more than one."""
    content = _chunk({"people": rows})
    if len(rows) < 2 or len(content) <= LARGEST_CHUNK - NONCE_BYTES - TAG_BYTES:
        yield content, len(rows)
        return
    half = len(rows) // 2
    yield from _people_chunks(rows[:half])
    yield from _people_chunks(rows[half:])


def _take_in(change: Change, chunks: Iterator[tuple[dict[str, Any], bytes]], now: int) -> Imported:
    added: set[int] = set()
    known = revoked = 0
    for header, content in chunks:
        if "people" in header:
            persons = [_person(row) for row in header["people"]]
            here = people.find(change, [int(p.columns["id"]) for p in persons])
            new = [p for p in persons if int(p.columns["id"]) not in here]
            people.add(change, new)
            added |= {int(p.columns["id"]) for p in new}
            known += len(persons) - len(new)
            ended = [int(p.columns["id"]) for p in persons if p.columns["revoked"] and int(p.columns["id"]) in here]
            revoked += _revoke(change, ended, now)
        elif "vectors" in header:
            rows = header["rows"]
            owners = np.frombuffer(content, "<u8", rows)
            matrix = np.frombuffer(content, "<f4", offset=owners.nbytes).reshape(rows, -1)
            new_rows = np.array([int(owner) in added for owner in owners], np.bool_)
            if new_rows.any():
                vectors.append(change, header["vectors"], owners[new_rows], usable(matrix[new_rows]))
    return Imported(len(added), known, revoked)


def _person(row: list[Any]) -> people.Person:
    columns = np.zeros((), people.PEOPLE)
    for name, value in zip(_COLUMNS, row, strict=False):
        columns[name] = value
    return people.Person(columns, tuple(row[-2]), row[-1])


def _revoke(change: Change, ids: Sequence[int], now: int) -> int:
    count = 0
    for identity in ids:
        found = people.one(change, identity)
        if found is not None and not found[1].columns["revoked"]:
            found[1].columns["revoked"] = now
            people.replace(change, *found)
            vectors.remove(change, identity)
            count += 1
    return count


def _chunk(header: dict[str, Any], content: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(4, "little") + text + content


def _write_chunk(file: IO[bytes], cipher: Any, bound: str, number: int, content: bytes) -> None:
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = nonce + cipher.encrypt(nonce, content, f"{bound} {number}".encode())
    if len(sealed) > LARGEST_CHUNK:
        raise GalleryError("an entry of this gallery is too large for an export: delete it, and enrol the person anew")
    file.write(len(sealed).to_bytes(4, "little") + sealed)


def _chunks(file: IO[bytes], lock: Lock, source: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    from cryptography.exceptions import InvalidTag

    header = read_header(file)
    cipher, bound = lock.cipher(json.loads(header)), hashlib.sha256(header).hexdigest()
    number = 0
    while True:
        sealed = _exactly(file)
        try:
            content = cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], f"{bound} {number}".encode())
        except InvalidTag:
            raise GalleryError(f"{source} does not open with this passphrase or key, or was changed") from None
        end = 4 + int.from_bytes(content[:4], "little")
        found = json.loads(content[4:end])
        if "end" in found:
            if file.read(1):
                raise ValueError
            return
        yield found, content[end:]
        number += 1


def _exactly(file: IO[bytes]) -> bytes:
    """A piece with its length in front."""
    length = int.from_bytes(file.read(4), "little")
    if not NONCE_BYTES <= length <= LARGEST_CHUNK:
        raise ValueError
    piece = file.read(length)
    if len(piece) != length:
        raise ValueError
    return piece


@contextmanager
def _new_file(out: Path) -> Iterator[IO[bytes]]:
    """A file that is there as a whole or not at all."""
    try:
        if out.exists():
            raise GalleryError(f"{out} is there already; name another file")
        with draft_of(out) as draft:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.rename(out)
    except OSError as error:
        raise GalleryError(f"{out} cannot be written: {error.strerror or type(error).__name__}") from None
