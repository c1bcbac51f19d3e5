"""The hash lists in the data folder: one file each, read into one index, looked at again whenever a file changes."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from guardrail.errors import KnownImagesError
from guardrail.keys import Keyring
from guardrail.known.file import KINDS, SUFFIX, Rows, locked, read_rows, require_name, write_rows
from guardrail.known.loaded import Loaded
from guardrail.known.pictures import picture_id, picture_ids, rows_of_picture
from guardrail.known.probe import Hit, Probe
from guardrail.media.types import Frame

__all__ = ["HashList", "HashLists"]

_State = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class HashList:
    """What is known about one list, without its hashes.

    Args:
        name: what decisions call it.
        pictures: how many pictures are on it.
        hashes: how many hashes of each kind: ``pdq``, ``sha256`` (of files), ``pixels``.
    """

    name: str
    pictures: int
    hashes: dict[str, int]


class HashLists:
    """The lists in one folder. A `KnownImages`. Thread-safe.

    Args:
        folder: made with the first list.
        keyring: the lists are sealed under its active key; those under its older keys still open.

    Raises:
        KnownImagesError: a list cannot be read, or was changed or cut off.
    """

    def __init__(self, folder: Path, keyring: Keyring) -> None:
        self.folder = folder
        self._keyring = keyring
        self._lock = threading.Lock()
        self._state: _State = ()
        self._loaded = Loaded({})
        self._current()

    def asked(self) -> bool:
        """Whether any list has a hash on it.

        Raises:
            KnownImagesError: as `search`.
        """
        return len(self._current()) > 0

    def search(self, probe: Probe) -> Sequence[Hit]:
        """The lists that have the picture, each once; the very same picture before a similar one.

        Raises:
            KnownImagesError: a list was changed or cut off, or has vanished since it was read.
        """
        return self._current().search(probe)

    def lists(self) -> Sequence[HashList]:
        """All lists, by name.

        Raises:
            KnownImagesError: as `search`.
        """
        found = []
        for name, rows in sorted(self._current().rows.items()):
            if not rows.removed:
                counts = np.bincount(rows.kinds, minlength=len(KINDS)).tolist()
                found.append(HashList(name, len(rows.tags), dict(zip(KINDS, counts, strict=True))))
        return found

    # ---- changing them

    def add(self, name: str, frame: Frame, *, file: bytes = b"", tag: str = "") -> tuple[str, bool]:
        """Put a picture on a list. Only its hashes are kept: those of crops of it too, never the picture.

        Args:
            frame: (H, W, 3) RGB uint8.
            file: SHA-256 of its file; empty if it has none.

        Returns:
            Its id, for `remove`; and whether it has perceptual hashes: one with too little in it (a plain area) has
            not, and is only found again as the very same file or pixels.

        Raises:
            KnownImagesError: no such name can be, the list cannot be read or written.
        """
        more = rows_of_picture(frame, file, tag)
        self._merge(name, more)
        return picture_id(more.hashes[0].tobytes()), bool((more.kinds == KINDS.index("pdq")).any())

    def extend(self, name: str, rows: Rows) -> int:
        """Put hashes from elsewhere (see `guardrail.known.text`) on a list, without those that it has already.

        Returns:
            How many were new.

        Raises:
            KnownImagesError: as `add`.
        """
        return self._merge(name, rows)

    def remove(self, name: str, pictures: Sequence[str] = ()) -> int:
        """Take pictures off a list, or (none given) remove the whole list. It holds at once, in running guards too.

        Args:
            pictures: the ids that `add` gave, or hashes in hex.

        Returns:
            How many pictures were taken off.

        Raises:
            KnownImagesError: no such list, none of its pictures has one of the ids, or it cannot be written.
        """
        with locked(self.folder):
            rows = self._read(name)
            if rows is None:
                raise KnownImagesError(f"no list is called {name}")
            if not pictures:
                write_rows(self._path(name), Rows(removed=True), self._keyring)
                return len(rows.tags)
            ids = picture_ids(rows)
            gone = np.zeros(len(rows.tags), np.bool_)
            for wanted in pictures:
                found = ids.get(wanted.lower())
                if found is None:
                    raise KnownImagesError(f"the list {name} has no picture with this id or hash; nothing was removed")
                gone[list(found)] = True
            write_rows(self._path(name), rows.without(gone), self._keyring)
            return int(gone.sum())

    def _merge(self, name: str, more: Rows) -> int:
        with locked(self.folder):
            rows = self._read(name) or Rows()
            known = set(_first_hashes(rows))
            again = []
            for key in _first_hashes(more):
                again.append(key in known)
                known.add(key)
            new = more.without(np.array(again, np.bool_))
            if new.tags:
                write_rows(self._path(name), rows.and_(new), self._keyring)
            return len(new.tags)

    def _read(self, name: str) -> Rows | None:
        path = self._path(name)
        rows = read_rows(path, self._keyring) if path.exists() else None
        return None if rows is None or rows.removed else rows

    def _path(self, name: str) -> Path:
        return self.folder / f"{require_name(name)}{SUFFIX}"

    # ---- reading them

    def _current(self) -> Loaded:
        with self._lock:
            state = self._look()
            if state != self._state:
                present = {name.removesuffix(SUFFIX) for name, *_ in state}
                lost = sorted(n for n, rows in self._loaded.rows.items() if len(rows.hashes) and n not in present)
                if lost:
                    raise KnownImagesError(
                        f"the list {lost[0]} has vanished from {self.folder}; put your copy of it back "
                        f"(a list is removed with: guardrail known remove)"
                    )
                self._loaded = Loaded({n: read_rows(self._path(n), self._keyring) for n in sorted(present)})
                self._state = state
            return self._loaded

    def _look(self) -> _State:
        """Name, size and time of every list: what changes with each write. One look at the folder, for each picture."""
        try:
            with os.scandir(self.folder) as entries:
                found = [(e.name, e.stat()) for e in entries if e.name.endswith(SUFFIX) and e.name[0] != "."]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise KnownImagesError(f"{self.folder} cannot be read: {error.strerror or type(error).__name__}") from None
        return tuple(sorted((name, s.st_mtime_ns, s.st_size, s.st_ino) for name, s in found))


def _first_hashes(rows: Rows) -> list[tuple[int, bytes]]:
    """Kind and hash of the first row of each picture, by its number: by it a picture is known again."""
    _, first = np.unique(rows.pictures, return_index=True)
    return [(int(rows.kinds[i]), rows.hashes[i].tobytes()) for i in first]
