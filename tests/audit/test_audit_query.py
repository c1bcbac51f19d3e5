"""Looking up records and working off queues."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from guardrail.audit import close_report, pending, records, report_event
from guardrail.audit.query import _CONDITIONS
from guardrail.audit.reports import _OPEN
from guardrail.decision import Action


@pytest.fixture
def filled(log, decision):
    """Records 2 to 9, in order; `opened` is 1."""
    log.append_many(
        [
            ("decision", decision("d-1", Action.ALLOW, "", mark_id="00aa").to_json()),  # 2
            ("decision", decision("d-2", Action.BLOCK, "no-nudity").to_json()),  # 3
            report_event("review", "d-2", "no-nudity", "high"),  # 4
            ("decision", decision("d-3", Action.ALTER, "faces", mark_id="00bb").to_json()),  # 5
            ("decision", decision("d-4", Action.BLOCK, "minors").to_json()),  # 6
            report_event("urgent", "d-4", "minors", "critical"),  # 7
            report_event("review", "d-4", "no-nudity", "high"),  # 8
            ("decision", decision("d-5", Action.ALLOW, "").to_json()),  # 9
        ]
    )
    return log


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ({"limit": 3}, [9, 8, 7]),
        ({"limit": 0}, []),
        ({"limit": None}, [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ({"decision_id": "d-4"}, [8, 7, 6]),
        ({"decision_id": "d-4", "limit": 2}, [8, 7]),
        ({"decision_id": "d-4", "type": "decision"}, [6]),
        ({"decision_id": "d-"}, []),
        ({"decision_id": "' OR 1 --"}, []),
        ({"mark_id": "00bb"}, [5]),
        ({"mark_id": ""}, []),
        ({"type": "decision"}, [9, 6, 5, 3, 2]),
        ({"type": "report"}, [8, 7, 4]),
        ({"type": "opened"}, [1]),
        ({"type": "gap"}, []),
        ({"action": "block"}, [6, 3]),
        ({"action": "alter"}, [5]),
        ({"rule": "no-nudity"}, [8, 4, 3]),
        ({"rule": "no-nudity", "type": "decision"}, [3]),
        ({"rule": "minors", "action": "block"}, [6]),
        ({"rule": "minors", "mark_id": "00aa"}, []),
    ],
)
def test_records(filled, wanted, found):
    assert [r.seq for r in records(filled, **wanted)] == found


def test_records_since(filled):
    middle = next(r for r in records(filled) if r.seq == 5).time
    assert [r.seq for r in records(filled, since=middle)] == [9, 8, 7, 6, 5]
    assert [r.seq for r in records(filled, since=middle, type="report")] == [8, 7]
    assert list(records(filled, since=datetime.now(UTC) + timedelta(days=1))) == []
    assert len(list(records(filled, since=datetime(1999, 1, 1, tzinfo=UTC)))) == 9


def test_records_since_on_a_clock_that_was_set_back(log, monkeypatch):
    hours = iter([5, 6, 7, 2, 3, 8])
    monkeypatch.setattr("time.time_ns", lambda: next(hours) * 3600 * 10**9)
    log.append_many([("decision", {"id": f"d-{n}"}) for n in range(5)])
    assert [r.seq for r in records(log, since=datetime(1970, 1, 1, 6, tzinfo=UTC))] == [6, 3, 2]
    assert log.verify().ok


@pytest.mark.parametrize(
    ("wanted", "says"),
    [({"limit": -1}, "0 or more"), ({"since": datetime(2026, 1, 1)}, "no time zone")],
)
def test_wrong_arguments_are_refused_at_the_call(filled, wanted, says):
    with pytest.raises(ValueError, match=says):
        records(filled, **wanted)


def test_a_record_as_json(filled):
    record = next(records(filled, type="report"))
    told = record.to_json()
    assert told["body"] == {"queue": "review", "decision_id": "d-4", "rule": "no-nudity", "severity": "high"}
    assert (told["seq"], told["type"], told["hash"]) == (8, "report", record.hash)
    assert datetime.fromisoformat(told["time"]) == record.time


def test_reading_takes_a_page_at_a_time_and_writing_goes_on(log):
    log.append_many([("decision", {"id": f"d-{n}"}) for n in range(1000)])
    reading = records(log, None)
    first = [r.seq for r in itertools.islice(reading, 10)]
    log.append("decision", {"id": "meanwhile"})
    assert first + [r.seq for r in reading] == list(range(1001, 0, -1))
    assert len(list(records(log, 600))) == 600


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        (_CONDITIONS["decision_id"], "events_decision"),
        (_CONDITIONS["mark_id"], "events_mark"),
        (_CONDITIONS["other_type"], "events_type"),
        (_OPEN, "events_closes"),
    ],
)
def test_what_is_looked_up_is_indexed(filled, condition, index):
    values = ("x",) * condition.count("?")
    plan = filled.store.rows(f"EXPLAIN QUERY PLAN SELECT * FROM events WHERE {condition}", values)
    assert any(f"USING INDEX {index} (".encode() in row[3] and row[3].startswith(b"SEARCH") for row in plan), plan


# ---- queues


def test_pending_reports_by_queue_oldest_first(filled):
    waiting = list(pending(filled))
    assert [(r.seq, r.queue, r.decision_id, r.rule, r.severity) for r in waiting] == [
        (4, "review", "d-2", "no-nudity", "high"),
        (7, "urgent", "d-4", "minors", "critical"),
        (8, "review", "d-4", "no-nudity", "high"),
    ]
    assert waiting[0].time <= waiting[1].time
    assert [r.seq for r in pending(filled, "review")] == [4, 8]
    assert [r.seq for r in pending(filled, "review", limit=1)] == [4]
    assert list(pending(filled, "nobody")) == []


def test_a_closed_report_waits_no_more_and_stays_on_record(filled):
    receipt = close_report(filled, 4, "confirmed")
    assert [r.seq for r in pending(filled, "review")] == [8]
    closing = next(records(filled, type="report"))
    assert (closing.seq, closing.hash) == (receipt.seq, receipt.hash)
    assert closing.body == {"queue": "review", "decision_id": "d-2", "closes": 4, "outcome": "confirmed"}
    assert [r.seq for r in records(filled, decision_id="d-2")] == [receipt.seq, 4, 3]
    assert filled.verify().ok


@pytest.mark.parametrize("seq", [1, 2, 3, 99, -1])
def test_only_an_open_report_can_be_closed(filled, seq):
    with pytest.raises(ValueError, match=f"no open report at {seq}"):
        close_report(filled, seq, "dismissed")


def test_a_report_is_closed_once_and_a_closing_never(filled):
    receipt = close_report(filled, 7, "escalated")
    for seq in (7, receipt.seq):
        with pytest.raises(ValueError, match="no open report"):
            close_report(filled, seq, "dismissed")


def test_an_outcome_is_one_of_three_words(filled):
    with pytest.raises(ValueError, match="confirmed, dismissed, escalated"):
        close_report(filled, 4, "it showed Alice")
