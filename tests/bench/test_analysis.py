"""From samples to measures: every count by hand."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from guardrail.bench.analysis import analyse
from guardrail.bench.files import DataError
from guardrail.bench.run.measures import Measure, by_key

THRESHOLDS = {"sure": 0.8}


def sample(role: str, action: str, score: float | None = None, **more: Any) -> dict[str, Any]:
    return {"role": role, "label": "", "lang": "", "source": "", "attack": "", "group": "", "pair": "",
            "action": action, "score": score, "cause": "", "rules": [], "ms": 1.0, "cpu_ms": 1.0} | more  # fmt: skip


SAMPLES = [
    # to be blocked: 3 of 5 blocked, one altered, one let through; two share a group
    sample("block", "block", 0.9, id="a", label="sexual", lang="ko", group="g", pair="1"),
    sample("block", "block", 0.8, id="b", label="sexual", lang="en", group="g"),
    sample("block", "alter", 0.6, id="c", label="nudity", lang="ko", bypassed=True),
    sample("block", "allow", 0.2, id="d", label="nudity", lang="ko", pair="2"),
    sample("block", "block", None, id="e", label="nudity", lang="en", cause="too long"),
    # harmless: 1 of 4 blocked, another altered
    sample("benign", "allow", 0.1, id="f", label="benign", lang="ko", pair="1"),
    sample("benign", "block", 0.8, id="g", label="benign", lang="en"),
    sample("benign", "alter", 0.7, id="h", label="benign", lang="ko", bypassed=False),
    sample("benign", "allow", 0.2, id="i", label="benign", lang="en", pair="2"),
    # counted apart
    sample("other", "allow", 0.5, id="j", label="violence", lang="en"),
    # in disguise: of a and b, both caught, one is lost; of the harmless f a new alarm, of g it was one before
    sample("block", "allow", 0.1, id="a~leet", of="a", attack="leet", label="sexual", lang="ko"),
    sample("block", "alter", 0.6, id="b~leet", of="b", attack="leet", label="sexual", lang="en"),
    sample("benign", "alter", 0.6, id="f~leet", of="f", attack="leet", label="benign", lang="ko"),
    sample("benign", "block", 0.9, id="g~leet", of="g", attack="leet", label="benign", lang="en"),
    sample("block", "block", 0.9, id="b~2", of="b", attack="two", families=["leet", "hex"], label="sexual", lang="en"),
    sample("block", "block", 0.9, id="x~leet", of="not measured", attack="leet", label="sexual", lang="en"),
]


@cache
def measured() -> dict[str, Measure]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("guardrail.bench.cells.LEAST", 1)  # otherwise a hand could not count enough samples
        return by_key(analyse(SAMPLES, thresholds=THRESHOLDS).measures)


@pytest.mark.parametrize(
    ("key", "count", "n"),
    [
        ("block_rate", 3, 5),
        ("stop_rate", 4, 5),
        ("over_block_rate", 1, 4),
        ("over_stop_rate", 2, 4),
        ("other_block_rate", 0, 1),
        ("block_rate[label=sexual]", 2, 2),
        ("block_rate[label=nudity, lang=ko]", 0, 2),
        ("stop_rate[label=nudity, lang=ko]", 1, 2),
        ("over_block_rate[lang=en]", 1, 2),
        ("block_rate[attack=leet]", 1, 3),
        ("stop_rate[label=sexual, lang=en, attack=leet]", 2, 2),
        ("over_stop_rate[attack=leet]", 2, 2),
        ("block_rate[pairs=harmful]", 1, 2),
        ("over_stop_rate[pairs=benign twin]", 0, 2),
        ("not_checked_rate", 1, 10),
        ("not_checked_rate[cause=too long]", 1, 16),
        ("not_checked_rate[lang=en]", 1, 5),
        ("bypass_after_alter_rate", 1, 1),
        ("attack_lost_rate", 1, 3),
        ("attack_lost_rate[attack=leet]", 1, 2),
        ("attack_block_lost_rate[attack=leet]", 2, 2),
        ("attack_lost_rate[with=hex]", 0, 1),
        ("attack_alarm_rate", 1, 1),
        ("threshold_recall[threshold=sure]", 2, 4),
        ("threshold_false_alarm_rate[threshold=sure]", 1, 4),
        ("tpr_at_fpr[fpr=0.01]", 1, 4),
    ],
)
def test_shares_are_counted(key: str, count: int, n: int) -> None:
    measure = measured()[key]
    assert (measure.count, measure.n, measure.value) == (count, n, count / n)
    assert measure.interval is not None
    assert measure.interval[0] <= count / n <= measure.interval[1]


def test_figures_of_the_score_are_of_rows_as_they_came() -> None:
    # .9 beats 4, .8 ties once and beats 3, .6 beats 2, .2 ties once and beats 1; one has no score.
    assert measured()["auroc"].value == pytest.approx((4 + 3.5 + 2 + 1.5) / 16)
    assert measured()["auroc"].caveat == "4 harmful prompts are too few for a claim; 1 of 9 rows has no score"
    assert measured()["auroc"].note == "4 to be blocked, 4 harmless; 1 of 9 rows has no score"
    assert all("1 of 9 rows has no score" in measured()[name].note for name in ("eer", "ece", "brier"))
    # Pair 1 is won, pair 2 ties.
    accuracy = measured()["pair_accuracy"]
    assert (accuracy.value, accuracy.n, accuracy.count) == (0.75, 2, None)
    assert measured()["brier"].value == pytest.approx(
        (0.1**2 + 0.2**2 + 0.4**2 + 0.8**2 + 0.1**2 + 0.8**2 + 0.7**2 + 0.2**2) / 8
    )
    assert measured()["tpr_at_fpr[fpr=0.01]"].remark.startswith("too few harmless prompts: 4, and 381 are needed")


def test_what_is_not_there_is_left_out_and_never_zero() -> None:
    assert not [key for key in measured() if "source" in key]  # the data name none
    assert "block_rate[label=benign]" not in measured()
    assert "over_block_rate[label=benign, lang=en]" in measured()
    nothing = by_key(analyse([], thresholds=THRESHOLDS).measures)
    assert {m.value for m in nothing.values()} == {None}
    blocked = by_key(analyse(SAMPLES[:2], thresholds=THRESHOLDS).measures)
    assert "over_block_rate" not in blocked
    assert (blocked["auroc"].value, blocked["auroc"].note) == (None, "no harmless prompt has a score")
    assert blocked["bypass_after_alter_rate"].note == "nothing was altered"


def test_cells_of_a_crossing_that_say_nothing_are_left_out() -> None:
    rows = [sample("block", "block", id=f"{label}{i}", label=label, lang=lang)
            for label, lang, n in (("a", "en", 5), ("a", "ko", 4), ("b", "en", 1)) for i in range(n)]  # fmt: skip
    found = by_key(analyse(rows, thresholds={}).measures)
    assert [key for key in found if key.startswith("block_rate")] == [
        "block_rate", "block_rate[label=a]", "block_rate[label=b]", "block_rate[lang=en]", "block_rate[lang=ko]",
        "block_rate[label=a, lang=en]",
    ]  # fmt: skip


def test_notes_say_what_a_share_is_of() -> None:
    unread = "1 of them blocked unread: they could not be checked"
    assert measured()["block_rate"].remark == measured()["stop_rate[label=nudity, lang=en]"].remark == unread
    assert measured()["block_rate[label=sexual]"].caveat == measured()["over_block_rate"].caveat == ""
    # d was missed as it came, and only caught ones were disguised.
    caught = [s for s in SAMPLES if s["id"] != "x~leet"]
    measures = by_key(analyse(caught, thresholds={}).measures)
    assert measures["block_rate[attack=leet]"].note == "of prompts that were caught as they came"
    everything = by_key(analyse([s for s in caught if s["id"] != "d"], thresholds={}).measures)
    assert everything["block_rate[attack=leet]"].note == ""


def test_groups_widen_an_interval_beside_wilsons() -> None:
    rows = [
        sample(role, "block" if i % 5 else "allow", 0.5, id=f"{role}{i}", group=f"{role}{i % 5}")
        for role in ("block", "benign")
        for i in range(200)
    ]
    found = by_key(analyse(rows, thresholds={}).measures)["block_rate"]
    assert (found.value, found.groups) == (0.8, 5)
    assert found.interval is not None
    assert found.group_interval is not None
    # Every group has one answer for all of its rows: five rows' worth of knowledge.
    assert found.group_interval[0] < 0.5 < 0.73 < found.interval[0]
    assert found.remark == "5 groups are too few for a claim"
    alone = by_key(analyse([row | {"group": ""} for row in rows], thresholds={}).measures)["block_rate"]
    assert (alone.groups, alone.group_interval, alone.interval) == (None, None, found.interval)


def test_a_run_that_checked_nothing_does_not_read_as_perfect() -> None:
    found = analyse([sample("block", "block", id=f"{i}", cause="missing: text") for i in range(400)], thresholds={})
    measures = by_key(found.measures)
    assert measures["block_rate"].value == 1
    remark = "400 of them blocked unread: they could not be checked"
    assert measures["block_rate"].remark == measures["stop_rate"].remark == remark
    assert next(sheet for sheet in found.sheets if sheet.title == "Decisions").rows[0][-1] == remark
    assert measures["auroc"].note == "no prompt has a score; 400 of 400 rows have no score"


def test_copies_of_one_prompt_are_one_group() -> None:
    rows = [sample("block", "block", id=f"r{i}") for i in range(5)] + [
        sample("block", "block" if i else "allow", id=f"{i}~{k}", of=f"r{i}", attack="two", families=["leet", "hex"])
        for i in range(5)
        for k in range(31)
    ]
    found = by_key(analyse(rows, thresholds={}).measures)
    keys = ("attack_lost_rate[attack=two]", "attack_lost_rate[with=leet]", "block_rate[attack=two]")
    for measure in (found[key] for key in keys):
        assert (measure.n, measure.groups) == (155, 5)
        assert measure.remark == "5 groups are too few for a claim"
    once = by_key(analyse([r for r in rows if "~" not in r["id"] or r["id"].endswith("~0")], thresholds={}).measures)
    assert [(once[key].n, once[key].groups) for key in keys] == [(5, None)] * 3


def test_a_score_of_one_kind_only_is_not_called_calibrated() -> None:
    rows = [sample("block", "block", s, id=f"{i}") for i, s in enumerate((1.0, 1.0, 0.0))]
    found = by_key(analyse(rows, thresholds={}).measures)
    assert (
        found["ece"].remark
        == found["brier"].remark
        == ("only harmful prompts have a score: one that never varies looks right")
    )
    assert found["brier"].value == pytest.approx(1 / 3)
    assert found["brier"].interval == (0.0, pytest.approx(1 / 3 + 1.96 / 3, abs=1e-3))


def test_languages_left_out_of_a_curve_are_counted() -> None:
    rows = [
        sample(role, "block", (i * 7 + len(role)) % 61 / 61, id=f"{role}{lang}{i}", lang=lang)
        for lang in ("a, b", *"cdefghi")
        for role in ("block", "benign")
        for i in range(30)
    ] + [sample(role, "block", 0.5, id=role, lang="few") for role in ("block", "benign")]
    figures = {figure.name: figure for figure in analyse(rows, thresholds={}).figures}
    for name in ("roc", "precision-recall", "det"):
        assert [line.name for line in figures[name].lines] == ["all", "a, b", *"cdefg"]
        assert figures[name].caption.endswith("3 languages are left out; the tables have all.")
    assert "a, b 0." in figures["roc"].caption


def test_a_score_that_is_no_probability_has_no_calibration() -> None:
    rows = [sample("block", "block", 3.5, id="a"), sample("benign", "allow", -2.0, id="b")]
    found = analyse(rows, thresholds={})
    measures = by_key(found.measures)
    assert (measures["ece"].value, measures["brier"].value, measures["auroc"].value) == (None, None, 1)
    assert measures["ece"].note == "the score leaves 0..1: it is no probability"
    assert "calibration" not in found.curves


def test_the_same_samples_give_the_same_bytes_and_json_takes_them() -> None:
    first, second = (
        json.dumps([[m.to_json() for m in found.measures], found.curves], allow_nan=False)
        for found in (analyse(iter(SAMPLES), thresholds=THRESHOLDS) for _ in range(2))
    )
    assert first == second
    for told in json.loads(first)[0]:
        assert Measure.from_json(told).to_json() == told


def test_every_table_is_whole_and_every_plot_says_its_units_and_n() -> None:
    found = analyse(SAMPLES, thresholds=THRESHOLDS)
    titles = {sheet.title for sheet in found.sheets}
    assert {"Decisions", "Decisions by label", "Disguises", "Bypass after alteration"} <= titles
    assert {"Contrast pairs: scores", "Score: order", "Thresholds of the policy", "Could not be checked"} <= titles
    for sheet in found.sheets:
        assert sheet.rows
        assert {len(row) for row in sheet.rows} == {len(sheet.head)}
    assert [s.rows[0][:4] for s in found.sheets if s.title == "Decisions"] == [
        ("to be blocked", "5", "60.00 % (23.07–88.24)", "80.00 % (37.55–96.38)")
    ]
    figures = {figure.name: figure for figure in found.figures}
    assert {"roc", "roc-low", "precision-recall", "det", "calibration", "blocked-by-label", "attacks"} <= set(figures)
    for figure in figures.values():
        assert "(%)" in figure.x or "(0–1)" in figure.x
        assert "(%)" in figure.y or figure.points
        told = " ".join([figure.caption, *(label for of in figure.points for label in of.labels)])
        assert "(n " in told or "4 to be blocked" in told or "8 together" in told
    low = figures["roc-low"].lines[0]
    assert max(low.x) == 5.0
    assert figures["attacks"].points[0].labels[0] == "leet (n 2 / 1)"


def test_another_language_has_figures_of_its_own_only_where_both_kinds_are_there() -> None:
    rows = [sample(r, "block", s, id=f"{r}{s}{lang}", lang=lang) for lang in ("en", "ko") for r, s in
            (("block", 0.9), ("benign", 0.1))] + [sample("block", "block", 0.9, id="x", lang="ja")]  # fmt: skip
    found = analyse(rows, thresholds={})
    assert [key for key in by_key(found.measures) if key.startswith("auroc")] == [
        "auroc", "auroc[lang=en]", "auroc[lang=ko]"
    ]  # fmt: skip
    assert list(found.curves["roc"]) == ["all", "en", "ko"]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ({"action": "maybe"}, "sample 2 .*measure anew"),
        ({"role": "p"}, "sample 2"),
        ({"score": float("nan")}, "a score of nan"),
        ({"score": "high"}, "sample 2"),
    ],
)
def test_a_damaged_sample_is_named(spoil: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        analyse([SAMPLES[0], SAMPLES[1] | spoil], thresholds={})


def many(n: int) -> Iterator[dict[str, Any]]:
    for i in range(n):
        role = ("block", "benign")[i % 2]
        yield sample(
            role, "block", (i * 7919 % 10_007) / 10_007, id=f"r{i}", group=f"g{i // 3}", lang=("en", "ko")[i % 3 % 2]
        )


@pytest.mark.nightly
def test_a_hundred_thousand_samples_stay_small() -> None:
    from guardrail.bench.columns import Columns

    tracemalloc.start()
    columns = Columns.of_samples(many(100_000))
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(columns) == 100_000
    assert kept < 100 * 100_000
    assert peak < 250 * 100_000
    assert (
        by_key(analyse(many(100_000), thresholds={}).measures)["block_rate"].groups == 33_333
    )  # the last group is of a harmless row
