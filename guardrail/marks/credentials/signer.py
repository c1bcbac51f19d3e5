"""Who signs: a certificate chain with its private key, or with a callback into a key service."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from guardrail.errors import ConfigurationError, KeyringError, MarkError
from guardrail.marks.credentials.certificates import Chain, load_chain, load_key, require_usable
from guardrail.marks.credentials.keyfiles import read_chain, read_private

__all__ = ["Signer"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Signer:
    """Signs Content Credentials. Made once: everything is tried out at construction, with a signature that is verified.

    Holds no handle of the library, so that it may be used from several threads and after a fork. It cannot be pickled.

    Args:
        chain: PEM, the signing certificate first; the root may be left out.
        key: its private key, PEM, unencrypted. Or:
        callback: gives the signature of some bytes by that key: for ES256, ES384 and ES512 raw r || s or DER, for PS256
            and the like RSASSA-PSS (salt as long as the hash), for Ed25519 64 bytes. It is given the bytes, not their
            hash, and may be called from several threads at once.
        algorithm: es256, es384, es512, ps256, ps384, ps512 or ed25519; that of the key where it is empty.
        tsa: URL of a time-stamping authority (RFC 3161) that is asked at every signature. ``None``: none is asked, and
            nothing here uses the network. While one that is named cannot be reached, nothing is signed, and so nothing
            is released.

    Raises:
        ConfigurationError: the chain cannot sign Content Credentials, and why.
        KeyringError: the key cannot be read or is not that of the chain; the callback fails.
        MissingExtra: c2pa-python is not installed.
    """

    chain: bytes
    key: bytes | None = None
    callback: Callable[[bytes], bytes] | None = None
    algorithm: str = ""
    tsa: str | None = None
    certificates: Chain = field(init=False)

    def __post_init__(self) -> None:
        certificates = load_chain(self.chain)
        algorithm = require_usable(certificates, self.algorithm.lower(), dt.datetime.now(dt.UTC))
        if (self.key is None) == (self.callback is None):
            raise ConfigurationError("a signer needs the private key or a callback: one of the two")
        if self.tsa is not None and (
            urlsplit(self.tsa).scheme not in ("http", "https") or not urlsplit(self.tsa).netloc
        ):
            raise ConfigurationError(
                "the time-stamping authority is named by a URL that begins with http:// or https://"
            )
        # Nothing but certificates goes on from the chain: some files hold the key as well.
        self._set(certificates=certificates, algorithm=algorithm, chain=certificates.pem)
        if self.key is not None:
            self._set(key=load_key(self.key, None, certificates))
        self._try_out()

    @classmethod
    def from_files(
        cls,
        chain: str | Path,
        key: str | Path,
        password: str | bytes | None = None,
        tsa: str | None = None,
        *,
        algorithm: str = "",
    ) -> Signer:
        """From a chain and a private key in PEM files; the key's file must be readable by its owner alone.

        Raises:
            ConfigurationError, KeyringError, MissingExtra: as the class; a file cannot be read.
        """
        certificates = read_chain(chain)
        secret = load_key(read_private(Path(key)), password, certificates)
        return cls(certificates.pem, secret, None, algorithm, tsa)

    @classmethod
    def from_callback(
        cls, chain: bytes | str | Path, callback: Callable[[bytes], bytes], algorithm: str = "", tsa: str | None = None
    ) -> Signer:
        """From a chain (PEM, or its file) and a callback into a key service or a hardware module.

        Raises:
            ConfigurationError, KeyringError, MissingExtra: as the class; the file cannot be read.
        """
        pem = chain if isinstance(chain, bytes) else read_chain(chain).pem
        return cls(pem, None, callback, algorithm, tsa)

    @property
    def by(self) -> str:
        """Organisation and common name, as readers show them."""
        return self.certificates.by

    @property
    def valid_until(self) -> dt.datetime:
        """When the first certificate of the chain to expire does so."""
        return self.certificates.valid_until

    def __repr__(self) -> str:
        source = "callback" if self.key is None else "key"
        until = f"{self.valid_until:%Y-%m-%d}"
        return f"Signer(by={self.by!r}, algorithm={self.algorithm!r}, {source}, until={until!r}, tsa={self.tsa!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Signer is not pickled: its key would go along; make it where it is used")

    def _try_out(self) -> None:
        from guardrail.marks.credentials.writing import try_out

        try:
            try_out(self)
        except MarkError as error:
            kind = ConfigurationError if self.callback is None else KeyringError
            raise kind(f"this certificate and key cannot sign Content Credentials: {error}") from None

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)
