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

Kind = Literal["duplicate", "protected", "like-protected", "consented"]
_MENDS = {
    "duplicate": "add the pictures to that entry, renew it, or accept the duplicate if it is somebody else",
    "protected": "protection wins, so this consent would never hold; revoke that entry first if the person agrees, "
    "or take other photographs if it is somebody else",
    "like-protected": "compare the photographs, and accept that entry if it is somebody else",
}


@dataclass(frozen=True, slots=True)
class Conflict:
    """A face that is to be enrolled is near an identity that is enrolled.

    Args:
        kind: ``duplicate`` on the same list; ``protected`` where a consent meets a protected identity that a search
            would find; ``like-protected`` where it is as near as two pictures of one person are, and a search among as
            many would not say so; ``consented`` where a protection meets a consent, which it overrules.
        identity: id of the enrolled one.
        distance: between the nearest two pictures, in the embedder's units.
    """

    kind: Kind
    identity: str
    distance: float

    def describe(self) -> str:
        if self.kind == "consented":
            return f"this face is enrolled with a consent, {self.identity}; from now on protection wins"
        if self.kind == "like-protected":
            return f"this face may be somebody on the protected list, {self.identity}: {_MENDS[self.kind]}"
        on = "the protected list" if self.kind == "protected" else "this list"
        return f"this face is enrolled on {on} already, {self.identity}: {_MENDS[self.kind]}"


def find_conflicts(
    index: GalleryIndex, vectors: NDArray[np.float32], scale: Scale, *, list: str, besides: Collection[str] = ()
) -> tuple[Conflict, ...]:
    """Everybody who is as near to one of the vectors as two pictures of one person are, nearest first; `besides` some.

    That is the threshold of a pair, however many are enrolled. The one of a search is stricter the more there are, so
    that few pictures are blocked falsely; here a false conflict costs somebody a look, and a missed one a protection.

    Raises:
        GalleryError: a vector is not finite, or of another length than those enrolled.
    """
    protect = index.thresholds(scale).protect if len(index) else scale.same
    nearest: dict[str, Conflict] = {}
    for vector in vectors:
        for found in index.within(vector, scale.same):
            known = nearest.get(found.identity)
            if found.identity in besides or (known is not None and known.distance <= found.distance):
                continue
            kind: Any = "duplicate" if found.list == list else found.list
            if kind == "protected" and found.distance > protect:
                kind = "like-protected"
            nearest[found.identity] = Conflict(kind, found.identity, found.distance)
    return tuple(sorted(nearest.values(), key=lambda c: (c.distance, c.identity)))


def refuse(conflicts: Iterable[Conflict], accept: Collection[str]) -> None:
    """Raise on conflicts that nobody accepted.

    A protection that overrules a consent needs no leave. A consent for somebody whom a search finds on the protected
    list gets none.

    Raises:
        GalleryConflict: with all of them.
    """
    accepted = [c for c in conflicts if c.kind in ("duplicate", "like-protected") and c.identity in accept]
    refused = [c for c in conflicts if c.kind != "consented" and c not in accepted]
    if refused:
        raise GalleryConflict(refused)
