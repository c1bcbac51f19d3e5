"""Writing: receipts, order, threads, forks, and what stands in a new file."""

from __future__ import annotations

import gc
import os
import stat
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from guardrail.audit import AuditLog, Receipt, Refused, records


def test_nothing_is_opened_before_the_first_use(tmp_path, open_log):
    path = tmp_path / "new" / "folder" / "audit.db"
    log = open_log(path)
    assert not path.parent.exists()
    log.append("decision", {"id": "a"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_log_begins_with_its_identity_and_receipts_name_the_records(log):
    receipts = log.append_many([("decision", {"id": "a"}), ("report", {"queue": "q"})])
    receipts.append(log.append("decision", {"id": "b"}))
    found = list(records(log))[::-1]
    assert [r.type for r in found] == ["opened", "decision", "report", "decision"]
    assert [Receipt(r.seq, r.hash) for r in found[1:]] == receipts
    assert [r.seq for r in receipts] == [2, 3, 4]
    assert found[0].body["key_id"] == "k1"
    assert len(found[0].body["log_id"]) == 32
    assert all(abs(datetime.now(UTC) - r.time) < timedelta(minutes=1) for r in found)


def test_nothing_to_append_writes_nothing(log):
    assert log.append_many([]) == []
    assert not log.path.exists()


def test_all_of_a_batch_or_none(log):
    log.append("decision", {"id": "a"})
    with pytest.raises(ValueError, match="content"):
        log.append_many([("decision", {"id": "b"}), ("decision", {"prompt": "c"})])
    assert log.verify().records == 2
    assert log.refused() == Refused(), "a caller's mistake is not the disk's"


@pytest.mark.parametrize("durability", ["full", "normal"])
def test_a_log_goes_on_where_it_ended(open_log, durability):
    first = open_log(durability=durability)
    first.append("decision", {"id": "a"})
    identity = first.verify().log_id
    first.close()
    second = open_log(durability=durability)
    assert second.append("decision", {"id": "b"}).seq == 3
    first.append("decision", {"id": "c"})  # a closed log opens again
    report = second.verify()
    assert (report.ok, report.records, report.log_id) == (True, 4, identity)


@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("normal", 1)])
def test_every_commit_is_synced_where_durability_is_full(open_log, durability, level):
    log = open_log(durability=durability)
    for _ in range(2):
        log.append("decision", {"id": "a"})
        assert log.store.rows("PRAGMA synchronous") == [(level,)]
        log.close()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"key": b"short"}, "at least 16"),
        ({"durability": "off"}, "full, normal"),
        ({"timeout_s": 0}, "above 0"),
        ({"timeout_s": float("nan")}, "above 0"),
        ({"timeout_s": float("inf")}, "at most 3600"),
    ],
)
def test_arguments_are_refused_at_construction(open_log, changes, says):
    with pytest.raises(ValueError, match=says):
        open_log(**changes)


def test_the_key_stands_nowhere(tmp_path, open_log):
    key = b"the key must stay out of the file"
    log = open_log(key=key)
    log.append("decision", {"id": "a"})
    log.probe()
    written = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert b"log_id" in written
    assert key not in written
    assert "must stay" not in repr(log)


def test_threads_share_a_log(log):
    start = threading.Barrier(8)
    receipts = [log.append("decision", {"id": "first"})]

    def write(n):
        start.wait()
        for i in range(25):
            receipts.append(log.append("decision", {"id": f"{n}-{i}"}))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    while any(t.is_alive() for t in threads):  # reading and verifying go on beside the writers
        assert log.verify().ok
        time.sleep(0.01)
    assert sorted(r.seq for r in receipts) == list(range(2, 203))
    assert {(r.seq, r.hash) for r in receipts} == {(r.seq, r.hash) for r in records(log, None, type="decision")}
    assert log.verify().records == 202


def test_two_objects_on_one_file(open_log):
    one, two = open_log(), open_log()
    for i in range(5):
        assert one.append("decision", {"id": f"1-{i}"}).seq == 2 * i + 2
        assert two.append("decision", {"id": f"2-{i}"}).seq == 2 * i + 3
    assert one.verify().head == two.verify().head
    assert one.verify().records == 11


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_parent_and_child_go_on_after_a_fork(log):
    log.append("decision", {"id": "before"})
    stop = threading.Event()

    def busy():  # a thread that writes at the moment of every fork
        while not stop.is_set():
            log.append("decision", {"id": "thread"})

    thread = threading.Thread(target=busy)
    thread.start()
    children = []
    for n in range(5):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for i in range(5):
                    log.append("decision", {"id": f"child-{n}-{i}"})
                status = 0
            finally:
                os._exit(status)
        children.append(child)
        log.append("decision", {"id": f"parent-{n}"})
    ended = [os.waitpid(child, 0)[1] for child in children]
    stop.set()
    thread.join()
    assert ended == [0] * 5
    ids = [r.body["id"] for r in records(log, None, type="decision")]
    assert sum(i.startswith("child") for i in ids) == 25
    assert sum(i.startswith("parent") for i in ids) == 5
    assert log.verify().ok


def test_a_forgotten_log_is_closed(tmp_path, key):
    log = AuditLog(tmp_path / "audit.db", key=key, key_id="k1", durability="normal")
    log.append("decision", {"id": "a"})
    assert (tmp_path / "audit.db-wal").exists()
    del log
    gc.collect()
    assert not (tmp_path / "audit.db-wal").exists(), "the write-ahead log was not folded in"


def test_probe_adds_no_record_and_leaves_room(log):
    for _ in range(20):
        log.probe()
    log.append("decision", {"id": "a"})
    assert log.verify().records == 2
    assert log.path.stat().st_size < 500_000, "probing must not grow the file"
    free = log.store.rows("PRAGMA freelist_count")[0][0]
    assert free >= 8
