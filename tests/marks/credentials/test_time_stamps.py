"""Time stamps (RFC 3161), by an authority on this machine; `openssl ts` stamps."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("c2pa", reason='needs pip install "guardrail-diffusion[c2pa]"')
if shutil.which("openssl") is None:
    pytest.skip("needs the program openssl", allow_module_level=True)

from guardrail.errors import MarkError
from guardrail.marks.credentials import DevelopmentChain, Signer, read_credentials, sign
from tests.marks.conftest import LABEL
from tests.marks.credentials.conftest import File
from tests.marks.credentials.made import certificates, make_key, pem

CONFIGURATION = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/stamp.pem
certs = {folder}/root.pem
signer_key = {folder}/key.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
"""


class Authority(NamedTuple):
    url: str
    root: bytes
    asked: list[int]


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    key = make_key("ps256")
    leaf, root = certificates(key, purposes=("1.3.6.1.5.5.7.3.8",), critical=True)
    for name, content in (("stamp.pem", leaf), ("root.pem", root), ("key.pem", pem(key)), ("serial", b"01\n")):
        (tmp_path / name).write_bytes(content)
    configuration = tmp_path / "tsa.cnf"
    configuration.write_text(CONFIGURATION.format(folder=tmp_path))
    asked: list[int] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = tmp_path / "query"
            query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(query.stat().st_size)
            command = ["openssl", "ts", "-reply", "-config", str(configuration), "-queryfile", str(query)]
            answer = subprocess.run(command, capture_output=True, check=True).stdout
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield Authority(f"http://127.0.0.1:{serving.server_port}/", root, asked)
        serving.shutdown()


def test_the_time_is_stamped_and_vouched_for(
    files: dict[str, File], development: DevelopmentChain, anchors: bytes, authority: Authority
) -> None:
    signer = Signer.from_files(development.chain, development.key, tsa=authority.url)
    assert authority.asked == []
    signed = sign(files["png"].plain, "png", LABEL, signer)
    assert len(authority.asked) == 1
    found = read_credentials(signed, anchors=anchors + authority.root)
    assert found is not None
    assert (found.state, found.problems) == ("Trusted", ())
    assert found.says["signed at"].startswith("20")
    unknown = read_credentials(signed, anchors=anchors)
    assert unknown is not None
    assert (unknown.state, unknown.problems) == ("Trusted", ("timeStamp.untrusted",))
    assert len(authority.asked) == 1


def test_while_the_authority_cannot_be_reached_nothing_is_signed(
    files: dict[str, File], development: DevelopmentChain
) -> None:
    signer = Signer.from_files(development.chain, development.key, tsa="http://127.0.0.1:9/")
    for earlier in (None, files["jpeg"].signed):
        with pytest.raises(MarkError, match="can the time-stamping authority be reached"):
            sign(files["png"].plain, "png", LABEL, signer, ingredient=earlier)
