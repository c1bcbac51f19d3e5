"""Enrolling a person: from photographs to vectors in the gallery, with the quality that a later match depends on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol

import numpy as np

from guardrail.checks.image.backends.base import DetectedFace, FaceDetector
from guardrail.errors import GalleryError
from guardrail.gallery import GalleryStore, Identity
from guardrail.media import Limits
from guardrail.media.read import read_image
from guardrail.media.types import Frame

__all__ = ["enrol"]

# Measured: under 32 pixels a face loses its identity to the embedder; enrolment asks for twice that.
SMALLEST_FACE_PIXELS = 64
# A second face this much smaller is somebody in the background.
BACKGROUND = 0.4


class _Faces(Protocol):
    detector: FaceDetector
    embedder: Any

    def vectors(self, image: Frame, faces: Sequence[DetectedFace]) -> Any: ...


def enrol(
    faces: _Faces,
    gallery: GalleryStore,
    photos: Sequence[Any],
    *,
    list: Literal["protected", "consented"],
    label: str = "",
    purposes: Iterable[str] = (),
    expires: dt.datetime | None = None,
    limits: Limits | None = None,
) -> Identity:
    """Enrol one person from one or more photographs (three or more from different days match best).

    Args:
        faces: the face check whose embedder the gallery will be asked with.
        photos: paths, bytes, PIL images, arrays or tensors; each must show one person.

    Raises:
        GalleryError: no face, several faces, a face that is too small, or pictures of different people.
        InputError: a photo cannot be read.
    """
    if not photos:
        raise GalleryError("give at least one photograph")
    vectors = []
    for number, photo in enumerate(photos, 1):
        (frame,) = read_image(photo, limits=limits).frames[:1]
        pixels = np.ascontiguousarray(frame[..., :3])
        vectors.append(faces.vectors(pixels, [_only_face(faces.detector.detect(pixels), number)])[0])
    stacked = np.stack(vectors)
    apart = np.linalg.norm(stacked[:, None] - stacked[None], axis=-1)
    if float(apart.max()) > faces.embedder.scale.same:
        raise GalleryError("the photographs do not look like one person to the embedder")
    return gallery.enrol(
        stacked, embedder=faces.embedder.name, list=list, label=label, purposes=purposes, expires=expires
    )


def _only_face(found: Sequence[DetectedFace], number: int) -> DetectedFace:
    if not found:
        raise GalleryError(f"no face was found in photograph {number}")
    by_size = sorted(found, key=lambda f: f.box[2] * f.box[3], reverse=True)
    largest = by_size[0]
    if len(by_size) > 1 and by_size[1].box[2] > BACKGROUND * largest.box[2]:
        raise GalleryError(f"photograph {number} shows several people; crop it to the one to enrol")
    side = min(largest.box[2], largest.box[3])
    if side < SMALLEST_FACE_PIXELS:
        raise GalleryError(
            f"the face in photograph {number} is {side:.0f} pixels, {SMALLEST_FACE_PIXELS} are needed for a sure match"
        )
    return largest
