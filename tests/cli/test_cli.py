"""Every verb as a user types it: what is printed, the exit code, and one wrong input each."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import guardrail
from guardrail.paths import home
from tests.cli.said import Run, running
from tests.scripted import ScriptedFaces, ScriptedNudity, install


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("check", "--prompt", …)`: what the command line says and exits with."""
    return running(capsys)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default policy without models: what pictures show is scripted."""
    install(monkeypatch, ScriptedNudity, ScriptedFaces)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (96, 128, 3), np.uint8)).save(path)
    return path


WORDS = (
    "policy: {id: words, version: 1.0.0}\nrules: [{id: r, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: block}]\n"
)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.yaml"
    path.write_text(WORDS)
    return path


# ---- the whole


def test_without_a_verb_the_verbs_are_listed(run: Run) -> None:
    said = run()
    for verb in ("check", "verify", "doctor", "demo", "policy", "gallery", "models", "audit"):
        assert verb in said.out


@pytest.mark.parametrize(
    "line",
    [
        "chekc",
        "check",
        "check --prompt",
        "verify",
        "policy",
        "policy lint",
        "gallery enrol",
        "models pull a b",
        "--nope",
    ],
)
def test_usage_errors_are_exit_code_2(run: Run, line: str) -> None:
    assert run(*line.split()).code == 2


@pytest.mark.parametrize("line", ["--version", "-V", "--version check"])
def test_the_version_is_an_option(run: Run, line: str) -> None:
    said = run(*line.split())
    assert (said.code, said.out) == (0, f"guardrail {guardrail.__version__}\n")


def test_the_installed_command_works_and_a_closed_pipe_is_no_traceback() -> None:
    command = [sys.executable, "-c", "from guardrail.cli import main; main()", "models", "list", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


# ---- check


@pytest.mark.parametrize(
    ("prompt", "code", "action"),
    [
        ("a house by the sea", 0, "allow"),
        ('a sign that says "nude beach"', 10, "alter"),
        ("explicit nude porn", 11, "block"),
    ],
)
def test_check_answers_by_exit_code_and_json(run: Run, scripted: None, prompt: str, code: int, action: str) -> None:
    said = run("check", "--prompt", prompt, "--json")
    assert (said.code, said.json["action"]) == (code, action)
    told = run("check", "--prompt", prompt)
    assert told.code == code
    assert told.out.startswith(f"{action} at prompt, policy default 1.0.0, decision ")


def test_check_prints_no_prompt_and_no_name(run: Run, scripted: None, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("Odalys Quenby\n")
    said = run("check", "--prompt", "Odalys Quenby undressed", "--names", names)
    assert said.code == 11
    assert "Odalys" not in said.out + said.err
    assert "real-person-sexual" in said.out


def test_check_puts_the_decision_on_record_unless_told_not_to(run: Run, scripted: None, own_home: Path) -> None:
    run("check", "--prompt", "a house", "--no-record")
    assert not (own_home / "audit.sqlite").exists()
    decision = run("check", "--prompt", "a house", "--json").json["id"]
    assert run("audit", "show", "--json").json[0]["id"] == decision


def test_check_speaks_the_language_asked_for(run: Run, scripted: None) -> None:
    assert "노골적인" in run("check", "--prompt", "explicit nude porn", "--lang", "ko").out


def test_check_judges_pictures(run: Run, scripted: None, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("check", "--image", picture).code == 0
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(lambda image: 0.9))
    said = run("check", "--image", picture, "--json")
    assert (said.code, said.json["rules"]) == (11, ["reference-nudity"])


def test_check_exits_with_3_where_something_could_not_be_checked(
    run: Run, scripted: None, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.png").touch()
    unread = run("check", "--image", tmp_path / "empty.png")
    assert unread.code == 3
    assert "unreadable-image" in unread.out
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(lambda image: float("nan")))
    failed = run("check", "--image", picture)
    assert failed.code == 3
    assert "missing: reference.nudity" in failed.out


def test_check_with_a_policy_that_does_not_load_names_the_place(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(WORDS.replace("prompt.sexual", "prompt.sexul"))
    said = run("check", "--prompt", "a house", "--policy", bad)
    assert said.code == 3
    assert f"guardrail: {bad}:2:" in said.err
    assert "did you mean" in said.err
    assert run("check", "--prompt", "a house", "--policy", bad, "--json").json["error"] == "PolicyError"


def test_check_with_a_policy_that_is_not_there_lists_the_shipped_ones(run: Run) -> None:
    said = run("check", "--prompt", "a house", "--policy", "defualt")
    assert said.code == 3
    assert "default" in said.err


# ---- verify


def test_verify_reads_every_layer_of_a_marked_file(run: Run, scripted: None, tmp_path: Path) -> None:
    # Soft shapes: white noise of this size hides the mark of every seventh key, and the key is new in every run.
    shapes = np.random.default_rng(1).integers(60, 200, (16, 16, 3), np.uint8)
    image = Image.fromarray(shapes).resize((512, 512), Image.Resampling.BICUBIC)
    with guardrail.Guard(audit=None, gallery=None) as guard:
        decision = guard.check_output(image)
        guard.mark(image, after=decision).save(tmp_path / "out.png")
        mark = guard.marks.mark_id(decision.id)
    said = run("verify", tmp_path / "out.png", "--json")
    assert said.code == 0
    (result,) = said.json
    assert (result["ai_generated"], result["mark_id"]) == (True, mark)
    verdicts = {layer["name"]: layer["verdict"] for layer in result["layers"]}
    for name in ("watermark", "metadata", "png text"):
        assert verdicts[name] == "found"
    assert "AI-generated" in run("verify", tmp_path / "out.png").out


def test_verify_never_says_that_something_is_not_ai(run: Run, picture: Path) -> None:
    said = run("verify", picture)
    assert said.code == 0
    assert "No mark was found. That does not mean" in said.out
    assert run("verify", picture, "--json").json[0]["ai_generated"] is None


def test_verify_names_the_file_that_it_cannot_read_and_reads_the_others(
    run: Run, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    said = run("verify", tmp_path / "text.png", picture, tmp_path / "nowhere.png", "--json")
    assert said.code == 2
    assert ["error" in r for r in said.json] == [True, False, True]


# ---- policy


def test_policy_lint_finds_nothing_in_the_shipped_policy(run: Run) -> None:
    said = run("policy", "lint", "default")
    assert (said.code, said.out) == (0, "default: nothing to remark\n")


def test_policy_lint_says_what_a_guard_needs_to_sign(run: Run, words: Path) -> None:
    assert "signed" not in run("policy", "lint", words).out
    words.write_text(WORDS.replace("then: block", "then: [block, {label: {signed: true}}]"))
    said = run("policy", "lint", words).out
    assert f"{words}: files must be signed (r): a guard needs marking=Marking(signer=…)" in said


def test_policy_lint_names_place_and_mend(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(WORDS.replace("then: block", "then: blok"))
    said = run("policy", "lint", bad)
    assert said.code == 1
    assert f"{bad}:2:" in said.out
    assert "did you mean 'block'" in said.out
    findings = run("policy", "lint", bad, "--json").json
    assert {"code", "path", "line", "column", "message", "mend", "warning"} <= findings[0].keys()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("policy: {id: a, id: b, version: 1.0.0}\nrules: []\n", "twice"),
        ("policy: &p {id: a, version: 1.0.0}\nother: *p\nrules: []\n", "alias"),
        ("policy: [unclosed\n", "bad.yaml:"),
        ("", "bad.yaml"),
    ],
)
def test_policy_lint_refuses_what_is_no_rule_file(run: Run, tmp_path: Path, text: str, says: str) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(text)
    said = run("policy", "lint", bad)
    assert said.code == 1
    assert says in said.out


def test_policy_test_passes_for_the_shipped_policy(run: Run) -> None:
    said = run("policy", "test", "default", "--offline")
    assert said.code == 0
    assert "passed" in said.out


def test_policy_test_fails_with_the_test_and_the_difference(run: Run, words: Path) -> None:
    beside = words.with_suffix("").with_suffix(".test.yaml")
    beside.write_text("tests:\n  - {name: shy, prompt: 'a house', expect: {decision: block}}\n")
    said = run("policy", "test", words)
    assert said.code == 1
    assert "shy" in said.out
    assert run("policy", "test", words, "--json").json[0]["file"] == str(words)


# ---- models


def test_models_list_says_state_licence_and_mend(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDRAIL_WEIGHTS", str(tmp_path / "empty"))
    rows = {row["name"]: row for row in run("models", "list", "--json").json}
    assert rows["centerface"]["state"] == "missing"
    assert rows["centerface"]["mend"] == "run: guardrail models pull embedded"
    assert "AGPL" in rows["nudenet-320n"]["licence"]
    assert "guardrail models pull embedded" in run("models", "list").out


def test_models_pull_refuses_an_unknown_group_and_a_folder_without_archives(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = run("models", "pull", "everything")
    assert said.code == 3
    assert "embedded" in said.err
    monkeypatch.setenv("GUARDRAIL_WEIGHTS", str(tmp_path / "empty"))
    assert run("models", "pull", "embedded", "--from", tmp_path).code == 3


def test_models_add_takes_only_known_files(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDRAIL_WEIGHTS", str(tmp_path / "weights"))
    unknown = tmp_path / "model.onnx"
    unknown.write_bytes(b"whatever")
    assert run("models", "add", unknown).code == 3
    assert run("models", "add", tmp_path / "nowhere.onnx").code == 3


def test_models_add_brings_yunet(run: Run, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDRAIL_WEIGHTS", str(tmp_path / "weights"))
    said = run("models", "add", shared / "models/face_detection_yunet_2023mar.onnx")
    assert said.code == 0
    assert said.out.startswith("yunet: ")
    assert "MIT" in said.out
    rows = {row["name"]: row for row in run("models", "list", "--json").json}
    assert rows["yunet"]["state"] == "ready"


# ---- gallery


@pytest.fixture
def portrait(tmp_path: Path, embedded_models: None) -> Path:
    data = pytest.importorskip("skimage.data")
    path = tmp_path / "portrait.png"
    Image.fromarray(data.astronaut()).save(path)
    return path


def test_a_person_is_enrolled_listed_and_revoked(run: Run, portrait: Path) -> None:
    enrolled = run(
        *("gallery", "enrol", portrait, "--consent", "--label", "model 7", "--purpose", "studio"),
        *("--expires", "2099-01-31", "--json"),
    )
    assert enrolled.code == 0
    row = enrolled.json
    assert (row["list"], row["state"], row["purposes"]) == ("consented", "active", ["studio"])
    assert "model 7" not in run("gallery", "list").out
    assert "model 7" in run("gallery", "list", "--labels").out
    assert run("gallery", "revoke", row["id"]).code == 0
    assert run("gallery", "list", "--json").json[0]["state"] == "revoked"


def test_enrolling_needs_to_know_for_what(run: Run, portrait: Path) -> None:
    assert run("gallery", "enrol", portrait).code == 2
    assert run("gallery", "enrol", portrait, "--consent", "--protect").code == 2


def test_enrolling_says_what_is_wrong(run: Run, embedded_models: None, picture: Path, tmp_path: Path) -> None:
    said = run("gallery", "enrol", picture, "--protect")
    assert (said.code, said.err) == (3, f"guardrail: no face was found in {picture}\n")
    assert not (home() / "keyring.json").exists()
    assert run("gallery", "enrol", tmp_path / "nowhere.png", "--protect").code == 3


def test_revoking_nobody_is_an_error(run: Run) -> None:
    said = run("gallery", "revoke", "00000000")
    assert said.code == 3
    assert run("gallery", "list").out.strip() == "nobody is enrolled"


# ---- audit


def test_the_record_is_shown_by_decision_action_rule_and_queue(run: Run, scripted: None) -> None:
    first = run("check", "--prompt", "a house", "--json").json["id"]
    second = run("check", "--prompt", "explicit nude porn", "--json").json["id"]
    assert [r["id"] for r in run("audit", "show", "--json").json] == [second, first]
    assert [r["id"] for r in run("audit", "show", "--action", "allow", "--json").json] == [first]
    assert [r["id"] for r in run("audit", "show", "--rule", "explicit-request", "--json").json] == [second]
    assert run("audit", "show", "--decision", first).json[0]["id"] == first
    assert run("audit", "show", "--queue", "csam").out == "nothing\n"
    assert second in run("audit", "show", "--limit", "1").out


def test_a_changed_record_is_found_and_a_cut_tail_against_a_checkpoint(
    run: Run, scripted: None, own_home: Path, tmp_path: Path
) -> None:
    for _ in range(3):
        run("check", "--prompt", "a house")
    assert run("audit", "verify").code == 0
    kept = tmp_path / "checkpoint.json"
    kept.write_text(run("audit", "checkpoint").out)
    assert run("audit", "verify", "--checkpoint", kept).code == 0

    def meddle(statement: str) -> None:
        with closing(sqlite3.connect(own_home / "audit.sqlite")) as raw, raw:
            for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                raw.execute(f"DROP TRIGGER {name}")
            raw.execute(statement)

    meddle("DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)")
    cut = run("audit", "verify", "--checkpoint", kept)
    assert cut.code == 1
    assert cut.out.startswith("NOT SOUND")
    meddle("UPDATE events SET time = time + 1 WHERE seq = 2")
    assert run("audit", "verify", "--json").code == 1


def test_no_record_is_an_error_and_a_file_that_is_no_record_too(run: Run, tmp_path: Path) -> None:
    said = run("audit", "show")
    assert said.code == 2
    assert "there is no record at" in said.err
    other = tmp_path / "other.sqlite"
    other.write_text("no database")
    assert run("audit", "show", "--file", other).code == 3
    assert run("audit", "verify", "--file", other).code in (1, 3)


def test_a_checkpoint_that_is_none_is_refused(run: Run, scripted: None, tmp_path: Path) -> None:
    run("check", "--prompt", "a house")
    bad = tmp_path / "bad.json"
    for text, code in (("no json", 2), ("[]", 2), ("{}", 1)):
        bad.write_text(text)
        assert run("audit", "verify", "--checkpoint", bad).code == code
    assert run("audit", "verify", "--checkpoint", tmp_path / "nowhere.json").code == 2


# ---- doctor


def test_doctor_says_what_is_in_force(run: Run, embedded_models: None, nudenet: None) -> None:
    said = run("doctor", "--json")
    assert said.code == 0
    found = said.json
    assert found["faults"] == []
    assert {"policy": "default", "state": "can be enforced"} in found["policies"]
    checks = {c["name"]: c for c in found["checks"]}
    assert checks["nudity"]["state"] == "ready"
    assert checks["nudity"]["ms"] > 0
    assert {m["name"] for m in found["models"] if "AGPL" in m["licence"]} == {"nudenet-320n"}


def test_doctor_says_what_is_missing_and_how_to_bring_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDRAIL_WEIGHTS", str(tmp_path / "empty"))
    said = run("doctor", "--no-measure")
    assert said.code == 1
    assert "policy default: cannot be enforced" in said.out
    assert "reference.faces, read by the rules" in said.out
    assert "guardrail models pull embedded" in said.out
