"""The registry of marks: what is found again, by whom, and what happens to a file that is not as it was."""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail.errors import MarkError, RegistryError
from guardrail.known.index import SMALL
from guardrail.marks.registry import Entry, Registry, pdq_of
from guardrail.marks.registry_file import FORMAT
from tests.marks.conftest import drawing

PDQ = bytes(range(32))
CREATED = "2026-11-28T09:00:00Z"
DECISION = "019a0000-0000-7000-8000-000000000001"


def entry(number: int = 1, **changes: Any) -> Entry:
    made = Entry(f"{number:015x}", "ab12cd34", 7, PDQ, f"{number:064x}", "", "a generator", "default 1.0", CREATED)
    return replace(made, **changes)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "marks" / "registry.sqlite")


def differing(pdq: bytes, bits: int) -> bytes:
    """`pdq` with so many bits turned, far from each other."""
    flat = np.unpackbits(np.frombuffer(pdq, np.uint8))
    flat[(np.arange(bits) * 7) % 256] ^= 1
    return np.packbits(flat).tobytes()


# ---- adding and finding


def test_an_entry_is_found_by_its_id_its_bytes_and_its_likeness(registry: Registry) -> None:
    first, second = entry(1), entry(0xABC, pdq=None, sha256="", tag=(1 << 63) - 1, model="Größe 大", decision=DECISION)
    registry.add(first)
    registry.add(second)
    assert (first.decision, registry.by_id(second.mark_id)) == ("", second)
    assert registry.by_id(first.mark_id) == first
    assert registry.by_id(second.mark_id.upper()) == second
    assert registry.by_sha256(first.sha256.upper()) == first
    assert registry.nearest(PDQ) == [(first, 0)]
    assert registry.by_id("f" * 15) is None
    assert registry.by_sha256("f" * 64) is None
    assert len(registry) == 2


def test_an_entry_is_found_by_each_of_its_files(registry: Registry) -> None:
    first, second, third = (f"{n:064x}" for n in (0xA, 0xB, 0xC))
    registry.add_all([entry(1, sha256=""), entry(2, sha256="", created="2025-01-01T00:00:00Z")])
    for sha256 in (first, second, third, second):
        assert registry.add_file(entry(1).mark_id, sha256)
    assert registry.add_file(entry(2).mark_id, first)
    assert registry.add_file(entry(2).mark_id, second)
    assert not registry.add_file(entry(3).mark_id, first)
    # Where two pictures have one file, the later one is it.
    found = {sha256: registry.find(sha256.upper()) for sha256 in (first, second, third)}
    assert [e and e.mark_id for e in found.values()] == [entry(n).mark_id for n in (2, 2, 1)]
    assert registry.find(entry(1).mark_id) == entry(1, sha256=first)
    lines = [json.loads(line) for line in registry.export()]
    assert [(line["sha256"], line.get("files")) for line in lines] == [(first, [second, third]), (first, [second])]
    assert registry.further_files(entry(1).mark_id.upper()) == [second, third]
    assert registry.further_files(entry(3).mark_id) == []
    registry.forget(before=dt.datetime(2025, 6, 1, tzinfo=dt.UTC))
    assert [registry.by_sha256(sha256) for sha256 in (first, second)] == [entry(1, sha256=first)] * 2
    for wrong in ("", "ab", second.upper()):
        with pytest.raises(ValueError, match="SHA-256"):
            registry.add_file(entry(1).mark_id, wrong)


def as_format_2(path: Path) -> None:
    """What guardrail wrote before there were further files."""
    with sqlite3.connect(path) as connection:
        connection.executescript("DROP TABLE files; PRAGMA user_version = 2;")
    connection.close()


def test_a_registry_of_format_2_is_used_as_it_is_until_a_further_file_comes(registry: Registry) -> None:
    registry.add_all([entry(n, sha256="") for n in range(3)])
    registry.close()
    as_format_2(registry.path)
    before = Registry(registry.path)  # a process that opened it while it was of format 2
    assert before.by_sha256("a" * 64) is None

    def format_of() -> int:
        return int(sqlite3.connect(registry.path).execute("PRAGMA user_version").fetchone()[0])

    registry.add(entry(3))
    registry.add_file(entry(1).mark_id, "a" * 64)
    assert format_of() == 2
    registry.add_file(entry(1).mark_id, "b" * 64)
    assert format_of() == FORMAT == 3
    for one in (before, registry, Registry(registry.path)):
        assert one.by_sha256("b" * 64) == entry(1, sha256="a" * 64)
    assert len(registry) == 4
    registry.check()


def test_the_file_is_for_its_owner_alone(registry: Registry) -> None:
    registry.add(entry())
    for path in registry.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    names = {path.name for path in registry.path.parent.iterdir()}
    assert names <= {"registry.sqlite", "registry.sqlite-wal", "registry.sqlite-shm"}  # no draft is left


def test_no_entry_is_found_by_the_empty_hash(registry: Registry) -> None:
    registry.add(entry(sha256=""))
    with pytest.raises(ValueError, match="SHA-256"):
        registry.by_sha256("")


def test_a_mark_id_is_registered_once(registry: Registry) -> None:
    registry.add(entry(1))
    with pytest.raises(RegistryError, match="registered already") as caught:
        registry.add(entry(1, sha256=""))
    assert isinstance(caught.value, MarkError)  # what is marked twice is not released
    with pytest.raises(RegistryError, match="registered already"):
        registry.add_all([entry(2), entry(3), entry(2)])
    assert len(registry) == 1  # all of them or none
    registry.add(entry(2))


@pytest.mark.parametrize(
    "wrong",
    [
        {"mark_id": ""},
        {"mark_id": "ABC"},
        {"mark_id": "0x12"},
        {"mark_id": "1" * 33},
        {"tag": -1},
        {"tag": 1 << 63},
        {"pdq": b""},
        {"pdq": bytes(31)},
        {"sha256": "ab"},
        {"pixels_sha256": "g" * 64},
        {"created": "yesterday"},
        {"created": "2026-11-28T09:00:00"},
    ],
)
def test_an_entry_of_the_wrong_form_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        entry(**wrong)


def test_neither_a_hash_nor_a_picture_is_shown(registry: Registry) -> None:
    assert "pdq" not in repr(entry())


# ---- likeness


@pytest.mark.parametrize("count", [10, SMALL + 500])
def test_everything_within_the_distance_is_found_and_nothing_else(registry: Registry, count: int) -> None:
    """Against comparing with every hash, in a registry that is searched one by one and in one with an index."""
    rng = np.random.default_rng(count)
    hashes = rng.integers(0, 256, (count, 32), np.uint8)
    for place, bits in enumerate((0, 1, 15, 30, 31, 32, 40)):
        hashes[place] = np.frombuffer(differing(PDQ, bits), np.uint8)
    registry.add_all([entry(n, pdq=h.tobytes()) for n, h in enumerate(hashes)])
    for distance in (0, 15, 31):
        apart = np.bitwise_count(hashes ^ np.frombuffer(PDQ, np.uint8)).sum(1)
        expected = sorted((int(a), n) for n, a in enumerate(apart.tolist()) if a <= distance)
        found = [(d, int(e.mark_id, 16)) for e, d in registry.nearest(PDQ, distance)]
        assert found == expected
    # What comes later is found as well, whichever part of the index it is in.
    registry.add(entry(count, pdq=differing(PDQ, 2)))
    assert [int(e.mark_id, 16) for e, _ in registry.nearest(PDQ, 2)] == [0, 1, count]
    assert [d for _, d in registry.nearest(PDQ, limit=2)] == [0, 1]


def test_of_several_hashes_the_nearest_counts(registry: Registry) -> None:
    registry.add(entry(pdq=differing(PDQ, 3)))
    queries = np.stack([np.frombuffer(differing(PDQ, n), np.uint8) for n in (20, 5, 100)])
    assert [d for _, d in registry.nearest(queries)] == [2]


@pytest.mark.parametrize(("pdq", "distance"), [(PDQ, 32), (PDQ, -1), (bytes(31), 5), (b"", 5)])
def test_no_such_search(registry: Registry, pdq: bytes, distance: int) -> None:
    registry.add(entry())
    with pytest.raises(ValueError, match=r"PDQ|distance"):
        registry.nearest(pdq, distance)


def test_a_picture_with_too_little_in_it_has_no_hash() -> None:
    assert pdq_of(np.full((256, 256, 3), 90, np.uint8)) is None
    assert len(pdq_of(drawing(256, 256)) or b"") == 32


# ---- several at once


def test_threads_take_turns(registry: Registry) -> None:
    errors: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for n in range(first, first + 10):
                registry.add(entry(n, pdq=differing(PDQ, n % 30)))
                assert registry.by_id(f"{n:015x}") is not None
                registry.nearest(PDQ)
        except BaseException as error:  # noqa: BLE001 - shown by the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(100 * t,)) for t in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(registry) == 40


WRITER = """
import sys
from guardrail.marks.registry import Entry, Registry
path, first = sys.argv[1], int(sys.argv[2])
registry = Registry(path)
print("ready", flush=True)
sys.stdin.readline()
for n in range(first, first + 15):
    registry.add(Entry(f"{n:015x}", "k", 0, bytes(32), "", "", "m", "p", "2026-11-28T09:00:00Z"))
"""


def test_processes_wait_for_each_other(registry: Registry) -> None:
    """They begin together on a file that is not there yet: it is made once, and nothing is lost."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(registry.path), str(1000 * n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(3)
    ]
    for one in started:
        assert one.stdout is not None
        one.stdout.readline()
    for one in started:
        one.communicate("go\n")
        assert one.returncode == 0
    assert len(registry) == 45
    # And what other processes write is found by an index that was built before.
    assert len(registry.nearest(bytes(32), 0, limit=100)) == 45
    Registry(registry.path).add(entry(999, pdq=bytes(32)))
    assert len(registry.nearest(bytes(32), 0, limit=100)) == 46


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_opens_a_connection_of_its_own(registry: Registry) -> None:
    registry.add(entry(1))
    fork = multiprocessing.get_context("fork")
    with registry._file._lock:  # held while it forks, as by a thread that writes
        children = [fork.Process(target=registry.add, args=(entry(n),)) for n in (2, 3)]
        for child in children:
            child.start()
    for child in children:
        child.join(20)
        assert child.exitcode == 0
    registry.add(entry(4))
    assert [registry.by_id(f"{n:015x}") is not None for n in range(6)] == [False, True, True, True, True, False]
    registry.check()


def test_a_writer_that_does_not_end_is_an_error(registry: Registry) -> None:
    registry.add(entry(1))
    other = sqlite3.connect(registry.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RegistryError, match="written by others for too long; try again"):
        Registry(registry.path, timeout_s=0.05).add(entry(2))
    assert Registry(registry.path).by_id(entry(1).mark_id) is not None  # reading waits for nobody
    other.close()


# ---- a file that is not as it was

FORMAT_1 = """
CREATE TABLE entries (
  number INTEGER PRIMARY KEY AUTOINCREMENT, mark_id TEXT NOT NULL UNIQUE, key TEXT NOT NULL, tag INTEGER NOT NULL,
  pdq BLOB, sha256 TEXT NOT NULL, pixels_sha256 TEXT NOT NULL, model TEXT NOT NULL, policy TEXT NOT NULL,
  created TEXT NOT NULL, created_us INTEGER NOT NULL
);
CREATE TABLE forgotten (times INTEGER NOT NULL);
INSERT INTO forgotten VALUES (0);
PRAGMA application_id = 0x67726d72;
PRAGMA user_version = 1;
"""
SPOILT: dict[str, tuple[Callable[[Path], Any], str]] = {
    "text": (lambda p: p.write_text("no database, but long enough to be looked at as one" * 20), "is no registry"),
    "nothing": (lambda p: p.write_bytes(b""), "is no registry of marks"),
    "somebody else's database": (lambda p: sqlite3.connect(p).executescript("CREATE TABLE t (a);"), "is no registry"),
    "a newer format": (
        lambda p: (
            Registry(p).add(entry(9)),
            sqlite3.connect(p).executescript(f"PRAGMA user_version = {FORMAT + 1}"),
        ),
        f"of format {FORMAT + 1}, this guardrail reads format {FORMAT}",
    ),
    "the format without decisions": (
        lambda p: sqlite3.connect(p).executescript(FORMAT_1),
        "of format 1, this guardrail",
    ),
    "a folder": (lambda p: p.mkdir(), "cannot be"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_no_registry_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    spoil, message = SPOILT[name]
    path = tmp_path / "r.sqlite"
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""
    for use in (lambda r: r.add(entry()), lambda r: r.by_id("1"), lambda r: r.nearest(PDQ), lambda r: len(r)):
        with pytest.raises(RegistryError, match=message):
            use(Registry(path))
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_damage_inside_is_found(registry: Registry) -> None:
    registry.add_all([entry(n, model="m" * 200) for n in range(200)])
    registry.close()
    content = bytearray(registry.path.read_bytes())
    registry.check()
    registry.close()
    content[8192:24576] = b"\xa5" * 16384
    registry.path.write_bytes(content)
    with pytest.raises(RegistryError, match="damaged; put your copy"):
        Registry(registry.path).check()


def test_an_entry_that_was_tampered_with_is_an_error(registry: Registry) -> None:
    registry.add(entry(1))
    with sqlite3.connect(registry.path) as other:
        other.execute("UPDATE entries SET created = 'once'")
    other.close()
    with pytest.raises(RegistryError, match=r"an entry of the registry .* is damaged"):
        registry.by_id(entry(1).mark_id)


def test_a_file_that_vanishes_is_not_made_anew(registry: Registry) -> None:
    registry.add(entry(1))
    for path in registry.path.parent.iterdir():
        path.unlink()
    with pytest.raises(RegistryError, match="has vanished since it was opened"):
        registry.add(entry(2))
    assert not registry.path.exists()


def test_a_file_that_is_put_back_is_read_anew(registry: Registry, tmp_path: Path) -> None:
    registry.add(entry(1))
    other = Registry(tmp_path / "other.sqlite")
    other.add(entry(2))
    other.close()
    registry.close()
    (tmp_path / "other.sqlite").replace(registry.path)
    assert registry.by_id(entry(2).mark_id) is not None


def test_likeness_is_searched_in_the_file_that_was_put_back(registry: Registry, tmp_path: Path) -> None:
    """A copy of another state takes its place, with other entries under the same numbers, or with fewer."""
    far = differing(PDQ, 100)
    registry.add_all([entry(n, pdq=PDQ) for n in range(3)])
    assert len(registry.nearest(PDQ)) == 3
    for name, hashes, found in (("other", [far, far, far], []), ("fewer", [far, PDQ], [1])):
        copy = Registry(tmp_path / name)
        copy.add_all([entry(n, pdq=pdq) for n, pdq in enumerate(hashes)])
        copy.close()
        copy.path.replace(registry.path)
        for path in registry.path.parent.glob("*-*"):
            path.unlink()
        assert [int(e.mark_id, 16) for e, _ in registry.nearest(PDQ)] == found


def test_likeness_is_searched_in_a_state_that_was_restored_into_the_file(registry: Registry, tmp_path: Path) -> None:
    """SQLite's own `.restore` writes into the same file: a running process keeps its connection."""
    registry.add_all([entry(1), entry(2, pdq=differing(PDQ, 100))])
    with sqlite3.connect(registry.path) as now, sqlite3.connect(tmp_path / "copy") as copy:
        now.backup(copy)
    registry.add_all([entry(3), entry(4)])
    assert len(registry.nearest(PDQ)) == 3
    opened = registry._file.opened
    with sqlite3.connect(tmp_path / "copy") as copy, sqlite3.connect(registry.path) as now:
        copy.backup(now)
    registry.add_all([entry(5, pdq=differing(PDQ, 90)), entry(6), entry(7)])
    assert [int(e.mark_id, 16) for e, _ in registry.nearest(PDQ)] == [1, 6, 7]
    assert registry._file.opened == opened


def test_looking_into_no_file_makes_none(registry: Registry) -> None:
    for use in (lambda: registry.by_id("1"), lambda: list(registry.export()), lambda: len(registry)):
        with pytest.raises(RegistryError, match="there is no registry"):
            use()
    with pytest.raises(RegistryError, match="there is no registry"):
        registry.forget(before=dt.datetime.now(dt.UTC))
    with pytest.raises(RegistryError, match="there is no registry"):
        registry.add_file("1", "a" * 64)
    assert not registry.path.parent.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everything")
def test_who_may_only_read_can_look_up(registry: Registry) -> None:
    registry.add(entry(1))
    registry.close()
    registry.path.chmod(0o400)
    assert Registry(registry.path).by_id(entry(1).mark_id) is not None
    with pytest.raises(RegistryError, match="give this user access"):
        Registry(registry.path).add(entry(2))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RegistryError, match="cannot be"):
        Registry(tmp_path / "file" / "r.sqlite").add(entry())


# ---- retention and export


def test_what_is_forgotten_is_gone_from_the_search_and_from_the_file(registry: Registry) -> None:
    old = entry(1, created="2025-01-01T00:30:00+01:00", model="an old generator of its own")
    registry.add_all([old, entry(2)])
    assert len(registry.nearest(PDQ)) == 2
    assert registry.forget(before=dt.datetime(2024, 12, 31, 23, 30, tzinfo=dt.UTC)) == 0  # not before, at that time
    assert registry.forget(before=dt.datetime(2025, 1, 1, tzinfo=dt.UTC)) == 1
    assert [e for e, _ in registry.nearest(PDQ)] == [entry(2)]
    assert registry.by_id(old.mark_id) is None
    for path in registry.path.parent.iterdir():
        assert old.model.encode() not in path.read_bytes(), path
    # Its number is not given again: the index would take the new one for it.
    registry.add(entry(3))
    assert len(registry.nearest(PDQ)) == 2
    with pytest.raises(ValueError, match="zone"):
        registry.forget(before=dt.datetime(2025, 1, 1))


def test_the_export_is_one_line_of_json_an_entry(registry: Registry) -> None:
    registry.add_all([entry(n) for n in range(1203)])
    registry.add(entry(5000, pdq=None, model="ä", decision=DECISION))
    lines = [json.loads(line) for line in registry.export()]
    assert [int(line["mark_id"], 16) for line in lines] == [*range(1203), 5000]
    assert lines[0]["pdq"] == PDQ.hex()
    assert lines[-1] == entry(5000, pdq=None, model="ä", decision=DECISION).to_json()
    assert (lines[0]["decision"], lines[-1]["decision"]) == ("", DECISION)
