"""Certificates and keys that can sign Content Credentials: reading them, and saying what is wrong with them.

What is asked of a certificate: C2PA specification 2.2, section 14.5 (X.509 certificates); of signatures: section 13.2
(COSE algorithms: ECDSA as raw r || s, RSASSA-PSS, Ed25519).
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from guardrail.errors import ConfigurationError, KeyringError
from guardrail.marks.credentials.library import PURPOSES

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["ALGORITHMS", "Chain", "load_chain", "load_key", "raw_signature", "require_usable", "signed_by"]

# COSE algorithm → the curve of its keys, or the kind of them.
ALGORITHMS = {
    "es256": "secp256r1",
    "es384": "secp384r1",
    "es512": "secp521r1",
    "ps256": "rsa",
    "ps384": "rsa",
    "ps512": "rsa",
    "ed25519": "ed25519",
}
_SMALLEST_RSA_BITS = 2048
# Certificates that stamp times or answer OCSP may do nothing else, and "any purpose" is none.
_FORBIDDEN = {"1.3.6.1.5.5.7.3.8": "time stamping", "1.3.6.1.5.5.7.3.9": "OCSP", "2.5.29.37.0": "any purpose"}


@dataclass(frozen=True, slots=True)
class Chain:
    """A certificate chain, the signing certificate first."""

    certificates: tuple[Certificate, ...]

    @property
    def leaf(self) -> Certificate:
        return self.certificates[0]

    @property
    def pem(self) -> bytes:
        from cryptography.hazmat.primitives.serialization import Encoding

        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in self.certificates)

    @property
    def by(self) -> str:
        """Organisation and common name of the signer."""
        from cryptography.x509 import NameOID

        names = (self.leaf.subject.get_attributes_for_oid(o) for o in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME))
        return " / ".join(str(found[0].value) for found in names if found)

    @property
    def valid_until(self) -> dt.datetime:
        """When the first certificate to expire does so."""
        return min(certificate.not_valid_after_utc for certificate in self.certificates)

    @property
    def kind(self) -> str:
        """The curve of the public key, or ``rsa``, ``ed25519``, or the name of what cannot sign here."""
        return _kind(self.leaf.public_key())


def load_chain(pem: bytes) -> Chain:
    """Raises:
    ConfigurationError: no certificates, or one that did not issue the one before it.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ConfigurationError(
            "the certificate chain cannot be read: give PEM, the signing certificate first, then those that issued it"
        ) from None
    for number, (certificate, issuer) in enumerate(pairwise(found), 1):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            raise ConfigurationError(
                f"certificate {number} of the chain was not issued by certificate {number + 1}: "
                "put the signing certificate first, and each issuer after what it issued"
            ) from None
    return Chain(tuple(found))


def require_usable(chain: Chain, algorithm: str, now: dt.datetime) -> str:
    """Whether the first certificate can sign claims at `now`; gives the algorithm, where none is named that of its key.

    Raises:
        ConfigurationError: it cannot, and why.
    """
    kind = chain.kind
    fits = [name for name, of in ALGORITHMS.items() if of == kind]
    if algorithm and algorithm not in ALGORITHMS:
        raise ConfigurationError(f"no signing algorithm {algorithm!r}; there are {', '.join(ALGORITHMS)}")
    if not fits or (algorithm and algorithm not in fits):
        wanted = ALGORITHMS.get(algorithm) or ", ".join(dict.fromkeys(ALGORITHMS.values()))
        raise ConfigurationError(f"the signing certificate has a key of {kind}, {algorithm or 'C2PA'} needs {wanted}")
    bits = getattr(chain.leaf.public_key(), "key_size", _SMALLEST_RSA_BITS)
    if kind == "rsa" and bits < _SMALLEST_RSA_BITS:
        raise ConfigurationError(f"the RSA key of the signing certificate has {bits} bits, {_SMALLEST_RSA_BITS} needed")
    _require_purpose(chain.leaf)
    for certificate in chain.certificates:
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if now < begins:
            raise ConfigurationError(f"a certificate of the chain is valid from {begins:%Y-%m-%d %H:%M} UTC only")
        if now > ends:
            raise ConfigurationError(
                f"a certificate of the chain has expired ({ends:%Y-%m-%d %H:%M} UTC): renew it, and give the new chain"
            )
    return algorithm or fits[0]


def _require_purpose(leaf: Certificate) -> None:
    from cryptography import x509

    def extension(kind: Any) -> Any:
        try:
            return leaf.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None
        except ValueError:
            raise ConfigurationError("an extension of the signing certificate cannot be read") from None

    constraints = extension(x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise ConfigurationError(
            "the first certificate of the chain is that of an authority: put the signing certificate first"
        )
    usage = extension(x509.KeyUsage)
    if usage is None or not usage.digital_signature:
        raise ConfigurationError("the signing certificate is not for digital signatures (its KeyUsage says so)")
    extended = extension(x509.ExtendedKeyUsage)
    purposes = [purpose.dotted_string for purpose in extended or ()]
    if bad := [_FORBIDDEN[purpose] for purpose in purposes if purpose in _FORBIDDEN]:
        raise ConfigurationError(f"a certificate for {', '.join(bad)} cannot sign Content Credentials")
    if not any(purpose in PURPOSES for purpose in purposes):
        raise ConfigurationError(
            "the ExtendedKeyUsage of the signing certificate names no purpose that C2PA knows: ask for one with "
            + " or ".join(f"{name} ({oid})" for oid, name in PURPOSES.items())
        )


def load_key(pem: bytes, password: str | bytes | None, chain: Chain) -> bytes:
    """A private key in PEM as unencrypted PKCS#8 in PEM; SEC1 and PKCS#1 keys are converted.

    Raises:
        KeyringError: it cannot be read, or it is not the key of the signing certificate.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization as form

    # `openssl ecparam -genkey` writes the name of the curve in front.
    pem = re.sub(rb"-----BEGIN EC PARAMETERS-----.*?-----END EC PARAMETERS-----\s*", b"", pem, flags=re.S)
    secret = password.encode() if isinstance(password, str) else password
    try:
        key = form.load_pem_private_key(pem, secret)
    except TypeError:
        hint = "it has no password, do not give one" if secret else "it is encrypted, give its password"
        raise KeyringError(f"the private key cannot be read: {hint}") from None
    except (ValueError, UnsupportedAlgorithm):
        hint = "or the password is wrong" if secret else "give PEM (PKCS#8)"
        raise KeyringError(f"the private key cannot be read: it is damaged, {hint}") from None
    public = form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*public) != chain.leaf.public_key().public_bytes(*public):
        raise KeyringError("the private key is not that of the signing certificate (the first one of the chain)")
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())


def raw_signature(signature: bytes, algorithm: str) -> bytes:
    """An ECDSA signature as raw r || s; key services give DER. Others are passed on as they are."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    size = {"es256": 32, "es384": 48, "es512": 66}.get(algorithm)
    if size is None or len(signature) == 2 * size:
        return signature
    try:
        r, s = decode_dss_signature(signature)
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    except (ValueError, OverflowError):
        return signature


def signed_by(chain: Chain, algorithm: str, data: bytes, signature: bytes) -> bool:
    """Whether `signature` (raw) is one of `data` by the key of the signing certificate."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    key: Any = chain.leaf.public_key()
    digest: Any = {"384": hashes.SHA384(), "512": hashes.SHA512()}.get(algorithm[2:], hashes.SHA256())
    try:
        if algorithm.startswith("es"):
            half = len(signature) // 2
            r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
            key.verify(encode_dss_signature(r, s), data, ec.ECDSA(digest))
        elif algorithm.startswith("ps"):
            key.verify(signature, data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        else:
            key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def _kind(key: Any) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name
    if isinstance(key, rsa.RSAPublicKey):
        return "rsa"
    return "ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else type(key).__name__.removesuffix("PublicKey")
