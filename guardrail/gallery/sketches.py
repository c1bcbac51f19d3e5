"""Approximate search: 256 bits of each vector tell which vectors are worth comparing in full.

A sketch holds the signs of the vector's projections on random orthogonal directions, from the middle of all vectors
(Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002; orthogonal directions: Ji et al.,
"Super-bit locality-sensitive hashing", NIPS 2012). Two sketches differ in about angle/180° of their bits, with the
spread of a binomial distribution, so how many bits a face within a threshold can differ in is known beforehand: no
graph and no clusters to train, nothing that ages, and a row is added or taken out like any other. faiss (MIT) finds the
sketches within that many bits; the distances to what it finds are computed exactly. Directions and middle are kept with
the vectors, sealed like them, so that the same sketches come out on every machine.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BITS", "EXACT_ROWS", "SKETCH_BYTES", "Finder", "Projection", "faiss_present"]

Matrix = NDArray[np.float32]
Sketches = NDArray[np.uint8]

# Up to here everything is compared.
EXACT_ROWS = 50_000
BITS = 256
SKETCH_BYTES = BITS // 8
SIGMA_BITS = math.sqrt(BITS) / 2
# Of faces exactly at the threshold 0.4 % differ in more bits by chance, of nearer ones far fewer.
SURE = 2.65
# A threshold so loose that sketches hardly tell: comparing everything is right, and not slower by much.
LOOSE = BITS / 2 - 2.2 * SIGMA_BITS
# Every so many rows are looked at first: how near is the nearest of them, and how many are there within a radius?
SAMPLED = 64
# So many rows are compared in full at most, the nearest by their bits, give or take a fifth: 0.9 ms. Of a million
# vectors with the spectrum of faces, 18,000 lie within the bits of dlib's threshold for some probes; whom a probe of
# somebody enrolled had to find was in each of 300 cases among the first 500.
MOST_ROWS = 8192
SEED = 20_260_101


def faiss_present() -> bool:
    """Whether the extra ``gallery-large`` is there; without it every search is exact."""
    return importlib.util.find_spec("faiss") is not None


@dataclass(frozen=True, eq=False)
class Projection:
    """How sketches of one embedder's vectors are made.

    Args:
        middle: (dimension,) float32, subtracted first: vectors of some embedders all lie to one side.
        directions: (`BITS`, dimension) float32.
        length: of a typical vector from the middle.
    """

    middle: Matrix
    directions: Matrix
    length: float

    @classmethod
    def of(cls, middle: Matrix, length: float) -> Projection:
        dimension = len(middle)
        rng = np.random.default_rng(SEED)
        turns = [np.linalg.qr(rng.standard_normal((dimension, dimension)))[0] for _ in range(-(-BITS // dimension))]
        directions = np.ascontiguousarray(np.concatenate(turns)[:BITS], np.float32)
        return cls(np.asarray(middle, np.float32), directions, length)

    def sketches(self, vectors: Matrix) -> Sketches:
        """(n, `SKETCH_BYTES`) uint8 of (n, dimension) vectors."""
        return np.packbits((vectors - self.middle) @ self.directions.T > 0, axis=1)

    def most_bits(self, probe: Matrix, reach: float) -> int | None:
        """In how many bits a face within `reach` of the probe differs at most; ``None`` where nearly all would be let
        through."""
        return None if _bits(self.length, self.length, reach) > LOOSE else self.bits_within(probe, reach)

    def bits_within(self, probe: Matrix, reach: float) -> int:
        """The same, however many that lets through."""
        length = float(np.linalg.norm(probe - self.middle))
        # A face as long as most are; near the middle one no longer than the probe, for which the angle is wider.
        return int(_bits(length, min(length, self.length), reach))

    def encode(self) -> bytes:
        numbers = [self.middle, self.directions.ravel(), np.array([self.length], np.float32)]
        return np.concatenate(numbers).astype("<f4").tobytes()

    @classmethod
    def decode(cls, content: bytes, dimension: int) -> Projection:
        numbers = np.frombuffer(content, "<f4")
        return cls(numbers[:dimension], numbers[dimension:-1].reshape(BITS, dimension), float(numbers[-1]))


def _bits(length: float, other: float, reach: float) -> float:
    """In how many bits two vectors of these lengths differ at most when they are `reach` apart."""
    product = 2 * length * other
    # Law of cosines.
    cosine = (length**2 + other**2 - reach**2) / product if product else -1.0
    share = math.acos(min(1.0, max(-1.0, cosine))) / math.pi
    return BITS * share + SURE * math.sqrt(BITS * share * (1 - share))


class Finder:
    """Sketches of rows, in memory.

    Args:
        projection: how they were made.
        sketches: (rows, `SKETCH_BYTES`) uint8.

    Raises:
        ImportError: faiss is not installed; ask `faiss_present` first.
    """

    def __init__(self, projection: Projection, sketches: Sketches) -> None:
        import faiss

        self._faiss: Any = faiss
        self._projection = projection
        self._index: Any = self._faiss.IndexBinaryFlat(BITS)
        self._index.add(np.ascontiguousarray(sketches))
        self._sample: Any = self._faiss.IndexBinaryFlat(BITS)
        self._sample.add(np.ascontiguousarray(sketches[::SAMPLED]))
        # Counting is faster than a heap where many are asked for.
        self._sample.use_heap = False

    def near(self, probe: Matrix, reach: float) -> NDArray[np.int64] | None:
        """Which rows may be within `reach` of the probe, and at least one; ``None`` where it is no use to ask."""
        bits = self._projection.most_bits(probe, reach)
        return None if bits is None else self._rows(probe, bits)

    def nearest(self, probe: Matrix, reach: float) -> NDArray[np.int64]:
        """As `near`, also where it is little use: then those only that are nearest by their bits."""
        return self._rows(probe, self._projection.bits_within(probe, reach))

    def _rows(self, probe: Matrix, bits: int) -> NDArray[np.int64]:
        """Rows within so many bits: at least one, and not many more than `MOST_ROWS`, the nearest of them."""
        sketch = self._projection.sketches(probe[None])
        with self._one_thread():
            (sampled,), _ = self._sample.search(sketch, min(self._sample.ntotal, MOST_ROWS // SAMPLED))
            if len(sampled) == MOST_ROWS // SAMPLED:
                bits = min(bits, int(sampled[-1]))
            # faiss counts what differs in fewer bits than the radius.
            _, _, rows = self._index.range_search(sketch, max(bits, int(sampled[0])) + 1)
        return np.asarray(rows, np.int64)

    def squares(self, vectors: Matrix, rows: NDArray[np.integer[Any]], probe: Matrix) -> Matrix:
        """Squared distances of some rows of `vectors` to the probe, without copying them: (rows,) float32."""
        wanted = np.ascontiguousarray(rows, np.int64)
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(vectors):
            raise IndexError("no such row")
        asked = np.ascontiguousarray(probe, np.float32)
        if not (vectors.flags.c_contiguous and vectors.dtype == np.float32 and probe.shape == vectors.shape[1:]):
            raise ValueError("vectors are a C-contiguous matrix of float32, the probe is as long as they are")
        found = np.empty(len(wanted), np.float32)
        at = self._faiss.swig_ptr
        with self._one_thread():
            self._faiss.fvec_L2sqr_by_idx(
                at(found), at(asked), at(vectors), at(wanted), vectors.shape[1], 1, len(wanted)
            )
        return found

    @contextmanager
    def _one_thread(self) -> Iterator[None]:
        """A second thread has nothing to do for one probe but to wait in a loop: 26 ms of processor time instead of 2.
        The number belongs to the calling thread."""
        threads = self._faiss.omp_get_max_threads()
        self._faiss.omp_set_num_threads(1)
        try:
            yield
        finally:
            self._faiss.omp_set_num_threads(threads)
