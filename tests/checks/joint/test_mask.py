"""Where a mask lies: tables of drawn masks, in every form that pipelines take them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from guardrail.checks.joint.mask import GRID, body_of, painted, place
from guardrail.media import ImageInput, Role
from guardrail.media.read import read_image
from tests.checks.joint.drawn import FACE, HEIGHT, WIDTH, mask

SIZE = (HEIGHT, WIDTH)


def as_mask(value: Any, role: Role = Role.MASK) -> ImageInput:
    return read_image(value, argument="mask_image", role=role)


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("clothes", "body"),
        ("body box", "body"),
        ("chest", "body"),
        ("hips", "body"),
        ("everything", "body"),
        ("all but the face", "body"),
        ("face", "face"),
        ("head and hair", "face"),
        ("background", "elsewhere"),
        ("sky", "elsewhere"),
        ("beside", "elsewhere"),
        ("hat", "elsewhere"),
        ("speck", "elsewhere"),
        ("nothing", "elsewhere"),
    ],
)
def test_where_a_mask_lies(kind: str, where: str) -> None:
    placed = place(FACE, SIZE, [painted(as_mask(mask(kind)))])
    assert placed.where == where
    assert placed.box == (FACE if where != "body" else body_of(FACE, SIZE))
    assert 0.0 <= placed.masked <= 1.0
    assert 0.0 <= placed.inside <= 1.0


def test_the_shares_are_of_the_body_and_of_the_mask() -> None:
    left, top, width, height = (int(v) for v in body_of(FACE, SIZE))
    half = np.zeros(SIZE, np.uint8)
    half[top : top + height // 2, left : left + width] = 255
    placed = place(FACE, SIZE, [painted(as_mask(half))])
    assert placed.masked == pytest.approx(0.5, abs=0.02)
    assert placed.inside == pytest.approx(1.0, abs=0.02)
    whole = place(FACE, SIZE, [painted(as_mask(mask("everything")))])
    assert whole.masked == 1.0
    assert whole.inside == pytest.approx(width * height / (WIDTH * HEIGHT), abs=0.02)


def _float(image: Any) -> np.ndarray:
    return np.asarray(image, np.float32) / 255


FORMS = {
    "PIL L": lambda m: m,
    "PIL 1": lambda m: m.convert("1"),
    "PIL RGB": lambda m: m.convert("RGB"),
    "PIL RGBA": lambda m: m.convert("RGBA"),
    "PIL half the size": lambda m: m.resize((WIDTH // 2, HEIGHT // 2)),
    "PIL blurred grey": lambda m: m.point(lambda v: v // 3),
    "array of bytes": np.asarray,
    "array of 0 and 1": lambda m: np.asarray(m) // 255,
    "array of truths": lambda m: np.asarray(m) > 0,
    "array of floats": _float,
    "array with a channel": lambda m: _float(m)[..., None],
    "array of floats to 255": lambda m: np.asarray(m, np.float32),
    "array of -1 to 1": lambda m: _float(m) * 2 - 1,
    "tensor H W": lambda m: torch.from_numpy(_float(m)),
    "tensor 1 H W": lambda m: torch.from_numpy(_float(m))[None],
    "half-precision tensor": lambda m: torch.from_numpy(_float(m))[None].half(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("kind", "where"), [("clothes", "body"), ("face", "face"), ("background", "elsewhere")])
def test_every_form_of_a_mask_is_read_alike(form: str, kind: str, where: str) -> None:
    assert place(FACE, SIZE, [painted(as_mask(FORMS[form](mask(kind))))]).where == where


def test_where_white_stays_the_mask_is_read_the_other_way_round() -> None:
    inverted = 255 - np.asarray(mask("clothes"))
    assert place(FACE, SIZE, [painted(as_mask(inverted, Role.KEEP))]).where == "body"
    # Read as white that is repainted it is everything but the clothes, the face among it.
    assert place(FACE, SIZE, [painted(as_mask(inverted))]).where == "face"


def test_several_masks_and_several_frames_add_up() -> None:
    halves = [np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)]
    halves[0][:300], halves[1][300:] = np.asarray(mask("clothes"))[:300], np.asarray(mask("clothes"))[300:]
    apart = [painted(as_mask(h)) for h in halves]
    video = painted(as_mask(np.stack(halves)[..., None]))
    assert place(FACE, SIZE, apart) == place(FACE, SIZE, [video])
    assert place(FACE, SIZE, apart).masked == place(FACE, SIZE, [painted(as_mask(mask("clothes")))]).masked
    assert video.shape == (GRID, GRID)
    assert place(FACE, SIZE, []).where == "elsewhere"


@pytest.mark.parametrize(
    ("down", "box"),
    [
        ((0, 1), (100.0, 130.0, 180.0, 382.0)),
        ((0, -1), (100.0, 0.0, 180.0, 60.0)),
        ((1, 0), (220.0, 0.0, 164.0, 200.0)),
        ((-1, 0), (0.0, 0.0, 160.0, 200.0)),
    ],
)
def test_the_body_lies_where_the_chin_points_and_ends_with_the_picture(down: tuple[int, int], box: Any) -> None:
    assert body_of(FACE, SIZE, down) == box


@pytest.mark.parametrize("face", [(160.0, 460.0, 60.0, 70.0), (-30.0, -20.0, 60.0, 70.0), (370.0, 500.0, 60.0, 70.0)])
def test_a_face_at_the_edge_has_the_body_that_is_left(face: Any) -> None:
    x, y, w, h = body_of(face, SIZE)
    assert x >= 0 <= y
    assert w >= 0 <= h
    assert x + w <= WIDTH
    assert y + h <= HEIGHT or h == 0
    place(face, SIZE, [painted(as_mask(mask("everything")))])


def _dots(kind: str, apart: int) -> np.ndarray:
    dots = np.zeros(SIZE, np.uint8)
    dots[::apart, ::apart] = np.asarray(mask(kind))[::apart, ::apart]
    return dots


@pytest.mark.parametrize("apart", [4, 8, 12])
@pytest.mark.parametrize(("kind", "where"), [("clothes", "body"), ("background", "elsewhere"), ("sky", "elsewhere")])
def test_dots_that_repaint_everything_in_latents_are_read_as_the_whole(apart: int, kind: str, where: str) -> None:
    """diffusers resizes masks by nearest: of every 8×8 pixels one decides."""
    dots = _dots(kind, apart)
    assert place(FACE, SIZE, [painted(as_mask(dots))]).where == where
    assert place(FACE, SIZE, [painted(as_mask(255 - dots, Role.KEEP))]).where == where


def test_a_small_mask_is_measured_in_pixels_of_the_picture() -> None:
    """Two strips 12 pixels apart are one in their own size, and two in a picture ten times as large."""
    strips = np.zeros((256, 256), np.uint8)
    strips[100:110], strips[122:132] = 255, 255
    assert painted(as_mask(strips))[115].all()
    assert not painted(as_mask(strips), (2560, 2560))[115].any()
