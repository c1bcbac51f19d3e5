"""``guardrail redact``: what is written, what is said of it, and that nothing is written where it does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from guardrail.checks.base import Failure, SignalValues
from guardrail.media import Region, Request, decode_image
from guardrail.signals import Stage
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


class Objecting(ScriptedNudity):
    """Answers the scores in `says` in turn; a place only where `located`."""

    says: ClassVar[list[float]] = []
    located: ClassVar[bool] = False
    place: ClassVar[float] = 0.5

    def check(self, batch: Sequence[Request], stage: Stage) -> list[SignalValues | Failure]:
        score = self.says.pop(0)
        places = (Region(0, 0, BOX, "nudity", self.place),) if self.located and self.says else ()
        return [SignalValues({f"{stage.value}.nudity": score}, regions=places) for _ in batch]


@pytest.fixture
def objecting(monkeypatch: pytest.MonkeyPatch) -> type[Objecting]:
    install(monkeypatch, ScriptedFaces, Objecting)
    monkeypatch.setattr(Objecting, "says", [])
    monkeypatch.setattr(Objecting, "located", False)
    monkeypatch.setattr(Objecting, "place", 0.5)
    return Objecting


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_nothing_is_written_where_a_second_opinion_objects_and_no_place_is_known(
    run: Run, objecting: type[Objecting], photo: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    objecting.says = [0.9]
    said = run(photo, tmp_path / "out.png", "--target", "nudity", "--draw", tmp_path / "boxes.png", *options)
    assert said.code == 3
    assert "nudity was found, but not where" in said.err
    assert sorted(p.name for p in tmp_path.glob("*.png")) == ["in.png"]


@pytest.mark.parametrize(("score", "code"), [(0.34, 0), (0.35, 3)])
def test_a_second_opinion_objects_from_the_lowest_score_that_counts(
    run: Run, objecting: type[Objecting], photo: Path, tmp_path: Path, score: float, code: int
) -> None:
    objecting.says = [score]
    assert run(photo, tmp_path / "out.png", "--target", "nudity").code == code
    assert (tmp_path / "out.png").exists() == (code == 0)


def test_a_place_is_covered_though_a_second_opinion_made_little_of_it(
    run: Run, objecting: type[Objecting], photo: Path, tmp_path: Path
) -> None:
    objecting.says, objecting.located = [0.05, 0.0], True
    assert run(photo, tmp_path / "out.png", "--target", "nudity").code == 10
    before, after = (decode_image(p).frames[0] for p in (photo, tmp_path / "out.png"))
    assert (before != after)[GROWN].any(-1).mean() > 0.9


def test_a_second_opinion_that_still_objects_to_what_is_covered_keeps_it_back(
    run: Run, objecting: type[Objecting], photo: Path, tmp_path: Path
) -> None:
    objecting.says, objecting.located = [0.9, 0.8, 0.8, 0.8], True
    said = run(photo, tmp_path / "out.png", "--target", "nudity")
    assert said.code == 3
    assert "could not be covered so that it holds" in said.err
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("place", "score", "options", "code"),
    [
        (0.2959, 0.2959, (), 0),
        (0.35, 0.35, (), 10),
        (0.2959, 0.2959, ("--at-least", "0.29"), 10),
        (0.5, 0.5, ("--at-least", "0.6"), 0),
        # The place is doubtful, the picture is not: a second opinion.
        (0.2959, 0.9, (), 10),
    ],
)
def test_only_what_counts_for_the_policy_is_covered(
    run: Run,
    objecting: type[Objecting],
    photo: Path,
    tmp_path: Path,
    place: float,
    score: float,
    options: tuple[str, ...],
    code: int,
) -> None:
    objecting.says, objecting.located, objecting.place = [score, 0.0], True, place
    assert run(photo, tmp_path / "out.png", "--target", "nudity", *options).code == code
    before, after = (decode_image(p).frames[0] for p in (photo, tmp_path / "out.png"))
    assert (before != after).any() == (code == 10)


@pytest.mark.parametrize(
    "options",
    [
        ("--at-least", "0.5"),
        ("--target", "nudity", "--at-least", "0"),
        ("--target", "nudity", "--at-least", "1.5"),
        ("--target", "nudity", "--at-least", "nan"),
    ],
)
def test_a_lowest_score_that_cannot_be(run: Run, photo: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    said = run(photo, tmp_path / "out.png", *options)
    assert (said.code, "--at-least is for" in said.err) == (2, True)


def test_no_file_is_written_over_the_one_that_came_in(run: Run, photo: Path, tmp_path: Path) -> None:
    content = photo.read_bytes()
    (tmp_path / "soft.png").symlink_to(photo)
    (tmp_path / "hard.png").hardlink_to(photo)
    for out in (photo, tmp_path / "soft.png", tmp_path / "hard.png"):
        assert run(photo, out).code == 2
        assert run(photo, tmp_path / "out.png", "--draw", out).code == 2
    assert run(photo, tmp_path / "out.png", "--draw", tmp_path / "out.png").code == 2
    assert photo.read_bytes() == content
    assert not (tmp_path / "out.png").exists()


def test_a_file_that_cannot_be_written_is_one_line(run: Run, faces: Any, photo: Path, tmp_path: Path) -> None:
    for words in (
        (photo, tmp_path / "none" / "out.png"),
        (photo, tmp_path / "o.png", "--draw", tmp_path / "no" / "b.png"),
    ):
        said = run(*words)
        assert said.code == 3
        assert said.err.count("\n") == 1
        assert "cannot be written: No such file or directory" in said.err
