"""What a guard does not start with is a fault: lists, gallery and key that do not belong together, or are damaged."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import guardrail
from guardrail.checks.registry import declared_checks
from guardrail.doctor import Examination, examine
from guardrail.errors import GuardrailError
from guardrail.gallery import Gallery
from guardrail.guard.build import open_gallery
from guardrail.keys import Keyring, load_keyring, rotate
from guardrail.known import HashLists
from tests.known.drawn import drawn
from tests.scripted import ScriptedFaces, ScriptedNudity, install

EMBEDDER = "an-embedder"
EXAMINE = sys.modules["guardrail.doctor.examine"]


class FacesWithEmbedder(ScriptedFaces):
    embedder = SimpleNamespace(name=EMBEDDER)


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, ScriptedNudity, FacesWithEmbedder)
    # No model files, of the checks those that read nothing, and of the policies two: each look is quick then.
    monkeypatch.setattr(EXAMINE, "status", lambda: ())
    mine = [d for d in declared_checks() if d.name in ("nudity", "faces", "known-images")]
    monkeypatch.setattr(EXAMINE, "declared_checks", lambda: mine)
    folder = tmp_path / "policies"
    folder.mkdir()
    for name in ("default", "other"):
        rules = "rules: [{id: known, at: reference, when: {reference.hash_match: true}, then: block}]"
        (folder / f"{name}.yaml").write_text(f"policy: {{id: {name}, version: 1.0.0}}\n{rules}\n")
    monkeypatch.setattr(EXAMINE, "shipped_policies", lambda: folder)


def look() -> Examination:
    return examine(measure=False)


def refusal() -> str:
    """What a guard says when it cannot be made."""
    with pytest.raises(GuardrailError) as caught:
        guardrail.Guard(EXAMINE.shipped_policies() / "default.yaml", audit=None)
    return str(caught.value)


def opened(ring: Keyring | None = None) -> Gallery:
    gallery = open_gallery("auto", ring or load_keyring())
    assert isinstance(gallery, Gallery)
    return gallery


def enrol(gallery: Gallery, *, list: str = "protected", embedder: str = EMBEDDER) -> str:
    vector = np.random.default_rng(0).normal(size=(1, 8)).astype(np.float32)
    return gallery.enrol(vector, embedder=embedder, list=list, label="Somebodys Name").id  # type: ignore[arg-type]


def known() -> HashLists:
    from guardrail.paths import home

    return HashLists(home() / "known", load_keyring())


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_is_there_and_whole_is_said_and_left_as_it_is(own_home: Path) -> None:
    known().add("ours", drawn(1))
    enrol(opened())
    before = files(own_home)
    found = look()
    assert found.faults == []
    assert found.system["known images"] == "1 list"
    assert found.system["gallery"] == f"sealed under key {load_keyring().active}"
    assert {p["state"] for p in found.policies if p["policy"] == "default"} == {"can be enforced"}
    assert files(own_home) == before


def test_without_stores_nothing_is_said_of_them(own_home: Path) -> None:
    found = look()
    assert found.faults == []
    assert not {"known images", "gallery"} & set(found.system)
    assert not own_home.exists()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def other(path: Path) -> None:
    path.write_bytes(b"something else " * 100)


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)


def sql(statement: str) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        db = sqlite3.connect(path)
        db.execute(statement)
        db.commit()
        db.close()

    return run


def refused(found: Examination, part: str) -> None:
    (fault,) = found.faults
    assert part in fault
    # No policy can be enforced where no guard starts.
    assert {(p["state"], p["cause"]) for p in found.policies} == {("cannot be enforced", fault)}


def cut_to_50_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def test_the_check_of_known_images_runs_on_the_lists(own_home: Path) -> None:
    def runs() -> tuple[str, str]:
        (row,) = [c for c in examine().checks if c["name"] == "known-images"]
        return row["state"], row["runs"]

    assert runs() == ("ready", "known-images: no lists")
    lists = known()
    lists.add("ours", drawn(1))
    assert runs() == ("ready", "known-images")
    lists.remove("ours")
    assert runs() == ("ready", "known-images: no lists")


@pytest.mark.parametrize("damage", [cut, cut_to_50_bytes, emptied, other, flipped])
def test_a_list_that_does_not_open(own_home: Path, damage: Callable[[Path], None]) -> None:
    known().add("ours", drawn(1))
    damage(own_home / "known" / "ours.hashes")
    found = look()
    refused(found, "ours.hashes")
    assert found.faults == [refusal()]


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        other,
        sql("DELETE FROM seal"),
        sql("UPDATE seal SET changes = changes + 1"),
        sql("UPDATE seal SET format = 99"),
        sql("DELETE FROM blocks WHERE kind = 'people'"),
        sql("UPDATE blocks SET content = zeroblob(100) WHERE kind LIKE 'vectors%'"),
    ],
)
def test_a_damaged_gallery(own_home: Path, damage: Callable[[Path], None]) -> None:
    enrol(opened())
    path = own_home / "gallery.sqlite"
    damage(path)
    before = files(own_home)
    refused(look(), str(path))
    assert files(own_home) == before
    assert str(path) in refusal()


def test_a_gallery_that_is_empty(own_home: Path) -> None:
    """A guard waits five seconds for another process that might be making it; the doctor does not."""
    load_keyring()
    (own_home / "gallery.sqlite").touch()
    refused(look(), "is empty; put your copy of it back")


def test_a_key_that_is_lost(own_home: Path) -> None:
    """The keyring is gone: a guard would make another key, with which nothing opens."""
    known().add("ours", drawn(1))
    enrol(opened())
    key = load_keyring().active
    (own_home / "keyring.json").unlink()
    found = look()
    assert [f for f in found.faults if "ours.hashes" in f]
    assert [f for f in found.faults if "gallery.sqlite" in f]
    assert all(f"key {key}" in f and "put your copy of it back" in f for f in found.faults)
    assert len(found.faults) == 2
    assert {p["state"] for p in found.policies} == {"cannot be enforced"}
    assert str(own_home / "keyring.json") in refusal()
    assert not (own_home / "keyring.json").exists()


def test_a_keyring_that_was_replaced(own_home: Path) -> None:
    known().add("ours", drawn(1))
    enrol(opened())
    key = load_keyring().active
    files_ = {name: (own_home / name).read_bytes() for name in ("gallery.sqlite", "known/ours.hashes")}
    for name in ("gallery.sqlite", "known/ours.hashes", "keyring.json"):
        (own_home / name).unlink()
    load_keyring()
    for name, content in files_.items():
        (own_home / name).write_bytes(content)
    found = look()
    assert [f for f in found.faults if "ours.hashes" in f]
    assert [f for f in found.faults if "gallery.sqlite" in f and f"key {key}" in f]
    assert {p["state"] for p in found.policies} == {"cannot be enforced"}
    refusal()


def test_a_short_gallery_of_something_else_is_not_called_empty(own_home: Path) -> None:
    load_keyring()
    (own_home / "gallery.sqlite").write_bytes(b"something else")
    refused(look(), "is no gallery; put your copy of it back")


def test_a_key_that_is_not_on_the_ring(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enrol(opened())
    key = load_keyring().active
    monkeypatch.setenv("GUARDRAIL_KEY", "ab" * 32)
    refused(look(), f"key {key}")
    assert f"key {key}" in refusal()
    assert "ab" * 32 not in str(look().to_json())


def test_an_older_key_is_no_fault_and_a_remark(own_home: Path) -> None:
    known().add("ours", drawn(1))
    enrol(opened())
    rotate()
    found = look()
    assert found.faults == []
    assert [r for r in found.remarks if "guardrail gallery rekey" in r]
    assert [r for r in found.remarks if "guardrail known rekey" in r]
    opened().rekey()
    known().rekey()
    assert not [r for r in look().remarks if "rekey" in r]


def test_protected_people_whom_the_embedder_in_force_does_not_know() -> None:
    gallery = opened()
    enrol(gallery)
    enrol(gallery, embedder="another")
    enrol(gallery, embedder="another", list="consented")
    found = look()
    (fault,) = found.faults
    assert fault.startswith("1 of the protected people in the gallery ")
    assert EMBEDDER in fault
    assert "guardrail gallery add" in fault
    (row,) = [c for c in found.checks if c["name"] == "faces"]
    assert row["fault"] == fault
    assert "Somebodys" not in str(found.to_json())


def test_what_a_running_guard_wrote_last_is_seen(own_home: Path) -> None:
    """It lies in the write-ahead log as long as somebody has the gallery open."""
    gallery = opened()
    reader = sqlite3.connect(own_home / "gallery.sqlite")
    reader.execute("SELECT * FROM seal").fetchall()
    enrol(gallery, embedder="another")
    assert (own_home / "gallery.sqlite-wal").stat().st_size > 0
    assert [f[:2] for f in look().faults] == ["1 "]
    reader.close()


@pytest.mark.parametrize("on_the_ring", [True, False])
def test_a_gallery_of_format_1(own_home: Path, on_the_ring: bool) -> None:
    mine = load_keyring().active
    key = mine if on_the_ring else "0" * 8
    db = sqlite3.connect(own_home / "gallery.sqlite")
    for table in ("identities (key_id TEXT)", "vectors (identity TEXT)", "seal (changes INTEGER)"):
        db.execute(f"CREATE TABLE {table}")
    db.execute("INSERT INTO identities VALUES (?)", (key,))
    db.commit()
    db.close()
    found = look()
    if on_the_ring:
        assert found.faults == []
        assert found.system["gallery"] == "of an older format; the next guard takes it over"
    else:
        refused(found, f"key {key}")
