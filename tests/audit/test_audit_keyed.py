"""A log goes on under the key that it was begun with, as long as that is on the ring."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from guardrail.audit.keyed import key_id_of
from guardrail.errors import AuditBroken
from guardrail.guard.build import open_audit
from guardrail.keys import Keyring, key_id

OLD, NEW = bytes([1]) * 32, bytes([2]) * 32


def ring(*secrets: bytes) -> Keyring:
    return Keyring(secrets, source="test")


def append(path: Path, keys: Keyring) -> str:
    log = open_audit(path, keys)
    assert log is not None
    with log:
        log.append("note", {"n": 1})
        assert log.verify().ok
        return log.key_id


def test_a_log_keeps_its_key_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    assert append(path, ring(OLD)) == append(path, ring(NEW, OLD)) == key_id(OLD)
    assert key_id_of(path) == key_id(OLD)
    assert append(tmp_path / "another.sqlite", ring(NEW, OLD)) == key_id(NEW)


def test_without_its_key_it_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    append(path, ring(OLD))
    with pytest.raises(AuditBroken, match="not written with this key"):
        append(path, ring(NEW))


def test_a_key_id_that_was_changed_is_noticed(tmp_path: Path) -> None:
    """What the first record says is not believed, only tried."""
    path = tmp_path / "audit.sqlite"
    append(path, ring(OLD))
    db = sqlite3.connect(path)
    db.execute("DROP TRIGGER events_no_update")
    db.execute("UPDATE events SET body = replace(body, ?, ?) WHERE seq = 1", (key_id(OLD), key_id(NEW)))
    db.commit()
    db.close()
    assert key_id_of(path) == key_id(NEW)
    with pytest.raises(AuditBroken):
        append(path, ring(NEW, OLD))


@pytest.mark.parametrize("content", [None, b"", b"something else"])
def test_what_is_no_log_has_no_key(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "audit.sqlite"
    if content is not None:
        path.write_bytes(content)
    assert key_id_of(path) == ""
