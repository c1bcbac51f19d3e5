"""Where a face lies: upright, leaning, on its head; and what of it reaches beyond its box."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from guardrail.actions.cover import METHODS, STRENGTHS, cover
from guardrail.actions.places import landmarks_of, place_of, pose_of
from guardrail.errors import ActionError
from guardrail.media import Region

# A face of 112 pixels as embedders have it: its landmarks (Deng et al. 2019) and a box from brows to chin.
UPRIGHT = np.array([[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]], np.float32) + 100
BOX = (118.0, 108.0, 76.0, 106.0)
CENTRE = np.array([156.0, 161.0])


def turned(degrees: float) -> tuple[Any, np.ndarray]:
    """The box along the edges of the picture, and the landmarks, of the face turned clockwise about its middle."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    marks = (UPRIGHT - CENTRE) @ turn.T + CENTRE
    # As detectors do: about the landmarks, not about the turned head.
    low, high = marks.min(0) - 20, marks.max(0) + 20
    return (*(float(v) for v in low), *(float(v) for v in high - low)), marks.astype(np.float32)


@pytest.mark.parametrize("degrees", [0, 10, 35, 45, 80, 90, 135, 180, -30, -90])
def test_the_roll_is_read_from_eyes_and_mouth(degrees: float) -> None:
    box, marks = turned(degrees)
    pose = pose_of(box, marks)
    assert (np.degrees(pose.roll) - degrees + 180) % 360 - 180 == pytest.approx(0, abs=1.5)
    assert pose.centre == pytest.approx(tuple(CENTRE), abs=3)
    assert pose.half == pytest.approx((38, 53), rel=0.08)


def test_eyes_that_changed_places_do_not_turn_a_face_round() -> None:
    swapped = UPRIGHT[[1, 0, 2, 4, 3]]
    assert pose_of(BOX, swapped).roll == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("degrees", range(-180, 180, 15))
def test_forehead_chin_and_ears_are_covered_however_the_face_lies(degrees: float) -> None:
    box, marks = turned(degrees)
    place = place_of(box, marks, 320, 320)
    covered = np.zeros((320, 320), bool)
    covered[place.top : place.bottom, place.left : place.right] = True if place.mask is None else place.mask
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    head = (
        np.array([[0, -53], [0, 53], [-38, 0], [38, 0], [-30, -45], [30, -45], [-25, 48], [25, 48]]) @ turn.T + CENTRE
    )
    assert all(covered[int(y), int(x)] for x, y in head)
    # The whole picture would be covered too easily.
    assert covered.mean() < 0.3


def test_a_face_whose_box_holds_it_is_covered_by_the_grown_box_alone() -> None:
    upright = place_of((108.0, 98.0, 96.0, 126.0), UPRIGHT, 320, 320)
    assert upright.mask is None
    plain = place_of((108.0, 98.0, 96.0, 126.0), None, 320, 320)
    assert (upright.left, upright.top, upright.right, upright.bottom) == (
        plain.left,
        plain.top,
        plain.right,
        plain.bottom,
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("strength", range(STRENGTHS))
def test_of_a_leaning_face_nothing_but_its_place_changes(method: str, strength: int) -> None:
    before = np.random.default_rng(3).integers(0, 256, (320, 320, 3), np.uint8)
    box, marks = turned(45)
    place = place_of(box, marks, 320, 320)
    assert place.mask is not None
    allowed = np.zeros((320, 320), bool)
    allowed[place.top : place.bottom, place.left : place.right] = place.mask
    after = cover(before, [box], method, strength, [marks])
    assert np.array_equal(after[~allowed], before[~allowed])
    assert (after[allowed] != before[allowed]).any(-1).mean() > 0.9


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_landmark_that_is_nowhere_is_an_error(bad: float) -> None:
    marks = UPRIGHT.copy()
    marks[2, 1] = bad
    with pytest.raises(ActionError, match="not finite"):
        place_of(BOX, marks, 320, 320)


@pytest.mark.parametrize("marks", [np.zeros((5, 2)), np.full((5, 2), 150.0)])
def test_landmarks_in_one_point_say_nothing(marks: np.ndarray) -> None:
    assert pose_of(BOX, marks.astype(np.float32)).roll == 0
    assert place_of(BOX, marks.astype(np.float32), 320, 320).mask is None


@pytest.mark.parametrize(
    ("private", "there"),
    [
        (None, False),
        (SimpleNamespace(face=None), False),
        (SimpleNamespace(face=SimpleNamespace(landmarks=UPRIGHT[:3])), False),
        (SimpleNamespace(face=SimpleNamespace(landmarks=UPRIGHT)), True),
    ],
)
def test_landmarks_come_from_what_the_check_left_in_the_region(private: Any, there: bool) -> None:
    marks = landmarks_of(Region(0, 0, BOX, "face", 0.9, {}, private))
    assert (marks is not None) == there
