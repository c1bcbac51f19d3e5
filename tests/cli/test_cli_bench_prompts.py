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

from tests.bench.scripted import rows_file, scripted, table_rows
from tests.cli.said import Run, running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return rows_file(tmp_path / "table.jsonl", table_rows())


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("--data", …)` with the scripted check and its policy."""
    policy = scripted(monkeypatch, tmp_path)

    return running(capsys, "bench", "prompts", "--policy", str(policy))


def test_a_table_for_people_with_no_prompt_in_it(run: Run, data: Path) -> None:
    said = run("--data", data, "--thresholds", "--attacks", "--pairs", 1, "--show-rows", 2)
    assert said.code == 0
    assert said.err == ""
    assert "orchard" not in said.out
    for part in ("to be blocked", "50.00 % (15.00–85.00)", "sexual.explicit", "row-3", "Disguises, alone"):
        assert part in said.out
    assert "policy: scripted 1.0.0, sha256 " in said.out


def test_three_files_that_agree_with_what_is_printed_as_json(run: Run, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = run("--data", data, "--json", "--out", out)
    assert said.code == 0
    written = json.loads((out / "report.json").read_text("utf-8"))
    rows = written.pop("rows")
    assert said.json == written
    assert rows["actions"] == "bbxabxaaab"
    assert rows["roles"] == "ppppnnnnno"
    for name in ("report.json", "report.md", "report.html"):
        assert "orchard" not in (out / name).read_text("utf-8")


def test_the_command_in_the_report_can_be_typed_again(run: Run, data: Path, tmp_path: Path) -> None:
    odd = rows_file(tmp_path / "more rows.jsonl", [{"text": "x", "label": "ok", "id": "z"}])
    said = run("--data", data, odd, "--benign", "benign,ok", "--limit", 9, "--thresholds", "--json")
    command = said.json["run"]["command"]
    assert command == (
        f"guardrail bench prompts --data {data} --data '{odd}' --policy {tmp_path / 'scripted.yaml'} "
        "--benign benign,ok --limit 9 --thresholds"
    ).replace("--thresholds", "--thresholds --json")


def test_a_folder_and_mapped_columns(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    rows_file(folder / "a.jsonl", [{"prompt": "s=0.9", "kind": "nsfw"}])
    (folder / "b.csv").write_text("kind,prompt\nfine,s=0.1\n")
    options = ("--column", "text=prompt", "--column", "label=kind", "--block", "nsfw", "--benign", "fine")
    report = run("--data", folder, *options, "--json").json
    assert report["data"]["measured"] == 2
    assert report["scores"]["by_language"][0]["auroc"]["value"] == 1


def test_text_is_shown_only_where_it_was_asked_for_and_the_report_says_so(run: Run, data: Path, tmp_path: Path) -> None:
    said = run("--data", data, "--show-rows", 1, "--with-text", "--out", tmp_path / "out")
    assert "secret orchard s=0.75" in said.out
    for name in ("report.md", "report.html"):
        assert "This table holds prompts" in (tmp_path / "out" / name).read_text("utf-8")


@pytest.mark.parametrize(("worse", "code"), [(0.1, 1), (0.9, 0)])
def test_a_comparison_with_an_earlier_report(run: Run, tmp_path: Path, worse: float, code: int) -> None:
    def rows(score: float) -> list[dict[str, Any]]:
        return [{"text": f"s={score}", "label": "sexual", "id": i} for i in range(9)]

    first, second = (rows_file(tmp_path / n, rows(s)) for n, s in (("a.jsonl", 0.9), ("b.jsonl", worse)))
    assert run("--data", first, "--out", tmp_path / "old").code == 0
    said = run("--data", second, "--against", tmp_path / "old" / "report.json")
    assert said.code == code
    assert "Against an earlier report" in said.out
    assert ("-100.00" in said.out) is (code == 1)


def test_a_check_that_fails_is_exit_code_3_after_the_report_is_written(run: Run, tmp_path: Path) -> None:
    data = rows_file(tmp_path / "d.jsonl", [{"text": "broken", "label": "benign"}, {"text": "x", "label": "benign"}])
    said = run("--data", data, "--out", tmp_path / "out")
    assert said.code == 3
    assert "1 missing: prompt.sexual (blocked for that" in said.out
    assert (tmp_path / "out" / "report.json").exists()


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
    ("no report", ("ok.jsonl", "--against", "ok.jsonl"), "is no report of"),
    ("text of no rows", ("ok.jsonl", "--with-text"), "say how many with --show-rows"),
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
    assert said.code == 3
    assert "absent-policy" in said.err


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="signals of POSIX")
def test_an_interrupt_leaves_no_half_file(tmp_path: Path) -> None:
    """The words alone decide here, so that no model has to load in the other process."""
    rules = tmp_path / "p.yaml"
    rules.write_text(
        "policy: {id: p, version: 1.0.0}\nrules: [{id: r, at: prompt, when: {prompt.minor: '>= 0.7'}, then: block}]\n"
    )
    rows = [{"text": f"a boat on a lake, number {i}", "label": "benign"} for i in range(60_000)]
    data = rows_file(tmp_path / "d.jsonl", rows)
    out = tmp_path / "out"
    # A shell's background job ignores the signal, and so would this process of it.
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code += "; from guardrail.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "bench", "prompts", "--data", data, "--policy", rules, "--out", out]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        end = time.monotonic() + 60
        while not out.exists() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    assert b"Traceback" not in err
    assert list(out.iterdir()) == []
