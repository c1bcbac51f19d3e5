"""What the guard needs of a gallery, whoever keeps it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
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
    ) -> Identity: ...
    def revoke(self, identity: str) -> Identity: ...
    def identities(self) -> Sequence[Identity]: ...
    def index(self, embedder: str) -> GalleryIndex: ...
