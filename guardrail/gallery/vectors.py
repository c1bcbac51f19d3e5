"""Face vectors in encrypted blocks: for each block of vectors a small one that says whose they are.

Kinds ``owners/N`` and ``vectors/N``, with N the number of the embedder, and in large galleries ``sketches/N`` (see
`guardrail.gallery.sketches`); blocks of the same number belong together. To find or take out somebody's vectors, only
the small blocks are read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import GalleryError
from guardrail.gallery.manifest import Embedding
from guardrail.gallery.sealed import BLOCK_ROWS, Change, View
from guardrail.gallery.sketches import EXACT_ROWS, SKETCH_BYTES, Projection

__all__ = ["append", "embedders_of", "of_identity", "owners_of", "projection", "read", "remove", "sketches"]

Matrix = NDArray[np.float32]
Owners = NDArray[np.uint64]


def read(view: View, embedding: Embedding, number: int) -> Matrix:
    """One block of vectors, (rows, dimension) float32."""
    content = view.get(f"vectors/{embedding.number}", number)
    return np.frombuffer(content, "<f4").reshape(-1, embedding.dimension)


def owners(view: View, embedding: Embedding, number: int) -> Owners:
    """Whose the vectors of a block are, (rows,)."""
    return np.frombuffer(view.get(f"owners/{embedding.number}", number), "<u8")


def sketches(content: bytes) -> NDArray[np.uint8]:
    """A block of sketches, (rows, bytes)."""
    return np.frombuffer(content, np.uint8).reshape(-1, SKETCH_BYTES)


def owners_of(view: View, embedding: Embedding) -> Iterator[tuple[int, Owners]]:
    """For each block its number and its owners."""
    for number in sorted(view.manifest.of(f"owners/{embedding.number}")):
        yield number, owners(view, embedding, number)


def projection(view: View, embedding: Embedding) -> Projection | None:
    """How sketches are made here; ``None`` while the gallery is small."""
    kind = f"projection/{embedding.number}"
    return Projection.decode(view.get(kind, 0), embedding.dimension) if view.manifest.of(kind) else None


def append(change: Change, embedder: str, whose: Owners, vectors: Matrix) -> None:
    """Add vectors, one owner each; the last block is filled first.

    Raises:
        GalleryError: they are of another length than those of the same embedder.
    """
    embedding = _embedding(change, embedder, vectors.shape[1])
    kind = f"owners/{embedding.number}"
    made = projection(change, embedding)
    number, start = max(change.manifest.of(kind), default=-1), 0
    while start < len(whose):
        filled = change.manifest.of(kind).get(number, (0, BLOCK_ROWS))[1]
        if filled >= BLOCK_ROWS:
            number, filled = number + 1, 0
        end = start + BLOCK_ROWS - filled
        block, matrix = whose[start:end], vectors[start:end]
        if filled:
            block = np.concatenate([owners(change, embedding, number), block])
            matrix = np.concatenate([read(change, embedding, number), matrix])
        _put(change, embedding, number, block, matrix, made)
        start = end
    if made is None and change.manifest.rows(kind) >= EXACT_ROWS:
        _sketch_all(change, embedding)


def remove(change: Change, identity: int) -> None:
    """Take all vectors of an identity out, of every embedder."""
    for name, embedding in list(change.manifest.embedders.items()):
        made = projection(change, embedding)
        for number, whose in list(owners_of(change, embedding)):
            kept = whose != identity
            if kept.any() and not kept.all():
                _put(change, embedding, number, whose[kept], read(change, embedding, number)[kept], made)
            elif not kept.any():
                _drop(change, embedding, number)
        if not change.manifest.of(f"owners/{embedding.number}"):
            # Nobody is left: what was computed from their vectors goes too.
            for number in list(change.manifest.of(f"projection/{embedding.number}")):
                change.drop(f"projection/{embedding.number}", number)
            del change.manifest.embedders[name]


def of_identity(view: View, embedder: str, identity: int) -> Matrix:
    """The vectors of one identity, (pictures, dimension)."""
    embedding = view.manifest.embedders.get(embedder)
    if embedding is None:
        return np.zeros((0, 1), np.float32)
    found = [
        read(view, embedding, number)[whose == identity]
        for number, whose in owners_of(view, embedding)
        if (whose == identity).any()
    ]
    return np.concatenate(found) if found else np.zeros((0, embedding.dimension), np.float32)


def embedders_of(view: View, wanted: Collection[int] | None = None) -> dict[int, tuple[str, ...]]:
    """For each identity (or each of `wanted`) the embedders that it has vectors of."""
    found: dict[int, list[str]] = {}
    for name in sorted(view.manifest.embedders):
        whose = [block for _, block in owners_of(view, view.manifest.embedders[name])]
        present = np.unique(np.concatenate(whose)) if whose else np.zeros(0, np.uint64)
        if wanted is not None:
            present = present[np.isin(present, np.array(sorted(wanted), np.uint64))]
        for owner in present.tolist():
            found.setdefault(owner, []).append(name)
    return {owner: tuple(names) for owner, names in found.items()}


def _put(
    change: Change, embedding: Embedding, number: int, whose: Owners, vectors: Matrix, made: Projection | None
) -> None:
    change.put(f"owners/{embedding.number}", number, whose.astype("<u8").tobytes(), len(whose))
    change.put(f"vectors/{embedding.number}", number, np.ascontiguousarray(vectors, "<f4").tobytes(), len(whose))
    if made is not None:
        change.put(f"sketches/{embedding.number}", number, made.sketches(vectors).tobytes(), len(whose))


def _drop(change: Change, embedding: Embedding, number: int) -> None:
    for kind in ("owners", "vectors", "sketches"):
        if number in change.manifest.of(f"{kind}/{embedding.number}"):
            change.drop(f"{kind}/{embedding.number}", number)


def _sketch_all(change: Change, embedding: Embedding) -> None:
    """The gallery just became a large one."""
    numbers = sorted(change.manifest.of(f"vectors/{embedding.number}"))
    total = np.zeros(embedding.dimension)
    for number in numbers:
        total += read(change, embedding, number).sum(0, dtype=np.float64)
    middle = (total / change.manifest.rows(f"vectors/{embedding.number}")).astype(np.float32)
    lengths = [np.linalg.norm(read(change, embedding, n) - middle, axis=1) for n in numbers]
    made = Projection.of(middle, float(np.median(np.concatenate(lengths))))
    change.put(f"projection/{embedding.number}", 0, made.encode(), 1)
    for number in numbers:
        found = made.sketches(read(change, embedding, number))
        change.put(f"sketches/{embedding.number}", number, found.tobytes(), len(found))


def _embedding(change: Change, embedder: str, dimension: int) -> Embedding:
    known = change.manifest.embedders
    if embedder not in known:
        known[embedder] = Embedding(1 + max((e.number for e in known.values()), default=0), dimension)
    if known[embedder].dimension != dimension:
        raise GalleryError(f"the vectors of {embedder} in this gallery have another length than these")
    return known[embedder]
