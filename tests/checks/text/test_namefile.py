"""Large lists of names: what goes in, where it is found, and that nothing damaged is trusted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.checks.base import CheckSettings
from guardrail.checks.text.namefile import NameFile, build, key_of
from guardrail.checks.text.normalise import plain, read
from guardrail.checks.text.persons import PersonTextCheck
from guardrail.errors import ConfigurationError
from guardrail.media import Request, TextInput
from guardrail.signals import Stage
from tests.budget import examples

# Invented: nobody is meant.
NAMES = [
    "Ines Vandermolen",
    "Ines Vandermolen-Achterberg",
    "Tób Kärrsson Ljung",
    "Дарья Безымянникова",
    "김우슬",
    "황보나리솔",
    "星野 ゆきほ",
    "欧阳棠溪",
]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> NameFile:
    path = tmp_path_factory.mktemp("names") / "people.names"
    assert build(NAMES, path)[0] == len(NAMES)
    return NameFile.load(path)


def found(names: NameFile, text: str) -> list[str]:
    return [text[n.start : n.end] for n in names.find(plain(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ines Vandermolen on a bench", ["Ines Vandermolen"]),
        ("a photo of INES  VANDERMOLEN's cat", ["INES  VANDERMOLEN"]),
        ("ines vandermolen-achterberg waving", ["ines vandermolen-achterberg"]),  # the longest of two
        ("tob karrsson ljung", ["tob karrsson ljung"]),
        ("Tob Karrsson", []),
        ("Ines Vandermolens", []),
        ("Vandermolen Ines", []),
        ("portrait of Ines Vandermolen and Tób Kärrsson Ljung", ["Ines Vandermolen", "Tób Kärrsson Ljung"]),
        ("Ines Vandermolen street at night", []),  # a street
        ("дарья безымянникова у окна", ["дарья безымянникова"]),
        ("김우슬이 공원에서", ["김우슬"]),
        ("공원의 김우슬 씨", ["김우슬"]),
        ("작은김우슬", []),  # inside another word
        ("황보나리솔의 초상", ["황보나리솔"]),
        ("星野ゆきほの写真", ["星野ゆきほ"]),
        ("星野・ゆきほ", ["星野・ゆきほ"]),
        ("一张欧阳棠溪的照片", ["欧阳棠溪"]),
        ("a lighthouse", []),
        ("", []),
    ],
)
def test_where_names_stand(text: str, expected: list[str], names: NameFile) -> None:
    assert found(names, text) == expected


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Rihanna", "a single word"),
        ("the edge", "ordinary words only"),
        ("  ", "no letters"),
        ("…", "no letters"),
        ("김수", "too short to be told from a word"),
        ("李", "too short to be told from a word"),
        ("x" * 50 + " " + "y" * 50, "too long"),
        ("Ines Vandermolen", ""),
    ],
)
def test_what_is_left_out(name: str, why: str) -> None:
    assert key_of(name)[1] == why


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    count, left_out = build(["Rihanna", "Ines Vandermolen", "INES VANDERMOLEN", "the edge"], tmp_path / "a.names")
    assert (count, dict(left_out)) == (1, {"a single word": 1, "there already": 1, "ordinary words only": 1})
    with pytest.raises(ConfigurationError, match="none of the names can be used"):
        build(["Rihanna"], tmp_path / "b.names")
    assert not (tmp_path / "b.names").exists()


def test_the_file_is_the_same_for_the_same_names_in_any_order(tmp_path: Path) -> None:
    build(NAMES, tmp_path / "a.names")
    build(reversed(NAMES), tmp_path / "b.names")
    assert (tmp_path / "a.names").read_bytes() == (tmp_path / "b.names").read_bytes()


def test_the_check_gives_them_with_the_kind_of_the_file_through_disguises_and_on_record(tmp_path: Path) -> None:
    for kind in ("private", "public"):
        path = tmp_path / f"{kind}.names"
        build(NAMES, path, kind=kind)  # type: ignore[arg-type]
        check = PersonTextCheck(CheckSettings(name_files=(str(path),)))
        for text in ("Ines Vandermolen", "In\u200bes Vanderm\u043elen", "I n e s  V a n d e r m o l e n"):
            (values,) = check.check([Request(texts=(TextInput(text),))], Stage.PROMPT)
            expected = ({"match": 0.95, "kind": kind, "evidence": "own-name"},)
            if text.startswith("I n"):
                # Joined letters are cut into words that the shipped lists know; a long list has no say in that.
                expected = ()
            assert values.signals["prompt.persons"] == expected, text  # type: ignore[union-attr]
        assert list(check.effective().weights) == ["names (8)"]


DAMAGES = {
    "cut": lambda content: content[:-3],
    "a bit": lambda content: content[:-3] + bytes([content[-3] ^ 1]) + content[-2:],
    "no head": lambda content: content.partition(b"\n")[2],
    "another format": lambda content: content.replace(b"guardrail-names/1", b"guardrail-names/9"),
    "text": lambda content: b"Ines Vandermolen\n",
    "empty": lambda content: b"",
    "json of another sort": lambda content: b"[1]\n" + content.partition(b"\n")[2],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_before_the_trie_sees_it(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "a.names"
    build(NAMES, path)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(ConfigurationError, match=r"make it anew with: guardrail names build"):
        NameFile.load(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        NameFile.load(tmp_path / "nobody.names")


@settings(max_examples=examples(200), deadline=None, derandomize=True, database=None)
@given(st.text(max_size=200), st.sampled_from(NAMES))
def test_any_text_is_searched_and_a_name_in_it_is_found(names: NameFile, text: str, name: str) -> None:
    for view in read(text):
        list(names.find(view))
    assert name in found(names, f"{text}, {name}, a portrait") or name.replace(" ", "") in found(
        names, f"{text}, {name}, a portrait"
    )


def test_build_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from guardrail.cli import main

    listed = tmp_path / "list.csv"
    listed.write_text("id,Full Name\n1,Ines Vandermolen\n2,Rihanna\n", "utf-8")
    line = ["names", "build", str(listed), "--out", str(tmp_path / "out.names"), "--column", "Full Name", "--json"]
    with pytest.raises(SystemExit) as end:
        main(line)
    told = json.loads(capsys.readouterr().out)
    assert (end.value.code, told["names"], told["left_out"]) == (0, 1, {"a single word": 1})
    for wrong in (["--column", "name"], ["--kind", "x"], ["--out", "x.txt"]):
        with pytest.raises(SystemExit) as end:
            main([*line, *wrong])
        assert end.value.code == 2


def test_a_guard_takes_the_file(tmp_path: Path) -> None:
    from guardrail import Guard

    path = tmp_path / "people.names"
    build(NAMES, path)
    rules = tmp_path / "p.yaml"
    rules.write_text(
        "policy: {id: p, version: 1.0.0}\n"
        "rules: [{id: r, at: prompt, when: {prompt.persons: {any: {match: '>= 0.5'}}}, then: block}]"
    )
    with Guard(rules, names=path, audit=None, gallery=None) as guard:
        assert guard.check_prompt("김우슬이 공원에서").blocked
        assert not guard.check_prompt("a park").blocked
