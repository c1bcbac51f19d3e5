"""``guardrail bench prompts`` as a user types it: what is printed and written, the exit codes, and each wrong input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from guardrail.bench.drawing import Drawn
from guardrail.bench.run.samples import read_samples
from tests.bench.scripted import rows_file, scripted, table_rows
from tests.cli.said import Run, running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return rows_file(tmp_path / "table.jsonl", table_rows())


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("--data", …)` with the scripted check and its policy."""
    policy = scripted(monkeypatch, tmp_path)
    # Plots are drawn in tests of their own, and take most of a second.
    monkeypatch.setattr("guardrail.bench.run.folder.drawn", lambda figures: Drawn({}, "not in this test"))
    return running(capsys, "bench", "prompts", "--policy", str(policy))


def test_a_table_for_people_with_no_prompt_in_it(run: Run, data: Path) -> None:
    said = run("--data", data, "--attacks", "--pairs", 1, "--attack-rows", 1, "--show-rows", 2)
    assert said.code == 0
    assert said.err == ""
    assert "orchard" not in said.out
    for part in (
        "to be blocked",
        "50.00 % (15.00–85.00)",
        "sexual.explicit",
        "row-3",
        "Disguises",
        "Time of a decision",
    ):
        assert part in said.out
    assert "policy: scripted 1.0.0, sha256 " in said.out


def test_a_folder_that_agrees_with_what_is_printed_as_json(run: Run, data: Path, tmp_path: Path) -> None:
    """The names of lm-eval for the same options."""
    out = tmp_path / "out"
    said = run("--data", data, "--json", "--output_path", out, "--limit", 9, "--seed", 3)
    assert said.code == 0
    metrics = json.loads((out / "metrics.json").read_text("utf-8"))
    assert said.json["measures"] == metrics["measures"]
    assert said.json["policy"]["id"] == "scripted"
    assert (said.json["limit"], said.json["seed"]) == (9, 3)
    _, samples = read_samples(out / "results.jsonl")
    assert len(samples) == 9
    assert {"run.json", "report.md", "report.html"} <= {path.name for path in out.iterdir()}


def test_the_same_command_goes_on_and_another_one_says_how_to_begin_anew(run: Run, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run("--data", data, "--out", out, "--json").json
    again = run("--data", data, "--out", out, "--json").json
    assert (first["timing"]["measured_now"], again["timing"]["measured_now"]) == (10, 0)
    assert again["measures"] == first["measures"]
    other = run("--data", data, "--out", out, "--limit", 5)
    assert other.code == 2
    assert "--fresh" in other.err


def test_the_command_in_the_report_can_be_typed_again(run: Run, data: Path, tmp_path: Path) -> None:
    odd = rows_file(tmp_path / "more rows.jsonl", [{"text": "x", "label": "ok", "id": "z"}])
    said = run("--data", data, odd, "--label-map", "ok=benign", "--limit", 9, "--json")
    assert said.json["command"] == (
        f"guardrail bench prompts --data {data} --data '{odd}' --policy {tmp_path / 'scripted.yaml'} "
        "--label-map ok=benign --limit 9 --json"
    )


def test_a_folder_and_mapped_columns(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    rows_file(folder / "a.jsonl", [{"prompt": "s=0.9", "kind": "nsfw"}])
    (folder / "b.csv").write_text("kind,prompt\nfine,s=0.1\n")
    options = ("--column", "text=prompt", "--column", "label=kind", "--block", "nsfw", "--benign", "fine")
    report = run("--data", folder, *options, "--json").json
    assert report["data"]["measured"] == 2
    assert [m["value"] for m in report["measures"] if m["name"] in ("block_rate", "over_block_rate")][:2] == [1, 0]


def test_text_is_shown_only_where_it_was_asked_for_and_the_run_says_so(run: Run, data: Path) -> None:
    said = run("--data", data, "--show-rows", 1, "--log_samples")
    assert "secret orchard s=0.75" in said.out
    assert "This table holds prompts" in said.out


def test_a_check_that_fails_is_exit_code_3_after_the_report_is_written(run: Run, tmp_path: Path) -> None:
    data = rows_file(tmp_path / "d.jsonl", [{"text": "broken", "label": "benign"}, {"text": "x", "label": "benign"}])
    said = run("--data", data, "--out", tmp_path / "out")
    assert said.code == 3
    assert "1 missing: prompt.sexual (blocked for that" in said.out
    assert (tmp_path / "out" / "metrics.json").exists()


def test_a_prompt_refused_for_its_length_is_a_decision_and_no_failure(run: Run, tmp_path: Path) -> None:
    data = rows_file(tmp_path / "d.jsonl", [{"text": "x" * 3_000_000, "label": "benign"}])
    said = run("--data", data)
    assert said.code == 0
    assert "1 refused: text-too-long" in said.out


WRONG: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("no rows", ("empty.jsonl",), "no rows in"),
    ("not there", ("absent.jsonl",), "absent.jsonl is not there"),
    ("broken line", ("broken.jsonl",), "broken.jsonl:2:1: no JSON"),
    ("unknown label", ("label.jsonl",), "label.jsonl:1: nobody said what the label 'spicy' means"),
    ("ids twice", ("twice.jsonl",), "twice.jsonl:2: has the id of"),
    ("column", ("ok.jsonl", "--column", "txet=a"), "write FIELD=NAME"),
    ("label twice", ("ok.jsonl", "--block", "benign"), "the label benign is given two meanings"),
    ("no check", ("ok.jsonl", "--checks", "nudity"), "looks at pictures only"),
    ("no folder", ("ok.jsonl", "--out", "ok.jsonl"), "cannot be written to"),
)


@pytest.mark.parametrize(("arguments", "said"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
@pytest.mark.parametrize("json_", [False, True])
def test_wrong_input_is_exit_code_2_with_file_line_and_mend(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str, json_: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    good = '{"text": "x", "label": "benign", "id": 1}\n'
    files = {"empty": "", "ok": good, "broken": good + "nonsense\n", "twice": good + good}
    files["label"] = '{"text": "x", "label": "spicy"}\n'
    for name, text in files.items():
        (tmp_path / f"{name}.jsonl").write_text(text)
    found = run("--data", *arguments, *(["--json"] if json_ else []))
    assert found.code == 2
    assert said in found.err
    assert not json_ or said in found.json["message"]


def test_a_policy_that_does_not_load_is_no_traceback(run: Run, data: Path) -> None:
    said = run("--data", data, "--policy", "absent-policy")
    assert said.code == 2
    assert "absent-policy" in said.err


WORDS_ALONE = (
    "policy: {id: p, version: 1.0.0}\nrules: [{id: r, at: prompt, when: {prompt.minor: '>= 0.7'}, then: block}]\n"
)
"""No model has to load in another process for this."""


def _command(tmp_path: Path, rows: int, out: Path, *more: str) -> list[Any]:
    rules = tmp_path / "p.yaml"
    rules.write_text(WORDS_ALONE)
    made = [{"text": f"a boat on a lake, number {i}", "label": "benign"} for i in range(rows)]
    data = rows_file(tmp_path / "d.jsonl", made)
    # A shell's background job ignores the signal, and so would this process of it.
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code += "; from guardrail.cli import main; main(sys.argv[1:])"
    return [sys.executable, "-c", code, "bench", "prompts", "--data", data, "--policy", rules, "--out", out, *more]


def _wait_for(path: Path, size: int) -> None:
    end = time.monotonic() + 120
    while (not path.exists() or path.stat().st_size < size) and time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="signals of POSIX")
def test_an_interrupt_leaves_samples_to_go_on_from_and_no_report(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(_command(tmp_path, 20_000, out), stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        _wait_for(out / "results.jsonl", 30_000)  # some rows, after a head of several thousand
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    assert b"Traceback" not in err
    assert b"the same command goes on" in err
    assert [path.name for path in out.iterdir()] == ["results.jsonl"]
    assert 0 < len(read_samples(out / "results.jsonl")[1]) < 20_000


@pytest.mark.nightly  # a dozen processes that import everything
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="signals of POSIX")
def test_killed_anywhere_and_run_again_it_ends_as_one_that_was_not(tmp_path: Path) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    command = _command(tmp_path, 6_000, out, "--workers", "2", "--attacks", "--attack-rows", "20", "--pairs", "2")
    for size in (1, 5_000, 200_000, 900_000, 1_300_000):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            _wait_for(out / "results.jsonl", size)
            process.kill()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    command[command.index(out)] = whole
    command[command.index("2")] = "1"
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert (out / "metrics.json").read_bytes() == (whole / "metrics.json").read_bytes()
    strip = [[{k: v for k, v in s.items() if k not in ("ms", "cpu_ms")} for s in read_samples(f / "results.jsonl")[1]]
             for f in (out, whole)]  # fmt: skip
    assert strip[0] == strip[1]
    assert len(strip[0]) > 6_000
