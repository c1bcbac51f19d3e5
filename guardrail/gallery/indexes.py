"""The index of each embedder as it was read last, for as long as it holds."""

from __future__ import annotations

import threading

from guardrail.gallery.file import GalleryFile
from guardrail.gallery.loading import Loader
from guardrail.gallery.match import GalleryIndex
from guardrail.gallery.sealed import State, View

__all__ = ["Indexes"]


class Indexes:
    """Indexes of one gallery. Thread-safe."""

    def __init__(self, file: GalleryFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._loaders: dict[str, Loader] = {}
        self._known: dict[str, tuple[State, float, GalleryIndex]] = {}

    def latest(self, embedder: str, now: int) -> GalleryIndex:
        """The index of the gallery as it stands; `now` in seconds since 1970.

        Raises:
            GalleryError: the file cannot be read, or was changed by something else.
        """
        with self._lock:
            if (known := self._holding(embedder, self._file.state(), now)) is not None:
                return known
            with self._file.reading() as view:
                return self._read(view, embedder, now)

    def of(self, view: View, embedder: str, now: int) -> GalleryIndex:
        """The index of one state of the gallery, in which nothing was written yet.

        Raises:
            GalleryError: what is read was changed by something else.
        """
        with self._lock:
            known = self._holding(embedder, view.state, now)
            return self._read(view, embedder, now) if known is None else known

    def _holding(self, embedder: str, state: State, now: int) -> GalleryIndex | None:
        known = self._known.get(embedder)
        if known is not None and known[0] == state and now < known[1]:
            return known[2]
        # Let go of it before the next one is read: there may be room for one only.
        self._known.pop(embedder, None)
        return None

    def _read(self, view: View, embedder: str, now: int) -> GalleryIndex:
        index, ends = self._loaders.setdefault(embedder, Loader(embedder)).index(view, now)
        self._known[embedder] = (view.state, ends, index)
        return index
