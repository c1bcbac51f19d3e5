"""Aligning a face: landmarks land on the template, from anywhere in a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from guardrail.checks.image.backends.align import SIDE, TEMPLATE, align_112, similarity
from guardrail.errors import CheckError

MARKS = np.array([[205, 110], [243, 107], [227, 131], [211, 151], [245, 148]], np.float32)


@pytest.mark.parametrize("shift", [0, -190, -300, 300, 400, 5000])
@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_cutting_out_first_changes_no_pixel(portrait: Any, shift: float, scale: float) -> None:
    marks = (MARKS * scale + shift).astype(np.float32)
    inverse = np.linalg.inv(similarity(marks.astype(np.float64), TEMPLATE))
    whole = Image.fromarray(portrait).transform(
        (SIDE, SIDE), Image.Transform.AFFINE, tuple(inverse[:2].ravel()), Image.Resampling.BILINEAR
    )
    assert np.abs(np.asarray(whole).astype(int) - align_112(portrait, marks)).max() <= 1


def test_landmarks_land_on_the_template() -> None:
    picture = np.zeros((400, 400, 3), np.uint8)
    turn = np.array([[0.0, -2.0], [2.0, 0.0]])
    marks = (TEMPLATE @ turn.T + [320, 40]).astype(np.float32)
    for x, y in marks:
        picture[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4] = 255
    crop = align_112(picture, marks)
    for x, y in TEMPLATE:
        assert crop[round(y), round(x)].min() > 200
    assert (crop > 127).mean() < 0.02


@pytest.mark.parametrize("marks", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.full((5, 2), 7.0)])
def test_landmarks_that_say_nothing_are_an_error(portrait: Any, marks: Any) -> None:
    with pytest.raises(CheckError, match="in one point, or nowhere"):
        align_112(portrait, marks.astype(np.float32))
