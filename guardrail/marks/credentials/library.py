"""The C2PA library (c2pa-python, optional), and what it is told each time: no network, no thumbnails.

Every call has a context of its own. The library's process-wide settings are never touched, and nothing of it is kept
between calls, so that threads and forked processes share none of its handles.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from guardrail.errors import ConfigurationError, MissingExtra

__all__ = ["FORMATS", "PURPOSES", "context", "error_kind", "library", "pem_certificates"]

# Media types by the names of `guardrail.media.decode.sniff`.
FORMATS = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "GIF": "image/gif",
}
# What a signing certificate may be for (C2PA 2.2, 14.5.1): claim signing, document signing, e-mail protection. The
# library's own default knows the last one only.
PURPOSES = {
    "1.3.6.1.4.1.62558.2.1": "C2PA claim signing",
    "1.3.6.1.5.5.7.3.36": "document signing",
    "1.3.6.1.5.5.7.3.4": "e-mail protection",
}
# Manifests may be compressed; a small file could unfold to gigabytes.
_LARGEST_MANIFEST_MIB = 16


def library() -> Any:
    """The module `c2pa`.

    Raises:
        MissingExtra: it is not installed, or not for this machine.
    """
    try:
        import c2pa
    except ImportError:
        raise MissingExtra("Content Credentials (C2PA)", "c2pa") from None
    except (OSError, RuntimeError):
        note = "it is installed, but its compiled part does not load on this machine"
        raise MissingExtra("Content Credentials (C2PA)", "c2pa", note) from None
    return c2pa


def context(lib: Any, *, anchors: bytes | None = None, tsa: str | None = None) -> Any:
    """A context of the library that fetches nothing, except a time stamp from the host of `tsa`.

    Args:
        anchors: certificates in PEM that are trusted; ``None``: nobody is.

    Raises:
        ConfigurationError: the anchors are no certificates, or the library does not take them.
    """
    trust: dict[str, Any] = {"trust_config": "\n".join(PURPOSES)}
    if anchors:
        trust["user_anchors"] = pem_certificates(anchors)
    host = urlsplit(tsa).hostname if tsa else None
    settings = {
        "core": {
            "allowed_network_hosts": [host] if host else [],
            "allow_redirects": False,
            "max_decompressed_manifest_size_in_mb": _LARGEST_MANIFEST_MIB,
        },
        "trust": trust,
        "verify": {
            "verify_trust": True,
            "verify_after_sign": True,
            "remote_manifest_fetch": False,
            "ocsp_fetch": False,
        },
        "builder": {
            # A thumbnail is a copy of the picture, and on by default.
            "thumbnail": {"enabled": False},
            # By default nobody would notice such a box put into an AVIF file afterwards.
            "bmff_hash_exclude_free_and_skip_boxes": False,
        },
    }
    try:
        return lib.Context.from_dict(settings)
    except lib.C2paError:
        part = "these trusted certificates" if anchors else "this address of a time-stamping authority"
        raise ConfigurationError(f"the C2PA library does not take {part}") from None


@lru_cache(maxsize=16)
def pem_certificates(pem: bytes) -> str:
    """The certificates of a PEM file and nothing else of it.

    Raises:
        ConfigurationError: there is none in it.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ConfigurationError("the trusted certificates cannot be read: give them in PEM, one or more") from None
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in found).decode()


def error_kind(error: Exception) -> str:
    """What kind of error the library raised. Its own text is not passed on: it may quote the file."""
    return type(error).__name__.removeprefix("_C2pa").removeprefix("C2pa")
