"""From enrolment to deletion: renewing, keys that rotate, export and import, older formats, and processes killed."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from guardrail.checks.image.backends.base import MatchScale
from guardrail.errors import GalleryError
from guardrail.gallery import Attestation, Entry, Gallery, Lock, portable, store
from guardrail.gallery.identity import LONGEST_TEXT
from guardrail.gallery.lock import MAGIC, SCRYPT

KEY, OTHER = b"k" * 32, b"o" * 32
SCALE = MatchScale(same=0.64, consent=0.55, margin=0.05, far=1.1)
NOON = dt.datetime(2026, 6, 1, 12, 0, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
WORD = Lock(passphrase="correct horse battery")


def person(seed: int, pictures: int = 2) -> Any:
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=16)
    return (vector / np.linalg.norm(vector) + rng.normal(scale=0.01, size=(pictures, 16))).astype(np.float32)


def add(gallery: Gallery, seed: int = 1, **options: Any) -> str:
    return gallery.enrol(person(seed), **{"embedder": "toy", "list": "consented", **options}).id


def asked(gallery: Gallery, seed: int = 1, purpose: str = "") -> tuple[str, str]:
    found = gallery.index("toy").match(person(seed)[0], SCALE, purpose)
    return found.gallery, found.consent


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase is made slow to guess; here that would only be slow."""
    monkeypatch.setitem(SCRYPT, "n", 2**10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gallery.sqlite"


@pytest.fixture
def gallery(path: Path) -> Gallery:
    return Gallery(path, key=KEY, key_id="test")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    def at(now: dt.datetime) -> None:
        monkeypatch.setattr(store, "_now", lambda: now)

    at(NOON)
    return at


# ---- renewing


def test_a_consent_is_renewed_without_being_revoked(gallery: Gallery, clock: Any) -> None:
    one = add(gallery, expires=NOON + HOUR, purposes=["studio"], evidence="form 1", attested_by="Kim")
    assert asked(gallery, purpose="studio") == ("consented", "yes")
    clock(NOON + 2 * HOUR)
    assert asked(gallery, purpose="studio") == ("none", "unknown")
    renewed = gallery.renew(one, expires=NOON + 3 * HOUR, evidence="form 2", attested_by="Bo")
    assert asked(gallery, purpose="studio") == ("consented", "yes")
    assert (renewed.id, renewed.purposes, renewed.expires) == (one, ("studio",), "2026-06-01T15:00:00+00:00")
    assert (renewed.evidence, renewed.attested_by) == ("form 2", "Bo")
    assert renewed.attested == (
        Attestation("2026-06-01T12:00:00+00:00", "enrolled", "Kim", "form 1"),
        Attestation("2026-06-01T14:00:00+00:00", "renewed", "Bo", "form 2"),
    )
    assert Gallery(gallery.path, key=KEY, key_id="test").identities() == (renewed,)
    clock(NOON + 3 * HOUR)
    assert asked(gallery, purpose="studio") == ("none", "unknown")


def test_a_renewal_may_change_what_is_covered(gallery: Gallery) -> None:
    one = add(gallery, purposes=["studio"])
    gallery.renew(one, expires=None, purposes=["advert"])
    assert [asked(gallery, purpose=p)[1] for p in ("studio", "advert", "")] == ["no", "yes", "no"]
    gallery.renew(one, expires=None, purposes=[])
    assert [asked(gallery, purpose=p)[1] for p in ("studio", "advert", "")] == ["yes", "yes", "yes"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"expires": NOON}, "in the past"),
        ({"expires": NOON.replace(tzinfo=None)}, "needs a time zone"),
        ({"expires": None, "purposes": "studio"}, "purposes are a list of words"),
        ({"expires": None, "evidence": 3}, "evidence is a text"),
    ],
)
def test_a_renewal_that_would_not_hold(gallery: Gallery, clock: Any, options: Any, says: str) -> None:
    one = add(gallery, expires=NOON + HOUR)
    before = gallery.identity(one)
    with pytest.raises(GalleryError, match=says):
        gallery.renew(one, **options)
    assert gallery.identity(one) == before


def test_what_was_revoked_is_not_renewed_and_gets_no_pictures(gallery: Gallery) -> None:
    one = add(gallery)
    revoked = gallery.revoke(one, attested_by="Kim", evidence="letter")
    assert (revoked.attested[-1].what, revoked.attested_by, revoked.evidence) == ("revoked", "Kim", "letter")
    with pytest.raises(GalleryError, match="was revoked and its vectors are gone; enrol the person anew"):
        gallery.renew(one, expires=None)
    with pytest.raises(GalleryError, match="was revoked"):
        gallery.add_pictures(one, person(1), embedder="toy")
    with pytest.raises(GalleryError, match="no identity"):
        gallery.renew("f" * 16, expires=None)
    assert gallery.identities() == (revoked,)


def test_pictures_of_several_embedders(gallery: Gallery) -> None:
    one = add(gallery)
    both = gallery.add_pictures(one, np.ones((3, 4), np.float32), embedder="other", attested_by="Kim")
    assert both.embedders == ("other", "toy")
    assert [len(gallery.vectors(one, name)) for name in ("toy", "other", "third")] == [2, 3, 0]
    assert len(gallery.index("other")) == len(gallery.index("toy")) == 1
    with pytest.raises(GalleryError, match="another length"):
        gallery.add_pictures(one, person(1), embedder="other")
    gallery.revoke(one)
    assert [len(gallery.index(name)) for name in ("toy", "other")] == [0, 0]


# ---- keys


def test_a_gallery_under_an_older_key_works_and_is_put_under_the_new_one(gallery: Gallery, path: Path) -> None:
    add(gallery, 1)
    both = Gallery(path, key=OTHER, key_id="new", older={"test": KEY})
    assert both.statistics().outdated_key
    add(both, 2)
    assert [asked(one, seed) for one in (both, gallery) for seed in (1, 2)] == [("consented", "yes")] * 4
    before = path.read_bytes()
    assert both.rekey() is True
    assert (both.statistics().key_id, both.statistics().outdated_key) == ("new", False)
    with sqlite3.connect(path) as db:
        contents = [row[0] for row in db.execute("SELECT content FROM blocks")]
    db.close()
    assert not any(content[-16:] in before for content in contents)
    alone = Gallery(path, key=OTHER, key_id="new")
    assert [asked(one, seed) for one in (both, alone) for seed in (1, 2)] == [("consented", "yes")] * 4
    # Who has the old key only is told, also while running.
    for attempt in (lambda: Gallery(path, key=KEY, key_id="test"), lambda: gallery.index("toy")):
        with pytest.raises(GalleryError, match="holds entries under key new, the active key is test"):
            attempt()
    assert both.rekey() is False


def test_a_guard_opens_what_an_older_key_of_the_ring_wrote(tmp_path: Path) -> None:
    from guardrail.guard.build import open_gallery
    from guardrail.keys.keyring import Keyring

    old = Keyring([KEY], source="test")
    one = open_gallery(tmp_path / "g.sqlite", old)
    add(one)
    rotated = Keyring([OTHER, KEY], source="test")
    again = open_gallery(tmp_path / "g.sqlite", rotated)
    assert asked(again) == ("consented", "yes")
    again.rekey()
    assert asked(open_gallery(tmp_path / "g.sqlite", Keyring([OTHER], source="test"))) == ("consented", "yes")


# ---- export and import


def test_an_export_brings_everything(gallery: Gallery, tmp_path: Path) -> None:
    add(gallery, 1, label="Zoë", purposes=["studio"], evidence="form", attested_by="Kim")
    both = add(gallery, 2, list="protected", expires=dt.datetime(2090, 1, 1, tzinfo=dt.UTC))
    gallery.add_pictures(both, np.ones((3, 4), np.float32), embedder="other")
    gallery.revoke(add(gallery, 3))
    for name, lock in (("word", WORD), ("key", Lock(key=b"x" * 32, key_id="ring"))):
        assert gallery.export(tmp_path / name, lock) == 3
        there = Gallery(tmp_path / f"{name}.sqlite", key=OTHER, key_id="there")
        done = there.take_in(tmp_path / name, lock)
        assert (done.added, done.known, done.revoked) == (3, 0, 0)
        assert there.identities() == gallery.identities()
        for embedder in ("toy", "other"):
            assert np.array_equal(there.index(embedder).vectors, gallery.index(embedder).vectors)
        again = there.take_in(tmp_path / name, lock)
        assert (again.added, again.known) == (0, 3)
        assert there.identities() == gallery.identities()


def test_what_is_here_stays_and_a_revocation_holds_in_both(gallery: Gallery, tmp_path: Path) -> None:
    kept, gone = add(gallery, 1), add(gallery, 2)
    gallery.export(tmp_path / "first", WORD)
    there = Gallery(tmp_path / "there.sqlite", key=KEY, key_id="test")
    there.take_in(tmp_path / "first", WORD)
    there.renew(kept, expires=None, purposes=["studio"])
    gallery.revoke(gone)
    gallery.export(tmp_path / "second", WORD)
    done = there.take_in(tmp_path / "second", WORD)
    assert (done.added, done.known, done.revoked) == (0, 2, 1)
    assert there.identity(kept).purposes == ("studio",)
    assert there.identity(gone).revoked
    assert len(there.index("toy")) == 1
    # The other way round: an older export brings nobody back.
    there.take_in(tmp_path / "first", WORD)
    assert len(there.index("toy")) == 1


def test_an_export_of_nobody(gallery: Gallery, tmp_path: Path) -> None:
    assert gallery.export(tmp_path / "out", WORD) == 0
    there = Gallery(tmp_path / "there.sqlite", key=OTHER, key_id="there")
    done = there.take_in(tmp_path / "out", WORD)
    assert (done.added, done.known, done.revoked) == (0, 0, 0)
    assert there.identities() == ()


def test_an_export_of_more_than_one_piece_holds(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who are enrolled in one block have more text than a piece may have."""
    monkeypatch.setattr(portable, "LARGEST_CHUNK", 20_000)
    entries = [Entry(person(n), "consented", "x" * LONGEST_TEXT) for n in range(9)]
    gallery.enrol_many(entries, embedder="toy")
    assert gallery.export(tmp_path / "out", WORD) == 9
    there = Gallery(tmp_path / "there.sqlite", key=OTHER, key_id="there")
    assert there.take_in(tmp_path / "out", WORD).added == 9
    assert there.identities() == gallery.identities()


def test_what_is_too_large_to_be_read_again_is_not_written(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portable, "LARGEST_CHUNK", 2000)
    add(gallery, label="x" * LONGEST_TEXT)
    with pytest.raises(GalleryError, match="too large for an export"):
        gallery.export(tmp_path / "out", WORD)
    assert not [p for p in tmp_path.iterdir() if "out" in p.name]


@pytest.mark.parametrize("what", ["label", "evidence", "attested_by"])
def test_no_text_is_longer_than_a_reference_needs(gallery: Gallery, what: str) -> None:
    one = add(gallery, **{what: "y" * LONGEST_TEXT})
    with pytest.raises(GalleryError, match=f"{what} has more than {LONGEST_TEXT:,} characters") as caught:
        add(gallery, 2, **{what: "y" * (LONGEST_TEXT + 1)})
    assert "yy" not in str(caught.value)
    if what != "label":
        with pytest.raises(GalleryError, match=f"{what} has more than"):
            gallery.renew(one, expires=None, **{what: "y" * (LONGEST_TEXT + 1)})
    assert len(gallery.identities()) == 1


@pytest.mark.parametrize("purposes", [["z" * (LONGEST_TEXT + 1)], [f"{n:04}" for n in range(LONGEST_TEXT // 4 + 1)]])
def test_purposes_are_no_longer_either(gallery: Gallery, purposes: list[str]) -> None:
    with pytest.raises(GalleryError, match="purposes have more than"):
        add(gallery, purposes=purposes)
    one = add(gallery, purposes=["studio"])
    with pytest.raises(GalleryError, match="purposes have more than"):
        gallery.renew(one, expires=None, purposes=purposes)


def test_an_export_under_a_key_names_it(gallery: Gallery, tmp_path: Path) -> None:
    add(gallery)
    gallery.export(tmp_path / "out", Lock(key=KEY, key_id="first"))
    with pytest.raises(GalleryError, match="locked with key 'first', not with 'second'"):
        gallery.take_in(tmp_path / "out", Lock(key=KEY, key_id="second"))
    # Who does not know the name can still open it.
    assert gallery.take_in(tmp_path / "out", Lock(key=KEY)).known == 1


def test_an_export_says_nothing_and_belongs_to_its_owner(gallery: Gallery, tmp_path: Path) -> None:
    one = add(gallery, 1, label="Jane Exemplar", purposes=["studio"], evidence="TICKET")
    gallery.export(tmp_path / "out", WORD)
    raw = (tmp_path / "out").read_bytes()
    for secret in (b"Jane", b"studio", b"TICKET", b"consented", b"toy", one.encode(), person(1)[0, :2].tobytes()):
        assert secret not in raw
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o600
    with pytest.raises(GalleryError, match="is there already"):
        gallery.export(tmp_path / "out", WORD)
    with pytest.raises(GalleryError, match="cannot be written"):
        gallery.export(tmp_path / "no" / "folder", WORD)
    assert sorted(p.name for p in tmp_path.iterdir() if "out" in p.name) == ["out"]


def test_an_export_that_was_changed_brings_nobody(gallery: Gallery, tmp_path: Path) -> None:
    add(gallery, 1)
    lock = Lock(key=b"x" * 32, key_id="ring")
    gallery.export(tmp_path / "out", lock)
    whole = (tmp_path / "out").read_bytes()
    there = Gallery(tmp_path / "there.sqlite", key=KEY, key_id="test")
    rng = np.random.default_rng(3)
    broken = [whole[:n] for n in (0, 10, 27, 60, len(whole) // 2, len(whole) - 1)] + [whole + b"x", b"x" * 500]
    for place in rng.choice(len(whole), 60, replace=False):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        broken.append(bytes(changed))
    for content in broken:
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(GalleryError):
            there.take_in(tmp_path / "bad", lock)
        assert there.identities() == ()
    # Without its last piece, exactly: whole to a reader that does not ask for an end.
    pieces, place = [], len(MAGIC)
    while place < len(whole):
        pieces.append(place)
        place += 4 + int.from_bytes(whole[place : place + 4], "little")
    (tmp_path / "bad").write_bytes(whole[: pieces[-1]])
    with pytest.raises(GalleryError, match="was cut off"):
        there.take_in(tmp_path / "bad", lock)
    assert there.identities() == ()
    there.take_in(tmp_path / "out", lock)
    assert len(there.identities()) == 1


@pytest.mark.parametrize(
    ("lock", "says"),
    [
        (Lock(passphrase="another passphrase"), "does not open with this passphrase or key"),
        (Lock(key=b"x" * 32), "locked with a passphrase, not with a key"),
    ],
)
def test_an_export_under_another_lock(gallery: Gallery, tmp_path: Path, lock: Lock, says: str) -> None:
    add(gallery)
    gallery.export(tmp_path / "out", WORD)
    with pytest.raises(GalleryError, match=says):
        gallery.take_in(tmp_path / "out", lock)
    with pytest.raises(GalleryError, match="cannot be read"):
        gallery.take_in(tmp_path / "nowhere", lock)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "with a passphrase or with a key"),
        ({"passphrase": "correct horse battery", "key": KEY}, "with a passphrase or with a key"),
        ({"passphrase": "short"}, "at least 12 characters"),
        ({"key": b"x" * 16}, "a key has 32 bytes"),
    ],
)
def test_locks_that_are_none(options: Any, says: str) -> None:
    with pytest.raises(GalleryError, match=says):
        Lock(**options)
    assert "horse" not in repr(WORD)


# ---- format 1


def write_format_1(path: Path, key: bytes, *, key_id: str = "test", spoil: str = "") -> None:
    """As guardrail wrote galleries before they had blocks."""
    cipher = AESGCM(key)

    def seal(content: bytes, owner: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + cipher.encrypt(nonce, content, owner.encode())

    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE TABLE identities (id TEXT PRIMARY KEY, list TEXT NOT NULL, label BLOB NOT NULL, "
            "purposes TEXT NOT NULL, created TEXT NOT NULL, expires TEXT, revoked TEXT, key_id TEXT NOT NULL)"
        )
        db.execute("CREATE TABLE vectors (identity TEXT NOT NULL, embedder TEXT NOT NULL, vector BLOB NOT NULL)")
        db.execute("CREATE TABLE seal (changes INTEGER NOT NULL, sealed BLOB NOT NULL)")
        for n, (kind, purposes) in enumerate([("protected", []), ("consented", ["studio"])]):
            name = f"{n + 1:016x}"
            row = (name, kind, seal(f"label {n}".encode(), name), json.dumps(purposes), NOON.isoformat(), None, None)
            db.execute("INSERT INTO identities VALUES (?,?,?,?,?,?,?,?)", (*row, key_id))
            for vector in person(n):
                db.execute("INSERT INTO vectors VALUES (?,?,?)", (name, "toy", seal(vector.tobytes(), name)))
        h = hashlib.sha256()
        for row in db.execute("SELECT * FROM identities ORDER BY id"):
            h.update(repr(tuple(row)).encode())
        for row in db.execute("SELECT identity, embedder, vector FROM vectors ORDER BY rowid"):
            h.update(repr(tuple(row)).encode())
        db.execute("INSERT INTO seal VALUES (?, ?)", (3, seal(h.digest(), "seal 3")))
        if spoil:
            db.execute(spoil)
    db.close()


def test_a_gallery_of_format_1_is_taken_over(path: Path) -> None:
    write_format_1(path, KEY)
    for _ in range(2):
        gallery = Gallery(path, key=OTHER, key_id="new", older={"test": KEY})
        assert [(i.list, i.label, i.purposes, i.created) for i in gallery.identities()] == [
            ("protected", "label 0", (), NOON.isoformat()),
            ("consented", "label 1", ("studio",), NOON.isoformat()),
        ]
        assert [asked(gallery, n, "studio") for n in (0, 1, 2)] == [
            ("protected", "no"),
            ("consented", "yes"),
            ("none", "unknown"),
        ]
        assert gallery.statistics().key_id == "test"


@pytest.mark.parametrize(
    ("spoil", "key", "says"),
    [
        ("UPDATE identities SET list = 'consented'", KEY, "changed by something else"),
        ("DELETE FROM vectors", KEY, "changed by something else"),
        ("DELETE FROM seal", KEY, "changed by something else"),
        ("", OTHER, "does not open with this key"),
        ("UPDATE identities SET key_id = 'else'", KEY, "under key else, which is not on the ring"),
    ],
)
def test_a_gallery_of_format_1_that_was_changed_stays_as_it_is(path: Path, spoil: str, key: bytes, says: str) -> None:
    write_format_1(path, KEY, spoil=spoil)
    for _ in range(2):
        with pytest.raises(GalleryError, match=says):
            Gallery(path, key=key, key_id="test")
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT COUNT(*) FROM identities").fetchone() == (2,)
    db.close()


# ---- killed

WRITER = """
import sys
from pathlib import Path
import numpy as np
from guardrail.gallery import Gallery
gallery = Gallery(Path(sys.argv[1]), key=b"k" * 32, key_id="test")
rng = np.random.default_rng(int(sys.argv[2]))
print("ready", flush=True)
while True:
    one = gallery.enrol(rng.normal(size=(3, 128)).astype(np.float32), embedder="toy", list="protected")
    print("+", one.id, flush=True)
    if rng.random() < 0.3:
        gallery.revoke(one.id)
        print("-", one.id, flush=True)
"""


@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=pytest.mark.nightly)])
def test_whoever_was_acknowledged_is_there_after_a_kill(gallery: Gallery, path: Path, kills: int) -> None:
    """A process that writes without a pause is killed in the middle of it; the next one goes on."""
    rng = np.random.default_rng(kills)
    said: list[tuple[str, str]] = []
    for number in range(kills):
        command = [sys.executable, "-c", WRITER, str(path), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0.0, 0.3))
            process.kill()
            said += [(line[0], line[2:].strip()) for line in process.stdout if line.endswith("\n")]
    assert said
    revoked = {name for sign, name in said if sign == "-"}
    there = {identity.id: identity for identity in Gallery(path, key=KEY, key_id="test").identities()}
    for sign, name in said:
        assert name in there
        if sign == "-" or name in revoked:
            assert there[name].revoked
            assert not there[name].embedders
    # Of whoever was not acknowledged all is there, or nothing.
    active = [identity for identity in there.values() if not identity.revoked]
    assert gallery.index("toy").vectors.shape[0] == 3 * len(active)
