"""When the record cannot be written: one clear error, a count, and a gap record as soon as it can be again.

The tests may run as root, whom file modes do not stop; each failure is made by a means that holds for root as well.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta

import pytest

from guardrail.audit import connection
from guardrail.errors import AuditUnavailable

EVENT = ("decision", {"id": "a"})


def test_a_parent_that_is_a_file(tmp_path, open_log, refuse, assert_gap):
    parent = tmp_path / "folder"
    parent.write_text("in the way")
    log = open_log(parent / "audit.db")
    refuse(log, 3, "unopenable")
    with pytest.raises(AuditUnavailable, match="unopenable"):
        log.probe()
    parent.unlink()
    log.probe()
    assert_gap(log, 3, "unopenable")


def test_a_read_only_file(log, refuse, assert_gap):
    log.append(*EVENT)
    for _ in range(2):  # a connection that failed is not used again, so each refusal needs its own
        log.store.rows("PRAGMA query_only = 1")
        refuse(log, 1, "read-only")
    assert_gap(log, 2, "read-only")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="file modes do not stop root")
def test_a_read_only_folder(tmp_path, open_log, refuse, assert_gap):
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o500)
    log = open_log(folder / "audit.db")
    refuse(log, 2, "denied")
    folder.chmod(0o700)
    assert_gap(log, 2, "denied")


@pytest.fixture
def limit(monkeypatch):
    """`limit(pages)`: SQLite reports a full disk once the file has so many pages; 0 for no limit."""
    pages = [0]

    def connect(path):
        opened = connection.connect(path)
        if pages[0]:
            opened.execute(f"PRAGMA max_page_count = {pages[0]}")
        return opened

    monkeypatch.setattr("guardrail.audit.store.connect", connect)

    def set_limit(log, new):
        pages[0] = new
        log.close()

    return set_limit


def appends_until_refused(log, body):
    """How many were acknowledged before the disk was full."""
    receipts = []

    def forever():
        while True:
            receipts.append(log.append("decision", body))

    with pytest.raises(AuditUnavailable, match="full: "):
        forever()
    assert log.refused().count == 1
    return len(receipts)


@pytest.mark.parametrize("durability", ["full", "normal"])
def test_a_full_disk_and_then_space_again(open_log, limit, durability, assert_gap):
    log = open_log(durability=durability)
    log.append(*EVENT)
    used = log.store.rows("PRAGMA page_count")[0][0]
    limit(log, used)
    big = {"id": "a", "detail": "x" * 20_000}
    written = appends_until_refused(log, big)
    with pytest.raises(AuditUnavailable, match="full"):
        log.probe()
    with pytest.raises(AuditUnavailable, match="the disk is full"):
        log.append_many([("decision", big), ("report", {"queue": "q"})])
    assert log.refused().count == 3, "records are counted, not calls; probes are not"
    assert log.verify().records == 2 + written, "what was acknowledged is there, and nothing else"
    limit(log, 0)
    log.probe()
    assert_gap(log, 3, "full")
    assert log.verify().records == 2 + written + 3


@pytest.fixture
def disk(tmp_path):
    """A file system of 1 MiB."""
    mount, umount, folder = shutil.which("mount"), shutil.which("umount"), tmp_path / "disk"
    folder.mkdir()
    line = [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
    if not (mount and umount) or subprocess.run(line, capture_output=True).returncode:
        pytest.skip("may not mount a file system")
    yield folder
    subprocess.run([umount, "-l", folder], check=True)


def fill(ballast):
    """Leave no page free."""
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    assert shutil.disk_usage(ballast.parent).free == 0


@pytest.mark.parametrize("begun", [False, True])
def test_opening_on_a_file_system_that_is_really_full(disk, open_log, begun, refuse, assert_gap):
    log = open_log(disk / "audit.db", durability="full")
    if begun:
        log.append(*EVENT)
        log.close()
    fill(disk / "ballast")
    refuse(log, 2, "the disk is full")
    with pytest.raises(AuditUnavailable, match="the disk is full"):
        log.probe()
    (disk / "ballast").unlink()
    assert_gap(log, 2, "full")
    log.close()


def test_writing_to_a_file_system_that_is_really_full(disk, open_log, refuse, assert_gap):
    log = open_log(disk / "audit.db", durability="full")
    log.append(*EVENT)
    fill(disk / "ballast")
    written = appends_until_refused(log, {"id": "a", "detail": "x" * 2000})
    with pytest.raises(AuditUnavailable, match="the disk is full"):
        log.probe()
    log.close()  # cannot fold the write-ahead log in
    refuse(log, 2, "the disk is full")
    (disk / "ballast").unlink()
    log.probe()
    assert log.verify().records == 2 + written
    assert_gap(log, 3, "full")
    log.close()


IO_ERROR = """
import resource, signal, sys
from pathlib import Path
from guardrail.audit import AuditLog
from guardrail.errors import AuditUnavailable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with AuditLog(Path(sys.argv[1]), key=b"\\x07" * 32, key_id="k1") as log:
    log.append("decision", {"id": "a"})
    resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, resource.RLIM_INFINITY))
    body = {"id": "b", "detail": "x" * 30_000}
    for _ in range(5):
        try:
            log.append("decision", body)
        except AuditUnavailable as error:
            print(str(error))
    refused = log.refused()
    assert refused.count, "nothing was refused"
    assert refused.cause == "io", refused
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    log.append("decision", body)
    report = log.verify()
    assert report.ok, report
    assert report.records == 2 + (5 - refused.count) + 2, report
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit of file sizes here")
def test_an_input_output_error(tmp_path):
    ran = subprocess.run([sys.executable, "-c", IO_ERROR, tmp_path / "audit.db"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "reading or writing failed" in ran.stdout


def test_locked_by_another_process_beyond_the_limit(open_log, refuse, assert_gap):
    log = open_log(timeout_s=0.1)
    log.append(*EVENT)
    with closing(sqlite3.connect(log.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        refuse(log, 2, "another writer held it")
        assert 0.2 <= time.monotonic() - start < 2
        assert log.verify().ok, "reading goes on"
    assert_gap(log, 2, "locked")


def test_locked_by_a_thread_beyond_the_limit(open_log, refuse, assert_gap):
    log = open_log(timeout_s=0.1)
    log.append(*EVENT)
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with log.store.transaction():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    refuse(log, 2, "other threads")
    leave.set()
    thread.join()
    assert_gap(log, 2, "locked")


def test_waiting_for_a_short_lock_is_no_refusal(open_log):
    log = open_log(timeout_s=5)
    log.append(*EVENT)
    with closing(sqlite3.connect(log.path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.1, other.execute, ("COMMIT",))
        release.start()
        log.append(*EVENT)
        release.join()
    assert log.verify().records == 3


# ---- counting


def test_threads_that_are_refused_are_all_counted(tmp_path, open_log, assert_gap):
    (tmp_path / "folder").write_text("in the way")
    log = open_log(tmp_path / "folder" / "audit.db")

    def fail():
        for _ in range(20):
            with pytest.raises(AuditUnavailable):
                log.append_many([EVENT, EVENT])

    threads = [threading.Thread(target=fail) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (tmp_path / "folder").unlink()
    assert log.refused().since > datetime.now(UTC) - timedelta(minutes=1)
    assert_gap(log, 160, "unopenable")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_owes_nothing_for_its_parent(tmp_path, open_log, refuse):
    (tmp_path / "folder").write_text("in the way")
    log = open_log(tmp_path / "folder" / "audit.db")
    refuse(log, 2, "unopenable")
    child = os.fork()
    if child == 0:
        os._exit(log.refused().count)
    assert os.waitpid(child, 0)[1] == 0
    assert log.refused().count == 2
