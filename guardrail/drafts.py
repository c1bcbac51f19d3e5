"""Files that are there as a whole or not at all, and one process at a time: what every room that writes them shares."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["draft_of", "locked", "write_whole"]


@contextlib.contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A free name beside `path`, to write to and to rename from; what is left there afterwards is deleted."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes, *, private: bool = False) -> None:
    """Put `content` in the place of the file: a full disk or an interruption leaves what was there before.

    A link is written through, and a file that is there keeps its mode.

    Args:
        private: a new file is readable by its owner alone.

    Raises:
        OSError: as writing it would.
    """
    place = path.resolve()
    with draft_of(place) as draft:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if place.exists():
            draft.chmod(place.stat().st_mode & 0o777)
        draft.replace(place)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds other processes off that lock the same file, which is made; where the system has such locks.

    Raises:
        OSError: it cannot be made.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
