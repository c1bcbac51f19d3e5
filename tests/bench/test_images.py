"""``guardrail bench images`` on drawn pictures whose answers are scripted: every figure can be counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from guardrail.bench.files import DataError
from guardrail.bench.image_attack_tables import attack_measures
from guardrail.bench.images import ImagePlan, failed, measure
from guardrail.bench.marks.drawings import drawing
from guardrail.bench.pictures import pictures
from guardrail.bench.run.measures import Measure
from guardrail.bench.run.record import Run
from guardrail.bench.run.samples import FILE, read_samples
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


def figure(run: Run, key: str) -> tuple[int | None, int]:
    (found,) = [m for m in run.measures if m.key == key]
    return found.count, found.n


def names(run: Run, of: str) -> set[str]:
    return {m.name for m in run.measures if m.key.endswith(f"[{of}]")}


def test_every_rate_is_what_can_be_counted(folder: Path) -> None:
    run = measure(ImagePlan([folder], keep_names=True))
    assert {m.name: (m.count, m.n) for m in run.measures if not m.of} == {
        "face_found_rate": (2, 3),
        "face_alarm_rate": (1, 4),
        "face_any_rate": (1, 1),
        "face_real_rate": (3, 4),
        "face_identifiable_rate": (3, 4),
        "nudity_partial_rate": (1, 8),
        "nudity_explicit_rate": (0, 8),
        "known_found_rate": (None, 0),
        "known_alarm_rate": (None, 0),
        "known_rate": (None, 0),
        "not_checked_rate": (0, 8),
    }
    assert figure(run, "face_found_rate[folder=people]") == (2, 3)
    assert figure(run, "face_alarm_rate[folder=places]") == (1, 4)
    assert figure(run, "face_found_rate[category=b]") == (1, 1)
    assert "face_found_rate" not in names(run, "folder=loose")
    assert figure(run, "face_any_rate[folder=loose]") == (1, 1)
    (found,) = [m for m in run.measures if m.key == "face_found_rate"]
    assert found.interval is not None
    assert (round(found.interval[0], 3), round(found.interval[1], 3)) == (0.208, 0.939)
    assert "name one with --known" in run.not_run["known images"]
    assert measure(ImagePlan([folder], keep_names=True)).measures == run.measures


def test_each_stage_has_its_processor_time_and_no_measure_holds_one(folder: Path) -> None:
    run = measure(ImagePlan([folder], known_here=True))
    times = run.timing["processor_ms"]
    assert list(times) == ["decoding", "faces", "nudity", "known-images"]
    assert sum(t["share"] for t in times.values()) == pytest.approx(1.0)
    assert all(0 <= t["p50"] <= t["p95"] for t in times.values())
    assert not any(m.unit == "ms" for m in run.measures)


def test_what_cannot_be_read_or_checked_is_counted_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "loose" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    run = measure(ImagePlan([folder], attacks=("mirror",)))
    assert dict(run.told)["could not be checked"] == "1 unreadable: unreadable-image"
    assert failed(run) == 1
    assert figure(run, "not_checked_rate") == (1, 9)
    assert figure(run, "not_checked_rate[attack=mirror]") == (0, 8)
    assert figure(run, "nudity_partial_rate") == (1, 8)

    def broken(self: Any, batch: Any, stage: Any) -> Any:
        from guardrail.checks.base import Failure

        return [Failure("gave up") for _ in batch]

    monkeypatch.setattr(ScriptedFaces, "check", broken)
    run = measure(ImagePlan([folder]))
    assert dict(run.told)["could not be checked"] == "8 faces: gave up; 1 unreadable: unreadable-image"
    assert (failed(run), figure(run, "face_found_rate")) == (9, (None, 0))
    assert dict(run.told)["pictures measured"].startswith("0 of 9, 0 with")


def test_what_attacks_lose_and_add_can_be_counted(folder: Path) -> None:
    """The scripted checks go by the red value at the top left: grey changes it, a mirror and a turn do not."""
    run = measure(ImagePlan([folder], attacks=("mirror", "rot90", "grey", "sticker_eyes", "overlay_frame")))
    assert figure(run, "attack_lost_rate[attack=mirror, finding=faces]") == (0, 4)
    assert figure(run, "attack_lost_rate[attack=rot90, finding=real]") == (0, 3)
    assert figure(run, "attack_lost_rate[attack=grey, finding=faces]") == (4, 4)
    assert figure(run, "attack_lost_rate[attack=grey, finding=nudity]") == (1, 1)
    assert figure(run, "attack_alarm_rate[attack=mirror, finding=faces]") == (0, 3)
    assert figure(run, "attack_alarm_rate[attack=grey, finding=nudity]") == (0, 7)
    assert figure(run, "not_checked_rate[attack=sticker_eyes]") == (0, 4)
    assert "what attacks lose of known" in run.not_run
    assert not any(m.key.endswith("finding=known]") for m in run.measures)
    (chart,) = [f for f in run.figures if f.name == "attacks-faces"]
    assert dict(zip(chart.points[0].labels, chart.points[0].values, strict=True))["grey"] == 100
    assert "[category=a]" in " ".join(m.key for m in run.measures)


def test_an_attack_that_finds_nothing_to_work_on_is_named(folder: Path) -> None:
    run = measure(ImagePlan([folder / "places"], attacks=("sticker_eyes",), limit=1))
    assert "nothing was found" in run.not_run["attack sticker_eyes"]


def test_a_killed_run_goes_on_to_the_same_figures(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = ImagePlan([folder], attacks=("mirror", "sticker_eyes"), out=tmp_path)
    whole = measure(plan)
    lines = (tmp_path / FILE).read_bytes().splitlines(keepends=True)
    assert len(lines) == 1 + 8 * 3
    for kept in (1, 5, 24):
        (tmp_path / FILE).write_bytes(b"".join(lines[:kept]) + b'{"cut')
        assert measure(plan).measures == whole.measures
    with pytest.raises(DataError, match="another run"):
        measure(ImagePlan([folder], out=tmp_path))
    monkeypatch.setattr("guardrail.bench.run.environment.source", lambda: "another")
    with pytest.raises(DataError, match="another run"):
        measure(plan)


def test_folders_below_the_one_given_may_be_called_after_people_and_are_numbered(folder: Path, tmp_path: Path) -> None:
    def said(run: Run) -> str:
        shown = json.dumps([*(m.to_json() for m in run.measures), run.told]) + str(run.sheets) + str(run.figures)
        return (tmp_path / FILE).read_text("utf-8") + shown.replace(str(folder), "")

    run = measure(ImagePlan([folder], out=tmp_path))
    assert not any(name in said(run) for name in ("=people", "'people'", '"people"', "places", "loose"))
    assert figure(run, "face_found_rate[folder=folder 2]") == (2, 3)
    assert "--keep-names" in dict(run.told)["folders"]
    given = measure(ImagePlan([folder / "people"]))
    assert figure(given, "face_found_rate[folder=people]") == (2, 3)
    (folder / "people.csv").write_text("file,n_faces,category\n0.png,1,people\n")
    run = measure(ImagePlan([folder], out=tmp_path, fresh=True))
    assert any(m.of == (("folder", "people"),) for m in run.measures)
    assert "places" not in said(run)


def test_pictures_on_the_list_and_others_are_counted_apart(tmp_path: Path) -> None:
    for i in range(2):
        drawing(i, 64).save(tmp_path / f"{i}.png")
    run = measure(ImagePlan([tmp_path], known_here=True))
    assert (figure(run, "known_found_rate"), figure(run, "known_alarm_rate")) == ((1, 1), (0, 1))
    assert {m.name: m.better for m in run.measures if m.name.startswith("known_")} == {
        "known_found_rate": "higher",
        "known_alarm_rate": "lower",
        "known_rate": "",
    }
    assert figure(run, "known_rate") == (None, 0)


def test_attacked_pictures_that_could_not_be_checked_are_told_and_many_of_them_leave_no_claim() -> None:
    def made(lacking: int) -> Measure:
        blank = {"told_faces": None, "real": None, "nudity": None, "known": None, "cause": "", "applied": True}
        clean = [{**blank, "id": i, "attack": "", "faces": 1} for i in range(40)]
        after = [{**s, "attack": "mirror", "faces": None if s["id"] < lacking else 1} for s in clean]
        return next(m for m in attack_measures([*clean, *after]) if m.name == "attack_lost_rate")

    assert made(0).note.endswith("no longer")
    assert ((few := made(2)).n, few.note.endswith("; 2 of 40 could not be checked"), few.caveat) == (38, True, "")
    assert ((many := made(10)).n, many.remark) == (30, "10 of 40 could not be checked")
    assert (made(40).value, made(40).remark[-29:]) == (None, "40 of 40 could not be checked")


def test_files_are_named_only_where_asked_for(folder: Path, tmp_path: Path) -> None:
    run = measure(ImagePlan([folder], out=tmp_path))
    assert ".png" not in (tmp_path / FILE).read_text("utf-8") + json.dumps([m.to_json() for m in run.measures])
    assert ".png" not in str(run.sheets)
    run = measure(ImagePlan([folder], show=5, keep_names=True, fresh=True, out=tmp_path))
    assert dict(run.sheets[-1].rows) == {
        "missed faces": str(folder / "people" / "2.png"),
        "faces where none is": str(folder / "places" / "2.png"),
        "nudity": str(folder / "places" / "3.png"),
    }
    assert read_samples(tmp_path / FILE)[1][1]["file"] == str(folder / "people" / "0.png")


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
    assert "no csv says how many faces" in said.out
    (data / "0.png").unlink()
    none = run("--data", data, "--json")
    assert none.code == 3
    assert {m["name"]: m["value"] for m in none.json["measures"] if not m["of"]}["nudity_partial_rate"] is None
    assert "pictures measured: 0 of 4" in run("--data", data).out


def test_fewer_are_evenly_spread_and_the_whole_is_named_too(folder: Path) -> None:
    run = measure(ImagePlan([folder], limit=4))
    assert {value for m in run.measures for dimension, value in m.of if dimension == "folder"} == {
        "folder 1",
        "folder 2",
        "folder 3",
    }
    assert dict(run.told)["pictures measured"].startswith("4 of 4 (of 8 there), ")


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


@pytest.mark.parametrize("known", ["nowhere", "", "people/0.png"])
def test_lists_that_are_not_there_are_a_usage_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], known: str
) -> None:
    monkeypatch.chdir(folder)
    run = running(capsys, "bench", "images")
    said = run("--data", "people", "--known", known)
    assert (said.code, said.out) == (2, "")
    assert "--known" in said.err


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


def test_the_tables_say_what_the_measures_say(folder: Path) -> None:
    run = measure(ImagePlan([folder], attacks=("grey",)))
    by_title = {sheet.title: sheet for sheet in run.sheets}
    assert ("all", "faces found", "2", "3 †", "66.67 % (20.77–93.85)") in by_title["All pictures"].rows
    assert "real 0.50, nudity.partial 0.35, nudity.explicit 0.65" in by_title["All pictures"].note
    assert ("folder 3", "fired without a face", "1", "4 †") in [row[:4] for row in by_title["By folder"].rows]
    assert by_title["Attacks: a face"].rows[0][:3] == ("grey", "colour", "4 †")


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = running(capsys, "bench", "images")
    said = run("--data", folder, "--attack", "mirror", "--known", "data", "--json")
    assert said.code == 0
    assert said.json["attacks"] == ["mirror"]
    assert said.json["data"]["files"][0]["rows"] == 8
    assert run("--data", folder / "people", "--known", folder / "places", "--json").code == 0
    assert run("--data", tmp_path / "nowhere").code == 2
    assert "there are jpeg30" in run("--data", folder, "--attack", "invert").err
