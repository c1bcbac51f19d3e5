"""Videos on their way out: sampled or not as the policy says, judged in a stream, marked in every frame."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from guardrail.decision import Action, Decision
from guardrail.guard.frames import first_look
from guardrail.marks.payload import Payload
from guardrail.media import Context, ImageInput, Request, TextInput
from guardrail.pipelines.outputs import OnDemand, Result
from guardrail.pipelines.release import Release
from tests.scripted import ScriptedFaces, ScriptedNudity, install

NUDITY = """
thresholds: {nudity: {partial: 0.35}, minor: {possible: 0.2}, match: {person: 0.5}, sexual: {some: 0.25}}
rules:
  - {id: nude, at: output, when: {output.nudity: ">= partial"}, then: block, message: no}
  - id: minor
    at: output
    when: {all: [{prompt.minor: ">= possible"}, {output.nudity: ">= partial"}]}
    then: block
    message: no
  - {id: named, at: prompt, when: {prompt.persons: {any: {match: ">= person"}}}, then: report}
messages: {no: {en: "No."}}
"""
SAMPLED = "video: {frames: {every: 8}}" + NUDITY
MARK = "rules: [{id: mark, at: output, when: always, then: {label: {watermark: invisible}}}]"
COVER = """
thresholds: {real: {likely: 0.5}}
rules:
  - {id: cover, at: output, when: {output.faces: {any: {real: ">= likely"}}}, then: {fill: {target: faces}}}
"""
LENGTH = 40


class ByFirstPixel(ScriptedNudity):
    """Scores each picture by its first pixel, and keeps which it saw: the second pixel numbers the frames."""

    seen: list[int] = []  # noqa: RUF012 - of the class on purpose: guards make checks of their own

    @staticmethod
    def judge(image: ImageInput) -> float:
        ByFirstPixel.seen += [int(f[0, 1, 0]) for f in image.frames]
        return max(int(f[0, 0, 0]) for f in image.frames) / 255


def video(scores: dict[int, float] | None = None, length: int = LENGTH) -> np.ndarray:
    """(1, length, 64, 64, 3) floats in 0..1: still, but for what `scores` says of a frame, which fills it."""
    frames = np.full((1, length, 64, 64, 3), 10 / 255, np.float32)
    for at, score in (scores or {}).items():
        frames[0, at] = score
    frames[0, :, 0, 1] = np.arange(length)[:, None] / 255
    return frames


def released(guard: Any, value: Any, text: str = "a stone bridge") -> tuple[Sequence[Decision], Any]:
    """What a call that made `value` answers: its decisions, and what is left in the result."""
    session = guard.session()
    session.open([Request((TextInput(text),), context=Context())])
    session.judge_inputs()
    result = Result.open(value, latent=False)
    again = pytest.fail
    release = Release(guard, session, result, "Stand-in", lambda r, i: r.image(i), again)  # type: ignore[arg-type]
    return release.all([0] * len(result)), result.close()


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    install(monkeypatch, ByFirstPixel, ScriptedFaces)
    ByFirstPixel.seen = []
    return ByFirstPixel.seen


def test_a_quiet_video_is_sampled_and_says_so(make_guard: Any, seen: list[int]) -> None:
    (decision,), out = released(make_guard(SAMPLED), video())
    assert seen == [0, 8, 16, 24, 32, 39]
    assert decision.action is Action.ALLOW
    (told,) = [c for c in decision.coverage if c.what == "sampled-frames"]
    assert told.detail == "6 of 40 frames were looked at"
    assert np.array_equal(out, video())


@pytest.mark.parametrize(("at", "score", "action"), [(13, 0.2, "allow"), (39, 0.5, "block"), (1, 0.9, "block")])
def test_one_frame_that_is_near_or_over_has_all_looked_at(
    at: int, score: float, action: str, make_guard: Any, seen: list[int]
) -> None:
    (decision,), _ = released(make_guard(SAMPLED), video({at: score}))
    assert sorted(seen) == list(range(LENGTH))
    assert decision.action == action
    assert not [c for c in decision.coverage if c.what == "sampled-frames"]
    assert decision.signals["output.nudity"] == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize("text", ["a child on a swing", "Emma Watson on a bridge"])
def test_a_minor_or_a_name_has_all_frames_looked_at(text: str, make_guard: Any, seen: list[int]) -> None:
    released(make_guard(SAMPLED), video(), text)
    assert sorted(seen) == list(range(LENGTH))


def test_a_face_has_all_frames_looked_at(make_guard: Any, seen: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    box = ((1.0, 1.0, 8.0, 8.0), {"real": 0.1, "match": 0.0, "identifiable": False, "gallery": "none"})
    monkeypatch.setattr(ScriptedFaces, "judge", staticmethod(lambda image: [box]))
    rule = '  - {id: known, at: output, when: {output.faces: {any: {match: ">= person"}}}, then: block}\n'
    released(make_guard(SAMPLED.replace("rules:\n", "rules:\n" + rule)), video())
    assert sorted(seen) == list(range(LENGTH))


@pytest.mark.parametrize("head", ["", "video: {frames: all}\n"])
def test_all_frames_are_looked_at_where_nothing_else_is_said(head: str, make_guard: Any, seen: list[int]) -> None:
    (decision,), _ = released(make_guard(head + NUDITY), video({17: 0.5}))
    assert seen == list(range(LENGTH))
    assert decision.action is Action.BLOCK


def test_scores_that_last_are_raised_where_the_policy_says_so(make_guard: Any, seen: list[int]) -> None:
    lasting = video(dict.fromkeys(range(LENGTH), 0.3))
    actions = [
        released(make_guard(head + NUDITY), lasting)[0][0].action for head in ("", "video: {smoothing: {over: 9}}")
    ]
    assert actions == [Action.ALLOW, Action.BLOCK]


def test_no_shipped_policy_samples_or_smooths_and_strict_stays_so(tmp_path: Any) -> None:
    from guardrail.errors import PolicyError
    from guardrail.paths import shipped_policies
    from guardrail.policy import load_policy

    for name in ("default", "strict", "art", "research"):
        loaded = load_policy(name, shipped=shipped_policies())
        assert ((loaded.video.every or 1), (loaded.video.over or 0)) == (1, 0)
    head = "policy: {{id: mine, version: 1.0.0}}\nextends: [{}]\nvideo: {{frames: {{every: 4}}}}\n"
    mine = tmp_path / "mine.yaml"
    mine.write_text(head.format("default"))
    assert load_policy(mine, shipped=shipped_policies()).video.every == 4
    mine.write_text(head.format("strict"))
    with pytest.raises(PolicyError, match="GP090"):
        load_policy(mine, shipped=shipped_policies())


# ---- in a stream


def test_a_long_video_is_never_there_twice(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ByFirstPixel, ScriptedFaces)
    guard = make_guard(NUDITY)
    released(guard, video())
    value = np.full((1, 200, 256, 256, 3), 0.1, np.float32)
    tracemalloc.start()
    (decision,), out = released(guard, value)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert decision.action is Action.ALLOW
    assert out is value
    assert peak < 6 * value[0, 0].nbytes, peak / value[0, 0].nbytes


def textured(length: int, side: int) -> np.ndarray:
    """(1, length, side, side, 3) floats that a mark holds on."""
    waves = 0.4 + 0.2 * np.sin(np.arange(side) / 5)
    noise = np.random.default_rng(5).normal(0, 0.02, (1, length, side, side, 3))
    return (waves[:, None, None] + noise).astype(np.float32)


@pytest.mark.parametrize("form", ["array", "tensor", "pil"])
def test_every_frame_is_marked_and_the_original_left_alone(form: str, make_guard: Any) -> None:
    guard = make_guard(MARK)
    pixels = textured(9, 64)
    given: Any = {"array": pixels, "tensor": torch.from_numpy(pixels).permute(0, 1, 4, 2, 3)}.get(form)
    if form == "pil":
        given = [[Image.fromarray((f * 255).astype(np.uint8)) for f in pixels[0]]]
    kept = pixels.copy()
    (decision,), out = released(guard, given)
    frames = Result.open(out, latent=False).image(0).frames
    found = {Payload.from_int(guard.marks.detect(f, search=False)[1].payload) for f in frames}
    assert {payload.mark_id for payload in found} == {decision.mark_id}
    assert np.array_equal(pixels, kept)
    assert type(out) is type(given)


@pytest.mark.nightly  # marks 24 frames of 256 pixels
def test_marking_takes_one_copy_of_the_video_and_a_few_frames(make_guard: Any) -> None:
    guard = make_guard(MARK)
    released(guard, textured(1, 256))
    value = textured(24, 256)
    tracemalloc.start()
    (decision,), _ = released(guard, value)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert decision.mark_id
    # What marking one frame takes does not grow with the video: measured apart, on another length.
    tracemalloc.start()
    released(guard, value[:, :6])
    _, shorter = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - shorter < 20 * value[0, 0].nbytes


def test_frames_are_read_when_they_are_asked_for() -> None:
    read: list[int] = []
    frames = OnDemand([3, 4, 5], lambda n: read.append(n) or np.full((1, 1, 3), n, np.uint8))  # type: ignore[func-returns-value]
    assert len(frames) == 3
    assert read == []
    assert int(frames[1][0, 0, 0]) == 4
    assert [int(f[0, 0, 0]) for f in frames[1:]] == [4, 5]
    assert read == [4, 4, 5]


def test_pixels_that_are_not_numbers_are_refused_with_their_cause(make_guard: Any, seen: list[int]) -> None:
    broken = video()
    broken[0, 30, 5, 5] = np.nan
    (decision,), _ = released(make_guard(NUDITY), broken)
    assert decision.action is Action.BLOCK
    assert [r.kind for r in decision.reasons] == ["input"]
    assert seen == []


def test_a_face_missed_in_one_frame_is_covered_there(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ByFirstPixel, ScriptedFaces)
    box = ((20.0, 20.0, 16.0, 16.0), {"real": 0.75, "match": 0.0, "identifiable": True, "gallery": "none"})
    frames = np.random.default_rng(6).random((1, 12, 64, 64, 3), np.float32)
    frames[0, :, 0, 1] = np.arange(12)[:, None] / 255
    monkeypatch.setattr(
        ScriptedFaces, "judge", staticmethod(lambda image: [] if int(image.frames[0][0, 1, 0]) in (4, 5, 11) else [box])
    )
    (decision,), out = released(make_guard(COVER), frames)
    assert decision.action is Action.ALTER
    changed = [bool(np.abs(out[0, n, 24:32, 24:32] - frames[0, n, 24:32, 24:32]).max() > 0.1) for n in range(12)]
    assert changed == [n != 11 for n in range(12)]


def test_near_is_half_of_the_lowest_limit() -> None:
    look = first_look.FirstLook(8, {"output.nudity": 0.35})
    assert look.quiet({"output.nudity": 0.17, "output.hash_match": False, "output.faces": (), "prompt.sexual": 0.4})
    for signals in (
        {"output.nudity": 0.18},
        {"output.nudity": None},
        {"output.nudity": float("nan")},
        {"output.hash_match": True},
        {"output.faces": ({},)},
        {"prompt.sexual": 0.5},
    ):
        assert not look.quiet(signals)  # type: ignore[arg-type]
