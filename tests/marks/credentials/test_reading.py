"""What a file says when it is read: three states in four formats; hostile files; and that nothing is fetched."""

from __future__ import annotations

import http.server
import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("c2pa", reason='needs pip install "guardrail-diffusion[c2pa]"')

from guardrail.errors import ConfigurationError, GuardrailError, ImageTooLarge, UnsupportedInput
from guardrail.marks.credentials import (
    SOFT_BINDING,
    Credentials,
    DevelopmentChain,
    Signer,
    load_anchors,
    read_credentials,
    sign,
)
from guardrail.marks.label import SOURCE_TYPES
from guardrail.media import Limits
from tests.budget import examples
from tests.marks.conftest import LABEL, MARK_ID
from tests.marks.credentials.conftest import FORMATS, File
from tests.marks.credentials.made import by_another_tool, certificates, make_key, pem

SAYS = {
    "claim generator": "guardrail 0.1.0",
    "actions": "c2pa.created, c2pa.watermarked.bound",
    "digital source type": SOURCE_TYPES + "trainedAlgorithmicMedia",
    "software": "a generator 2.1, guardrail 0.1.0",
    "signed by": "guardrail development, not trusted / development signer",
    "soft binding": MARK_ID,
    "soft binding algorithm": SOFT_BINDING,
}


def changed(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("form", FORMATS)
def test_trusted_under_the_anchor_and_valid_otherwise(files: dict[str, File], anchors: bytes, form: str) -> None:
    file = files[form]
    assert read_credentials(file.signed, anchors=anchors) == Credentials("Trusted", SAYS, ())
    assert read_credentials(file.signed) == Credentials("Valid", SAYS, ("signingCredential.untrusted",))
    _, stranger = certificates(make_key("es256"))
    other = read_credentials(file.signed, anchors=stranger)
    assert other is not None
    assert other.state == "Valid"
    both = read_credentials(file.signed, anchors=stranger + anchors)
    assert both is not None
    assert both.state == "Trusted"
    assert read_credentials(file.plain) is None


@pytest.mark.parametrize("part", ["picture", "metadata", "actions", "soft binding"])
@pytest.mark.parametrize("form", FORMATS)
def test_invalid_after_one_changed_byte(files: dict[str, File], anchors: bytes, form: str, part: str) -> None:
    file = files[form]
    box = file.signed.index(b"jumb")
    picture = bytes(np.asarray(bytearray(file.plain))[len(file.plain) // 2 :][:24])
    at = {
        "picture": file.signed.index(picture) + 4,
        "metadata": file.signed.index(b"AISystemUsed"),
        "actions": file.signed.index(b"trainedAlgorithmicMedia", box),
        "soft binding": file.signed.index(MARK_ID.encode(), box),
    }[part]
    found = read_credentials(changed(file.signed, at), anchors=anchors)
    assert found is not None
    assert found.state == "Invalid"
    hashes = {"assertion.dataHash.mismatch", "assertion.bmffHash.mismatch"}
    whole_file = part in ("picture", "metadata")
    assert hashes & set(found.problems) if whole_file else "assertion.hashedURI.mismatch" in found.problems


def test_what_is_put_behind_an_avif_is_noticed(files: dict[str, File], anchors: bytes) -> None:
    for box in (b"free", b"skip", b"abcd"):
        found = read_credentials(files["avif"].signed + b"\0\0\0\x0c" + box + b"1234", anchors=anchors)
        assert found is not None
        assert found.state == "Invalid", box


def test_credentials_moved_to_another_picture_are_invalid(
    files: dict[str, File], signer: Signer, anchors: bytes
) -> None:
    manifest = io.BytesIO()
    Image.new("RGB", (64, 64)).save(manifest, "PNG")
    # The chunk caBX as it is, in front of the data of another picture.
    start = files["png"].signed.index(b"caBX") - 4
    length = int.from_bytes(files["png"].signed[start : start + 4], "big") + 12
    other = manifest.getvalue()
    moved = other[:33] + files["png"].signed[start : start + length] + other[33:]
    found = read_credentials(moved, anchors=anchors)
    assert found is not None
    assert found.state == "Invalid"


def test_other_tools_files_are_read(files: dict[str, File], development: DevelopmentChain, anchors: bytes) -> None:
    gif = io.BytesIO()
    Image.new("P", (32, 32)).save(gif, "GIF")
    chain, key = development.chain.read_bytes(), development.key.read_bytes()
    found = read_credentials(by_another_tool(gif.getvalue(), "image/gif", chain, key), anchors=anchors)
    assert found is not None
    assert (found.state, found.says["claim generator"]) == ("Trusted", "another tool")


def test_a_certificate_for_claim_signing_is_known(files: dict[str, File]) -> None:
    """The purpose that authorities of the C2PA trust list put into their certificates; the library alone does not."""
    key = make_key("es256")
    leaf, root = certificates(key, purposes=("1.3.6.1.4.1.62558.2.1",))
    found = read_credentials(sign(files["png"].plain, "png", LABEL, Signer(leaf, pem(key))), anchors=root)
    assert found is not None
    assert (found.state, found.says["signed by"]) == ("Trusted", "A studio / a signer")


# Hostile files.


def test_what_a_stranger_wrote_is_one_short_printable_line(
    files: dict[str, File], development: DevelopmentChain
) -> None:
    chain, key = development.chain.read_bytes(), development.key.read_bytes()
    bad = "\x1b[2J\u202e guardrail\n\n" + "x" * 5_000
    found = read_credentials(by_another_tool(files["png"].plain, "image/png", chain, key, generator=bad, notes=bad))
    assert found is not None
    for word in (found.says["claim generator"], found.says["soft binding"]):
        assert word.startswith("[2J guardrail x")
        assert word.isprintable()
        assert len(word) < 300


@pytest.mark.parametrize("content", [b"", b"jumb", b"no picture at all", b"%PDF-1.7 c2pa jumb", b"\0" * 64])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(UnsupportedInput):
        read_credentials(content)


def test_a_file_over_the_limit_is_refused(files: dict[str, File]) -> None:
    with pytest.raises(ImageTooLarge):
        read_credentials(files["png"].signed, limits=Limits(file_bytes=len(files["png"].signed) - 1))


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_cut_off_anywhere_is_never_more_than_invalid(files: dict[str, File], form: str) -> None:
    signed = files[form].signed
    for cut in np.linspace(16, len(signed) - 1, 25).astype(int):
        found = read_credentials(signed[:cut])
        assert found is None or found.state == "Invalid"


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Flipped, overwritten, cut-out and put-in bytes, most of them in the manifest."""
    mess = bytearray(content)
    box = content.index(b"jumb")
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(box, min(len(mess), box + 3_000)) if rng.random() < 0.8 else rng.integers(len(mess)))
        match rng.integers(4):
            case 0:
                mess[at] ^= 1 << int(rng.integers(8))
            case 1:
                mess[at] = int(rng.integers(256))
            case 2:
                del mess[at : at + int(rng.integers(1, 40))]
            case _:
                mess[at:at] = rng.bytes(int(rng.integers(1, 9)))
        mess.extend(b"\0" * max(0, box + 8 - len(mess)))
    return bytes(mess)


@pytest.mark.parametrize("form", FORMATS)
def test_damage_raises_nothing_else_and_is_never_believed(files: dict[str, File], form: str) -> None:
    """In what is kept of a damaged file: padding around the signature, which says nothing."""
    file, rng = files[form], np.random.default_rng(7)
    for _ in range(examples(120) // 2):
        content = damaged(file.signed, rng)
        try:
            found = read_credentials(content)
        except GuardrailError:
            continue
        assert found is None or found.state == "Invalid" or found.says == SAYS


@pytest.mark.nightly
def test_damaged_inputs_are_kept_or_named(files: dict[str, File], signer: Signer, anchors: bytes) -> None:
    rng = np.random.default_rng(11)
    for number in range(600):
        content = damaged(files[FORMATS[number % 4]].signed, rng)
        try:
            found = read_credentials(
                sign(files["png"].plain, "png", LABEL, signer, ingredient=content), anchors=anchors
            )
        except GuardrailError:
            continue
        assert found is not None
        assert (found.state, found.says["ingredients"], found.says["soft binding"]) == ("Trusted", "1", MARK_ID)


# No network.


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """An address, and the paths that were asked for there."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}/manifest.c2pa", asked
        serving.shutdown()


def test_a_manifest_that_lies_elsewhere_is_not_fetched(
    files: dict[str, File], signer: Signer, development: DevelopmentChain, server: tuple[str, list[str]]
) -> None:
    import c2pa

    address, asked = server
    chain, key = development.chain.read_bytes(), development.key.read_bytes()
    remote = by_another_tool(files["png"].plain, "image/png", chain, key, remote=address)
    assert address.encode() in remote
    assert read_credentials(remote) is None
    signed = sign(files["png"].plain, "png", LABEL, signer, ingredient=remote)
    assert read_credentials(signed) is not None
    with pytest.raises(GuardrailError):
        sign(remote[:-20], "png", LABEL, signer)
    assert asked == []
    # That the library would have asked:
    with pytest.raises(c2pa.C2paError):
        c2pa.Reader("image/png", io.BytesIO(remote), context=c2pa.Context())
    assert asked == ["/manifest.c2pa"]


def test_no_socket_is_opened(files: dict[str, File], signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    found = read_credentials(sign(files["png"].plain, "png", LABEL, signer))
    assert found is not None
    assert found.state == "Valid"


# Trust lists.


def test_a_trust_list_may_hold_several_and_words_between_them(
    tmp_path: Path, anchors: bytes, files: dict[str, File]
) -> None:
    _, stranger = certificates(make_key("es256"))
    path = tmp_path / "list.pem"
    path.write_bytes(b"Authority one\n" + stranger + b"\n# two\n" + anchors)
    loaded = load_anchors(path)
    assert loaded.count(b"BEGIN CERTIFICATE") == 2
    found = read_credentials(files["png"].signed, anchors=loaded)
    assert found is not None
    assert found.state == "Trusted"


@pytest.mark.parametrize("content", [None, b"", b"no certificate", pem(make_key("es256"))])
def test_what_is_no_trust_list_is_refused(tmp_path: Path, content: bytes | None, files: dict[str, File]) -> None:
    path = tmp_path / "list.pem"
    if content is not None:
        path.write_bytes(content)
        if content:
            with pytest.raises(ConfigurationError, match="give them in PEM"):
                read_credentials(files["png"].signed, anchors=content)
    with pytest.raises(ConfigurationError):
        load_anchors(path)
