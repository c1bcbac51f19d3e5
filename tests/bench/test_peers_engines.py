"""Engines beside each other: the same decisions where all is there, and what happens where a signal is missing."""

from __future__ import annotations

from collections import Counter

import pytest

from guardrail.bench.files import DataError
from guardrail.bench.peers.base import Answer, Opened, Peer
from guardrail.bench.peers.cases import CONDITIONS, Case, cases
from guardrail.bench.peers.engines import BUILTIN, engines, loops, timed
from guardrail.bench.peers.plan import PeerPlan
from guardrail.bench.peers.run import peers_run
from guardrail.bench.run.measures import by_key

ALL = {peer.name: peer for peer in engines()}
COMPLETE = [case for case in cases(30, 3) if case.kind == "complete"]


def truth(case: Case) -> str:
    """Decided in Python, by no engine."""
    sexual, nudity = (case.signals[name] for name in ("prompt.sexual", "reference.nudity"))
    faces = case.signals["reference.faces"]
    assert isinstance(sexual, float)
    assert isinstance(nudity, float)
    assert isinstance(faces, tuple)
    face = any(float(f["real"] or 0) > 0.5 and bool(f["identifiable"]) for f in faces)
    fires = {
        "score": sexual > 0.7,
        "score and face": sexual > 0.7 and face,
        "either score": sexual > 0.7 or nudity > 0.5,
    }
    return "block" if fires[CONDITIONS[case.condition].name] else "allow"


@pytest.mark.parametrize("name", ALL)
def test_an_engine_decides_as_the_condition_says(name: str) -> None:
    if ALL[name].lacking:
        pytest.skip(ALL[name].lacking)
    judge = ALL[name].open().judge
    assert [judge(case).action for case in COMPLETE] == [truth(case) for case in COMPLETE]


def test_cases_are_the_same_for_a_seed_and_have_both_answers_at_and_around_the_limits() -> None:
    drawn = list(cases(300, 1))
    assert drawn[:40] == list(cases(40, 1))
    assert drawn != list(cases(300, 2))
    assert Counter(c.kind for c in drawn) == {"complete": 240, "missing": 60}
    complete = [c for c in drawn if c.kind == "complete"]
    for i in range(len(CONDITIONS)):
        answers = Counter(truth(c) for c in complete if c.condition == i)
        assert min(answers["block"], answers["allow"]) >= 10
    assert 0.7 in [c.signals["prompt.sexual"] for c in complete]
    for case in drawn:
        if case.kind == "missing":
            assert next(n for n, v in case.signals.items() if v is None) in CONDITIONS[case.condition].reads


def test_where_a_signal_is_missing_guardrail_blocks_unless_the_rest_decides() -> None:
    judge = ALL[BUILTIN].open().judge
    for case in cases(90, 1):
        if case.kind == "missing" and case.condition == 0:
            assert judge(case).action == "block"


def test_agreement_is_counted_apart_for_what_is_complete_and_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrail.bench.peers.run.LOOP_CALLS", 50)
    open_door = Peer("lenient", "engine", lambda: Opened(lambda case: Answer("allow")), licence="MIT")
    run = peers_run(PeerPlan("engine", limit=60), None, peers=[ALL[BUILTIN], open_door])
    found = by_key(run.measures)
    missing = found["allowed_instead_of_blocked_rate[case=missing, peer=lenient]"]
    assert (missing.value, missing.better) == (1.0, "")
    complete = found["agreement_rate[case=complete, peer=lenient]"]
    judge = ALL[BUILTIN].open().judge
    drawn = [c for c in cases(60, 1) if c.kind == "complete"]
    assert (complete.count, complete.n) == (sum(judge(c).action == "allow" for c in drawn), len(drawn))
    assert "lenient" in run.timing["decision_us"]
    assert run.timing["decision_us"]["lenient"] == {}  # it does not block, so its time is of something else
    assert run.timing["decision_us"][BUILTIN]["2 faces"]["p50"] > 0
    assert run.curves == {}


def test_the_time_of_a_decision_is_that_of_the_calls_that_were_asked_for() -> None:
    calls: list[int] = []
    p50, p99 = timed(lambda: calls.append(1), 200)
    assert len(calls) == 221
    assert 0 < p50 <= p99
    assert set(loops(lambda case: Answer("block"), 60)) == {"2 faces", "20 faces"}


def test_engines_take_no_data() -> None:
    with pytest.raises(DataError, match="leave --data out"):
        peers_run(PeerPlan("engine", data=["x.jsonl"]), None)  # type: ignore[list-item]
