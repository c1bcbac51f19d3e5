"""What the guard needs of a gallery, whoever keeps it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from guardrail.gallery.identity import Identity, ListName
from guardrail.gallery.match import GalleryIndex

__all__ = ["GalleryStore"]


class GalleryStore(Protocol):
    """What the guard needs of a gallery; `Gallery` is the shipped one."""

    def enrol(
        self,
        vectors: NDArray[np.float32],
        *,
        embedder: str,
        list: ListName,
        label: str = "",
        purposes: Iterable[str] = (),
        expires: dt.datetime | None = None,
        evidence: str = "",
        attested_by: str = "",
        check: Callable[[GalleryIndex], None] | None = None,
    ) -> Identity:
        """Add an identity with one vector per picture.

        `check` is called with the index of this embedder as it stands within the write, before anything is added;
        what it raises leaves everything as it was. Nobody else may write between the two.
        """
        ...

    def revoke(self, identity: str) -> Identity: ...
    def identities(self) -> Sequence[Identity]: ...
    def index(self, embedder: str) -> GalleryIndex:
        """What is active now; its `uncovered` counts whom this embedder cannot find."""
        ...
