"""What happens to the file under a running log: deleted, replaced, set back, emptied, damaged, or somebody else's."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from contextlib import closing

import pytest

from guardrail.audit import records
from guardrail.errors import AuditBroken, AuditUnavailable

EVENT = ("decision", {"id": "a"})


def move(source, target):
    for suffix in ("", "-wal", "-shm"):
        if source.with_name(source.name + suffix).exists():
            source.with_name(source.name + suffix).rename(target.with_name(target.name + suffix))


def test_a_deleted_file_is_not_begun_anew(tmp_path, log, refuse, assert_gap):
    log.append(*EVENT)
    move(log.path, tmp_path / "kept.db")
    refuse(log, 2, "the file is gone")
    assert not log.path.exists()
    with pytest.raises(AuditUnavailable, match="missing"):
        log.verify()
    move(tmp_path / "kept.db", log.path)
    assert_gap(log, 2, "missing")


def test_a_deleted_folder(tmp_path, open_log, refuse, assert_gap):
    log = open_log(tmp_path / "folder" / "audit.db")
    log.append(*EVENT)
    (tmp_path / "folder").rename(tmp_path / "elsewhere")
    refuse(log, 1, "the file is gone")
    (tmp_path / "elsewhere").rename(tmp_path / "folder")
    assert_gap(log, 1, "missing")


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_deleted_side_file_is_noticed_and_loses_nothing(log, suffix):
    log.append(*EVENT)
    log.path.with_name(log.path.name + suffix).unlink()
    log.append(*EVENT)
    log.close()
    report = log.verify()
    assert (report.ok, report.records) == (True, 3)


def test_another_log_in_its_place_is_not_continued(log, open_log, refuse):
    log.append(*EVENT)
    log.append(*EVENT)
    log.path.unlink()
    for suffix in ("-wal", "-shm"):
        log.path.with_name(log.path.name + suffix).unlink()
    other = open_log()  # a process that knows nothing of the first
    for _ in range(5):
        other.append(*EVENT)
    refuse(log, 1, "another log", AuditBroken)
    assert other.verify().records == 6


def test_a_log_that_was_set_back_is_not_continued(tmp_path, log, refuse):
    log.append(*EVENT)
    log.close()
    shutil.copyfile(log.path, tmp_path / "backup.db")
    log.append(*EVENT)
    log.close()
    shutil.copyfile(tmp_path / "backup.db", log.path)
    refuse(log, 2, "set back", AuditBroken)
    assert log.verify().ok, "only who saw the record, or has a checkpoint, knows that one is gone"


def test_an_emptied_file_does_not_pass_for_a_new_one(log, refuse):
    log.append(*EVENT)
    log.close()
    log.path.write_bytes(b"")
    refuse(log, 1, "foreign", AuditBroken)


def damage(path, offset, size):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(os.urandom(size))


def test_a_corrupt_database_and_its_repair(tmp_path, log, refuse, assert_gap):
    log.append(*EVENT)
    log.close()
    shutil.copyfile(log.path, tmp_path / "backup.db")
    damage(log.path, 0, 100)
    refuse(log, 2, "corrupt", AuditBroken)
    report = log.verify()
    assert (report.ok, report.problem, report.first_bad) == (False, "corrupt", 1)
    shutil.copyfile(tmp_path / "backup.db", log.path)
    assert_gap(log, 2, "corrupt")


def test_verify_names_the_record_from_which_on_a_database_is_corrupt(log):
    log.append_many([("decision", {"id": f"d-{n}", "detail": "x" * 900}) for n in range(200)])
    log.close()
    spot = log.path.read_bytes().index(b'"id":"d-150"')
    damage(log.path, spot // 4096 * 4096, 8)  # the head of the page that holds this record
    report = log.verify()
    assert (report.ok, report.problem) == (False, "corrupt")
    assert report.first_bad is not None
    assert 145 <= report.first_bad <= 152
    assert report.records == report.first_bad - 1


@pytest.mark.parametrize("kind", ["a text", "another database"])
def test_a_file_of_somebody_else_is_not_touched(log, kind, refuse):
    if kind == "a text":
        log.path.write_text("Dear diary, " * 1000)
    else:
        with closing(sqlite3.connect(log.path)) as raw:
            raw.execute("CREATE TABLE diary (day TEXT)")
    before = log.path.read_bytes()
    refuse(log, 1, "not an audit log|corrupt", AuditBroken)
    with pytest.raises(AuditBroken):
        log.checkpoint()
    log.close()
    assert log.path.read_bytes() == before


def test_reading_makes_no_file(tmp_path, log):
    for use in (log.verify, log.checkpoint, lambda: list(records(log))):
        with pytest.raises(AuditUnavailable, match=re.escape(str(log.path))):
            use()
    assert list(tmp_path.iterdir()) == []
