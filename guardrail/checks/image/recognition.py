"""Whether a face that was covered can still be told: what a redaction has to hold against.

Two attacks, and for both the same yardstick. Verification: is it nearer to the untouched face than two people are?
Identification: of all who are enrolled, does it come out first? A flat fill has nothing of anybody, and still lies near
some people by chance, and some enrolled person is always the nearest to it. So a redaction must do no worse than that
constant answer (faces.md: judge by rank 1, at 18 % of the faces verified 73 % were still found).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from guardrail.checks.image.backends.base import Embedder, FloatArray
from guardrail.errors import CheckError
from guardrail.media.grown import flat as filled
from guardrail.media.grown import grown
from guardrail.media.types import Frame

if TYPE_CHECKING:
    from guardrail.checks.image.backends.base import DetectedFace
    from guardrail.gallery import GalleryIndex

__all__ = ["recognised"]

# A flat fill that covers a leaning face, or whose border another face touches, is not the very same as the one here:
# by how much less than it a redaction may be away, in distances of the embedder's margin.
SLACK_MARGINS = 0.4


def recognised(
    embedder: Embedder,
    before: Frame,
    face: DetectedFace,
    original: FloatArray,
    candidates: FloatArray,
    gallery: GalleryIndex | None,
) -> bool:
    """Whether any of the faces in an altered picture can be told.

    Args:
        before: (H, W, 3) RGB uint8, the untouched picture.
        face: in it.
        original: (dimension,) its vector.
        candidates: (n, dimension) vectors of what is now in its place.
        gallery: who is enrolled, if anybody.

    Raises:
        CheckError: a vector is not finite.
    """
    flat = embedder.embed(flattened(before, face.box), [face])[0]
    if not all(np.isfinite(v).all() for v in (flat, original, candidates)):
        raise CheckError("the face embedder gave a vector that is not finite")
    distances = np.linalg.norm(candidates - original, axis=1)
    nothing = float(np.linalg.norm(flat - original))
    scale = embedder.scale
    # The very same vector always counts, however near the fill lies.
    limit = scale.same if nothing > scale.same else max(0.0, nothing - SLACK_MARGINS * scale.margin)
    if bool((distances <= limit).any()):
        return True
    enrolled = gallery.near(original, scale) if gallery is not None else []
    if gallery is None or not enrolled:
        return False
    person = enrolled[0].identity
    return gallery.nearest(flat) != person and any(gallery.nearest(v) == person for v in candidates)


def flattened(image: Frame, box: tuple[float, float, float, float]) -> Frame:
    """The image with the grown box in the mean colour of its border: nothing of anybody is left there."""
    left, top, right, bottom = (max(0, edge) for edge in grown(box))
    out = image.copy()
    patch = out[top:bottom, left:right]
    if patch.size:
        patch[:] = filled(patch)
    return out
