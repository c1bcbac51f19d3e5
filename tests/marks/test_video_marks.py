"""Marks of videos: nothing flickers or crawls, nothing piles up in memory, and many weak frames make one verdict."""

from __future__ import annotations

import dataclasses
import io
import itertools
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from PIL import Image

from guardrail.errors import MarkError
from guardrail.marks.payload import Payload
from guardrail.marks.stack import MarkStack
from guardrail.marks.video import detect_frames, mark_frames
from tests.marks.conftest import drawing

SIDE = 256
MARK_ID = "0123456789"
PAYLOAD = 0x1234


def moving(count: int, *, step: int = 3, noise: float = 2.0) -> Iterator[np.ndarray]:
    """A camera that wanders over a drawing, with a little noise."""
    whole = drawing(SIDE + count * step, SIDE + count * step, seed=3).astype(np.float32)
    rng = np.random.default_rng(1)
    for t in range(count):
        frame = whole[t * step : t * step + SIDE, t * step : t * step + SIDE]
        yield (frame + rng.normal(0, noise, frame.shape)).clip(0, 255).astype(np.uint8)


def standing(count: int, *, noise: float) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    scene = drawing(SIDE, SIDE).astype(np.float32)
    return [(scene + rng.normal(0, noise, scene.shape)).clip(0, 255).astype(np.uint8) for _ in range(count)]


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "JPEG", quality=quality)
    return np.asarray(Image.open(target))


@pytest.fixture(scope="module")
def film(stack: MarkStack) -> list[np.ndarray]:
    return [np.asarray(f) for f in mark_frames(moving(12), stack, MARK_ID)]


# ---- marking


def test_equal_frames_get_equal_marks_wherever_they_stand(stack: MarkStack) -> None:
    still, other = drawing(SIDE, SIDE), drawing(SIDE, SIDE, seed=9)
    first, again, between, later = mark_frames([still, still.copy(), other, still], stack, MARK_ID)
    assert np.array_equal(first, stack.embed(still, MARK_ID))
    assert np.array_equal(first, again)
    assert np.array_equal(first, later)
    assert not np.array_equal(first, between)


def test_the_mark_stands_still_in_a_scene_that_stands_still(stack: MarkStack) -> None:
    frames = standing(3, noise=1.5)
    residuals = [
        np.asarray(m).astype(float) - f for m, f in zip(mark_frames(frames, stack, MARK_ID), frames, strict=True)
    ]
    for one, next_one in itertools.pairwise(residuals):
        # Measured: 0.997, and 0.07 of the mark moves. What is left is the mask, which the grain moves a little.
        assert np.corrcoef(one.ravel(), next_one.ravel())[0, 1] > 0.98
        assert np.std(one - next_one) < 0.15 * np.std(one)


def test_a_buffer_that_is_written_again_is_seen_as_another_frame(stack: MarkStack) -> None:
    buffer = np.empty((SIDE, SIDE, 3), np.uint8)

    def decoder() -> Iterator[np.ndarray]:
        for seed in (0, 1):
            buffer[:] = drawing(SIDE, SIDE, seed)
            yield buffer

    marked = list(mark_frames(decoder(), stack, MARK_ID))
    assert np.array_equal(marked[1], stack.embed(drawing(SIDE, SIDE, 1), MARK_ID))


def test_frames_come_out_one_by_one(stack: MarkStack) -> None:
    taken = []

    def source() -> Iterator[np.ndarray]:
        for frame in moving(3):
            taken.append(1)
            yield frame

    out = mark_frames(source(), stack, MARK_ID)
    assert taken == []
    next(out)
    assert len(taken) == 1


def test_size_and_type_of_frames_are_kept(stack: MarkStack) -> None:
    frames = [drawing(SIDE, 300), drawing(SIDE, SIDE).astype(np.float32) / 255]
    marked = list(mark_frames(frames, stack, MARK_ID))
    assert [(m.shape, m.dtype) for m in marked] == [(f.shape, f.dtype) for f in frames]


def test_a_frame_that_cannot_be_marked_ends_the_video(stack: MarkStack) -> None:
    frames = [drawing(SIDE, SIDE), np.zeros((32, 32, 3), np.uint8)]
    out = mark_frames(frames, stack, MARK_ID)
    next(out)
    with pytest.raises(MarkError, match=r"frame 1: .*too small"):
        next(out)


# ---- reading


def test_a_marked_video_is_read(stack: MarkStack, film: list[np.ndarray]) -> None:
    seen = detect_frames(film, stack, every=6)
    assert seen.verdict == "payload"
    assert seen.payload is not None
    assert Payload.from_int(seen.payload).mark_id == MARK_ID
    assert seen.key in stack._keyring.ids
    # Two frames and the mean of all.
    assert (seen.frames, seen.looks, seen.agreeing) == (12, 3, 3)
    assert seen.others == frozenset()
    assert seen.false_positive_rate <= 1e-9


def test_the_mean_shows_what_no_frame_shows(stack: MarkStack, film: list[np.ndarray]) -> None:
    weak = [jpeg(f, 17) for f in film]
    assert all(stack.detect(f, search=False)[1].verdict != "payload" for f in weak[::4])
    seen = detect_frames(weak, stack, every=24, search=False)
    assert seen.verdict == "payload"
    assert (seen.first, seen.last) == (0, 11)


def test_a_cropped_video_is_searched_for(stack: MarkStack, film: list[np.ndarray]) -> None:
    cropped = [f[9:, 14:-7] for f in film[:4]]
    seen = detect_frames(cropped, stack)
    assert seen.verdict == "payload"
    assert detect_frames(cropped, stack, search=False).verdict != "payload"


def test_an_unmarked_video_shows_nothing(stack: MarkStack) -> None:
    seen = detect_frames(moving(8), stack, every=4, search=False)
    assert (seen.verdict, seen.payload, seen.key) == ("none", None, "")
    assert seen.looks == 3  # two frames, and the mean of all


def test_frames_of_several_sizes_are_not_averaged_together(stack: MarkStack, film: list[np.ndarray]) -> None:
    sizes = [*film[:3], *(f[:, 20:-20] for f in film[3:6])]
    assert detect_frames(sizes, stack, every=100, search=False).looks == 3  # the first frame, and one mean a size


@pytest.mark.parametrize("wrong", [{"every": 0}, {"window": 1}])
def test_numbers_of_frames_are_numbers(stack: MarkStack, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="from 1 on"):
        detect_frames([drawing(SIDE, SIDE)], stack, **wrong)


def test_a_video_has_frames(stack: MarkStack) -> None:
    with pytest.raises(ValueError, match="without frames"):
        detect_frames([], stack)


# ---- one verdict of many looks


@dataclass(frozen=True)
class Found:
    verdict: Any
    payload: int | None
    statistic: float
    false_positive_rate: float | None


@dataclass
class Scripted:
    """A stack that says of each look in turn what it is told."""

    answers: list[Found]
    keys: int = 1
    searches: list[bool] = field(default_factory=list)

    def embed(self, pixels: Any, mark_id: str) -> Any:
        raise AssertionError

    def detect(self, pixels: Any, *, search: bool = True) -> tuple[str, Found]:
        self.searches.append(search)
        return "k", self.answers[len(self.searches) - 1]


NOTHING = Found("none", None, 8.0, 1.0)
READ = Found("payload", PAYLOAD, 12.0, 2e-10)
FRAMES = [np.zeros((8, 8, 3), np.uint8)] * 3


@pytest.mark.parametrize(
    ("found", "keys", "verdict", "rate"),
    [
        (READ, 1, "payload", 8e-10),  # three frames and their mean
        (READ, 2, "marked", 1.6e-9),
        (dataclasses.replace(READ, false_positive_rate=1e-15), 4, "payload", 1.6e-14),
        (Found("marked", None, 9.0, 2e-7), 1, "marked", 8e-7),
        (Found("marked", None, 9.0, 8e-7), 1, "none", 3.2e-6),
    ],
)
def test_the_rate_counts_looks_and_keys(found: Found, keys: int, verdict: str, rate: float) -> None:
    stack = Scripted([NOTHING, found, NOTHING, NOTHING], keys)
    seen = detect_frames(FRAMES, stack, every=1, search=False)
    assert seen.verdict == verdict
    assert seen.false_positive_rate == pytest.approx(rate)
    assert (seen.payload is None) == (verdict != "payload")


def test_the_surer_of_two_payloads_decides_and_the_other_is_named() -> None:
    other = Found("payload", 7, 20.0, 1e-50)
    seen = detect_frames(FRAMES, Scripted([READ, other, NOTHING, READ]), every=1)
    assert (seen.payload, seen.agreeing, seen.others) == (7, 1, frozenset({f"{PAYLOAD:010x}"}))


def test_the_search_is_left_out_where_something_was_read() -> None:
    stack = Scripted([READ, NOTHING, NOTHING, NOTHING])
    detect_frames(FRAMES, stack, every=1)
    assert stack.searches == [False] * 4
    empty = Scripted([NOTHING] * 5)
    detect_frames(FRAMES, empty, every=1)
    assert empty.searches == [False] * 4 + [True]


def test_memory_does_not_grow_with_the_video() -> None:
    stack = Scripted([NOTHING] * 1000)

    def peak(count: int) -> int:
        tracemalloc.start()
        detect_frames((np.zeros((64, 64, 3), np.uint8) for _ in range(count)), stack, every=8, search=False)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(20)
    assert peak(200) < peak(40) + 64 * 64 * 3 * 2
