"""`guardrail known`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from guardrail.keys import load_keyring, rotate
from guardrail.media.decode import decode_image
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
    faint = plain()
    faint[:, 32:] += 20
    Image.fromarray(faint).save(path)
    assert "only the very same" in run("add", path, "--list", "ours").out


def test_what_is_of_one_colour_is_left_out_and_said(run: Run, tmp_path: Path) -> None:
    clear, black = tmp_path / "clear.png", tmp_path / "black.png"
    Image.fromarray(np.dstack([drawn(1), np.zeros(drawn(1).shape[:2], np.uint8)])).save(clear)
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(black)
    said = run("add", clear, "--list", "ours").out
    left_out = sum(not view.std() for _, view in decode_image(clear).views())
    assert f"{left_out} frames or views are of one colour and were left out" in said
    said = run("add", black, "--list", "plain").out
    assert "only the very same file will be found" in said
    assert run("list", "--json").json == [
        {"list": "ours", "pictures": 1, "hashes": {"pdq": 14, "sha256": 1, "pixels": 1}},
        {"list": "plain", "pictures": 1, "hashes": {"pdq": 0, "sha256": 1, "pixels": 0}},
    ]
    said = run("add", clear, "--list", "other", "--json").json
    assert said["left_out"] == left_out >= 2
    assert [p["perceptual"] for p in said["pictures"]] == [True]


def test_rekey(run: Run, picture: Path) -> None:
    run("add", picture, "--list", "ours")
    assert run("rekey", "--json").json == {"key": load_keyring().active, "lists": []}
    assert "no list" in run("rekey").out
    new = rotate().active
    assert run("rekey", "--json").json == {"key": new, "lists": ["ours"]}
    newer = rotate().active
    assert run("rekey").out == f"under key {newer} now: ours\n"


def test_import(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    values = [to_hex(pdq(drawn(n))[0][0]) for n in (1, 2)]
    path.write_text(f"{values[0]},31,case 7\n{values[1]}\n", "utf-8")
    assert run("import", path, "--list", "theirs", "--json").json == {
        "list": "theirs",
        "read": 2,
        "new": 2,
        "widened": 0,
    }
    assert "0 of 2" in run("import", path, "--list", "theirs").out
    (near := tmp_path / "near.csv").write_text(f"{values[0]},2\n{values[1]},2\n", "utf-8")
    run("import", near, "--list", "narrow")
    assert "2 that it had match up to the larger distance now" in run("import", path, "--list", "narrow").out
    run("remove", "--list", "narrow", "--whole")
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
        (["add", "none.png", "--list", "ours"], 3, "none.png cannot be read"),
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


def test_a_changed_list_is_an_error_of_every_verb_but_removing_it(run: Run, picture: Path, own_home: Path) -> None:
    run("add", picture, "--list", "ours")
    path = own_home / "known" / "ours.hashes"
    path.write_bytes(path.read_bytes()[:-1])
    for arguments in (["list"], ["add", picture, "--list", "other"], ["remove", "0" * 16, "--list", "ours"]):
        said = run(*arguments)
        assert said.code == 3
        assert "put your copy of it back" in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "--json"],
        ["rekey"],
        ["rekey", "--json"],
        ["remove", "0" * 16, "--list", "ours"],
        ["remove", "--list", "ours", "--whole"],
        ["add", "none.png", "--list", "ours"],
        ["import", "none.txt", "--list", "ours"],
    ],
)
def test_what_writes_nothing_makes_no_key(run: Run, own_home: Path, arguments: list[str]) -> None:
    assert run(*arguments).code in (0, 3)
    assert not own_home.exists()


@pytest.mark.parametrize("kept", [0, 50, 300])
def test_a_damaged_list_hides_no_other_and_can_be_removed(run: Run, picture: Path, own_home: Path, kept: int) -> None:
    run("add", picture, "--list", "ours")
    run("add", picture, "--list", "broken")
    path = own_home / "known" / "broken.hashes"
    path.write_bytes(path.read_bytes()[:kept])
    said = run("list")
    assert said.code == 3
    assert "ours" in said.out
    assert str(path) in said.err
    assert "guardrail known remove --list broken --whole" in said.err
    rows = run("list", "--json").json
    assert [(row["list"], "fault" in row) for row in rows] == [("ours", False), ("broken", True)]
    # Not by its pictures, which nobody can read.
    assert run("remove", "0" * 16, "--list", "broken").code == 3
    assert run("remove", "--list", "broken", "--whole", "--json").json == {"list": "broken", "removed": None}
    said = run("list", "--json")
    assert (said.code, [row["list"] for row in said.json]) == (0, ["ours"])
    assert run("remove", "--list", "broken", "--whole").code == 3
    assert run("add", picture, "--list", "broken").code == 0


def test_a_file_that_no_list_can_be_called_is_named(run: Run, picture: Path, own_home: Path) -> None:
    run("add", picture, "--list", "ours")
    path = own_home / "known" / "Old Copy.hashes"
    path.write_bytes((own_home / "known" / "ours.hashes").read_bytes())
    said = run("list")
    assert (said.code, str(path) in said.err, "ours" in said.out) == (3, True, True)
    assert run("remove", "--list", "Old Copy", "--whole").code == 3
    assert path.exists()


def test_lists_whose_key_is_gone_are_named_and_no_key_is_made(run: Run, picture: Path, own_home: Path) -> None:
    run("add", picture, "--list", "ours")
    (own_home / "keyring.json").unlink()
    for arguments in (["list"], ["add", picture, "--list", "ours"], ["remove", "--list", "ours", "--whole"]):
        said = run(*arguments)
        assert said.code == 3
        assert "ours.hashes" in said.err
        assert "put your keyring back" in said.err
    assert not (own_home / "keyring.json").exists()
