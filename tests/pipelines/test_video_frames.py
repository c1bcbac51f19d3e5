"""Long videos: frame by frame, sampled where the policy says so, smoothed only upwards, covered between two finds."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.actions.base import PlanInput
from guardrail.actions.redact import Fill
from guardrail.checks.base import Failure, SignalValues
from guardrail.guard.frames.following import MOST_MISSED, between, timelines
from guardrail.guard.frames.parts import AT_ONCE, Place, in_few_items, places, put_together
from guardrail.guard.frames.sampling import cell_means, sampled
from guardrail.guard.frames.smoothing import smoothed
from guardrail.guard.runner import Runner
from guardrail.media import ImageInput, Region, Request, Role
from guardrail.signals import CORE, MOST_ITEMS, Stage
from tests.scripted import ScriptedFaces, ScriptedNudity

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def clip(length: int, side: int = 16, value: int = 100) -> list[np.ndarray]:
    """Frames that stand still."""
    return [np.full((side, side, 3), value, np.uint8) for _ in range(length)]


def shown(frames: Any, role: Role = Role.OUTPUT) -> Request:
    return Request(outputs=(ImageInput(tuple(frames), "output", 0, role),))


# ---- which frames are looked at


@pytest.mark.parametrize("every", [2, 4, 8, 32])
def test_a_single_frame_that_is_put_in_is_looked_at_wherever_it_stands(every: int) -> None:
    for at, cell in [*((at, 7 * at % 16) for at in range(24)), *((13, cell) for cell in range(16))]:
        frames = clip(24)
        frames[at] = frames[at].copy()
        row, column = divmod(cell, 4)
        frames[at][4 * row : 4 * row + 4, 4 * column : 4 * column + 4, cell % 3] += 11
        assert at in sampled(frames, every)


def test_what_returns_to_the_frame_looked_at_last_is_looked_at_too() -> None:
    frames = [*clip(3, value=100), *clip(3, value=108), *clip(1, value=97), *clip(3, value=108)]
    # 97 is close to what was looked at last (100), and far from the frame before it.
    assert 6 in sampled(frames, 32)


def test_slow_changes_add_up() -> None:
    frames = [np.full((16, 16, 3), 100 + i, np.uint8) for i in range(40)]
    assert sampled(frames, 32) == [0, 11, 22, 33, 39]


def test_first_last_and_every_kth() -> None:
    assert sampled(clip(30), 8) == [0, 8, 16, 24, 29]
    assert sampled(clip(30), 1) == list(range(30))
    assert sampled(clip(1), 8) == [0]
    assert sampled([], 8) == []


def test_frames_of_odd_and_tiny_sizes_have_their_cells() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (37, 53, 3), dtype=np.uint8)
    means = cell_means(frame)
    assert means.shape == (4, 4, 3)
    assert np.allclose(means[0, 3], frame[:9, 39:].mean((0, 1)))
    assert cell_means(frame[:2, :3]).shape == (2, 3, 3)
    assert sampled([frame[:8], frame[:9], frame[:8]], 32) == [0, 1, 2]


# ---- smoothing may only raise


@given(SCORES, st.integers(0, 64))
@settings(max_examples=200)
def test_smoothing_never_lowers(scores: list[float], over: int) -> None:
    raised = smoothed(scores, over)
    assert len(raised) == len(scores)
    assert all(a >= b for a, b in zip(raised, scores, strict=True))
    assert max(raised) <= 1.0
    # Not at all without a window, and not of one frame.
    assert smoothed(scores, 0) == scores
    assert smoothed(scores[:1], over) == scores[:1]


@given(SCORES, st.data())
@settings(max_examples=200)
def test_a_higher_score_lowers_none(scores: list[float], data: Any) -> None:
    place = data.draw(st.integers(0, len(scores) - 1))
    higher = [*scores]
    higher[place] = data.draw(st.floats(scores[place], 1))
    assert all(a >= b for a, b in zip(smoothed(higher, 9), smoothed(scores, 9), strict=True))


def test_what_lasts_is_raised_and_what_flashes_is_not() -> None:
    assert max(smoothed([0.3] * 20, 9)) > 0.4
    flash = [0.02] * 9 + [0.3] + [0.02] * 9
    assert max(smoothed(flash, 9)) == 0.3


# ---- what frames say together


def faces(*rows: tuple[float, float, str]) -> tuple[dict[str, Any], ...]:
    return tuple({"real": r, "match": m, "identifiable": True, "gallery": g} for r, m, g in rows)


def test_missing_in_one_frame_is_missing_in_all() -> None:
    assert put_together([0.1, None, 0.2]) is None
    assert put_together([]) is None
    assert put_together([0.1, 0.4, 0.2]) == 0.4
    assert put_together([False, True]) is True
    assert put_together([False, False], over=9) is False
    assert put_together(["a", "a"]) == "a"
    assert put_together(["a", "b"]) is None
    assert put_together([faces((0.5, 0.1, "none"))] * 300) == faces((0.5, 0.1, "none"))


def test_reduced_items_pass_and_fail_the_same_tests() -> None:
    rng = random.Random(4)
    items = [
        *faces(*((rng.choice([0.1, 0.75]), rng.random(), rng.choice(["none", "consented"])) for _ in range(400))),
        {"real": None, "match": 0.2, "identifiable": False, "gallery": "none"},
    ]
    few = in_few_items(items)
    assert few is not None
    assert len(few) <= MOST_ITEMS < len(items)
    assert all(any(item is i for i in items) for item in few)
    compare: list[Callable[[float, float], bool]] = [lambda a, b: a >= b, lambda a, b: a <= b]
    for word, one, other in itertools.product(("none", "consented"), compare, compare):
        for x, y in itertools.product(np.linspace(0, 1, 5), repeat=2):

            def holds(i: Any, word: str = word, one: Any = one, other: Any = other, x: Any = x, y: Any = y) -> bool:
                return i["gallery"] == word and i["real"] is not None and one(i["real"], x) and other(i["match"], y)

            assert any(map(holds, few)) == any(map(holds, items))

            def fails(i: Any, one: Any = one, x: Any = x) -> bool:
                return bool(one(i["match"], x))

            assert all(map(fails, few)) == all(map(fails, items))


def test_items_that_nothing_can_leave_out_are_too_many() -> None:
    rising = faces(*((i / 100, 1 - i / 100, "none") for i in range(100)))
    assert in_few_items(rising) is None


class ByFrame(ScriptedNudity):
    """Scores a frame by its first pixel; keeps how many frames it was given at a time."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def check(self, batch: Any, stage: Stage) -> list[SignalValues | Failure]:
        answers: list[SignalValues | Failure] = []
        for request in batch:
            (image,) = request.media(stage)
            self.given.append(len(image.frames))
            value = image.frames[0][0, 0, 0]
            score = float("nan") if value == 255 else None if value == 254 else int(value) / 255
            regions = (Region(0, 0, (1.0, 1.0, 4.0, 4.0), "nudity", score or 0.0),)
            answers.append(SignalValues({f"{stage.value}.nudity": score}, regions=regions))
        return answers


@pytest.mark.parametrize(("value", "score"), [(77, 77 / 255), (255, None), (254, None)])
@pytest.mark.parametrize("at", [0, 11, 29])
def test_a_long_video_is_looked_at_frame_by_frame(value: int, score: float | None, at: int) -> None:
    frames = clip(30, value=10)
    frames[at] = np.full_like(frames[at], value)
    check = ByFrame()
    (found,) = Runner([check]).run([shown(frames)], Stage.OUTPUT)
    assert found.signals == {"output.nudity": score}
    assert set(check.given) == {1}
    if score is None:  # it is not asked again: nothing that it says can count any more
        assert len(check.given) == at + 1
        assert found.failures
    else:
        assert [r.frame for r in found.regions] == list(range(30))
        assert found.regions[at].score == score


def test_few_frames_are_handed_over_as_they_are() -> None:
    check = ByFrame()
    Runner([check]).run([shown(clip(AT_ONCE)), shown(clip(3))], Stage.OUTPUT)
    assert check.given == [AT_ONCE, 3]


def test_alone_and_in_a_batch_are_the_same() -> None:
    rng = np.random.default_rng(3)
    requests = [shown(rng.integers(0, 200, (n, 8, 8, 3), dtype=np.uint8)) for n in (1, 12, 5, 20)]
    runner = Runner([ByFrame()])
    together = runner.run(requests, Stage.OUTPUT)
    for request, found in zip(requests, together, strict=True):
        (alone,) = runner.run([request], Stage.OUTPUT)
        assert alone.signals == found.signals
        assert [(r.frame, r.score) for r in alone.regions] == [(r.frame, r.score) for r in found.regions]


def test_many_faces_in_many_frames_are_no_missing_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"real": 0.75, "identifiable": True, "match": 0.0, "gallery": "none"}
    monkeypatch.setattr(ScriptedFaces, "judge", staticmethod(lambda image: [((1.0, 1.0, 4.0, 4.0), fields)] * 2))
    (found,) = Runner([ScriptedFaces()]).run([shown(clip(100))], Stage.OUTPUT)
    assert found.signals == {"output.faces": (fields,)}
    assert CORE["output.faces"].kind.admits(found.signals["output.faces"])
    assert len(found.regions) == 200


# ---- covered between two finds


def face(frame: int, left: float, **fields: Any) -> Region:
    return Region(0, frame, (left, 4.0, 8.0, 8.0), "face", 0.9, {"real": 0.75, "consent": "unknown", **fields})


def test_a_face_missed_in_between_is_covered_there() -> None:
    request = shown(np.random.default_rng(0).integers(0, 255, (9, 64, 64, 3), dtype=np.uint8))
    regions = [face(1, 4.0), face(2, 6.0), face(5, 12.0)]
    added = between(regions, request, Stage.OUTPUT)
    assert [(r.frame, r.box) for r in added] == [(3, (8.0, 4.0, 8.0, 8.0)), (4, (10.0, 4.0, 8.0, 8.0))]
    action = Fill()
    params = {"target": "unconsented-faces"}
    (less,) = action.plan(PlanInput(request, Stage.OUTPUT, (), regions), params)
    (more,) = action.plan(PlanInput(request, Stage.OUTPUT, (), [*regions, *added]), params)
    before = request.outputs[0].frames
    changed = [[bool((f != b).any()) for f, b in zip(p.pixels, before, strict=True)] for p in (less, more)]
    assert changed == [[n in (1, 2, 5) for n in range(9)], [n in (1, 2, 3, 4, 5) for n in range(9)]]
    # Only area is added: what was covered before is covered as before.
    for n in (1, 2, 5):
        assert np.array_equal(less.pixels[n], more.pixels[n])


@pytest.mark.parametrize(
    ("regions", "why"),
    [
        ([face(0, 0.0), face(1, 1.0)], "found again in the next frame"),
        ([face(0, 0.0), face(3, 50.0)], "too far apart to be the same"),
        ([face(0, 0.0), face(MOST_MISSED + 2, 0.0)], "away for too long"),
        ([face(0, 0.0)], "never seen again"),
        ([face(0, 0.0), replace(face(3, 0.0), kind="nudity")], "of another kind"),
        ([face(0, 0.0), replace(face(3, 0.0), box=(0.0, 4.0, 20.0, 20.0))], "of another size"),
        ([face(0, 0.0), replace(face(3, 0.0), box=(math.nan, 4.0, 8.0, 8.0))], "nowhere"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nothing_is_made_up(regions: list[Region], why: str) -> None:
    assert between(regions, shown(clip(20, 64)), Stage.OUTPUT) == [], why


def test_one_end_without_consent_is_enough() -> None:
    added = between([face(0, 0.0, consent="yes"), face(2, 0.0)], shown(clip(5, 64)), Stage.OUTPUT)
    assert [r.fields["consent"] for r in added] == ["yes", "unknown"]


def test_a_video_given_as_a_list_of_pictures_is_one_video() -> None:
    frames = clip(4, 64)
    images = tuple(ImageInput((f,), f"video[{i}]", i, Role.VIDEO) for i, f in enumerate(frames))
    others = tuple(ImageInput((f,), f"image[{i}]", i) for i, f in enumerate(frames))
    request = Request(images=images + others)
    assert timelines(request, Stage.REFERENCE) == [[Place(i, 0) for i in range(4)]]
    assert places(request, Stage.REFERENCE) == [Place(i, 0) for i in range(8)]
    regions = [replace(face(0, 0.0), image=i) for i in (0, 2, 4, 6)]
    assert [(r.image, r.frame) for r in between(regions, request, Stage.REFERENCE)] == [(1, 0)]
