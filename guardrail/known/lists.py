"""The hash lists in the data folder: one file each, read into one index, looked at again whenever a file changes."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from guardrail.errors import KnownImagesError
from guardrail.keys import Keyring
from guardrail.known.file import (
    KINDS,
    PDQ,
    PIXELS,
    SUFFIX,
    Rows,
    locked,
    read_rows,
    require_name,
    sealed_under,
    write_rows,
)
from guardrail.known.loaded import Loaded
from guardrail.known.merge import Merged, merged
from guardrail.known.pictures import picture_id, picture_ids, rows_of_image, rows_of_picture
from guardrail.known.probe import Hit, Probe
from guardrail.media.types import Frame, ImageInput

__all__ = ["Added", "HashList", "HashLists"]

_State = tuple[tuple[str, int, int, int], ...]
By = Literal["perceptual", "pixels", "file"]


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

    @classmethod
    def of(cls, name: str, rows: Rows) -> HashList:
        """Counted from the rows of a list."""
        counts = np.bincount(rows.kinds, minlength=len(KINDS)).tolist()
        return cls(name, len(rows.tags), dict(zip(KINDS, counts, strict=True)))


class Added(NamedTuple):
    """What `HashLists.add_image` put on a list.

    Args:
        pictures: id → the best that it is found by: ``perceptual``; ``pixels`` where it is too plain for that; ``file``
            where all of a file is of one colour. One for each frame and view that is a picture.
        left_out: how many frames and views are of one colour. What looks like them is found everywhere, so only the
            hash of their file is kept.
    """

    pictures: dict[str, By]
    left_out: int


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
        return [HashList.of(name, rows) for name, rows in sorted(self._current().rows.items()) if not rows.removed]

    # ---- changing them

    def add(self, name: str, frame: Frame, *, file: bytes = b"", tag: str = "") -> tuple[str, bool]:
        """Put a picture on a list. Only its hashes are kept: those of crops of it too, never the picture.

        Args:
            frame: (H, W, 3) RGB uint8.
            file: SHA-256 of its file; empty if it has none.

        Returns:
            Its id, for `remove`; and whether it has perceptual hashes: one with too little in it (a plain area) has
            not, and is only found again as the very same file or pixels (as the file only, if it is of one colour).

        Raises:
            KnownImagesError: no such name can be, the list cannot be read or written, or the picture is of one colour:
                on a list it would stand for every picture of that colour.
        """
        more = rows_of_picture(frame, file, tag)
        self._merge(name, more)
        return picture_id(more.hashes[0].tobytes()), bool((more.kinds == PDQ).any())

    def add_image(self, name: str, image: ImageInput, *, tag: str = "") -> Added:
        """Put every frame and every view of a decoded file on a list, all of them or none; as `add`.

        Raises:
            KnownImagesError: as `add`; of one colour only where the image has no file.
        """
        more, left_out = rows_of_image(image, tag)
        self._merge(name, more)
        found_by: dict[str, By] = {}
        for number in range(len(more.tags)):
            of_it = np.flatnonzero(more.pictures == number)
            kinds = set(more.kinds[of_it].tolist())
            by: By = "perceptual" if PDQ in kinds else "pixels" if PIXELS in kinds else "file"
            found_by[picture_id(more.hashes[of_it[0]].tobytes())] = by
        return Added(found_by, left_out)

    def extend(self, name: str, rows: Rows) -> Merged:
        """Put hashes from elsewhere (see `guardrail.known.text`) on a list. Of those that it has already, the larger
        distance is kept.

        Returns:
            How many were new, and how many match up to a larger distance now.

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

    def rekey(self) -> tuple[str, ...]:
        """Seal every list that is under an older key anew under the active one, removed lists too. Each file is
        replaced as a whole or not at all; where one fails, those before it are done, and the next call goes on there.

        Returns:
            The names of those that were under another key.

        Raises:
            KnownImagesError: a list cannot be read or written, or was changed or cut off.
        """
        done = []
        with locked(self.folder):
            for name in sorted(name.removesuffix(SUFFIX) for name, *_ in self._look()):
                path = self._path(name)
                if sealed_under(path) != self._keyring.active:
                    write_rows(path, read_rows(path, self._keyring), self._keyring)
                    done.append(name)
        return tuple(done)

    def _merge(self, name: str, more: Rows) -> Merged:
        with locked(self.folder):
            rows, done = merged(self._read(name) or Rows(), more)
            if any(done):
                write_rows(self._path(name), rows, self._keyring)
            return done

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
