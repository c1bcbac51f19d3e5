"""The file of one list: sealed and encrypted as a whole (AES-256-GCM), so that a changed or cut one does not open.

Hashes of intimate pictures are not harmless: a coarse picture can be guessed from a perceptual hash. So they are
encrypted, and the seal is bound to the list's name: no list can be put in the place of another. What is not noticed is
an older copy of the same list, and a list that is gone before the guard starts.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrail.drafts import locked as file_locked
from guardrail.drafts import write_whole
from guardrail.errors import KeyringError, KnownImagesError
from guardrail.keys import Keyring

__all__ = [
    "KINDS",
    "PDQ",
    "PIXELS",
    "SHA256",
    "SUFFIX",
    "Rows",
    "locked",
    "read_rows",
    "require_name",
    "sealed_under",
    "write_rows",
]

SUFFIX = ".hashes"
_MAGIC = b"guardrail known images 1\n"
_NONCE_BYTES = 12
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
# What a row is the hash of.
PDQ, SHA256, PIXELS = 0, 1, 2
KINDS = ("pdq", "sha256", "pixels")
_PURPOSE = "known-images"


@dataclass(frozen=True, eq=False)
class Rows:
    """The content of a list: a row a hash; the rows of one picture share its number.

    Args:
        hashes: (n, 32) uint8.
        kinds: (n,) uint8: PDQ, SHA256 (of a file) or PIXELS.
        limits: (n,) uint8: the distance up to which a PDQ row matches.
        pictures: (n,) uint32.
        tags: (pictures,) what the operator calls a picture; mostly empty.
        removed: the list was removed. Its file stays, so that running guards do not take it for lost.
    """

    hashes: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 32), np.uint8))
    kinds: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    limits: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    pictures: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))
    tags: tuple[str, ...] = ()
    removed: bool = False

    def and_(self, more: Rows) -> Rows:
        """Both, the pictures of `more` after those of this one."""
        return Rows(
            np.concatenate([self.hashes, more.hashes]),
            np.concatenate([self.kinds, more.kinds]),
            np.concatenate([self.limits, more.limits]),
            np.concatenate([self.pictures, more.pictures + np.uint32(len(self.tags))]),
            self.tags + more.tags,
        )

    def without(self, pictures: NDArray[np.bool_]) -> Rows:
        """The same without the pictures that are marked."""
        keep = ~pictures[self.pictures]
        number = (np.cumsum(~pictures) - 1).astype(np.uint32)
        tags = tuple(t for t, gone in zip(self.tags, pictures.tolist(), strict=True) if not gone)
        return Rows(self.hashes[keep], self.kinds[keep], self.limits[keep], number[self.pictures[keep]], tags)


def require_name(name: str) -> str:
    """`name`, if it can be that of a list.

    Raises:
        KnownImagesError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise KnownImagesError("the name of a list is up to 64 small letters, digits and hyphens")
    return name


def read_rows(path: Path, keyring: Keyring) -> Rows:
    """What was written to `path`.

    Raises:
        KnownImagesError: it cannot be read, was changed or cut off, belongs under another name, or its key is gone.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from safetensors import SafetensorError

    key_id, rest = _content(path)
    try:
        key = keyring.derive(_PURPOSE, key=key_id)
        plain = AESGCM(key).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _bound_to(path, key_id))
        return _unpacked(plain)
    except KeyringError as error:
        raise KnownImagesError(f"{path} does not open: {error}") from None
    except (InvalidTag, ValueError, KeyError, SafetensorError):
        raise KnownImagesError(f"{path} was changed, cut off or renamed; {_mend(path)}") from None


def sealed_under(path: Path) -> str:
    """The id of the key under which `path` is sealed. It is read without being verified.

    Raises:
        KnownImagesError: it cannot be read, or is no list.
    """
    return _content(path)[0]


def write_rows(path: Path, rows: Rows, keyring: Keyring) -> None:
    """Put `rows` in the place of whatever `path` was, as a whole or not at all.

    Raises:
        KnownImagesError: it cannot be written.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE_BYTES)
    key = keyring.derive(_PURPOSE, key=keyring.active)
    sealed = AESGCM(key).encrypt(nonce, _packed(rows), _bound_to(path, keyring.active))
    try:
        write_whole(path, _MAGIC + keyring.active.encode() + b"\n" + nonce + sealed, private=True)
    except OSError as error:
        raise KnownImagesError(f"{path} cannot be written: {error.strerror or type(error).__name__}") from None


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds other processes off while a list is read, changed and written; makes the folder.

    Raises:
        KnownImagesError: the folder cannot be made or written to.
    """
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            held.enter_context(file_locked(folder / ".lock"))
        except OSError as error:
            raise KnownImagesError(f"{folder} cannot be written: {error.strerror or type(error).__name__}") from None
        yield


def _content(path: Path) -> tuple[str, bytes]:
    """The id of the key, and what is sealed."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise KnownImagesError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    if not content.startswith(_MAGIC):
        raise KnownImagesError(f"{path} is no list of known images; {_mend(path)}")
    key_id, _, rest = content[len(_MAGIC) :].partition(b"\n")
    return key_id.decode("ascii", "replace"), rest


def _mend(path: Path) -> str:
    name = path.name.removesuffix(SUFFIX)
    # What is called otherwise no command can name.
    remove = f"guardrail known remove --list {name} --whole" if _NAME.fullmatch(name) else "delete it"
    return f"put your copy of it back, or give the list up: {remove}"


def _bound_to(path: Path, key_id: str) -> bytes:
    return f"{path.name}\n{key_id}".encode()


def _packed(rows: Rows) -> bytes:
    from safetensors.numpy import save

    texts = np.frombuffer("\n".join(rows.tags).encode(), np.uint8)
    tensors: dict[str, NDArray[Any]] = {
        "hashes": np.ascontiguousarray(rows.hashes),
        "kinds": rows.kinds,
        "limits": rows.limits,
        "pictures": rows.pictures,
        "tags": texts,
        "state": np.array([len(rows.tags), rows.removed], np.uint32),
    }
    return bytes(save(tensors))


def _unpacked(plain: bytes) -> Rows:
    from safetensors.numpy import load

    t = load(plain)
    count, removed = t["state"].tolist()
    tags = tuple(t["tags"].tobytes().decode().split("\n")) if count else ()
    rows = Rows(t["hashes"], t["kinds"], t["limits"], t["pictures"], tags, bool(removed))
    sizes = {len(rows.hashes), len(rows.kinds), len(rows.limits), len(rows.pictures)}
    if len(sizes) != 1 or len(tags) != count:
        raise ValueError("the parts of the list do not fit together")
    return rows
