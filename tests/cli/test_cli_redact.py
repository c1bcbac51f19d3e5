"""``guardrail redact``: what is written, what is said of it, and that nothing is written where it does not hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from guardrail.media import decode_image
from tests.scripted import ScriptedFaces, ScriptedNudity, install

from .said import Run, running

BOX = (20.0, 30.0, 40.0, 20.0)
# BOX and 15 % more on each side, whole pixels outwards.
GROWN = (slice(27, 53), slice(14, 66))
FIELDS = {"real": 0.75, "identifiable": True, "match": 0.0, "gallery": "none", "consent": "unknown"}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return running(capsys, "redact")


@pytest.fixture
def faces(monkeypatch: pytest.MonkeyPatch) -> Any:
    install(monkeypatch, ScriptedFaces, ScriptedNudity)
    monkeypatch.setattr(ScriptedFaces, "judge", staticmethod(lambda image: [(BOX, FIELDS)]))
    return ScriptedFaces


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (96, 128, 3), np.uint8)).save(path)
    return path


@pytest.mark.parametrize("method", ["blur", "pixelate", "fill", "replace"])
def test_a_face_is_covered_and_nothing_else(run: Run, faces: Any, photo: Path, tmp_path: Path, method: str) -> None:
    out = tmp_path / "out.png"
    said = run(photo, out, "--method", method, "--json")
    assert said.code == 10
    assert said.json["method"] == method
    assert said.json["strength"] == 1
    assert said.json["regions"] == [{"frame": 0, "box": list(BOX), "kind": "face", "score": 0.9}]
    before, after = (decode_image(p).frames[0] for p in (photo, out))
    changed = (before != after).any(-1)
    assert changed[GROWN].mean() > 0.9
    changed[GROWN] = False
    assert not changed.any()


def test_a_redaction_that_does_not_hold_is_made_stronger(
    run: Run, faces: Any, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(faces, "still_recognised", staticmethod(lambda *_: asked.append(1) or len(asked) < 3))
    said = run(photo, tmp_path / "out.png", "--method", "blur", "--json")
    assert (said.code, said.json["strength"]) == (10, 3)
    assert np.ptp(decode_image(tmp_path / "out.png").frames[0][GROWN].reshape(-1, 3), axis=0).max() == 0


def test_nothing_is_written_where_it_does_not_hold(
    run: Run, faces: Any, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "still_recognised", staticmethod(lambda *_: True))
    said = run(photo, tmp_path / "out.png", "--draw", tmp_path / "boxes.png")
    assert said.code == 3
    assert "could not be covered so that it holds" in said.err
    assert sorted(p.name for p in tmp_path.glob("*.png")) == ["in.png"]


def test_a_check_that_fails_writes_nothing(
    run: Run, faces: Any, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(image: Any) -> Any:
        from guardrail.errors import CheckError

        raise CheckError("no number")

    monkeypatch.setattr(faces, "judge", staticmethod(broken))
    assert run(photo, tmp_path / "out.png").code == 3
    assert not (tmp_path / "out.png").exists()


def test_a_picture_of_nobody_is_copied_without_its_metadata(
    run: Run, faces: Any, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "judge", staticmethod(lambda image: []))
    said = run(photo, tmp_path / "out.png")
    assert (said.code, said.out) == (0, f"{tmp_path / 'out.png'}: nothing to cover was found\n")
    assert np.array_equal(decode_image(tmp_path / "out.png").frames[0], decode_image(photo).frames[0])


def test_boxes_are_drawn_over_the_covered_picture(run: Run, faces: Any, photo: Path, tmp_path: Path) -> None:
    run(photo, tmp_path / "out.png", "--draw", tmp_path / "boxes.png")
    covered, drawn = (decode_image(tmp_path / n).frames[0] for n in ("out.png", "boxes.png"))
    # Inside of the box the covered picture, on its edge the line.
    assert np.array_equal(covered[34:48, 24:56], drawn[34:48, 24:56])
    assert (drawn[30, 22:58] == (0, 190, 255)).all()


@pytest.mark.parametrize("method", ["eye-bar", "black_bar"])
def test_an_eye_bar_is_refused_with_the_reason(run: Run, photo: Path, tmp_path: Path, method: str) -> None:
    said = run(photo, tmp_path / "out.png", "--method", method)
    assert said.code == 2
    assert "redaction" in said.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--method", "smudge"), "no redaction is called 'smudge'"),
        (("--target", "hands"), "not 'hands'"),
        (("--method", "replace", "--target", "nudity"), "not 'nudity'"),
    ],
)
def test_unknown_words_are_refused(
    run: Run, faces: Any, photo: Path, tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    said = run(photo, tmp_path / "out.png", *options)
    assert said.code == 3
    assert says in said.err


def test_body_parts_are_covered_too(
    run: Run, faces: Any, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nude until the place is flat.
    monkeypatch.setattr(
        ScriptedNudity,
        "judge",
        staticmethod(lambda image: 0.8 if image.frames[0][8:24, 8:24].std(axis=(0, 1)).any() else 0.0),
    )
    said = run(photo, tmp_path / "out.png", "--target", "nudity", "--json")
    assert said.code == 10
    assert [r["kind"] for r in said.json["regions"]] == ["nudity"]
