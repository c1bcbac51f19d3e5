"""Nudity: box maths with a scripted detector, and the model itself on harmless pictures (no other kind is kept here).

scikit-image's colour wheel is the stand-in for a positive: the model takes it for a body part at 0.6 to 0.8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from guardrail.checks.base import Failure, SignalValues
from guardrail.checks.image.nudity import (
    FIRST_SIDE,
    LABELS,
    SECOND_LOOK_PIXELS,
    SECOND_SIDE,
    BodyPart,
    NudeNet,
    NudityCheck,
)
from guardrail.errors import CheckError
from guardrail.media import ImageInput, Request
from guardrail.media.read import read_image
from guardrail.signals import Stage

PART = "BUTTOCKS_EXPOSED"
FACE = "FACE_MALE"
Box = tuple[float, float, float, float]


class Scripted:
    """A detector that sees what it is told, by side."""

    name = "scripted"
    weights: Mapping[str, str] = {}

    def __init__(self, first: Sequence[BodyPart] = (), second: Sequence[BodyPart] = ()) -> None:
        self.looks = {FIRST_SIDE: list(first), SECOND_SIDE: list(second)}
        self.asked: list[int] = []

    def detect(self, image: Any, side: int) -> list[BodyPart]:
        self.asked.append(side)
        return self.looks[side]


def seen(detector: Scripted, size: tuple[int, int] = (512, 512), channels: int = 3) -> SignalValues:
    picture = ImageInput((np.zeros((*size, channels), np.uint8),))
    (answer,) = NudityCheck(detector=detector).check([Request(images=(picture,))], Stage.REFERENCE)
    assert isinstance(answer, SignalValues)
    return answer


def score(first: Sequence[BodyPart], second: Sequence[BodyPart] = (), size: tuple[int, int] = (512, 512)) -> float:
    value = seen(Scripted(first, second), size).signals["reference.nudity"]
    assert isinstance(value, float)
    return value


SMALL: Box = (200.0, 200.0, 60.0, 60.0)
ELSEWHERE: Box = (20.0, 20.0, 60.0, 60.0)
LARGE: Box = (10.0, 10.0, 480.0, 480.0)


@pytest.mark.parametrize("label", LABELS)
def test_only_exposed_private_parts_count(label: str) -> None:
    private = label.endswith("_EXPOSED") and label.split("_")[-2] in {"BUTTOCKS", "GENITALIA", "ANUS"}
    private |= label == "FEMALE_BREAST_EXPOSED"
    assert score([BodyPart(label, 0.9, SMALL)]) == (0.9 if private else 0.0)


def test_the_surest_part_is_the_score_and_every_part_a_region() -> None:
    answer = seen(Scripted([BodyPart(PART, 0.4, ELSEWHERE), BodyPart(PART, 0.7, SMALL)]))
    assert answer.signals == {"reference.nudity": 0.7}
    assert [(r.kind, r.box, r.score) for r in answer.regions] == [("nudity", ELSEWHERE, 0.4), ("nudity", SMALL, 0.7)]


def test_nothing_seen_is_nothing_and_costs_one_look() -> None:
    detector = Scripted()
    assert seen(detector).signals == {"reference.nudity": 0.0}
    assert detector.asked == [FIRST_SIDE]


@pytest.mark.parametrize(("side", "looks"), [(SECOND_LOOK_PIXELS - 1, 1), (SECOND_LOOK_PIXELS, 2)])
def test_the_second_look_is_for_pictures_large_enough_with_somebody_in_them(side: int, looks: int) -> None:
    detector = Scripted([BodyPart("BELLY_COVERED", 0.3, SMALL)], [BodyPart(PART, 0.66, SMALL)])
    assert seen(detector, (side, 100)).signals["reference.nudity"] == (0.66 if looks == 2 else 0.0)
    assert len(detector.asked) == looks


def test_a_part_over_a_face_is_a_mistake() -> None:
    face = BodyPart(FACE, 0.8, (200.0, 200.0, 50.0, 50.0))
    assert score([face, BodyPart(PART, 0.9, SMALL)]) == 0.0
    assert score([face, BodyPart(PART, 0.9, ELSEWHERE)]) == 0.9


def test_a_part_that_fills_the_picture_is_a_mistake_only_where_a_face_is_in_sight() -> None:
    aside = BodyPart(FACE, 0.8, (495.0, 495.0, 15.0, 15.0))
    assert score([BodyPart(PART, 0.9, LARGE)]) == 0.9
    assert score([aside, BodyPart(PART, 0.9, LARGE)]) == 0.0


def test_on_close_portraits_a_weak_part_needs_both_looks() -> None:
    close = BodyPart(FACE, 0.8, (250.0, 20.0, 240.0, 240.0))
    weak, strong = BodyPart(PART, 0.4, ELSEWHERE), BodyPart(PART, 0.61, ELSEWHERE)
    assert score([close, weak]) == 0.0
    assert score([close, weak], [weak]) == 0.4
    assert score([close, weak], [BodyPart(PART, 0.4, SMALL)]) == 0.0
    assert score([close, strong]) == 0.61
    far = BodyPart(FACE, 0.8, (250.0, 20.0, 40.0, 40.0))
    assert score([far, weak]) == 0.4


def test_every_frame_and_both_backdrops_of_transparency_are_looked_at() -> None:
    detector = Scripted()
    clear = np.zeros((32, 32, 4), np.uint8)
    opaque = np.full((32, 32, 3), 9, np.uint8)
    check = NudityCheck(detector=detector)
    check.check([Request(images=(ImageInput((opaque, clear, opaque)),))], Stage.REFERENCE)
    assert len(detector.asked) == 4


@pytest.mark.parametrize(
    "bad", [BodyPart(PART, float("nan"), SMALL), BodyPart(FACE, 0.5, (0.0, float("inf"), 1.0, 1.0))]
)
def test_a_number_that_is_none_is_an_error(bad: BodyPart) -> None:
    with pytest.raises(CheckError, match="scripted gave a number that is not finite"):
        score([bad])


def test_each_request_of_a_batch_is_answered_alone() -> None:
    class ByBlue(Scripted):
        def detect(self, image: Any, side: int) -> list[BodyPart]:
            return [BodyPart(PART, float(image[0, 0, 2]) / 255, SMALL)] if image[0, 0, 2] else []

    pictures = [np.full((512, 512, 3), v, np.uint8) for v in (0, 102, 204)]
    batch = [Request(outputs=(ImageInput((p,)),)) for p in pictures]
    check = NudityCheck(detector=ByBlue())
    together = [a.signals for a in check.check(batch, Stage.OUTPUT) if isinstance(a, SignalValues)]
    alone = [a.signals for r in batch for a in check.check([r], Stage.OUTPUT) if isinstance(a, SignalValues)]
    assert together == alone == [{"output.nudity": v} for v in (0.0, 0.4, 0.8)]


# ---- the model


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


@pytest.mark.usefixtures("nudenet")
@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_ordinary_photographs_raise_no_alarm(name: str) -> None:
    assert judged(NudityCheck(), photo(name)) < 0.35


def on_white(picture: Any, side: int, at: tuple[int, int], size: tuple[int, int] = (512, 512)) -> Any:
    from PIL import Image

    out = Image.new("RGB", (size[1], size[0]), (255, 255, 255))
    out.paste(Image.fromarray(picture).resize((side, side)), (at[1], at[0]))
    return np.asarray(out)


@pytest.mark.usefixtures("nudenet")
@pytest.mark.parametrize("turn", [lambda p: p, lambda p: p[:, ::-1], lambda p: p.transpose(1, 0, 2)])
def test_the_stand_in_is_seen_and_located(turn: Callable[[Any], Any]) -> None:
    picture = np.ascontiguousarray(turn(on_white(photo("colorwheel"), 260, (126, 126))))
    (answer,) = NudityCheck().check([Request(images=(read_image(picture),))], Stage.REFERENCE)
    assert isinstance(answer, SignalValues)
    assert float(answer.signals["reference.nudity"]) > 0.35  # type: ignore[arg-type]
    left, top, width, height = max(answer.regions, key=lambda r: r.score).box
    assert (left, top, left + width, top + height) == pytest.approx((126, 126, 386, 386), abs=20)


@pytest.mark.usefixtures("nudenet")
def test_a_box_lies_in_the_coordinates_of_a_wide_picture() -> None:
    picture = on_white(photo("colorwheel"), 300, (60, 500), (400, 900))
    (part, *_) = NudeNet().detect(picture, FIRST_SIDE)
    assert part.box == pytest.approx((500, 60, 300, 300), abs=25)


@pytest.mark.usefixtures("nudenet")
def test_a_frame_inside_an_animation_is_seen_like_a_still() -> None:
    wheel, white = on_white(photo("colorwheel"), 260, (126, 126)), np.full((512, 512, 3), 255, np.uint8)
    check = NudityCheck()
    moving = ImageInput((white, wheel, white))
    (answer,) = check.check([Request(images=(moving,))], Stage.REFERENCE)
    assert isinstance(answer, SignalValues)
    assert answer.signals["reference.nudity"] == judged(check, wheel) > 0.35
    assert {r.frame for r in answer.regions} == {1}


@pytest.mark.usefixtures("nudenet")
def test_a_model_that_gives_nan_is_an_error_and_not_an_all_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def run(self, names: Any, feed: Any) -> Any:
            return [np.full((1, 22, 2100), np.nan, np.float32)]

    detector = NudeNet()
    monkeypatch.setattr(detector, "_session", Broken())
    with pytest.raises(CheckError, match="nudenet-320n gave a number that is not finite"):
        judged(NudityCheck(detector=detector), photo("astronaut"))


@pytest.mark.usefixtures("nudenet")
def test_the_same_picture_gets_the_same_answer_on_one_thread_and_on_two() -> None:
    from guardrail.checks.base import CheckSettings

    picture = on_white(photo("colorwheel"), 260, (126, 126))
    one, two = NudityCheck(CheckSettings(threads=1)), NudityCheck(CheckSettings(threads=2))
    assert judged(one, picture) == judged(one, picture)
    assert judged(one, picture) == pytest.approx(judged(two, picture), abs=1e-5)


@pytest.mark.usefixtures("nudenet")
def test_what_it_runs_on_is_stated() -> None:
    stated = NudityCheck().effective()
    assert stated.name == "nudity: nudenet-320n"
    assert len(stated.weights["nudenet-320n"]) == 64
