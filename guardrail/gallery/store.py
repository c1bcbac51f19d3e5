"""The gallery on disk: SQLite, everything in it encrypted with AES-256-GCM under a key of the keyring.

Faces are biometric data: only vectors are kept, never pictures; every consent can expire and be revoked, and revoking
deletes the vectors. A change that did not come through here is an error (see `guardrail.gallery.file`), never an empty
answer. Each vector knows the embedder that made it; vectors of different embedders are never compared.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import GalleryError
from guardrail.gallery import people, vectors
from guardrail.gallery.file import GalleryFile
from guardrail.gallery.identity import Entry, Identity, ListName, attestation, identity_of, until, usable, words
from guardrail.gallery.indexes import Indexes
from guardrail.gallery.lock import Lock
from guardrail.gallery.match import GalleryIndex
from guardrail.gallery.portable import Imported, read_export, write_export
from guardrail.gallery.sealed import Change, View
from guardrail.gallery.statistics import Statistics, count, uncovered

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Gallery"]


class Gallery:
    """The shipped gallery.

    Args:
        path: the database file; its folder is made if need be.
        key: 32 bytes, the active key.
        key_id: name of that key, stored so that a wrong one is told from damage.
        older: former keys by name: a gallery under one of them opens, and `rekey` puts it under the active one.

    Raises:
        GalleryError: the file is no gallery, cannot be opened, was changed by something else, or was written under a
            key that is not given.
    """

    def __init__(self, path: Path, *, key: bytes, key_id: str, older: Mapping[str, bytes] | None = None) -> None:
        self.path = path
        self._file = GalleryFile(path, {key_id: key, **{k: v for k, v in (older or {}).items() if k != key_id}})
        self._indexes = Indexes(self._file)

    # ---- who is in it

    def enrol(
        self,
        vectors: NDArray[np.float32],
        *,
        embedder: str,
        list: ListName,
        label: str = "",
        purposes: Iterable[str] = (),
        expires: dt.datetime | None = None,
        evidence: str = "",
        attested_by: str = "",
        check: Callable[[GalleryIndex], None] | None = None,
    ) -> Identity:
        """Add an identity with one vector per picture.

        Args:
            check: see `enrol_many`.

        Raises:
            GalleryError: no vectors, vectors that say nothing (not finite, zero) or are of another length than those
                of the same embedder, an empty purpose, a text of more than 4,096 characters, an `expires` that is over
                or has no time zone, or the file cannot be written.
        """
        entry = Entry(vectors, list, label, purposes, expires, evidence, attested_by)
        return self.enrol_many([entry], embedder=embedder, check=check)[0]

    def enrol_many(
        self, entries: Sequence[Entry], *, embedder: str, check: Callable[[GalleryIndex], None] | None = None
    ) -> tuple[Identity, ...]:
        """Add several identities in one write: all of them, or none.

        Args:
            check: called with the index of this embedder as it stands within the write, before anything is added;
                what it raises leaves everything as it was, and nobody writes between the two. It cannot write itself.

        Raises:
            GalleryError: as `enrol`.
        """
        now = _now()
        matrices = [usable(entry.vectors) for entry in entries]
        persons = [entry.person(now) for entry in entries]
        if len({m.shape[1] for m in matrices}) > 1:
            raise GalleryError("the vectors to enrol are of different lengths")
        if not entries:
            return ()
        owners = np.repeat(np.array([p.columns["id"] for p in persons], np.uint64), [len(m) for m in matrices])
        with self._file.writing() as change:
            if check is not None:
                check(self._indexes.of(change, embedder, int(now.timestamp())))
            people.add(change, persons)
            vectors.append(change, embedder, owners, np.concatenate(matrices))
        return tuple(identity_of(person, (embedder,)) for person in persons)

    def add_pictures(
        self,
        identity: str,
        more: NDArray[np.float32],
        *,
        embedder: str,
        evidence: str = "",
        attested_by: str = "",
        check: Callable[[GalleryIndex], None] | None = None,
    ) -> Identity:
        """Add vectors of one more picture each to an identity, of an embedder that it had or of another one.

        Args:
            check: see `enrol_many`.

        Raises:
            GalleryError: no such identity, a revoked one, or as `enrol`.
        """
        rows, now = usable(more), _now()
        with self._changing(identity, "pictures", now, attested_by, evidence) as (change, number, _):
            if check is not None:
                check(self._indexes.of(change, embedder, int(now.timestamp())))
            vectors.append(change, embedder, np.full(len(rows), number, np.uint64), rows)
        return self.identity(identity)

    def renew(
        self,
        identity: str,
        *,
        expires: dt.datetime | None,
        purposes: Iterable[str] | None = None,
        evidence: str = "",
        attested_by: str = "",
    ) -> Identity:
        """Give an entry a new end, and new purposes if any are given; also where it had expired.

        Args:
            expires: ``None`` for no end.
            purposes: ``None`` leaves them; an empty list means any.

        Raises:
            GalleryError: no such identity, a revoked one, an empty purpose, or an `expires` that would not hold.
        """
        now = _now()
        end = until(expires, now)
        covered = None if purposes is None else words(purposes)
        with self._changing(identity, "renewed", now, attested_by, evidence) as (_, _, person):
            person.columns["expires"] = end
            if covered is not None:
                person.purposes = covered
        return self.identity(identity)

    def revoke(self, identity: str, *, attested_by: str = "", evidence: str = "") -> Identity:
        """Delete the vectors of an identity and keep the fact that it was revoked, and when.

        Raises:
            GalleryError: no such identity.
        """
        number, now = _number(identity, self.path), _now()
        note = attestation("revoked", now, attested_by, evidence)
        with self._file.writing() as change:
            place, person = self._found(change, number)
            if not person.columns["revoked"]:
                person.columns["revoked"] = int(now.timestamp())
                person.details["attested"].append(note)
                people.replace(change, place, person)
            vectors.remove(change, number)
        self._file.compact()
        return self.identity(identity)

    def delete(self, identity: str) -> None:
        """Delete an identity with all that is known of it, also that it was ever here.

        Raises:
            GalleryError: no such identity.
        """
        number = _number(identity, self.path)
        with self._file.writing() as change:
            people.remove(change, self._found(change, number)[0])
            vectors.remove(change, number)
        self._file.compact()

    def identity(self, identity: str) -> Identity:
        """One identity.

        Raises:
            GalleryError: no such identity, or the file cannot be read or was changed by something else.
        """
        number = _number(identity, self.path)
        with self._file.reading() as view:
            _, person = self._found(view, number)
            return identity_of(person, vectors.embedders_of(view, {number}).get(number, ()))

    def identities(self) -> Sequence[Identity]:
        """All identities, revoked ones too, oldest first.

        Raises:
            GalleryError: the file cannot be read, or was changed by something else.
        """
        with self._file.reading() as view:
            used = vectors.embedders_of(view)
            found = [
                identity_of(person, used.get(int(person.columns["id"]), ()))
                for number, block in people.blocks(view)
                for notes in (people.details(view, number),)
                for person in (block.person(i, notes) for i in range(len(block.rows)))
            ]
        return tuple(sorted(found, key=lambda i: (i.created, i.id)))

    def vectors(self, identity: str, embedder: str) -> NDArray[np.float32]:
        """The vectors of one identity, (pictures, dimension) float32; none where it has none of this embedder.

        Raises:
            GalleryError: the file cannot be read, or was changed by something else.
        """
        with self._file.reading() as view:
            return vectors.of_identity(view, embedder, _number(identity, self.path))

    # ---- search

    def index(self, embedder: str) -> GalleryIndex:
        """The active vectors of `embedder`. Read again whenever the gallery changed, by whatever process, and whenever
        a consent ran out: a revocation holds at once.

        Raises:
            GalleryError: the file cannot be read, or was changed by something else.
        """
        return self._indexes.latest(embedder, int(_now().timestamp()))

    def uncovered(self, embedder: str) -> int:
        """How many active protected identities have no vector of this embedder: a guard with it does not know them.
        The same as `GalleryIndex.uncovered`, without reading a vector.

        Raises:
            GalleryError: the file cannot be read, or was changed by something else.
        """
        with self._file.reading() as view:
            return uncovered(view, embedder, int(_now().timestamp()))

    # ---- the whole

    def rekey(self) -> bool:
        """Encrypt everything anew under the active key; whether it was under another one.

        Raises:
            GalleryError: the file cannot be written, or was changed by something else.
        """
        return self._file.rekey()

    def export(self, out: Path, lock: Lock) -> int:
        """Write everything into one encrypted file; how many identities that are.

        Raises:
            GalleryError: the file is there already or cannot be written, or the gallery was changed by something else.
        """
        with self._file.reading() as view:
            return write_export(view, out, lock)

    def take_in(self, source: Path, lock: Lock) -> Imported:
        """Add what an export holds: all of it, or nothing. What is here stays; what the export knows as revoked is
        revoked here too.

        Raises:
            GalleryError: no export, damaged, cut off, locked otherwise, or vectors of another length than those here.
        """
        with self._file.writing() as change:
            done = read_export(change, source, lock, int(_now().timestamp()))
        self._file.compact()
        return done

    def statistics(self) -> Statistics:
        """Counts, without anybody's name."""
        with self._file.reading() as view:
            return count(view, self.path, self._file.active, int(_now().timestamp()))

    @contextmanager
    def _changing(
        self, identity: str, what: str, now: dt.datetime, by: str, evidence: str
    ) -> Iterator[tuple[Change, int, people.Person]]:
        """One identity to change, with a note of who attests it; refused where it was revoked."""
        number = _number(identity, self.path)
        note = attestation(what, now, by, evidence)
        with self._file.writing() as change:
            place, person = self._found(change, number)
            if person.columns["revoked"]:
                raise GalleryError(f"{identity} was revoked and its vectors are gone; enrol the person anew")
            person.details["attested"].append(note)
            yield change, number, person
            people.replace(change, place, person)

    def _found(self, view: View, number: int) -> tuple[tuple[int, int], people.Person]:
        found = people.one(view, number)
        if found is None:
            raise GalleryError(f"no identity {number:016x} in {self.path}")
        return found


def _number(identity: str, path: Path) -> int:
    """An id is 16 hex digits in the lower case."""
    if len(identity) == 16 and not set(identity) - set("0123456789abcdef"):
        return int(identity, 16)
    raise GalleryError(f"no identity {identity!r} in {path}: an id has 16 hex digits")


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
