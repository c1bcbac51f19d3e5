"""Covering faces and body parts: only where they are, stronger each time, and never in the caller's own pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from guardrail.actions.base import PlanInput, PlannedAction
from guardrail.actions.redact import STRENGTHS, Blur, Fill, Pixelate, Replace, cover, targets
from guardrail.errors import ActionError, CheckError, GalleryError
from guardrail.media import ImageInput, Region, Request, TextInput
from guardrail.signals import Stage

METHODS = ("blur", "pixelate", "fill", "replace")
ACTIONS: tuple[PlannedAction, ...] = (Blur(), Pixelate(), Fill(), Replace())
STEPS = range(STRENGTHS)
BOX = (20.0, 30.0, 40.0, 20.0)
# BOX and 15 % more on each side, whole pixels outwards.
GROWN = (slice(27, 53), slice(14, 66))


def noise(height: int = 96, width: int = 128, channels: int = 3, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def face(box: Any = BOX, image: int = 0, frame: int = 0, kind: str = "face", **fields: Any) -> Region:
    return Region(image, frame, box, kind, 0.9, fields)


def plan(
    action: PlannedAction, frames: Any, *regions: Region, target: str = "faces", strength: int = 0, **request: Any
) -> Any:
    image = ImageInput(tuple(frames), "image")
    given_ = PlanInput(Request(images=(image,), **request), Stage.REFERENCE, (), regions)
    return action.plan(given_, {"target": target}, strength=strength)


# ---- one frame


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("strength", STEPS)
def test_only_the_grown_box_changes(method: str, strength: int) -> None:
    before = noise()
    after = cover(before, [BOX], method, strength)
    outside = np.ones(before.shape[:2], bool)
    outside[GROWN] = False
    assert np.array_equal(after[outside], before[outside])
    assert (after[GROWN] != before[GROWN]).any(-1).mean() > 0.9
    assert (after.shape, after.dtype) == (before.shape, np.uint8)


@pytest.mark.parametrize("method", METHODS)
def test_each_strength_leaves_less_than_the_one_before(method: str) -> None:
    # What is left of noise is what is left of the detail of a face; noise itself has a deviation of 74.
    left = [float(cover(noise(), [BOX], method, s)[30:50, 20:60].std(axis=(0, 1)).mean()) for s in STEPS]
    assert left[-1] == 0
    if method == "replace":
        return  # what is left is a drawing: see tests/actions/test_neutral_face.py
    assert left[0] < 20
    assert left == sorted(left, reverse=True)
    assert len(set(left)) == (1 if method == "fill" else STRENGTHS)


@pytest.mark.parametrize("method", METHODS)
def test_the_strongest_is_flat_and_says_nothing_of_the_inside(method: str) -> None:
    one = noise()
    other = one.copy()
    other[GROWN][1:-1, 1:-1] = noise(24, 50, seed=2)
    strongest = [cover(picture, [BOX], method, STRENGTHS - 1) for picture in (one, other)]
    assert np.ptp(strongest[0][GROWN].reshape(-1, 3), axis=0).max() == 0
    assert np.array_equal(*strongest)


def test_a_flat_fill_has_the_mean_of_its_border() -> None:
    before = np.zeros((96, 128, 3), np.uint8)
    before[GROWN] = (10, 200, 31)
    before[30:50, 20:60] = 255
    assert (cover(before, [BOX], "fill", 0)[GROWN] == (10, 200, 31)).all()


@pytest.mark.parametrize(("strength", "cells"), [(0, 8), (1, 4)])
def test_cells_are_few_and_uniform(strength: int, cells: int) -> None:
    patch = cover(noise(), [(20, 20, 40, 40)], "pixelate", strength)[14:66, 14:66]
    assert len(np.unique(patch.reshape(-1, 3), axis=0)) == cells**2
    assert len(np.unique(patch[:, 26], axis=0)) == cells


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("side", [1, 2, 3, 5, 6, 8, 12])
def test_a_tiny_face_is_covered_too(method: str, side: int) -> None:
    # Eight cells over eight pixels would be the face itself.
    before = noise(seed=side)
    after = cover(before, [(50, 50, side, side)], method, 0)
    inside = np.s_[50 : 50 + side, 50 : 50 + side]
    assert (after[inside] != before[inside]).any(-1).mean() > 0.7


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("strength", STEPS)
@pytest.mark.parametrize(
    ("box", "touched"),
    [
        ((-20, -10, 40, 40), np.s_[0:36, 0:26]),
        ((100, 80, 60, 60), np.s_[71:96, 91:128]),
        ((-50, -50, 500, 500), np.s_[0:96, 0:128]),
        ((0.0, 0.0, 128.0, 96.0), np.s_[0:96, 0:128]),
        ((126, 40, 1, 20), np.s_[37:63, 125:128]),
        ((200, 20, 30, 30), np.s_[0:0, 0:0]),
        ((-90, 20, 30, 30), np.s_[0:0, 0:0]),
        ((40, 40, -8, 20), np.s_[0:0, 0:0]),
    ],
    ids=["top-left", "bottom-right", "larger", "all", "a-sliver", "right-of-it", "left-of-it", "backwards"],
)
def test_regions_at_the_border_and_beyond(method: str, strength: int, box: Any, touched: Any) -> None:
    before = noise()
    after = cover(before, [box], method, strength)
    untouched = np.ones(before.shape[:2], bool)
    untouched[touched] = False
    assert np.array_equal(after[untouched], before[untouched])
    assert not after[touched].size or (after[touched] != before[touched]).any(-1).mean() > 0.6


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", range(4))
def test_a_region_that_is_nowhere_is_an_error(method: str, bad: float, place: int) -> None:
    box = list(BOX)
    box[place] = bad
    with pytest.raises(ActionError, match="not finite"):
        cover(noise(), [tuple(box)], method, 0)  # type: ignore[list-item]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("strength", STEPS)
@pytest.mark.parametrize("alpha", [0, 90, 255])
def test_transparency_that_is_the_same_all_over_stays(method: str, strength: int, alpha: int) -> None:
    before = noise(channels=4)
    before[..., 3] = alpha
    after = cover(before, [BOX], method, strength)
    assert (after[..., 3] == alpha).all()
    assert np.array_equal(after[..., :3], cover(before[..., :3], [BOX], method, strength))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("strength", STEPS)
def test_a_face_drawn_in_the_transparency_is_covered_too(method: str, strength: int) -> None:
    # White everywhere, the picture in the fourth channel: over black it shows, and the colours know nothing of it.
    before = np.full((96, 128, 4), 255, np.uint8)
    before[..., 3] = noise()[..., 0]
    after = cover(before, [BOX], method, strength)
    views = [view for _, view in ImageInput((after,)).views()]
    if method == "replace" and strength < STRENGTHS - 1:
        # A drawn face is not flat; it is the same in every view, and the same over any other picture.
        other = np.full((96, 128, 4), 255, np.uint8)
        other[..., 3] = noise(seed=2)[..., 0]
        views += [view for _, view in ImageInput((cover(other, [BOX], method, strength),)).views()]
        assert all(np.array_equal(view[GROWN], views[0][GROWN]) for view in views)
    else:
        assert all(np.ptp(view[GROWN]) == 0 for view in views)
    assert np.array_equal(after[60:, :, 3], before[60:, :, 3])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.sampled_from([3, 4]))),
    st.tuples(*[st.floats(-40, 40)] * 2, *[st.floats(-2, 60)] * 2),
    st.sampled_from(METHODS),
    st.sampled_from(STEPS),
)
def test_any_frame_and_any_box_give_a_frame(frame: np.ndarray, box: Any, method: str, strength: int) -> None:
    frame.setflags(write=False)  # the input is never written to
    after = cover(frame, [box], method, strength)
    assert (after.shape, after.dtype) == (frame.shape, frame.dtype)
    assert np.array_equal(after, cover(frame, [box], method, strength))


# ---- which regions


NUDITY = face(kind="nudity")
REAL = face(real=0.75, consent="unknown")


@pytest.mark.parametrize(
    ("region", "faces", "unconsented", "nudity"),
    [
        (NUDITY, False, False, True),
        (REAL, True, True, False),
        (face(), True, True, False),
        (face(real=0.5, consent="no"), True, True, False),
        (face(real=0.75), True, True, False),
        (face(real=0.75, consent=True), True, True, False),
        (face(real=0.75, consent="yes"), True, False, False),
        (face(real=0.0, consent="unknown"), True, False, False),
        # NaN is no certain depiction.
        (face(real=float("nan"), consent="unknown"), True, True, False),
    ],
)
def test_what_a_target_means(region: Region, faces: bool, unconsented: bool, nudity: bool) -> None:
    chosen = {t: bool(targets([region], t)) for t in ("faces", "unconsented-faces", "nudity")}
    assert chosen == {"faces": faces, "unconsented-faces": unconsented, "nudity": nudity}


@pytest.mark.parametrize("target", ["", "eyes", "Faces"])
def test_an_unknown_target_covers_nothing_and_says_so(target: str) -> None:
    with pytest.raises(ActionError, match=f"no such target to cover: {target}"):
        plan(Blur(), [noise()], REAL, target=target)


# ---- the plan


@pytest.mark.parametrize("action", ACTIONS, ids=METHODS)
@pytest.mark.parametrize("strength", STEPS)
def test_a_plan_is_new_pixels_and_leaves_the_old_ones_alone(action: PlannedAction, strength: int) -> None:
    frame = noise()
    (change,) = plan(action, [frame], REAL, strength=strength)
    assert np.array_equal(frame, noise())
    assert np.array_equal(change.pixels[0], cover(frame, [BOX], action.spec.name, strength))
    assert (change.kind, change.stage, change.argument, change.index) == (action.spec.name, Stage.REFERENCE, "image", 0)
    assert (change.detail, change.text) == (f"1 region, strength {strength + 1} of 3", None)


def test_every_face_of_a_picture_needs_its_own_consent() -> None:
    agreed = face((4, 4, 20, 20), real=0.75, consent="yes")
    stranger = face((70, 50, 20, 20), real=0.75, consent="unknown")
    (change,) = plan(Fill(), [noise()], agreed, stranger, target="unconsented-faces")
    assert np.array_equal(change.pixels[0], cover(noise(), [stranger.box], "fill", 0))
    assert plan(Fill(), [noise()], agreed, target="unconsented-faces") == []


def test_the_same_place_seen_over_black_and_over_white_is_one_region() -> None:
    (change,) = plan(Blur(), [noise()], face(), face(), face((70, 50, 20, 20)))
    assert change.detail.startswith("2 regions,")


def test_in_an_animated_image_each_frame_has_its_own_regions() -> None:
    frames = [noise(seed=s) for s in range(4)]
    (change,) = plan(Pixelate(), frames, face(frame=1), face((70, 50, 20, 20), frame=1), face(frame=3))
    assert len(change.pixels) == 4
    assert change.pixels[0] is frames[0]
    assert change.pixels[2] is frames[2]
    assert np.array_equal(change.pixels[1], cover(frames[1], [BOX, (70, 50, 20, 20)], "pixelate", 0))
    assert np.array_equal(change.pixels[3], cover(frames[3], [BOX], "pixelate", 0))
    assert change.detail.startswith("3 regions,")


def test_of_several_images_only_those_with_a_face_change() -> None:
    images = tuple(ImageInput((noise(seed=i),), f"image_{i}", i) for i in range(3))
    request = Request((TextInput("a castle"),), images, outputs=(ImageInput((noise(seed=9),)),))
    regions = (face(image=2), face(image=0))
    at_reference = Fill().plan(PlanInput(request, Stage.REFERENCE, (), regions), {"target": "faces"})
    assert [(c.index, c.argument) for c in at_reference] == [(0, "image_0"), (2, "image_2")]
    (at_output,) = Fill().plan(PlanInput(request, Stage.OUTPUT, (), regions[1:]), {"target": "faces"})
    assert at_output.pixels is not None
    assert np.array_equal(at_output.pixels[0], cover(noise(seed=9), [BOX], "fill", 0))


@pytest.mark.parametrize(
    "lost",
    [face(image=1), face(image=-1), face(frame=1), face(frame=-1)],
    ids=["no-such-image", "image-before-the-first", "no-such-frame", "frame-before-the-first"],
)
def test_a_region_of_no_image_is_an_error_beside_others_too(lost: Region) -> None:
    with pytest.raises(ActionError, match="lies in no image"):
        plan(Fill(), [noise()], face(), lost)


def test_texts_cannot_be_covered() -> None:
    given_ = PlanInput(Request((TextInput("Jane"),)), Stage.PROMPT, (), (face(),))
    with pytest.raises(ActionError, match="lies in no image"):
        Blur().plan(given_, {"target": "faces"})


# ---- carried out by the guard


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Any:
    from tests.scripted import ScriptedFaces, install

    install(monkeypatch, ScriptedFaces)
    monkeypatch.setattr(
        ScriptedFaces,
        "judge",
        staticmethod(lambda image: [(BOX, {"real": 0.75, "identifiable": True, "match": 0.0, "gallery": "none"})]),
    )
    return ScriptedFaces


COVER = "rules: [{id: faces, at: output, when: {output.faces: {any: {real: '>= 0.5'}}}, then: {%s: {target: faces}}}]"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("holds_at", STEPS)
def test_the_first_strength_that_holds_is_taken(
    make_guard: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch, method: str, holds_at: int
) -> None:
    wanted = cover(noise(), [BOX], method, holds_at)
    monkeypatch.setattr(
        scripted, "still_recognised", staticmethod(lambda before, after, region: not np.array_equal(after, wanted))
    )
    (change,) = make_guard(COVER % method).check_output(noise()).alterations
    assert np.array_equal(change.pixels[0], wanted)
    assert change.status == "applied"


@pytest.mark.parametrize("method", METHODS)
def test_a_face_that_is_recognised_under_the_strongest_is_a_block(
    make_guard: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(scripted, "still_recognised", staticmethod(lambda before, after, region: True))
    decision = make_guard(COVER % method).check_output(noise())
    assert decision.blocked
    assert decision.alterations == ()
    assert decision.reasons[-1].cause == "faces could not be covered so that it holds"


@pytest.mark.parametrize("error", [CheckError, GalleryError])
def test_where_nobody_can_say_whether_it_holds_it_is_a_block_with_the_cause(
    make_guard: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def broken(before: Any, after: Any, region: Region) -> bool:
        raise error("a vector is not finite")

    monkeypatch.setattr(scripted, "still_recognised", staticmethod(broken))
    decision = make_guard(COVER % "fill").check_output(noise())
    assert decision.blocked
    assert "a vector is not finite" in str(decision.reasons[-1].cause)
