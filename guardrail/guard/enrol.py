"""Enrolling a person: from photographs to vectors in the gallery, with the quality that a later match depends on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from guardrail.checks.image.backends.base import DetectedFace, FaceDetector
from guardrail.errors import GalleryError
from guardrail.gallery import Gallery, GalleryIndex, GalleryStore, Identity
from guardrail.guard.conflicts import find_conflicts, refuse
from guardrail.guard.portrait import SMALLEST_FACE_PIXELS, fault
from guardrail.media import Limits
from guardrail.media.read import read_image
from guardrail.media.types import Frame

__all__ = ["SMALLEST_FACE_PIXELS", "add_photos", "enrol", "read_photos"]

# A second face this much smaller is somebody in the background.
BACKGROUND = 0.4


class Faces(Protocol):
    """What enrolment needs of the face check."""

    detector: FaceDetector
    embedder: Any

    def vectors(self, image: Frame, faces: Sequence[DetectedFace]) -> Any: ...


def enrol(
    faces: Faces,
    gallery: GalleryStore,
    photos: Sequence[Any],
    *,
    list: Literal["protected", "consented"],
    label: str = "",
    purposes: Iterable[str] = (),
    expires: dt.datetime | None = None,
    evidence: str = "",
    attested_by: str = "",
    accept: Collection[str] = (),
    names: Sequence[str] = (),
    limits: Limits | None = None,
) -> Identity:
    """Enrol one person from one or more photographs (three or more from different days match best).

    Args:
        faces: the face check whose embedder the gallery will be asked with.
        photos: paths, bytes, PIL images, arrays or tensors; each must show one person.
        evidence, attested_by: what shows the consent, and who says so (see `guardrail.gallery.Attestation`).
        accept: ids of enrolled identities that look the same and are somebody else, twins for example.
        names: what errors call the photographs, for whoever named them; by default their numbers, since the name of a
            file can be somebody's.

    Raises:
        GalleryConflict: the face is enrolled already, or is protected while a consent is asked for.
        GalleryError: no face, several faces, one that is too small, blurred or turned away, or pictures of different
            people.
        InputError: a photo cannot be read.
    """
    vectors = read_photos(faces, photos, names=names, limits=limits)

    def unknown(index: GalleryIndex) -> None:
        refuse(find_conflicts(index, vectors, faces.embedder.scale, list=list), accept)

    # Looked at before the gallery is locked, which leaves little to be read anew while it is.
    unknown(gallery.index(faces.embedder.name))
    return gallery.enrol(
        vectors,
        embedder=faces.embedder.name,
        list=list,
        label=label,
        purposes=purposes,
        expires=expires,
        evidence=evidence,
        attested_by=attested_by,
        check=unknown,
    )


def add_photos(
    faces: Faces,
    gallery: Gallery,
    identity: str,
    photos: Sequence[Any],
    *,
    evidence: str = "",
    attested_by: str = "",
    accept: Collection[str] = (),
    names: Sequence[str] = (),
    limits: Limits | None = None,
) -> Identity:
    """Add photographs of a person who is enrolled.

    With vectors of the same embedder they are compared. Of another embedder nobody can: then somebody has to attest
    that they show the same person.

    Raises:
        GalleryConflict: the face is that of another identity.
        GalleryError: the pictures show somebody else, nobody attests them, no such identity, a revoked one, or as
            `enrol`.
    """
    known = gallery.identity(identity)
    vectors = read_photos(faces, photos, names=names, limits=limits)
    enrolled = gallery.vectors(identity, faces.embedder.name)
    if not len(enrolled) and not attested_by:
        raise GalleryError(
            f"{identity} has no pictures of the embedder {faces.embedder.name} to compare with; "
            "say who attests that these show the same person"
        )
    if len(enrolled) and float(_apart(vectors, enrolled).min(axis=1).max()) > faces.embedder.scale.same:
        raise GalleryError(f"the photographs do not look like {identity} to the embedder")

    def unknown(index: GalleryIndex) -> None:
        refuse(find_conflicts(index, vectors, faces.embedder.scale, list=known.list, besides=[identity]), accept)

    unknown(gallery.index(faces.embedder.name))
    return gallery.add_pictures(
        identity, vectors, embedder=faces.embedder.name, evidence=evidence, attested_by=attested_by, check=unknown
    )


def read_photos(
    faces: Faces, photos: Sequence[Any], *, names: Sequence[str] = (), limits: Limits | None = None
) -> NDArray[np.float32]:
    """One vector per photograph, all of one person and each of a face that is good enough.

    Raises:
        GalleryError: no face, several faces, one that is too small, blurred or turned away, or pictures of different
            people.
        InputError: a photo cannot be read.
    """
    if not photos:
        raise GalleryError("give at least one photograph")
    found = []
    names = names or [f"photograph {number}" for number in range(1, len(photos) + 1)]
    for name, photo in zip(names, photos, strict=True):
        (frame,) = read_image(photo, argument=name, limits=limits).frames[:1]
        pixels = np.ascontiguousarray(frame[..., :3])
        face = _only_face(faces.detector.detect(pixels), name)
        if wrong := fault(pixels, face):
            raise GalleryError(f"the face in {name} {wrong}")
        found.append(faces.vectors(pixels, [face])[0])
    stacked = np.stack(found)
    if not np.isfinite(stacked).all():
        # NaN is not farther away than the threshold: the comparison below would let it through.
        raise GalleryError("there is no usable face vector to enrol")
    if float(_apart(stacked, stacked).max()) > faces.embedder.scale.same:
        raise GalleryError("the photographs do not look like one person to the embedder")
    return stacked


def _apart(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distances of each to each."""
    distances: NDArray[np.float32] = np.linalg.norm(some[:, None] - others[None], axis=-1)
    return distances


def _only_face(found: Sequence[DetectedFace], name: str) -> DetectedFace:
    if not found:
        raise GalleryError(f"no face was found in {name}")
    by_size = sorted(found, key=lambda f: f.box[2] * f.box[3], reverse=True)
    largest = by_size[0]
    if len(by_size) > 1 and by_size[1].box[2] > BACKGROUND * largest.box[2]:
        raise GalleryError(f"{name} shows several people; crop it to the one to enrol")
    return largest
