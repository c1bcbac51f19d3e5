"""``guardrail bench pipelines``: what is measured is there and adds up. No figure is held to a limit here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import guardrail
from guardrail.bench import pipeline_memory, pipelines
from guardrail.bench.files import DataError
from guardrail.bench.pipeline_tables import pipeline_facts, pipeline_sheets
from guardrail.bench.pipelines import PipelinePlan, measure
from guardrail.bench.report import written
from guardrail.bench.stubbed import StubbedGuard
from guardrail.checks.registry import declared_checks
from guardrail.demo.opening import open_pipeline
from guardrail.demo.pictures import portrait
from guardrail.demo.tiny import tiny_stable_diffusion
from guardrail.errors import ConfigurationError
from tests.cli.said import running
from tests.scripted import ScriptedFaces, ScriptedNudity, install


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUARDRAIL_HOME", str(tmp_path_factory.mktemp("home")))
        return measure(
            PipelinePlan(
                open_pipeline, portrait, calls=3, warm_calls=1, marks=False, memory_calls=0, guard_memory=False
            )
        )


def test_every_way_of_guarding_is_timed_and_a_part_is_not_more_than_the_whole(report: dict[str, Any]) -> None:
    calls = report["call_ms"]
    assert list(calls) == ["bare", "wrapper", "and record", "wrapper with previews' tap"]
    for name in list(calls)[1:]:
        own = calls[name]["own_wall"]
        assert 0 < own["p5"] <= own["p50"] <= own["p95"]
    assert calls["bare"]["wall"]["p50"] > 0
    assert set(report["step_ms"]) == {"without previews", "with previews' tap", "steps_a_loop"}


def test_targets_are_compared_with_what_was_measured(report: dict[str, Any]) -> None:
    values = {t["what"]: t for t in report["targets"]}
    own = values["wrapper, own processor time, ms a call"]
    assert own["value"] == report["call_ms"]["wrapper"]["own_processor"]["p50"]
    assert (own["n"], own["met"]) == (3, None)  # calls, too few to say
    assert len(values) == 4  # memory was left out
    enough = {"own_processor": {"p50": 0.5, "n": 30}, "difference_processor": {"p50": 1.5, "n": 30}}
    memory = {"resident_growth": 0.0, "calls": 29}
    full = {**report, "call_ms": {"wrapper": enough}, "memory": memory, "guard_memory": {"above_bare_mb": 700.0}}
    assert [t["met"] for t in pipelines._targets(full)] == [True, False, None, None, None, False]
    (told, calls, *_) = pipeline_sheets(report)
    assert told.rows[0][3:] == ("3 †", "too few calls to say")
    assert (calls.rows[0][2], calls.rows[0][4:]) == ("–", ("–", "3 †"))
    assert calls.note.endswith("† Fewer than 30 samples: no claim.")


def test_the_tables_name_every_figure(report: dict[str, Any]) -> None:
    memory = {
        "calls": 8,
        "resident_before": 200_000_000,
        "resident_after": 201_000_000,
        "resident_growth": 0.005,
        "bare": {"calls": 2, "resident_before": None, "resident_after": None, "resident_growth": None},
        "traced": {"calls": 4, "bytes_a_call": 12.0, "most": [{"line": "a/b.py:1", "bytes": 48, "objects": 1}]},
    }
    guard = {
        "rows": [{"after": "torch", "mb": 300.0, "added_mb": None}, {"after": "faces", "mb": 350.0, "added_mb": 50.0}],
        "above_bare_mb": 50.0,
        "peak_above_bare_mb": 60.0,
        "effective": [],
    }
    full = {**report, "memory": memory, "guard_memory": guard}
    text = written("t", pipeline_facts(full), pipeline_sheets(full))
    for said in ("+0.50 %", "not said", "+50.0", "60 MB above", "a/b.py:1", "and record"):
        assert said in text


def test_stubs_stand_in_for_every_check_that_the_policy_reads() -> None:
    with StubbedGuard() as guard:
        assert {c.name for c in guard.checks} == {d.name for d in declared_checks()}
        decision = guard.check_prompt("a castle")
        assert not decision.blocked
        assert decision.signals["prompt.sexual"] == 0.0
        assert "default" in guard.policy.id


@pytest.mark.nightly
def test_marks_are_made_only_where_they_are_to_be_measured() -> None:
    def marked(guard: Any) -> bool:
        pipe = guardrail.wrap(tiny_stable_diffusion(), guard=guard)
        out = pipe("a castle", num_inference_steps=1, height=64, width=64)
        assert not out.guardrail[0].blocked
        return bool(out.guardrail[0].mark_id)

    with StubbedGuard() as without, StubbedGuard(marked=True) as with_marks:
        assert not marked(without)
        assert marked(with_marks)


def test_a_folder_without_a_pipeline_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigurationError, match="no folder"):
        open_pipeline(tmp_path / "none")
    said = running(capsys, "bench", "pipelines")("--model", tmp_path, "--calls", 5)
    assert said.code == 3
    assert "holds no diffusers pipeline" in said.err


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(DataError, match=r"memory could not be measured: .*no-such-policy"):
        pipeline_memory.grown(open_pipeline, None, "no-such-policy", 1)


def test_what_is_kept_of_calls_is_found() -> None:
    kept: list[bytes] = []
    found = pipeline_memory._traced(lambda: kept.append(bytes(10_000)), 20)
    assert 10_000 <= found["bytes_a_call"] < 12_000
    assert any("test_bench_pipelines.py" in m["line"] for m in found["most"])


def test_unwrap_gives_back_the_pipeline_as_it_was() -> None:
    pipe = tiny_stable_diffusion()
    kind, held = type(pipe), set(vars(pipe))
    with StubbedGuard() as guard:
        assert guardrail.unwrap(guardrail.wrap(pipe, guard=guard)) is pipe
        installed = guardrail.install(pipe, guard=guard)
        assert guardrail.unwrap(installed) is pipe
    assert type(pipe) is kind
    assert set(vars(pipe)) == held
    assert guardrail.unwrap(pipe) is pipe


def test_warmup_loads_every_check_and_the_marks_once(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[str] = []
    monkeypatch.setattr(ScriptedNudity, "warmup", lambda self: warmed.append(self.name))
    monkeypatch.setattr(ScriptedFaces, "warmup", lambda self: warmed.append(self.name))
    install(monkeypatch, ScriptedNudity, ScriptedFaces)
    rules = "rules:\n  - {id: a, at: output, when: {output.nudity: '>= 0.5'}, then: block}\n"
    guard = make_guard(rules + "  - {id: b, at: output, when: {output.faces: {any: {real: '>= 0.5'}}}, then: block}\n")
    monkeypatch.setattr(guard.marks, "warmup", lambda: warmed.append("marks"))
    warmed.clear()
    guard.warmup()
    assert sorted(warmed) == ["faces", "marks", "nudity"]
