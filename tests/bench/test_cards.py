"""Cards: every figure in them is one of the run's, and what was not measured is said not to have been."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from guardrail.bench.cards import system_card
from guardrail.bench.limits import limits, value
from guardrail.bench.quoting import Figures, rows, said, told
from guardrail.bench.risks import risk_assessment
from guardrail.bench.run.measures import Measure, of_rate
from guardrail.bench.run.record import Run
from guardrail.bench.statistics import Rate
from tests.bench.made_run import ATTACKS, HOSTILE, made

RUN = made()
EMPTY = Run("prompts", "nothing", {}, ())
PERCENT = re.compile(r"\d+\.\d\d %")


def percents(run: Run) -> set[str]:
    """Every percentage that a card of a run may show: of its measures, and what they leave of the whole."""
    shares = [m for m in run.measures if m.value is not None and m.unit == "share"]
    known = {p for m in shares for p in PERCENT.findall(value(m))}
    known |= {f"{100 * (1 - m.value):.2f} %" for m in shares if m.value is not None}
    return known | {p for m in shares for p in PERCENT.findall(m.bound)}


@pytest.mark.parametrize("card", [system_card, risk_assessment])
def test_no_percentage_is_invented(card: Any) -> None:
    shown = set(PERCENT.findall(card(RUN)))
    assert len(shown) > 5
    assert shown <= percents(RUN)
    assert not PERCENT.search(card(EMPTY))


@pytest.mark.parametrize("card", [system_card, risk_assessment])
def test_names_in_a_card_stay_text_and_what_did_not_run_is_in_it(card: Any) -> None:
    text = card(replace(RUN, texts=True))
    assert "<script" not in text
    assert "](http" not in text.replace("\\]", "")
    assert "- Qwen3Guard: no folder given" in text
    assert "results.jsonl holds them" in text
    assert "results.jsonl holds them" not in card(RUN)
    widths = [re.sub(r"\\.", "", line).count("|") for line in text.splitlines() if line.startswith("|")]
    assert set(widths) <= {3, 6, 8}


def test_a_system_card_has_what_is_asked_of_it() -> None:
    text = system_card(RUN)
    assert re.findall(r"^## (.*)$", text, re.M) == [
        "System and provider", "Intended use", "Out of scope", "Components", "Policy", "Data", "Results",
        "Results by subgroup", "Known bypasses", "Failure mode", "Latency", "Child safety", "Logging and retention",
        "Contact and takedown", "Legal mapping", "Limits of these figures", "Not run",
    ]  # fmt: skip
    block = next(m for m in RUN.measures if m.name == "block_rate" and not m.of)
    assert f"| block\\_rate | all | {value(block)} | 900 |" in text
    assert all(re.search(rf"attack\\_lost\\_rate \| attack {re.escape(a)} ", text) for a in ATTACKS)
    assert "let through after an alteration: not measured: nothing was altered" in text
    assert "Not measured in this run: results by skin tone, age band, gender." in text
    assert "Rates on requests about minors: not measured in this run." in text
    assert "| latency, p50 | 1.25 ms |" in text
    assert "not legal advice" in text
    assert "eu: eu-mark |" in text
    assert "kr: none |" in text
    assert "not for: claims" in text


def test_a_card_of_a_run_without_anything_says_so_throughout() -> None:
    text = system_card(EMPTY)
    assert "run.json names no policy." in text
    assert "run.json describes no data." in text
    assert "run.json names no checks" in text
    assert "harmful prompts let through as they came: not measured in this run" in text
    assert text.count("not known from this run") > 5
    risks = risk_assessment(EMPTY)
    assert "0 of 12 risks have a measured likelihood in this run." in risks
    assert risks.count("- residual risk: not rated: not measured") == 10
    assert "to rate, from the figures" not in risks


def test_a_weight_that_is_known_has_its_licence_and_another_is_to_be_filled_in() -> None:
    from guardrail.weights import CATALOGUE

    known = next(iter(CATALOGUE.values()))
    checks = [{"check": "faces", "version": "1", "weights": {known.name: known.sha256, "mine": "0" * 64}}]
    text = system_card(replace(EMPTY, facts={"checks": checks}))
    assert f"| faces | 1 | {known.name} | {known.licence} | {known.sha256} |" in text
    assert f"| faces | 1 | mine | not known here: \\[fill in\\] | {'0' * 64} |" in text


def test_risks_quote_the_worst_part_that_has_enough_samples() -> None:
    parts = [("en", 90, 100), ("ko", 60, 100), ("tr", 0, 5)]
    measures = tuple(of_rate("block_rate", Rate(hits, n), "higher", lang=lang) for lang, hits, n in parts)
    text = risk_assessment(replace(EMPTY, measures=measures))
    what = "harmful prompts not blocked by language, worst of 2 (1 with fewer than 30 samples left out): ko"
    assert f"- likelihood, {what}: 40.00 % (30.94–49.80), n = 100 (known to ±9 points only)" in text
    few = risk_assessment(replace(EMPTY, measures=measures[1:]))
    assert "by language: measured, but no two parts have 30 samples (parts: 2, with so many: 1)" in few
    assert "- residual risk: not rated: too few samples" in few
    assert "0 of 12 risks" in few


def test_about_minors_is_about_minors_only() -> None:
    def about(*of: str) -> list[Measure]:
        run = replace(EMPTY, measures=tuple(of_rate("block_rate", Rate(1, 1), "higher", label=o) for o in of))
        return Figures(run).about_minors()

    assert about("minority", "sexual", "childish") == []
    books = tuple(
        of_rate("over_block_rate", Rate(1, 9), "lower", **{d: "children"}) for d in ("source", "folder", "lang")
    )
    assert Figures(replace(EMPTY, measures=books)).about_minors() == []
    assert len(about("minor", "minor_sexual", "sexual/minors", "child")) == 4


def test_a_figure_that_is_better_higher_is_not_read_as_a_likelihood() -> None:
    measures = (
        of_rate("never_allowed_rate", Rate(100, 100), "higher", policy="p", risk="minor_sexual"),
        of_rate("block_rate", Rate(30, 40), "higher", label="minor"),
        of_rate("over_block_rate", Rate(30, 40), "lower", label="child"),
        of_rate("face_found_rate", Rate(99, 100), "higher"),
        of_rate("face_alarm_rate", Rate(7, 100), "lower"),
    )
    text = risk_assessment(replace(EMPTY, measures=measures))
    drawn = "- evidence, policy p, blocked of signals drawn for the rules, no check took part: 100.00 %"
    assert drawn in text
    assert "- likelihood, prompts labelled minor not blocked: 25.00 %" in text
    assert "- likelihood, pictures with a face in which none was found: 1.00 %" in text
    assert "2 of 12 risks" in text
    assert "7.00 %" not in text
    rules = risk_assessment(replace(EMPTY, measures=measures[:1]))
    assert "| not measured; evidence below |" in rules
    assert "0 of 12 risks" in rules


def test_marks_that_cannot_be_read_are_the_likelihood_and_not_those_that_can() -> None:
    def exact(condition: str, hits: int, better: Any = "higher", method: str = "TileLine") -> Measure:
        return of_rate("exact_rate", Rate(hits, 40), better, condition=condition, method=method, size="512")

    removed = of_rate("payload_rate", Rate(30, 40), "", attack="blur", how="2", system="TileLine", goal="remove")
    forged = of_rate("payload_rate", Rate(39, 40), "lower", attack="copy", how="2", system="TileLine", goal="forge")
    marks = (exact("none", 40), exact("jpeg", 38), exact("crop", 10), exact("rot", 0, "", "other"), removed, forged)
    text = risk_assessment(replace(EMPTY, suite="marks", measures=marks))
    assert "not read after a change, worst of 2: crop, TileLine, 512: 75.00 %" in text
    assert "not read from the picture as it was made, worst of 1: none, TileLine, 512: 0.00 %" in text
    assert "whatever it does to the picture, worst of 1: blur, 2, TileLine: 25.00 %" in text
    assert "97.50 %" not in text


def test_an_attacker_who_asks_and_the_row_beside_peers_are_quoted() -> None:
    from guardrail.bench.peers.own import GUARDRAIL

    asked = tuple(
        of_rate("adaptive_success_rate", Rate(n, 40), "lower", edits="no deletion", queries=str(at))
        for at, n in ((10, 4), (1000, 20), (300, 12))
    )
    text = risk_assessment(replace(EMPTY, suite="adaptive", measures=asked))
    assert "- likelihood, a wording found that is allowed, within 1,000 queries, edits: no deletion: 50.00 %" in text
    rates = tuple(of_rate("block_rate", Rate(n, 40), "higher", peer=p) for p, n in ((GUARDRAIL, 38), ("other", 9)))
    peers = replace(EMPTY, suite="peers", measures=rates, facts={"kind": "text"})
    assert "| harmful prompts not blocked, beside peers: 5.00 %" in risk_assessment(peers)
    pictures = risk_assessment(replace(peers, facts={"kind": "image"}))
    assert "| pictures with nudity that the nudity check alone would let pass: 5.00 %" in pictures
    assert "beside peers" not in pictures
    assert "77.50 %" not in pictures


def test_figures_of_every_suite_are_found_in_a_gathered_run() -> None:
    whole = [(m, "prompts") for m in RUN.measures] + [(of_rate("not_checked_rate", Rate(1, 50), "lower"), "images")]
    run = replace(RUN, suite="all", measures=tuple(replace(m, of=(*m.of, ("suite", s))) for m, s in whole))
    alone, text = risk_assessment(RUN), risk_assessment(run)
    rest = [line for line in alone.splitlines() if "prompts not blocked" in line and line.startswith("-")]
    assert rest
    assert all(line in text for line in rest)
    assert "- likelihood, not checked, images: 2.00 %" in text
    card = system_card(run)
    assert "blocked for that: prompts: 0.00 %" in card
    assert "; images: 2.00 %" in card
    assert "### By language" in card


def test_a_card_tells_entries_apart_and_holds_no_path() -> None:
    data = {
        "files": [{"name": "/home/ann/rows.jsonl", "sha256": "0" * 64}],
        "descriptions": [{"name": "d", "homepage": "", "not_for": ["one, and more", "two"], "labels": {"a_b": "x, y"}}],
        "columns": {"text": "prompt", "label": "label", "group": "split_group"},
    }
    lists = {f"{i}.txt": {"sha256": "e" * 64, "entries": 2} for i in range(3)}
    facts = {
        "data": data,
        "lists": lists,
        "command": "guardrail bench prompts --data '/home/ann lee/rows.jsonl' --out r",
    }
    measures = (of_rate("tpr_at_fpr", Rate(1, 2), "higher", fpr="0.01"),)
    timing = {"cold_ms": {"p50": 12345.6, "calls": 3.0}, "parts": {"a": {"share": 0.25, "ms": 1.5}}, "one_core": True}
    text = system_card(replace(EMPTY, facts=facts, measures=measures, timing=timing))
    assert "/home" not in text
    assert not re.search(r"\bann\b", text)
    assert "- **rows.jsonl**" in text
    assert "--data …/rows.jsonl --out r" in text
    assert "  - not for:\n    - one, and more\n    - two\n  - labels:\n    - a\\_b: x, y\n" in text
    assert "- columns: text from column prompt\n" in text
    assert "3 files with 6 entries" in text
    assert "eeee" not in text
    assert "`tpr_at_fpr[fpr=0.01]` (2)" in text
    for row in (
        "cold, p50 | 12,346 ms",
        "cold, calls | 3",
        "parts, a, share | 25.0 %",
        "parts, a | 1.5 ms",
        "one core | yes",
    ):
        assert f"| {row} |" in text


def test_attacks_on_pictures_are_in_the_card() -> None:
    attacks = tuple(
        of_rate("attack_lost_rate", Rate(9, n), "lower", attack=a, finding="faces")
        for a, n in (("blur", 40), ("crop", 90))
    )
    run = replace(EMPTY, measures=attacks)
    assert "| attack\\_lost\\_rate | attack blur, finding faces |" in system_card(run)
    assert "a face found as the picture came and lost by an attack, worst of 2: blur: 22.50 %" in risk_assessment(run)


def test_what_passes_is_the_rest_of_what_is_stopped() -> None:
    run = replace(EMPTY, measures=(of_rate("stop_rate", Rate(93, 100), "higher"),))
    passing = Figures(run).passing("stop_rate")
    assert passing is not None
    rest = of_rate("stop_rate", Rate(7, 100), "higher")
    assert (passing.value, passing.count) == (pytest.approx(rest.value), 7)
    assert passing.interval == pytest.approx(rest.interval)
    assert said(Figures(run).passing("block_rate")) == "not measured in this run"


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (None, []),
        ([], []),
        ([{"name": "a"}, "b"], ["a", "b"]),
        ({"name": "a", "sha256": "0"}, ["a"]),
        ({"a": {"sha256": "0"}, "b": {}}, ["a", "b"]),
    ],
)
def test_entries_of_run_json_are_read_however_they_are_kept(given: Any, names: list[str]) -> None:
    assert [one["name"] for one in rows(given)] == names
    assert told({"a": [1, 2.5, None], "b": ""}) == "a 1, 2.5, –; b –"


def test_limits_say_what_the_figures_cannot_carry() -> None:
    said_ = " ".join(limits(RUN))
    assert "Not measured, 2 of " in said_
    assert "block_rate[lang=ja] (12)" in said_
    assert "too roughly" in said_
    assert limits(EMPTY) == []
    assert HOSTILE not in said_
