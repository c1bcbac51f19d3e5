"""Marking what was judged: the very picture, after a decision on it, entered with what leads back to the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from guardrail.audit import records
from guardrail.decision import Action, Decision
from guardrail.errors import MarkError
from guardrail.keys import Keyring
from guardrail.marks.marker import Marker, free_mark_id
from guardrail.marks.registry import Registry
from guardrail.marks.settings import Marking
from guardrail.marks.stack import MarkStack
from tests.marks.conftest import drawing
from tests.scripted import ScriptedNudity, install

COVER = """
rules:
  - {id: out, at: output, when: {output.nudity: '>= 0.5'}, then: {fill: {target: nudity}}}
  - {id: mark, at: output, when: always, then: {label: {watermark: invisible}}}
"""
SIZE = (256, 256)


def by_corner(image: Any) -> float:
    """Nudity as the first pixel's blue says; once covered, there is none."""
    frame = image.frames[0]
    return 0.0 if (frame[10:20, 10:20, :3] == frame[10, 10, :3]).all() else float(frame[0, 0, 2]) / 255


@pytest.fixture
def guard(make_guard: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    install(monkeypatch, ScriptedNudity)
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(by_corner))
    return make_guard(COVER, marking=Marking(registry=tmp_path / "marks.sqlite"))


def picture(blue: int = 0, seed: int = 0) -> np.ndarray:
    pixels = drawing(*SIZE, seed)
    pixels[:24, :24] = np.random.default_rng(seed).integers(0, 255, (24, 24, 3))
    pixels[0, 0, 2] = blue
    return pixels


def registry(guard: Any) -> Registry:
    return Registry(guard.marker.marking.registry)


# ---- the picture that was judged


@pytest.mark.parametrize("form", ["array", "pil", "file", "float", "transparent"])
def test_the_picture_that_was_judged_is_marked_in_whatever_form_it_comes(guard: Any, form: str, tmp_path: Path) -> None:
    pixels = picture()
    image: Any = pixels
    if form == "pil":
        image = Image.fromarray(pixels)
    elif form == "file":
        image = tmp_path / "a.png"
        Image.fromarray(pixels).save(image)
    elif form == "float":
        image = pixels.astype(np.float32) / 255
    elif form == "transparent":
        image = np.dstack([pixels, np.tile(np.arange(256, dtype=np.uint8), (256, 1))])
    decision = guard.check_output(image)
    assert decision.action is Action.ALLOW
    marked = guard.mark(image, after=decision)
    assert 0 < np.abs(np.asarray(marked).astype(int)[..., :3] - pixels).mean() < 5
    # The same pixels in another form are the same picture.
    same = guard.check_output(pixels)
    assert (same.pixels_sha256 == decision.pixels_sha256) is (form != "transparent")
    assert len(decision.pixels_sha256) == 64


def test_another_picture_than_the_judged_one_is_not_marked(guard: Any) -> None:
    decision = guard.check_output(picture())
    changed = picture()
    changed[200, 200, 1] ^= 1
    for other in (changed, picture(seed=1), np.ascontiguousarray(picture()[:, ::-1]), picture()[:-1]):
        with pytest.raises(MarkError, match="was made on another image: give that one as it was, or judge this one"):
            guard.mark(other, after=decision)
    assert not registry(guard).path.exists()


def test_a_covered_picture_is_marked_covered_and_not_as_it_came_in(guard: Any) -> None:
    given = picture(blue=240)
    decision = guard.check_output(given)
    assert decision.action is Action.ALTER
    with pytest.raises(MarkError, match=r"give the covered one, decision\.alterations\[-1\]\.pixels"):
        guard.mark(given, after=decision)
    (covered,) = decision.alterations[-1].pixels
    assert (covered != given).any()
    marked = np.asarray(guard.mark(covered, after=decision)).astype(int)
    assert np.abs(marked - covered).mean() < 5
    entry = registry(guard).by_id(guard.marks.mark_id(decision.id))
    assert entry is not None
    assert entry.pixels_sha256 == decision.pixels_sha256


def test_every_frame_counts_and_the_first_is_marked(guard: Any) -> None:
    frames = np.stack([picture(), picture(seed=1)])
    decision = guard.check_output(frames)
    with pytest.raises(MarkError, match="another image"):
        guard.mark(np.stack([frames[0], picture(seed=2)]), after=decision)
    marked = np.asarray(guard.mark(frames, after=decision)).astype(int)
    assert np.abs(marked - frames[0]).mean() < 5


def test_a_decision_on_a_request_or_a_preview_marks_nothing(guard: Any) -> None:
    for decision in (guard.check_prompt("a house"), guard.check_image(picture()), guard.check_preview(picture())):
        assert not decision.blocked
        assert decision.pixels_sha256 == ""
        with pytest.raises(MarkError, match=r"is not on an output \(stage .*\): judge the image with check_output"):
            guard.mark(picture(), after=decision)


def test_a_decision_without_a_hash_is_taken_at_its_word(guard: Any) -> None:
    """One that was put together anew, or comes from an earlier version."""
    decision = guard.check_output(picture()).copy(pixels_sha256="")
    assert guard.mark(picture(seed=1), after=decision).size == SIZE


def test_an_unreadable_output_has_no_hash_and_a_refused_one_has(guard: Any, make_guard: Any) -> None:
    strict = make_guard("rules: [{id: out, at: output, when: {output.nudity: '>= 0.5'}, then: block}]")
    refused = strict.check_output(picture(blue=240))
    assert (refused.blocked, len(refused.pixels_sha256)) == (True, 64)
    covered = guard.check_output(picture(blue=240))
    assert covered.pixels_sha256 != refused.pixels_sha256
    unreadable = strict.check_output(b"no picture")
    assert (unreadable.blocked, unreadable.pixels_sha256) == (True, "")


# ---- what leads back


def test_a_mark_leads_to_the_decision_on_record(guard: Any, make_guard: Any, tmp_path: Path) -> None:
    guard = make_guard(COVER, audit=tmp_path / "audit", marking=Marking(registry=tmp_path / "marks.sqlite"))
    decision = guard.check_output(picture())
    marked = np.asarray(guard.mark(picture(), after=decision))
    payload = guard.marks.read(marked, search=False).payload
    entry = registry(guard).by_id(payload.mark_id)
    assert entry is not None
    assert entry.decision == decision.id
    (record,) = records(guard.audit, decision_id=entry.decision)
    assert record.body["pixels_sha256"] == entry.pixels_sha256 == decision.pixels_sha256


def test_two_marks_after_one_decision_are_of_one_picture(guard: Any, make_guard: Any) -> None:
    bare = make_guard(COVER)
    decision = bare.check_output(picture())
    one, two = (np.asarray(bare.mark(picture(), after=decision)) for _ in range(2))
    assert np.array_equal(one, two)
    decision = guard.check_output(picture())
    for _ in range(2):
        guard.mark(picture(), after=decision)
    entries = [registry(guard).by_id(guard.marks.mark_id(decision.id, attempt)) for attempt in (0, 1)]
    assert [e and (e.decision, e.pixels_sha256) for e in entries] == [(decision.id, decision.pixels_sha256)] * 2


# ---- the marker by itself


@pytest.fixture
def marker(tmp_path: Path) -> Marker:
    return Marker(MarkStack(Keyring([b"\x03" * 32], source="a test")), Marking(registry=tmp_path / "marks.sqlite"))


@pytest.fixture
def decision(guard: Any) -> Decision:
    made = guard.check_output(picture())
    assert isinstance(made, Decision)
    return made


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_registered_tag_is_the_one_in_the_mark(marker: Marker, decision: Decision, channels: int) -> None:
    pixels = np.dstack([picture(), np.full(SIZE, 200, np.uint8)])[..., :channels]
    mark_id = marker.mark_id(decision)
    # A tag that is not the marked picture's own, as a bit of it is now and then.
    colours = np.repeat(pixels[..., :1], 3, axis=2) if channels == 1 else pixels[..., :3]
    tag = marker.stack.tag(colours) ^ 0b100
    marked = marker.stack.embed(pixels, mark_id, tag=tag)
    marker.register(decision, mark_id, marked, system="a generator", sha256="")
    entry = Registry(marker.marking.registry or "").by_id(mark_id)
    assert entry is not None
    assert (entry.tag, entry.key) == (tag, marker.stack.key)


def test_what_does_not_carry_this_mark_is_not_registered(marker: Marker, decision: Decision) -> None:
    mark_id = marker.mark_id(decision)
    other = marker.stack.embed(picture(), marker.stack.mark_id("another decision"))
    for pixels in (picture(), other):
        with pytest.raises(MarkError, match="cannot be read in the picture"):
            marker.register(decision, mark_id, pixels, system="a generator", sha256="")
    assert not Path(marker.marking.registry or "").exists()


def test_the_first_mark_id_that_is_free_is_given(marker: Marker, decision: Decision) -> None:
    stack, known = marker.stack, Registry(marker.marking.registry or "")
    for attempt in range(3):
        mark_id = stack.mark_id("a name", attempt)
        assert free_mark_id(stack, known, "a name") == mark_id
        marker.register(decision, mark_id, stack.embed(picture(), mark_id), system="", sha256="")
    assert free_mark_id(stack, None, "a name") == stack.mark_id("a name")
    assert free_mark_id(stack, known, "another name") == stack.mark_id("another name")
