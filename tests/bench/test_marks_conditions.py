"""What ``guardrail bench marks`` does to pictures: every condition does something, and says what it cannot do."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from guardrail.bench.marks import conditions, quality
from guardrail.bench.marks.conditions import CONDITIONS, Condition, named
from guardrail.bench.marks.drawings import KINDS, drawing
from guardrail.bench.marks.printed import halftoned, perspective

SIDE = 128


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    return np.asarray(drawing(0, SIDE))


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_but_none_changes_the_picture_and_is_the_same_again(
    name: str, picture: NDArray[np.uint8]
) -> None:
    condition = CONDITIONS[name]
    if condition.lacking:
        pytest.skip(condition.lacking)
    changed = condition(picture, "a")
    assert changed.dtype == np.uint8
    assert changed.shape[2] == 3
    same = changed.shape == picture.shape and bool((changed == picture).all())
    assert same == (name == "none")
    again = condition(picture, "a")
    assert again.shape == changed.shape
    assert (again == changed).all()


def test_the_issue_s_conditions_have_its_aims() -> None:
    aims = {name: c.aim for name, c in CONDITIONS.items()}
    for name in ("jpeg30", "avif50", "resize1.5_back", "crop_area25", "rot180", "grayscale", "resize0.5+jpeg50"):
        assert aims[name] == 0.99
    assert aims["crop50+resize0.7+jpeg60"] == aims["wider7"] == 0.80
    assert aims["jpeg10"] is None


def test_a_crop_keeps_its_share_at_a_place_that_the_picture_s_name_decides(picture: NDArray[np.uint8]) -> None:
    crop = CONDITIONS["crop_area50"]
    parts = [crop(picture, name) for name in ("a", "b", "c")]
    assert all(p.shape[0] * p.shape[1] == pytest.approx(SIDE**2 / 2, rel=0.02) for p in parts)
    assert any((parts[0] != p).any() for p in parts[1:])


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("resize0.5", (64, 64)),
        ("resize3", (384, 384)),
        ("resize0.3", (38, 38)),
        ("wider7", (128, 137)),
        ("taller7", (137, 128)),
        ("social", (90, 90)),
        ("crop_area25_back", (128, 128)),
    ],
)
def test_sizes(name: str, shape: tuple[int, int], picture: NDArray[np.uint8]) -> None:
    assert CONDITIONS[name](picture, "a").shape == (*shape, 3)


def test_noise_is_as_strong_as_it_says() -> None:
    grey = np.full((SIDE, SIDE, 3), 128, np.uint8)
    for name, deviation in (("noise5", 5.0), ("noise10", 10.0)):
        assert CONDITIONS[name](grey, "a").std() == pytest.approx(deviation, rel=0.03)


def test_what_cannot_be_done_here_says_why() -> None:
    assert (
        Condition("x", CONDITIONS["none"].attack, needs="no_such_package").lacking == "no_such_package is not installed"
    )
    assert CONDITIONS["none"].lacking == ""
    assert {c.name for c in named("all")} == set(CONDITIONS)
    with pytest.raises(ValueError, match="no condition is called 'jpeg31'"):
        named("none, jpeg31")
    assert next(c.name for c in named(conditions.QUICK)) == "none"


def test_a_halftone_has_dots_of_ink_whose_share_is_the_tone() -> None:
    for tone in (32, 128, 224):
        dots = halftoned(np.full((60, 60, 3), tone, np.uint8))
        assert dots.shape == (240, 240, 3)
        assert set(np.unique(dots)) == {0, 255}
        assert dots.mean((0, 1)) == pytest.approx([tone] * 3, abs=4)


def test_perspective_moves_corners_by_its_shift_and_no_more(picture: NDArray[np.uint8]) -> None:
    cross = np.zeros((200, 200, 3), np.uint8)
    cross[98:102, 98:102] = 255
    moved = np.asarray(perspective(0.02)(Image.fromarray(cross), np.random.default_rng(1)))
    y, x = np.argwhere(moved[..., 0] > 128).mean(0)
    # Corners move by 4 pixels; the middle may move by a little more.
    assert 0 < abs(y - 99.5) + abs(x - 99.5) < 16
    with_corner = np.asarray(perspective(0.02)(Image.fromarray(picture), np.random.default_rng(1)))
    assert (with_corner[0, 0] == 0).all() or (with_corner[-1, 0] == 0).all() or (with_corner[0, -1] == 0).all()


def test_quality_of_a_known_change() -> None:
    rng = np.random.default_rng(1)
    before = rng.integers(60, 190, (96, 96, 3)).astype(np.uint8)
    assert quality.psnr(before, before) == np.inf
    assert quality.structural_similarity(before, before) == pytest.approx(1.0)
    assert quality.just_noticeable(before, before) == 0.0
    assert quality.psnr(before, before + np.uint8(5)) == pytest.approx(10 * np.log10(255**2 / 25))
    assert quality.just_noticeable(before, before + np.uint8(60)) == 1.0
    grey = np.full((96, 96, 3), 127, np.uint8)
    # In the middle of the scale of a flat picture 3 grey levels are the threshold.
    assert quality.just_noticeable(grey, grey + np.uint8(2)) == 0.0
    assert quality.just_noticeable(grey, grey + np.uint8(4)) == 1.0


def test_similarity_is_that_of_the_reference_implementation() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(2)
    before = np.asarray(drawing(0, 96))
    after = np.clip(before + rng.normal(0, 6, before.shape), 0, 255).astype(np.uint8)
    luma = [p @ np.array([0.299, 0.587, 0.114]) for p in (before, after)]
    theirs = metrics.structural_similarity(
        *luma, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert quality.structural_similarity(before, after) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("number", range(len(KINDS)))
def test_drawings_are_what_their_number_says(number: int) -> None:
    one = np.asarray(drawing(number, 64))
    assert one.shape == (64, 64, 3)
    assert one.std() > 1
    assert (one == np.asarray(drawing(number, 64))).all()
    assert (one != np.asarray(drawing(number + len(KINDS), 64))).any()


@pytest.mark.parametrize("side", [96, 512])
def test_pictures_of_any_shape_are_cut_to_size(side: int) -> None:
    from guardrail.bench.marks.pictures import Size, _cut

    for width, height in [(w, h) for w in range(200, 1200, 83) for h in range(199, 1200, 89)]:
        assert _cut(Image.new("L", (width, height)), Size(side, side)).size == (side, side)
