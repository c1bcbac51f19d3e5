"""Quarter turns: a face goes where its pixels go, and comes back."""

from __future__ import annotations

import numpy as np
import pytest

from guardrail.checks.image.backends.base import DetectedFace
from guardrail.checks.image.turning import quarter_turns, turned, turned_back

UPRIGHT = np.array([[30, 40], [50, 41], [41, 52], [33, 64], [48, 65]], np.float32)
FACE = DetectedFace((20.0, 25.0, 40.0, 50.0), 0.9, UPRIGHT)
SIZE = (200, 120)


@pytest.mark.parametrize("turns", range(4))
def test_a_face_goes_where_its_pixels_go(turns: int) -> None:
    picture = np.zeros(SIZE, np.uint8)
    picture[25:75, 20:60] = 1
    rows, cols = np.nonzero(np.rot90(picture, turns))
    moved = turned(FACE, turns, SIZE)
    corner = (cols.min(), rows.min(), cols.max() + 1 - cols.min(), rows.max() + 1 - rows.min())
    assert moved.box == tuple(float(v) for v in corner)
    # The landmarks keep their place in the box.
    middle = np.array([moved.box[0] + moved.box[2] / 2, moved.box[1] + moved.box[3] / 2])
    assert np.linalg.norm(moved.landmarks - middle, axis=1) == pytest.approx(
        np.linalg.norm(UPRIGHT - [40, 50], axis=1), abs=1e-4
    )
    back = turned_back(moved, turns, SIZE)
    assert back.box == FACE.box
    assert np.allclose(back.landmarks, UPRIGHT)


@pytest.mark.parametrize("turns", range(4))
def test_how_often_to_turn_is_read_from_the_landmarks(turns: int) -> None:
    lying = turned(FACE, turns, SIZE)
    assert quarter_turns(lying.landmarks) == -turns % 4


@pytest.mark.parametrize("tilt", [-40, -10, 0, 10, 40])
def test_a_tilted_head_is_not_turned(tilt: int) -> None:
    a = np.radians(tilt)
    rotation = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    assert quarter_turns((UPRIGHT @ rotation.T).astype(np.float32)) == 0
