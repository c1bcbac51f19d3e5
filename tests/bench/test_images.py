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
    assert report["data"] == {"folders": [str(folder)], "pictures": 8, "measured": 8, "described": 7}


def test_each_stage_has_its_processor_time(folder: Path) -> None:
    times = measure(ImagePlan([folder]))["processor_ms"]
    assert list(times) == ["decoding", "faces", "nudity", "known-images"]
    assert sum(t["share"] for t in times.values()) == pytest.approx(1.0)
    assert all(0 <= t["p50"] <= t["p95"] for t in times.values())


def test_what_cannot_be_read_or_checked_is_counted_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "loose" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    report = measure(ImagePlan([folder]))
    assert report["could_not_be_checked"] == {"unreadable: unreadable-image": 1}
    assert failed(report) == 0
    assert rates(report, "all", "")["nudity, partial"] == (1, 8)

    def broken(self: Any, batch: Any, stage: Any) -> Any:
        from guardrail.checks.base import Failure

        return [Failure("gave up") for _ in batch]

    monkeypatch.setattr(ScriptedFaces, "check", broken)
    report = measure(ImagePlan([folder]))
    assert report["could_not_be_checked"]["faces: gave up"] == failed(report) == 8
    assert "faces found" not in rates(report, "all", "")


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
