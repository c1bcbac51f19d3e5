"""Searching 256-bit hashes: all within a distance of at most 31, exactly.

Multi-index hashing (Norouzi, Punjani and Fleet 2014): a hash is cut into 16 pieces of 16 bits. Two hashes that differ
in at most 31 bits differ in at most one bit of some piece (31 // 16 = 1), so it is enough to look at the hashes that
share a piece with the query, or a piece with one bit changed: 16 × 17 places of a table, some 4,000 of a million.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST_DISTANCE", "HashIndex"]

LARGEST_DISTANCE = 31
PIECES = 16
_KEYS = 1 << 16
BITS = 256
_Words = NDArray[np.uint64]
_Near = tuple[NDArray[np.intp], NDArray[np.intp]]
# A piece as it is, and with each of its bits changed.
_FLIPS = np.array([0, *(1 << bit for bit in range(16))], np.uint16)
# Up to here comparing with everything is as quick, and needs no table (4 MB).
SMALL = 2_000
# Candidates compared at once: some 100 bytes each, so that memory has a bound.
_AT_ONCE = 1 << 19


def _ones_of(words: _Words) -> NDArray[np.intp]:
    """How many bits are set in each (4,) of (…, 4) uint64."""
    ones = _ones(words)
    # Four additions are twice as quick as a sum along so short an axis; 256 does not fit into a byte.
    return np.asarray(ones[..., 0].astype(np.intp) + ones[..., 1] + ones[..., 2] + ones[..., 3])


def _ones(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """How many bits of each word are set."""
    if hasattr(np, "bitwise_count"):  # NumPy 2
        return np.asarray(np.bitwise_count(words), np.uint8)
    words = words - ((words >> np.uint64(1)) & np.uint64(0x5555555555555555))
    words = (words & np.uint64(0x3333333333333333)) + ((words >> np.uint64(2)) & np.uint64(0x3333333333333333))
    words = (words + (words >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return ((words * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.uint8)


class HashIndex:
    """An immutable set of hashes in memory: some 100 bytes a hash.

    Args:
        hashes: (n, 32) uint8.
        limits: (n,) uint8: the largest distance at which each of them matches, at most 31.
    """

    def __init__(self, hashes: NDArray[np.uint8], limits: NDArray[np.uint8]) -> None:
        self._words = np.ascontiguousarray(hashes).view(np.uint64).reshape(-1, 4)
        self._limits = limits
        self._order: list[NDArray[np.uint32]] = []
        self._starts: list[NDArray[np.uint32]] = []
        if len(hashes) > SMALL:
            pieces = np.ascontiguousarray(hashes).view(np.uint16).reshape(-1, PIECES)
            for k in range(PIECES):
                piece = np.ascontiguousarray(pieces[:, k])
                self._order.append(np.argsort(piece, kind="stable").astype(np.uint32))
                counts = np.bincount(piece, minlength=_KEYS)
                self._starts.append(np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32))

    def __len__(self) -> int:
        return len(self._words)

    def search(
        self, queries: NDArray[np.uint8], masks: NDArray[np.uint8] | None = None
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Everything within its limit of any of the (q, 32) `queries`: rows, each once and in order, and the smallest
        distance of each, over all 256 bits.

        Args:
            masks: (q, 32): only these bits of each query decide, and the limit is of them the share that they are of
                256. Exact without masks; with them, what differs in more than one bit of all 16 pieces is not looked
                at, so that a little of what would match is missed. Masked queries are guesses at another picture, so
                they match only hashes with the limit of `LARGEST_DISTANCE`: whoever set a smaller one wants no
                guesses.
        """
        words = np.ascontiguousarray(queries).reshape(-1, 32).view(np.uint64)
        cover = None if masks is None else np.ascontiguousarray(masks).reshape(-1, 32).view(np.uint64)
        found = list(self._found(words, cover)) if len(self._words) and len(words) else []
        if not found:
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        every, at = np.unique(np.concatenate([rows for rows, _ in found]), return_inverse=True)
        nearest = np.full(len(every), BITS, np.intp)
        np.minimum.at(nearest, at, np.concatenate([apart for _, apart in found]))
        return every, nearest

    def _found(self, words: _Words, masks: _Words | None) -> Iterator[_Near]:
        """Rows within their limits, with distances; a row may come several times."""
        if not self._order:
            for q in range(len(words)):
                yield self._within(np.arange(len(self._words)), np.array([q]), words, masks)
            return
        pieces = words.view(np.uint16)
        for order, starts, k in zip(self._order, self._starts, range(PIECES), strict=True):
            yield from self._of_piece(order, starts, np.ascontiguousarray(pieces[:, k]), words, masks)

    def _of_piece(
        self,
        order: NDArray[np.uint32],
        starts: NDArray[np.uint32],
        pieces: NDArray[np.uint16],
        words: _Words,
        masks: _Words | None,
    ) -> Iterator[_Near]:
        keys = (pieces[:, None] ^ _FLIPS[None]).astype(np.intp)
        begins = starts[keys].astype(np.intp)
        lengths = starts[keys + 1] - begins
        total = int(lengths.sum())
        if total > _AT_ONCE and len(words) > 1:
            # A list in which many hashes share a piece: fewer queries at once.
            half = len(words) // 2
            for part in (slice(half), slice(half, None)):
                yield from self._of_piece(
                    order, starts, pieces[part], words[part], masks if masks is None else masks[part]
                )
        elif total > _AT_ONCE:
            for begin in range(0, len(self._words), _AT_ONCE):
                rows = np.arange(begin, min(begin + _AT_ONCE, len(self._words)))
                yield self._within(rows, np.array([0]), words, masks)
        elif total:
            spans = lengths.ravel()
            # Places in `order`: each span counted up from its begin.
            places = np.arange(total) + np.repeat(begins.ravel() - (np.cumsum(spans) - spans), spans)
            asked = np.repeat(np.arange(len(words)), lengths.sum(1))
            yield self._within(order[places].astype(np.intp), asked, words, masks)

    def _within(self, rows: NDArray[np.intp], asked: NDArray[np.intp], words: _Words, masks: _Words | None) -> _Near:
        """Of `rows`, those within their limit of the queries `asked` (one for all, or one each)."""
        limits = self._limits[rows].astype(np.intp)
        differing = self._words[rows] ^ words[asked]
        if masks is None:
            apart = _ones_of(differing)
            hit = np.nonzero(apart <= limits)[0]
            return rows[hit], apart[hit]
        sure = _ones_of(differing & masks[asked])
        scaled = limits * _ones_of(masks)[asked] // BITS
        hit = np.nonzero((sure <= scaled) & (limits == LARGEST_DISTANCE))[0]
        # One query for all, or one each: `differing` has a row for every one of `rows` in both cases.
        return rows[hit], _ones_of(differing[hit])
