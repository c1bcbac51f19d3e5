"""Keys: made once, kept private, found in the order that is written down, and never in a message."""

from __future__ import annotations

import datetime as dt
import json
import logging
import multiprocessing
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.errors import KeyringError
from guardrail.keys import (
    Keyring,
    existing_keyring,
    find_keyring,
    key_id,
    keyring,
    load_keyring,
    rotate,
    set_key_provider,
)

A, B, C = (bytes([n]) * 32 for n in (1, 2, 3))


@pytest.fixture(autouse=True)
def no_provider() -> Iterator[None]:
    yield
    set_key_provider(None)


def written(path: Path, *secrets: bytes, mode: int = 0o600, **more: Any) -> Path:
    keys = [{"id": key_id(s), "secret": s.hex()} for s in secrets]
    path.write_text(json.dumps({"version": 1, "keys": keys, **more}), "utf-8")
    path.chmod(mode)
    return path


# ---- first use


def test_first_use_makes_a_private_key_and_says_so_once(own_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    previous = os.umask(0)
    try:
        ring = load_keyring()
    finally:
        os.umask(previous)
    path = own_home / "keyring.json"
    assert ring.created
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert ring.active in record.getMessage()
    assert str(path) in record.getMessage()
    assert json.loads(path.read_text())["keys"][0]["secret"] not in caplog.text

    again = load_keyring()
    assert (again.created, again.active, again.derive("x")) == (False, ring.active, ring.derive("x"))
    assert len(caplog.records) == 1
    assert [p.name for p in own_home.iterdir()] == ["keyring.json"]


def test_what_is_lost_with_a_key_is_said(own_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    load_keyring()
    (record,) = caplog.records
    assert all(what in record.getMessage() for what in ("gallery", "lists of known images", "marks"))


@pytest.mark.parametrize("sealed", ["gallery.sqlite", "known/ours.hashes"])
@pytest.mark.parametrize("load", [load_keyring, existing_keyring])
def test_beside_what_another_key_sealed_none_is_made(own_home: Path, sealed: str, load: Any) -> None:
    (own_home / "known").mkdir(parents=True)
    (own_home / sealed).write_bytes(b"something")
    with pytest.raises(KeyringError) as caught:
        load()
    said = str(caught.value)
    assert str(own_home / "keyring.json") in said
    assert str(own_home / sealed) in said
    assert "put your keyring back" in said
    assert "To begin anew" in said
    assert not (own_home / "keyring.json").exists()
    (own_home / sealed).rename(own_home / "moved away")
    assert load_keyring().created


@pytest.mark.parametrize("harmless", ["gallery.sqlite", "known/.lock", "known/.ours.hashes.1.2", "known/.x.hashes"])
def test_what_is_not_sealed_stands_in_the_way_of_no_key(own_home: Path, harmless: str) -> None:
    (own_home / "known").mkdir(parents=True)
    (own_home / harmless).write_bytes(b"" if harmless == "gallery.sqlite" else b"something")
    assert existing_keyring() is None
    assert load_keyring().created


def test_a_key_that_another_process_makes_between_two_looks_is_taken(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    real = keyring.find_keyring

    def find(folder: Path | None = None) -> Keyring | None:
        looks.append(real(folder))
        if len(looks) == 1:
            written(own_home / "keyring.json", A)
            (own_home / "gallery.sqlite").write_bytes(b"something")
        return looks[-1]

    own_home.mkdir()
    monkeypatch.setattr(keyring, "find_keyring", find)
    assert load_keyring().active == key_id(A)


def test_two_installations_have_two_keys(tmp_path: Path) -> None:
    rings = [load_keyring(tmp_path / name) for name in "ab"]
    assert rings[0].active != rings[1].active
    assert rings[0].derive("marks") != rings[1].derive("marks")


def test_a_race_of_threads_makes_one_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gate, rings = threading.Barrier(16), []

    def load() -> None:
        gate.wait()
        rings.append(load_keyring(tmp_path))

    threads = [threading.Thread(target=load) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({r.active for r in rings}) == 1
    assert sum(r.created for r in rings) == 1
    assert len(caplog.records) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["keyring.json"]


def _load_and_tell(folder: str, gate: Any, out: Any) -> None:
    gate.wait(30)
    out.put([(ring.active, ring.created) for ring in [load_keyring(Path(folder))]])


def test_a_race_of_processes_makes_one_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    gate, out = context.Barrier(4), context.Queue()
    workers = [context.Process(target=_load_and_tell, args=(str(tmp_path), gate, out)) for _ in range(4)]
    for worker in workers:
        worker.start()
    told = [pair for _ in workers for pair in out.get(timeout=30)]
    for worker in workers:
        worker.join(30)
    assert len({active for active, _ in told}) == 1
    assert sum(created for _, created in told) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["keyring.json"]


def test_killed_while_making_a_key_leaves_no_half_key(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; import guardrail.keys.keyring as k\n"
        "k.os.link = lambda *a: os._exit(9)\n"
        "k.load_keyring(Path(sys.argv[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == 9
    assert not (tmp_path / "keyring.json").exists()
    assert load_keyring(tmp_path).created


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(KeyringError, match=r"cannot be written .*set GUARDRAIL_HOME .*GUARDRAIL_KEY"):
        load_keyring(blocked / "below")

    def no_links(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(KeyringError, match="Operation not permitted"):
        load_keyring(tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []


# ---- sources


def test_the_first_source_that_is_set_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_home: Path) -> None:
    own_home.mkdir()
    written(own_home / "keyring.json", A)
    assert load_keyring().active == key_id(A)
    monkeypatch.setenv("GUARDRAIL_KEY_FILE", str(written(tmp_path / "ring.json", B, A)))
    ring = load_keyring()
    assert (ring.ids, ring.source) == ((key_id(B), key_id(A)), str(tmp_path / "ring.json"))
    monkeypatch.setenv("GUARDRAIL_KEY", f" {C.hex().upper()} , {B.hex()}\n")
    assert load_keyring().ids == (key_id(C), key_id(B))
    set_key_provider(lambda: [A, C])
    assert (load_keyring().ids, load_keyring().source) == ((key_id(A), key_id(C)), "callback")
    set_key_provider(None)
    assert load_keyring().active == key_id(C)


def test_a_source_that_is_set_never_makes_a_key(monkeypatch: pytest.MonkeyPatch, own_home: Path) -> None:
    monkeypatch.setenv("GUARDRAIL_KEY", A.hex())
    load_keyring()
    assert not own_home.exists()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        # `GUARDRAIL_KEY: ${SECRET}` with no such secret: a random key would be made, and be lost with the container.
        ("GUARDRAIL_KEY", "", "is set, but a key in it is empty; unset it, or make one with: openssl rand -hex 32"),
        ("GUARDRAIL_KEY", "  ", "a key in it is empty"),
        ("GUARDRAIL_KEY", f"{A.hex()},", "a key in it is empty"),
        ("GUARDRAIL_KEY", "correct horse battery staple", "is not hexadecimal; make one with: openssl rand"),
        ("GUARDRAIL_KEY", A.hex()[:-2], "has 31 bytes, 32 are needed; make one with"),
        ("GUARDRAIL_KEY", A.hex() + "00", "has 33 bytes"),
        ("GUARDRAIL_KEY", A.hex()[:-1], "is not hexadecimal"),
        ("GUARDRAIL_KEY", f"{A.hex()} {B.hex()}", "has 64 bytes"),
        ("GUARDRAIL_KEY_FILE", "", "names nothing, which is not a file"),
        ("GUARDRAIL_KEY_FILE", "/no/such/ring.json", "/no/such/ring.json, which is not a file; correct or unset it"),
        ("GUARDRAIL_KEY_FILE", "/", "/, which is not a file"),
    ],
)
def test_variables_that_are_wrong(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch, own_home: Path
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(KeyringError, match=message) as caught:
        load_keyring()
    assert f"${name}" in str(caught.value)
    assert_no_material(caught.value, A, B)
    assert "battery" not in str(caught.value)
    assert not own_home.exists()


def assert_no_material(error: BaseException, *secrets: bytes) -> None:
    """Neither in the message nor in what a traceback would print of its causes."""
    text = repr(error) + repr(error.__cause__) + ("" if error.__suppress_context__ else repr(error.__context__))
    for secret in secrets:
        assert secret.hex()[:16] not in text
        assert repr(secret)[2:20] not in text


GOOD = {"version": 1, "keys": [{"secret": A.hex()}]}
MALFORMED = {
    "empty": b"",
    "no json": b"-----BEGIN KEY-----",
    "hexadecimal alone": A.hex().encode(),
    "not utf-8": b"\xff\xfe\x00",
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
    "deep": b"[" * 100_000,
    "a list": json.dumps([A.hex()]).encode(),
    "a word": b'"keys"',
    "null": b"null",
    "no version": json.dumps({"keys": GOOD["keys"]}).encode(),
    "another version": json.dumps({**GOOD, "version": 2}).encode(),
    "no keys": json.dumps({"version": 1}).encode(),
    "an empty list": json.dumps({"version": 1, "keys": []}).encode(),
    "words for keys": json.dumps({"version": 1, "keys": [A.hex()]}).encode(),
    "a key without a secret": json.dumps({"version": 1, "keys": [{"id": "x"}]}).encode(),
    "a number for a secret": json.dumps({"version": 1, "keys": [{"secret": 5}]}).encode(),
    "null for a secret": json.dumps({"version": 1, "keys": [{"secret": None}]}).encode(),
    "an empty secret": json.dumps({"version": 1, "keys": [{"secret": ""}]}).encode(),
    "a short secret": json.dumps({"version": 1, "keys": [{"secret": A.hex()[:-2]}]}).encode(),
    "the second is short": json.dumps({"version": 1, "keys": [{"secret": A.hex()}, {"secret": "00"}]}).encode(),
    "cut off": json.dumps(GOOD).encode()[:-10],
    "one digit flipped": json.dumps({"version": 1, "keys": [{"id": key_id(A), "secret": "f" + A.hex()[1:]}]}).encode(),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_files_that_are_no_keyring(name: str, own_home: Path) -> None:
    own_home.mkdir()
    path = own_home / "keyring.json"
    path.write_bytes(MALFORMED[name])
    path.chmod(0o600)
    with pytest.raises(KeyringError) as caught:
        load_keyring()
    message = str(caught.value)
    assert str(path) in message
    assert_no_material(caught.value, A)
    assert any(mend in message for mend in ("put your copy of it back", "make one with: openssl", "version than 1"))
    # It is not replaced: the user may still mend it.
    assert path.read_bytes() == MALFORMED[name]


@pytest.mark.skipif(sys.platform == "win32", reason="no such modes there")
@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o601, 0o666, 0o777])
@pytest.mark.parametrize("source", ["home", "file"])
def test_a_key_that_others_can_read_is_refused(
    mode: int, source: str, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_home.mkdir()
    path = written(own_home / "keyring.json", A, mode=mode)
    if source == "file":
        monkeypatch.setenv("GUARDRAIL_KEY_FILE", str(path))
    with pytest.raises(KeyringError, match=f"can be read by other users; run: chmod 600 {path}") as caught:
        load_keyring()
    assert_no_material(caught.value, A)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_private_modes_are_accepted(mode: int, own_home: Path) -> None:
    own_home.mkdir()
    assert load_keyring(written(own_home / "keyring.json", A, mode=mode).parent).active == key_id(A)


def test_a_dangling_link_is_not_written_through(own_home: Path) -> None:
    own_home.mkdir()
    (own_home / "keyring.json").symlink_to(own_home / "gone.json")
    with pytest.raises(KeyringError, match="cannot be read"):
        load_keyring()
    assert not (own_home / "gone.json").exists()


def _failing() -> list[bytes]:
    raise RuntimeError(f"secret {A.hex()}")


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        (list, "callback holds no key"),
        (lambda: None, "gives a list of keys, the active one first, not NoneType"),
        (lambda: A, "gives a list of keys, the active one first, not bytes"),
        (lambda: A.hex(), "not str"),
        (lambda: [A.hex()[:32]], "a key is 32 bytes, not str"),
        (lambda: [A[:31]], "a key has 31 bytes, 32 are needed"),
        (lambda: [None], "a key is 32 bytes, not NoneType"),
        (_failing, r"the key callback failed \(RuntimeError\); call it by hand"),
    ],
)
def test_callbacks_that_give_no_keys(provider: Any, message: str) -> None:
    set_key_provider(provider)
    with pytest.raises(KeyringError, match=message) as caught:
        load_keyring()
    assert_no_material(caught.value, A)


def test_a_callback_may_give_mutable_bytes() -> None:
    given = bytearray(A)
    set_key_provider(lambda: (given,))
    ring = load_keyring()
    given[:] = bytes(32)  # wiped by its owner
    assert ring.derive("marks") == Keyring([A], source="x").derive("marks")


# ---- what is made of a key


def test_subkeys_of_purposes_and_keys_are_all_different() -> None:
    ring = Keyring([A, B], source="test")
    purposes = ("marks/tileline/1", "marks/ids", "audit", "gallery", "hashes", "", "marks")
    subkeys = {ring.derive(p, key=k) for p in purposes for k in ring.ids}
    assert len(subkeys) == 14
    assert all(len(k) == 32 for k in subkeys)
    assert not subkeys & {A, B}
    assert ring.derive("audit") == ring.derive("audit", key=key_id(A)) == Keyring([A], source="x").derive("audit")


def test_derivation_is_hkdf_sha256_and_stays_so() -> None:
    # RFC 5869 by hand; a change would make every mark and every gallery unreadable.
    import hashlib
    import hmac

    extracted = hmac.new(b"guardrail", A, hashlib.sha256).digest()
    expected = hmac.new(extracted, b"audit\x01", hashlib.sha256).digest()
    assert Keyring([A], source="x").derive("audit") == expected


def test_an_unknown_key_is_named_with_those_there_are() -> None:
    with pytest.raises(KeyringError, match=f"no key 00000000 on this ring; it has {key_id(A)}, {key_id(B)}"):
        Keyring([A, B], source="x").derive("audit", key="00000000")


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_fingerprints(one: bytes, other: bytes) -> None:
    ring, stranger = Keyring([A], source="x"), Keyring([B], source="x")
    word = ring.fingerprint(one)
    assert len(word) == 32
    assert set(word) <= set("0123456789abcdef")
    assert (word == ring.fingerprint(other)) == (one == other)
    assert word != stranger.fingerprint(one)
    assert word != ring.fingerprint(one, purpose="audit")
    assert word == Keyring([A, B], source="x").fingerprint(one)


def test_nothing_printed_of_a_ring_is_secret() -> None:
    ring = Keyring([A, B], source="test")
    ring.derive("marks")
    for text in (repr(ring), str(ring), f"{ring}", str(ring.ids)):
        assert "01010101" not in text
        assert "\\x01" not in text
    assert key_id(A) not in A.hex()


# ---- rotation


def test_rotation_keeps_the_older_keys(own_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = load_keyring()
    path = own_home / "keyring.json"
    second = rotate(path)
    third = rotate(path)
    assert third.ids == (third.active, second.active, first.active)
    assert len(set(third.ids)) == 3
    assert third.derive("marks", key=first.active) == first.derive("marks")
    assert load_keyring().ids == third.ids
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f"{second.active} stays readable" in caplog.text
    assert all(entry["secret"] not in caplog.text for entry in json.loads(path.read_text())["keys"])


def test_rotation_keeps_what_it_does_not_know(tmp_path: Path) -> None:
    path = written(tmp_path / "ring.json", A, note="kept by the operator")
    rotate(path)
    assert json.loads(path.read_text())["note"] == "kept by the operator"


def test_rotations_at_once_lose_no_key(tmp_path: Path) -> None:
    path = written(tmp_path / "ring.json", A)
    threads = [threading.Thread(target=rotate, args=(path,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads(path.read_text())["keys"]) == 9


def test_a_rotation_that_fails_leaves_the_ring_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "ring.json", A)
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyringError, match="No space left on device"):
        rotate(path)
    assert path.read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} <= {"ring.json", ".ring.json.lock"}


def test_rotating_what_is_no_ring(tmp_path: Path) -> None:
    with pytest.raises(KeyringError):
        rotate(tmp_path / "absent" / "ring.json")
    (tmp_path / "ring.json").write_text("{}")
    with pytest.raises(KeyringError):
        rotate(tmp_path / "ring.json")


# ---- rotating what is in use


def test_without_a_path_the_file_in_use_is_rotated(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_keyring()
    assert rotate().ids[1:] == first.ids
    named = written(tmp_path / "ring.json", A)
    monkeypatch.setenv("GUARDRAIL_KEY_FILE", str(named))
    assert rotate().ids[1:] == (key_id(A),)
    assert load_keyring().source == str(named)
    assert len(load_keyring(own_home).ids) == len(json.loads(named.read_text())["keys"]) == 2


def test_what_is_given_from_outside_is_rotated_there(monkeypatch: pytest.MonkeyPatch, own_home: Path) -> None:
    load_keyring()
    before = (own_home / "keyring.json").read_bytes()
    monkeypatch.setenv("GUARDRAIL_KEY", A.hex())
    with pytest.raises(KeyringError, match=r"come from \$GUARDRAIL_KEY.*in front of the others"):
        rotate()
    set_key_provider(lambda: [A])
    with pytest.raises(KeyringError, match=r"come from the callback.*in front of the others"):
        rotate()
    assert (own_home / "keyring.json").read_bytes() == before


def test_where_there_is_no_key_nothing_is_rotated_or_made(own_home: Path) -> None:
    assert find_keyring() is None
    with pytest.raises(KeyringError, match="no key yet"):
        rotate()
    assert not own_home.exists()


def test_a_ring_that_is_there_is_found(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = load_keyring()
    found = find_keyring()
    assert found is not None
    assert (found.ids, found.created) == (made.ids, False)
    monkeypatch.setenv("GUARDRAIL_KEY", "")
    with pytest.raises(KeyringError, match="is empty"):
        find_keyring()


def test_each_key_of_a_file_has_the_day_on_which_it_was_made(tmp_path: Path) -> None:
    path = written(tmp_path / "ring.json", A, B)
    content = json.loads(path.read_text())
    content["keys"][1]["created"] = A.hex()  # not a date, and not to be shown as one
    path.write_text(json.dumps(content))
    ring = rotate(path)
    assert set(ring.dates) == {ring.active}
    assert ring.dates[ring.active].date() == dt.datetime.now(dt.UTC).date()
    assert load_keyring(tmp_path / "new").dates
