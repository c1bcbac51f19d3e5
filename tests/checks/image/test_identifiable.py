"""Who could be recognised: by the pixels and the sharpness of the aligned face."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from guardrail.checks.image.backends.align import TEMPLATE
from guardrail.checks.image.backends.base import DetectedFace
from guardrail.checks.image.identifiable import IDENTIFIABLE_PIXELS, SURELY_PIXELS, aligned_pixels, face_quality

# Five landmarks of scikit-image's portrait, as both detectors give them within two pixels.
MARKS = np.array([[205, 110], [243, 107], [227, 131], [211, 151], [245, 148]], np.float32)
FACE = DetectedFace((178.0, 70.0, 90.0, 115.0), 0.95, MARKS)


def shrunk(portrait: Any, pixels: float) -> tuple[Any, DetectedFace]:
    """The portrait reduced until its aligned face has `pixels`."""
    factor = pixels / aligned_pixels(FACE)
    side = round(512 * factor)
    factor = side / 512
    small = np.asarray(Image.fromarray(portrait).resize((side, side), Image.Resampling.LANCZOS))
    box = (FACE.box[0] * factor, FACE.box[1] * factor, FACE.box[2] * factor, FACE.box[3] * factor)
    return small, DetectedFace(box, 0.95, MARKS * np.float32(factor))


@pytest.mark.parametrize("scale", [0.2, 1.0, 3.0])
@pytest.mark.parametrize("turn", [0, 30, 90, 180])
def test_the_size_is_that_of_the_aligned_face_however_it_is_turned(scale: float, turn: int) -> None:
    a = math.radians(turn)
    rotation = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    marks = (TEMPLATE @ rotation.T * scale + 300).astype(np.float32)
    assert aligned_pixels(DetectedFace((0.0, 0.0, 9.0, 9.0), 0.9, marks)) == pytest.approx(112 * scale, rel=1e-4)


@pytest.mark.parametrize(
    ("pixels", "expected"), [(8, False), (11, False), (17, True), (SURELY_PIXELS + 1, True), (60, True), (110, True)]
)
def test_who_is_too_small_cannot_be_recognised(portrait: Any, pixels: float, expected: bool) -> None:
    quality = face_quality(*shrunk(portrait, pixels))
    assert quality.pixels == pytest.approx(pixels, abs=1.5)
    assert quality.identifiable is expected


def test_without_landmarks_the_box_decides() -> None:
    nowhere = np.zeros((5, 2), np.float32)
    empty = np.zeros((200, 200, 3), np.uint8)
    for width, expected in ((8.0, False), (IDENTIFIABLE_PIXELS, True), (50.0, True)):
        assert face_quality(empty, DetectedFace((5.0, 5.0, width, 60.0), 0.9, nowhere)).identifiable is expected


@pytest.mark.parametrize(("sigma", "expected"), [(0.0, True), (2.0, True), (4.0, True), (14.0, False)])
def test_a_face_blurred_beyond_recognition_is_not_identifiable(portrait: Any, sigma: float, expected: bool) -> None:
    """`sigma` in pixels of the aligned face of 112: at 4, rank-1 still finds 73 %; at 12, 7 %."""
    radius = sigma * aligned_pixels(FACE) / 112
    soft = np.asarray(Image.fromarray(portrait).filter(ImageFilter.GaussianBlur(radius)))
    assert face_quality(soft, FACE).identifiable is expected


def test_quality_falls_with_size_blur_and_cover_and_stays_in_its_range(portrait: Any) -> None:
    best = face_quality(portrait, FACE)
    small = face_quality(*shrunk(portrait, 40))
    soft = face_quality(np.asarray(Image.fromarray(portrait).filter(ImageFilter.GaussianBlur(5))), FACE)
    bar, masked = portrait.copy(), portrait.copy()
    bar[98:120, 185:262] = 0
    masked[135:190, 185:262] = (120, 170, 220)
    for worse in (small, soft, face_quality(bar, FACE), face_quality(masked, FACE)):
        assert 0.0 <= worse.quality < best.quality <= 1.0
    assert best.occlusion < 0.3
    assert face_quality(bar, FACE).occlusion > 0.7
    assert face_quality(masked, FACE).occlusion > 0.3
    # Neither hides anybody.
    assert face_quality(bar, FACE).identifiable
    assert face_quality(masked, FACE).identifiable


@pytest.mark.parametrize(("aside", "yaw"), [(0.0, 0.0), (0.5, 45.0), (-0.5, -45.0)])
def test_pose_is_read_from_the_landmarks(portrait: Any, aside: float, yaw: float) -> None:
    marks = TEMPLATE.copy()
    eyes = marks[1] - marks[0]
    marks[2] = (marks[0] + marks[1]) / 2 + [0, 20] + eyes * aside
    quality = face_quality(portrait, DetectedFace((0.0, 0.0, 90.0, 100.0), 0.9, marks.astype(np.float32)))
    assert quality.yaw == pytest.approx(yaw, abs=1.5)
    assert quality.roll == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize("offset", [-2000.0, -90.0, 480.0, 5000.0])
def test_a_face_beyond_the_picture_is_judged_all_the_same(portrait: Any, offset: float) -> None:
    away = DetectedFace((offset, offset, 90.0, 115.0), 0.9, MARKS + np.float32(offset))
    assert 0.0 <= face_quality(portrait, away).quality <= 1.0
