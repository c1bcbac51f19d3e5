"""Detection for a guard: small, turned, doubtful and many faces, with a model that is told what to see, and with real
ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image

from guardrail.checks.image.backends.base import DetectedFace, DetectionThresholds, overlap
from guardrail.checks.image.detection import (
    SCANNED,
    SECOND_LOOKS,
    SECOND_SIDE,
    TURNED_SIDE,
    GuardDetector,
    _is_one_of,
)
from guardrail.checks.image.tiles import TILE_OVERLAP, tiles, windows

RED, DOUBTFUL = (250, 20, 20), (250, 120, 20)


class Reds:
    """Sees red rectangles that stand upright, and is sure of them; orange ones it sees, and is not sure of.

    Orange ones are confirmed by the second look where `confirms` is true. Nothing smaller than `least` is seen.
    """

    name = "reds"
    provider = ""
    weights: Mapping[str, str] = {}
    side = 640
    thresholds = DetectionThresholds(candidate=0.2, certain=0.8, confirm=0.5)

    def __init__(self, *, confirms: bool = True, least: int = 14) -> None:
        self.confirms, self.least = confirms, least
        self.windows: list[tuple[int, int]] = []

    def candidates(self, window: Any) -> list[DetectedFace]:
        assert window.flags.c_contiguous
        assert max(window.shape[:2]) <= self.side
        self.windows.append(window.shape[:2])
        found = []
        for colour, score in ((RED, 0.9), (DOUBTFUL, 0.4)):
            near = (np.abs(window.astype(int) - colour).max(2) < 40) & (window[..., 0] > 0)
            for x, y, w, h in boxes(near):
                if w < self.least or h <= w * 1.1:
                    continue
                second = window.shape[:2] == (SECOND_SIDE, SECOND_SIDE)
                said = (0.95 if self.confirms else 0.1) if second else score
                marks = np.array([[x, y], [x + w, y], [x + w / 2, y + h / 2], [x, y + h], [x + w, y + h]], np.float32)
                if said > self.thresholds.candidate:
                    found.append(DetectedFace((x, y, w, h), said, marks))
        return sorted(found, key=lambda f: -f.score)


def boxes(mask: Any) -> list[tuple[float, float, float, float]]:
    from scipy.ndimage import find_objects, label

    found, _ = label(mask)
    return [
        (float(s[1].start), float(s[0].start), float(s[1].stop - s[1].start), float(s[0].stop - s[0].start))
        for s in find_objects(found)
    ]


def picture(height: int, width: int, *rectangles: tuple[int, int, int, int], colour: Any = RED) -> Any:
    # Noise, so that no tile is without detail.
    rng = np.random.default_rng(1)
    out = rng.integers(0, 90, (height, width, 3), dtype=np.uint8)
    for x, y, w, h in rectangles:
        out[y : y + h, x : x + w] = colour
    return out


def near(found: list[DetectedFace], *expected: tuple[int, int, int, int]) -> bool:
    return len(found) == len(expected) and all(
        any(overlap(f.box, tuple(float(v) for v in e)) > 0.7 for f in found) for e in expected
    )


# ---- the first look


TURNED_LOOKS = [(TURNED_SIDE, TURNED_SIDE)] * 3


def test_a_certain_face_needs_no_second_look() -> None:
    model = Reds()
    assert near(GuardDetector(model).detect(picture(512, 512, (100, 90, 60, 80))), (100, 90, 60, 80))
    assert model.windows == [(512, 512), *TURNED_LOOKS]


def test_a_large_picture_is_reduced_and_the_boxes_are_in_its_own_pixels() -> None:
    model = Reds()
    found = GuardDetector(model).detect(picture(900, 1280, (300, 200, 200, 260)))
    assert near(found, (300, 200, 200, 260))
    assert model.windows[0] == (450, 640)
    left_eye, *_, right_mouth = found[0].landmarks
    assert left_eye == pytest.approx((300, 200), abs=3)
    assert right_mouth == pytest.approx((500, 460), abs=3)


# ---- tiles


@pytest.mark.parametrize("length", [1, 639, 640, 641, 1000, SCANNED, 1185, 2000], ids=lambda n: f"{n} pixels")
def test_tiles_cover_everything_and_overlap(length: int) -> None:
    starts = [left for _, left in tiles(1, length, 640)]
    assert starts[0] == 0
    assert max(starts) + 640 >= length
    assert max(starts) == max(0, length - 640)
    assert all(b - a <= 640 - TILE_OVERLAP for a, b in pairwise(starts))


def test_the_scanned_size_takes_two_tiles_a_side() -> None:
    assert len(tiles(SCANNED, SCANNED, 640)) == 4


@pytest.mark.parametrize("at", [(40, 60), (1000, 1010), (1010, 700), (1900, 1400), (2010, 1490)])
def test_a_small_face_in_a_large_picture_is_found_wherever_it_is(at: tuple[int, int]) -> None:
    face = (*at, 30, 40)
    assert near(GuardDetector(Reds()).detect(picture(1536, 2048, face)), face)


def test_a_face_over_the_borders_of_tiles_is_one_face() -> None:
    for face in ((940, 700, 160, 200), (700, 940, 80, 100), (400, 300, 1200, 1500)):
        assert near(GuardDetector(Reds()).detect(picture(2048, 2048, face)), face)


def test_tiles_without_detail_are_not_looked_at() -> None:
    model, flat = Reds(), np.full((2048, 2048, 3), 90, np.uint8)
    flat[300:340, 300:330] = RED
    assert near(GuardDetector(model).detect(flat), (300, 300, 30, 40))
    # The first look, and the one tile with something in it.
    assert model.windows == [(640, 640), (640, 640), *TURNED_LOOKS]


# ---- on its side


@pytest.mark.parametrize("turns", [1, 3])
def test_what_lies_on_its_side_is_found_and_confirmed(turns: int) -> None:
    model = Reds()
    upright = picture(300, 400, (100, 90, 60, 90))
    lying = np.ascontiguousarray(np.rot90(upright, turns))
    (face,) = GuardDetector(model).detect(lying)
    x, y, w, h = (round(v) for v in face.box)
    assert np.abs(lying[y + 3 : y + h - 3, x + 3 : x + w - 3].astype(int) - RED).max() < 40
    assert (w, h) == pytest.approx((90, 60), abs=2)
    assert (SECOND_SIDE, SECOND_SIDE) in model.windows


def test_the_turned_looks_are_small() -> None:
    model = Reds()
    GuardDetector(model).detect(picture(512, 512))
    assert model.windows == [(512, 512), *TURNED_LOOKS]


def test_a_certain_face_hides_none_that_lies_beside_it() -> None:
    model, both = Reds(), ((60, 90, 60, 80), (300, 300, 90, 60))
    assert near(GuardDetector(model).detect(picture(512, 512, *both)), *both)


def test_the_size_tells_a_face_seen_twice_from_a_small_one_inside_a_large_one() -> None:
    """Turned looks at what was certain upright find nothing new: neither is it looked at a second time."""
    large = DetectedFace((100.0, 100.0, 200.0, 260.0), 0.9, np.zeros((5, 2), np.float32))
    for box, known in [
        ((110.0, 90.0, 190.0, 220.0), True),
        ((90.0, 140.0, 260.0, 200.0), True),
        ((180.0, 120.0, 60.0, 60.0), False),
        ((320.0, 100.0, 200.0, 260.0), False),
    ]:
        assert _is_one_of(DetectedFace(box, 0.5, large.landmarks), [large]) is known


# ---- long and narrow


@pytest.mark.parametrize("size", [(640, 640), (100, 299), (299, 100), (11, 5000), (1, 1)])
def test_what_is_not_long_or_holds_no_face_is_one_window(size: tuple[int, int]) -> None:
    assert windows(*size) == [(0, 0, *size)]


@pytest.mark.parametrize("long", [300, 301, 450, 1000, 6400])
def test_windows_cover_a_strip_and_overlap_by_its_short_side(long: int) -> None:
    for across in (True, False):
        cut = windows(100, long) if across else [(t[1], t[0], t[3], t[2]) for t in windows(long, 100)]
        assert {(top, bottom, right - left) for top, left, bottom, right in cut} == {(0, 100, 200)}
        starts = [left for _, left, _, _ in cut]
        assert (starts[0], max(starts)) == (0, long - 200)
        assert all(b - a <= 100 for a, b in pairwise(starts))
        assert len(cut) <= long // 100


@pytest.mark.parametrize(
    ("at", "turns"),
    [
        pytest.param(at, turns, marks=[] if (at, turns) in ((70, 1), (5033, 0)) else [pytest.mark.nightly])
        for at in (0, 70, 500, 640, 1000, 5033, 9880)
        for turns in (0, 1)
    ],
)
def test_a_face_in_a_long_strip_is_found_once_wherever_it_is(at: int, turns: int) -> None:
    upright = picture(10_000, 200, (60, at, 60, 80))
    strip = np.ascontiguousarray(np.rot90(upright, turns))
    face = (60, at, 60, 80) if turns == 0 else (at, 200 - 120, 80, 60)
    assert near(GuardDetector(Reds()).detect(strip), face)


def test_a_face_longer_than_the_strip_is_wide_is_found() -> None:
    """No window has it whole."""
    (face,) = GuardDetector(Reds()).detect(picture(1000, 100, (0, 350, 100, 170)))
    assert overlap(face.box, (0.0, 350.0, 100.0, 170.0)) > 0.8


def test_on_its_side_nothing_is_certain_at_first_sight() -> None:
    lying = np.ascontiguousarray(np.rot90(picture(300, 400, (100, 90, 60, 90))))
    assert GuardDetector(Reds(confirms=False)).detect(lying) == []


# ---- the second look


@pytest.mark.parametrize("confirms", [True, False])
def test_what_is_doubtful_counts_where_the_second_look_confirms_it(confirms: bool) -> None:
    face = (100, 90, 60, 80)
    found = GuardDetector(Reds(confirms=confirms)).detect(picture(512, 512, face, colour=DOUBTFUL))
    assert near(found, *([face] if confirms else []))


@pytest.mark.parametrize("face", [(0, 0, 60, 80), (460, 440, 52, 72), (200, 0, 20, 26), (4, 4, 400, 500)])
def test_the_second_look_reaches_over_the_edge(face: tuple[int, int, int, int]) -> None:
    assert near(GuardDetector(Reds()).detect(picture(512, 512, face, colour=DOUBTFUL)), face)


def test_beyond_a_number_of_second_looks_the_doubtful_count() -> None:
    """Noise must not buy time, nor hide a face behind itself."""
    many = [(8 + 40 * i, 8 + 40 * j, 16, 24) for i in range(12) for j in range(12)]
    model = Reds(confirms=False)
    found = GuardDetector(model).detect(picture(512, 512, *many, colour=DOUBTFUL))
    assert len(found) == len(many) - SECOND_LOOKS
    assert model.windows.count((SECOND_SIDE, SECOND_SIDE)) >= SECOND_LOOKS


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 2), (7, 5)])
def test_pictures_of_odd_sizes_are_looked_at(size: tuple[int, int]) -> None:
    assert GuardDetector(Reds()).detect(np.zeros((*size, 3), np.uint8)) == []


# ---- real models


def in_2048(portrait: Any) -> Any:
    out = np.asarray(Image.fromarray(portrait).resize((200, 200), Image.Resampling.LANCZOS))
    data = pytest.importorskip("skimage.data")
    gravel = np.stack([np.tile(data.gravel(), (4, 4))] * 3, -1)[:1600]
    gravel[1200:1400, 1700:1900] = out
    return gravel


@pytest.mark.parametrize("model", ["centerface", "yunet"])
@pytest.mark.parametrize(
    ("change", "at"),
    [
        (lambda p: p, (225, 127)),
        (lambda p: np.rot90(p), (127, 512 - 225)),
        (lambda p: np.rot90(p, 2), (512 - 225, 512 - 127)),
        (lambda p: np.rot90(p, 3), (512 - 127, 225)),
        (in_2048, (1700 + 225 * 200 / 512, 1200 + 127 * 200 / 512)),
        pytest.param(
            lambda p: np.pad(p, ((6000, 4000), (0, 0), (0, 0)), constant_values=127),
            (225, 6127),
            marks=pytest.mark.nightly,
        ),
        (lambda p: np.pad(p, ((0, 0), (3000, 7000), (0, 0)), constant_values=127), (3225, 127)),
    ],
    ids=["upright", "left side", "upside down", "right side", "36 pixels in 2048", "in a tall strip", "in a wide one"],
)
def test_the_face_of_a_portrait_is_found_where_it_is(
    model: str, request: pytest.FixtureRequest, portrait: Any, change: Callable[[Any], Any], at: tuple[float, float]
) -> None:
    (face,) = GuardDetector(request.getfixturevalue(model)).detect(change(portrait))
    assert (face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2) == pytest.approx(at, abs=20)


@pytest.mark.parametrize("model", ["centerface", "yunet"])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_portrait_beside_an_upright_one_is_found(
    model: str, request: pytest.FixtureRequest, portrait: Any, turns: int
) -> None:
    both = np.concatenate([portrait, np.rot90(portrait, turns)], axis=1)
    found = GuardDetector(request.getfixturevalue(model)).detect(both)
    assert sorted(f.box[0] > 512 for f in found) == [False, True]


@pytest.mark.parametrize("model", ["centerface", "yunet"])
def test_pictures_that_fooled_a_single_look_have_no_face(model: str, request: pytest.FixtureRequest) -> None:
    data = pytest.importorskip("skimage.data")
    detector = GuardDetector(request.getfixturevalue(model))
    for name in ("moon", "hubble_deep_field", "coffee"):
        shown = getattr(data, name)()
        shown = np.stack([shown] * 3, -1) if shown.ndim == 2 else shown[..., :3]
        assert detector.detect(shown) == []
