"""`guardrail known`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from guardrail.media.pdq import pdq, to_hex
from tests.cli.said import Run, running
from tests.known.drawn import drawn, plain


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return running(capsys, "known")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "Somebodys Name.png"
    Image.fromarray(drawn(1)).save(path)
    return path


def test_add_list_and_remove(run: Run, picture: Path, own_home: Path) -> None:
    said = run("add", picture, "--list", "ours", "--tag", "case 7", "--json")
    assert said.code == 0
    assert (said.json["list"], [p["perceptual"] for p in said.json["pictures"]]) == ("ours", [True])
    (key,) = [p["id"] for p in said.json["pictures"]]
    assert run("list", "--json").json == [
        {"list": "ours", "pictures": 1, "hashes": {"pdq": 14, "sha256": 1, "pixels": 1}}
    ]
    assert "ours" in run("list").out
    assert "Somebody" not in said.out
    assert all(b"Somebody" not in p.read_bytes() for p in own_home.rglob("*") if p.is_file())
    assert run("remove", key, "--list", "ours", "--json").json == {"list": "ours", "removed": 1}
    assert run("list", "--json").json == [
        {"list": "ours", "pictures": 0, "hashes": {"pdq": 0, "sha256": 0, "pixels": 0}}
    ]
    assert run("remove", "--list", "ours", "--whole").code == 0
    assert "no lists" in run("list").out


def test_a_plain_picture_is_said_to_be_one(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "plain.png"
    Image.fromarray(plain()).save(path)
    assert "only the very same" in run("add", path, "--list", "ours").out


def test_import(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    values = [to_hex(pdq(drawn(n))[0][0]) for n in (1, 2)]
    path.write_text(f"{values[0]},31,case 7\n{values[1]}\n", "utf-8")
    assert run("import", path, "--list", "theirs", "--json").json == {"list": "theirs", "read": 2, "new": 2}
    assert "0 of 2" in run("import", path, "--list", "theirs").out
    path.write_text(hashlib.sha256(b"a file").hexdigest(), "utf-8")
    assert run("import", path, "--list", "files", "--sha256").code == 0
    assert [one["hashes"] for one in run("list", "--json").json] == [
        {"pdq": 0, "sha256": 1, "pixels": 0},
        {"pdq": 2, "sha256": 0, "pixels": 0},
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["remove", "--list", "ours"], 2, "say which"),
        (["remove", "0" * 16, "--list", "ours", "--whole"], 2, "say which"),
        (["remove", "0" * 16, "--list", "ours"], 3, "no list is called ours"),
        (["import", "none.txt", "--list", "ours"], 3, "cannot be read"),
        (["add", "none.png", "--list", "ours"], 3, "image 1 cannot be read"),
        (["list", "--nonsense"], 2, "nonsense"),
    ],
)
def test_mistakes(run: Run, arguments: list[str], code: int, message: str) -> None:
    said = run(*arguments)
    assert said.code == code
    assert message in said.err


def test_one_picture_that_cannot_be_read_leaves_the_list_as_it_was(run: Run, picture: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(picture.read_bytes()[:200])
    assert run("add", picture, broken, "--list", "ours").code == 3
    assert run("list", "--json").json == []


def test_a_changed_list_is_an_error_of_every_verb(run: Run, picture: Path, own_home: Path) -> None:
    run("add", picture, "--list", "ours")
    path = own_home / "known" / "ours.hashes"
    path.write_bytes(path.read_bytes()[:-1])
    for arguments in (["list"], ["add", picture, "--list", "other"], ["remove", "--list", "ours", "--whole"]):
        said = run(*arguments)
        assert said.code == 3
        assert "put your copy of it back" in said.err
