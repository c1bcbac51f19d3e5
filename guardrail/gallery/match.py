"""Matching a face against the gallery, in two directions.

A false match in `protected` blocks somebody's harmless picture; a false match in `consented` would admit a picture of
somebody who never agreed. So protection matches at the loose threshold of the embedder, consent only at a stricter one
and with a margin over the next identity; and where both match, protection wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import GalleryError

__all__ = ["GalleryIndex", "IdentityMatch", "Scale"]


class Scale(Protocol):
    """The thresholds of an embedder (see `guardrail.checks.image.backends.base.MatchScale`)."""

    @property
    def same(self) -> float: ...
    @property
    def consent(self) -> float: ...
    @property
    def margin(self) -> float: ...
    def score(self, distance: float) -> float: ...


@dataclass(frozen=True, slots=True)
class IdentityMatch:
    """The nearest enrolled identity of one face.

    Args:
        match: 0..1, 0.5 at the threshold of the embedder; 0 for an empty gallery.
        gallery: which list it is on, ``none`` below the threshold.
        consent: ``yes`` for a sure match with a consent that covers the purpose; ``no`` for a protected identity or a
            consent that does not cover it; ``unknown`` otherwise.
        identity: id of the identity, empty for ``none``.
    """

    match: float
    gallery: Literal["protected", "consented", "none"]
    consent: Literal["yes", "no", "unknown"]
    identity: str = ""


_NOBODY = IdentityMatch(0.0, "none", "unknown")


@dataclass(frozen=True, eq=False)
class GalleryIndex:
    """The vectors of one embedder, in memory.

    Args:
        vectors: (n, dimension) float32, one row per enrolled picture.
        owners: for each row the index into `identities`.
        identities: (id, list, purposes) of each identity; no purposes means any.
    """

    vectors: NDArray[np.float32]
    owners: NDArray[np.intp]
    identities: Sequence[tuple[str, Literal["protected", "consented"], frozenset[str]]]

    def __len__(self) -> int:
        return len(self.identities)

    def match(self, probe: NDArray[np.float32], scale: Scale, purpose: str = "") -> IdentityMatch:
        """The answer for one face vector.

        Raises:
            GalleryError: the vector is not finite, or not of the length of those enrolled: it would be near nobody.
        """
        if not np.isfinite(probe).all():
            raise GalleryError("a face vector that is not finite cannot be matched")
        if not len(self.identities):
            return _NOBODY
        if probe.shape != self.vectors.shape[1:]:
            raise GalleryError("this face vector has another length than those enrolled for its embedder")
        rows = np.linalg.norm(self.vectors - probe, axis=1)
        nearest = np.full(len(self.identities), np.inf)
        np.minimum.at(nearest, self.owners, rows)
        kinds = np.array([kind == "protected" for _, kind, _ in self.identities])
        protected = np.where(kinds, nearest, np.inf)
        best_protected = int(protected.argmin())
        if protected[best_protected] <= scale.same:
            name = self.identities[best_protected][0]
            return IdentityMatch(scale.score(float(protected[best_protected])), "protected", "no", name)
        best = int(nearest.argmin())
        distance = float(nearest[best])
        if distance > scale.same:
            return IdentityMatch(scale.score(distance), "none", "unknown")
        name, _, purposes = self.identities[best]
        others = np.delete(nearest, best)
        runner_up = float(others.min(initial=np.inf))
        sure = distance <= scale.consent and runner_up >= distance + scale.margin
        if not sure:
            return IdentityMatch(scale.score(distance), "consented", "unknown", name)
        covered = not purposes or purpose in purposes
        return IdentityMatch(scale.score(distance), "consented", "yes" if covered else "no", name)
