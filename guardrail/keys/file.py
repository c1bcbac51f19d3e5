"""Writing a keyring file: private, as a whole or not at all, by one process at a time."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from guardrail.errors import KeyringError

__all__ = ["create", "locked", "replace", "writing"]


def create(path: Path, content: object) -> bool:
    """Make the file unless another process was faster. The link is atomic: nobody ever reads half a file.

    Raises:
        KeyringError: it cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _draft(path, content) as draft:
            try:
                os.link(draft, path)
            except FileExistsError:
                return False
    return True


def replace(path: Path, content: object) -> None:
    """Put `content` in the place of the file, as a whole or not at all."""
    with _draft(path, content) as draft:
        draft.replace(path)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raises what the system says of `path` as a KeyringError with the mend."""
    try:
        yield
    except OSError as error:
        raise KeyringError(
            f"{path} cannot be written ({error.strerror or type(error).__name__}); set GUARDRAIL_HOME to a folder "
            f"that can be, or give the key by $GUARDRAIL_KEY or $GUARDRAIL_KEY_FILE"
        ) from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds other processes off: two rotations at once would lose a key."""
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _draft(path: Path, content: object) -> Iterator[Path]:
    """`content` in a file of its own beside `path`, gone afterwards unless it was renamed."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        _write_private(draft, content)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _write_private(path: Path, content: object) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
