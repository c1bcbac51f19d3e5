"""Depiction or not sure: made pictures whose cues are known, a backend's answer, and the margin to photographs."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from guardrail.checks.image.realness import (
    FEW_COLOURS_SHARE,
    FLAT_SHARE,
    LEAST_RANGE,
    REAL_SCORE,
    SMALLEST_PIXELS,
    flatness,
    judge_face,
    realness_cues,
)

BOX = (20.0, 20.0, 80.0, 80.0)
# Where the five points lie in the photographs of ../shared, which are cut alike; every person's within some pixels.
MARKS = np.array([[106, 113], [144, 113], [125, 135], [110, 156], [140, 156]], np.float32)


def flat_artwork(size: int = 120) -> np.ndarray:
    picture = np.full((size, size, 3), (200, 180, 160), np.uint8)
    picture[40:60, 40:80] = (30, 20, 10)
    return picture


def noise(sigma: float) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.clip(flat_artwork() + rng.normal(0, sigma, (120, 120, 3)), 0, 255).astype(np.uint8)


def test_flat_colours_are_a_depiction() -> None:
    flat, few = realness_cues(flat_artwork())
    assert flat > 0.9
    assert few == 1.0
    assert judge_face(flat_artwork(), BOX) == "depiction"


@pytest.mark.parametrize("sigma", [1.0, 3.0, 10.0])
def test_the_noise_of_any_camera_makes_it_unsure(sigma: float) -> None:
    assert judge_face(noise(sigma), BOX) == "unsure"


def test_a_gradient_has_flat_places_but_many_colours() -> None:
    ramp = np.linspace(0, 255, 400)[None, :, None].repeat(400, 0).repeat(3, 2).astype(np.uint8)
    flat, few = realness_cues(ramp)
    assert flat > FLAT_SHARE
    assert few < FEW_COLOURS_SHARE
    assert judge_face(ramp, (50.0, 50.0, 300.0, 300.0)) == "unsure"


def test_flat_is_what_varies_by_one_level_in_three_by_three() -> None:
    """Against the definition, window by window."""
    crop = np.random.default_rng(5).integers(100, 103, (40, 30, 3)).astype(np.uint8)
    grey = crop.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    windows = [grey[y : y + 3, x : x + 3] for y in range(38) for x in range(28)]
    flat = [float(w.max() - w.min()) <= 1.0 for w in windows]
    assert 0 < sum(flat) < len(flat)
    assert realness_cues(crop)[0] == pytest.approx(sum(flat) / len(flat))


@pytest.mark.parametrize("place", [(36, 36), (36, 70), (70, 36), (70, 70), (52, 52)])
def test_texture_left_anywhere_between_eyes_and_mouth_makes_it_unsure(place: tuple[int, int]) -> None:
    picture = flat_artwork()
    y, x = place
    picture[y : y + 14, x : x + 14] += np.random.default_rng(3).integers(0, 5, (14, 14, 3)).astype(np.uint8)
    assert judge_face(picture, BOX) == "unsure"


def test_the_landmarks_say_where_else_it_has_to_be_flat() -> None:
    picture = flat_artwork()
    picture[84:96, 24:36] += np.random.default_rng(3).integers(0, 5, (12, 12, 3)).astype(np.uint8)
    assert judge_face(picture, BOX) == "depiction"
    there = np.array([[25, 60], [50, 60], [38, 75], [28, 94], [48, 94]], np.float32)
    assert judge_face(picture, BOX, landmarks=there) == "unsure"
    assert flatness(picture, BOX, np.full((5, 2), np.nan, np.float32)) == 0.0


@pytest.mark.parametrize(("step", "verdict"), [(LEAST_RANGE - 4, "unsure"), (LEAST_RANGE + 4, "depiction")])
def test_where_little_is_left_of_light_and_dark_it_is_unsure(step: float, verdict: str) -> None:
    picture = np.full((120, 120, 3), 20, np.uint8)
    picture[40:60, 40:80] = 20 + int(step)
    assert judge_face(picture, BOX) == verdict


@pytest.mark.parametrize("side", [1, 8, SMALLEST_PIXELS - 4])
def test_what_is_too_small_to_tell_is_unsure(side: int) -> None:
    assert judge_face(flat_artwork(), (30.0, 30.0, float(side), float(side))) == "unsure"


@pytest.mark.parametrize("box", [(-50.0, -50.0, 40.0, 40.0), (119.0, 119.0, 80.0, 80.0), (500.0, 500.0, 40.0, 40.0)])
def test_a_box_outside_the_picture_is_unsure(box: tuple[float, float, float, float]) -> None:
    assert judge_face(flat_artwork(), box) == "unsure"


def test_unsure_counts_as_real_and_a_depiction_does_not() -> None:
    assert REAL_SCORE["depiction"] < 0.5 <= REAL_SCORE["unsure"]


def test_no_photographed_face_comes_near_the_thresholds(shared: Path) -> None:
    """Smoothing and strong compression of photographs stay on the safe side too."""
    worst = 0.0
    for path in sorted((shared / "data/images/faces").glob("*_0001.jpg")):
        photo = Image.open(path).convert("RGB")
        for picture in (photo, photo.filter(ImageFilter.MedianFilter(3))):
            flat, few = realness_cues(np.asarray(picture)[60:190, 60:190])
            worst = max(worst, min(flat / FLAT_SHARE, few / FEW_COLOURS_SHARE))
    assert 0.0 < worst < 1.0


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _covered(image: Image.Image, below: int = 250, above: int = 0, *, cut_out: bool) -> Image.Image:
    """White from row `below` on and down to row `above`; cut out along an ellipse around the face."""
    picture = np.array(image)
    picture[below:], picture[:above] = 250, 250
    rows, columns = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]]
    picture[cut_out & (((columns - 125) / 50) ** 2 + ((rows - 130) / 66) ** 2 > 1)] = 250
    return Image.fromarray(picture)


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda image: image,
    "JPEG 30": lambda image: _jpeg(image, 30),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.5)),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "median": lambda image: image.filter(ImageFilter.MedianFilter(3)),
    "dark": lambda image: image.point(lambda v: round(v * 0.08)),
    "very dark": lambda image: image.point(lambda v: round(v * 0.03)),
    "faded": lambda image: image.point(lambda v: round(128 + (v - 128) * 0.08)),
    "dark and blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.5)).point(lambda v: round(v * 0.12)),
    "cut out": lambda image: _covered(image, cut_out=True),
    "lower face covered": lambda image: _covered(image, 130, cut_out=True),
    "eyes and brows alone": lambda image: _covered(image, 130, 95, cut_out=True),
    "dark, then covered": lambda image: _covered(image.point(lambda v: round(v * 0.08)), 130, 95, cut_out=True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_people_in_photographs_are_never_called_a_depiction(shared: Path, change: str) -> None:
    """Five people in news photographs; the whole set is in benchmarks/realness.py."""
    for path in sorted((shared / "data/images/faces").glob("*_000[1-2].jpg")):
        picture = np.asarray(CHANGES[change](Image.open(path).convert("RGB")))
        assert judge_face(picture, (75.0, 70.0, 100.0, 120.0)) == "unsure"
        assert judge_face(picture, (75.0, 70.0, 100.0, 120.0), landmarks=MARKS) == "unsure"


class Backend:
    """Always of one opinion."""

    name = "opinion"
    weights: Mapping[str, str] = {}

    def __init__(self, sure: bool) -> None:
        self.sure = sure

    def is_depiction(self, image: np.ndarray, box: tuple[float, float, float, float]) -> bool:
        return self.sure


@pytest.mark.parametrize(
    ("picture", "sure", "verdict"),
    [
        (noise(5.0), True, "depiction"),
        (noise(5.0), False, "unsure"),
        # No camera makes flat artwork, whatever a model says.
        (flat_artwork(), False, "depiction"),
    ],
)
def test_a_backend_is_asked_where_the_cues_are_not_sure(picture: np.ndarray, sure: bool, verdict: str) -> None:
    assert judge_face(picture, BOX, Backend(sure)) == verdict
