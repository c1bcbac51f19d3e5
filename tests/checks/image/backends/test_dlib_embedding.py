"""dlib's embedding: a pinned vector, the same alone and among others, and the same for a face on its side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from guardrail.checks.image.backends.base import DetectedFace
from guardrail.checks.image.turning import turned
from guardrail.demo.pictures import drawn_face

MARKS = np.array([[205, 110], [243, 107], [227, 131], [211, 151], [245, 148]], np.float32)
FACE = DetectedFace((178.0, 70.0, 90.0, 115.0), 0.95, MARKS)


@pytest.fixture(scope="module")
def made() -> list[Any]:
    return []


@pytest.fixture
def embedding(embedded_models: None, made: list[Any]) -> Any:
    from guardrail.checks.image.backends.dlib_embedding import DlibEmbedding

    if not made:
        made.append(DlibEmbedding())
    return made[0]


def distance(a: Any, b: Any) -> float:
    return float(np.linalg.norm(a - b))


def test_alone_or_among_others_a_face_has_one_vector(embedding: Any, portrait: Any) -> None:
    other = DetectedFace((190.0, 90.0, 70.0, 90.0), 0.9, MARKS)
    together = embedding.embed(portrait, [FACE, other, FACE])
    assert together.shape == (3, 128)
    assert together.dtype == np.float32
    assert np.array_equal(together[0], together[2])
    assert np.array_equal(together[0], embedding.embed(portrait, [FACE])[0])
    assert embedding.embed(portrait, []).shape == (0, 128)


def test_red_and_blue_are_not_exchanged(embedding: Any, portrait: Any) -> None:
    """Against dlib called by itself on an RGB picture, as its documentation has it."""
    import dlib

    from guardrail.weights import find

    network = dlib.face_recognition_model_v1(str(find("dlib-face-embedding")))
    chip = embedding._chip(portrait, FACE)
    (vector,) = embedding.embed(portrait, [FACE])
    direct = np.asarray(network.compute_face_descriptor(chip))
    swapped = np.asarray(network.compute_face_descriptor(np.ascontiguousarray(chip[..., ::-1])))
    assert distance(vector, direct) < 1e-5
    assert distance(vector, swapped) > 0.1
    # The chip itself is in the order of the picture: the suit of the portrait is orange, not blue.
    assert chip.reshape(-1, 3).mean(0)[0] > chip.reshape(-1, 3).mean(0)[2]


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_face_on_its_side_is_the_same_person(embedding: Any, portrait: Any, turns: int) -> None:
    lying = np.ascontiguousarray(np.rot90(portrait, turns))
    (upright,) = embedding.embed(portrait, [FACE])
    (again,) = embedding.embed(lying, [turned(FACE, turns, portrait.shape)])
    assert distance(upright, again) < 0.1


@pytest.mark.parametrize("where", [lambda p: p, lambda p: p * 0 + 127], ids=["a drawing", "nothing"])
def test_a_face_beyond_the_picture_gets_a_finite_vector(embedding: Any, where: Callable[[Any], Any]) -> None:
    picture = np.ascontiguousarray(np.asarray(where(np.asarray(drawn_face().convert("RGB")))).astype(np.uint8))
    away = DetectedFace((-40.0, -60.0, 90.0, 115.0), 0.9, MARKS - np.float32(220))
    assert np.isfinite(embedding.embed(picture, [away])).all()
