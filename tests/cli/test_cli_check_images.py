"""``guardrail check --image``: what is said of each picture, in words, as JSON and as a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from guardrail.media import Role
from tests.checks.joint.drawn import FACE, mask, person
from tests.cli.said import Run, running
from tests.scripted import ScriptedFaces, ScriptedNudity, install

FIELDS: dict[str, Any] = {"real": 0.75, "identifiable": True, "match": 0.0, "gallery": "none", "consent": "yes"}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("--image", …)` with faces and nudity as a test scripts them."""
    install(monkeypatch, ScriptedNudity, ScriptedFaces)
    return running(capsys, "check")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A drawn person, with text and EXIF in the file."""
    told = PngImagePlugin.PngInfo()
    told.add_text("comment", "taken at home")
    path = tmp_path / "photo.png"
    person().save(path, pnginfo=told)
    return path


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.png"
    Image.new("RGB", (64, 48), (9, 90, 40)).save(path)
    return path


def faces(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    def judge(image: Any) -> list[Any]:
        return [(FACE, FIELDS | fields)] if image.role is Role.REFERENCE and image.size == (512, 384) else []

    monkeypatch.setattr(ScriptedFaces, "judge", staticmethod(judge))


def test_each_picture_has_its_own_findings(run: Run, photo: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces(monkeypatch, gallery="protected", match=0.2)
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(lambda image: 0.5 if image.size[0] == 48 else 0.0))
    said = run("--image", photo, "--image", empty, "--policy", "research")
    first, second = said.out.index("photo.png (384×512)"), said.out.index("empty.png (64×48)")
    assert first < said.out.index("face 60×70 px, may be a photograph, identifiable") < second
    assert "like somebody on the list: protected" in said.out
    assert said.out.index("nudity, confidence 0.50") > second


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"real": 0.1}, "drawing or painting"),
        ({"real": 0.75}, "may be a photograph"),
        ({"real": 0.95}, "photograph"),
        ({"identifiable": False}, "too small or unclear to recognise"),
        ({"consent": "yes"}, "consent on file"),
    ],
)
def test_a_face_in_words(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], words: str
) -> None:
    faces(monkeypatch, **fields)
    assert words in run("--image", photo).out


def test_nothing_found_is_said_and_is_not_said_where_a_check_could_not_look(
    run: Run, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "empty.png (64×48): no face and no exposed body part found" in run("--image", empty).out
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(lambda image: None))
    said = run("--image", empty)
    assert said.code == 3
    assert "no exposed body part" not in said.out
    assert "nudity could not look" in said.out


def test_one_that_cannot_be_read_is_named_beside_the_others(run: Run, photo: Path, tmp_path: Path) -> None:
    said = run("--image", tmp_path / "nowhere.png", "--image", photo, "--json")
    assert said.code == 3
    assert [i["image"] for i in said.json["images"]] == [0, 1]
    assert "no such file" in said.json["images"][0]["fault"]


def test_as_json_with_boxes_and_no_label(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces(monkeypatch)
    (found,) = run("--image", photo, "--json").json["images"]
    (face,) = found["faces"]
    assert face == {"frame": 0, "box": [160.0, 60.0, 60.0, 70.0], "score": 0.9, **FIELDS}
    assert (found["width"], found["height"], found["nudity"], found["failures"]) == (384, 512, [], {})


def test_a_mask_and_words_are_judged_with_the_picture(
    run: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces(monkeypatch)
    over_body, over_sky = tmp_path / "body.png", tmp_path / "sky.png"
    mask("clothes").save(over_body)
    mask("sky").save(over_sky)
    asked = ("--image", photo, "--prompt", "bare shoulders", "--mask")
    blocked = run(*asked, over_body)
    assert blocked.code == 11
    assert "undressing-edit" in blocked.out
    assert "body of a person, 60 % of it masked" in blocked.out
    assert run(*asked, over_sky).code == 0
    assert run("--image", photo, "--prompt", "a red summer dress", "--mask", over_body).code == 0


@pytest.mark.parametrize("option", ["--mask", "--draw"])
def test_a_mask_or_a_drawing_needs_a_picture(run: Run, photo: Path, option: str) -> None:
    assert run("--prompt", "a house", option, photo).code == 2


def test_the_drawing_is_a_copy_with_boxes_and_without_metadata(
    run: Run, photo: Path, empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces(monkeypatch)
    before = photo.read_bytes()
    out = tmp_path / "drawn.png"
    said = run("--image", photo, "--image", empty, "--draw", out)
    assert f"drawn: {out}" in said.out
    assert photo.read_bytes() == before
    with Image.open(out) as drawn, Image.open(photo) as original:
        assert drawn.info == {}
        changed = (np.asarray(drawn) != np.asarray(original)).any(-1)
    left, top, width, height = (int(v) for v in FACE)
    assert changed[top : top + height, left].all()
    assert changed[top + height, left : left + width].all()
    # Inside the box the face is as it was, and so is everything far from it.
    assert not changed[top + 5 : top + height - 5, left + 5 : left + width - 5].any()
    assert not changed[200:].any()
    with Image.open(tmp_path / "drawn-2.png") as second, Image.open(empty) as other:
        assert (np.asarray(second) == np.asarray(other)).all()


def test_a_drawing_that_cannot_be_written_is_a_message(run: Run, photo: Path, tmp_path: Path) -> None:
    said = run("--image", photo, "--draw", tmp_path / "nowhere" / "out.png")
    assert said.code == 3
    assert "cannot be written" in said.err


@pytest.mark.parametrize(
    ("kind", "fields", "label"),
    [
        ("face", FIELDS, "face 60 px, real?"),
        ("face", FIELDS | {"real": 0.1, "identifiable": False}, "face 60 px, drawn, unclear"),
        ("face", FIELDS | {"real": 0.95, "gallery": "protected"}, "face 60 px, real, protected"),
        ("nudity", {"part": "BUTTOCKS_EXPOSED"}, "buttocks exposed"),
        ("edit", {"part": "body", "masked": 0.5}, "masked body"),
    ],
)
def test_a_drawn_label_is_short_and_has_no_identity(kind: str, fields: dict[str, Any], label: str) -> None:
    from guardrail.guard.look import labelled
    from guardrail.media import Region

    assert labelled(Region(0, 0, FACE, kind, 0.9, fields)) == label
