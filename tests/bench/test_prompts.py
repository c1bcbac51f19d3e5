"""A whole measurement, with scores that stand in the prompts: every figure follows from the table by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from guardrail.bench.data import DataError
from guardrail.bench.outcomes import MOST_VALUES
from guardrail.bench.prompts import Plan, failed_checks, measure
from guardrail.bench.scores import thresholds_on
from guardrail.policy import load_policy
from guardrail.signals import CORE
from tests.bench.scripted import TABLE, WORD, rows_file, scripted, table_rows


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    return str(scripted(monkeypatch, tmp_path))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return rows_file(tmp_path / "table.jsonl", table_rows())


def counts(report: dict[str, Any]) -> dict[tuple[str, str, str], tuple[int, int, int]]:
    """(by, of, role) → (n, blocked, blocked or altered)."""
    return {
        (r["by"], r["of"], r["role"]): (r["n"], r["blocked"]["count"], r["blocked_or_altered"]["count"])
        for r in report["rates"]
    }


def test_rates_by_hand(policy: str, table: Path) -> None:
    assert counts(measure(Plan([table], policy))) == {
        ("all", "all", "block"): (4, 2, 3),
        ("all", "all", "benign"): (5, 1, 2),
        ("all", "all", "other"): (1, 1, 1),
        ("label", "sexual", "block"): (3, 1, 2),
        ("label", "nudity", "block"): (1, 1, 1),
        ("label", "benign", "benign"): (5, 1, 2),
        ("label", "violence", "other"): (1, 1, 1),
        ("source", "a", "block"): (2, 2, 2),
        ("source", "a", "benign"): (1, 1, 1),
        ("source", "a", "other"): (1, 1, 1),
        ("source", "b", "block"): (2, 0, 1),
        ("source", "b", "benign"): (4, 0, 1),
        ("lang", "en", "block"): (2, 2, 2),
        ("lang", "en", "benign"): (2, 1, 2),
        ("lang", "en", "other"): (1, 1, 1),
        ("lang", "ko", "block"): (2, 0, 1),
        ("lang", "ko", "benign"): (3, 0, 0),
    }


def test_scores_by_hand(policy: str, table: Path) -> None:
    scores = measure(Plan([table], policy, thresholds=True))["scores"]
    assert scores["thresholds"] == {"sexual.suggestive": 0.4, "sexual.explicit": 0.7}
    whole, english, korean = scores["by_language"]
    assert [one["lang"] for one in (whole, english, korean)] == ["all", "en", "ko"]
    # Of the 4 × 5 pairs the positive is higher in all but: .50 < .75; .20 < .75, .45, .30.
    assert whole["auroc"]["value"] == pytest.approx(16 / 20)
    assert english["auroc"]["value"] == 1
    assert korean["auroc"]["value"] == pytest.approx(5 / 6)
    points = {p["threshold"]: (p["recall"]["count"], p["false_alarms"]["count"]) for p in whole["operating_points"]}
    assert points == {"sexual.suggestive": (3, 2), "sexual.explicit": (2, 1)}
    expected = [
        (1 - s) ** 2 if label in ("sexual", "nudity") else s**2 for s, label, *_ in TABLE if label != "violence"
    ]
    assert whole["brier"] == pytest.approx(sum(expected) / 9)
    # No false alarm at all: over .75. One in five is more than a tenth, so that every target asks for none.
    assert {(s["limit"], s["recall"]["count"], s["false_alarms"]["count"]) for s in whole["sweep"]} == {(0.8, 2, 0)}


def test_two_runs_give_the_same_figures(policy: str, table: Path) -> None:
    first, second = (measure(Plan([table], policy, attacks=True, pairs=5, show=3)) for _ in range(2))
    first.pop("run"), second.pop("run")
    assert first == second


def test_no_prompt_is_in_a_report_unless_asked_for(policy: str, table: Path) -> None:
    quiet = json.dumps(measure(Plan([table], policy, attacks=True, pairs=2, show=9, thresholds=True)))
    assert "orchard" not in quiet
    shown = measure(Plan([table], policy, show=1, with_text=True))["shown"]
    assert [r["text"] for r in shown["missed"]] == ["secret orchard s=0.20"]
    assert [r["text"] for r in shown["false_alarms"]] == ["secret orchard s=0.75"]


def test_rows_are_named_by_id_the_telling_ones_first(policy: str, table: Path) -> None:
    shown = measure(Plan([table], policy, show=9))["shown"]
    assert [(r["row"], r["action"]) for r in shown["missed"]] == [("row-3", "allow")]
    assert [(r["row"], r["action"]) for r in shown["false_alarms"]] == [("row-4", "block"), ("row-5", "alter")]


def test_what_could_not_be_checked_counts_as_blocked_and_is_told_apart(policy: str, tmp_path: Path) -> None:
    rows = [{"text": t, "label": "benign"} for t in ("fine", "broken", "x" * 3_000_000)]
    report = measure(Plan([rows_file(tmp_path / "d.jsonl", rows)], policy))
    assert report["could_not_be_checked"] == {"missing: prompt.sexual": 1, "refused: text-too-long": 1}
    assert counts(report)["all", "all", "benign"] == (3, 2, 2)
    assert report["scores"]["without_score"] == 2
    assert failed_checks(report) == 1


@pytest.mark.parametrize(("label", "role"), [("benign", "benign"), ("sexual", "block"), ("hate", "other")])
def test_rows_of_one_kind_alone_have_rates_and_no_curve(policy: str, tmp_path: Path, label: str, role: str) -> None:
    path = rows_file(tmp_path / "d.jsonl", [{"text": f"s=0.{i}", "label": label} for i in range(5)])
    report = measure(Plan([path], policy, thresholds=True, attacks=True, pairs=1, show=2))
    assert set(counts(report)) == {("all", "all", role), ("label", label, role)}
    assert all(one["auroc"] is None and one["roc"] == [] for one in report["scores"]["by_language"])


def test_disguises_by_hand(policy: str, tmp_path: Path) -> None:
    """The scripted check reads its word in any case, and in no other disguise."""
    rows = [{"text": f"a jar of {WORD}, number {i}", "label": "sexual"} for i in range(4)]
    rows += [{"text": "a boat on the lake", "label": "benign"}, {"text": "missed", "label": "sexual"}]
    path = rows_file(tmp_path / "d.jsonl", rows)
    attacks = measure(Plan([path], policy, attacks=True, attack_rows=3, pairs=0))["attacks"]
    assert attacks["caught"] == {"sampled": 3, "of": 4}
    assert attacks["harmless"] == {"sampled": 1, "of": 1}
    lost = {
        a["family"]: a["blocked_lost"] and (a["blocked_lost"]["count"], a["blocked_lost"]["of"])
        for a in attacks["alone"]
    }
    for family in ("homoglyph", "zero_width", "spaced", "base64", "reversed", "fullwidth"):
        assert lost[family] == (3, 3)
    # Junk around the word, and capitals in it, leave it readable. Hangul there is none.
    assert lost["case_mix"] == lost["affixed"] == (0, 3)
    assert lost["jamo"] is lost["romanise"] is None
    added = {a["family"]: a["alarms_added"] for a in attacks["alone"] if a["alarms_added"]}
    assert added["leet"]["net"] == 0
    assert attacks["in_twos"] == []


def test_pairs_take_turns_and_other_seeds_give_other_disguises(policy: str, tmp_path: Path) -> None:
    path = rows_file(tmp_path / "d.jsonl", [{"text": f"{WORD} {i} on the lake", "label": "sexual"} for i in range(8)])
    one, other = (measure(Plan([path], policy, attacks=True, pairs=40, seed=seed))["attacks"] for seed in (1, 2))
    in_twos = {a["family"]: a["blocked_lost"] for a in one["in_twos"]}
    assert in_twos["all"]["of"] > 200
    # Over 320 of the 930 ordered pairs every family that reads Latin letters had a turn.
    assert all(in_twos[family] for family in in_twos if family not in ("jamo", "romanise"))
    assert one["in_twos"] != other["in_twos"]


def test_more_values_than_a_table_holds_are_refused(policy: str, tmp_path: Path) -> None:
    rows = [{"text": "x", "label": "benign", "source": f"s{i}"} for i in range(MOST_VALUES + 1)]
    with pytest.raises(DataError, match=rf"d.jsonl:{MOST_VALUES + 1}: the source has more than"):
        measure(Plan([rows_file(tmp_path / "d.jsonl", rows)], policy))


def test_a_measurement_gives_back_the_cores_that_it_left(policy: str, table: Path) -> None:
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system has no affinity of processes to cores")
    before = os.sched_getaffinity(0)
    assert measure(Plan([table], policy))["run"]["one_core"]
    assert os.sched_getaffinity(0) == before


def test_the_report_says_what_was_measured_with_what(policy: str, table: Path) -> None:
    report = measure(Plan([table], policy, limit=5, command="typed"))
    assert report["policy"]["id"] == "scripted"
    assert len(report["policy"]["sha256"]) == 64
    assert report["effective"] == [{"check": "sexual-text", "version": "scripted", "weights": {"scripted": "ab" * 32}}]
    assert report["data"]["measured"] == 5
    assert report["data"]["rows"] == 10
    assert report["run"]["command"] == "typed"
    for ms in (report["run"]["latency_ms"], report["run"]["processor_ms"]):
        assert 0 < ms["p50"] <= ms["p95"] <= ms["p99"]


def test_thresholds_are_read_out_of_conditions_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "policy: {id: p, version: 1.0.0}\nthresholds: {sexual: {low: 0.2}, minor: {low: 0.3}}\nrules:\n"
        "  - {id: a, at: prompt, when: {all: [{not: {prompt.sexual: '< low'}}, {prompt.minor: '>= low'}]}, "
        "then: block}\n"
        "  - {id: b, at: prompt, when: {any: [{prompt.sexual: '>= 0.8'}, {prompt.minor: '>= 0.9'}]}, then: block}\n"
    )
    assert thresholds_on(load_policy(path, vocabulary=CORE)) == {"sexual.low": 0.2, ">= 0.8": 0.8}
    assert thresholds_on(None) == {}
