"""``guardrail gallery``: everything about it, without any photograph; enrolling from one is in test_cli.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail.gallery.portable import SCRYPT
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


def test_a_key_that_was_rotated(run: Run, one: str, own_home: Path) -> None:
    old = load_keyring().active
    rotate(own_home / "keyring.json")
    new = load_keyring().active
    assert run("stats", "--json").json["key_id"] == old
    assert "run guardrail gallery rekey" in run("stats").out
    assert run("rekey", "--json").json == {"key": new, "changed": True}
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
