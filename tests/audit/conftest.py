"""Logs to write, and raw connections to tamper with them as somebody without the key would."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from guardrail.audit import AuditLog, Refused, records
from guardrail.decision import Action, Decision, EffectiveCheck, PolicyRef, Reason, Stage
from guardrail.errors import AuditUnavailable

KEY = b"\x07" * 32
EVENT = ("decision", {"id": "a"})


@pytest.fixture
def key() -> bytes:
    return KEY


@pytest.fixture
def open_log(tmp_path: Path) -> Iterator[Callable[..., AuditLog]]:
    """`open_log(path, …)`: a log that is closed when the test ends."""
    opened: list[AuditLog] = []

    def make(path: Path | None = None, **changes: Any) -> AuditLog:
        given = {"key": KEY, "key_id": "k1", "durability": "normal", **changes}
        opened.append(AuditLog(path or tmp_path / "audit.db", **given))
        return opened[-1]

    yield make
    for log in opened:
        log.close()


@pytest.fixture
def log(open_log: Callable[..., AuditLog]) -> AuditLog:
    return open_log()


@pytest.fixture
def decision() -> Callable[..., Decision]:
    """`decision("id", …)`: a decision with something in the fields that a check of keys could stumble over."""

    def make(id_: str = "d-1", action: Action = Action.BLOCK, rule: str = "no-nudity", **changes: Any) -> Decision:
        return Decision(
            id_,
            action,
            Stage.PROMPT,
            PolicyRef("default", "1", "ab" * 32),
            reasons=(Reason("rule", rule, Stage.PROMPT, action),) if rule else (),
            signals={"prompt.sexual": 0.97, "prompt.persons": ({"match": 0.9, "kind": "public"},)},
            effective=(EffectiveCheck("faces", "1.0", {"text": "cd" * 32, "faces.onnx": "ef" * 32}),),
            timings_ms={"prompt": 0.41, "total": 1.5},
            **changes,
        )

    return make


@pytest.fixture
def tamper() -> Callable[..., None]:
    """`tamper(path, "SQL", …)`: change a closed log behind its back, without triggers and indexes in the way."""

    def run(path: Path, *statements: str | tuple[str, tuple[Any, ...]]) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as raw:
            raw.execute("PRAGMA synchronous = OFF")
            found = raw.execute("SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'index')").fetchall()
            for kind, name in found:
                raw.execute(f"DROP {kind} {name}")
            for statement in statements:
                sql, params = statement if isinstance(statement, tuple) else (statement, ())
                raw.execute(sql, params)

    return run


@pytest.fixture
def refuse() -> Callable[..., None]:
    """Append in vain, and see that each refusal is counted, has its path and its cause."""

    def check(log, times, says, error=AuditUnavailable):
        before = log.refused().count
        for n in range(1, times + 1):
            with pytest.raises(error, match=says) as caught:
                log.append(*EVENT)
            assert str(log.path) in str(caught.value)
            assert log.refused().count == before + n

    return check


@pytest.fixture
def assert_gap() -> Callable[..., None]:
    """The next append works, and its gap record owns up to the refused ones."""

    def check(log, count, cause):
        owed = log.refused()
        assert (owed.count, owed.cause) == (count, cause)
        assert owed.since is not None
        assert owed.until is not None
        assert owed.since <= owed.until <= datetime.now(UTC)
        receipt = log.append(*EVENT)
        assert log.refused() == Refused()
        gap = next(r for r in records(log) if r.seq == receipt.seq - 1)
        assert gap.type == "gap"
        times = [datetime.fromisoformat(gap.body[k]) for k in ("from", "to")]
        assert (gap.body["count"], gap.body["cause"], *times) == (count, cause, owed.since, owed.until)
        log.append(*EVENT)
        assert len(list(records(log, None, type="gap"))) == 1, "a gap is told once"
        assert log.verify().ok

    return check
