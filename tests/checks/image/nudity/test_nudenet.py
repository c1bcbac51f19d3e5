"""The model itself, on harmless pictures (no other kind is kept here), and beside its own package.

scikit-image's colour wheel is the stand-in for a positive: the model takes it for a body part at 0.6 to 0.8.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail.checks.base import CheckSettings, Failure, SignalValues
from guardrail.checks.image.nudity import EXPLICIT, NudeNet, NudityCheck
from guardrail.checks.image.nudity.looks import FIRST_SIDE, SECOND_SIDE
from guardrail.media import ImageInput, Request
from guardrail.media.read import read_image
from guardrail.signals import Stage

pytestmark = pytest.mark.usefixtures("nudenet")

NIGHTLY = (
    pytest.mark.nightly,
    pytest.mark.skipif(os.environ.get("GUARDRAIL_NIGHTLY") != "1", reason="every photograph; GUARDRAIL_NIGHTLY=1"),
)
PHOTOS = ("astronaut", "coffee", "chelsea", "rocket", "colorwheel")


def photo(name: str) -> Any:
    data = pytest.importorskip("skimage.data")
    return np.ascontiguousarray(getattr(data, name)()[..., :3])


def judged(check: NudityCheck, picture: Any) -> float:
    answer: SignalValues | Failure
    (answer,) = check.check([Request(images=(read_image(picture),))], Stage.REFERENCE)
    assert isinstance(answer, SignalValues)
    value = answer.signals["reference.nudity"]
    assert isinstance(value, float)
    return value


# ---- beside the package


def require_same(ours: NudeNet, theirs: Any, picture: Any, side: int) -> int:
    found = ours.detect(picture, side).parts
    # The package swaps red and blue of an array that has them in this order, and back again.
    said = theirs.detect(np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)]))
    assert [p.label for p in found] == [d["class"] for d in said]
    for part, other in zip(found, said, strict=True):
        assert part.score == pytest.approx(other["score"], abs=1e-3)
        assert part.box == pytest.approx(other["box"], abs=1 + 1e-3)
    return len(found)


@pytest.mark.parametrize("side", [FIRST_SIDE, pytest.param(SECOND_SIDE, marks=NIGHTLY)])
def test_boxes_and_scores_are_those_of_the_package(side: int) -> None:
    nudenet = pytest.importorskip("nudenet")
    theirs = nudenet.NudeDetector(inference_resolution=side)
    assert sum(require_same(NudeNet(), theirs, photo(name), side) for name in PHOTOS) >= 2


@pytest.mark.parametrize("side", [FIRST_SIDE, pytest.param(SECOND_SIDE, marks=NIGHTLY)])
@pytest.mark.parametrize("every", [6, pytest.param(1, marks=NIGHTLY)])
def test_they_are_on_test_photographs_too(shared: Path, side: int, every: int) -> None:
    nudenet = pytest.importorskip("nudenet")
    theirs = nudenet.NudeDetector(inference_resolution=side)
    ours = NudeNet()
    folder = shared / "data/images"
    files = sorted([*folder.glob("kodak/*.png"), *folder.glob("faces/lz_*.jpg")])[::every]
    pictures = [next(view for _, view in read_image(path).views()) for path in files]
    assert len(pictures) >= 16 // every
    assert sum(require_same(ours, theirs, picture, side) for picture in pictures) >= 10 // every


# ---- alone


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_ordinary_photographs_raise_no_alarm(name: str) -> None:
    assert judged(NudityCheck(), photo(name)) < 0.35


def on_white(picture: Any, side: int, at: tuple[int, int], size: tuple[int, int] = (512, 512)) -> Any:
    from PIL import Image

    out = Image.new("RGB", (size[1], size[0]), (255, 255, 255))
    out.paste(Image.fromarray(picture).resize((side, side)), (at[1], at[0]))
    return np.asarray(out)


@pytest.mark.parametrize("turn", [lambda p: p, lambda p: p[:, ::-1], lambda p: p.transpose(1, 0, 2)])
def test_the_stand_in_is_seen_and_located(turn: Callable[[Any], Any]) -> None:
    picture = np.ascontiguousarray(turn(on_white(photo("colorwheel"), 260, (126, 126))))
    (answer,) = NudityCheck().check([Request(images=(read_image(picture),))], Stage.REFERENCE)
    assert isinstance(answer, SignalValues)
    assert float(answer.signals["reference.nudity"]) > 0.35  # type: ignore[arg-type]
    left, top, width, height = max(answer.regions, key=lambda r: r.score).box
    assert (left, top, left + width, top + height) == pytest.approx((126, 126, 386, 386), abs=20)


@pytest.mark.parametrize("length", [2000, 4000])
@pytest.mark.parametrize("upright", [True, False])
def test_the_stand_in_is_seen_in_a_strip(length: int, upright: bool) -> None:
    """Reduced by the long side it would be 64 or 32 pixels large, and not seen."""
    at, size = (60, length // 2), (400, length)
    picture = on_white(photo("colorwheel"), 300, at[:: 1 if upright else -1], size[:: 1 if upright else -1])
    assert not [p for p in NudeNet().detect(picture, FIRST_SIDE).parts if p.label in EXPLICIT]
    assert judged(NudityCheck(), picture) > 0.35


def test_a_box_lies_in_the_coordinates_of_a_wide_picture() -> None:
    picture = on_white(photo("colorwheel"), 300, (60, 500), (400, 900))
    (part, *_) = NudeNet().detect(picture, FIRST_SIDE).parts
    assert part.box == pytest.approx((500, 60, 300, 300), abs=25)


def test_a_frame_inside_an_animation_is_seen_like_a_still() -> None:
    wheel, white = on_white(photo("colorwheel"), 260, (126, 126)), np.full((512, 512, 3), 255, np.uint8)
    check = NudityCheck()
    moving = ImageInput((white, wheel, white))
    (answer,) = check.check([Request(images=(moving,))], Stage.REFERENCE)
    assert isinstance(answer, SignalValues)
    assert answer.signals["reference.nudity"] == judged(check, wheel) > 0.35
    assert {r.frame for r in answer.regions} == {1}


def test_a_model_that_gives_nan_is_an_error_and_not_an_all_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def run(self, names: Any, feed: Any) -> Any:
            return [np.full((1, 22, 2100), np.nan, np.float32)]

    detector = NudeNet()
    monkeypatch.setattr(detector, "_session", Broken())
    (answer,) = NudityCheck(detector=detector).check(
        [Request(images=(read_image(photo("astronaut")),))], Stage.REFERENCE
    )
    assert answer == Failure("nudenet-320n gave a number that is not finite")


def test_the_same_picture_gets_the_same_answer_on_one_thread_and_on_two() -> None:
    picture = on_white(photo("colorwheel"), 260, (126, 126))
    one, two = NudityCheck(CheckSettings(threads=1)), NudityCheck(CheckSettings(threads=2))
    assert judged(one, picture) == judged(one, picture)
    assert judged(one, picture) == pytest.approx(judged(two, picture), abs=1e-5)


def test_what_it_runs_on_is_stated() -> None:
    stated = NudityCheck().effective()
    assert stated.name == "nudity: nudenet-320n"
    assert len(stated.weights["nudenet-320n"]) == 64
