"""Several processes on one file, and processes that are killed while they write."""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guardrail.audit import AuditLog, records

KEY = b"\x07" * 32


def write(path: str, worker: int, appends: int, gate, out) -> None:
    with AuditLog(Path(path), key=KEY, key_id="k1", timeout_s=30) as log:
        gate.wait(60)
        out.put([(log.append("decision", {"id": f"{worker}-{i}"}).seq, f"{worker}-{i}") for i in range(appends)])


def test_four_processes_begin_and_write_one_log(tmp_path):
    context = multiprocessing.get_context("spawn")
    path, gate, out = tmp_path / "audit.db", context.Barrier(4), context.Queue()
    workers = [context.Process(target=write, args=(str(path), n, 50, gate, out)) for n in range(4)]
    for worker in workers:
        worker.start()
    acknowledged = dict(pair for _ in workers for pair in out.get(timeout=60))
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    out.close()
    out.join_thread()
    assert len(acknowledged) == 200
    with AuditLog(path, key=KEY, key_id="k1") as log:
        assert {r.seq: r.body["id"] for r in records(log, None, type="decision")} == acknowledged
        report = log.verify(log.checkpoint())
        assert (report.ok, report.records) == (True, 201)
        assert len(list(records(log, None, type="opened"))) == 1


WRITER = """
import sys
from pathlib import Path
from guardrail.audit import AuditLog
log = AuditLog(Path(sys.argv[1]), key=b"\\x07" * 32, key_id="k1", durability=sys.argv[2])
n = 0
while True:
    for receipt in log.append_many([("decision", {"id": f"{sys.argv[3]}-{n + i}"}) for i in range(1 + n % 3)]):
        print(receipt.seq, receipt.hash, flush=True)
        n += 1
"""


def killed(path: Path, durability: str, number: int, after_lines: int, then_s: float) -> dict[int, str]:
    """Start a writer, kill -9 it in the middle, and give back the records that it said were written."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, path, durability, str(number)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    with writer:
        lines = [writer.stdout.readline() for _ in range(after_lines)]
        time.sleep(then_s)
        writer.kill()
        lines += writer.stdout.readlines()
    pairs = [line.split() for line in lines if line.endswith("\n")]  # the last line may be torn
    return {int(seq): hash_ for seq, hash_ in pairs}


def kill_and_verify(path: Path, kills: int) -> None:
    # kill -9 shows that no acknowledged record sits in the memory of the process. What sits in the operating system's
    # survives it; loss of power cannot be tried here.
    chance = random.Random(20)
    acknowledged: dict[int, str] = {}
    with AuditLog(path, key=KEY, key_id="k1") as log:
        for number in range(kills):
            durability = ("full", "normal")[number % 2]
            acknowledged |= killed(path, durability, number, chance.randrange(1, 30), chance.random() * 0.02)
            if number % 3 == 0:
                log.close()  # so that now this process finds the write-ahead log of a dead one, now the next writer
            report = log.verify()
            assert report.ok, report
        written = {r.seq: r.hash for r in records(log, None)}
        assert acknowledged.items() <= written.items()
        assert len(acknowledged) >= kills
        # Beyond what was acknowledged there can only be what was written and not read by us any more.
        assert len(written) - len(acknowledged) <= 1 + 4 * kills
        log.append("decision", {"id": "after"})
        assert log.verify(log.checkpoint()).ok


def test_nothing_acknowledged_is_lost_by_a_kill(tmp_path):
    kill_and_verify(tmp_path / "audit.db", 20)


@pytest.mark.nightly
@pytest.mark.skipif(os.environ.get("GUARDRAIL_NIGHTLY") != "1", reason="100 kills take 10 s: GUARDRAIL_NIGHTLY=1")
def test_nothing_acknowledged_is_lost_by_a_hundred_kills(tmp_path):
    kill_and_verify(tmp_path / "audit.db", 100)
