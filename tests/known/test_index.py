"""Searching hashes: the same answers as comparing with all of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from guardrail.known.index import LARGEST_DISTANCE, SMALL, HashIndex

Hashes = NDArray[np.uint8]


def random(count: int, seed: int = 0) -> Hashes:
    return np.random.default_rng(seed).integers(0, 256, (count, 32), dtype=np.uint8)


def flipped(value: Hashes, bits: list[int]) -> Hashes:
    out = np.unpackbits(value)
    out[bits] ^= 1
    return np.packbits(out)


def index_of(hashes: Hashes, limit: int = LARGEST_DISTANCE) -> HashIndex:
    return HashIndex(hashes, np.full(len(hashes), limit, np.uint8))


SIZES = pytest.mark.parametrize("count", [1, SMALL, SMALL + 1, 20_000])


@SIZES
@pytest.mark.parametrize("distance", [0, 1, 16, 17, 30, 31, 32, 33])
def test_what_is_within_31_is_found_and_nothing_else(count: int, distance: int) -> None:
    hashes = random(count)
    index = index_of(hashes)
    rng = np.random.default_rng(distance)
    for _ in range(10):
        row = int(rng.integers(count))
        rows, apart = index.search(flipped(hashes[row], list(rng.choice(256, distance, replace=False)))[None])
        found = dict(zip(rows.tolist(), apart.tolist(), strict=True))
        assert found == ({row: distance} if distance <= 31 else {})


def test_the_worst_spread_of_31_bits_is_found() -> None:
    """Two bits in fifteen pieces, one in the sixteenth."""
    hashes = random(SMALL + 500)
    bits = [16 * piece + bit for piece in range(16) for bit in (3, 9)][:31]
    rows, apart = index_of(hashes).search(flipped(hashes[7], bits)[None])
    assert (rows.tolist(), apart.tolist()) == ([7], [31])


def test_each_hash_has_its_own_limit() -> None:
    hashes = random(SMALL + 3)
    limits = np.full(len(hashes), LARGEST_DISTANCE, np.uint8)
    limits[5] = 9
    index = HashIndex(hashes, limits)
    assert index.search(flipped(hashes[5], list(range(9)))[None])[0].tolist() == [5]
    assert index.search(flipped(hashes[5], list(range(10)))[None])[0].tolist() == []


def test_many_queries_at_once_are_the_same_as_one_after_the_other() -> None:
    hashes = random(30_000)
    index = index_of(hashes)
    queries = np.stack([flipped(hashes[i], list(range(i % 40))) for i in range(80)])
    rows, apart = index.search(queries)
    alone = [index.search(q[None]) for q in queries]
    expected = {r: a for rs, ds in alone for r, a in zip(rs.tolist(), ds.tolist(), strict=True)}
    assert dict(zip(rows.tolist(), apart.tolist(), strict=True)) == expected
    assert len(expected) == sum(i % 40 <= 31 for i in range(80))


def test_a_list_whose_hashes_share_pieces_is_searched_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made to be slow, or by accident: the same beginning in all of them."""
    monkeypatch.setattr("guardrail.known.index._AT_ONCE", 1_000)
    hashes = random(SMALL + 2_000)
    hashes[:, :30] = 7
    rows, _ = index_of(hashes).search(np.stack([hashes[3], hashes[4]]))
    assert rows.tolist() == list(range(len(hashes)))


@SIZES
def test_only_masked_bits_count_and_the_limit_shrinks_with_them(count: int) -> None:
    hashes = random(count)
    mask = np.zeros(256, np.uint8)
    mask[:192] = 1
    packed = np.packbits(mask)[None]
    index = index_of(hashes)
    # 31 × 192 / 256 = 23.25; what lies outside of the mask does not count.
    for inside, expected in ((23, [0]), (24, [])):
        bits = [*range(inside), *range(200, 220)]
        assert index.search(flipped(hashes[0], bits)[None], packed)[0].tolist() == expected


@SIZES
def test_masked_queries_match_only_hashes_of_the_largest_limit_and_tell_the_whole_distance(count: int) -> None:
    hashes = random(count)
    mask = np.zeros(256, np.uint8)
    mask[:192] = 1
    query, packed = flipped(hashes[0], [*range(3), *range(200, 240)])[None], np.packbits(mask)[None]
    rows, apart = index_of(hashes).search(query, packed)
    assert (rows.tolist(), apart.tolist()) == ([0], [43])
    assert index_of(hashes, LARGEST_DISTANCE - 1).search(query, packed)[0].tolist() == []


def test_nothing_is_found_in_nothing_or_with_nothing() -> None:
    assert index_of(random(0)).search(random(2))[0].tolist() == []
    assert index_of(random(5)).search(random(0))[0].tolist() == []


def test_counting_bits_does_not_need_numpy_2(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = random(3_000)
    query = flipped(hashes[9], list(range(20)))[None]
    expected = [v.tolist() for v in index_of(hashes).search(query)]
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert [v.tolist() for v in index_of(hashes).search(query)] == expected == [[9], [20]]
