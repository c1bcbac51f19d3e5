"""``guardrail gallery``: everything about it, without any photograph; enrolling from one is in test_cli.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail.gallery.lock import SCRYPT
from guardrail.guard.build import open_gallery
from guardrail.keys import load_keyring
from guardrail.keys.keyring import rotate
from tests.cli.said import Run, running

NOTE = {"label": "model 7", "purposes": ["studio"], "evidence": "form 12", "attested_by": "Kim Clerk"}
PRIVATE = ("model 7", "form 12", "Kim Clerk")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return running(capsys, "gallery")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase is made slow to guess; here that would only be slow."""
    monkeypatch.setitem(SCRYPT, "n", 2**10)


@pytest.fixture
def gallery(own_home: Path) -> Any:
    return open_gallery("auto", load_keyring())


@pytest.fixture
def one(gallery: Any) -> str:
    """Somebody who consented."""
    vectors = np.random.default_rng(1).normal(size=(2, 16)).astype(np.float32)
    return str(gallery.enrol(vectors, embedder="toy", list="consented", **NOTE).id)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("correct horse battery\nanything else\n")
    return path


@pytest.mark.parametrize("verb", [("list",), ("show", "ID")])
@pytest.mark.parametrize("json", [[], ["--json"]])
def test_no_label_is_printed_unless_asked(run: Run, one: str, verb: tuple[str, ...], json: list[str]) -> None:
    words = [one if word == "ID" else word for word in verb]
    plain = run(*words, *json)
    assert plain.code == 0
    assert one in plain.out
    assert not any(secret in plain.out for secret in PRIVATE)
    told = run(*words, "--labels", *json)
    assert "model 7" in told.out
    if json or verb[0] == "show":
        assert all(secret in told.out for secret in PRIVATE)


def test_what_json_says_of_one(run: Run, one: str) -> None:
    row = run("show", one, "--labels", "--json").json
    assert (row["id"], row["list"], row["state"], row["purposes"]) == (one, "consented", "active", ["studio"])
    assert (row["expires"], row["revoked"], row["embedders"], row["label"]) == (None, None, ["toy"], "model 7")
    assert row["attested"] == [{"at": row["created"], "what": "enrolled", "by": "Kim Clerk", "evidence": "form 12"}]
    assert [r["id"] for r in run("list", "--json").json] == [one]


def test_renewing(run: Run, gallery: Any, one: str) -> None:
    row = run("renew", one, "--expires", "2099-01-31", "--purpose", "advert", "--evidence", "form 13", "--json").json
    assert (row["expires"], row["purposes"]) == ("2099-01-31T00:00:00+00:00", ["advert"])
    assert gallery.identity(one).evidence == "form 13"
    assert gallery.identity(one).attested[-1].by  # the user of this machine
    assert run("renew", one, "--no-end", "--any-purpose", "--attested-by", "Bo").code == 0
    found = gallery.identity(one)
    assert (found.expires, found.purposes, found.attested_by) == ("", (), "Bo")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--expires", "2099-01-31", "--no-end"],
        ["--no-end", "--purpose", "a", "--any-purpose"],
        ["--expires", "soon"],
    ],
)
def test_a_renewal_that_does_not_say_what(run: Run, one: str, words: list[str]) -> None:
    assert run("renew", one, *words).code == 2


def test_revoking_and_deleting(run: Run, gallery: Any, one: str) -> None:
    assert run("revoke", one, "--attested-by", "Bo", "--json").json["state"] == "revoked"
    assert gallery.identity(one).attested_by == "Bo"
    assert run("renew", one, "--no-end").code == 3
    assert run("delete", one).code == 2  # nobody is there to say yes
    assert len(gallery.identities()) == 1
    assert run("delete", one, "--yes", "--json").json == {"id": one, "deleted": True}
    assert run("list").out.strip() == "nobody is enrolled"
    assert run("delete", one, "--yes").code == 3


@pytest.mark.parametrize("verb", [["show"], ["renew", "--no-end"], ["revoke"], ["delete", "--yes"]])
@pytest.mark.parametrize("name", ["0123", "f" * 16, "x" * 16])
def test_nobody_of_that_name(run: Run, one: str, verb: list[str], name: str) -> None:
    said = run(verb[0], name, *verb[1:])
    assert said.code == 3
    assert "no identity" in said.err


def test_there_and_back_in_one_file(run: Run, gallery: Any, one: str, secret: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gallery"
    assert run("export", out, "--passphrase-file", secret, "--json").json == {"file": str(out), "identities": 1}
    gallery.delete(one)
    done = run("import", out, "--passphrase-file", secret, "--json").json
    assert done == {"added": 1, "known": 0, "revoked": 0}
    assert gallery.identity(one).label == "model 7"
    assert "0 added, 1 were here" in run("import", out, "--passphrase-file", secret).out


def test_the_secret_of_an_export(
    run: Run, one: str, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GUARDRAIL_PASSPHRASE", raising=False)
    assert run("export", tmp_path / "a").code == 2
    assert run("export", tmp_path / "a", "--passphrase-file", tmp_path / "nowhere").code == 2
    assert run("export", tmp_path / "a", "--keyring").code == 0
    assert run("import", tmp_path / "a", "--keyring").code == 0
    assert run("import", tmp_path / "a", "--passphrase-file", secret).code == 3
    monkeypatch.setenv("GUARDRAIL_PASSPHRASE", "short")
    said = run("export", tmp_path / "b")
    assert (said.code, "at least 12 characters" in said.err) == (3, True)
    monkeypatch.setenv("GUARDRAIL_PASSPHRASE", "correct horse battery")
    assert run("export", tmp_path / "b").code == 0
    assert run("export", tmp_path / "b").code == 3  # it is there already
    assert run("import", tmp_path / "b", "--passphrase-file", secret).code == 0


def test_an_export_outlives_the_rotation_of_its_key(run: Run, one: str, own_home: Path, tmp_path: Path) -> None:
    out, keyring = tmp_path / "out", own_home / "keyring.json"
    assert run("export", out, "--keyring").code == 0
    old, ring = load_keyring().active, keyring.read_text()
    rotate(keyring)
    assert run("import", out, "--keyring", "--json").json == {"added": 0, "known": 1, "revoked": 0}
    # Without that key there is no way, and it is named.
    assert run("rekey").code == 0
    kept = json.loads(keyring.read_text())
    kept["keys"] = [key for key in kept["keys"] if key["id"] != old]
    keyring.write_text(json.dumps(kept))
    said = run("import", out, "--keyring")
    assert (said.code, f"locked with key {old}, which is not on this ring" in said.err) == (3, True)
    keyring.write_text(ring)


@pytest.mark.parametrize("content", [None, b"", b"something else", b"guardrail gallery export 1\n\x02\0\0\0{}"])
def test_what_is_no_export_is_not_imported_with_the_keyring(
    run: Run, gallery: Any, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "out").write_bytes(content)
    said = run("import", tmp_path / "out", "--keyring")
    assert (said.code, str(tmp_path / "out") in said.err) == (3, True)


def test_a_key_that_was_rotated(run: Run, one: str, own_home: Path) -> None:
    old = load_keyring().active
    rotate(own_home / "keyring.json")
    new = load_keyring().active
    assert run("stats", "--json").json["key_id"] == old
    assert "run guardrail gallery rekey" in run("stats").out
    assert run("rekey", "--json").json == {"key": new, "changed": True}
    # Known images, exports and marks are not the gallery's to encrypt anew.
    assert "keep the older key" in run("rekey").out
    assert "can go" not in run("rekey", "--help").out
    assert run("rekey", "--json").json == {"key": new, "changed": False}
    found = run("stats", "--json").json
    assert (found["key_id"], found["outdated_key"]) == (new, False)
    assert [r["id"] for r in run("list", "--json").json] == [one]


def test_counts_without_names(run: Run, gallery: Any, one: str) -> None:
    gallery.revoke(one)
    found = run("stats", "--json").json
    assert found["lists"]["consented"] == {"active": 0, "expired": 0, "revoked": 1}
    assert found["lists"]["protected"] == {"active": 0, "expired": 0, "revoked": 0}
    assert found["embedders"] == {}
    assert not any(secret in run("stats").out for secret in (*PRIVATE, one))


@pytest.mark.parametrize(
    "words",
    [
        ["photo.png"],
        ["photo.png", "--consent", "--protect"],
        ["photo.png", "--consent", "--to", "f" * 16],
        ["photo.png", "--to", "f" * 16, "--label", "x"],
        ["photo.png", "--to", "f" * 16, "--purpose", "x"],
    ],
)
@pytest.mark.parametrize("verb", ["add", "enrol"])
def test_adding_needs_to_know_for_what(run: Run, verb: str, words: list[str]) -> None:
    assert run(verb, *words).code == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--face-backend", "best"], "no face backend is called 'best'"),
        (["--face-backend", "insightface"], "needs the folder of a local pack"),
        (["--face-backend", "embedded", "--pack", "pack"], "embedded takes no pack; leave"),
        (["--face-backend", "opencv", "--pack", "pack"], "opencv takes no pack"),
    ],
)
def test_the_faces_are_read_by_the_backend_that_the_guard_has(run: Run, own_home: Path, words: Any, says: str) -> None:
    said = run("add", "photo.png", "--protect", *words)
    assert (said.code, says in said.err) == (3, True)


def test_counts_say_whom_an_embedder_does_not_know(run: Run, gallery: Any) -> None:
    gallery.enrol(np.ones((1, 16), np.float32), embedder="toy", list="protected")
    assert "no vectors of" not in run("stats").out
    gallery.enrol(np.ones((1, 4), np.float32), embedder="other", list="protected")
    assert "other: 1 protected identity has no vectors of it: a guard with it does not know them" in run("stats").out
    assert run("stats", "--json").json["embedders"]["toy"]["uncovered"] == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["list"], 0, "nobody is enrolled"),
        (["show", "f" * 16], 3, "there is no gallery yet"),
        (["revoke", "f" * 16], 3, "there is no gallery yet"),
        (["renew", "f" * 16, "--no-end"], 3, "there is no gallery yet"),
        (["delete", "f" * 16, "--yes"], 3, "there is no gallery yet"),
        (["stats"], 3, "there is no gallery yet"),
        (["rekey"], 3, "there is no gallery yet"),
        (["export", "out", "--keyring"], 3, "there is no gallery yet"),
        (["export", "out", "--passphrase-file", "SECRET"], 3, "there is no gallery yet"),
        (["import", "nowhere", "--passphrase-file", "SECRET"], 3, "nowhere cannot be read"),
        (["import", "nowhere", "--keyring"], 3, "there is no key yet"),
    ],
)
def test_what_writes_nothing_makes_no_key_and_no_gallery(
    run: Run, own_home: Path, secret: Path, words: list[str], code: int, says: str
) -> None:
    said = run(*(secret if word == "SECRET" else word for word in words))
    assert (said.code, says in said.out + said.err) == (code, True)
    assert not own_home.exists()


def test_an_export_that_does_not_open_makes_no_key(
    run: Run, one: str, own_home: Path, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, elsewhere, other = tmp_path / "out", tmp_path / "elsewhere", tmp_path / "other"
    run("export", out, "--passphrase-file", secret)
    monkeypatch.setenv("GUARDRAIL_HOME", str(elsewhere))
    other.write_text("another passphrase\n")
    assert run("import", out, "--passphrase-file", other).code == 3
    whole = out.read_bytes()
    # At the last byte too, behind pieces that open.
    out.write_bytes(whole[:-1])
    assert run("import", out, "--passphrase-file", secret).code == 3
    assert not elsewhere.exists()
    out.write_bytes(whole)
    assert run("import", out, "--passphrase-file", secret, "--json").json["added"] == 1


def test_an_empty_file_without_a_key_is_said_to_be_one(run: Run, own_home: Path) -> None:
    own_home.mkdir()
    (own_home / "gallery.sqlite").touch()
    said = run("list")
    assert (said.code, "gallery.sqlite is empty" in said.err) == (3, True)
    assert [p.name for p in own_home.iterdir()] == ["gallery.sqlite"]


@pytest.mark.parametrize("verb", ["export", "import"])
@pytest.mark.parametrize("content", ["", "\nsecond line of the file\n"])
def test_a_passphrase_file_whose_first_line_is_empty(
    run: Run, one: str, tmp_path: Path, verb: str, content: str
) -> None:
    (tmp_path / "secret").write_text(content)
    said = run(verb, tmp_path / "out", "--passphrase-file", tmp_path / "secret")
    assert (said.code, "the first line of" in said.err) == (2, True)


@pytest.mark.parametrize("verb", ["export", "import"])
def test_a_passphrase_and_a_key_together_are_a_mistake(
    run: Run, one: str, secret: Path, tmp_path: Path, verb: str
) -> None:
    said = run(verb, tmp_path / "out", "--passphrase-file", secret, "--keyring")
    assert (said.code, "not both" in said.err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_what_help_says_of_options(run: Run) -> None:
    def words(*verb: str) -> str:
        return " ".join(run(*verb, "--help").out.replace("│", " ").split())

    assert "Lock it with a key" in words("export")
    assert "Open it with a key" in words("import")
    assert "Lock it" not in words("import")
    assert "Print labels; show and --json" in words("list")


def test_a_photograph_is_called_by_its_file(run: Run, own_home: Path, tmp_path: Path) -> None:
    said = run("add", tmp_path / "nowhere.png", "--protect", "--face-backend", "embedded")
    assert (said.code, "nowhere.png cannot be read" in said.err) == (3, True)
    assert not own_home.exists()
