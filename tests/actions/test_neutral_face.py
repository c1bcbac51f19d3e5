"""The drawn face: nobody's, in the colours of the picture, and turned as the face that it covers."""

from __future__ import annotations

import numpy as np
import pytest

from guardrail.actions.cover import cover

from .test_places import BOX, UPRIGHT, turned

# BOX grown by 0.3 and rounded outwards.
INSIDE = np.s_[94:228, 108:204]


def scene(seed: int, colour: tuple[int, int, int] = (120, 140, 160)) -> np.ndarray:
    """A plain wall, and in the box a noise that stands for a face: another one for another seed."""
    picture = np.full((320, 320, 3), colour, np.uint8)
    picture[INSIDE][2:-2, 2:-2] = np.random.default_rng(seed).integers(0, 256, (130, 92, 3), np.uint8)
    return picture


@pytest.mark.parametrize("strength", [0, 1, 2])
@pytest.mark.parametrize("marks", [None, UPRIGHT])
def test_two_people_in_one_place_become_one(strength: int, marks: np.ndarray | None) -> None:
    one, other = (cover(scene(seed), [BOX], "replace", strength, [marks]) for seed in (1, 2))
    assert np.array_equal(one, other)


def test_a_face_is_drawn_with_two_eyes_over_a_mouth() -> None:
    face = cover(scene(1), [BOX], "replace", 0, [UPRIGHT]).astype(int).sum(-1)
    eyes = [face[148:156, left : left + 16].min() for left in (130, 166)]
    skin = int(np.median(face[165:185, 140:172]))
    mouth = face[184:200, 146:166].min()
    assert all(eye < 0.6 * skin for eye in eyes)
    assert mouth < 0.9 * skin
    assert abs(eyes[0] - eyes[1]) < 60


@pytest.mark.parametrize("wall", [(20, 20, 24), (90, 90, 90), (200, 190, 180)])
def test_a_bright_picture_gets_a_brighter_face(wall: tuple[int, int, int]) -> None:
    def skin(colour: tuple[int, int, int]) -> float:
        return float(np.median(cover(scene(1, colour), [BOX], "replace", 0, [UPRIGHT])[165:185, 140:172]))

    assert skin((0, 0, 0)) <= skin(wall) <= skin((255, 255, 255))


def test_in_a_picture_without_colours_the_face_has_none() -> None:
    grey = cover(scene(1, (130, 130, 130)), [BOX], "replace", 0, [UPRIGHT])[INSIDE]
    assert np.ptp(grey.astype(int), axis=-1).max() <= 2
    coloured = cover(scene(1, (150, 120, 90)), [BOX], "replace", 0, [UPRIGHT])[INSIDE]
    assert np.ptp(coloured.astype(int), axis=-1).max() > 30


def test_the_stronger_one_is_grey_and_keeps_no_colour_around() -> None:
    striped = scene(1)
    striped[:, ::7] = (250, 30, 30)
    assert np.ptp(cover(striped, [BOX], "replace", 1, [UPRIGHT])[INSIDE].astype(int), axis=-1).max() <= 2


def test_the_face_leans_as_the_one_it_covers() -> None:
    box, marks = turned(90)
    face = cover(np.full((320, 320, 3), 140, np.uint8), [box], "replace", 0, [marks]).astype(int).sum(-1)
    # Turned clockwise by a quarter: eyes to the right of the mouth, one over the other.
    eyes = np.argwhere(face == face.min())
    assert np.ptp(eyes[:, 0]) > 25
    assert eyes[:, 1].mean() > 156


@pytest.mark.parametrize("side", [1, 2, 5, 9, 4000])
def test_any_size_is_drawn(side: int) -> None:
    before = np.full((64, 64, 3), 90, np.uint8)
    after = cover(before, [(30.0, 30.0, float(side), float(side))], "replace", 0)
    assert after.shape == before.shape
