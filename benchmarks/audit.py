"""What the record of decisions costs: time of an append, rate of verification, bytes a record.

    python benchmarks/audit.py [--dir FOLDER] [--appends N] [--records N] [--json FILE]

Appends are timed one at a time, each writing one decision of the usual size. Processes that write to one file without a
pause are the worst case; those with 20 ms between appends (near 50 requests a second each) are closer to a service. The
figures depend on the disk: name it with `--dir`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from guardrail.audit import AuditLog, records
from guardrail.audit.body import canonical
from guardrail.decision import Action, Decision, EffectiveCheck, Leaf, PolicyRef, Reason, new_decision_id
from guardrail.signals import Stage

KEY = bytes(range(32))


def body() -> dict[str, Any]:
    """A block with two reasons and five checks."""
    leaf = Leaf("prompt.sexual", 0.971234, ">=", 0.8, "sexual.explicit")
    rules = ("no-sexual-real-person", "no-nudity")
    return Decision(
        new_decision_id(time.time_ns() // 10**6, os.urandom(10)),
        Action.BLOCK,
        Stage.PROMPT,
        PolicyRef("default", "1.0.0", "ab" * 32),
        reasons=tuple(Reason("rule", rule, Stage.PROMPT, Action.BLOCK, leaves=(leaf,)) for rule in rules),
        signals={f"prompt.signal_{i}": i / 9 for i in range(9)},
        effective=tuple(EffectiveCheck(f"check-{i}", "1.0", {"model.onnx": "cd" * 32}) for i in range(5)),
        timings_ms={stage.value: 1.5 for stage in Stage},
        context={"purpose": "demo", "locale": "ko"},
        mark_id=os.urandom(8).hex(),
        created="2026-01-01T00:00:00Z",
    ).to_json()


def write(path: str, durability: Any, appends: int, pace_s: float, gate: Any, out: Any) -> None:
    """One writer: milliseconds of each append, with `pace_s` seconds between them."""
    with AuditLog(Path(path), key=KEY, key_id="bench", durability=durability, timeout_s=60) as log:
        bodies = [body() for _ in range(appends)]
        log.append("decision", body())
        gate.wait()
        took = []
        for one in bodies:
            start = time.perf_counter()
            log.append("decision", one)
            took.append((time.perf_counter() - start) * 1e3)
            time.sleep(pace_s)
    out.put(took)


def appending(folder: Path, durability: str, processes: int, appends: int, pace_s: float) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    gate, out = context.Barrier(processes + 1), context.Queue()
    path = str(folder / f"{durability}-{processes}-{pace_s}.db")
    given = (path, durability, appends, pace_s, gate, out)
    workers = [context.Process(target=write, args=given) for _ in range(processes)]
    for worker in workers:
        worker.start()
    gate.wait()
    start = time.perf_counter()
    took = [ms for _ in workers for ms in out.get()]
    seconds = time.perf_counter() - start
    for worker in workers:
        worker.join()
    cuts = statistics.quantiles(took, n=1000)
    return {
        "durability": durability,
        "processes": processes,
        "pause_ms": pace_s * 1e3,
        "p50_ms": statistics.median(took),
        "p99_ms": cuts[989],
        "max_ms": max(took),
        "appends_per_s": len(took) / seconds,
    }


def reading(folder: Path, count: int) -> dict[str, Any]:
    path = folder / "verify.db"
    with AuditLog(path, key=KEY, key_id="bench", durability="normal") as log:
        start = time.perf_counter()
        for _ in range(count // 500):
            log.append_many([("decision", body()) for _ in range(500)])
        wrote = time.perf_counter() - start
        wanted = next(records(log)).body
        log.close()
        size = path.stat().st_size
        checkpoint = log.checkpoint()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        best = min((log.verify(checkpoint) for _ in range(3)), key=lambda r: r.seconds)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert best.ok, best
        timed = {}
        for name in ("id", "mark_id"):
            start = time.perf_counter()
            found = list(records(log, **{"decision_id" if name == "id" else name: wanted[name]}))
            timed[name] = (time.perf_counter() - start) * 1e3
            assert len(found) == 1, found
        start = time.perf_counter()
        for _ in range(200):
            log.probe()
        probe = (time.perf_counter() - start) / 200 * 1e3
    return {
        "records": best.records,
        "body_bytes": len(canonical(body())),
        "bytes_per_record": size / best.records,
        "written_in_batches_of_500_per_s": count / wrote,
        "verified_per_s": best.records / best.seconds,
        "verify_memory_grown_kib": grown,
        "find_by_decision_ms": timed["id"],
        "find_by_mark_ms": timed["mark_id"],
        "probe_normal_ms": probe,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What the record of decisions costs.")
    parser.add_argument("--dir", type=Path, default=None, help="folder on the disk to measure (default: temporary)")
    parser.add_argument("--appends", type=int, default=2000, help="appends of each process")
    parser.add_argument("--records", type=int, default=200_000, help="records to verify")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write the figures there as well")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.dir) as folder:
        appends = [
            appending(Path(folder), durability, processes, given.appends // processes, pace_s)
            for durability in ("full", "normal")
            for processes, pace_s in ((1, 0), (4, 0), (4, 0.02))
        ]
        verify = reading(Path(folder), given.records)
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores")
    columns = ("processes", "pause ms", "p50 ms", "p99 ms", "max ms", "appends/s")
    print("durability " + "".join(f"{column:>11}" for column in columns))
    for row in appends:
        print(
            f"{row['durability']:<11}{row['processes']:>11}{row['pause_ms']:>11.0f}{row['p50_ms']:>11.3f}"
            f"{row['p99_ms']:>11.3f}{row['max_ms']:>11.2f}{row['appends_per_s']:>11,.0f}"
        )
    for name, value in verify.items():
        print(f"{name.replace('_', ' '):<34}{value:>14,.2f}" if isinstance(value, float) else f"{name:<34}{value:>14,}")
    if given.json:
        given.json.write_text(json.dumps({"append": appends, "read": verify}, indent=2) + "\n")


if __name__ == "__main__":
    main()
