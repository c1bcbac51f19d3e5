"""A picture as rows of a list, and the ids by which it is taken off again."""

from __future__ import annotations

import hashlib

import numpy as np

from guardrail.errors import KnownImagesError
from guardrail.known.file import PDQ, PIXELS, SHA256, Rows
from guardrail.known.index import LARGEST_DISTANCE
from guardrail.known.probe import pixel_digest
from guardrail.media.pdq import USABLE_QUALITY, pdq
from guardrail.media.pdq_changes import cropped_hashes
from guardrail.media.types import Frame

__all__ = ["picture_id", "picture_ids", "rows_of_picture"]


def rows_of_picture(frame: Frame, file: bytes = b"", tag: str = "") -> Rows:
    """The hashes of one picture: of its pixels first, of its file, and PDQ of it and of crops of it.

    Raises:
        KnownImagesError: the tag has a line break in it.
    """
    if "\n" in tag:
        raise KnownImagesError("a tag is one line")
    hashes, kinds = [np.frombuffer(pixel_digest(frame), np.uint8)], [PIXELS]
    if file:
        hashes.append(np.frombuffer(file, np.uint8))
        kinds.append(SHA256)
    perceptual, quality = pdq(frame)
    if quality >= USABLE_QUALITY:
        # The queries come in all orientations: here the picture as it is will do.
        crops = cropped_hashes(frame)
        hashes += [perceptual[0], *crops]
        kinds += [PDQ] * (1 + len(crops))
    count = len(hashes)
    return Rows(
        np.stack(hashes),
        np.array(kinds, np.uint8),
        np.full(count, LARGEST_DISTANCE, np.uint8),
        np.zeros(count, np.uint32),
        (tag,),
    )


def picture_id(first: bytes) -> str:
    """16 hex digits that follow from a picture's first hash, so that the same picture always has the same id."""
    return hashlib.sha256(b"picture " + first).hexdigest()[:16]


def picture_ids(rows: Rows) -> dict[str, set[int]]:
    """The pictures by id, and by the hex form of every hash of them."""
    found: dict[str, set[int]] = {}
    seen: set[int] = set()
    for value, picture in zip(rows.hashes, rows.pictures.tolist(), strict=True):
        content = value.tobytes()
        found.setdefault(content.hex(), set()).add(picture)
        if picture not in seen:
            seen.add(picture)
            found.setdefault(picture_id(content), set()).add(picture)
    return found
