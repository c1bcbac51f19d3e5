"""Large galleries: sketches find what a comparison with everybody finds, and only what changed is read again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail.checks.image.backends.base import MatchScale
from guardrail.errors import GalleryError
from guardrail.gallery import Entry, Gallery, loading, sketches, vectors
from guardrail.gallery.sketches import BITS, LOOSE, Finder, Projection

SCALE = MatchScale(same=0.5, consent=0.4, margin=0.05, far=0.8)
SMALL = 1500  # what counts as large here
BLOCK = 128
needs_faiss = pytest.mark.skipif(not sketches.faiss_present(), reason="the extra gallery-large is not installed")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sketches, vectors, loading):
        monkeypatch.setattr(module, "EXACT_ROWS", SMALL, raising=False)
    monkeypatch.setattr(loading, "SMALL_ROWS", 100)
    monkeypatch.setattr(vectors, "BLOCK_ROWS", BLOCK)


def people(count: int, seed: int = 0, dimension: int = 128) -> Any:
    """Unrelated vectors, 0.8 apart, all to one side of the origin."""
    drawn = np.random.default_rng(seed).normal(scale=0.8 / np.sqrt(2 * dimension), size=(count, dimension))
    drawn[:, 0] += 0.8
    return drawn.astype(np.float32)


def near(rows: Any, distance: float, seed: int = 9) -> Any:
    step = np.random.default_rng(seed).normal(size=rows.shape)
    return (rows + distance * step / np.linalg.norm(step, axis=1, keepdims=True)).astype(np.float32)


def fill(gallery: Gallery, rows: Any) -> list[str]:
    lists: Any = ("protected", "consented")
    entries = [Entry(row[None], lists[n % 2]) for n, row in enumerate(rows)]
    return [identity.id for identity in gallery.enrol_many(entries, embedder="toy")]


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path / "gallery.sqlite", key=b"k" * 32, key_id="test")


@needs_faiss
@pytest.mark.parametrize("dimension", [16, 128, 300])
def test_sketches_find_what_comparing_everybody_finds(gallery: Gallery, dimension: int) -> None:
    rows = people(2 * SMALL, dimension=dimension)
    fill(gallery, rows)
    index = gallery.index("toy")
    assert not index.exact
    everybody = dataclasses.replace(index, finder=None)
    found = missed = 0
    for distance in (0.1, 0.3, 0.4, 0.5):
        for probe in near(rows[:100], distance):
            right = everybody.match(probe, SCALE)
            found += right.gallery != "none"
            missed += index.match(probe, SCALE) != right
    assert found > 300
    assert missed <= 2


@needs_faiss
def test_a_consent_is_withheld_near_somebody_protected_whom_a_search_does_not_reach(gallery: Gallery) -> None:
    """The threshold of a pair is one at which sketches tell little."""
    scale = MatchScale(same=0.6, consent=0.4, margin=0.15, far=0.8, rates=((1e-6, 0.3), (0.01, 0.6)))
    asked = people(100)
    agreed = near(asked, 0.25)
    # Beyond what a search looks at, and less than two margins farther away than who consented.
    guarded = [*people(2 * SMALL, seed=2), *near(asked[:50], 0.54, seed=8)]
    entries = [Entry(row[None], "protected") for row in guarded]
    gallery.enrol_many([*entries, *(Entry(row[None], "consented") for row in agreed)], embedder="toy")
    index = gallery.index("toy")
    everybody = dataclasses.replace(index, finder=None)
    assert (index.exact, everybody.exact) == (False, True)
    assert index.thresholds(scale).reach < 0.5
    for one, most in ((index, 2), (everybody, 0)):
        found = [one.match(row, scale).consent for row in asked]
        assert found[:50].count("yes") <= most
        assert found[50:].count("yes") >= 45  # by chance a stranger is near, too


@needs_faiss
def test_strangers_stay_strangers(gallery: Gallery) -> None:
    fill(gallery, people(2 * SMALL))
    assert {gallery.index("toy").match(p, SCALE).gallery for p in people(100, seed=1)} == {"none"}


def test_how_many_bits_a_face_may_differ_in() -> None:
    rows = people(4000)
    made = Projection.of(rows.mean(0), float(np.median(np.linalg.norm(rows - rows.mean(0), axis=1))))
    ours = np.unpackbits(made.sketches(rows[:2000]), axis=1)
    for reach in (0.2, 0.4, 0.5):
        probes = near(rows[:2000], reach)
        differ = (np.unpackbits(made.sketches(probes), axis=1) != ours).sum(1)
        allowed = np.array([made.most_bits(p, reach) for p in probes])
        assert (differ <= allowed).mean() >= 0.99
    # A threshold that lets everybody through is no use: then all are compared.
    assert made.most_bits(rows[0], 0.79) is None
    assert made.most_bits(rows[0], 5.0) is None
    assert 0 < LOOSE < BITS / 2
    again = Projection.decode(made.encode(), 128)
    assert np.array_equal(again.sketches(rows[:50]), made.sketches(rows[:50]))


@needs_faiss
def test_somebody_is_always_looked_at_and_never_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = people(20_000)
    made = Projection.of(rows.mean(0), float(np.median(np.linalg.norm(rows - rows.mean(0), axis=1))))
    finder = Finder(made, made.sketches(rows))
    far, middle = -3 * rows[0], rows.mean(0)
    for probe in (far, middle, *people(20, seed=2)):
        found = finder.near(probe, 0.1)
        assert found is not None
        assert len(found)
    monkeypatch.setattr(sketches, "MOST_ROWS", 1024)
    for probe in (middle, *people(20, seed=3)):
        found = finder.near(probe, 0.55)
        assert found is not None
        assert len(found) < 3000
        if probe is middle:  # where every face is within as many bits as any other
            assert len(found) > 300
        # Those that are left out differ in more bits.
        differ = np.unpackbits(made.sketches(rows) ^ made.sketches(probe[None]), axis=1).sum(1)
        assert differ[found].max() < np.delete(differ, found).min()


@needs_faiss
def test_distances_to_some_rows() -> None:
    rows = people(3000)
    finder = Finder(Projection.of(rows.mean(0), 0.6), np.zeros((3000, BITS // 8), np.uint8))
    wanted = np.random.default_rng(1).integers(0, 3000, 700).astype(np.int32)
    right = ((rows[wanted].astype(np.float64) - rows[7]) ** 2).sum(1)
    assert finder.squares(rows, wanted, rows[7]) == pytest.approx(right, rel=1e-5, abs=1e-12)
    assert finder.squares(rows, wanted[:0], rows[7]).shape == (0,)
    for bad in ([3000], [-1], [5, 10**9]):
        with pytest.raises(IndexError):
            finder.squares(rows, np.array(bad), rows[7])
    for matrix, probe in ((rows[:, ::2], rows[7, :64]), (rows.astype(np.float64), rows[7]), (rows, rows[7, :64])):
        with pytest.raises(ValueError, match="C-contiguous"):
            finder.squares(matrix, wanted, probe)


def test_without_faiss_everybody_is_compared(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "faiss_present", lambda: False)
    rows = people(SMALL)
    ids = fill(gallery, rows)
    index = gallery.index("toy")
    assert index.exact
    assert [index.match(p, SCALE).identity for p in near(rows[:40], 0.3)] == ids[:40]


def test_a_gallery_becomes_large_with_the_one_that_makes_it_so(gallery: Gallery) -> None:
    rows = people(SMALL + 1)
    ids = fill(gallery, rows[: SMALL - 1])
    assert gallery.statistics().embedders["toy"]["exact"]
    assert gallery.index("toy").exact
    ids += fill(gallery, rows[SMALL - 1 :])
    again = Gallery(gallery.path, key=b"k" * 32, key_id="test")
    for one in (gallery, again):
        assert [one.index("toy").match(p, SCALE).identity for p in near(rows[-40:], 0.3)] == ids[-40:]


def test_what_is_read_again_is_what_a_new_process_reads(gallery: Gallery) -> None:
    """Adding, taking away and adding again, block after block."""
    rows, ids = people(2 * SMALL), []
    ids += fill(gallery, rows[:SMALL])
    gallery.index("toy")
    rng = np.random.default_rng(4)
    given = list(range(SMALL))
    for step in range(6):
        count = int(rng.integers(1, 200))
        more = rows[len(ids) : len(ids) + count]
        given += range(len(ids), len(ids) + len(more))
        ids += fill(gallery, more)
        for _ in range(3):
            gallery.revoke(ids[given.pop(int(rng.integers(len(given))))])
        again = Gallery(gallery.path, key=b"k" * 32, key_id="test")
        ours, theirs = gallery.index("toy"), again.index("toy")
        assert len(ours) == len(theirs) == len(given)
        probes = near(rows[: len(ids) : 37], 0.3, seed=step)
        assert [ours.match(p, SCALE) for p in probes] == [theirs.match(p, SCALE) for p in probes]
        assert sorted(map(tuple, ours.vectors[:, :2])) == sorted(map(tuple, rows[given][:, :2]))
        # Alone or among others: the same answer, each time it is asked.
        assert [ours.match(p, SCALE) for p in probes[::-1]][::-1] == [ours.match(p, SCALE) for p in probes]


def test_an_index_in_use_is_not_changed_under_its_user(gallery: Gallery) -> None:
    rows = people(SMALL + 5)
    ids = fill(gallery, rows[:SMALL])
    before = gallery.index("toy")
    probe = near(rows[:1], 0.2)[0]
    gallery.revoke(ids[0])
    fill(gallery, rows[SMALL:])
    assert gallery.index("toy").match(probe, SCALE).gallery == "none"
    assert before.match(probe, SCALE).identity == ids[0]


def test_only_what_changed_is_read_again(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = people(5000)
    fill(gallery, rows)
    gallery.index("toy")
    read: list[int] = []
    real = vectors.read
    monkeypatch.setattr(vectors, "read", lambda view, e, number: read.append(number) or real(view, e, number))
    fill(gallery, people(1, seed=5))
    read.clear()
    gallery.index("toy")
    assert read == [5000 // BLOCK]  # of forty blocks the last


def test_a_large_gallery_is_tampered_with(gallery: Gallery) -> None:
    import sqlite3

    fill(gallery, people(SMALL))
    for kind in ("sketches/1", "projection/1"):
        with sqlite3.connect(gallery.path) as db:
            (content,) = db.execute("SELECT content FROM blocks WHERE kind = ? AND number = 0", (kind,)).fetchone()
            db.execute("UPDATE blocks SET content = zeroblob(length(content)) WHERE kind = ? AND number = 0", (kind,))
            db.commit()
            with pytest.raises(GalleryError, match="changed by something else"):
                Gallery(gallery.path, key=b"k" * 32, key_id="test")
            db.execute("UPDATE blocks SET content = ? WHERE kind = ? AND number = 0", (content, kind))
        db.close()
    Gallery(gallery.path, key=b"k" * 32, key_id="test")
