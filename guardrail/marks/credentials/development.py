"""A certificate chain to develop with: it signs as a real one does, and says of itself that nobody should trust it."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardrail.errors import ConfigurationError

__all__ = ["ORGANISATION", "DevelopmentChain", "new_chain"]

ORGANISATION = "guardrail development, not trusted"
"""Shown by every reader as who signed."""
_DAYS = 365
_CLOCK_MINUTES = 5  # by which the clock of another machine may be behind


@dataclass(frozen=True, slots=True)
class DevelopmentChain:
    """The files of a chain.

    Attributes:
        root: the root certificate, to be given as an anchor where the chain is to be trusted.
        chain: the signing certificate, then the root.
        key: the private key, PKCS#8, readable by its owner alone.
        expires: when both certificates do.
    """

    root: Path
    chain: Path
    key: Path
    expires: dt.datetime


def new_chain(folder: str | Path) -> DevelopmentChain:
    """Make a root and a signing certificate (ES256), valid for a year. The root's own key is not kept.

    Raises:
        ConfigurationError: one of the files is there already, or they cannot be written.
    """
    place = Path(folder)
    paths = [place / name for name in ("root.pem", "chain.pem", "key.pem")]
    if found := [path for path in paths if path.exists() or path.is_symlink()]:
        raise ConfigurationError(f"{found[0]} is there already and is not overwritten: name another folder")
    begins = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=_CLOCK_MINUTES)
    expires = (begins + dt.timedelta(days=_DAYS)).replace(microsecond=0)
    root, leaf, key = _made(begins, expires)
    with _writing(place) as written:
        place.mkdir(parents=True, exist_ok=True)
        for path, content, mode in zip(paths, (root, leaf + root, key), (0o644, 0o644, 0o600), strict=True):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            written.append(path)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
    return DevelopmentChain(paths[0], paths[1], paths[2], expires)


@contextlib.contextmanager
def _writing(place: Path) -> Iterator[list[Path]]:
    """All files or none: a chain without its key is of no use."""
    written: list[Path] = []
    try:
        yield written
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise ConfigurationError(
            f"{place} cannot be written ({error.strerror or type(error).__name__}): name another folder"
        ) from None


def _made(begins: dt.datetime, expires: dt.datetime) -> tuple[bytes, bytes, bytes]:
    """Root, signing certificate and its key, each in PEM (RFC 5280, with what C2PA asks of a signing certificate)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    root_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, leaf_name = _name("development root"), _name("development signer")

    def certificate(subject: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: tuple[Any, bool]) -> bytes:
        builder = x509.CertificateBuilder(
            root_name, subject, key.public_key(), x509.random_serial_number(), begins, expires
        )
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        for extension, critical in ((own, False), (issuer, False), *extensions):
            builder = builder.add_extension(extension, critical)
        return builder.sign(root_key, hashes.SHA256()).public_bytes(form.Encoding.PEM)

    root = certificate(
        root_name, root_key, (x509.BasicConstraints(True, 0), True), (_usage("key_cert_sign", "crl_sign"), True)
    )
    # The one purpose that every reader of C2PA knows, old and new.
    mail = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION])
    leaf = certificate(
        leaf_name,
        leaf_key,
        (x509.BasicConstraints(False, None), True),
        (_usage("digital_signature"), True),
        (mail, False),
    )
    return root, leaf, leaf_key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())


def _name(common: str) -> Any:
    from cryptography.x509 import Name, NameAttribute, NameOID

    return Name([NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION), NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*allowed: str) -> Any:
    from cryptography.x509 import KeyUsage

    uses = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return KeyUsage(**{use: use in allowed for use in uses})
