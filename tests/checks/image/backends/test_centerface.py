"""CenterFace: boxes in the pixels of the window, landmarks as seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from guardrail.errors import CheckError


@pytest.mark.parametrize("cut", [(512, 512), (470, 500), (301, 289)])
def test_the_face_of_a_portrait_is_where_it_is_whatever_the_size_of_the_window(
    centerface: Any, portrait: Any, cut: tuple[int, int]
) -> None:
    window = np.ascontiguousarray(portrait[: cut[0], : cut[1]])
    face = centerface.candidates(window)[0]
    assert face.score > 0.6
    assert (face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2) == pytest.approx((225, 127), abs=12)
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_eye[1] < nose[1] < left_mouth[1]
    assert left_mouth[0] < right_mouth[0]


def test_nothing_is_found_where_nothing_is(centerface: Any) -> None:
    assert centerface.candidates(np.full((300, 200, 3), 120, np.uint8)) == []


def test_numbers_that_are_none_are_an_error(centerface: Any, portrait: Any) -> None:
    outputs = [np.full((1, 1, 128, 128), np.nan, np.float32)] * 4
    centerface._session = type("Broken", (), {"run": lambda *_: outputs})()
    with pytest.raises(CheckError, match="centerface gave a number that is not finite"):
        centerface.candidates(portrait)


def test_red_and_blue_are_not_exchanged(centerface: Any, portrait: Any) -> None:
    given: list[Any] = []
    run = centerface._session.run

    class Spy:
        def run(self, names: Any, feed: Any) -> Any:
            given.append(feed["input.1"])
            return run(names, feed)

    centerface._session = Spy()
    centerface.candidates(portrait)
    assert np.array_equal(given[0][0], np.moveaxis(portrait, -1, 0).astype(np.float32))
