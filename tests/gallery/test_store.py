"""The gallery on disk: what is kept, for how long, and that it never forgets anybody without a word."""

from __future__ import annotations

import datetime as dt
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail.checks.image.backends.base import MatchScale
from guardrail.errors import GalleryError
from guardrail.gallery import Gallery, Lock, file, loading, store
from guardrail.gallery.file import GalleryFile
from guardrail.gallery.sealed import Change

KEY = b"k" * 32
SCALE = MatchScale(same=0.64, consent=0.55, margin=0.05, far=1.1)
NOON = dt.datetime(2026, 6, 1, 12, 0, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


def opened(path: Path, key: bytes = KEY, key_id: str = "test") -> Gallery:
    return Gallery(path, key=key, key_id=key_id)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "faces" / "gallery.sqlite"


@pytest.fixture
def gallery(path: Path) -> Gallery:
    return opened(path)


def person(seed: int, pictures: int = 2) -> Any:
    """Vectors of one person; those of different seeds are far apart."""
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=16)
    vector /= np.linalg.norm(vector)
    return (vector + rng.normal(scale=0.01, size=(pictures, 16))).astype(np.float32)


def add(gallery: Gallery, seed: int = 1, **options: Any) -> str:
    return gallery.enrol(person(seed), **{"embedder": "toy", "list": "protected", **options}).id


def asked(gallery: Gallery, seed: int = 1, purpose: str = "", embedder: str = "toy") -> tuple[str, str]:
    found = gallery.index(embedder).match(person(seed)[0], SCALE, purpose)
    return found.gallery, found.consent


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[dt.datetime], None]:
    def at(now: dt.datetime) -> None:
        monkeypatch.setattr(store, "_now", lambda: now)

    at(NOON)
    return at


# ---- kept


def test_what_was_enrolled_is_listed_oldest_first(gallery: Gallery, path: Path, clock: Any) -> None:
    clock(NOON + SECOND)
    second = gallery.enrol(person(2, 1), embedder="toy", list="protected")
    clock(NOON)
    first = gallery.enrol(
        person(1, 3),
        embedder="toy",
        list="consented",
        label="Zoë 山田",
        purposes=["studio", "advert", "studio"],
        expires=dt.datetime(2027, 1, 31, 9, 0, tzinfo=dt.timezone(dt.timedelta(hours=9))),
    )
    assert opened(path).identities() == gallery.identities() == (first, second)
    assert (first.list, first.label, first.purposes) == ("consented", "Zoë 山田", ("advert", "studio"))
    assert (first.created, first.expires) == ("2026-06-01T12:00:00+00:00", "2027-01-31T00:00:00+00:00")
    assert (second.label, second.purposes, second.expires, second.revoked) == ("", (), "", "")
    assert first.id != second.id
    assert first.embedders == ("toy",)


def test_everybody_enrolled_is_found_again(gallery: Gallery, path: Path) -> None:
    add(gallery, 1)
    add(gallery, 2, list="consented")
    for one in (gallery, opened(path)):
        assert [asked(one, seed) for seed in (1, 2, 3)] == [
            ("protected", "no"),
            ("consented", "yes"),
            ("none", "unknown"),
        ]
    assert gallery.index("toy").vectors.dtype == np.float32
    assert np.array_equal(gallery.index("toy").vectors, np.concatenate([person(1), person(2)]))


def test_vectors_of_several_embedders_never_meet(gallery: Gallery) -> None:
    add(gallery, 1)
    gallery.enrol(person(1)[:, :8], embedder="other", list="protected")
    assert asked(gallery, 1, embedder="another") == ("none", "unknown")
    assert gallery.index("toy").vectors.shape == (2, 16)
    assert gallery.index("other").vectors.shape == (2, 8)
    with pytest.raises(GalleryError, match="another length than those enrolled"):
        gallery.index("other").match(person(1)[0], SCALE)


def test_whom_an_embedder_has_no_vectors_of_is_counted(gallery: Gallery, path: Path, clock: Any) -> None:
    assert (gallery.uncovered("toy"), gallery.index("toy").uncovered) == (0, 0)
    both = add(gallery, 1)
    add(gallery, 2, expires=NOON + SECOND)
    add(gallery, 3, list="consented")
    gallery.revoke(add(gallery, 4))
    gallery.add_pictures(both, np.ones((1, 4), np.float32), embedder="other")

    def counts() -> list[list[int]]:
        names = ("toy", "other", "third")
        some = [[one.uncovered(name), one.index(name).uncovered] for one in (gallery, opened(path)) for name in names]
        assert some[:3] == some[3:]
        return some[:3]

    assert counts() == [[0, 0], [1, 1], [2, 2]]
    assert [gallery.statistics().embedders[name]["uncovered"] for name in ("toy", "other")] == [0, 1]
    # Who is not protected any more is not missing either.
    clock(NOON + SECOND)
    assert counts() == [[0, 0], [0, 0], [1, 1]]
    gallery.delete(both)
    assert counts() == [[0, 0]] * 3


def test_purposes_come_back_out_of_the_file(gallery: Gallery, path: Path) -> None:
    add(gallery, list="consented", purposes=["studio"])
    assert [asked(opened(path), purpose=p)[1] for p in ("studio", "", "advert")] == ["yes", "no", "no"]


BAD_VECTORS: dict[str, Any] = {
    "none": np.zeros((0, 16)),
    "of no length": np.zeros((1, 0)),
    "zero": np.zeros((1, 16)),
    "one of them zero": np.concatenate([person(1), np.zeros((1, 16), np.float32)]),
    "NaN": np.where(np.eye(2, 16) > 0, np.nan, 0.1),
    "infinite": np.where(np.eye(2, 16) > 0, np.inf, 0.1),
    "too large for four bytes": np.full((1, 16), 1e39),
    "too small for four bytes": np.full((1, 16), 1e-60),
    "so large that its square is not": np.full((1, 16), 1e25),
    "a stack": np.ones((1, 2, 16)),
}


@pytest.mark.parametrize("name", BAD_VECTORS)
def test_vectors_that_say_nothing_are_refused(gallery: Gallery, name: str) -> None:
    with pytest.raises(GalleryError, match="no usable face vector"):
        gallery.enrol(BAD_VECTORS[name], embedder="toy", list="protected")
    assert gallery.identities() == ()


@pytest.mark.parametrize("length", [1, 15, 17])
def test_vectors_of_another_length_are_refused_under_the_same_name(gallery: Gallery, length: int) -> None:
    kept = add(gallery)
    with pytest.raises(GalleryError, match="the vectors of toy in this gallery have another length"):
        gallery.enrol(np.ones((1, length), np.float32), embedder="toy", list="protected")
    assert [i.id for i in gallery.identities()] == [kept]
    assert asked(gallery) == ("protected", "no")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"list": "neither"}, "there is no list 'neither'"),
        ({"label": 3}, "label is a text, not int"),
        ({"evidence": 3}, "evidence is a text"),
        ({"attested_by": b"x"}, "attested_by is a text"),
        ({"purposes": "studio"}, "purposes are a list of words"),
        ({"purposes": ""}, "purposes are a list of words"),
        ({"purposes": ["studio", ""]}, "none of them empty"),
        ({"purposes": [" "]}, "none of them empty"),
        ({"purposes": [3]}, "purposes are a list of words"),
        ({"expires": dt.datetime(2027, 1, 31)}, "needs a time zone"),
        ({"expires": NOON}, "in the past"),
        ({"expires": NOON - SECOND}, "in the past"),
    ],
)
def test_entries_that_would_not_hold_are_refused(gallery: Gallery, clock: Any, options: Any, says: str) -> None:
    with pytest.raises(GalleryError, match=says):
        add(gallery, **{"list": "consented", **options})
    assert gallery.identities() == ()
    add(gallery)  # and the next one is written


# ---- until


@pytest.mark.parametrize(
    ("later", "holds"),
    [
        (dt.timedelta(), True),
        (dt.timedelta(minutes=59, seconds=59), True),
        (dt.timedelta(minutes=59, seconds=59, milliseconds=999), True),
        (dt.timedelta(hours=1), False),
        (dt.timedelta(hours=1, milliseconds=1), False),
        (dt.timedelta(days=365), False),
    ],
)
@pytest.mark.parametrize("kind", ["consented", "protected"])
def test_an_entry_ends_at_the_moment_it_says(
    gallery: Gallery, path: Path, clock: Any, kind: str, later: dt.timedelta, holds: bool
) -> None:
    hour = dt.timedelta(hours=1)
    add(gallery, list=kind, expires=(NOON + hour).astimezone(dt.timezone(dt.timedelta(hours=-5))))
    assert asked(gallery)[0] == kind  # and the answer is remembered
    clock(NOON + later)
    for one in (gallery, opened(path)):
        assert asked(one)[0] == (kind if holds else "none")
        assert one.identities()[0].active(NOON + later) is holds


def test_of_two_consents_one_may_end_before_the_other(gallery: Gallery, clock: Any) -> None:
    add(gallery, 1, list="consented", expires=NOON + SECOND)
    add(gallery, 2, list="consented", expires=NOON + 2 * SECOND)
    seen = []
    for seconds in range(3):
        clock(NOON + seconds * SECOND)
        seen.append([asked(gallery, seed)[1] for seed in (1, 2)])
    assert seen == [["yes", "yes"], ["unknown", "yes"], ["unknown", "unknown"]]


def test_a_revocation_holds_at_once_and_everywhere(gallery: Gallery, path: Path, clock: Any) -> None:
    elsewhere = opened(path)
    gone, kept = add(gallery, 1, list="consented"), add(gallery, 2, list="consented")
    assert asked(elsewhere, 1) == ("consented", "yes")
    clock(NOON + SECOND)
    revoked = gallery.revoke(gone)
    assert (revoked.id, revoked.revoked, revoked.embedders) == (gone, "2026-06-01T12:00:01+00:00", ())
    assert not revoked.active(NOON)
    for one in (gallery, elsewhere, opened(path)):
        assert asked(one, 1) == ("none", "unknown")
        assert asked(one, 2) == ("consented", "yes")
    assert [(i.id, bool(i.revoked)) for i in gallery.identities()] in (
        [(gone, True), (kept, False)],
        [(kept, False), (gone, True)],
    )


def test_revoking_twice_keeps_the_first_moment(gallery: Gallery, clock: Any) -> None:
    identity = add(gallery)
    first = gallery.revoke(identity)
    clock(NOON + SECOND)
    assert gallery.revoke(identity) == first


@pytest.mark.parametrize("name", ["", "0123456789abcdef", "'; DROP TABLE vectors; --"])
def test_nobody_is_called_that(gallery: Gallery, name: str) -> None:
    kept = add(gallery)
    with pytest.raises(GalleryError, match="no identity"):
        gallery.revoke(name)
    assert [i.id for i in gallery.identities()] == [kept]
    assert asked(gallery) == ("protected", "no")


def test_who_was_revoked_can_be_enrolled_again(gallery: Gallery) -> None:
    old = add(gallery, list="consented")
    gallery.revoke(old)
    new = add(gallery, list="consented")
    assert new != old
    assert asked(gallery) == ("consented", "yes")


# ---- what the file shows


def contents(path: Path) -> bytes:
    """The database with everything that SQLite keeps beside it."""
    return b"".join(p.read_bytes() for p in sorted(path.parent.iterdir()))


def test_whatever_is_known_of_anybody_is_encrypted_at_rest(gallery: Gallery, path: Path) -> None:
    note = {"label": "Jane Exemplar 山田", "evidence": "TICKET-17", "attested_by": "Kim Clerk", "purposes": ["studio"]}
    with sqlite3.connect(path) as held:  # another connection keeps the write-ahead log
        held.execute("SELECT * FROM blocks").fetchall()
        identity = gallery.enrol(person(1), embedder="toy-embedder", list="consented", **note)
        held.execute("SELECT * FROM blocks").fetchall()
        raw = contents(path)
    held.close()
    raw += contents(path)
    assert b"vectors/1" in raw  # what is searched is the right file
    secrets = ("Jane", "Exemplar", "山田", "TICKET", "Clerk", "studio", "consented", "toy-embedder", identity.id)
    for secret in secrets:
        for coding in ("utf-8", "utf-16-le", "utf-16-be"):
            assert secret.encode(coding) not in raw
    for pattern in (bytes.fromhex(identity.id), bytes.fromhex(identity.id)[::-1]):
        assert pattern not in raw
    for number in person(1).ravel():
        for kind in ("<f4", ">f4", "<f8"):
            assert np.array([number]).astype(kind).tobytes() not in raw
        assert str(number).encode() not in raw


def test_the_same_content_never_looks_the_same(gallery: Gallery, path: Path) -> None:
    seen = []
    for _ in range(3):
        add(gallery, label="x")
        with sqlite3.connect(path) as db:
            seen += [
                bytes(row[0]) for row in db.execute("SELECT content FROM blocks UNION ALL SELECT sealed FROM seal")
            ]
        db.close()
    assert len({s[:12] for s in seen}) == len({s[12:28] for s in seen}) == len(seen) == 15


@pytest.mark.parametrize("watched", [False, True], ids=["alone", "beside-a-reader"])
@pytest.mark.parametrize("verb", ["revoke", "delete"])
def test_vectors_that_were_deleted_are_gone_from_the_file(
    gallery: Gallery, path: Path, watched: bool, verb: str
) -> None:
    """Also the encrypted ones: somebody may get hold of the key later."""
    gone = add(gallery, 1)
    add(gallery, 2)
    reader = sqlite3.connect(path)
    (sealed,) = reader.execute("SELECT content FROM blocks WHERE kind = 'vectors/1'").fetchone()
    if not watched:
        reader.close()
    pieces = [sealed[:16], sealed[20:36], sealed[-16:]]
    assert all(piece in contents(path) for piece in pieces)
    getattr(gallery, verb)(gone)
    assert not any(piece in contents(path) for piece in pieces)
    assert np.array_equal(gallery.index("toy").vectors, person(2))
    reader.close()


def test_who_was_deleted_never_was_here(gallery: Gallery) -> None:
    gone, kept = add(gallery, 1, label="a"), add(gallery, 2)
    gallery.delete(gone)
    assert [i.id for i in gallery.identities()] == [kept]
    for attempt in (lambda: gallery.identity(gone), lambda: gallery.delete(gone), lambda: gallery.revoke(gone)):
        with pytest.raises(GalleryError, match="no identity"):
            attempt()
    gallery.delete(kept)
    assert gallery.identities() == ()
    assert asked(gallery, 2) == ("none", "unknown")
    assert gallery.statistics().embedders == {}


@pytest.mark.skipif(sys.platform == "win32", reason="no such modes there")
def test_only_its_owner_can_read_the_file(gallery: Gallery, path: Path) -> None:
    add(gallery)
    assert [stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()] == [0o600]


def test_no_message_says_who_is_enrolled(gallery: Gallery, path: Path) -> None:
    add(gallery, label="Jane Exemplar")
    assert "Jane" not in repr(gallery)
    with pytest.raises(GalleryError) as caught:
        opened(path, key=b"x" * 32)
    assert "Jane" not in str(caught.value)


# ---- damage: always an error with a name, never "no match"


def test_another_key_is_named(path: Path) -> None:
    add(opened(path))
    with pytest.raises(GalleryError, match="holds entries under key test, the active key is new"):
        opened(path, key=b"n" * 32, key_id="new")
    with pytest.raises(GalleryError, match="does not open with this key"):
        opened(path, key=b"n" * 32)
    assert asked(opened(path)) == ("protected", "no")


def swap(first: str, second: str) -> str:
    """Two blocks, each in the place of the other."""
    where = "SELECT content FROM blocks WHERE kind = '{}' AND number = 0"
    one, two = where.format(first), where.format(second)
    return (
        f"CREATE TEMP TABLE kept AS {one}; UPDATE blocks SET content = ({two}) WHERE kind = '{first}';"
        f"UPDATE blocks SET content = (SELECT content FROM kept) WHERE kind = '{second}'"
    )


TAMPERING = {
    f"{what} of {kind}": change.format(kind)
    for kind in ("people", "details", "owners/1", "vectors/1")
    for what, change in {
        "a flipped bit": "UPDATE blocks SET content = substr(content, 1, 30) || x'00' || substr(content, 32) "
        "WHERE kind = '{}' AND substr(content, 31, 1) != x'00'",
        "zeros instead": "UPDATE blocks SET content = zeroblob(length(content)) WHERE kind = '{}'",
        "half": "UPDATE blocks SET content = substr(content, 1, 40) WHERE kind = '{}'",
        "nothing": "UPDATE blocks SET content = '' WHERE kind = '{}'",
        "text instead": "UPDATE blocks SET content = 'nobody' WHERE kind = '{}'",
        "a block less": "DELETE FROM blocks WHERE kind = '{}'",
        "a block twice": "INSERT INTO blocks SELECT kind, 7, content FROM blocks WHERE kind = '{}'",
        "another number": "UPDATE blocks SET number = 3 WHERE kind = '{}'",
        "another kind": "UPDATE blocks SET kind = 'other' WHERE kind = '{}'",
    }.items()
} | {
    "owners and vectors swapped": swap("owners/1", "vectors/1"),
    "people and details swapped": swap("people", "details"),
    "no blocks": "DELETE FROM blocks",
    "an empty gallery's look": "DELETE FROM blocks; DELETE FROM seal",
    "another key's name": "UPDATE seal SET key_id = 'other'",
    "another format": "UPDATE seal SET format = 3",
    "no seal": "DELETE FROM seal",
    "a seal too many": "INSERT INTO seal SELECT format, key_id, changes + 1, sealed FROM seal",
    "another count": "UPDATE seal SET changes = changes + 1",
    "a seal of something else": "UPDATE seal SET sealed = (SELECT content FROM blocks WHERE kind = 'people')",
    "a seal that is none": "UPDATE seal SET sealed = ''",
    "no table of blocks": "DROP TABLE blocks",
    "no table of seals": "DROP TABLE seal",
}
# What is seen by those only who read the block.
INSIDE = ("a flipped bit", "zeros instead", "half", "nothing", "text instead")
# Of the blocks, what each verb reads; everything else about the file is looked at by all of them.
READS = {
    "ask": {"people", "owners/1", "vectors/1"},
    "list": {"people", "details", "owners/1"},
    "enrol": {"people", "details", "owners/1", "vectors/1"},
    "revoke": {"people", "details", "owners/1", "vectors/1"},
    "renew": {"people", "details"},
    "export": {"people", "details", "owners/1", "vectors/1"},
    "rekey": {"people", "details", "owners/1", "vectors/1"},
    "open": {"people", "details", "owners/1", "vectors/1"},
}


@pytest.fixture
def filled(gallery: Gallery) -> Gallery:
    add(gallery, 1)
    add(gallery, 2, list="consented", purposes=["studio"], expires=dt.datetime(2090, 1, 1, tzinfo=dt.UTC))
    gallery.revoke(add(gallery, 3, list="consented"))
    return gallery


def tampered(path: Path, script: str) -> None:
    with sqlite3.connect(path) as db:
        # A constraint of the schema is no obstacle to somebody who has the file.
        db.execute("PRAGMA ignore_check_constraints = ON")
        for statement in script.split(";"):
            db.execute(statement)
    db.close()


@pytest.mark.parametrize("name", TAMPERING)
def test_whatever_was_changed_from_outside_is_an_error(filled: Gallery, path: Path, name: str) -> None:
    # Not the revoked one: revoking it again has no vectors to read.
    known = next(identity.id for identity in filled.identities() if not identity.revoked)
    attempts: dict[str, Callable[[], Any]] = {
        "ask": lambda: filled.index("toy"),
        "list": filled.identities,
        "enrol": lambda: add(filled, 4),
        "revoke": lambda: filled.revoke(known),
        "renew": lambda: filled.renew(known, expires=None),
        "export": lambda: filled.export(path.with_name("out"), Lock(key=b"x" * 32)),
        "rekey": filled.rekey,
        "open": lambda: opened(path),
    }
    tampered(path, TAMPERING[name])
    before = contents(path)
    changed = {kind for kind in ("people", "details", "owners/1", "vectors/1") if kind in name}
    changed |= {f"{kind}/1" for kind in ("owners", "vectors") if "swapped" in name and kind in name}
    inside = "swapped" in name or name.split(" of ")[0] in INSIDE
    for verb, attempt in attempts.items():
        if inside and not changed & READS[verb]:
            continue
        with pytest.raises(GalleryError, match=r"put your copy|no seal|cannot be|update it|under key|something else"):
            attempt()
    if not inside:
        assert contents(path) == before  # and nothing was written on top of it
    with pytest.raises(GalleryError):
        opened(path)


def test_a_block_of_an_older_copy_is_an_error(filled: Gallery, path: Path) -> None:
    """The consent before it was revoked, under the same key, in the same place."""
    with sqlite3.connect(path) as db:
        old = db.execute("SELECT kind, number, content FROM blocks").fetchall()
        add(filled, 5)
        for kind, number, content in old:
            now = db.execute("SELECT content FROM blocks WHERE kind = ? AND number = ?", (kind, number)).fetchone()
            db.execute("UPDATE blocks SET content = ? WHERE kind = ? AND number = ?", (content, kind, number))
            db.commit()
            with pytest.raises(GalleryError, match="was changed by something else"):
                opened(path)
            db.execute("UPDATE blocks SET content = ? WHERE kind = ? AND number = ?", (*now, kind, number))
            db.commit()
    db.close()
    assert len(opened(path).identities()) == 4


def test_a_block_of_another_gallery_is_an_error(filled: Gallery, path: Path) -> None:
    """Under the same key, in the same place and version."""
    other = opened(path.with_name("other.sqlite"))
    add(other, 7)
    add(other, 8, list="consented")
    other.revoke(add(other, 9))
    with sqlite3.connect(other.path) as db:
        theirs = db.execute("SELECT content, kind FROM blocks").fetchall()
    db.close()
    for content, kind in theirs:
        with sqlite3.connect(path) as db:
            (ours,) = db.execute("SELECT content FROM blocks WHERE kind = ?", (kind,)).fetchone()
            db.execute("UPDATE blocks SET content = ? WHERE kind = ?", (content, kind))
            db.commit()
            with pytest.raises(GalleryError, match="was changed by something else"):
                opened(path)
            db.execute("UPDATE blocks SET content = ? WHERE kind = ?", (ours, kind))
        db.close()
    assert len(opened(path).identities()) == 3


def test_a_running_service_goes_on_with_what_it_knows_until_it_reads_again(filled: Gallery, path: Path) -> None:
    assert asked(filled) == ("protected", "no")
    tampered(path, TAMPERING["zeros instead of vectors/1"])
    # Nothing says that there is anything to read again; what is known stays known.
    assert asked(filled) == ("protected", "no")
    tampered(path, "UPDATE seal SET changes = changes + 1")
    with pytest.raises(GalleryError):
        asked(filled)


# Small galleries are read whole, of large ones what changed.
in_parts = pytest.mark.parametrize("small_rows", [loading.SMALL_ROWS, 0], ids=["whole", "in-parts"])


def two_histories(path: Path) -> tuple[Gallery, Gallery]:
    """A service that read one history, and one that opened the other: both wrote their second change, to the same
    blocks."""
    gallery = opened(path)
    add(gallery, 1)
    running, copy = opened(path), path.read_bytes()
    add(gallery, 2, list="consented")
    assert asked(running, 2) == ("consented", "yes")
    path.write_bytes(copy)
    add(opened(path), 3)
    return running, opened(path)


@in_parts
def test_a_copy_put_back_gives_nobody_the_consent_of_somebody_else(
    path: Path, monkeypatch: pytest.MonkeyPatch, small_rows: int
) -> None:
    monkeypatch.setattr(loading, "SMALL_ROWS", small_rows)
    for one in two_histories(path):
        assert [asked(one, seed) for seed in (1, 2, 3)] == [
            ("protected", "no"),
            ("none", "unknown"),
            ("protected", "no"),
        ]


@in_parts
def test_a_copy_put_back_of_blocks_that_count_changes(
    path: Path, monkeypatch: pytest.MonkeyPatch, small_rows: int
) -> None:
    """As guardrail wrote them before versions were drawn at random: such blocks are read anew."""
    monkeypatch.setattr(loading, "SMALL_ROWS", small_rows)
    monkeypatch.setattr(Change, "version", property(lambda self: self.manifest.changes + 1), raising=False)
    for one in two_histories(path):
        assert [asked(one, seed)[0] for seed in (1, 2, 3)] == ["protected", "none", "protected"]


def test_blocks_of_two_histories_do_not_mix(path: Path) -> None:
    """Same gallery, key, place and count of changes: still another block."""
    gallery = opened(path)
    add(gallery, 1)
    copy = path.read_bytes()
    add(gallery, 2, list="consented")
    with sqlite3.connect(path) as db:
        (theirs,) = db.execute("SELECT content FROM blocks WHERE kind = 'people'").fetchone()
    db.close()
    path.write_bytes(copy)
    add(opened(path), 3)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE blocks SET content = ? WHERE kind = 'people'", (theirs,))
    db.close()
    with pytest.raises(GalleryError, match="was changed by something else"):
        opened(path)


def test_an_older_seal_does_not_fit_newer_rows(filled: Gallery, path: Path) -> None:
    with sqlite3.connect(path) as db:
        old = db.execute("SELECT changes, sealed FROM seal").fetchone()
        add(filled, 5)
        db.execute("UPDATE seal SET changes = ?, sealed = ?", old)
    db.close()
    with pytest.raises(GalleryError, match="was changed by something else"):
        opened(path)


@pytest.mark.parametrize("length", [1, 15, 16, 100, 511, 512, 4096, 16383, 16384, 20000, 32768, 49152, -16384, -1])
def test_a_truncated_file_is_an_error(
    filled: Gallery, path: Path, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "BUSY_S", 0.05)
    whole = path.read_bytes()
    end = length % len(whole)
    # SQLite reads what is cut off as zeros: one time in 256 that is what the last sealed byte was.
    while not any(whole[end:]):
        end -= 1
    path.write_bytes(whole[:end])
    for attempt in (lambda: opened(path), lambda: filled.index("toy"), filled.identities):
        with pytest.raises(GalleryError, match=str(path)):
            attempt()


def test_an_empty_file_is_no_new_gallery(filled: Gallery, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "BUSY_S", 0.1)
    path.write_bytes(b"")
    with pytest.raises(GalleryError, match="is empty; put your copy of it back, or delete it to begin a new one"):
        opened(path)
    with pytest.raises(GalleryError, match="cannot be read: no such table"):
        filled.index("toy")
    assert path.read_bytes() == b""


@pytest.mark.parametrize("content", [b"x", b"not a database"])
def test_a_short_file_of_something_else_is_not_called_empty(
    path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "BUSY_S", 0.05)
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(GalleryError, match="is no gallery; put your copy of it back"):
        opened(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("at", ["PRAGMA page_size", "PRAGMA journal_mode", "INSERT", "COMMIT"])
def test_a_gallery_that_could_not_be_made_leaves_nothing(path: Path, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without content was refused ever after."""
    real = GalleryFile._connect

    class Full:
        def __init__(self, db: sqlite3.Connection) -> None:
            self.db = db

        def execute(self, statement: str, *given: Any) -> Any:
            if statement.startswith(at):
                raise sqlite3.OperationalError("database or disk is full")
            return self.db.execute(statement, *given)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.db, name)

    monkeypatch.setattr(file, "BUSY_S", 0.05)
    monkeypatch.setattr(GalleryFile, "_connect", lambda self: Full(real(self)))
    with pytest.raises(GalleryError, match="disk is full"):
        opened(path)
    assert list(path.parent.iterdir()) == []
    monkeypatch.setattr(GalleryFile, "_connect", real)
    assert not opened(path).identities()


def test_what_another_process_filled_meanwhile_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(self: GalleryFile, db: sqlite3.Connection) -> bool:
        monkeypatch.undo()
        db.execute("PRAGMA journal_mode = WAL")
        add(opened(path))
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(GalleryFile, "_prepare", prepare)
    with pytest.raises(GalleryError, match="disk is full"):
        opened(path)
    assert len(opened(path).identities()) == 1


@pytest.mark.parametrize("content", [b"not a database" * 400, b"SQLite format 3\0" + b"\xff" * 5000, b"\0" * 8192])
def test_a_file_of_something_else_is_an_error(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(GalleryError, match="cannot be opened as a gallery"):
        opened(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE events (seq INTEGER)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(GalleryError, match="a database of something else, no gallery"):
        opened(path)
    assert path.read_bytes() == before


def test_a_gallery_that_vanished_is_an_error_and_not_a_new_one(filled: Gallery, path: Path) -> None:
    assert asked(filled) == ("protected", "no")
    path.unlink()
    for attempt in (lambda: filled.index("toy"), filled.identities, lambda: add(filled)):
        with pytest.raises(GalleryError, match="unable to open"):
            attempt()
    assert not path.exists()


def test_a_place_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for place in (tmp_path, tmp_path / "file" / "gallery.sqlite", tmp_path / "link"):
        with pytest.raises(GalleryError, match="cannot be opened as a gallery"):
            opened(place)


def test_no_flipped_byte_makes_anybody_a_stranger(filled: Gallery, path: Path) -> None:
    whole = path.read_bytes()
    expected = [(asked(filled, 1)), asked(filled, 2, "studio"), asked(filled, 3)]
    assert expected == [("protected", "no"), ("consented", "yes"), ("none", "unknown")]
    rng = np.random.default_rng(7)
    # Half of them where something is written: most of the file is free space, in which a flipped byte says nothing.
    written = np.flatnonzero(np.frombuffer(whole, np.uint8))
    places = np.concatenate([rng.choice(written, 120), rng.choice(len(whole), 40)])
    errors = 0
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            again = opened(path)
            answers = [asked(again, 1), asked(again, 2, "studio"), asked(again, 3)]
        except GalleryError:
            errors += 1
        else:
            assert answers == expected, place
        for beside in path.parent.glob("*-*"):
            beside.unlink()
    assert errors > 60


# ---- several at once


def test_a_gallery_that_is_locked_is_an_error_and_nothing_is_half_written(
    filled: Gallery, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "BUSY_S", 0.1)
    before = filled.identities()
    holder = sqlite3.connect(path)
    holder.execute("BEGIN IMMEDIATE")
    for attempt in (lambda: add(filled, 4), lambda: filled.revoke(before[0].id)):
        with pytest.raises(GalleryError, match="cannot be written: database is locked"):
            attempt()
    assert asked(filled) == ("protected", "no")  # readers do not wait for writers
    holder.close()
    assert filled.identities() == before
    add(filled, 4)


def test_a_write_that_fails_half_way_changes_nothing(filled: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    before = filled.identities()
    real, calls = Change.put, iter(range(3))

    def full(self: Change, kind: str, number: int, content: bytes, rows: int) -> None:
        if next(calls) == 2:
            raise sqlite3.OperationalError("database or disk is full")
        real(self, kind, number, content, rows)

    monkeypatch.setattr(Change, "put", full)
    with pytest.raises(GalleryError, match="cannot be written: database or disk is full"):
        add(filled, 4)
    monkeypatch.undo()
    assert filled.identities() == before
    assert asked(filled, 4) == ("none", "unknown")


def test_threads_lose_nobody(gallery: Gallery) -> None:
    faults: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for seed in range(first, first + 4):
                identity = add(gallery, seed)
                assert asked(gallery, seed) == ("protected", "no")
                if seed % 2:
                    gallery.revoke(identity)
                    assert asked(gallery, seed) == ("none", "unknown")
        except BaseException as fault:  # noqa: BLE001 - handed to the test
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(100 * n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert len(gallery.identities()) == 24
    assert sum(bool(i.revoked) for i in gallery.identities()) == 12
    assert len(gallery.index("toy")) == 12


PROCESS = """
import sys
from pathlib import Path
import numpy as np
from guardrail.gallery import Gallery
path, seed = Path(sys.argv[1]), int(sys.argv[2])
sys.stdin.read()
for number in range(4):
    gallery = Gallery(path, key=b"k" * 32, key_id="test")
    vectors = np.random.default_rng(seed * 10 + number).normal(size=(2, 16)).astype(np.float32)
    identity = gallery.enrol(vectors, embedder="toy", list="protected", label=str(seed))
    if number % 2:
        gallery.revoke(identity.id)
"""


def test_processes_that_begin_a_gallery_together_lose_nobody(path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", PROCESS, str(path)]
    running = [subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, stderr=subprocess.PIPE) for n in range(4)]
    time.sleep(0.5)  # let them import first, so that they begin at the same moment
    errors = [p.communicate(timeout=60)[1].decode() for p in running]
    assert errors == [""] * 4
    gallery = opened(path)
    assert sorted(i.label for i in gallery.identities()) == sorted("0123" * 4)
    assert len(gallery.index("toy")) == 8
