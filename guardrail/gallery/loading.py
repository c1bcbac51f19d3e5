"""From the encrypted file to an index in memory, and from one state of it to the next without reading all again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrail.gallery import people, vectors
from guardrail.gallery.manifest import Embedding
from guardrail.gallery.match import GalleryIndex
from guardrail.gallery.roll import Roll
from guardrail.gallery.sealed import DRAWN, View
from guardrail.gallery.sketches import EXACT_ROWS, Finder, faiss_present

__all__ = ["Loader"]

# A small gallery is read anew after every change; of a large one only what changed, until that is a quarter of it.
SMALL_ROWS = 16_384
CHANGED_SHARE = 0.25


class Loader:
    """The vectors of one embedder as they were read last. Not thread-safe; the indexes that it gives are."""

    def __init__(self, embedder: str) -> None:
        self._embedder = embedder
        self._parts: list[tuple[NDArray[np.float32], dict[int, tuple[int, int, int]]]] = []
        self._small: dict[tuple[str, int], tuple[int, Any]] = {}
        self._gallery = ""

    def index(self, view: View, now: int) -> tuple[GalleryIndex, float]:
        """The index for this state, and the moment from which on it no longer holds, since a consent ends.

        Raises:
            GalleryError: what is read was changed by something else.
        """
        if self._gallery != view.manifest.gallery:
            self._parts, self._small, self._gallery = [], {}, view.manifest.gallery
        roll, active, ends = self._people(view, now)
        embedding = view.manifest.embedders.get(self._embedder)
        if embedding is None or not view.manifest.of(f"vectors/{embedding.number}"):
            self._parts = []
            self._forget(view)
            return _nobody(int((active & roll.protected).sum())), ends
        numbers = sorted(view.manifest.of(f"vectors/{embedding.number}"))
        self._read_vectors(view, embedding)
        whose = self._joined(view, f"owners/{embedding.number}", numbers, _owners)
        order = np.argsort(roll.ids)
        owners = order[np.searchsorted(roll.ids, whose, sorter=order)].astype(np.int32)
        alive = np.flatnonzero(active[owners])
        used = np.zeros(len(roll), np.bool_)
        used[owners[alive]] = True
        kept = Roll(roll.ids[used], roll.protected[used], roll.purposes[used], roll.sets)
        places = self._places(numbers)[alive]
        main, later = self._parts[0][0], self._parts[1][0] if len(self._parts) > 1 else None
        # Blocks that were written anew since are in `main` still, as they were; no row number refers to them.
        owner_at = np.zeros(len(main) + (0 if later is None else len(later)), np.int32)
        owner_at[places] = (np.cumsum(used) - 1)[owners[alive]]
        finder = None
        made = vectors.projection(view, embedding)
        if made is not None and len(alive) >= EXACT_ROWS and faiss_present():
            found = self._joined(view, f"sketches/{embedding.number}", numbers, vectors.sketches)
            finder = Finder(made, found if len(alive) == len(found) else found[alive])
        self._forget(view)
        uncovered = int((active & roll.protected & ~used).sum())
        return GalleryIndex(main, owner_at, kept, later, places, finder, uncovered), ends

    def _joined(self, view: View, kind: str, numbers: Sequence[int], decode: Callable[[bytes], Any]) -> NDArray[Any]:
        return np.concatenate([self._cached(view, kind, number, decode) for number in numbers])

    def _forget(self, view: View) -> None:
        blocks = view.manifest.blocks
        self._small = {place: one for place, one in self._small.items() if place[1] in blocks.get(place[0], ())}

    def _read_vectors(self, view: View, embedding: Embedding) -> None:
        wanted = view.manifest.of(f"vectors/{embedding.number}")
        total = sum(rows for _, rows in wanted.values())
        main = self._parts[0][1] if self._parts else {}
        stale = {n: entry for n, entry in wanted.items() if not _known(main.get(n), entry[0])}
        changed = sum(rows for _, rows in stale.values())
        if not self._parts or total <= SMALL_ROWS or changed > CHANGED_SHARE * total:
            # The old matrix goes first, unless a search still holds it: there is room for one, not for two.
            self._parts = []
            self._parts = [self._matrix(view, embedding, wanted)]
            return
        del self._parts[1:]
        if stale:
            self._parts.append(self._matrix(view, embedding, stale))

    def _matrix(
        self, view: View, embedding: Embedding, blocks: dict[int, tuple[int, int]]
    ) -> tuple[NDArray[np.float32], dict[int, tuple[int, int, int]]]:
        matrix = np.empty((sum(rows for _, rows in blocks.values()), embedding.dimension), np.float32)
        places: dict[int, tuple[int, int, int]] = {}
        start = 0
        for number in sorted(blocks):
            version, rows = blocks[number]
            matrix[start : start + rows] = vectors.read(view, embedding, number)
            places[number] = (version, start, rows)
            start += rows
        return matrix, places

    def _places(self, numbers: Sequence[int]) -> NDArray[np.int32]:
        """For each row, block by block, its number in the two matrices."""
        main = self._parts[0][1]
        later = self._parts[1][1] if len(self._parts) > 1 else {}
        split = len(self._parts[0][0])
        pieces = []
        for number in numbers:
            _, start, rows = later.get(number) or main[number]
            start += split if number in later else 0
            pieces.append(np.arange(start, start + rows, dtype=np.int32))
        return np.concatenate(pieces)

    def _people(self, view: View, now: int) -> tuple[Roll, NDArray[np.bool_], float]:
        sets: dict[tuple[str, ...], int] = {}
        columns, purposes = [], []
        for number in sorted(view.manifest.of("people")):
            one = self._cached(view, "people", number, people.Block.decode)
            places = np.array([sets.setdefault(words, len(sets)) for words in one.purposes], np.int32)
            columns.append(one.rows)
            purposes.append(places[one.rows["purposes"]])
        rows = np.concatenate(columns) if columns else np.zeros(0, people.PEOPLE)
        open_ended = rows["expires"] == 0
        active = (rows["revoked"] == 0) & (open_ended | (rows["expires"] > now))
        ends = float(rows["expires"][active & ~open_ended].min(initial=np.iinfo(np.int64).max))
        ids = np.ascontiguousarray(rows["id"])
        covers = np.concatenate(purposes) if purposes else np.zeros(0, np.int32)
        roll = Roll(ids, rows["protected"] == 1, covers, [frozenset(words) for words in sets])
        return roll, active, ends

    def _cached(self, view: View, kind: str, number: int, decode: Callable[[bytes], Any]) -> Any:
        version = view.manifest.of(kind)[number][0]
        known = self._small.get((kind, number))
        if known is None or not _known(known, version):
            known = (version, decode(view.get(kind, number)))
            self._small[kind, number] = known
        return known[1]


def _known(read: tuple[Any, ...] | None, version: int) -> bool:
    """Whether a block was read as it is. A version that is a count of changes names another block after a copy of the
    file was put back."""
    return read is not None and read[0] == version >= DRAWN


def _nobody(uncovered: int) -> GalleryIndex:
    return GalleryIndex(np.zeros((0, 1), np.float32), np.zeros(0, np.intp), (), uncovered=uncovered)


def _owners(content: bytes) -> NDArray[np.uint64]:
    return np.frombuffer(content, "<u8")
