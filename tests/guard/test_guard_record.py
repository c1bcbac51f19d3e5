"""Decisions are on record before anything is released, without content; while they cannot be, nothing is."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail import Guard
from guardrail.audit import records
from guardrail.decision import Action
from guardrail.errors import AuditUnavailable
from tests.scripted import ScriptedFaces, ScriptedNudity, install

RULES = """
rules:
  - {id: explicit, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: [block, {report: {queue: review}}]}
"""


@pytest.fixture
def guard(make_guard: Any, own_home: Path) -> Any:
    return make_guard(RULES, audit="auto")


def test_every_decision_is_on_record_and_every_report_beside_it(guard: Any) -> None:
    allowed, refused = guard.check_prompt("a house"), guard.check_prompt("explicit nude porn")
    kept = list(records(guard.audit))
    assert [r.type for r in kept] == ["report", "decision", "decision", "opened"]
    assert next(records(guard.audit, decision_id=allowed.id)).body["action"] == "allow"
    report = next(records(guard.audit, decision_id=refused.id, type="report"))
    assert (report.body["queue"], report.body["rule"]) == ("review", "explicit")
    assert guard.audit.verify().ok


def test_a_report_is_told_after_it_is_on_record(make_guard: Any) -> None:
    seen: list[tuple[str, bool]] = []

    def told(queue: str, decision: Any) -> None:
        seen.append((queue, any(True for _ in records(guard.audit, decision_id=decision.id))))

    guard = make_guard(RULES, audit="auto", on_report=told)
    guard.check_prompt("explicit nude porn")
    assert seen == [("review", True)]


def test_while_the_record_cannot_be_written_requests_are_blocked_and_counted_and_a_gap_says_so(
    guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = guard.check_prompt("a house")
    assert before.action is Action.ALLOW

    real = sqlite3.connect
    guard.audit.close()

    def no_disk(*_: Any, **__: Any) -> Any:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(sqlite3, "connect", no_disk)
    for _ in range(3):
        decision = guard.check_prompt("a house")
        assert decision.blocked
        assert decision.reasons[-1].kind == "audit"
        assert "the record cannot be written: AuditUnavailable" in decision.reasons[-1].describe()
        assert decision.message().startswith("This request was refused.")
    assert guard.audit.refused().count == 3

    monkeypatch.setattr(sqlite3, "connect", real)
    after = guard.check_prompt("a house")
    assert after.action is Action.ALLOW
    (gap,) = records(guard.audit, type="gap")
    assert gap.body["count"] == 3
    assert guard.audit.verify().ok


def test_an_output_is_not_released_when_the_disk_goes_in_between(
    make_guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, ScriptedNudity)
    guard = make_guard("rules: [{id: n, at: output, when: {output.nudity: '>= 0.5'}, then: block}]", audit="auto")
    asked = guard.check_prompt("a house")

    def full(*_: Any) -> Any:
        raise AuditUnavailable("the disk is full")

    monkeypatch.setattr(type(guard.audit), "append_many", full)
    decision = guard.check_output(np.zeros((64, 64, 3), np.uint8), after=asked)
    assert decision.blocked
    assert decision.labels == {}
    assert decision.mark_id == ""


def test_a_decision_too_large_to_record_is_a_block_that_is_on_record(guard: Any) -> None:
    # Nearly 20,000 characters of people: more signals than a record holds.
    crowd = "my boss, " * 2200
    decision = guard.check_prompt(crowd)
    assert [r.body["action"] for r in records(guard.audit, decision_id=decision.id)] == [decision.action.value]


def test_opting_out_of_the_record_is_explicit(make_guard: Any) -> None:
    guard = make_guard(RULES, audit=None)
    assert guard.audit is None
    assert guard.check_prompt("a house").action is Action.ALLOW


# ---- privacy

CANARY = "Zephyrine Oakwhistle"
PERSON = "cover-me"


def test_no_content_reaches_logs_records_errors_or_json(
    monkeypatch: pytest.MonkeyPatch, own_home: Path, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    """A canary name, a canary user and a canary picture go through everything; none of them is written anywhere."""
    install(monkeypatch, ScriptedNudity, ScriptedFaces)
    fields = {"real": 0.9, "identifiable": True, "match": 0.0, "gallery": "none", "consent": "unknown"}
    monkeypatch.setattr(ScriptedFaces, "judge", staticmethod(lambda image: [((20.0, 20.0, 40.0, 40.0), fields)]))
    caplog.set_level(logging.DEBUG)
    pixels = np.random.default_rng(5).integers(0, 256, (96, 96, 3), np.uint8)
    with Guard(names=[CANARY]) as guard, guard.context(user="canary-user", purpose="test"):
        decisions = [
            guard.check_prompt(f"{CANARY} at a desk"),
            guard.check_prompt(f"{CANARY} undressed"),
            guard.check_prompt(f"{CANARY} " * 2000),
            guard.check_request(prompt=f"a portrait, {CANARY}", images=[pixels]),
            guard.check_image(f"/no/such/{CANARY}.png"),
            guard.check_output(pixels),
        ]
        assert decisions[1].blocked
        assert decisions[3].action is Action.ALTER
        told = json.dumps([d.to_json() for d in decisions]) + "".join(d.message() + repr(d) for d in decisions)
        told += repr(guard) + repr(guard.session()) + caplog.text + "".join(capfd.readouterr())
        database = guard.audit.path
    with closing(sqlite3.connect(database)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    on_disk = b"".join(f.read_bytes() for f in own_home.rglob("*") if f.is_file())
    for canary in (CANARY, CANARY.lower(), "Zephyrine", "zephyrine", "canary-user"):
        assert canary not in told
        assert canary.encode() not in on_disk
    assert pixels[0].tobytes()[:24] not in on_disk
    assert len(on_disk) > 1000
