"""A whole measurement, with scores that stand in the prompts: every figure follows from the table by hand."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guardrail.bench.data import DataError
from guardrail.bench.prompts import Plan, failed_checks, measure
from guardrail.bench.run.folder import read_run, write_run
from guardrail.bench.run.record import Run
from guardrail.bench.run.samples import FILE, read_samples
from guardrail.bench.scores import thresholds_on
from guardrail.bench.subject import titled
from guardrail.guard.parts import load
from guardrail.paths import shipped_policies
from guardrail.policy import load_policy
from guardrail.signals import CORE
from tests.bench.scripted import WORD, rows_file, scripted, table_rows


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    return str(scripted(monkeypatch, tmp_path))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return rows_file(tmp_path / "table.jsonl", table_rows())


def shares(run: Run, *names: str) -> dict[str, tuple[int | None, int]]:
    """Key → (hits, n) of the figures of these names."""
    return {m.key: (m.count, m.n) for m in run.measures if m.name in names}


def samples_in(folder: Path) -> list[dict[str, Any]]:
    """The samples without their times."""
    return [{k: v for k, v in s.items() if k not in ("ms", "cpu_ms")} for s in read_samples(folder / FILE)[1]]


def test_rates_by_hand(policy: str, table: Path) -> None:
    found = shares(
        measure(Plan([table], policy)), "block_rate", "stop_rate", "over_block_rate", "over_stop_rate"
    )  # fmt: skip
    assert (
        found.items()
        >= {
            "block_rate": (2, 4),
            "stop_rate": (3, 4),
            "over_block_rate": (1, 5),
            "over_stop_rate": (2, 5),
            "block_rate[label=sexual]": (1, 3),
            "stop_rate[label=nudity]": (1, 1),
            "stop_rate[lang=ko]": (1, 2),
            "over_stop_rate[source=b]": (1, 4),
        }.items()
    )


def test_a_prompt_is_a_sample_that_says_what_was_decided_and_by_what(policy: str, table: Path, tmp_path: Path) -> None:
    measure(Plan([table], policy, out=tmp_path))
    first, *_, last = read_samples(tmp_path / FILE)[1]
    assert first.pop("ms") > 0
    assert first.pop("cpu_ms") >= 0
    assert first == {
        "id": "row-0",
        "role": "block",
        "label": "sexual",
        "lang": "en",
        "source": "a",
        "attack": "",
        "group": "",
        "pair": "",
        "action": "block",
        "score": 0.95,
        "cause": "",
        "rules": ["stop", "steer"],
    }
    assert (last["role"], last["action"]) == ("other", "block")
    assert "orchard" not in (tmp_path / FILE).read_text("utf-8")


def test_no_prompt_is_in_any_file_unless_asked_for(policy: str, table: Path, tmp_path: Path) -> None:
    plan = Plan([table], policy, attacks=True, pairs=0, attack_rows=1, show=9, out=tmp_path / "out")
    run = measure(plan)
    write_run(replace(run, figures=()), tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not any("orchard" in path.read_text("utf-8") for path in files)
    kept = measure(replace(plan, keep_text=True, fresh=True))
    assert "secret orchard s=0.95" in (tmp_path / "out" / FILE).read_text("utf-8")
    assert (run.texts, kept.texts) == (False, True)
    shown = {sheet.title: sheet for sheet in kept.sheets}["Harmless but stopped, highest first"]
    assert [row[-1] for row in shown.rows] == ["secret orchard s=0.75", "secret orchard s=0.45"]


def test_rows_are_named_by_id_the_telling_ones_first(policy: str, table: Path) -> None:
    sheets = {s.title: s for s in measure(Plan([table], policy, show=9)).sheets}
    assert [row[:3:2] for row in sheets["Allowed, lowest scores first"].rows] == [("row-3", "allow")]
    stopped = [row[:3:2] for row in sheets["Harmless but stopped, highest first"].rows]
    assert stopped == [("row-4", "block"), ("row-5", "alter")]


def test_what_could_not_be_checked_counts_as_blocked_and_is_told_apart(policy: str, tmp_path: Path) -> None:
    rows = [{"text": t, "label": "benign"} for t in ("fine", "broken", "x" * 3_000_000)]
    run = measure(Plan([rows_file(tmp_path / "d.jsonl", rows)], policy))
    assert run.facts["could_not_be_checked"] == {"missing: prompt.sexual": 1, "refused: text-too-long": 1}
    assert shares(run, "over_block_rate")["over_block_rate"] == (2, 3)
    assert failed_checks(run) == 1


class _Killed(Exception):
    pass


def figures(run: Run) -> str:
    """What metrics.json is made of."""
    return json.dumps([[m.to_json() for m in run.measures], run.curves])


@pytest.mark.parametrize("at", [7, 30, *(pytest.param(n, marks=pytest.mark.nightly) for n in (0, 1, 10, 11, 12))])
def test_a_run_that_was_stopped_goes_on_and_ends_as_one_that_was_not(
    policy: str, table: Path, tmp_path: Path, at: int
) -> None:
    plan = Plan([table], policy, attacks=True, attack_rows=1, pairs=1, out=tmp_path / "whole")
    stopped = replace(plan, out=tmp_path / "stopped")
    told = 0

    def stop(what: str, done: int, of: int) -> None:
        nonlocal told
        told += 1
        if told > at:
            raise _Killed

    whole = measure(plan)
    with pytest.raises(_Killed):
        measure(stopped, stop)
    half = (tmp_path / "stopped" / FILE).read_bytes()
    # What a kill in the middle of a line leaves.
    (tmp_path / "stopped" / FILE).write_bytes(half[: len(half) - 3 * (half.count(b"\n") > 1)])
    assert figures(measure(stopped)) == figures(whole)
    assert samples_in(tmp_path / "stopped") == samples_in(tmp_path / "whole")
    assert len(samples_in(tmp_path / "whole")) > 60


def test_the_samples_of_another_run_are_not_gone_on_from(policy: str, table: Path, tmp_path: Path) -> None:
    plan = Plan([table], policy, out=tmp_path)
    measure(plan)
    for other in (
        replace(plan, limit=5),
        replace(plan, attacks=True),
        replace(plan, keep_text=True),
        replace(plan, data=[rows_file(tmp_path / "more.jsonl", table_rows()[:3])]),
    ):
        with pytest.raises(DataError, match=r"another run .*--fresh"):
            measure(other)
    Path(policy).write_text(Path(policy).read_text("utf-8").replace("0.4", "0.5"), "utf-8")
    with pytest.raises(DataError, match="another run"):
        measure(plan)
    assert measure(replace(plan, fresh=True)).timing["measured_now"] == 10


@pytest.mark.parametrize("spoil", ["one is missing", "two are swapped", "one is there twice", "a copy is missing"])
def test_samples_that_are_not_those_of_the_rows_are_refused(
    policy: str, table: Path, tmp_path: Path, spoil: str
) -> None:
    plan = Plan([table], policy, out=tmp_path / "run", attacks=spoil == "a copy is missing", attack_rows=1, pairs=0)
    measure(plan)
    path = plan.out / FILE if plan.out else tmp_path
    lines = path.read_bytes().splitlines(keepends=True)
    lines = {
        "one is missing": lines[:3] + lines[4:],
        "two are swapped": [*lines[:3], lines[4], lines[3], *lines[5:]],
        "one is there twice": [*lines, lines[-1]],
        "a copy is missing": [*lines[:-3], lines[-2]],
    }[spoil]
    path.write_bytes(b"".join(lines))
    with pytest.raises(DataError, match=r"does not hold the samples of these rows.*--fresh"):
        measure(plan)


def test_nothing_is_measured_twice(policy: str, table: Path, tmp_path: Path) -> None:
    plan = Plan([table], policy, out=tmp_path)
    assert measure(plan).timing["measured_now"] == 10
    again = measure(plan).timing
    assert (again["measured_now"], again["samples"], again["prompts_per_s"]) == (0, 10, None)


def test_disguises_by_hand(policy: str, tmp_path: Path) -> None:
    """The scripted check reads its word in any case, and in no other disguise."""
    rows = [{"text": f"a jar of {WORD}, number {i}", "label": "sexual"} for i in range(4)]
    rows += [{"text": "a boat on the lake", "label": "benign"}, {"text": "missed", "label": "sexual"}]
    path = rows_file(tmp_path / "d.jsonl", rows)
    run = measure(Plan([path], policy, attacks=True, attack_rows=3, pairs=0, out=tmp_path))
    lost = shares(run, "attack_lost_rate")
    for family in ("homoglyph", "zero_width", "spaced", "base64", "reversed", "fullwidth"):
        assert lost[f"attack_lost_rate[attack={family}]"] == (3, 3)
    # Junk around the word, and capitals in it, leave it readable. Hangul there is none.
    for family in ("case_mix", "affixed"):
        assert lost[f"attack_lost_rate[attack={family}]"] == (0, 3)
    assert not any("jamo" in key for key in lost)
    made = samples_in(tmp_path)[6:]
    clean = {s["id"] for s in samples_in(tmp_path)[:6]}
    assert {s["of"] for s in made} <= clean
    assert len({s["of"] for s in made if s["role"] == "block"}) == 3
    assert len({s["id"] for s in made}) == len(made)
    # Who is asked for the contrary asks for nothing that ought to be blocked.
    assert {s["role"] for s in made if s["attack"] == "negated"} <= {"other"}


def test_disguises_in_twos_take_turns_and_other_seeds_give_other_ones(policy: str, tmp_path: Path) -> None:
    path = rows_file(tmp_path / "d.jsonl", [{"text": f"{WORD} {i}, a lake", "label": "sexual"} for i in range(3)])
    found = []
    for seed in (1, 2):
        measure(Plan([path], policy, attacks=True, pairs=20, seed=seed, out=tmp_path / str(seed)))
        found.append([s["families"] for s in samples_in(tmp_path / str(seed)) if s["attack"] == "two-at-once"])
    assert len({tuple(pair) for pair in found[0]}) == len(found[0]) > 20
    assert found[0] != found[1]


def test_an_altered_prompt_is_asked_about_again_as_the_generator_gets_it(policy: str, tmp_path: Path) -> None:
    """A word is taken out; what is left scores under the lowest limit, over it, or the text was only steered."""
    rules = Path(policy)
    rules.write_text(
        "policy: {id: rewriting, version: 1.0.0}\nrules:\n"
        "  - {id: clean, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: {rewrite: {drop: sexual}}}\n"
        "  - {id: steer, at: prompt, when: {prompt.sexual: '>= 0.5'}, then: {guide: {away_from: nudity}}}\n"
        "  - {id: tell, at: prompt, when: {prompt.sexual: '>= 0.3'}, then: {report: {queue: review}}}\n"
    )
    texts = (f"a jar of {WORD} on a table", f"a {WORD} cake rest=0.35", "a cake rest=0.55", "a cake")
    path = rows_file(tmp_path / "d.jsonl", [{"text": t, "label": "sexual"} for t in texts])
    run = measure(Plan([path], policy, out=tmp_path))
    found = [(s["action"], s.get("bypassed")) for s in samples_in(tmp_path)]
    assert found == [("alter", False), ("alter", True), ("alter", None), ("allow", None)]
    assert shares(run, "bypass_after_alter_rate")["bypass_after_alter_rate"] == (1, 2)
    assert run.not_run["bypass after guide"].startswith("1 altered prompts keep their text")


def test_only_some_checks_and_the_rules_that_they_cannot_answer(policy: str, tmp_path: Path, table: Path) -> None:
    Path(policy).write_text(
        "policy: {id: two, version: 1.0.0}\nrules:\n"
        "  - {id: stop, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: block}\n"
        "  - {id: young, at: prompt, when: {all: [{prompt.sexual: '>= 0.1'}, {prompt.minor: '>= 0.2'}]}, then: block}\n"
    )
    run = measure(Plan([table], policy, checks=("sexual-text",)))
    assert [c["check"] for c in run.facts["checks"]] == ["sexual-text"]
    assert run.not_run == {
        "rule young": "reads prompt.minor, which none of the checks sexual-text gives",
    }
    assert shares(run, "block_rate")["block_rate"] == (2, 4)
    for checks, says in (
        (("nudity",), "looks at pictures only"),
        (("nobody",), "is no check that is installed"),
        (("minor-words",), "no rule of two is left"),
    ):
        with pytest.raises(DataError, match=says):
            measure(Plan([table], policy, checks=checks))


def test_where_no_check_would_decide_nothing_is_measured(policy: str, table: Path) -> None:
    told = "policy: {id: two, version: 1.0.0}\nrules:\n"
    told += "  - {id: own, at: prompt, when: {context.purpose: art}, then: block}\n"
    Path(policy).write_text(told, "utf-8")
    with pytest.raises(DataError, match=r"no rule of two decides about a prompt .* give .*prompt\.sexual"):
        measure(Plan([table], policy))
    Path(policy).write_text(
        told + "  - {id: young, at: prompt, when: {all: [{prompt.sexual: '>= 0.1'}, {prompt.minor: '>= 0.2'}]}, "
        "then: block}\n",
        "utf-8",
    )
    with pytest.raises(DataError, match=r"no rule of two is left .* what minor-words, sexual-text give"):
        measure(Plan([table], policy, checks=("minor-words",)))


def test_a_shipped_policy_with_other_rules_is_not_called_by_its_name_alone(tmp_path: Path) -> None:
    text = (shipped_policies() / "default.yaml").read_text("utf-8")
    copy, other = tmp_path / "copy.yaml", tmp_path / "moved.yaml"
    copy.write_text(text, "utf-8")
    other.write_text(text.replace("explicit: 0.70", "explicit: 0.71"), "utf-8")
    told = [titled(str(given), load(str(given)).ref) for given in ("default", copy, other)]
    assert told == ["default", "default", "default 1.0.0 (moved.yaml, differs from the shipped one)"]


def test_a_measurement_gives_back_the_cores_that_it_left(policy: str, table: Path) -> None:
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system has no affinity of processes to cores")
    before = os.sched_getaffinity(0)
    assert measure(Plan([table], policy)).timing["one_core"]
    assert os.sched_getaffinity(0) == before


def test_the_run_says_what_was_measured_with_what_and_how_long_it_took(
    policy: str, table: Path, tmp_path: Path
) -> None:
    run = measure(Plan([table], policy, limit=5, command="typed", out=tmp_path))
    write_run(replace(run, figures=()), tmp_path)
    told = read_run(tmp_path).run
    assert told["policy"]["id"] == "scripted"
    assert len(told["policy"]["sha256"]) == 64
    assert told["checks"] == [{"check": "sexual-text", "version": "scripted", "weights": {"scripted": "ab" * 32}}]
    assert (told["data"]["measured"], told["data"]["rows"], told["command"]) == (5, 10, "typed")
    took = told["timing"]
    for ms in (took["latency_ms"], took["processor_ms"]):
        assert 0 < ms["p50"] <= ms["p95"] <= ms["p99"] <= ms["max"]
    assert took["cold"]["first_prompt_ms"] > 0
    assert sum(part["share"] for part in took["parts"].values()) == pytest.approx(1)
    assert {"prompt.sexual-text", "prompt.policy"} <= set(took["parts"])


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
