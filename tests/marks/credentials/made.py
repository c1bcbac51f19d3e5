"""Certificates of every kind, made for a test, and files that others might have signed."""

from __future__ import annotations

import datetime as dt
import io
import json
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

E_MAIL = "1.3.6.1.5.5.7.3.4"
AI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
NOW = dt.datetime.now(dt.UTC)


def make_key(algorithm: str) -> Any:
    """A fresh private key; those of RSA are slow to make, and one is enough."""
    if algorithm == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm.startswith("ps"):
        return _rsa()
    return ec.generate_private_key(
        {"es256": ec.SECP256R1(), "es384": ec.SECP384R1(), "es512": ec.SECP521R1()}[algorithm]
    )


@cache
def _rsa() -> Any:
    return rsa.generate_private_key(65537, 2048)


def pem(key: Any, password: bytes = b"", *, traditional: bool = False) -> bytes:
    kind = form.PrivateFormat.TraditionalOpenSSL if traditional else form.PrivateFormat.PKCS8
    locked = form.BestAvailableEncryption(password) if password else form.NoEncryption()
    return key.private_bytes(form.Encoding.PEM, kind, locked)


def certificates(
    key: Any,
    *,
    purposes: tuple[str, ...] = (E_MAIL,),
    signature: bool = True,
    authority: bool = False,
    days: tuple[int, int] = (-1, 30),
    critical: bool = False,
) -> tuple[bytes, bytes]:
    """A signing certificate for `key` and the root that issued it, each in PEM."""
    root_key = ec.generate_private_key(ec.SECP256R1())

    def certificate(name: str, public: Any, ca: bool, days: tuple[int, int], purposes: tuple[str, ...]) -> bytes:
        def named(common: str) -> x509.Name:
            return x509.Name(
                [
                    x509.NameAttribute(NameOID.ORGANIZATION_NAME, "A studio"),
                    x509.NameAttribute(NameOID.COMMON_NAME, common),
                ]
            )

        begins, ends = (NOW + dt.timedelta(days=d) for d in days)
        serial = x509.random_serial_number()
        builder = x509.CertificateBuilder(named("root"), named(name), public, serial, begins, ends)
        others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        uses = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
        usage = x509.KeyUsage(digital_signature=signature and not ca, key_cert_sign=ca, crl_sign=not signature, **uses)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca, None), True).add_extension(usage, True)
        builder = builder.add_extension(issuer, False)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        if purposes:
            wanted = [x509.ObjectIdentifier(purpose) for purpose in purposes]
            builder = builder.add_extension(x509.ExtendedKeyUsage(wanted), critical)
        return builder.sign(root_key, hashes.SHA256()).public_bytes(form.Encoding.PEM)

    leaf = certificate("a signer", key.public_key(), authority, days, purposes)
    return leaf, certificate("root", root_key.public_key(), True, (-2, 60), ())


def sign_with(key: Any, algorithm: str, *, der: bool = False) -> Any:
    """What a key service does: a callback that signs with `key`."""

    def callback(data: bytes) -> bytes:
        if algorithm == "ed25519":
            return key.sign(data)
        digest = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}[algorithm[2:]]()
        if algorithm.startswith("ps"):
            return key.sign(data, PSS(MGF1(digest), digest.digest_size), digest)
        signature = key.sign(data, ec.ECDSA(digest))
        size = (key.curve.key_size + 7) // 8
        return signature if der else b"".join(n.to_bytes(size, "big") for n in decode_dss_signature(signature))

    return callback


def by_another_tool(
    content: bytes,
    media: str,
    chain: bytes,
    key: bytes,
    *,
    thumbnails: bool = False,
    source: tuple[str, bytes] | None = None,
    remote: str = "",
    generator: str = "another tool",
    notes: str = "",
) -> bytes:
    """A file signed by the library alone, as any other program may do it."""
    import c2pa

    first: dict[str, Any] = {"action": "c2pa.created", "digitalSourceType": AI}
    if source:
        first = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["input"]}}
    assertions: list[dict[str, Any]] = [{"label": "c2pa.actions", "data": {"actions": [first]}}]
    if notes:
        assertions.append(
            {"label": "c2pa.soft-binding", "data": {"alg": "x", "blocks": [{"scope": {}, "value": notes}]}}
        )
    manifest = {"claim_generator_info": [{"name": generator}], "assertions": assertions}
    written = io.BytesIO()
    settings = c2pa.Context.from_dict({"builder": {"thumbnail": {"enabled": thumbnails}}})
    with c2pa.Builder(manifest, context=settings) as builder:
        if remote:
            builder.set_remote_url(remote)
            builder.set_no_embed()
        if source:
            told = {"title": "IMG_0001 of somebody", "relationship": "parentOf", "label": "input"}
            builder.add_ingredient(told, source[0], io.BytesIO(source[1]))
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", chain, key, None))
        builder.sign(signer, media, io.BytesIO(content), written)
    return written.getvalue()


def whole(content: bytes, media: str) -> dict[str, Any]:
    """Everything in a file, as the library's own reader tells it."""
    import c2pa

    with c2pa.Reader(media, io.BytesIO(content), context=c2pa.Context.from_dict({})) as reader:
        return {**json.loads(reader.json()), "detailed": json.loads(reader.detailed_json())}
