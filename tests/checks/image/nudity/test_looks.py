"""How often a picture is looked at, and which boxes are believed: box maths with a scripted detector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from guardrail.checks.image.nudity import GRADES, BodyPart, Grade
from guardrail.checks.image.nudity.looks import CUE, FIRST_SIDE, SECOND_LOOK_PIXELS, SECOND_SIDE, Seen, look_at
from guardrail.checks.image.nudity.nudenet import LABELS
from guardrail.errors import CheckError

from .scripted import ELSEWHERE, FACE, LARGE, PART, SMALL, Scripted


def seen(detector: Scripted, size: tuple[int, int] = (512, 512)) -> Seen:
    return look_at(np.zeros((*size, 3), np.uint8), detector)


def score(first: Sequence[BodyPart], second: Sequence[BodyPart] = (), size: tuple[int, int] = (512, 512)) -> float:
    return seen(Scripted(first, second), size).score


def test_every_class_of_the_model_has_a_grade() -> None:
    assert set(LABELS) == set(GRADES)
    assert len(LABELS) == 18


@pytest.mark.parametrize("label", LABELS)
def test_only_exposed_private_parts_count(label: str) -> None:
    private = label.endswith("_EXPOSED") and label.split("_")[-2] in {"BUTTOCKS", "GENITALIA", "ANUS"}
    private |= label == "FEMALE_BREAST_EXPOSED"
    found = seen(Scripted([BodyPart(label, 0.9, SMALL)]))
    assert found.score == (0.9 if private else 0.0)
    assert (GRADES[label] is Grade.EXPLICIT) == private


@pytest.mark.parametrize(
    ("label", "doubtful"),
    [("BELLY_EXPOSED", True), ("MALE_BREAST_EXPOSED", True), ("BELLY_COVERED", False), (FACE, False), (PART, False)],
)
def test_bare_skin_alone_is_doubtful(label: str, doubtful: bool) -> None:
    assert seen(Scripted([BodyPart(label, 0.9, SMALL)])).doubtful is doubtful


def test_nothing_seen_is_nothing_and_costs_one_look() -> None:
    detector = Scripted()
    found = seen(detector)
    assert (found.score, found.doubtful, found.looks) == (0.0, False, 1)
    assert detector.asked == [(FIRST_SIDE, (512, 512))]


@pytest.mark.parametrize(("side", "looks"), [(SECOND_LOOK_PIXELS - 1, 1), (SECOND_LOOK_PIXELS, 2)])
def test_the_second_look_is_for_pictures_large_enough_with_somebody_in_them(side: int, looks: int) -> None:
    detector = Scripted([BodyPart("BELLY_COVERED", 0.3, SMALL)], [BodyPart(PART, 0.66, SMALL)])
    assert seen(detector, (side, 100)).score == (0.66 if looks == 2 else 0.0)
    assert len(detector.asked) == looks


@pytest.mark.parametrize(("cue", "looks"), [(CUE - 0.01, 1), (CUE, 2)])
def test_a_faint_cue_of_somebody_is_worth_a_second_look(cue: float, looks: int) -> None:
    detector = Scripted([], [BodyPart(PART, 0.5, SMALL)], cue=cue)
    assert seen(detector).score == (0.5 if looks == 2 else 0.0)
    assert len(detector.asked) == looks


# ---- small figures


def test_a_small_figure_is_looked_at_where_its_body_is() -> None:
    # A face of 30 pixels in 1024: three widths aside, one height above, eight below.
    face = BodyPart(FACE, 0.7, (500.0, 300.0, 30.0, 30.0))
    detector = Scripted([], [face], cue=0.2, pieces={(300, 210): [BodyPart(PART, 0.7, (90.0, 150.0, 30.0, 20.0))]})
    found = seen(detector, (1024, 1024))
    assert detector.asked[2:] == [(FIRST_SIDE, (300, 210))]
    assert [(p.label, p.box) for p in found.exposed] == [(PART, (500.0, 420.0, 30.0, 20.0))]


def test_a_face_seen_twice_is_one_person() -> None:
    faces = [BodyPart(FACE, s, (500.0 + d, 300.0, 30.0, 30.0)) for s, d in ((0.7, 0.0), (0.6, 3.0))]
    detector = Scripted([faces[0]], [faces[1]])
    seen(detector, (1024, 1024))
    assert len(detector.asked) == 3


@pytest.mark.parametrize(
    ("face", "size", "why"),
    [
        ((500.0, 300.0, 60.0, 60.0), (1024, 1024), "large enough at 640"),
        ((200.0, 100.0, 14.0, 14.0), (512, 512), "a body of fewer pixels than are worth enlarging"),
    ],
)
def test_no_closer_look_where_it_shows_nothing_new(
    face: tuple[float, float, float, float], size: tuple[int, int], why: str
) -> None:
    detector = Scripted([BodyPart(FACE, 0.7, face)])
    seen(detector, size)
    assert len(detector.asked) == 2, why


def test_a_crowd_is_looked_at_in_four_tiles_that_overlap() -> None:
    crowd = [BodyPart(FACE, 0.7, (100.0 + 150 * i, 200.0, 30.0, 30.0)) for i in range(5)]
    detector = Scripted(crowd, pieces={(614, 614): [BodyPart(PART, 0.8, (10.0, 300.0, 40.0, 40.0))]})
    found = seen(detector, (1024, 1024))
    assert detector.asked[2:] == [(SECOND_SIDE, (614, 614))] * 4
    assert {p.box[:2] for p in found.exposed} == {(10.0, 300.0), (10.0, 710.0), (420.0, 300.0), (420.0, 710.0)}


def test_a_person_at_the_edge_is_cut_there() -> None:
    face = BodyPart(FACE, 0.7, (2.0, 700.0, 30.0, 30.0))
    detector = Scripted([], [face], cue=0.2)
    seen(detector, (1000, 1000))
    assert detector.asked[2:] == [(FIRST_SIDE, (300, 122))]


# ---- what is believed


def test_a_part_over_a_face_is_a_mistake() -> None:
    face = BodyPart(FACE, 0.8, (200.0, 200.0, 50.0, 50.0))
    assert score([face, BodyPart(PART, 0.9, SMALL)]) == 0.0
    assert score([face, BodyPart(PART, 0.9, ELSEWHERE)]) == 0.9
    assert seen(Scripted([face, BodyPart(PART, 0.9, SMALL)])).doubtful


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


@pytest.mark.parametrize(
    "bad", [BodyPart(PART, float("nan"), SMALL), BodyPart(FACE, 0.5, (0.0, float("inf"), 1.0, 1.0))]
)
def test_a_number_that_is_none_is_an_error(bad: BodyPart) -> None:
    with pytest.raises(CheckError, match="scripted gave a number that is not finite"):
        score([bad])
