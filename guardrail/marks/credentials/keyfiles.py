"""Certificate chains and private keys in files."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

from guardrail.errors import ConfigurationError, KeyringError
from guardrail.marks.credentials.certificates import Chain, load_chain

__all__ = ["read_chain", "read_private"]

_LARGEST_FILE_BYTES = 1 << 20


def read_chain(path: str | Path) -> Chain:
    """A certificate chain in PEM; what else is in the file is left out.

    Raises:
        ConfigurationError: it cannot be read, or is no chain.
    """
    return load_chain(_read(Path(path), ConfigurationError))


def read_private(path: Path) -> bytes:
    """The content of a file that its owner alone can read.

    Raises:
        KeyringError: it cannot be read, or others can.
    """
    content = _read(path, KeyringError)
    if sys.platform != "win32" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyringError(f"{path} can be read by other users; run: chmod 600 {path}")
    return content


def _read(path: Path, kind: type[ConfigurationError]) -> bytes:
    try:
        if not path.is_file():
            raise kind(f"{path} is not a file")
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise kind(f"{path} is too large for certificates or a key")
        return path.read_bytes()
    except OSError as error:
        raise kind(f"{path} cannot be read ({error.strerror or type(error).__name__})") from None
