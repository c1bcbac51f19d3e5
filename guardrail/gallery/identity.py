"""What is known about an enrolled person, and what may be said when enrolling one."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import GalleryError
from guardrail.gallery.people import PEOPLE, Person

__all__ = ["Attestation", "Entry", "Identity", "ListName", "attestation", "identity_of", "until", "usable", "words"]

ListName = Literal["protected", "consented"]
# A face vector is of length one or some tens; squares of anything near this overflow.
LONGEST = 1e6
# Characters of a label or a reference, and of all purposes together. The texts of 1,024 people are written anew with
# each of them.
LONGEST_TEXT = 4096


@dataclass(frozen=True, slots=True)
class Attestation:
    """Who said what about an entry, and when. Encrypted at rest, never recorded elsewhere.

    Args:
        at: RFC 3339, UTC.
        what: ``enrolled``, ``renewed``, ``pictures`` (added) or ``revoked``.
        by: who attests it, as the operator calls them; empty where nobody was named.
        evidence: a reference to the paper or ticket that shows it; empty where there is none.
    """

    at: str
    what: Literal["enrolled", "renewed", "pictures", "revoked"]
    by: str = ""
    evidence: str = ""


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
        attested: who said so, oldest first.
    """

    id: str
    list: ListName
    label: str
    purposes: tuple[str, ...]
    created: str
    expires: str
    revoked: str
    embedders: tuple[str, ...]
    attested: tuple[Attestation, ...] = ()

    def active(self, now: dt.datetime) -> bool:
        return not self.revoked and (not self.expires or dt.datetime.fromisoformat(self.expires) > now)

    @property
    def evidence(self) -> str:
        """The reference that was given last."""
        return next((a.evidence for a in reversed(self.attested) if a.evidence), "")

    @property
    def attested_by(self) -> str:
        """Who was named last."""
        return next((a.by for a in reversed(self.attested) if a.by), "")


@dataclass(frozen=True, slots=True)
class Entry:
    """One person to enrol.

    Args:
        vectors: (pictures, dimension) float32, at least one.
        list: ``protected`` or ``consented``.
        label, purposes: see `Identity`; at most `LONGEST_TEXT` characters, as `evidence` and `attested_by`.
        expires: with a time zone, and to come; ``None`` for no end.
        evidence, attested_by: see `Attestation`.
    """

    vectors: NDArray[np.float32]
    list: ListName
    label: str = ""
    purposes: Iterable[str] = field(default=())
    expires: dt.datetime | None = None
    evidence: str = ""
    attested_by: str = ""

    def person(self, now: dt.datetime) -> Person:
        """A new identity, as it is written.

        Raises:
            GalleryError: something in this entry would not hold.
        """
        if self.list not in ("protected", "consented"):
            raise GalleryError(f"there is no list {self.list!r}; there is: protected, consented")
        columns = np.zeros((), PEOPLE)
        # Zero is no id: ids of zero would be what a damaged column shows.
        columns["id"] = secrets.randbelow(2**64 - 1) + 1
        columns["created"] = int(now.timestamp())
        columns["expires"] = until(self.expires, now)
        columns["protected"] = self.list == "protected"
        note = attestation("enrolled", now, self.attested_by, self.evidence)
        return Person(columns, words(self.purposes), {"label": _text(self.label, "label"), "attested": [note]})


def attestation(what: str, now: dt.datetime, by: str, evidence: str) -> dict[str, str]:
    """An `Attestation` as it is kept."""
    note = {"at": rfc3339(int(now.timestamp())), "what": what}
    note |= {"by": _text(by, "attested_by")} if by else {}
    return note | ({"evidence": _text(evidence, "evidence")} if evidence else {})


def identity_of(person: Person, embedders: tuple[str, ...]) -> Identity:
    """For people to read."""
    columns: Any = person.columns
    return Identity(
        id=f"{int(columns['id']):016x}",
        list="protected" if columns["protected"] else "consented",
        label=person.details["label"],
        purposes=person.purposes,
        created=rfc3339(int(columns["created"])),
        expires=rfc3339(int(columns["expires"])),
        revoked=rfc3339(int(columns["revoked"])),
        embedders=embedders,
        attested=tuple(Attestation(**note) for note in person.details["attested"]),
    )


def usable(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """One row per picture. A vector of zeros lies at the same distance from everybody, NaN at none at all.

    Raises:
        GalleryError: there is none, or one says nothing.
    """
    with np.errstate(over="ignore"):
        rows = np.atleast_2d(np.asarray(vectors, "<f4"))
    if rows.ndim != 2 or not rows.size or not (np.abs(rows) < LONGEST).all() or not rows.any(axis=1).all():
        raise GalleryError("there is no usable face vector to enrol")
    return rows


def words(purposes: Iterable[str]) -> tuple[str, ...]:
    """Sorted. An empty word would cover every request that names no purpose; a bare word would become its letters.

    Raises:
        GalleryError: a bare word, an empty one, no word at all, or more than `LONGEST_TEXT` characters.
    """
    given = (purposes,) if isinstance(purposes, str) else tuple(purposes)
    if isinstance(purposes, str) or not all(isinstance(w, str) and w.strip() for w in given):
        raise GalleryError("purposes are a list of words, none of them empty; no purposes at all means any")
    if sum(map(len, given)) > LONGEST_TEXT:
        raise GalleryError(f"purposes have more than {LONGEST_TEXT:,} characters")
    return tuple(sorted(set(given)))


def until(expires: dt.datetime | None, now: dt.datetime) -> int:
    """Seconds since 1970; 0 for no end.

    Raises:
        GalleryError: no time zone, or in the past.
    """
    if expires is None:
        return 0
    if expires.tzinfo is None:
        raise GalleryError("expires needs a time zone")
    if expires <= now:
        raise GalleryError("expires is in the past: the entry would never hold")
    return int(expires.timestamp())


def rfc3339(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat() if seconds else ""


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise GalleryError(f"{what} is a text, not {type(value).__name__}")
    if len(value) > LONGEST_TEXT:
        raise GalleryError(f"{what} has more than {LONGEST_TEXT:,} characters; it is a reference, not the paper itself")
    return value
