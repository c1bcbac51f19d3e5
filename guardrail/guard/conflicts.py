"""What an enrolment contradicts: the same face under another identity, on the same list or on the other one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import GalleryConflict
from guardrail.gallery import GalleryIndex, Scale

__all__ = ["Conflict", "find_conflicts", "refuse"]

Kind = Literal["duplicate", "protected", "consented"]
_MENDS = {
    "duplicate": "add the pictures to that entry, renew it, or accept the duplicate if it is somebody else",
    "protected": "protection wins, so this consent would never hold; revoke that entry first if the person agrees",
}


@dataclass(frozen=True, slots=True)
class Conflict:
    """A face that is to be enrolled is near an identity that is enrolled.

    Args:
        kind: ``duplicate`` on the same list; ``protected`` where a consent meets a protected identity; ``consented``
            where a protection meets a consent, which it overrules.
        identity: id of the enrolled one.
        distance: between the nearest two pictures, in the embedder's units.
    """

    kind: Kind
    identity: str
    distance: float

    def describe(self) -> str:
        if self.kind == "consented":
            return f"this face is enrolled with a consent, {self.identity}; from now on protection wins"
        on = "the protected list" if self.kind == "protected" else "this list"
        return f"this face is enrolled on {on} already, {self.identity}: {_MENDS[self.kind]}"


def find_conflicts(
    index: GalleryIndex, vectors: NDArray[np.float32], scale: Scale, *, list: str, besides: Collection[str] = ()
) -> tuple[Conflict, ...]:
    """Everybody whom one of the vectors could be taken for, nearest first; `besides` some.

    Raises:
        GalleryError: a vector is not finite, or of another length than those enrolled.
    """
    nearest: dict[str, Conflict] = {}
    for vector in vectors:
        for found in index.near(vector, scale):
            known = nearest.get(found.identity)
            if found.identity in besides or (known is not None and known.distance <= found.distance):
                continue
            kind: Any = "duplicate" if found.list == list else found.list
            nearest[found.identity] = Conflict(kind, found.identity, found.distance)
    return tuple(sorted(nearest.values(), key=lambda c: (c.distance, c.identity)))


def refuse(conflicts: Iterable[Conflict], accept: Collection[str]) -> None:
    """Raise on conflicts that nobody accepted.

    A protection that overrules a consent needs no leave. A consent for somebody on the protected list gets none.

    Raises:
        GalleryConflict: with all of them.
    """
    refused = [c for c in conflicts if c.kind == "protected" or (c.kind == "duplicate" and c.identity not in accept)]
    if refused:
        raise GalleryConflict(refused)
