"""Who is enrolled: identities in encrypted blocks, what a search needs of them apart from what only people read.

A block of kind ``people`` holds fixed columns (`PEOPLE`) and the sets of purposes that its rows refer to; the block of
kind ``details`` with the same number holds labels and attestations. So a million identities are read in a fraction of a
second, and labels are decrypted only where somebody asks for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrail.gallery.sealed import BLOCK_ROWS, Change, View

__all__ = ["PEOPLE", "Block", "Person", "add", "block", "blocks", "details", "find", "one", "remove", "replace"]

# Moments are whole seconds since 1970 (UTC); 0 where there is none.
PEOPLE = np.dtype(
    [
        ("id", "<u8"),
        ("created", "<i8"),
        ("expires", "<i8"),
        ("revoked", "<i8"),
        ("purposes", "<u2"),
        ("protected", "u1"),
    ]
)
_HEADER_BYTES = 4


@dataclass(slots=True)
class Person:
    """One identity as it is written.

    Args:
        columns: one row of `PEOPLE`, its `purposes` not set.
        purposes: what the entry covers, sorted; empty means anything.
        details: ``label``, and ``attested``: a list of what was attested when, by whom, on what evidence.
    """

    columns: NDArray[Any]
    purposes: tuple[str, ...]
    details: dict[str, Any]


@dataclass(slots=True)
class Block:
    """Up to `BLOCK_ROWS` identities without their details."""

    rows: NDArray[Any] = field(default_factory=lambda: np.zeros(0, PEOPLE))
    purposes: list[tuple[str, ...]] = field(default_factory=list)

    def person(self, position: int, notes: list[dict[str, Any]]) -> Person:
        row = self.rows[position]
        return Person(row.copy(), self.purposes[row["purposes"]], notes[position])

    def encode(self) -> bytes:
        header = json.dumps(self.purposes, separators=(",", ":")).encode()
        return len(header).to_bytes(_HEADER_BYTES, "little") + header + self.rows.tobytes()

    @classmethod
    def decode(cls, content: bytes) -> Block:
        end = _HEADER_BYTES + int.from_bytes(content[:_HEADER_BYTES], "little")
        purposes = [tuple(words) for words in json.loads(content[_HEADER_BYTES:end])]
        return cls(np.frombuffer(content, PEOPLE, offset=end), purposes)


def block(view: View, number: int) -> Block:
    return Block.decode(view.get("people", number))


def blocks(view: View) -> Iterator[tuple[int, Block]]:
    """All blocks, oldest first."""
    for number in sorted(view.manifest.of("people")):
        yield number, block(view, number)


def details(view: View, number: int) -> list[dict[str, Any]]:
    """Of each identity of a block, in its order."""
    return json.loads(view.get("details", number))  # type: ignore[no-any-return]


def find(view: View, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Block and position of each id that is enrolled."""
    wanted = np.array(ids, np.uint64)
    found: dict[int, tuple[int, int]] = {}
    for number, each in blocks(view):
        for position in np.flatnonzero(np.isin(each.rows["id"], wanted)):
            found[int(each.rows["id"][position])] = (number, int(position))
    return found


def add(change: Change, persons: Sequence[Person]) -> None:
    """Append identities; the last block is filled first."""
    start = 0
    number = max(change.manifest.of("people"), default=-1)
    while start < len(persons):
        filled = change.manifest.of("people").get(number, (0, BLOCK_ROWS))[1]
        if filled >= BLOCK_ROWS:
            number, filled = number + 1, 0
        taken = persons[start : start + BLOCK_ROWS - filled]
        start += len(taken)
        old, notes = (block(change, number), details(change, number)) if filled else (Block(), [])
        _put(change, number, [old.person(i, notes) for i in range(filled)] + list(taken))


def one(view: View, identity: int) -> tuple[tuple[int, int], Person] | None:
    """Where an identity stands, and what is known of it; ``None`` where it is not enrolled."""
    place = find(view, [identity]).get(identity)
    if place is None:
        return None
    return place, block(view, place[0]).person(place[1], details(view, place[0]))


def replace(change: Change, place: tuple[int, int], person: Person) -> None:
    """Write an identity anew where it stands."""
    number, position = place
    persons = _read(change, number)
    persons[position] = person
    _put(change, number, persons)


def remove(change: Change, place: tuple[int, int]) -> None:
    """Take an identity out, with its label and all that was said of it."""
    number, position = place
    persons = _read(change, number)
    del persons[position]
    if persons:
        _put(change, number, persons)
        return
    change.drop("people", number)
    change.drop("details", number)


def _read(view: View, number: int) -> list[Person]:
    whole, notes = block(view, number), details(view, number)
    return [whole.person(i, notes) for i in range(len(whole.rows))]


def _put(change: Change, number: int, persons: Sequence[Person]) -> None:
    sets = {words: n for n, words in enumerate(sorted({p.purposes for p in persons}))}
    rows = np.array([p.columns for p in persons], PEOPLE)
    rows["purposes"] = [sets[p.purposes] for p in persons]
    change.put("people", number, Block(rows, list(sets)).encode(), len(rows))
    change.put("details", number, json.dumps([p.details for p in persons]).encode(), len(rows))
