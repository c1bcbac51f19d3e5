"""What is said of the gallery: whether a large one can be searched fast."""

from __future__ import annotations

from pathlib import Path

from guardrail.gallery.sketches import EXACT_ROWS, faiss_present

__all__ = ["gallery_remarks"]

# Vectors of the shortest embedders here: a file this large holds more than are worth comparing one by one.
SHORTEST_BYTES = 128 * 4


def gallery_remarks(path: Path) -> list[str]:
    """Judged by the size of the file: opening it is not for an examination.

    Args:
        path: the gallery, which need not be there.
    """
    if faiss_present() or not path.is_file() or path.stat().st_size <= EXACT_ROWS * SHORTEST_BYTES:
        return []
    return [
        f"{path} is large and faiss is not installed: each face is compared with everybody, which is right and slow; "
        "run: pip install 'guardrail-diffusion[gallery-large]'"
    ]
