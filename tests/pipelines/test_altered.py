"""Alterations through a pipeline: steered, rewritten, redacted, generated again; and the marks on what comes out."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import guardrail
from guardrail.demo.tiny import tiny_stable_diffusion
from guardrail.media import ImageInput
from tests.pipelines.test_transparent import generator, media, same
from tests.pipelines.tiny import BUILDERS, call_arguments, picture
from tests.scripted import ScriptedFaces, ScriptedNudity, install

STEER = """
thresholds: {sexual: {suggestive: 0.4}}
rules:
  - {id: steer, at: prompt, when: {prompt.sexual: ">= suggestive"}, then: [{guide: {away_from: nudity}}], message: m}
messages: {m: {en: "Toned down."}}
"""
SUGGESTIVE = "a woman in lingerie"
MARK = """
rules:
  - {id: mark, at: output, when: always, then: [{label: {watermark: invisible, source_type: trainedAlgorithmicMedia}}]}
"""


def spy(pipe: Any) -> list[dict[str, Any]]:
    """Records the arguments that reach the pipeline."""
    calls: list[dict[str, Any]] = []
    kind = type(pipe)
    original = kind.__call__

    class Spied(kind):  # type: ignore[misc, valid-type]
        def __call__(self, **arguments: Any) -> Any:
            calls.append(arguments)
            return original(self, **arguments)

    Spied.__call__.__signature__ = __import__("inspect").signature(original)  # type: ignore[attr-defined]
    pipe.__class__ = Spied
    return calls


# ---- steering


def test_steering_reaches_the_negative_prompt_and_nobody_else(make_guard: Any) -> None:
    pipe = BUILDERS["text2img"]()
    bare = pipe(**call_arguments("text2img", ["a fox", SUGGESTIVE, "a boat"], output_type="np"), generator=generator())
    by_hand = pipe(
        **call_arguments("text2img", ["a fox", SUGGESTIVE, "a boat"], output_type="np"),
        negative_prompt=["", "nudity", ""],
        generator=generator(),
    )
    calls = spy(pipe)
    guarded = guardrail.wrap(pipe, guard=make_guard(STEER))
    gen = generator()
    out = guarded(**call_arguments("text2img", ["a fox", SUGGESTIVE, "a boat"], output_type="np"), generator=gen)
    assert [d.action for d in out.guardrail] == ["allow", "alter", "allow"]
    assert [a.status for a in out.guardrail[1].alterations] == ["active"]
    # The clean items come out as without a guard, the steered one differently.
    assert np.array_equal(bare.images[0], out.images[0])
    assert np.array_equal(bare.images[2], out.images[2])
    assert not np.array_equal(bare.images[1], out.images[1])
    assert not np.array_equal(by_hand.images[1], out.images[1])
    assert [c.get("negative_prompt") is not None for c in calls] == [False, True]
    assert all("nudity" in text for text in calls[1]["negative_prompt"])
    # The caller's generator ends where one run leaves it.
    other = generator()
    pipe(**call_arguments("text2img", ["a", "b", "c"]), generator=other)
    assert torch.equal(gen.get_state(), other.get_state())


def test_steering_adds_to_the_users_own_negative_prompt(make_guard: Any) -> None:
    pipe = BUILDERS["text2img"]()
    calls = spy(pipe)
    guarded = guardrail.wrap(pipe, guard=make_guard(STEER.replace("nudity}", "nudity, scale: 9.0}")))
    guarded(**call_arguments("text2img", SUGGESTIVE), negative_prompt="blurry")
    # Before it: encoders cut long texts at their end.
    assert calls[0]["negative_prompt"].startswith("nudity, ")
    assert calls[0]["negative_prompt"].endswith(", blurry")
    assert calls[0]["guidance_scale"] == 9.0


@pytest.mark.parametrize(
    ("name", "more"),
    [("text2img", {"guidance_scale": 1.0}), ("flux", {}), ("z_image", {"guidance_scale": 0.0}), ("qwen_image", {})],
)
def test_steering_is_reported_inactive_without_guidance(name: str, more: dict[str, Any], make_guard: Any) -> None:
    pipe = BUILDERS[name]()
    bare = pipe(**call_arguments(name, SUGGESTIVE, **more, output_type="np"), generator=generator())
    guarded = guardrail.wrap(pipe, guard=make_guard(STEER))
    out = guarded(**call_arguments(name, SUGGESTIVE, **more, output_type="np"), generator=generator())
    (alteration,) = out.guardrail[0].alterations
    assert alteration.status == "inactive"
    assert "guidance" in alteration.detail
    assert same(media(bare), media(out))


# ---- rewriting


def test_the_person_is_taken_out_before_generating(make_guard: Any) -> None:
    rules = """
thresholds: {match: {person: 0.5}}
rules:
  - {id: no-names, at: prompt, when: {prompt.persons: {any: {match: ">= person"}}}, then: [{rewrite: {drop: persons}}]}
"""
    pipe = BUILDERS["text2img"]()
    calls = spy(pipe)
    guarded = guardrail.wrap(pipe, guard=make_guard(rules, names=["Jane Placeholder"]))
    out = guarded(**call_arguments("text2img", ["a fox", "portrait of Jane Placeholder in a red hat, oil painting"]))
    assert calls[0]["prompt"] == ["a fox", "portrait of a person in a red hat, oil painting"]
    assert [d.action for d in out.guardrail] == ["allow", "alter"]
    assert "Placeholder" not in str(out.guardrail[1].to_json())


# ---- redaction of what goes in

FACE = """
thresholds: {real: {likely: 0.5}}
rules:
  - id: hide
    at: reference
    when: {reference.faces: {any: {real: ">= likely", consent: [no, unknown]}}}
    then: [{blur: {target: unconsented-faces}}]
"""
BOX = (16.0, 16.0, 24.0, 24.0)
UNCONSENTED = {"real": 0.75, "identifiable": True, "match": 0.0, "gallery": "none", "consent": "unknown"}


@pytest.mark.parametrize("kind", ["pil", "array", "tensor"])
def test_a_face_is_covered_in_whatever_form_the_picture_comes(
    kind: str, make_guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, ScriptedFaces, ScriptedNudity)
    monkeypatch.setattr(ScriptedFaces, "judge", staticmethod(lambda image: [(BOX, UNCONSENTED)]))
    pipe = BUILDERS["img2img"]()
    calls = spy(pipe)
    original = picture(64)
    given: Any = original
    if kind == "array":
        given = np.asarray(original, np.float32) / 255
    elif kind == "tensor":
        given = torch.from_numpy(np.asarray(original, np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
    out = guardrail.wrap(pipe, guard=make_guard(FACE))(**call_arguments("img2img", image=given))
    decision = out.guardrail[0]
    assert (decision.action, [a.status for a in decision.alterations]) == ("alter", ["applied"])
    seen = calls[0]["image"]
    assert type(seen) is type(given)
    if kind == "tensor":
        assert seen.shape == given.shape
        assert float(seen.min()) < 0
        pixels = ((seen[0].permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
    else:
        pixels = np.asarray(seen) if kind == "pil" else np.rint(seen * 255).astype(np.uint8)
    before = np.asarray(original)
    assert np.array_equal(pixels[50:], before[50:])
    assert pixels[20:36, 20:36].std() < before[20:36, 20:36].std() / 4


def test_a_redaction_that_does_not_hold_blocks(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ScriptedFaces, ScriptedNudity)
    monkeypatch.setattr(ScriptedFaces, "judge", staticmethod(lambda image: [(BOX, UNCONSENTED)]))
    tried: list[float] = []

    def stubborn(before: Any, after: Any, region: Any) -> bool:
        tried.append(float(after[20:36, 20:36].std(axis=(0, 1)).max()))
        return True

    monkeypatch.setattr(ScriptedFaces, "still_recognised", staticmethod(stubborn))
    out = guardrail.wrap(BUILDERS["img2img"](), guard=make_guard(FACE))(**call_arguments("img2img"))
    assert out.guardrail[0].blocked
    assert "could not be covered" in out.guardrail[0].reasons[-1].cause
    # Three strengths, the last of them a flat fill.
    assert len(set(tried)) == 3
    assert tried[-1] == 0.0


# ---- generating again, covering what comes out

NUDE = """
thresholds: {nudity: {partial: 0.35}}
rules:
  - id: again
    at: output
    when: {output.nudity: ">= partial"}
    then: [{regenerate: {max: 2}}, {blur: {target: nudity}}]
"""


def nudity_by_call(scores: list[float]) -> Any:
    left = list(scores)
    return staticmethod(lambda image: left.pop(0) if left else 0.0)


def test_an_output_is_made_again_with_another_seed(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ScriptedFaces, ScriptedNudity)
    pipe = BUILDERS["text2img"]()
    bare = pipe(**call_arguments("text2img", ["a fox", "a boat"], output_type="np"), generator=generator())
    results = []
    for _ in range(2):
        monkeypatch.setattr(ScriptedNudity, "judge", nudity_by_call([0.0, 0.9, 0.9, 0.0]))
        guarded = guardrail.wrap(pipe, guard=make_guard(NUDE))
        torch.manual_seed(1)
        gen = generator()
        out = guarded(**call_arguments("text2img", ["a fox", "a boat"], output_type="np"), generator=gen)
        drawn = torch.rand(1)
        torch.manual_seed(1)
        assert torch.equal(drawn, torch.rand(1))
        results.append(out)
    out = results[0]
    assert [d.action for d in out.guardrail] == ["allow", "alter"]
    (alteration,) = out.guardrail[1].alterations
    assert (alteration.kind, alteration.detail) == ("regenerate", "attempt 2 of 2 passed")
    assert np.array_equal(bare.images[0], out.images[0])
    assert not np.array_equal(bare.images[1], out.images[1])
    # The same refused picture gives the same attempts.
    assert np.array_equal(results[0].images, results[1].images)
    other = generator()
    pipe(**call_arguments("text2img", ["a", "b"]), generator=other)
    assert torch.equal(gen.get_state(), other.get_state())


def test_when_no_attempt_passes_it_is_covered(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ScriptedFaces, ScriptedNudity)
    monkeypatch.setattr(ScriptedNudity, "judge", nudity_by_call([0.9, 0.9, 0.9, 0.0]))
    pipe = BUILDERS["text2img"]()
    bare = np.asarray(pipe(**call_arguments("text2img"), generator=generator()).images[0])
    out = guardrail.wrap(pipe, guard=make_guard(NUDE))(**call_arguments("text2img"), generator=generator())
    assert [(a.kind, a.status) for a in out.guardrail[0].alterations] == [("regenerate", "failed"), ("blur", "applied")]
    pixels = np.asarray(out.images[0])
    assert np.array_equal(pixels[40:], bare[40:])
    assert not np.array_equal(pixels[8:24, 8:24], bare[8:24, 8:24])


def test_when_covering_does_not_help_it_is_blocked(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ScriptedFaces, ScriptedNudity)
    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(lambda image: 0.9))
    out = guardrail.wrap(BUILDERS["text2img"](), guard=make_guard(NUDE))(**call_arguments("text2img"))
    assert out.guardrail[0].blocked
    latents = guardrail.wrap(BUILDERS["text2img"](), guard=make_guard(NUDE))(
        **call_arguments("text2img"), output_type="latent"
    )
    assert latents.guardrail[0].blocked
    assert float(latents.images.abs().max()) == 0.0


def test_an_output_that_a_check_cannot_judge_is_blocked(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ScriptedFaces, ScriptedNudity)
    for answer in (None, float("nan")):
        monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(lambda image, a=answer: a))
        out = guardrail.wrap(BUILDERS["text2img"](), guard=make_guard(NUDE))(**call_arguments("text2img"))
        assert out.guardrail[0].blocked
        assert out.guardrail[0].reasons[0].kind == "missing"


@pytest.mark.parametrize("name", ["text2img", "flux", "qwen_image", "wan", "sdxl", "sd3", "z_image"])
def test_latents_are_looked_at_on_a_private_decode(name: str, make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ScriptedFaces, ScriptedNudity)
    seen: list[ImageInput] = []

    def look(image: ImageInput) -> float:
        seen.append(image)
        return 0.0

    monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(look))
    pipe = BUILDERS[name]()
    decoded = pipe(**call_arguments(name, output_type="np"), generator=generator())
    guarded = guardrail.wrap(pipe, guard=make_guard(NUDE + MARK.split("rules:")[1]))
    out = guarded(**call_arguments(name, output_type="latent"), generator=generator())
    assert not out.guardrail[0].blocked
    assert [c.what for c in out.guardrail[0].coverage] == ["unmarked"]
    expected = media(decoded)[0]
    frames = expected if expected.ndim == 4 else expected[None]
    assert len(seen) == 1
    assert len(seen[0].frames) == len(frames)
    for ours, theirs in zip(seen[0].frames, frames, strict=True):
        assert np.abs(ours.astype(float) - theirs * 255).max() <= 1.0


# ---- marks


@pytest.mark.parametrize("output_type", ["pil", "np", "pt"])
def test_what_is_released_is_marked_and_verifies(output_type: str, make_guard: Any) -> None:
    guard = make_guard(MARK)
    guarded = guardrail.wrap(tiny_stable_diffusion(), guard=guard)
    arguments = {"num_inference_steps": 1, "height": 256, "width": 256, "output_type": output_type}
    bare = guarded.__class__.__call__(guardrail.unwrap(guarded), "a fox", **arguments, generator=generator())
    out = guarded(["a fox", "a boat"], **arguments, generator=[generator(), generator(4)])
    ids = {d.mark_id for d in out.guardrail}
    assert len(ids) == 2
    for image, decision in zip(out.images, out.guardrail, strict=True):
        found = guardrail.verify(image, keyring=guard.keyring)
        assert found.ai_generated is True
        assert found.mark_id == decision.mark_id
    assert type(out.images[0]) is type(bare.images[0]) or isinstance(out.images[0], Image.Image)
    if output_type == "pil":
        buffer = io.BytesIO()
        out.images[0].save(buffer, "png")
        layers = {
            layer.name: layer.verdict for layer in guardrail.verify(buffer.getvalue(), keyring=guard.keyring).layers
        }
        assert {name for name, verdict in layers.items() if verdict == "found"} == {"watermark", "metadata", "png text"}
    else:
        assert "pixels-only" in {c.what for c in out.guardrail[0].coverage}
        content = guardrail.encode(out.images[0], "webp", decision=out.guardrail[0], lossless=True)
        assert guardrail.verify(content, keyring=guard.keyring).mark_id == out.guardrail[0].mark_id
        with pytest.raises(guardrail.GuardrailError, match="decision="):
            guardrail.encode(out.images[0], "png")


def test_the_hash_is_of_the_pixels_before_marking(make_guard: Any) -> None:
    pipe = tiny_stable_diffusion()
    arguments = {"num_inference_steps": 1, "height": 256, "width": 256}
    plain = make_guard("rules: [{id: never, at: output, when: {context.purpose: x}, then: block}]\n")
    unmarked = guardrail.wrap(pipe, guard=plain)("a fox", **arguments, generator=generator())
    marked = guardrail.wrap(pipe, guard=make_guard(MARK))("a fox", **arguments, generator=generator())
    assert unmarked.guardrail[0].pixels_sha256 == marked.guardrail[0].pixels_sha256
    assert not same(unmarked.images, marked.images)


def test_small_pictures_are_marked_and_called_fragile(make_guard: Any) -> None:
    guard = make_guard(MARK)
    out = guardrail.wrap(tiny_stable_diffusion(), guard=guard)("a fox", num_inference_steps=1, height=96, width=96)
    decision = out.guardrail[0]
    assert [c.what for c in decision.coverage] == ["fragile-mark"]
    assert guardrail.verify(out.images[0], keyring=guard.keyring).mark_id == decision.mark_id


def test_a_rule_can_refuse_what_cannot_be_marked(make_guard: Any) -> None:
    rules = "rules: [{id: tiny, at: output, when: {output.markable: none}, then: block}]\n"
    guarded = guardrail.wrap(tiny_stable_diffusion(), guard=make_guard(rules))
    assert guarded("a fox", num_inference_steps=1, height=32, width=32).guardrail[0].rules == ("tiny",)
    assert not guarded("a fox", num_inference_steps=1, height=64, width=64).guardrail[0].blocked


def test_an_output_whose_mark_cannot_be_read_back_is_not_released(
    make_guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardrail.marks.tileline import TileLine

    guard = make_guard(MARK)
    guarded = guardrail.wrap(tiny_stable_diffusion(), guard=guard)
    boosts: list[float] = []

    def forgetful(self: Any, image: Any, payload: int, *, boost_db: float = 0.0, layout: int) -> Any:
        boosts.append(boost_db)
        return image

    monkeypatch.setattr(TileLine, "embed", forgetful)
    out = guarded("a fox", num_inference_steps=1, height=256, width=256)
    assert out.guardrail[0].blocked
    assert out.guardrail[0].reasons[-1].kind == "mark"
    assert boosts == [0.0, 2.0]
    assert np.asarray(out.images[0]).std() < 30


def test_a_picture_made_from_a_photograph_says_so(make_guard: Any) -> None:
    out = guardrail.wrap(BUILDERS["img2img"](), guard=make_guard(MARK))(**call_arguments("img2img"))
    buffer = io.BytesIO()
    out.images[0].save(buffer, "jpeg", quality=95)
    from guardrail.marks.files import read_file_label

    assert read_file_label(buffer.getvalue())["Iptc4xmpExt:DigitalSourceType"].endswith(
        "/compositeWithTrainedAlgorithmicMedia"
    )


def test_video_frames_are_marked(make_guard: Any) -> None:
    guard = make_guard(MARK)
    out = guardrail.wrap(BUILDERS["wan"](), guard=guard)(**call_arguments("wan", output_type="pil"))
    assert {guardrail.verify(frame, keyring=guard.keyring).mark_id for frame in out.frames[0]} == {
        out.guardrail[0].mark_id
    }
