"""Two runs side by side, and the gate that lets a build fail."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guardrail.bench.comparison import compare, comparison_json, comparison_sheets
from guardrail.bench.files import DataError
from guardrail.bench.gate import gate, limits_of
from guardrail.bench.run.folder import write_run
from guardrail.bench.run.measures import Measure, of_all, of_rate
from guardrail.bench.run.record import Run
from guardrail.bench.run.samples import FILE, Samples
from guardrail.bench.statistics import Rate
from tests.cli.said import running

FACTS: dict[str, Any] = {
    "policy": {"id": "mine", "version": "1", "sha256": "a" * 64, "thresholds": {"sexual.explicit": 0.5}, "rules": {}},
    "checks": [{"check": "sexual-text", "version": "2", "weights": {"prompt-classifier": "c" * 64}}],
    "lists": {"sexual.en.txt": {"sha256": "1" * 64, "entries": 420}},
    "data": {"files": [{"name": "a.jsonl", "sha256": "d" * 64, "rows": 100}]},
    "seed": 1,
}
LANGS = ("en", "ko")


def written(folder: Path, blocked: dict[str, int], facts: dict[str, Any] | None = None, **more: Any) -> Path:
    """A run over 100 prompts to be blocked in each language, of which so many were blocked."""
    folder.mkdir()
    with Samples(folder / FILE, {"of": folder.name}) as samples:
        for lang in LANGS:
            for i in range(100):
                action = "block" if i < blocked[lang] else "allow"
                samples.add(
                    {"id": f"{lang}{i}", "role": "block", "lang": lang, "action": action, "of": "", "attack": ""}
                )
    measures = [of_rate("block_rate", Rate(sum(blocked.values()), 200), "higher")]
    measures += [of_rate("block_rate", Rate(blocked[lang], 100), "higher", lang=lang) for lang in LANGS]
    measures += [Measure("auroc", (), more.get("auroc", 0.9), 200, None, (0.85, 0.95), "DeLong", "higher", "area")]
    run = Run("prompts", "t", {**FACTS, **(facts or {})}, tuple(measures))
    write_run(more.get("run", lambda r: r)(run), folder)
    return folder


def test_the_same_run_twice_has_nothing_to_say(tmp_path: Path) -> None:
    a, b = (written(tmp_path / name, {"en": 90, "ko": 80}) for name in "ab")
    found = compare(a, b)
    assert (found.differ, found.gone, found.new, found.same_data, found.rows) == ((), (), (), True, 200)
    assert {c.verdict for c in found.changes} == {"same"}
    assert comparison_sheets(found) == []
    assert not any(f.failure for f in gate({}, (), found))


def test_the_same_prompts_are_compared_row_by_row(tmp_path: Path) -> None:
    a, b = written(tmp_path / "a", {"en": 90, "ko": 80}), written(tmp_path / "b", {"en": 84, "ko": 80})
    found = {c.key: c for c in compare(a, b).changes}
    change = found["block_rate[lang=en]"]
    assert change.difference is not None
    # Six lost, none gained: the exact test of six coins.
    assert (change.difference.method, change.difference.p) == ("McNemar, exact", pytest.approx(2 * 0.5**6))
    assert (change.verdict, change.sure) == ("worse", True)
    assert found["block_rate[lang=ko]"].verdict == "same"
    assert found["auroc"].difference is None


def test_other_rows_are_compared_as_two_samples(tmp_path: Path) -> None:
    a, b = written(tmp_path / "a", {"en": 90, "ko": 80}), written(tmp_path / "b", {"en": 84, "ko": 80})
    (b / FILE).unlink()
    found = compare(a, b)
    change = next(c for c in found.changes if c.key == "block_rate[lang=en]")
    assert found.rows == 0
    assert change.difference is not None
    assert (change.difference.method, change.sure) == ("Fisher, exact, other rows", False)


def test_figures_of_the_same_rows_that_cannot_be_paired_have_no_p(tmp_path: Path) -> None:
    def with_threshold(hits: int) -> Any:
        told = of_rate("tpr_at_fpr", Rate(hits, 200), "higher", fpr="0.01")
        return lambda run: replace(run, measures=(*run.measures, told))

    a = written(tmp_path / "a", {"en": 90, "ko": 80}, run=with_threshold(150))
    b = written(tmp_path / "b", {"en": 90, "ko": 80}, run=with_threshold(140))
    change = next(c for c in compare(a, b).changes if c.after.name == "tpr_at_fpr")
    assert (change.difference, change.verdict, change.sure) == (None, "worse", False)


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"limit": 50}, "limit: none → 50"),
        ({"seed": 2}, "seed: 1 → 2"),
        ({"data": {**FACTS["data"], "measured": 100}}, "data.measured: none → 100"),
        ({"data": {"made_from_seed": 1}}, "the data are others: files"),
        ({"data": {}}, "the data are others: files"),
    ],
)
def test_other_samples_are_other_data(tmp_path: Path, facts: dict[str, Any], says: str) -> None:
    a = written(tmp_path / "a", {"en": 90, "ko": 80})
    found = compare(a, written(tmp_path / "b", {"en": 100, "ko": 100}, facts))
    assert says in found.differ
    with pytest.raises(DataError, match="other samples"):
        gate({}, (), found)


def test_runs_that_do_not_say_what_they_measured_are_no_baseline(tmp_path: Path) -> None:
    a, b = (written(tmp_path / name, {"en": 90, "ko": 80}, {"data": {}}) for name in "ab")
    assert compare(a, b).same_data is False


def test_several_policies_are_each_compared(tmp_path: Path) -> None:
    def policies(limit: float) -> dict[str, Any]:
        one = {"id": "one", "version": "1", "thresholds": {"sexual.explicit": limit}, "rules": {"r": "a"}}
        return {"policies": [one, {**one, "id": "two", "thresholds": {}, "rules": {}}], "policy": {}}

    a = written(tmp_path / "a", {"en": 90, "ko": 80}, policies(0.5))
    b = written(tmp_path / "b", {"en": 90, "ko": 80}, policies(0.9))
    assert compare(a, b).differ == ("threshold sexual.explicit of one: 0.5 → 0.9",)


def test_fewer_samples_close_the_gate(tmp_path: Path) -> None:
    def rests_on(n: int) -> Any:
        return lambda run: replace(run, measures=(Measure("auroc", (), 0.9, n, better="higher", unit="area"),))

    a, b = (written(tmp_path / name, {"en": 90, "ko": 80}, run=rests_on(n)) for name, n in (("a", 200), ("b", 100)))
    assert [f.failure for f in gate({}, (), compare(a, b)) if f.failure] == [
        "auroc rests on fewer samples: 0.9 of 200 → 0.9 of 100"
    ]


def test_one_language_that_falls_closes_the_gate_among_many_figures(tmp_path: Path) -> None:
    a, b = written(tmp_path / "a", {"en": 90, "ko": 40}), written(tmp_path / "b", {"en": 90, "ko": 32})
    failed = [f.key for f in gate({}, (), compare(a, b), tolerance=0.05) if f.failure]
    assert failed == ["block_rate[lang=ko]"]


def test_what_differs_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = {
        "policy": {**FACTS["policy"], "thresholds": {"sexual.explicit": 0.95}},
        "lists": {"sexual.en.txt": {"sha256": "2" * 64, "entries": 0}},
        "checks": [{"check": "sexual-text", "version": "3", "weights": {"prompt-classifier": "e" * 64}}],
    }
    a = written(tmp_path / "a", {"en": 90, "ko": 80})
    b = written(tmp_path / "b", {"en": 40, "ko": 80}, facts)
    assert compare(a, b).differ == (
        "threshold sexual.explicit: 0.5 → 0.95",
        "list sexual.en.txt: 420 → 0 entries",
        "check sexual-text: version 2 → 3",
        f"check sexual-text: model prompt-classifier {'c' * 12} → {'e' * 12}",
    )
    run = running(capsys)
    said = run("bench", "gate", b, "--baseline", a, "--junit", tmp_path / "gate.xml")
    assert said.code == 1
    assert "FAIL block_rate got worse: 85.00 % of 200 → 60.00 % of 200" in said.out
    assert "threshold sexual.explicit: 0.5 → 0.95" in said.out
    assert "list sexual.en.txt: 420 → 0 entries" in said.out
    assert 'failures="3"' in (tmp_path / "gate.xml").read_text("utf-8")
    assert run("bench", "gate", a, "--baseline", a).code == 0
    told = run("bench", "compare", a, b, "--json").json
    assert told == json.loads(json.dumps(comparison_json(compare(a, b))))


def test_a_small_part_that_moved_by_chance_does_not_close_the_gate_but_the_whole_does(tmp_path: Path) -> None:
    a = written(tmp_path / "a", {"en": 90, "ko": 80})
    b = written(tmp_path / "b", {"en": 88, "ko": 80})
    failed = [f.key for f in gate({}, (), compare(a, b)) if f.failure]
    assert failed == ["block_rate"]
    assert not [f for f in gate({}, (), compare(a, b), tolerance=0.02) if f.failure]


def test_a_figure_that_is_no_longer_measured_closes_the_gate(tmp_path: Path) -> None:
    a = written(tmp_path / "a", {"en": 90, "ko": 80})
    b = written(tmp_path / "b", {"en": 90, "ko": 80}, run=lambda r: replace(r, measures=r.measures[:2]))
    assert [f.key for f in gate({}, (), compare(a, b)) if f.failure] == ["block_rate[lang=ko]", "auroc"]
    gone = replace(Measure("auroc", better="higher", unit="area"), note="no harmless row")
    c = written(tmp_path / "c", {"en": 90, "ko": 80}, run=lambda r: replace(r, measures=(*r.measures[:3], gone)))
    assert [f.failure for f in gate({}, (), compare(a, c)) if f.failure] == [
        "auroc is no longer measured: no harmless row"
    ]


def test_limits_look_at_the_value_or_at_the_bound(tmp_path: Path) -> None:
    measures = {"block_rate": of_rate("block_rate", Rate(95, 100), "higher"), "ece": Measure("ece", value=0.1, n=9)}
    ask = lambda *under, bound=False: [  # noqa: E731
        bool(f.failure) for f in gate(measures, limits_of(under, ["ece=0.2"], bound=bound))
    ]
    assert ask("block_rate=0.95") == [False, False]
    assert ask("block_rate=0.96") == [True, False]
    # The bound of 95 of 100 is 0.888; a figure without an interval has none to show.
    assert ask("block_rate=0.9", bound=True) == [True, True]
    assert ask("recall=0.1") == [True, False]
    # By groups less is known, and that is what the bound is then.
    grouped = replace(measures["block_rate"], groups=10, group_interval=(0.7, 0.99))
    failed = lambda least: [  # noqa: E731
        bool(f.failure) for f in gate({"block_rate": grouped}, limits_of([f"block_rate={least}"], [], bound=True))
    ]
    assert (failed(0.71), failed(0.69)) == ([True], [False])
    # Everything blocked since no check read it.
    unread = replace(measures["block_rate"], caveat="50 of them blocked unread: they could not be checked")
    (finding,) = gate({"block_rate": unread}, limits_of(["block_rate=0.5"], []))
    assert "counts prompts that no check read" in finding.failure
    with pytest.raises(DataError, match="write FIGURE=NUMBER"):
        limits_of(["block_rate"], [])


def test_a_limit_that_no_share_can_reach_and_one_of_no_figure_are_told(tmp_path: Path) -> None:
    share = of_rate("block_rate", Rate(95, 100), "higher", suite="prompts")
    with pytest.raises(DataError, match=r"write 0\.98 for 98 %"):
        gate({share.key: share}, limits_of([f"{share.key}=98"], []))
    (finding,) = gate({share.key: share}, limits_of(["block_rate=0.9"], []))
    assert finding.failure.endswith("It has block_rate[suite=prompts]")


def test_pictures_are_compared_one_by_one(tmp_path: Path) -> None:
    def pictures(name: str, found: int) -> Path:
        with Samples((tmp_path / name).with_suffix(".jsonl"), {}) as samples:
            for i in range(20):
                told = {"id": str(i), "folder": "f", "attack": "", "faces": int(i < found), "told_faces": 1}
                samples.add({**told, "cause": ""})
                samples.add({**told, "attack": "mirror", "faces": 0, "cause": "x"})
        folder = tmp_path / name
        folder.mkdir()
        (tmp_path / name).with_suffix(".jsonl").rename(folder / FILE)
        of = [of_rate("face_found_rate", Rate(found, 20), "higher", **part) for part in ({}, {"folder": "f"})]
        lost = of_rate("attack_lost_rate", Rate(found, found), "lower", attack="mirror", finding="faces")
        unread = [of_rate("not_checked_rate", Rate(0, 20), "lower")]
        write_run(Run("images", "t", {"pictures": 20, "data": {}}, (*of, lost, *unread)), folder)
        return folder

    found = compare(pictures("a", 19), pictures("b", 9))
    tested = {c.key: c.difference.method if c.difference else "" for c in found.changes}
    assert found.rows == 40
    assert tested["face_found_rate"] == tested["face_found_rate[folder=f]"] == tested["not_checked_rate"] != ""
    assert tested["attack_lost_rate[attack=mirror, finding=faces]"] == ""
    assert any(f.key == "face_found_rate" and f.failure for f in gate({}, (), found))


def test_a_gate_that_cannot_close_is_refused(tmp_path: Path) -> None:
    a = written(tmp_path / "a", {"en": 90, "ko": 80})
    other = {"data": {"files": [{"name": "b.jsonl", "sha256": "9" * 64, "rows": 100}]}}
    b = written(tmp_path / "b", {"en": 90, "ko": 80}, other)
    with pytest.raises(DataError, match="other samples"):
        gate({}, (), compare(a, b))
    with pytest.raises(DataError, match="nothing to look at"):
        gate({})
    times = [figures_of(tmp_path, name, suite="latency") for name in ("t1", "t2")]
    with pytest.raises(DataError, match="keeps times alone"):
        gate({}, (), compare(*times))
    c = written(tmp_path / "c", {"en": 90, "ko": 80}, run=lambda r: replace(r, suite="images"))
    with pytest.raises(DataError, match="nothing in common"):
        compare(a, c)


RULES = {"rules": {"minor-sexual": "a", "nudity": "b"}, "locked": ["minor-sexual"], "mode": "enforce"}


@pytest.mark.parametrize(
    ("policy", "facts", "says", "on_change"),
    [
        ({"rules": {"nudity": "b"}, "locked": []}, {}, "locked rule minor-sexual is gone", False),
        ({"locked": []}, {}, "locked rule minor-sexual is no longer locked", False),
        ({"rules": {"minor-sexual": "z", "nudity": "b"}}, {}, "locked rule minor-sexual, or a threshold in it", False),
        ({"mode": "shadow"}, {}, "policy mode: enforce → shadow", False),
        ({}, {"checks": []}, "check sexual-text no longer ran", False),
        ({}, {"lists": {"sexual.en.txt": {"sha256": "2" * 64, "entries": 0}}}, "list sexual.en.txt is empty", False),
        ({"rules": {"minor-sexual": "a", "nudity": "z"}}, {}, "rule nudity was changed", True),
        ({"sha256": "b" * 64}, {}, "the policy was changed in another part", True),
    ],
)
def test_what_needs_no_figure_closes_the_gate(
    tmp_path: Path, policy: dict[str, Any], facts: dict[str, Any], says: str, on_change: bool
) -> None:
    mine = {**FACTS["policy"], **RULES}
    a = written(tmp_path / "a", {"en": 90, "ko": 80}, {"policy": mine})
    b = written(tmp_path / "b", {"en": 90, "ko": 80}, {"policy": {**mine, **policy}, **facts})
    against = compare(a, b)
    assert says in " ".join(f.failure for f in gate({}, (), against, on_change=on_change))
    assert (not any(f.failure for f in gate({}, (), against))) == on_change


def figures_of(tmp_path: Path, name: str, *measures: Measure, suite: str = "prompts") -> Path:
    (tmp_path / name).mkdir()
    write_run(Run(suite, "t", FACTS, measures), tmp_path / name)
    return tmp_path / name


def failed_of(tmp_path: Path, old: Measure, *new: Measure, suite: str = "prompts") -> list[str]:
    a = figures_of(tmp_path, "a", old, of_rate("stop_rate", Rate(1, 1), "higher"), suite=suite)
    b = figures_of(tmp_path, "b", *new, of_rate("stop_rate", Rate(1, 1), "higher"), suite=suite)
    return [f.failure for f in gate({}, (), compare(a, b)) if f.failure]


def test_a_language_of_few_prompts_that_is_lost_closes_the_gate(tmp_path: Path) -> None:
    old, new = (of_rate("block_rate", Rate(hits, 29), "higher", lang="ko") for hits in (29, 2))
    assert failed_of(tmp_path, old, new)[0].startswith("block_rate[lang=ko] got worse")


def test_a_check_of_pictures_that_finds_less_or_nothing_closes_the_gate(tmp_path: Path) -> None:
    old, less = (of_rate("nudity_explicit_rate", Rate(hits, 40)) for hits in (40, 3))
    assert "finds less in the same pictures" in failed_of(tmp_path, old, less, suite="images")[0]
    (tmp_path / "c").mkdir()
    assert "no longer measured: no sample" in failed_of(tmp_path / "c", old, of_rate(old.name, Rate(0, 0)))[0]


def test_a_cause_that_no_longer_occurs_and_a_threshold_of_another_name_are_no_loss(tmp_path: Path) -> None:
    assert failed_of(tmp_path, of_rate("not_checked_rate", Rate(1, 100), "lower", cause="refused")) == []
    (tmp_path / "c").mkdir()
    assert failed_of(tmp_path / "c", of_rate("threshold_recall", Rate(1, 100), "higher", threshold="mine")) == []


def test_of_disguised_copies_those_that_both_runs_made_are_compared(tmp_path: Path) -> None:
    def disguised(name: str, caught: int, lost: int) -> Path:
        folder = written(tmp_path / name, {"en": 90, "ko": 80})
        with Samples(folder / FILE, {}, fresh=True) as samples:
            for i in range(caught):
                row = {"role": "block", "action": "allow" if i < lost or i >= 60 else "block"}
                samples.add({"id": f"{i}~leet", "of": str(i), "attack": "leet", **row})
        lost_of_all = lost + max(0, caught - 60)
        measure = of_rate("attack_lost_rate", Rate(lost_of_all, caught), "lower", attack="leet")
        write_run(Run("prompts", "t", FACTS, (measure,)), folder)
        return folder

    old = disguised("a", 60, 10)
    # Twenty more are caught as they come, all of which a disguise hides: of those that both caught, none is newly lost.
    assert not any(f.failure for f in gate({}, (), compare(old, disguised("b", 80, 8))))
    (finding,) = (f for f in gate({}, (), compare(old, disguised("c", 60, 40))) if f.failure)
    assert "attack_lost_rate[attack=leet] got worse" in finding.failure


def test_rows_that_came_with_an_attack_are_compared_too(tmp_path: Path) -> None:
    def of(name: str, lost: int) -> Path:
        folder = written(tmp_path / name, {"en": 90, "ko": 80})
        with Samples(folder / FILE, {}, fresh=True) as samples:
            for i in range(60):
                action = "allow" if i < lost else "block"
                samples.add(
                    {"id": str(i), "role": "block", "lang": "ko", "action": action, "attack": "x" if i % 4 else ""}
                )
        write_run(
            Run("prompts", "t", FACTS, (of_rate("block_rate", Rate(60 - lost, 60), "higher", lang="ko"),)), folder
        )
        return folder

    (finding,) = (f for f in gate({}, (), compare(of("a", 0), of("b", 7))) if f.failure)
    assert "McNemar" in finding.failure


def test_what_gets_better_closes_no_gate(tmp_path: Path) -> None:
    old = Measure("adaptive_median_queries", value=5.0, n=50, better="higher", unit="queries")
    held = replace(old, value=None, note="fewer than half of the prompts fell")
    assert failed_of(tmp_path, old, held, suite="adaptive") == []
    a = written(tmp_path / "c", {"en": 90, "ko": 80}, {"policy": {**FACTS["policy"], "mode": "shadow"}})
    b = written(tmp_path / "d", {"en": 90, "ko": 80}, {"policy": {**FACTS["policy"], "mode": "enforce"}})
    assert not any(f.failure for f in gate({}, (), compare(a, b)))
    whole = of_all("tests_passed_rate", Rate(9, 9), "higher")
    assert not gate({whole.key: whole}, limits_of([f"{whole.key}=1"], [], bound=True))[0].failure


def test_what_no_check_read_passes_no_limit_of_its_part(tmp_path: Path) -> None:
    part = replace(of_rate("block_rate", Rate(4, 4), "higher", lang="ko"), caveat="4 of them blocked unread: x")
    measures = {part.key: part, "not_checked_rate": of_rate("not_checked_rate", Rate(4, 1_000), "lower")}
    (finding,) = gate(measures, limits_of([f"{part.key}=0.98"], []))
    assert "counts prompts that no check read (4 of them" in finding.failure
    # Harmless prompts that nobody read say nothing against what was read; of a peer only all rows are told together.
    read = replace(part, caveat="")
    measures["not_checked_rate"] = of_rate("not_checked_rate", Rate(50, 100), "lower")
    assert not gate({**measures, read.key: read}, limits_of([f"{read.key}=0.98"], []))[0].failure
    peer = [of_rate("block_rate", Rate(9, 9), peer="p"), of_rate("not_checked_rate", Rate(4, 9), peer="p")]
    assert gate({m.key: m for m in peer}, limits_of(["block_rate[peer=p]=0.9"], []))[0].failure


def test_a_figure_of_few_samples_passes_with_a_remark(tmp_path: Path) -> None:
    (finding,) = gate({"block_rate": of_rate("block_rate", Rate(1, 1), "higher")}, limits_of(["block_rate=0.9"], []))
    assert (finding.failure, finding.remark) == ("", "1 sample is too few for a claim")
