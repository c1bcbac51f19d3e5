"""A picture as rows of a list, and the ids by which it is taken off again."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import KnownImagesError
from guardrail.known.file import PDQ, PIXELS, SHA256, Rows
from guardrail.known.index import LARGEST_DISTANCE
from guardrail.known.probe import pixel_digest
from guardrail.media.pdq import USABLE_QUALITY, pdq
from guardrail.media.pdq_changes import cropped_hashes
from guardrail.media.types import Frame, ImageInput

__all__ = ["picture_id", "picture_ids", "rows_of_image", "rows_of_picture"]

# Up to so many of 256 values in every channel are one colour: rounding, and what JPEG makes of a plain area.
ONE_COLOUR_VALUES = 8


def rows_of_image(image: ImageInput, tag: str = "") -> tuple[Rows, int]:
    """The hashes of every frame and view of an image; and how many were left out, since they are of one colour: the
    views of transparent pixels over black and white, frames between two scenes. If all are, its file is kept.

    Raises:
        KnownImagesError: the tag has a line break in it; all is of one colour and there is no file.
    """
    rows, plain, left_out = None, image.frames[0][:1, :1], 0
    for _, view in image.views():
        if _one_colour(view):
            left_out += 1
            continue
        of_view = rows_of_picture(view, image.file_sha256, tag)
        rows = of_view if rows is None else rows.and_(of_view)
    return rows_of_picture(plain, image.file_sha256, tag) if rows is None else rows, left_out


def rows_of_picture(frame: Frame, file: bytes = b"", tag: str = "") -> Rows:
    """The hashes of one picture: of its pixels first, of its file, and PDQ of it and of crops of it. Where it is of one
    colour, that of its file only: black pixels are those of every black picture, such as safety checkers give out.

    Raises:
        KnownImagesError: the tag has a line break in it; the picture is of one colour and has no file.
    """
    if "\n" in tag:
        raise KnownImagesError("a tag is one line")
    hashes: list[NDArray[np.uint8]] = []
    kinds: list[int] = []
    if not _one_colour(frame):
        hashes.append(np.frombuffer(pixel_digest(frame), np.uint8))
        kinds.append(PIXELS)
    elif not file:
        raise KnownImagesError(
            "the picture is of one colour: on a list it would stand for every picture of that colour"
        )
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


def _one_colour(frame: Frame) -> bool:
    flat = frame[..., :3].reshape(-1, 3)
    return int((flat.max(0).astype(np.intp) - flat.min(0)).max()) < ONE_COLOUR_VALUES


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
