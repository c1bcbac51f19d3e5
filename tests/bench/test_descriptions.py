"""Data by name: found, held to their sha256, and told with the result; and the descriptions that the project keeps."""

from __future__ import annotations

import csv
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from guardrail.bench.data import Columns, DataError, Labels, rows, survey
from guardrail.bench.data_facts import data_facts, picture_facts, told_data
from guardrail.bench.descriptions import known, read_description
from guardrail.bench.pictures import picture_folders, pictures

KEPT = Path(__file__).parents[2] / "benchmarks" / "data"
SHARED = Path(__file__).parents[3] / "shared" / "data"
ROWS = '{"text": "violet harbour", "label": "benign"}\n{"text": "amber pier", "label": "sexual"}\n'


def told(**changes: Any) -> dict[str, Any]:
    return {
        "name": "piers",
        "version": "2",
        "licence": "CC0",
        "languages": ["en"],
        "labels": {"benign": "harmless", "sexual": "asks for sexual content"},
        "not_for": ["training"],
        "source": "written for this test",
        "homepage": None,
        "files": [{"path": "piers.jsonl", "sha256": sha256(ROWS.encode()).hexdigest()}],
        **changes,
    }


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where named data are looked for."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "piers.jsonl").write_text(ROWS)
    monkeypatch.setenv("GUARDRAIL_BENCH_DATA", str(folder))
    return folder


def facts(*given: Path, limit: int | None = None, seed: int | None = None) -> dict[str, Any]:
    found = survey(given, Columns(), Labels())
    return json.loads(json.dumps(data_facts(found, Columns(), Labels(), limit, seed)))


def test_by_name_the_files_are_found_held_and_told(shelf: Path) -> None:
    (shelf / "a.yaml").write_text(yaml.safe_dump(told()))
    found = facts(Path("piers"), limit=1, seed=4)
    digest = sha256(ROWS.encode()).hexdigest()
    assert found["files"] == [{"name": "piers.jsonl", "sha256": digest, "rows": 2, "description": "piers"}]
    (described,) = found["descriptions"]
    assert described == told(homepage="", title="", files={"piers.jsonl": digest})
    assert (found["rows"], found["measured"], found["sample"]) == (2, 1, "1 of 2 rows, drawn with seed 4")
    words = dict(told_data(survey([Path("piers")], Columns(), Labels())))
    assert words["piers may not be used for"] == "training"
    assert words["sample"] == "all 2 rows"


@pytest.mark.parametrize("way", ["name", "file", "copy", "beside", "data.yaml", "folder"])
def test_a_description_is_found_however_the_data_are_given(shelf: Path, tmp_path: Path, way: str) -> None:
    copy = tmp_path / "elsewhere" / "piers.jsonl"
    copy.parent.mkdir()
    copy.write_text(ROWS)
    (copy.parent / "more.jsonl").write_text(ROWS)
    place, given = {
        "name": (shelf / "x.yaml", Path("piers")),
        "file": (shelf / "x.yaml", shelf / "piers.jsonl"),
        "copy": (shelf / "x.yaml", copy),
        "beside": (copy.with_name("piers.jsonl.yaml"), copy),
        "data.yaml": (copy.with_name("data.yaml"), copy),
        "folder": (copy.with_name("data.yaml"), copy.parent),
    }[way]
    assert facts(shelf / "piers.jsonl")["files"][0]["description"] == "no description"
    place.write_text(yaml.safe_dump(told()))
    assert [f["description"] for f in facts(given)["files"]] == ["piers"]
    if way != "copy":  # which nobody promised to be these data
        (copy if "elsewhere" in str(place) else shelf / "piers.jsonl").write_text(ROWS * 2)
        with pytest.raises(DataError, match=f"has the sha256 .* as {place} says"):
            facts(given)


def test_a_description_may_say_how_its_files_are_read_and_who_measures_has_the_last_word(shelf: Path) -> None:
    text = '{"prompt": "x", "toxic": 1, "kind": "benign"}\n'
    (shelf / "piers.jsonl").write_text(text)
    files = [{"path": "piers.jsonl", "sha256": sha256(text.encode()).hexdigest()}]
    made = told(files=files, columns={"text": "prompt", "label": "toxic"}, label_map={1: "sexual"})
    (shelf / "a.yaml").write_text(yaml.safe_dump(made))
    for columns, labels, label in (
        (Columns(), Labels(), "sexual"),
        (Columns(), Labels(map={"1": "hate"}), "hate"),
        (Columns(label="kind"), Labels(), "benign"),
    ):
        assert [r.label for r in rows(survey([Path("piers")], columns, labels), columns, labels)] == [label]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "No Name"}, ":11: name is a name in small letters"),
        ({"version": 1.5}, "version is missing, or is no text"),
        ({"licence": None}, "licence is missing"),
        ({"languages": "en"}, "languages is missing, or is no list"),
        ({"labels": ["a"]}, "labels is missing, or is no table"),
        ({"not_for": [{"a": {"b": 1}}]}, "not_for is missing, or is no text"),
        ({"source": "x" * 4_001}, "source is longer than 4000"),
        ({"files": []}, "files is missing"),
        ({"files": [{"path": "a"}]}, "files holds something else"),
        ({"files": [{"path": "../a", "sha256": "0" * 64}]}, "leads out of the folder"),
        ({"files": [{"path": "/a", "sha256": "0" * 64}]}, "leads out of the folder"),
        ({"files": [{"path": "C:\\a", "sha256": "0" * 64}]}, "leads out of the folder"),
        ({"files": [{"path": "a", "sha256": "00"}]}, "has no sha256 for 'a'"),
        ({"files": [{"path": "a", "sha256": "0" * 64}] * 2}, "names 'a' twice"),
        ({"folder": ".."}, "folder is a path below"),
        ({"columns": {"txet": "a"}}, "columns has 'txet'"),
        ({"purpose": "x"}, ":14: purpose is no field"),
    ],
)
def test_a_description_that_is_wrong_is_named_by_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(told(**changes)))
    with pytest.raises(DataError) as error:
        read_description(path)
    assert str(error.value).startswith(f"{path}:")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", ":1: is no table"),
        ("name: a: b\n", ":1: no YAML"),
        ("name: a\nversion: b\nname: c\n", ":3: names 'name' a second time"),
        ("name: !!python/object/apply:os.getcwd []\n", ":1: no YAML"),
        ("a: " + "[" * 3_000, ""),
    ],
)
def test_what_is_no_description_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        read_description(path)
    assert f"{path}{said}" in str(error.value)


def test_all_that_a_description_lacks_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("name: a\nfiles: []\n")
    with pytest.raises(
        DataError, match=r":1: version, licence, languages, labels, not_for, source are missing; .*README"
    ):
        read_description(path)


def test_the_shortest_description_of_the_handbook_works_as_printed(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(name: mine\n.*?)```", (KEPT / "README.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "prompts.jsonl").write_text(ROWS)
    hexed = sha256(ROWS.encode()).hexdigest()
    (tmp_path / "data.yaml").write_text(re.sub(r"[0-9a-f]{64}", hexed, text))
    assert facts(tmp_path)["files"] == [
        {"name": f"{tmp_path.name}/prompts.jsonl", "sha256": hexed, "rows": 2, "description": "mine"}
    ]


def test_what_cannot_be_found_by_name_is_said_with_the_names_that_can(shelf: Path) -> None:
    (shelf / "a.yaml").write_text(yaml.safe_dump(told()))
    with pytest.raises(DataError, match=r"nowhere is not there, and no data have this name; .*devtest, .*piers"):
        survey([Path("nowhere")], Columns(), Labels())
    with pytest.raises(DataError, match="is not there, and no data have this name"):
        survey([Path("x" * 5_000)], Columns(), Labels())
    with pytest.raises(DataError, match=r"devtest.jsonl.gz is not there, but .* lists it"):
        survey([Path("devtest")], Columns(), Labels())
    with pytest.raises(DataError, match="faces is a set of pictures"):
        survey([Path("faces")], Columns(), Labels())
    with pytest.raises(DataError, match="piers are prompts"):
        pictures([Path("piers")])
    (shelf / "b.yaml").write_text(yaml.safe_dump(told()))
    with pytest.raises(DataError, match="have the name 'piers' both"):
        known()


def test_folders_of_pictures_are_held_to_their_csv_and_it_to_its_description(shelf: Path) -> None:
    (shelf / "boats").mkdir()
    picture = shelf / "boats" / "a.png"
    Image.new("RGB", (8, 8), "teal").save(picture)
    table = shelf / "boats.csv"
    table.write_text(f"file,n_faces,sha256\na.png,0,{sha256(picture.read_bytes()).hexdigest()}\n")
    files = [{"path": "boats.csv", "sha256": sha256(table.read_bytes()).hexdigest()}]
    (shelf / "a.yaml").write_text(yaml.safe_dump(told(name="boats", folder="boats", files=files)))
    for given in (Path("boats"), shelf / "boats"):
        assert [p.faces for p in pictures([given])] == [0]
        found = picture_facts(picture_folders([given]))
        assert found["folders"] == [{"name": str(shelf / "boats"), "description": "boats"}]
        assert [d["name"] for d in found["descriptions"]] == ["boats"]
    picture.write_bytes(picture.read_bytes() + b"x")
    with pytest.raises(DataError, match=r"a.png is not the file whose sha256"):
        pictures([Path("boats")])
    table.write_text("file\na.png\n")
    with pytest.raises(DataError, match=r"boats.csv has the sha256"):
        pictures([Path("boats")])


def test_the_projects_own_descriptions_are_whole() -> None:
    names = {read_description(path).name: path.stem for path in sorted(KEPT.glob("*.yaml"))}
    assert names == {name: name for name in ("devtest", "faces", "kodak", "nofaces", "notreal", "train")}


@pytest.mark.skipif(
    not (SHARED / "prompts").is_dir(), reason="the data of these descriptions are not beside the checkout"
)
@pytest.mark.parametrize("name", ["devtest", "train", "faces", "kodak", "nofaces", "notreal"])
def test_the_projects_own_data_are_the_ones_described(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GUARDRAIL_BENCH_DATA", raising=False)
    described = known()[name]
    described.hold_all()
    if described.folder and name != "kodak":
        with next(iter(described.paths)).open(encoding="utf-8", newline="") as file:
            origins = {row["source_repo"].strip("()") for row in csv.DictReader(file)}
        assert {o.removeprefix("drawn here ") if o.startswith("drawn") else o for o in origins} <= {
            part.removeprefix("drawn ") for part in described.parts
        }
