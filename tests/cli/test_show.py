"""What is printed of names and texts that somebody else chose: readable, and nothing that a terminal obeys."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from rich.table import Table

import guardrail.cli
from guardrail.cli import show
from guardrail.decision import Action, Decision, PolicyRef, Stage
from tests.cli.said import Run, running

# Sets the title, colours, clears the screen (one character, then two), turns the direction, ends the line.
NAME = "a\x1b]0;title\x07\x1b[31m\x9b2J\x1bc\u202e\x7f\u2028\n[red]guardrail: all is well.png"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return running(capsys)


def steers(text: str) -> set[str]:
    return {c for c in text if not c.isprintable() and c != "\n"}


LINES = [
    "mark {} --out {}.d",
    "mark {}.none --out {}.d",
    "mark {} --out {}",
    "names build {}.csv --out a.names",
    "registry check {}",
    "registry show {} abc",
    "registry show {} {}",
    "policy lint {}",
    "policy fmt {}",
    "policy diff {} {}",
    "policy watch --once {}",
    "policy simulate --log {}.none --under default",
    "check --image {}.none",
    "check --prompt x --policy {}",
    "known import {} --list a",
    "known add {} --list a",
    "audit show --file {}.none",
    "audit verify --file {}",
    "audit verify --checkpoint {}",
    "models add {}",
]


@pytest.mark.parametrize("line", LINES)
def test_no_name_of_a_file_steers_the_terminal(run: Run, tmp_path: Path, line: str) -> None:
    file = tmp_path / NAME
    file.write_text("policy: no\n")
    said = run(*(part.replace("{}", str(file)) for part in line.split()))
    assert said.code != 0
    assert steers(said.out + said.err) == set()
    # The end of a line in a name begins no line that looks like ours.
    assert not [x for x in (said.out + said.err).splitlines() if x.startswith(("[red]", "guardrail: all"))]


@pytest.mark.parametrize("line", ["mark {} --out {}.d --json", "policy lint {} --json"])
def test_json_is_one_value_that_holds_the_very_name(run: Run, tmp_path: Path, line: str) -> None:
    """JSON itself leaves in what is not of the first 32 characters."""
    file = tmp_path / NAME
    file.write_text("policy: no\n")
    said = run(*(part.replace("{}", str(file)) for part in line.split()))
    assert steers(said.out) == set()
    (row,) = said.json
    assert str(file) in (row.get("file"), row.get("path"))


def test_an_error_with_json_is_one_object(run: Run, tmp_path: Path) -> None:
    said = run("check", "--prompt", "x", "--policy", tmp_path / NAME, "--json")
    assert steers(said.out) == set()
    assert said.json["error"] == "PolicyError"
    assert str(tmp_path / NAME) in said.json["message"]


def test_texts_for_people_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("AI生成\u3000画像", "می\u200cشود", "l’image\u00a0: ici", r"C:\new\x1b", "Ångström 😀"):
        assert show.escaped(text) == text
    show.say("two\nlines", lines=True)
    show.say("two\nlines")
    assert capsys.readouterr().out == "two\nlines\ntwo\\nlines\n"


def test_tables_are_escaped_before_they_are_laid_out(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("name", "next", box=None)
    table.add_row("a\x1b[31m", show.in_markup("[red]\n"))
    show.console().print(table)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["name", "next"],
        ["a\\u001b[31m", "[red]\\n"],
    ]


def test_names_in_a_decision_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    policy = PolicyRef("[red]\x1b[31m", "[/]", "0" * 64)
    show.print_decision(Decision("[bold]id", Action.ALLOW, Stage.OUTPUT, policy))
    line = capsys.readouterr().out.splitlines()[0]
    assert line == r"allow at output, policy [red]\u001b[31m [/], decision [bold]id"


def test_json_says_the_same_as_without_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"name": NAME, "lone": "\udcff", "far": "\U000e0041", "plain": ["é", 1, None]}
    for print_it in (show.print_json, show.print_json_line):
        print_it(value)
        said = capsys.readouterr().out
        assert steers(said) == set()
        assert json.loads(said) == value


def test_nothing_is_printed_by_another_way() -> None:
    """Of the verbs, but for those of `bench`, which print numbers and cleaned names."""
    folder = Path(guardrail.cli.__file__).parent
    others: list[tuple[str, str]] = []
    for path in folder.rglob("*.py"):
        if path.name == "show.py" or path.parent.name == "bench":
            continue
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        used = {node.attr for node in nodes if isinstance(node, ast.Attribute)} & {"echo", "secho"}
        used |= {node.id for node in nodes if isinstance(node, ast.Name)} & {"print"}
        used |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)} & {
            "rich.console",
            "rich.markup",
        }
        others += [(path.name, name) for name in used]
    assert others == []
