"""``guardrail policy`` explain, coverage, schema, fmt and lint --sarif as an author types them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from guardrail.cli import main
from tests.cli.said import Run, Said, running
from tests.scripted import ScriptedFaces, ScriptedNudity, install


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return running(capsys, "policy")


def refused(said: Said, says: str) -> None:
    """Exit code 2, one line, nothing on stdout."""
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("guardrail: ")
    assert len(said.err.splitlines()) == 1
    assert says in said.err


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.yaml"
    path.write_text(
        "policy: {id: words, version: 1.0.0}\n"
        "thresholds: {sexual: {explicit: 0.7}}\n"
        "rules:\n"
        '  - {id: explicit, at: prompt, when: {prompt.sexual: ">= explicit"}, then: block}\n'
        '  - {id: quiet, mode: shadow, at: prompt, when: {prompt.sexual: "< 0.2"}, then: report}\n'
        "tests:\n"
        "  - {name: n, given: {stage: prompt, prompt.sexual: 0.9}, expect: {decision: block}}\n"
    )
    return path


# ---- explain


def test_explain_signals_by_hand(run: Run, words: Path, tmp_path: Path) -> None:
    said = run("explain", words, "--given", "{prompt.sexual: 0.66}", "--stage", "prompt")
    assert said.code == 0
    assert said.out.startswith("allow: no rule alters or blocks up to prompt (policy words 1.0.0)")
    assert "prompt.sexual >= explicit: 0.66 of 0.70: 0.04 short" in said.out
    file = tmp_path / "given.yaml"
    file.write_text("stage: prompt\nprompt.sexual: 0.71\n")
    found = run("explain", words, "--given", file, "--json").json
    assert (found["decision"], found["recorded"]) == ("block", None)
    assert [r["decides"] for r in found["stages"][0]["rules"]] == [True, False]


def test_explain_a_request_by_the_real_checks(run: Run, words: Path) -> None:
    said = run("explain", words, "--prompt", "a nude woman on a sofa")
    assert said.code == 0
    assert said.out.startswith("block: at prompt, by explicit")
    assert "nude" not in said.out
    assert "sofa" not in said.out


def test_explain_pictures(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ScriptedNudity, ScriptedFaces)
    picture = tmp_path / "picture.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (96, 128, 3), np.uint8)).save(picture)
    said = run("explain", "--image", picture, "--rule", "reference-nudity", "--json")
    stages = {s["stage"]: s for s in said.json["stages"]}
    assert list(stages) == ["prompt", "reference"]
    assert [r["rule"] for r in stages["reference"]["rules"]] == ["reference-nudity"]
    assert stages["reference"]["rules"][0]["condition"]["value"] is not None


def test_explain_a_decision_on_record(run: Run, words: Path, own_home: Path) -> None:
    words.write_text(words.read_text().replace("explicit: 0.7", "explicit: 0.5"))
    with pytest.raises(SystemExit):
        # Lettering in a picture is suggestive at most.
        main(["check", "--prompt", 'a sign that says "nude beach"', "--policy", str(words), "--json"])
    from guardrail.audit import records
    from guardrail.guard.build import open_audit
    from guardrail.keys import load_keyring

    with open_audit(own_home / "audit.sqlite", load_keyring()) as log:  # type: ignore[union-attr]
        (record,) = records(log, type="decision")
    decision = record.body["id"]
    said = run("explain", words, "--decision", decision)
    assert said.code == 0
    assert said.out.startswith(f"decision {decision} of ")
    assert "NOTE" not in said.out
    assert "FIRES    explicit" in said.out
    found = run("explain", words, "--decision", decision, "--json").json
    assert found["recorded"]["action"] == found["decision"] == "block"
    # By another text of the policy: the difference is said.
    words.write_text(words.read_text().replace("explicit: 0.5", "explicit: 0.99"))
    said = run("explain", words, "--decision", decision)
    assert "NOTE: it was decided under words 1.0.0 (sha256 " in said.out
    assert "NOTE: decided then: block; by the rules alone: allow" in said.out
    refused(run("explain", words, "--decision", "no-such-id"), "has no decision no-such-id")


def test_explain_says_what_the_guard_itself_blocked(run: Run, words: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    said = run("explain", words, "--image", broken)
    assert said.code == 0
    assert "NOTE: the guard itself blocked (input): " in said.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give one of: --prompt and --image, --given, or --decision"),
        (["--prompt", "a", "--given", "{}"], "give one of"),
        (["--prompt", "a", "--stage", "prompt"], "--stage belongs to --given"),
        (["--given", "{}"], "add `stage:`, or --stage"),
        (["--given", "{stage: prompt, prompt.sexul: 1}"], "did you mean 'prompt.sexual'?"),
        (["--given", "nowhere.yaml"], "--given nowhere.yaml: No such file or directory"),
        (["--given", "{stage: prompt}", "--rule", "explict"], "did you mean 'explicit'?"),
        (["--decision", "x"], "there is no record at"),
        (["--decision", "x", "--file", "WORDS"], "audit log"),
        (["--image", "nowhere.png"], "nowhere.png is not a file"),
        (["--prompt", "a", "--names", "nowhere.txt"], "nowhere.txt is not a file"),
    ],
)
def test_explain_refuses_in_one_line(run: Run, words: Path, arguments: list[str], says: str) -> None:
    refused(run("explain", words, *(str(words) if a == "WORDS" else a for a in arguments)), says)


def test_refusals_are_json_on_request(run: Run, words: Path) -> None:
    said = run("explain", words, "--json")
    assert (said.code, said.json["error"]) == (2, "usage")


# ---- coverage


def test_coverage_names_what_is_left_with_its_line(run: Run, words: Path) -> None:
    said = run("coverage", words)
    assert said.code == 0
    assert f"{words}:4:39: explicit: prompt.sexual >= explicit is never false" in said.out
    assert f"{words}:5:5: quiet never fires" in said.out
    assert "1 of 2 rules fire, 2 of 4 outcomes of comparisons are shown: 50 % by 1 test" in said.out
    assert (
        f"{words}:4:39: explicit: prompt.sexual >= explicit is never missing" in run("coverage", words, "--missing").out
    )


def test_coverage_fails_under_a_percentage(run: Run, words: Path) -> None:
    assert run("coverage", words, "--fail-under", 50).code == 0
    said = run("coverage", words, "--fail-under", 50.1, "--json")
    assert (said.code, said.err) == (1, f"below 50.1 %: {words}\n")
    assert said.json[0]["percent"] == 50.0
    assert run("coverage", words, "--fail-under", 101).code == 2


def test_coverage_refuses_what_does_not_load(run: Run, words: Path) -> None:
    refused(run("coverage", "nothing"), "GP011 no shipped policy has this name")
    words.with_name("words.test.yaml").write_text("test: []\n")
    said = run("coverage", words)
    assert (said.code, said.out) == (2, "")
    assert "words.test.yaml:1:1: GP020" in said.err


# ---- schema


def test_schema_prints_json_schema_and_tables(run: Run) -> None:
    schema = run("schema").json
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert run("schema", "--json").json == schema
    # What is installed here, and not only the core.
    assert "prompt.sexual" in schema["$defs"]["condition"]["properties"]
    said = run("schema", "--markdown")
    assert (said.code, said.out.splitlines()[0]) == (0, "## Signals")
    said = run("schema", "--markdown", "--json")
    assert (said.code, said.json["error"]) == (2, "usage")


# ---- fmt


def test_fmt_checks_formats_and_is_then_content(run: Run, words: Path) -> None:
    text = words.read_text()
    assert run("fmt", words, "--check").code == 0
    words.write_text(text.replace("id: explicit, at: prompt", "at: prompt, id: explicit").replace('">= e', '">=e'))
    said = run("fmt", words, "--check")
    assert (said.code, said.out) == (1, f"{words}: would be formatted\n1 to format, 0 left as they are\n")
    assert run("fmt", words, "--check", "--json").json == [{"file": str(words), "changed": True}]
    assert run("fmt", words).out == f"{words}: formatted\n1 formatted, 0 left as they are\n"
    assert words.read_text() == text


def test_fmt_refuses_in_one_line(run: Run, words: Path, tmp_path: Path) -> None:
    refused(run("fmt", tmp_path / "nowhere.yaml"), "GP011 the file cannot be read")
    refused(run("fmt", tmp_path), "GP011 the file cannot be read")
    refused(run("fmt", "default"), "GP011 the file cannot be read")  # a shipped policy is not an author's to change
    words.write_text(words.read_text().replace("then: block", "then: blok"))
    refused(run("fmt", words), "GP050 unknown action 'blok' — did you mean 'block'?")


# ---- lint --sarif


def test_lint_prints_sarif(run: Run, words: Path) -> None:
    said = run("lint", words, "--sarif")
    assert said.code == 1
    results = said.json["runs"][0]["results"]
    assert {"GP101", "GP105", "GP108"} == {r["ruleId"] for r in results}
    assert run("lint", "default", "--sarif").json["runs"][0]["results"] == []
    said = run("lint", words, "--sarif", "--json")
    assert (said.code, said.json["error"]) == (2, "usage")
