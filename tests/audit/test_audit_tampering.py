"""What somebody without the key can do to the file, and that `verify` names the first bad record."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from guardrail.audit import AuditLog, records
from guardrail.errors import AuditBroken, AuditError

NIGHTLY = os.environ.get("GUARDRAIL_NIGHTLY") == "1"
LAST = 10


@pytest.fixture
def written(log, decision):
    """A closed log of ten records, the first being `opened`, and a checkpoint of its head."""
    log.append_many([("decision", decision(f"d-{n}").to_json()) for n in range(2, LAST + 1)])
    checkpoint = log.checkpoint()
    log.close()
    return log, checkpoint


SHIFT_UP = ("UPDATE events SET seq = -seq - 1 WHERE seq >= 5", "UPDATE events SET seq = -seq WHERE seq < 0")
SHIFT_DOWN = ("UPDATE events SET seq = -seq + 1 WHERE seq > 5", "UPDATE events SET seq = -seq WHERE seq < 0")
SWAP = (
    "UPDATE events SET seq = 99 WHERE seq = 4",
    "UPDATE events SET seq = 4 WHERE seq = 7",
    "UPDATE events SET seq = 7 WHERE seq = 99",
)
COPY_OF_4 = "SELECT {seq}, time, type, body, prev, hash FROM events WHERE seq = 4"
FORGED = "SELECT 11, time, type, body, hash, randomblob(32) FROM events WHERE seq = 10"

CASES = [
    ("body changed", ["UPDATE events SET body = replace(body, 'block', 'allow') WHERE seq = 5"], "changed", 5),
    ("body emptied", ["UPDATE events SET body = '' WHERE seq = 5"], "changed", 5),
    ("body made invalid text", ["UPDATE events SET body = CAST(x'ff00' AS TEXT) WHERE seq = 5"], "changed", 5),
    ("body longer by a blank", ["UPDATE events SET body = body || ' ' WHERE seq = 5"], "changed", 5),
    ("time changed", ["UPDATE events SET time = time + 1 WHERE seq = 5"], "changed", 5),
    ("time made a fraction", ["UPDATE events SET time = 1.5 WHERE seq = 5"], "changed", 5),
    ("time made a word", ["UPDATE events SET time = 'noon' WHERE seq = 5"], "changed", 5),
    ("type changed", ["UPDATE events SET type = 'gap' WHERE seq = 5"], "changed", 5),
    ("type very long", ["UPDATE events SET type = hex(zeroblob(200)) WHERE seq = 5"], "changed", 5),
    (
        "a letter moved from type to body",
        ["UPDATE events SET type = 'decisio', body = 'n' || body WHERE seq = 5"],
        "changed",
        5,
    ),
    ("hash changed", ["UPDATE events SET hash = zeroblob(32) WHERE seq = 5"], "changed", 5),
    ("hash made a word", ["UPDATE events SET hash = hex(hash) WHERE seq = 5"], "changed", 5),
    ("link changed", ["UPDATE events SET prev = zeroblob(32) WHERE seq = 5"], "order", 5),
    ("first record changed", ["UPDATE events SET body = replace(body, 'k1', 'k2') WHERE seq = 1"], "changed", 1),
    ("link of the first changed", ["UPDATE events SET prev = zeroblob(32) WHERE seq = 1"], "order", 1),
    ("last record changed", ["UPDATE events SET time = 0 WHERE seq = 10"], "changed", 10),
    ("one removed", ["DELETE FROM events WHERE seq = 5"], "missing", 5),
    ("three removed", ["DELETE FROM events WHERE seq IN (5, 6, 7)"], "missing", 5),
    ("the first removed", ["DELETE FROM events WHERE seq = 1"], "missing", 1),
    ("all removed", ["DELETE FROM events"], "missing", 1),
    ("one removed, the rest renumbered", ["DELETE FROM events WHERE seq = 5", *SHIFT_DOWN], "order", 5),
    ("one inserted", [*SHIFT_UP, f"INSERT INTO events {COPY_OF_4.format(seq=5)}"], "order", 5),
    ("one inserted in front", [f"INSERT INTO events {COPY_OF_4.format(seq=0)}"], "order", 0),
    ("one inserted far in front", [f"INSERT INTO events {COPY_OF_4.format(seq=-7)}"], "order", -7),
    ("one appended without the key", [f"INSERT INTO events {FORGED}"], "changed", 11),
    ("one appended after a hole", [f"INSERT INTO events {COPY_OF_4.format(seq=2**62)}"], "missing", 11),
    ("two swapped", list(SWAP), "order", 4),
    (
        "two bodies swapped",
        ["UPDATE events SET body = (SELECT body FROM events AS o WHERE o.seq = 11 - events.seq) WHERE seq IN (4, 7)"],
        "changed",
        4,
    ),
    ("the table dropped", ["DROP TABLE events"], "corrupt", 1),
]


@pytest.mark.parametrize(("statements", "problem", "first_bad"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
@pytest.mark.parametrize("with_checkpoint", [False, True])
def test_tampering_is_found_and_placed(written, tamper, statements, problem, first_bad, with_checkpoint):
    log, checkpoint = written
    tamper(log.path, *statements)
    report = log.verify(checkpoint if with_checkpoint else None)
    assert (report.ok, report.problem, report.first_bad) == (False, problem, first_bad)
    assert report.records == max(first_bad - 1, 0)
    assert report.detail
    assert report.to_json()["first_bad"] == first_bad


def test_an_untouched_log_verifies(written, tamper):
    log, checkpoint = written
    tamper(log.path)  # dropping triggers and indexes changes no record
    report = log.verify(checkpoint)
    assert (report.ok, report.problem, report.first_bad, report.records) == (True, "", None, LAST)
    assert report.head is not None
    assert (report.head.hash, report.checkpoint_seq) == (checkpoint["hash"], LAST)


def test_a_cut_tail_is_found_with_a_checkpoint_and_not_without(written, tamper):
    log, checkpoint = written
    tamper(log.path, "DELETE FROM events WHERE seq > 7")
    assert log.verify().ok, "a shorter chain is a valid chain: hence checkpoints"
    report = log.verify(checkpoint)
    assert (report.ok, report.problem, report.first_bad, report.records) == (False, "cut", 8, 7)


def test_a_log_may_grow_beyond_its_checkpoint(written):
    log, checkpoint = written
    log.append("decision", {"id": "later"})
    report = log.verify(checkpoint)
    assert (report.ok, report.records, report.checkpoint_seq) == (True, LAST + 1, LAST)


def test_a_wrong_key_is_told_from_a_changed_record(written, open_log):
    log, checkpoint = written
    other = open_log(key=b"\x08" * 32, key_id="k2")
    for given_checkpoint in (None, checkpoint):
        report = other.verify(given_checkpoint)
        assert (report.ok, report.problem, report.first_bad, report.records) == (False, "key", 1, 0)
        assert "'k1'" in report.detail
    with pytest.raises(AuditBroken, match="wrong key"):
        other.append("decision", {"id": "a"})
    with pytest.raises(AuditBroken, match="another key"):
        list(records(other))
    with pytest.raises(AuditBroken, match="does not verify"):
        other.checkpoint()
    assert log.verify(checkpoint).records == LAST


def test_a_chain_made_anew_without_the_key(written, open_log, tmp_path):
    log, checkpoint = written
    forged = open_log(tmp_path / "forged.db", key=b"\x09" * 32)
    forged.append_many([("decision", dict(r.body)) for r in records(log, None, type="decision")])
    forged.close()
    log.close()
    shutil.copyfile(forged.path, log.path)
    assert (log.verify().problem, log.verify(checkpoint).problem) == ("key", "key")


def test_another_log_does_not_pass_for_the_one_of_the_checkpoint(written, open_log, tmp_path):
    log, checkpoint = written
    other = open_log(tmp_path / "other.db")  # of the same key
    other.append_many([("decision", dict(r.body)) for r in records(log, None, type="decision")])
    assert other.verify().ok
    report = other.verify(checkpoint)
    assert (report.ok, report.problem, report.first_bad) == (False, "log", 1)


def test_two_histories_of_one_log(written, open_log, tmp_path):
    log, _ = written
    copy = open_log(tmp_path / "copy.db")
    shutil.copyfile(log.path, copy.path)
    for one in (log, copy):
        for _n in range(3):
            one.append("decision", {"id": "after the copy"})
    report = copy.verify(log.checkpoint())
    assert (report.ok, report.problem, report.first_bad) == (False, "log", LAST + 3)


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 9},
        {"seq": True},
        {"seq": 0},
        {"seq": "10"},
        {"hash": "00" * 32},
        {"time": "2001-01-01T00:00:00.000000Z"},
        {"log_id": "00" * 16},
        {"key_id": "k2"},
        {"format": "guardrail-audit-checkpoint/2"},
        {"signature": "00" * 32},
        {"signature": "é"},
        {"signature": None},
        {"note": "added"},
    ],
)
def test_a_changed_checkpoint_is_refused(written, change):
    log, checkpoint = written
    report = log.verify({**checkpoint, **change})
    assert (report.ok, report.problem, report.first_bad) == (False, "checkpoint", None)


def test_an_incomplete_checkpoint_is_refused(written):
    log, checkpoint = written
    for absent in checkpoint:
        assert log.verify({k: v for k, v in checkpoint.items() if k != absent}).problem == "checkpoint"


@pytest.mark.parametrize("statement", ["UPDATE events SET body = '{}'", "DELETE FROM events WHERE seq = 3"])
def test_accidents_are_stopped(written, statement):
    log, _ = written
    with closing(sqlite3.connect(log.path)) as raw, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute(statement)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM events", "record 10, which this process wrote, is gone"),
        ("DELETE FROM events WHERE seq = 1", "first record is missing"),
        ("UPDATE events SET body = '{}' WHERE seq = 1", "first record is missing or was changed"),
        ("UPDATE events SET time = 0 WHERE seq = 10", "its last record was not written with this key"),
        ("UPDATE events SET hash = 'word' WHERE seq = 10", "its last record was not written with this key"),
    ],
)
def test_nothing_is_appended_to_a_chain_that_is_visibly_broken(written, tamper, statement, says):
    log, _ = written
    tamper(log.path, statement)
    with pytest.raises(AuditBroken, match=says):
        log.append("decision", {"id": "a"})
    assert log.refused().cause == "foreign"


def test_reading_shows_no_changed_record(written, tamper):
    log, _ = written
    tamper(log.path, "UPDATE events SET body = replace(body, 'block', 'allow') WHERE seq = 5")
    assert len(list(records(log, 5))) == 5
    with pytest.raises(AuditBroken, match="record 5 was changed"):
        list(records(log))


def test_reading_a_body_that_is_no_json(written, tamper):
    log, _ = written
    tamper(log.path, "UPDATE events SET body = 'x' WHERE seq = 5")
    with pytest.raises(AuditBroken, match="malformed JSON"):
        list(records(log, action="allow"))


# ---- any byte


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A closed log of six records, and its rows."""
    path = tmp_path_factory.mktemp("flips") / "audit.db"
    with AuditLog(path, key=b"\x07" * 32, key_id="k1", durability="normal") as log:
        log.append_many([("decision", {"id": f"d-{n}", "rules": ["no-nudity"], "score": n / 7}) for n in range(5)])
        rows = log.store.rows("SELECT * FROM events ORDER BY seq")
    return path, rows


flips = settings(
    max_examples=2000 if NIGHTLY else 100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def flipped(value: bytes | int, at: int, bit: int) -> bytes | int:
    stored = bytearray(value.to_bytes(8, "big", signed=True) if isinstance(value, int) else value)
    stored[at % len(stored)] ^= 1 << bit
    return int.from_bytes(stored, "big", signed=True) if isinstance(value, int) else bytes(stored)


@flips
@given(st.integers(1, 6), st.sampled_from(["time", "type", "body", "prev", "hash"]), st.integers(0), st.integers(0, 7))
def test_any_flipped_bit_of_a_record_is_found(original, tmp_path, tamper, seq, column, at, bit):
    source, rows = original
    path = tmp_path / "flipped.db"
    path.write_bytes(source.read_bytes())
    before = rows[seq - 1][["seq", "time", "type", "body", "prev", "hash"].index(column)]
    kept = "CAST(? AS TEXT)" if column in ("type", "body") else "?"
    tamper(path, (f"UPDATE events SET {column} = {kept} WHERE seq = {seq}", (flipped(before, at, bit),)))
    with AuditLog(path, key=b"\x07" * 32, key_id="k1") as log:
        report = log.verify()
    assert (report.ok, report.first_bad) == (False, seq)


@flips
@given(st.integers(0, 200_000), st.integers(0, 7))
@example(18, 1)  # makes the file one of a later SQLite
def test_any_flipped_bit_of_the_file_is_found_or_changes_no_record(original, tmp_path, at, bit):
    source, rows = original
    path = tmp_path / "flipped.db"
    for suffix in ("-wal", "-shm"):  # left behind by an example in which the file could not be closed in order
        (tmp_path / f"flipped.db{suffix}").unlink(missing_ok=True)
    path.write_bytes(flipped(source.read_bytes(), at, bit))
    with AuditLog(path, key=b"\x07" * 32, key_id="k1") as log:
        try:
            found = log.verify().ok
            after = log.store.rows("SELECT * FROM events NOT INDEXED ORDER BY seq") if found else []
        except AuditError:
            return
    assert not found or after == rows


@pytest.mark.parametrize(
    "where",
    [
        b"INTEGER PRIMARY KEY, time",  # then `seq` is an ordinary column, which is NULL everywhere
        b"AUTOINCREMENT",  # then SQLite's own message is invalid UTF-8
        b"body TEXT NOT NULL",
    ],
)
def test_a_damaged_definition_of_the_table_is_corruption(original, tmp_path, where):
    file = original[0].read_bytes()
    path = tmp_path / "flipped.db"
    path.write_bytes(flipped(file, file.index(where) + 3, 7))
    with AuditLog(path, key=b"\x07" * 32, key_id="k1") as log:
        assert log.verify().problem == "corrupt"
        with pytest.raises(AuditBroken):
            log.append("decision", {"id": "a"})
