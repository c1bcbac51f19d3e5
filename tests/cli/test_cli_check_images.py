"""``guardrail check --image``: what is said of each picture, in words, as JSON and as a drawing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from guardrail.checks.base import SignalValues
from guardrail.guard.look import Looked
from guardrail.media import Region, Role
from guardrail.media.read import read_image
from tests.checks.joint.drawn import FACE, mask, person
from tests.cli.said import Run, running
from tests.known.drawn import drawn
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
        ({"consent": "yes", "gallery": "consented", "match": 0.9}, "on the list: consented, consent on file"),
        ({"consent": "no", "gallery": "consented", "match": 0.9}, "identifiable, consented, but not for this purpose"),
        ({"consent": "unknown", "gallery": "consented", "match": 0.6}, "consented, not surely enough"),
        ({"consent": "no", "gallery": "protected", "match": 0.9}, "like somebody on the list: protected"),
    ],
)
def test_a_face_in_words(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], words: str
) -> None:
    faces(monkeypatch, **fields)
    assert words in run("--image", photo).out


def test_a_consent_counts_for_its_purpose_only(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(self: Any, batch: Any, stage: Any) -> Any:
        answers = []
        for request in batch:
            covered = "yes" if request.context.purpose == "avatar" else "no"
            face = FIELDS | {"gallery": "consented", "match": 0.9, "consent": covered}
            regions = (Region(0, 0, FACE, "face", 0.9, face),)
            answers.append(SignalValues({"reference.faces": (face,)}, regions=regions))
        return answers

    monkeypatch.setattr(ScriptedFaces, "check", check)
    covered = run("--image", photo, "--purpose", "avatar")
    assert "consent on file" in covered.out
    other = run("--image", photo, "--purpose", "advertising")
    assert "consented, but not for this purpose" in other.out
    assert "consent on file" not in other.out
    assert run("--image", photo, "--json").json["images"][0]["faces"][0]["consent"] == "no"


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
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:200])
    said = run("--image", photo, "--image", broken, "--json")
    assert said.code == 3
    assert [i["image"] for i in said.json["images"]] == [0, 1]
    assert "damaged or cut off" in said.json["images"][1]["fault"]
    (reason,) = said.json["reasons"]
    assert (said.json["stage"], reason["stage"]) == ("reference", "reference")
    assert reason["cause"].endswith("cannot be decoded as PNG (number 2)")
    # Its drawing has its own number, whatever became of the first.
    out = tmp_path / "out.png"
    images = run("--image", broken, "--image", photo, "--draw", out, "--json").json["images"]
    assert [i["drawn"] for i in images] == [None, str(tmp_path / "out-2.png")]


def test_words_are_explained_beside_a_picture_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"GIF89a")
    said = run("--image", broken, "--prompt", "a naked woman", "--explain")
    assert said.code == 3
    assert "naked" in said.out.partition("prompt:")[2]


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
    assert re.search(r"body of a person, 6\d % of it masked", blocked.out)
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
    with Image.open(out) as boxed, Image.open(photo) as original:
        assert boxed.info == {}
        changed = (np.asarray(boxed) != np.asarray(original)).any(-1)
    left, top, width, height = (int(v) for v in FACE)
    assert changed[top : top + height, left].all()
    assert changed[top + height, left : left + width].all()
    # Inside the box the face is as it was, and so is everything far from it.
    assert not changed[top + 5 : top + height - 5, left + 5 : left + width - 5].any()
    assert not changed[200:].any()
    with Image.open(tmp_path / "drawn-2.png") as second, Image.open(empty) as other:
        assert (np.asarray(second) == np.asarray(other)).all()


def test_an_animation_shows_the_frame_that_matters_most(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [Image.new("RGB", (64, 48), (red, 0, 0)) for red in (10, 90, 170, 250)]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    found = {
        0: [("face", FIELDS | {"identifiable": False}, 0.99)],
        2: [("face", FIELDS | {"gallery": "protected"}, 0.8)],
        3: [("nudity", {"part": "FEET_EXPOSED", "grade": "person"}, 0.95)],
    }

    def check(self: Any, batch: Any, stage: Any) -> Any:
        regions = [Region(0, f, (8, 8, 16, 16), r[0], r[2], r[1]) for f, rs in found.items() for r in rs]
        items = tuple(r.fields for r in regions if r.kind == "face")
        return [SignalValues({"reference.faces": items}, regions=tuple(regions)) for _ in batch]

    monkeypatch.setattr(ScriptedFaces, "check", check)
    out = tmp_path / "out.png"
    said = run("--image", tmp_path / "moving.png", "--draw", out)
    assert f"drawn: {out}, frame 3 of 4; something was found in 3 frames" in said.out
    with Image.open(out) as picture:
        assert picture.getpixel((60, 44)) == (170, 0, 0)
    (one,) = run("--image", tmp_path / "moving.png", "--draw", out, "--json").json["images"]
    assert (one["drawn"], one["drawn_frame"]) == (str(out), 2)


@pytest.mark.parametrize(
    ("kind", "fields", "score", "over"),
    [
        ("nudity", {"grade": "explicit"}, 0.4, ("edit", {"part": "body"}, 0.9)),
        ("edit", {"part": "body"}, 0.4, ("face", FIELDS | {"consent": "unknown"}, 0.9)),
        ("face", FIELDS | {"consent": "unknown"}, 0.4, ("nudity", {"grade": "partial"}, 0.9)),
        ("nudity", {"grade": "partial"}, 0.4, ("face", FIELDS | {"consent": "yes"}, 0.9)),
        ("face", FIELDS | {"real": 0.1}, 0.4, ("nudity", {"grade": "person"}, 0.9)),
        ("face", FIELDS, 0.91, ("face", FIELDS, 0.9)),
    ],
)
def test_what_matters_more_is_shown_first(
    kind: str, fields: dict[str, Any], score: float, over: tuple[str, dict[str, Any], float]
) -> None:
    image = read_image(np.zeros((2, 2, 3), np.uint8))
    second = Region(0, 5, FACE, kind, score, fields)
    first = Region(0, 2, FACE, over[0], over[2], over[1])
    assert Looked(0, image, (first, second)).telling_frame == 5
    assert Looked(0, image, (first, Region(0, 3, FACE, over[0], over[2], over[1]))).telling_frame == 2
    assert Looked(0, image).telling_frame == 0


def test_a_mask_of_another_shape_is_said_to_be_stretched(run: Run, photo: Path, tmp_path: Path) -> None:
    Image.new("L", (200, 100)).save(tmp_path / "wide.png")
    Image.new("L", (48, 64)).save(tmp_path / "small.png")
    asked = ("--image", photo, "--mask", tmp_path / "small.png", "--mask", tmp_path / "wide.png")
    note = "mask 2 (200×100 px) has another shape: read as stretched over the whole picture"
    said = run(*asked)
    assert note in said.out
    assert "mask 1" not in said.out
    assert run(*asked, "--json").json["images"][0]["notes"] == [note]


def test_one_mask_of_several_is_enough(run: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces(monkeypatch)
    for name in ("sky", "clothes"):
        mask(name).save(tmp_path / f"{name}.png")
    both = ("--mask", tmp_path / "sky.png", "--mask", tmp_path / "clothes.png")
    said = run("--image", photo, "--prompt", "bare shoulders", *both)
    assert said.code == 11
    assert "undressing-edit" in said.out


def test_the_lists_of_a_known_image_are_named(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(drawn(1)).save(path)
    for name in ("reported", "ours"):
        assert running(capsys, "known")("add", path, "--list", name).code == 0
    said = run("--image", path)
    assert said.code == 11
    assert "a known image, of the list reported: the very same file" in said.out
    assert "a known image, of the list ours: the very same file" in said.out


@pytest.mark.parametrize(
    ("kind", "fields", "label"),
    [
        ("face", FIELDS, "face 60 px, real?"),
        ("face", FIELDS | {"real": 0.1, "identifiable": False}, "face 60 px, drawn, unclear"),
        ("face", FIELDS | {"real": 0.95, "gallery": "protected"}, "face 60 px, real, protected"),
        (
            "face",
            FIELDS | {"gallery": "consented", "consent": "no"},
            "face 60 px, real?, consented, other purpose",
        ),
        ("nudity", {"part": "BUTTOCKS_EXPOSED"}, "buttocks exposed"),
        ("edit", {"part": "body", "masked": 0.5}, "masked body"),
    ],
)
def test_a_drawn_label_is_short_and_has_no_identity(kind: str, fields: dict[str, Any], label: str) -> None:
    from guardrail.guard.look import labelled

    assert labelled(Region(0, 0, FACE, kind, 0.9, fields)) == label
