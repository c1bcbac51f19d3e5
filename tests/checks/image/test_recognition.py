"""What a redaction holds against: nearer than two people are, nearer than nothing at all, first in the gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pytest

from guardrail.checks.image.backends.base import DetectedFace, FloatArray, MatchScale
from guardrail.checks.image.recognition import flattened, recognised
from guardrail.errors import CheckError
from guardrail.gallery import GalleryIndex
from guardrail.media.types import Frame

FACE = DetectedFace((20.0, 20.0, 20.0, 20.0), 0.9, np.zeros((5, 2), np.float32))
PICTURE = np.zeros((64, 64, 3), np.uint8)
ORIGINAL = (0.0, 0.0)


class Plane:
    """Vectors of two numbers; of any picture that it is shown the same, which stands for the flat fill."""

    name, dimension = "plane", 2
    weights: Mapping[str, str] = MappingProxyType({})
    scale = MatchScale(same=0.6, consent=0.5, margin=0.05, far=1.2)

    def __init__(self, flat: Sequence[float]) -> None:
        self.flat = flat

    def embed(self, image: Frame, faces: Sequence[DetectedFace]) -> FloatArray:
        return np.array([self.flat] * len(faces), np.float32)


def enrolled(*people: Sequence[float]) -> GalleryIndex:
    entries = [(f"{i:016x}", "protected", frozenset[str]()) for i in range(len(people))]
    return GalleryIndex(np.array(people, np.float32), np.arange(len(people)), entries)  # type: ignore[arg-type]


def told(*now: Sequence[float], flat: Sequence[float] = (1.0, 0.0), gallery: GalleryIndex | None = None) -> bool:
    vectors = np.array(now, np.float32)
    return recognised(Plane(flat), PICTURE, FACE, np.array(ORIGINAL, np.float32), vectors, gallery)


@pytest.mark.parametrize(
    ("now", "flat", "expected"),
    [
        ([(0.59, 0.0)], (1.0, 0.0), True),
        ([(0.61, 0.0)], (1.0, 0.0), False),
        # One of several faces in its place is enough.
        ([(0.9, 0.0), (0.3, 0.0)], (1.0, 0.0), True),
        # A flat fill lies just beyond the threshold: no allowance.
        ([(0.599, 0.0)], (0.601, 0.0), True),
        # It lies within: as far away as it, give or take a fifth of a tenth, is all that can be asked.
        ([(0.50, 0.0)], (0.50, 0.0), False),
        ([(0.49, 0.0)], (0.50, 0.0), False),
        ([(0.47, 0.0)], (0.50, 0.0), True),
        ([(0.0, 0.0)], (0.50, 0.0), True),
        # It lies so near that the allowance is more than the distance: the untouched face still counts.
        ([(0.0, 0.0)], (0.01, 0.0), True),
        ([(0.005, 0.0)], (0.01, 0.0), False),
    ],
)
def test_nearer_than_two_people_are_and_than_a_flat_fill_is(
    now: Sequence[Sequence[float]], flat: Sequence[float], expected: bool
) -> None:
    assert told(*now, flat=flat) is expected


PERSON, OTHER = (0.1, 0.0), (0.0, 2.0)


@pytest.mark.parametrize(
    ("now", "flat", "people", "expected", "why"),
    [
        ((0.9, 0.1), (0.0, 1.9), [PERSON, OTHER], True, "no match, and still first of all who are enrolled"),
        ((0.0, 1.5), (0.0, 1.9), [PERSON, OTHER], False, "another comes first"),
        ((0.9, 0.1), (1.0, 0.0), [PERSON, OTHER], False, "first, as for a flat fill: chance"),
        ((0.9, 0.1), (0.0, 1.9), [PERSON], False, "the only one is always first"),
        ((0.9, 0.1), (0.0, 1.9), [(0.7, 0.0), OTHER], False, "who is shown is not enrolled"),
        ((0.9, 0.1), (0.0, 1.9), [], False, "nobody is"),
        ((0.3, 0.0), (1.0, 0.0), [OTHER], True, "a match, whoever is enrolled"),
    ],
)
def test_rank_one_of_the_gallery_is_at_chance(
    now: Sequence[float], flat: Sequence[float], people: list[Sequence[float]], expected: bool, why: str
) -> None:
    gallery = enrolled(*people) if people else GalleryIndex(np.zeros((0, 2), np.float32), np.zeros(0, np.intp), [])
    assert told(now, flat=flat, gallery=gallery) is expected, why


@pytest.mark.parametrize(("now", "flat"), [((np.nan, 0.0), (1.0, 0.0)), ((0.9, 0.0), (np.inf, 0.0))])
def test_a_vector_that_is_not_finite_is_an_error(now: Sequence[float], flat: Sequence[float]) -> None:
    with pytest.raises(CheckError, match="not finite"):
        told(now, flat=flat)


@pytest.mark.parametrize("box", [(20, 30, 24, 30), (-10, -5, 30, 30), (50, 50, 40, 40), (0.4, 7.3, 11.7, 13.9)])
def test_a_flat_fill_is_that_of_the_guard(box: tuple[float, float, float, float]) -> None:
    from guardrail.actions.cover import cover

    picture = np.random.default_rng(3).integers(0, 256, (64, 80, 3), np.uint8)
    assert np.array_equal(flattened(picture, box), cover(picture, [box], "fill", 0))


@pytest.mark.parametrize("box", [(200, 200, 10, 10), (-50, -50, 10, 10)])
def test_outside_of_the_picture_nothing_is_filled(box: tuple[float, float, float, float]) -> None:
    assert not flattened(PICTURE, box).any()
