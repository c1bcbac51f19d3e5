"""``guardrail bench images`` on drawn pictures whose answers are scripted: every figure can be counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from guardrail.bench.files import DataError
from guardrail.bench.image_tables import image_facts, image_sheets
from guardrail.bench.images import ImagePlan, failed, measure
from guardrail.bench.pictures import pictures
from guardrail.bench.report import written
from tests.cli.said import running
from tests.scripted import ScriptedFaces, ScriptedNudity, install

FACE = ((2.0, 2.0, 20.0, 20.0), {"real": 0.75, "identifiable": True, "match": 0.0, "gallery": "none"})
DRAWN = ((2.0, 2.0, 20.0, 20.0), {"real": 0.1, "identifiable": False, "match": 0.0, "gallery": "none"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`people`: three with a face, one missed; `places`: four without, one of which fires; `loose`: undescribed.

    The red value of a picture says what the scripted checks answer.
    """
    rows = {"people": [(10, 1), (11, 2), (0, 1)], "places": [(0, 0), (0, 0), (10, 0), (50, 0)], "loose": [(20, None)]}
    for name, of in rows.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        lines = ["file,n_faces,category"]
        for i, (red, count) in enumerate(of):
            Image.new("RGB", (32, 32), (red, 0, 0)).save(tmp_path / "data" / name / f"{i}.png")
            lines.append(f"{i}.png,{count},{'a' if i else 'b'}")
        if name != "loose":
            (tmp_path / "data" / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {10: [FACE], 11: [FACE, FACE], 20: [DRAWN]}
    red = staticmethod(lambda image: answers.get(int(image.frames[0][0, 0, 0]), []))
    nude = staticmethod(lambda image: 0.5 if int(image.frames[0][0, 0, 0]) == 50 else 0.0)
    monkeypatch.setattr(ScriptedFaces, "judge", red)
    monkeypatch.setattr(ScriptedNudity, "judge", nude)
    install(monkeypatch, ScriptedFaces, ScriptedNudity)


def rates(report: dict[str, Any], by: str, group: str) -> dict[str, tuple[int, int]]:
    of = [r for r in report["rates"] if (r["by"], r["group"]) == (by, group)]
    return {r["measure"]: (r["found"]["count"], r["found"]["of"]) for r in of}


def test_every_rate_is_what_can_be_counted(folder: Path) -> None:
    report = measure(ImagePlan([folder]))
    real, clear = "counts as real, of those with a face found", "identifiable, of those with a face found"
    assert rates(report, "all", "") == {
        "faces found": (2, 3),
        "fired without a face": (1, 4),
        "any face": (1, 1),
        real: (3, 4),
        clear: (3, 4),
        "nudity, partial": (1, 8),
        "nudity, explicit": (0, 8),
        "known image": (0, 8),
    }
    assert rates(report, "folder", "people")["faces found"] == (2, 3)
    assert rates(report, "folder", "places")["fired without a face"] == (1, 4)
    assert rates(report, "folder", "loose") == {
        "any face": (1, 1),
        real: (0, 1),
        clear: (0, 1),
        "nudity, partial": (0, 1),
        "nudity, explicit": (0, 1),
        "known image": (0, 1),
    }
    assert rates(report, "category", "b")["faces found"] == (1, 1)
    (found,) = [r for r in report["rates"] if r["by"] == "all" and r["measure"] == "faces found"]
    low, high = found["found"]["interval_95"]
    assert (round(low, 3), round(high, 3)) == (0.208, 0.939)
    assert report["data"] == {"folders": [str(folder)], "pictures": 8, "chosen": 8, "measured": 8, "described": 7}


def test_each_stage_has_its_processor_time(folder: Path) -> None:
    times = measure(ImagePlan([folder]))["processor_ms"]
    assert list(times) == ["decoding", "faces", "nudity", "known-images"]
    assert sum(t["share"] for t in times.values()) == pytest.approx(1.0)
    assert all(0 <= t["p50"] <= t["p95"] for t in times.values())


def test_what_cannot_be_read_or_checked_is_counted_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "loose" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    report = measure(ImagePlan([folder]))
    assert report["could_not_be_checked"] == {"unreadable: unreadable-image": 1}
    assert failed(report) == 1
    assert [report["data"][name] for name in ("measured", "chosen", "pictures")] == [8, 9, 9]
    assert rates(report, "all", "")["nudity, partial"] == (1, 8)

    def broken(self: Any, batch: Any, stage: Any) -> Any:
        from guardrail.checks.base import Failure

        return [Failure("gave up") for _ in batch]

    monkeypatch.setattr(ScriptedFaces, "check", broken)
    report = measure(ImagePlan([folder]))
    assert report["could_not_be_checked"] == {"faces: gave up": 8, "unreadable: unreadable-image": 1}
    assert (failed(report), report["data"]["measured"], report["data"]["described"]) == (9, 0, 0)
    assert "faces found" not in rates(report, "all", "")


def test_four_of_five_that_cannot_be_read_are_no_measurement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    Image.new("RGB", (32, 32)).save(data / "0.png")
    for i in range(1, 5):
        (data / f"{i}.png").write_bytes(b"no picture")
    run = running(capsys, "bench", "images")
    said = run("--data", data)
    assert said.code == 3
    assert "pictures measured: 1 of 5, 0 with a face count" in said.out
    assert "could not be checked: 4 unreadable: unsupported-input" in said.out
    (data / "0.png").unlink()
    none = run("--data", data, "--json")
    assert (none.code, none.json["rates"], none.json["data"]["measured"]) == (3, [], 0)
    assert "pictures measured: 0 of 4" in run("--data", data).out


def test_files_are_named_only_where_asked_for(folder: Path) -> None:
    assert str(folder / "people") not in json.dumps(measure(ImagePlan([folder])))
    shown = measure(ImagePlan([folder], show=5))["shown"]
    assert shown == {
        "missed faces": [str(folder / "people" / "2.png")],
        "faces where none is": [str(folder / "places" / "2.png")],
        "nudity": [str(folder / "places" / "3.png")],
    }


def test_fewer_are_evenly_spread(folder: Path) -> None:
    report = measure(ImagePlan([folder], limit=4))
    assert (report["data"]["measured"], report["data"]["pictures"]) == (4, 8)
    assert {r["group"] for r in report["rates"] if r["by"] == "folder"} == {"loose", "people", "places"}


def test_a_csv_inside_its_folder_is_about_that_folder(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "index.csv").write_text("file,n_faces\na.png,3\n")
    (found,) = pictures([tmp_path])
    assert (found.faces, found.group) == (3, tmp_path.name)


@pytest.mark.parametrize("form", ["absolute", "relative", "within", "both", "link"])
def test_a_csv_beside_its_folder_is_read_with_the_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.chdir(folder)
    given = {
        "absolute": [folder / "people"],
        "relative": [Path("people")],
        "within": [Path()],
        "both": [Path(), Path("people")],
        "link": [Path("linked")],
    }[form]
    if form == "within":
        monkeypatch.chdir(folder / "people")
    if form == "link":
        Path("linked").symlink_to(folder / "people")
        Path("linked.csv").symlink_to(folder / "people.csv")
    assert [p.faces for p in pictures(given) if p.path.resolve().parent.name == "people"] == [1, 2, 1]


def test_without_a_csv_a_line_says_why_there_are_no_rates(folder: Path) -> None:
    described = dict(image_facts(measure(ImagePlan([folder]))))
    assert not any(name.startswith("no rates") for name in described)
    for name in ("people", "places"):
        (folder / f"{name}.csv").unlink()
    facts = dict(image_facts(measure(ImagePlan([folder]))))
    assert "no csv says how many faces" in facts["no rates of faces missed or wrongly found"]
    assert facts["pictures measured"] == "8 of 8, 0 with a face count"


def test_of_a_sample_the_whole_is_named_too(folder: Path) -> None:
    (folder / "people" / "1.png").write_bytes(b"no picture")
    facts = dict(image_facts(measure(ImagePlan([folder], limit=4))))
    assert facts["pictures measured"].startswith("3 of 4 (of 8 there), ")


@pytest.mark.parametrize("known", ["nowhere", "", "people/0.png"])
def test_lists_that_are_not_there_are_a_usage_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], known: str
) -> None:
    monkeypatch.chdir(folder)
    run = running(capsys, "bench", "images")
    said = run("--data", "people", "--known", known)
    assert (said.code, said.out) == (2, "")
    assert "--known" in said.err
    assert run("--data", "people", "--known", "places", "--json").code == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\na.png\n", "must name the column file"),
        ("file,n_faces\na.png,two\n", ":2: n_faces is a number"),
        ("file\na.png\na.png\n", ":3: this file is named a second time"),
        ("file\nb.png\n", "b.png is named in a csv, but is not there"),
    ],
)
def test_a_csv_that_cannot_be_understood_is_refused(tmp_path: Path, text: str, message: str) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        pictures([tmp_path])


def test_a_folder_that_is_not_there_or_holds_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no folder"):
        pictures([tmp_path / "nowhere"])
    with pytest.raises(DataError, match="holds no picture"):
        pictures([tmp_path])


def test_the_tables_say_what_the_report_says(folder: Path) -> None:
    report = measure(ImagePlan([folder], show=1))
    text = written("Image checks", image_facts(report), image_sheets(report))
    assert "| all | faces found | 2 | 3 | 66.67 % (20.77–93.85) |" in text
    assert "| places | fired without a face | 1 | 4 |" in text
    assert "real 0.50, nudity.partial 0.35, nudity.explicit 0.65" in text


def test_the_command_writes_both_files(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = running(capsys, "bench", "images")
    said = run("--data", folder, "--out", tmp_path / "out")
    assert (said.code, said.err) == (0, "")
    assert "faces found" in said.out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["kind"] == "guardrail bench images"
    assert "# Image checks" in (tmp_path / "out" / "report.md").read_text()
    assert run("--data", folder, "--json").json["data"] == report["data"]
    assert run("--data", tmp_path / "nowhere").code == 2
