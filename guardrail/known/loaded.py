"""All lists of a folder in memory, as one index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from guardrail.known.file import PDQ, PIXELS, SHA256, Rows
from guardrail.known.index import LARGEST_DISTANCE, HashIndex
from guardrail.known.probe import Hit, Probe

__all__ = ["Loaded"]


class Loaded:
    """The rows of each list, searchable. Immutable."""

    def __init__(self, rows: Mapping[str, Rows]) -> None:
        self.rows = dict(rows)
        self._names = list(self.rows)
        hashes = _joined([r.hashes for r in self.rows.values()], np.zeros((0, 32), np.uint8))
        kinds = _joined([r.kinds for r in self.rows.values()], np.zeros(0, np.uint8))
        limits = _joined([r.limits for r in self.rows.values()], np.zeros(0, np.uint8))
        owners = np.repeat(np.arange(len(self._names)), [len(r.hashes) for r in self.rows.values()])
        self._count = len(hashes)
        chosen = kinds == PDQ
        self._index = HashIndex(np.ascontiguousarray(hashes[chosen]), limits[chosen])
        self._owners = owners[chosen]
        # Lists on which a cut or turned picture can be found: see `HashIndex.search`.
        self._wide = frozenset(owners[chosen & (limits == LARGEST_DISTANCE)].tolist())
        self._exact = {kind: _Exact(hashes[kinds == kind], owners[kinds == kind]) for kind in (SHA256, PIXELS)}

    def __len__(self) -> int:
        return self._count

    def search(self, probe: Probe) -> list[Hit]:
        """As `guardrail.known.probe.KnownImages.search`."""
        found: dict[str, Hit] = {}
        kinds: tuple[tuple[int, bytes, Literal["file", "pixels"]], ...] = (
            (SHA256, probe.file, "file"),
            (PIXELS, probe.pixels, "pixels"),
        )
        for kind, digest, by in kinds:
            for owner in self._exact[kind].owners_of(digest):
                found.setdefault(self._names[owner], Hit(self._names[owner], by))
        if probe.usable and len(self._index):
            self._add(found, self._near(probe.hashes))
            # The picture as it came in is looked for first: what was cut or turned costs ten times as much. It is left
            # out only where every list has answered: a hit on one list must not hide the hit on another.
            if any(self._names[owner] not in found for owner in self._wide):
                self._add(found, self._near(*probe.changed()))
        return list(found.values())

    def _add(self, found: dict[str, Hit], near: Mapping[int, int]) -> None:
        for owner, distance in near.items():
            found.setdefault(self._names[owner], Hit(self._names[owner], "perceptual", distance))

    def _near(self, queries: NDArray[np.uint8], masks: NDArray[np.uint8] | None = None) -> dict[int, int]:
        """List → smallest distance."""
        rows, apart = self._index.search(queries, masks)
        nearest: dict[int, int] = {}
        for owner, distance in zip(self._owners[rows].tolist(), apart.tolist(), strict=True):
            nearest[owner] = min(distance, nearest.get(owner, distance))
        return nearest


class _Exact:
    """Digests of 32 bytes, sorted by their first eight."""

    def __init__(self, digests: NDArray[np.uint8], owners: NDArray[np.intp]) -> None:
        heads = np.ascontiguousarray(digests[:, :8]).view(np.uint64).ravel()
        order = np.argsort(heads, kind="stable")
        self._heads, self._digests, self._owners = heads[order], digests[order], owners[order]

    def owners_of(self, digest: bytes) -> Iterator[int]:
        if not digest:
            return
        head = np.frombuffer(digest[:8], np.uint64)[0]
        begin = int(np.searchsorted(self._heads, head, side="left"))
        end = int(np.searchsorted(self._heads, head, side="right"))
        for i in range(begin, end):
            if self._digests[i].tobytes() == digest:
                yield int(self._owners[i])


def _joined(parts: list[NDArray[np.uint8]], empty: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate(parts) if parts else empty
