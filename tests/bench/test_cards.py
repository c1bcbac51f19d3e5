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
    assert "latency\\_ms p50 | 1.25" in text
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
    assert "- likelihood, blocked by language, worst of 2: ko: 60.00 % (50.20–69.06), n = 100" in text
    assert "worst of 2: tr" not in text
    assert "worst of 2: ko: 60.00 % (50.20–69.06), n = 100 (known to ±9 points only)" in text


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
        of_rate("nudity_found_rate", Rate(50, 100), "higher"),
    )
    text = risk_assessment(replace(EMPTY, measures=measures))
    drawn = "higher is better, of signals drawn for the rules; no check took part"
    assert f"- likelihood, never allowed rate, policy p, risk minor\\_sexual ({drawn}): 100.00 %" in text
    assert "- likelihood, nudity found rate, all (higher is better): 50.00 %" in text


def test_figures_that_a_run_has_by_part_only_are_not_called_unmeasured() -> None:
    measures = tuple(of_rate("exact_rate", Rate(9, 10), "higher", condition=c, method="x") for c in ("jpeg", "crop"))
    told_ = "- likelihood, exact rate: 2 figures by part, in the report and in metrics.json"
    text = risk_assessment(replace(EMPTY, suite="marks", measures=measures))
    assert told_ in text
    assert "1 of 12 risks" in text
    assert "measures it: guardrail bench marks" not in text
    attacks = tuple(
        of_rate("attack_lost_rate", Rate(9, 10), "lower", attack=a, finding="face") for a in ("blur", "crop")
    )
    assert "| attack\\_lost\\_rate | attack blur, finding face |" in system_card(replace(EMPTY, measures=attacks))


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
