"""`guardrail keys new` and `check`: a chain to develop with, which says that it is one."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

pytest.importorskip("c2pa", reason='needs pip install "guardrail-diffusion[c2pa]"')

from guardrail.errors import ConfigurationError
from guardrail.marks.credentials import Signer, development, load_anchors, new_chain, read_credentials, sign
from tests.cli.said import Run, running
from tests.marks.conftest import LABEL
from tests.marks.credentials.conftest import File
from tests.marks.credentials.made import certificates, make_key


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return running(capsys, "keys")


def test_the_chain_signs_and_says_what_it_is(run: Run, tmp_path: Path, files: dict[str, File]) -> None:
    folder = tmp_path / "a" / "chain"
    said = run("new", folder)
    assert said.code == 0
    for word in ("development only", "no one trusts it", "Signer.from_files", "load_anchors", str(folder / "key.pem")):
        assert word in said.out.replace("\n", " ")
    assert sorted(path.name for path in folder.iterdir()) == ["chain.pem", "key.pem", "root.pem"]
    assert stat.S_IMODE((folder / "key.pem").stat().st_mode) == 0o600
    signer = Signer.from_files(folder / "chain.pem", folder / "key.pem")
    found = read_credentials(sign(files["png"].plain, "png", LABEL, signer), anchors=load_anchors(folder / "root.pem"))
    assert found is not None
    assert (found.state, found.says["signed by"].split(" / ")[0]) == ("Trusted", "guardrail development, not trusted")


def test_json_has_paths_and_no_key(run: Run, tmp_path: Path) -> None:
    said = run("new", tmp_path / "c", "--json")
    assert said.json["key"] == str(tmp_path / "c" / "key.pem")
    assert (said.json["development"], said.json["expires"][:2]) == (True, "20")
    assert "PRIVATE" not in said.out + said.err


@pytest.mark.parametrize("name", ["root.pem", "chain.pem", "key.pem"])
def test_nothing_is_overwritten(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"mine")
    said = run("new", tmp_path)
    assert said.code == 3
    assert "is there already and is not overwritten" in said.err
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [name]
    assert (tmp_path / name).read_bytes() == b"mine"


def test_two_chains_have_nothing_in_common(tmp_path: Path) -> None:
    one, two = (new_chain(tmp_path / name) for name in ("one", "two"))
    assert one.key.read_bytes() != two.key.read_bytes()
    assert one.root.read_bytes() != two.root.read_bytes()


def test_a_folder_that_cannot_be_written_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        new_chain(tmp_path / "file" / "chain")
    opened = development.os.open

    def full(path: Path, *rest: int) -> int:
        if path.name == "key.pem":
            raise OSError(28, "No space left on device")
        return opened(path, *rest)

    monkeypatch.setattr(development.os, "open", full)
    with pytest.raises(ConfigurationError, match="No space left"):
        new_chain(tmp_path / "chain")
    assert list((tmp_path / "chain").iterdir()) == []


def test_check_says_whose_a_chain_is_and_what_is_wrong(run: Run, tmp_path: Path) -> None:
    made = new_chain(tmp_path / "c")
    said = run("check", made.chain)
    assert "guardrail development, not trusted / development signer: signs with es256 until" in said.out
    row = run("check", made.chain, "--json").json
    assert (row["algorithm"], row["certificates"]) == ("es256", 2)
    bad = tmp_path / "bad.pem"
    bad.write_bytes(certificates(make_key("es256"), days=(-9, -2))[0])
    said = run("check", bad)
    assert (said.code, "has expired" in said.err) == (3, True)
    assert run("check", made.root).code == 3


def test_the_example_of_the_guide_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = Path(__file__).parents[3] / "docs" / "credentials.md"
    (example,) = re.findall(r"```python\n(.*?)```", guide.read_text("utf-8"), re.S)
    monkeypatch.chdir(tmp_path)
    new_chain("chain")
    exec(compile(example, str(guide), "exec"), {})
    assert (
        capsys.readouterr().out == "Trusted guardrail development, not trusted / development signer 0123456789abcde\n"
    )
