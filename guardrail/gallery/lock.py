"""What opens an export of a gallery: a passphrase, or a key of the keyring by its name.

With a passphrase the key of the file comes from scrypt (RFC 7914), with a key of the keyring from HKDF. The header,
which stands in the clear, says which, and names the key.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from guardrail.errors import GalleryError
from guardrail.keys import Keyring

__all__ = ["LARGEST_HEADER", "MAGIC", "SCRYPT", "Lock", "read_header", "ring_lock"]

MAGIC = b"guardrail gallery export 1\n"
# OWASP's figures for interactive use (2023): 128 MB and some tenths of a second for each guess.
SCRYPT = {"n": 2**17, "r": 8, "p": 1}
LARGEST_HEADER = 4096
SHORTEST_PASSPHRASE = 12


@dataclass(frozen=True, slots=True, repr=False)
class Lock:
    """What opens an export: a passphrase, or a key by its name.

    Raises:
        GalleryError: neither, both, a passphrase under 12 characters, or a key that has not 32 bytes.
    """

    passphrase: str = ""
    key: bytes = b""
    key_id: str = ""

    def __post_init__(self) -> None:
        if bool(self.passphrase) == bool(self.key):
            raise GalleryError("an export is locked with a passphrase or with a key")
        if self.passphrase and len(self.passphrase) < SHORTEST_PASSPHRASE:
            raise GalleryError(f"a passphrase has at least {SHORTEST_PASSPHRASE} characters: faces cannot be changed")
        if self.key and len(self.key) != 32:
            raise GalleryError("a key has 32 bytes")

    def header(self) -> dict[str, Any]:
        salt = secrets.token_hex(16)
        return {"salt": salt, "scrypt": SCRYPT} if self.passphrase else {"salt": salt, "key_id": self.key_id}

    def cipher(self, header: dict[str, Any]) -> Any:
        """The cipher of the file with this header.

        Raises:
            GalleryError: the file was locked otherwise.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

        salt = bytes.fromhex(header["salt"])
        if "scrypt" not in header:
            named = header.get("key_id")
            if not self.key:
                raise GalleryError(f"this export was locked with key {named}, not with a passphrase")
            if named and self.key_id and named != self.key_id:
                raise GalleryError(f"this export was locked with key {named!r}, not with {self.key_id!r}")
            return AESGCM(HKDF(SHA256(), 32, salt=salt, info=b"guardrail gallery export").derive(self.key))
        if not self.passphrase:
            raise GalleryError("this export was locked with a passphrase, not with a key")
        if header["scrypt"] != SCRYPT:
            raise GalleryError("this export was written by a newer guardrail; update this one")
        return AESGCM(Scrypt(salt, 32, **SCRYPT).derive(self.passphrase.encode()))


def ring_lock(ring: Keyring, source: Path | None = None) -> Lock:
    """The lock of a new export, or of the export `source`, which may be under any key of the ring.

    Raises:
        GalleryError: no export, it cannot be read, or its key is not on the ring.
    """
    name = _key_of(source) if source is not None else ""
    if name and name not in ring.ids:
        raise GalleryError(
            f"{source} was locked with key {name}, which is not on this ring; put that key back on it (it has "
            f"{', '.join(ring.ids)})"
        )
    name = name or ring.active
    return Lock(key=ring.derive("gallery export", key=name), key_id=name)


def _key_of(source: Path) -> str:
    """Name of the key that an export was locked with; empty where that was a passphrase."""
    try:
        with source.open("rb") as file:
            named = json.loads(read_header(file)).get("key_id", "")
    except OSError as error:
        raise GalleryError(f"{source} cannot be read: {error.strerror or type(error).__name__}") from None
    except (ValueError, AttributeError):
        raise GalleryError(f"{source} is no export of a gallery, or was cut off") from None
    # Anybody can have written the header: what is no name of a key is not repeated.
    return named if isinstance(named, str) and named.isalnum() and len(named) <= 64 else ""


def read_header(file: IO[bytes]) -> bytes:
    """The header as it stands in the file: JSON, in the clear.

    Raises:
        ValueError: no export, or it was cut off.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise ValueError
    length = int.from_bytes(file.read(4), "little")
    if length > LARGEST_HEADER:
        raise ValueError
    header = file.read(length)
    if len(header) != length:
        raise ValueError
    return header
