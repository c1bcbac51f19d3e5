"""What a gallery consists of: every block with its version, and the embedders whose vectors it holds.

The manifest is one small text, encrypted and bound to the count of changes. It names each block with the version that
was written last, and each block is encrypted with its place and version as associated data: so a block that was
changed, moved, left out, added or taken from an older copy does not open, and neither reading nor writing has to look
at the other blocks to know. Each change draws a version of its own, so that one version names one content whatever
copies of the file were put back in between, and what was read once need not be read again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from guardrail.errors import GalleryError

__all__ = ["Embedding", "Manifest"]


@dataclass(slots=True)
class Embedding:
    """Vectors of one embedder.

    Args:
        number: names its blocks, so that the embedder's name stands nowhere in the clear.
        dimension: numbers in each vector.
    """

    number: int
    dimension: int


@dataclass(slots=True)
class Manifest:
    """One state of a gallery.

    Args:
        gallery: random name, 32 hex digits: blocks of another gallery under the same key do not fit.
        changes: how often it was written.
        embedders: by name.
        blocks: kind → number → (version, rows); the version was drawn by the change that wrote the block.
    """

    gallery: str
    changes: int = 0
    embedders: dict[str, Embedding] = field(default_factory=dict)
    blocks: dict[str, dict[int, tuple[int, int]]] = field(default_factory=dict)

    def of(self, kind: str) -> dict[int, tuple[int, int]]:
        """The blocks of one kind, by number."""
        return self.blocks.get(kind, {})

    def rows(self, kind: str) -> int:
        """Rows in all blocks of one kind."""
        return sum(rows for _, rows in self.of(kind).values())

    def encode(self) -> bytes:
        content = {
            "gallery": self.gallery,
            "embedders": {n: [e.number, e.dimension] for n, e in self.embedders.items()},
            "blocks": {kind: [[n, *entry] for n, entry in sorted(of.items())] for kind, of in self.blocks.items()},
        }
        return json.dumps(content, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, content: bytes, changes: int) -> Manifest:
        """The manifest in `content`, which is authentic: only a key holder can have written something else.

        Raises:
            GalleryError: it is not written in this format.
        """
        try:
            found = json.loads(content)
            embedders = {name: Embedding(*entry) for name, entry in found["embedders"].items()}
            blocks = {kind: {n: (version, rows) for n, version, rows in of} for kind, of in found["blocks"].items()}
            return cls(found["gallery"], changes, embedders, blocks)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise GalleryError("the gallery was written by a newer guardrail; update this one") from None
