"""Signers: keys and chains of every kind, what is wrong with others, and that no key is ever shown."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("c2pa", reason='needs pip install "guardrail-diffusion[c2pa]"')

from guardrail.errors import ConfigurationError, KeyringError, MarkError
from guardrail.marks.credentials import DevelopmentChain, Signer, read_credentials, sign
from tests.marks.conftest import LABEL
from tests.marks.credentials.conftest import File
from tests.marks.credentials.made import E_MAIL, certificates, make_key, pem, sign_with

ALGORITHMS = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")


def state(content: bytes, signer: Signer, root: bytes) -> str:
    found = read_credentials(sign(content, "png", LABEL, signer), anchors=root)
    assert found is not None
    return found.state


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_signs_by_key_and_by_callback(files: dict[str, File], algorithm: str) -> None:
    key = make_key(algorithm)
    leaf, root = certificates(key)
    for made in (
        Signer(leaf, pem(key), algorithm=algorithm.upper()),
        Signer.from_callback(leaf, sign_with(key, algorithm), algorithm),
    ):
        assert made.algorithm == algorithm
        assert state(files["png"].plain, made, root) == "Trusted"


def test_the_algorithm_follows_from_the_key() -> None:
    for algorithm in ("es256", "ps256", "ed25519"):
        key = make_key(algorithm)
        assert Signer(certificates(key)[0], pem(key)).algorithm == algorithm


def test_a_key_service_may_answer_in_der(files: dict[str, File]) -> None:
    key = make_key("es256")
    leaf, root = certificates(key)
    made = Signer.from_callback(leaf, sign_with(key, "es256", der=True))
    assert state(files["png"].plain, made, root) == "Trusted"


@pytest.mark.parametrize(
    ("password", "traditional", "front"),
    [
        (b"", False, b""),
        (b"", True, b""),
        (b"a pass", False, b""),
        (b"", True, b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"),
    ],
)
def test_keys_in_files_are_read_in_every_form(
    tmp_path: Path, files: dict[str, File], password: bytes, traditional: bool, front: bytes
) -> None:
    key = make_key("es256")
    leaf, root = certificates(key)
    (tmp_path / "chain.pem").write_bytes(leaf)
    path = tmp_path / "key.pem"
    path.write_bytes(front + pem(key, password, traditional=traditional))
    path.chmod(0o600)
    made = Signer.from_files(tmp_path / "chain.pem", str(path), password.decode() or None)
    assert state(files["png"].plain, made, root) == "Trusted"


@pytest.mark.parametrize(
    ("mode", "password", "content", "message"),
    [
        (0o640, None, "right", "can be read by other users; run: chmod 600"),
        (0o600, "a pass", "right", "it has no password"),
        (0o600, None, "locked", "give its password"),
        (0o600, "wrong", "locked", "the password is wrong"),
        (0o600, None, "other", "not that of the signing certificate"),
        (0o600, None, "junk", "it is damaged"),
        (0o600, None, None, "is not a file"),
    ],
)
def test_keys_that_cannot_be_used(
    tmp_path: Path, mode: int, password: str | None, content: str | None, message: str
) -> None:
    key = make_key("es256")
    chain, path = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(certificates(key)[0])
    contents = {"right": pem(key), "locked": pem(key, b"a pass"), "other": pem(make_key("es256")), "junk": b"a key"}
    if content is not None:
        path.write_bytes(contents[content])
        path.chmod(mode)
    with pytest.raises(KeyringError, match=message) as caught:
        Signer.from_files(chain, path, password)
    assert "PRIVATE" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"days": (-10, -1)}, "has expired .* renew it"),
        ({"days": (1, 30)}, "is valid from"),
        ({"purposes": ()}, "names no purpose that C2PA knows"),
        ({"purposes": ("1.3.6.1.5.5.7.3.1",)}, "names no purpose that C2PA knows"),
        ({"purposes": (E_MAIL, "1.3.6.1.5.5.7.3.8")}, "for time stamping cannot sign"),
        ({"purposes": (E_MAIL, "2.5.29.37.0")}, "for any purpose cannot sign"),
        ({"signature": False}, "not for digital signatures"),
        ({"authority": True}, "that of an authority"),
    ],
)
def test_certificates_that_cannot_sign(changes: dict[str, Any], message: str) -> None:
    key = make_key("es256")
    leaf, _ = certificates(key, **changes)
    with pytest.raises(ConfigurationError, match=message):
        Signer(leaf, pem(key))


def test_chains_in_another_order_or_of_another_kind(tmp_path: Path) -> None:
    key = make_key("es256")
    leaf, root = certificates(key)
    for chain, message in (
        (root + leaf, "was not issued by certificate 2"),
        (leaf + certificates(key)[1], "certificate 1 of the chain was not issued by certificate 2"),
        (b"", "cannot be read: give PEM"),
        (pem(key), "cannot be read: give PEM"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            Signer(chain, pem(key))
    with pytest.raises(ConfigurationError, match="needs the private key or a callback"):
        Signer(leaf)
    with pytest.raises(ConfigurationError, match="needs the private key or a callback"):
        Signer(leaf, pem(key), sign_with(key, "es256"))
    with pytest.raises(ConfigurationError, match="no signing algorithm 'rs256'"):
        Signer(leaf, pem(key), algorithm="rs256")
    with pytest.raises(ConfigurationError, match="has a key of secp256r1, es384 needs secp384r1"):
        Signer(leaf, pem(key), algorithm="es384")
    with pytest.raises(ConfigurationError, match="URL that begins with http"):
        Signer(leaf, pem(key), tsa="time.example.com")
    with pytest.raises(ConfigurationError, match=r"none\.pem is not a file"):
        Signer.from_callback(tmp_path / "none.pem", sign_with(key, "es256"))


def test_nothing_but_certificates_is_taken_from_a_chain(files: dict[str, File]) -> None:
    key = make_key("es256")
    leaf, root = certificates(key)
    made = Signer(pem(key) + leaf + root, pem(key))
    assert b"PRIVATE" not in made.chain
    assert len(made.certificates.certificates) == 2


def test_a_callback_that_fails_is_found_at_construction() -> None:
    key = make_key("es256")
    leaf, _ = certificates(key)

    def secretive(data: bytes) -> bytes:
        raise RuntimeError("token 12345")

    for callback, message in (
        (secretive, r"the signing callback failed \(RuntimeError\)"),
        (lambda data: b"", "no signature by the key of the certificate"),
        (lambda data: b"x" * 64, "no signature by the key of the certificate"),
        (lambda data: None, r"the signing callback failed \(TypeError\)"),
        (sign_with(make_key("es256"), "es256"), "no signature by the key of the certificate"),
    ):
        with pytest.raises(KeyringError, match=message) as caught:
            Signer.from_callback(leaf, callback)
        assert "12345" not in str(caught.value)


def test_a_callback_that_fails_later_releases_nothing(files: dict[str, File], caplog: pytest.LogCaptureFixture) -> None:
    key = make_key("es256")
    leaf, _ = certificates(key)
    works = [True]

    def callback(data: bytes) -> bytes:
        if not works:
            raise ConnectionError("token 12345")
        return sign_with(key, "es256")(data)

    made = Signer.from_callback(leaf, callback)
    works.clear()
    for earlier in (None, files["jpeg"].signed):
        with pytest.raises(MarkError, match=r"the signing callback failed \(ConnectionError\)"):
            sign(files["png"].plain, "png", LABEL, made, ingredient=earlier)
    assert "12345" not in caplog.text


def test_an_interruption_in_a_callback_is_one(files: dict[str, File]) -> None:
    key = make_key("es256")
    leaf, _ = certificates(key)

    def callback(data: bytes) -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Signer.from_callback(leaf, callback)


def test_a_signer_shows_no_key_and_goes_nowhere(signer: Signer, development: DevelopmentChain) -> None:
    secret = development.key.read_text().splitlines()[1]
    assert secret not in f"{signer!r} {signer}"
    assert "guardrail development, not trusted" in repr(signer)
    for call in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="its key would go along"):
            call(signer)
    with pytest.raises(AttributeError):
        signer.key = b""  # type: ignore[misc]
