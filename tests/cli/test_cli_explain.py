"""``guardrail check --explain``: what fired, underlined in the words as typed; and nowhere else."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from guardrail.checks.text.classifier.model import PromptScores
from guardrail.cli import main
from guardrail.cli.underline import underlined
from guardrail.media import Span


def lines(text: str, spans: Sequence[Span], width: int = 80) -> list[str]:
    return [line.plain for line in underlined(text, spans, width)]


def span(text: str, words: str, kind: str = "sexual", label: str = "explicit", undone: tuple[str, ...] = ()) -> Span:
    start = text.index(words)
    return Span(0, start, start + len(words), kind, label, 0.9, undone)


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("a nude woman", "nude", ["  a nude woman", "    ^^^^  sexual: explicit"]),
        ("nude", "nude", ["  nude", "  ^^^^  sexual: explicit"]),
        # Wide characters take two cells, marks none.
        ("해변의 누드 사진", "누드", ["  해변의 누드 사진", "         ^^^^  sexual: explicit"]),
        ("海辺のヌード", "ヌード", ["  海辺のヌード", "        ^^^^^^  sexual: explicit"]),
        ("ａｂ nude", "nude", ["  ａｂ nude", "       ^^^^  sexual: explicit"]),
        ("cafe\u0301 nude", "nude", ["  cafe\u0301 nude", "       ^^^^  sexual: explicit"]),
        # What a terminal would obey or hide is shown as one cell.
        ("a\x1b[31m nude", "nude", ["  a?[31m nude", "         ^^^^  sexual: explicit"]),
        ("n\u200bude", "n\u200bude", ["  n?ude", "  ^^^^^  sexual: explicit"]),
        ("\u202enude", "nude", ["  ?nude", "   ^^^^  sexual: explicit"]),
        ("a\tnude", "nude", ["  a nude", "    ^^^^  sexual: explicit"]),
        ("a\nnude b", "nude", ["  a", "  nude b", "  ^^^^  sexual: explicit"]),
        ("\ud800 nude", "nude", ["  ? nude", "    ^^^^  sexual: explicit"]),
    ],
)
def test_the_carets_stand_under_the_words(text: str, words: str, expected: list[str]) -> None:
    assert lines(text, [span(text, words)]) == expected


def test_findings_that_overlap_have_a_line_each_and_say_what_was_undone() -> None:
    text = "n u d e woman"
    spans = [span(text, "n u d e", undone=("spaced", "look-alikes")), span(text, "e woman", "person", "private")]
    assert lines(text, spans) == [
        "  n u d e woman",
        "  ^^^^^^^  sexual: explicit (read after undoing: spaced, look-alikes)",
        "        ^^^^^^^  person: private",
    ]


@pytest.mark.parametrize(
    ("label", "named"),
    [
        ("classifier", "the sentence as a whole (classifier); without these words it would not be found"),
        ("sentence", "the sentence as a whole (classifier)"),
    ],
)
def test_what_no_list_knows_is_named_as_such(label: str, named: str) -> None:
    text = "a red door"
    assert lines(text, [span(text, "red", label=label)]) == ["  a red door", f"    ^^^  sexual: {named}"]


def test_long_lines_are_broken_at_spaces_and_a_finding_is_named_once() -> None:
    text = "a red castle by the sea naked woman"
    assert lines(text, [span(text, "sea naked woman")], width=30) == [
        "  a red castle by the sea ",
        "                      ^^^^  sexual: explicit",
        "  naked woman",
        "  ^^^^^^^^^^^",
    ]


@pytest.mark.parametrize("text", ["x" * 500, "누" * 500, "a b " * 200, "裸" + "\u0301" * 300])
def test_no_line_of_the_text_is_wider_than_the_terminal(text: str) -> None:
    rows = lines(text, [], width=40)
    assert max(map(cell_len, rows)) <= 40
    assert "".join(r[2:] for r in rows) == text


def test_a_terminal_gets_colours_and_a_pipe_gets_none() -> None:
    def printed(terminal: bool) -> str:
        out = io.StringIO()
        console = Console(file=out, force_terminal=terminal, color_system="standard" if terminal else None, width=80)
        for line in underlined("a nude woman", [span("a nude woman", "nude")], 80):
            console.print(line)
        return out.getvalue()

    assert "\x1b[" in printed(True)
    assert printed(False) == "  a nude woman\n    ^^^^  sexual: explicit\n"


# ---- the verb

PERSONS = (
    "policy: {id: who, version: 1.0.0}\n"
    "rules: [{id: r, at: prompt, when: {prompt.persons: {any: {match: '>= 0.8'}}}, then: block}]\n"
)


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """`check("--prompt", …)`: exit code and what was printed, under a policy about persons."""
    policy, names = tmp_path / "who.yaml", tmp_path / "names.txt"
    policy.write_text(PERSONS)
    names.write_text("Jane Exemplar\n홍길순가상\n", "utf-8")

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["check", "--policy", str(policy), "--names", str(names), *arguments])
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return call


def test_the_words_are_underlined_below_the_decision(check: Any) -> None:
    code, out, _ = check("--prompt", "a photo of Jane Exemplar at sea", "--explain")
    assert code == 11
    assert "  a photo of Jane Exemplar at sea\n             ^^^^^^^^^^^^^  person: private" in out


def test_wide_characters_before_it_move_the_carets(check: Any) -> None:
    _, out, _ = check("--prompt", "해변의 홍길순가상", "--explain")
    assert "  해변의 홍길순가상\n         ^^^^^^^^^^  person: private" in out


def test_each_text_is_explained_by_itself(check: Any) -> None:
    code, out, _ = check("--prompt", "a castle", "--negative", "Jane Exemplar", "--explain")
    assert code == 0
    assert out.index("prompt:\n  a castle") < out.index("negative_prompt (to be avoided):\n  Jane Exemplar")
    assert out.count("no word or phrase fired here") == 2


def test_json_has_offsets_and_no_words(check: Any) -> None:
    _, out, _ = check("--prompt", "a photo of Jane Exemplar", "--explain", "--json")
    (text,) = json.loads(out)["explain"]
    (found,) = text["spans"]
    assert (text["argument"], text["negative"], text["failures"]) == ("prompt", False, {})
    assert (found["start"], found["end"], found["kind"], found["label"]) == (11, 24, "person", "private")
    assert "Jane" not in out


def test_without_being_asked_for_nothing_of_the_text_is_shown(check: Any) -> None:
    _, out, err = check("--prompt", "a photo of Jane Exemplar")
    assert "Jane" not in out + err
    assert "explain" not in json.loads(check("--prompt", "a castle", "--json")[1])


def test_what_is_shown_is_neither_logged_nor_recorded(
    check: Any, caplog: pytest.LogCaptureFixture, own_home: Path
) -> None:
    with caplog.at_level(logging.DEBUG):
        check("--prompt", "a photo of Jane Exemplar", "--explain")
    assert "Jane" not in caplog.text
    files = [p for p in own_home.rglob("*") if p.is_file()]
    assert files
    assert not any(b"Jane" in p.read_bytes() for p in files)


def test_explaining_needs_a_text(check: Any, tmp_path: Path) -> None:
    code, _, err = check("--image", str(tmp_path / "x.png"), "--explain")
    assert code == 2
    assert "--explain needs a text" in err


def test_what_is_refused_unread_is_not_explained(check: Any) -> None:
    code, out, _ = check("--prompt", "x" * 20_001, "--explain")
    assert code in (3, 11)
    assert "not explained: the text was refused unread" in out
    assert "xxx" not in out


# ---- what the classifier alone finds

SEXUAL = (
    "policy: {id: what, version: 1.0.0}\nrules: [{id: r, at: prompt, when: {prompt.sexual: '>= 0.4'}, then: block}]\n"
)


@pytest.fixture
def sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy about what is sexual; the classifier finds a lady in moonlight, and whatever is a riddle."""

    def scores(readings: Sequence[str], listed: float) -> PromptScores:
        words = set(readings[0].replace(",", " ").split())
        found = 0.6 if words >= {"lady", "moonlight"} or "riddle" in words else 0.1
        return PromptScores(found, 0.0, 0.0, 0.0, 0.0, False)

    monkeypatch.setattr("guardrail.checks.text.sexual.classifier", lambda: SimpleNamespace(scores=scores))
    policy = tmp_path / "what.yaml"
    policy.write_text(SEXUAL)
    return policy


def test_words_that_the_classifier_hangs_on_are_underlined(check: Any, sentences: Path) -> None:
    code, out, _ = check("--policy", str(sentences), "--prompt", "the lady in moonlight, 8k", "--explain")
    assert code == 11
    assert "  the lady in moonlight, 8k\n      ^^^^  sexual: the sentence as a whole (classifier); without" in out


def test_where_no_few_words_decide_the_sentence_is_named(check: Any, sentences: Path) -> None:
    _, out, _ = check("--policy", str(sentences), "--prompt", "riddle " * 9, "--explain")
    assert "sexual: the sentence as a whole (classifier)\n" in out
    assert "without these words" not in out
    assert "no word or phrase fired here" not in out


def test_json_names_the_classifier_and_no_words(check: Any, sentences: Path) -> None:
    _, out, _ = check("--policy", str(sentences), "--prompt", "the lady in moonlight", "--explain", "--json")
    (found,) = json.loads(out)["explain"][0]["spans"]
    assert (found["start"], found["end"], found["label"], found["score"]) == (4, 8, "classifier", 0.6)
    assert "lady" not in out


def test_too_little_time_is_told(check: Any, sentences: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrail.checks.text.sexual.ATTRIBUTION_LIMIT_S", -1.0)
    code, out, _ = check("--policy", str(sentences), "--prompt", "the lady in moonlight", "--explain")
    assert code == 11
    assert "sexual-text could not look: the words that the score hangs on were not found in time" in out
