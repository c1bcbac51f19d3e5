"""How often a picture is looked at, and which boxes are believed: box maths with a scripted detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from guardrail.checks.image.nudity import GRADES, BodyPart, Grade, Look
from guardrail.checks.image.nudity.belief import SURE_ALONE, Seen
from guardrail.checks.image.nudity.looks import (
    CUE,
    FIRST_SIDE,
    MOST_SQUARES,
    SECOND_LOOK_PIXELS,
    SECOND_SIDE,
    look_at,
)
from guardrail.checks.image.nudity.nudenet import LABELS
from guardrail.checks.image.nudity.parts import Box
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


# ---- long narrow pictures


@pytest.mark.parametrize(
    ("size", "squares"),
    [
        ((400, 532), []),
        ((400, 534), [(400, 400)] * 2),
        ((534, 400), [(400, 400)] * 2),
        ((768, 1152), [(768, 768)] * 2),
        ((400, 1000), [(400, 400)] * 3),
        ((2000, 400), [(400, 400)] * 7),
        # Narrower than a look: as long as a look, so that nothing is enlarged for nothing.
        ((100, 400), []),
        ((100, 1000), [(100, 320)] * 4),
    ],
)
def test_a_long_picture_is_looked_at_in_squares_too(size: tuple[int, int], squares: list[tuple[int, int]]) -> None:
    detector = Scripted()
    assert seen(detector, size).score == 0.0
    assert detector.asked == [(FIRST_SIDE, size), *((FIRST_SIDE, s) for s in squares)]


@pytest.mark.parametrize("turn", [False, True])
@pytest.mark.parametrize("length", [534, 1000, 2000, 5000])
def test_squares_leave_nothing_out_and_overlap_by_a_quarter(length: int, turn: bool) -> None:
    # Each pixel carries its place along the strip.
    places = np.broadcast_to(np.arange(length)[:, None], (length, 400))
    image = np.stack([places // 256, places % 256, places * 0], -1).astype(np.uint8)
    spans: list[tuple[int, int]] = []

    class Measuring(Scripted):
        def detect(self, image: Any, side: int) -> Look:
            ends = [256 * int(p[0]) + int(p[1]) for p in (image[0, 0], image[-1, -1])]
            spans.append((ends[0], ends[1]))
            return Look()

    look_at(np.ascontiguousarray(image.swapaxes(0, 1)) if turn else image, Measuring())
    whole, *squares = spans
    assert whole == (0, length - 1)
    assert (squares[0][0], squares[-1][1]) == whole
    assert all(last - first == 399 for first, last in squares)
    assert all(a[1] - b[0] >= 99 for a, b in pairwise(squares))


def test_what_only_a_square_shows_counts_where_it_lies() -> None:
    detector = Scripted(pieces={(400, 400): [BodyPart(PART, 0.7, SMALL)]})
    found = seen(detector, (400, 1000))
    # Once more at 640, the whole and each square where something was seen: at 640 the whole shows less than they.
    assert detector.asked[4:] == [(SECOND_SIDE, (400, 1000)), *[(SECOND_SIDE, (400, 400))] * 3]
    assert {p.box for p in found.exposed} == {
        (200.0, 200.0, 60.0, 60.0),
        (500.0, 200.0, 60.0, 60.0),
        (800.0, 200.0, 60.0, 60.0),
    }
    assert found.score == 0.7


def test_squares_where_nobody_is_are_looked_at_once() -> None:
    class InTheFirst(Scripted):
        def detect(self, image: Any, side: int) -> Look:
            self.asked.append((side, image.shape[:2]))
            return Look((BodyPart(FACE, 0.7, (40.0, 40.0, 100.0, 100.0)),), 0.7) if image[0, 0, 0] else Look()

    image = np.zeros((400, 2000, 3), np.uint8)
    image[0, 0] = 1
    detector = InTheFirst()
    look_at(image, detector)
    assert detector.asked.count((FIRST_SIDE, (400, 400))) == 7
    assert detector.asked.count((SECOND_SIDE, (400, 400))) == 1


def test_a_picture_less_than_twice_as_long_as_wide_gets_its_second_look_as_a_whole() -> None:
    detector = Scripted(pieces={(600, 600): [BodyPart(FACE, 0.7, SMALL)]})
    seen(detector, (600, 900))
    assert detector.asked[3:] == [(SECOND_SIDE, (600, 900))]


def test_the_body_of_a_small_person_in_a_strip_is_looked_at() -> None:
    # 20 pixels are small in a square of 700; the body is cut out of the strip and not of the square.
    class AtTheFarEnd(Scripted):
        def detect(self, image: Any, side: int) -> Look:
            self.asked.append((side, image.shape[:2]))
            face = BodyPart(FACE, 0.7, (600.0, 200.0, 20.0, 20.0))
            return Look((face,), 0.7) if image[0, -1, 0] and image.shape[0] == 700 else Look()

    image = np.zeros((700, 2100, 3), np.uint8)
    image[0, 699] = 1
    detector = AtTheFarEnd()
    look_at(image, detector)
    assert detector.asked[-1] == (FIRST_SIDE, (200, 140))


@pytest.mark.parametrize(("length", "refused"), [(320 + 240 * (MOST_SQUARES - 1), False), (9000, True)])
def test_a_strip_that_would_take_too_many_looks_is_an_error_and_no_all_clear(length: int, refused: bool) -> None:
    detector = Scripted()
    if refused:
        with pytest.raises(CheckError, match="too long and narrow"):
            seen(detector, (length, 40))
        assert detector.asked == []
    else:
        seen(detector, (length, 40))
        assert len(detector.asked) == 1 + MOST_SQUARES


# ---- what is believed


FACE_THERE = BodyPart(FACE, 0.8, (200.0, 200.0, 50.0, 50.0))


def test_a_weak_part_that_is_a_face_is_a_mistake() -> None:
    weak = SURE_ALONE - 0.01
    assert score([FACE_THERE, BodyPart(PART, weak, SMALL)]) == 0.0
    assert score([FACE_THERE, BodyPart(PART, weak, ELSEWHERE)]) == weak
    assert seen(Scripted([FACE_THERE, BodyPart(PART, weak, SMALL)])).doubtful


@pytest.mark.parametrize("sure", [SURE_ALONE, 0.95])
def test_no_face_takes_a_sure_part_away(sure: float) -> None:
    assert score([FACE_THERE, BodyPart(PART, sure, SMALL)]) == sure


@pytest.mark.parametrize("part", [(40.0, 40.0, 200.0, 200.0), LARGE])
@pytest.mark.parametrize("believed", [0.3, 0.95])
def test_a_small_face_inside_of_a_large_part_takes_nothing_away(part: Box, believed: float) -> None:
    face = BodyPart(FACE, 0.25, (100.0, 100.0, 16.0, 16.0))
    assert score([BodyPart(PART, believed, part), face]) == believed


@pytest.mark.parametrize(("width", "mistaken"), [(89.0, True), (100.0, False)])
def test_a_part_is_a_face_where_more_than_half_of_both_is_the_same(width: float, mistaken: bool) -> None:
    part = BodyPart(PART, 0.5, (200.0, 200.0, width, 50.0))
    assert score([FACE_THERE, part]) == (0.0 if mistaken else 0.5)


def test_on_close_portraits_a_weak_part_needs_both_looks() -> None:
    close = BodyPart(FACE, 0.8, (250.0, 20.0, 240.0, 240.0))
    weak, strong = BodyPart(PART, 0.4, ELSEWHERE), BodyPart(PART, 0.61, ELSEWHERE)
    assert score([close, weak]) == 0.0
    assert score([close, weak], [weak]) == 0.4
    assert score([close, weak], [BodyPart(PART, 0.4, SMALL)]) == 0.0
    assert score([close, strong]) == 0.61
    far = BodyPart(FACE, 0.8, (250.0, 20.0, 40.0, 40.0))
    assert score([far, weak]) == 0.4


def test_a_close_portrait_in_a_square_of_a_strip_is_one_there() -> None:
    """The same weak part in two squares is one look twice: both are enlarged alike."""
    close = BodyPart(FACE, 0.8, (100.0, 20.0, 150.0, 150.0))
    weak = BodyPart(PART, 0.4, (300.0, 300.0, 60.0, 60.0))
    assert seen(Scripted(pieces={(400, 400): [close, weak]}), (400, 599)).score == 0.0
    assert seen(Scripted(pieces={(400, 400): [weak]}), (400, 599)).score == 0.4
    strong = replace(weak, score=SURE_ALONE)
    assert seen(Scripted(pieces={(400, 400): [close, strong]}), (400, 599)).score == SURE_ALONE


def test_a_close_portrait_at_one_end_of_a_strip_says_nothing_of_the_other() -> None:
    class TwoEnds(Scripted):
        def detect(self, image: Any, side: int) -> Look:
            if image.shape[1] != 400:
                return Look()
            if image[0, 0, 0]:
                return Look((BodyPart(FACE, 0.8, (0.0, 100.0, 150.0, 150.0)),), 0.8)
            return Look((BodyPart(PART, 0.4, (300.0, 300.0, 60.0, 60.0)),), 0.4) if image[0, -1, 0] else Look()

    image = np.zeros((400, 2000, 3), np.uint8)
    image[0, 0] = image[0, -1] = 1
    assert look_at(image, TwoEnds()).score == 0.4


@pytest.mark.parametrize(
    "bad", [BodyPart(PART, float("nan"), SMALL), BodyPart(FACE, 0.5, (0.0, float("inf"), 1.0, 1.0))]
)
def test_a_number_that_is_none_is_an_error(bad: BodyPart) -> None:
    with pytest.raises(CheckError, match="scripted gave a number that is not finite"):
        score([bad])
