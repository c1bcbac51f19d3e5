"""What is blocked: the place is kept, the neighbours are untouched, and the pipeline does not run for nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import guardrail
from guardrail.pipelines.placeholders import GREY
from tests.pipelines.test_transparent import generator, media, same
from tests.pipelines.tiny import BUILDERS, PROMPTED, STEPS, call_arguments, daily, denoiser, half_mask, picture

RULES = """
thresholds: {sexual: {explicit: 0.7}}
rules:
  - {id: explicit, at: prompt, when: {prompt.sexual: ">= explicit"}, then: block, message: no}
messages: {no: {en: "Not this.", ko: "안 됩니다."}}
"""
BAD = "a nude woman"


class Counted:
    """Counts how often a component runs."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.calls = 0
        module.register_forward_hook(self._count)

    def _count(self, *_: Any) -> None:
        self.calls += 1


def pixels(one: Any) -> np.ndarray:
    return np.asarray(one[0] if isinstance(one, list) else one)


@pytest.mark.parametrize("output_type", ["pil", "np", "pt", "latent"])
@pytest.mark.parametrize("name", daily(PROMPTED))
def test_all_blocked_has_the_form_of_the_real_thing(name: str, output_type: str, make_guard: Any) -> None:
    pipe = BUILDERS[name]()
    guarded = guardrail.wrap(pipe, guard=make_guard(RULES))
    for return_dict in (True, False):
        form = {"output_type": output_type, "return_dict": return_dict}
        bare = pipe(**call_arguments(name, **form), generator=generator())
        counted = Counted(denoiser(pipe))
        out = guarded(**call_arguments(name, BAD, **form), generator=generator())
        assert type(out) is type(bare)
        assert return_dict or len(out) == len(bare)
        expected, given = media(bare), media(out)
        assert type(given) is type(expected)
        if output_type == "pil":
            assert pixels(given[0]).shape == pixels(expected[0]).shape
            assert int(np.abs(pixels(given[0]).astype(int) - GREY).max()) == 0
        else:
            assert given.shape == expected.shape
            assert given.dtype == expected.dtype
        if output_type == "latent":
            # Only the pipeline knows the form of its latents: it runs one step on nothing, and the result is emptied.
            assert float(given.abs().max()) == 0.0
            assert counted.calls <= 2
        else:
            assert counted.calls == 0
    assert guardrail.last_decisions() is not None
    assert guardrail.last_decisions()[0].blocked  # type: ignore[index]


def test_several_images_per_prompt(make_guard: Any) -> None:
    guarded = guardrail.wrap(BUILDERS["text2img"](), guard=make_guard(RULES))
    out = guarded(**call_arguments("text2img", ["a fox", BAD]), num_images_per_prompt=3)
    assert [d.action for d in out.guardrail] == ["allow"] * 3 + ["block"] * 3
    assert len(out.images) == 6
    blocked = guarded(**call_arguments("text2img", BAD), num_images_per_prompt=3)
    assert len(blocked.images) == len(blocked.guardrail) == 3


def test_the_message_is_the_policys_own(make_guard: Any) -> None:
    out = guardrail.wrap(BUILDERS["text2img"](), guard=make_guard(RULES))(**call_arguments("text2img", BAD))
    assert out.guardrail[0].message() == f"Not this. (Decision {out.guardrail[0].id})"
    assert out.guardrail[0].message("ko").startswith("안 됩니다.")


def test_nsfw_flags_are_filled(make_guard: Any) -> None:
    guarded = guardrail.wrap(BUILDERS["text2img"](), guard=make_guard(RULES))
    assert guarded(**call_arguments("text2img")).nsfw_content_detected is None
    assert guarded(**call_arguments("text2img", ["a fox", BAD])).nsfw_content_detected == [False, True]
    assert guarded(**call_arguments("text2img", BAD)).nsfw_content_detected == [True]


def test_raise_and_none(make_guard: Any) -> None:
    pipe = BUILDERS["text2img"]()
    guard = make_guard(RULES)
    counted = Counted(denoiser(pipe))
    with pytest.raises(guardrail.Blocked, match="Not this") as caught:
        guardrail.wrap(pipe, guard=guard, on_block="raise")(**call_arguments("text2img", ["a fox", BAD]))
    assert [d.action for d in caught.value.decisions] == ["allow", "block"]
    assert counted.calls == 0
    gaps = guardrail.wrap(pipe, guard=guard, on_block="none")
    assert [type(i).__name__ for i in gaps(**call_arguments("text2img", ["a fox", BAD])).images] == [
        "Image",
        "NoneType",
    ]
    assert gaps(**call_arguments("text2img", BAD)).images == [None]
    with pytest.raises(guardrail.GuardrailError, match="on_block"):
        guardrail.wrap(pipe, guard=guard, on_block="skip")  # type: ignore[arg-type]


def test_the_size_of_the_placeholder_follows_the_call(make_guard: Any) -> None:
    guard = make_guard(RULES)
    text2img = guardrail.wrap(BUILDERS["text2img"](), guard=guard)
    assert text2img(BAD, height=96, width=128).images[0].size == (128, 96)
    img2img = guardrail.wrap(BUILDERS["img2img"](), guard=guard)
    assert img2img(BAD, image=picture(72)).images[0].size == (72, 72)
    inpaint = guardrail.wrap(BUILDERS["inpaint"](), guard=guard)
    real = inpaint("a fox", image=picture(64), mask_image=half_mask(64), num_inference_steps=STEPS).images[0].size
    assert inpaint(BAD, image=picture(64), mask_image=half_mask(64)).images[0].size == real


# ---- other places where texts and pictures hide


@pytest.mark.parametrize(
    "arguments",
    [
        {"prompt": "a fox", "prompt_2": BAD},
        {"prompt": ["a fox"], "prompt_2": [BAD]},
        {"prompt": "a fox", "cross_attention_kwargs": {"gligen": {"phrases": [BAD]}}},
    ],
)
def test_texts_in_other_arguments(arguments: dict[str, Any], make_guard: Any) -> None:
    guarded = guardrail.wrap(BUILDERS["sdxl"](), guard=make_guard(RULES))
    out = guarded(**arguments, num_inference_steps=STEPS, height=64, width=64)
    assert [d.action for d in out.guardrail] == ["block"]


def test_a_negative_prompt_names_what_is_avoided(make_guard: Any) -> None:
    guarded = guardrail.wrap(BUILDERS["text2img"](), guard=make_guard(RULES))
    assert not guarded(**call_arguments("text2img"), negative_prompt="nude, nsfw, blurry").guardrail[0].blocked


def test_embeddings_are_named_in_coverage_and_a_rule_can_refuse_them(make_guard: Any) -> None:
    pipe = BUILDERS["text2img"]()
    embeds, _ = pipe.encode_prompt("a fox", "cpu", 1, False)
    arguments = {"prompt_embeds": embeds, "negative_prompt_embeds": embeds * 0, "height": 64, "width": 64}
    arguments["num_inference_steps"] = STEPS
    allowed = guardrail.wrap(pipe, guard=make_guard(RULES))(**arguments)
    assert {c.what for c in allowed.guardrail[0].coverage} == {"text-embedding", "unmarked"}
    rule = "rules: [{id: r, at: prompt, when: {request.unverified: {any: {kind: text-embedding}}}, then: block}]\n"
    refused = guardrail.wrap(pipe, guard=make_guard(rule))(**arguments)
    assert refused.guardrail[0].blocked
    assert pixels(refused.images[0]).shape == pixels(allowed.images[0]).shape


def test_latents_in_the_place_of_a_picture_are_seen_as_such(make_guard: Any) -> None:
    rule = "rules: [{id: r, at: prompt, when: {request.unverified: {any: {kind: condition-latent}}}, then: block}]\n"
    guarded = guardrail.wrap(BUILDERS["img2img"](), guard=make_guard(rule))
    out = guarded(**call_arguments("img2img", image=torch.zeros(1, 4, 8, 8)))
    assert out.guardrail[0].rules == ("r",)
    assert not guarded(**call_arguments("img2img", image=torch.zeros(1, 3, 64, 64))).guardrail[0].blocked


def test_an_argument_that_nothing_understands_is_named(make_guard: Any) -> None:
    rule = "rules: [{id: r, at: prompt, when: {request.unverified: {any: {kind: unknown}}}, then: block}]\n"
    guarded = guardrail.wrap(BUILDERS["text2img"](), guard=make_guard(rule))
    out = guarded(**call_arguments("text2img"), cross_attention_kwargs={"secret": b"\x00\x01"})
    decision = out.guardrail[0]
    assert decision.blocked
    assert [(c.what, c.argument) for c in decision.coverage] == [("unknown", "cross_attention_kwargs.(entry 0)")]
    assert not guarded(**call_arguments("text2img")).guardrail[0].blocked


# ---- input that cannot be read: the item is refused with its cause, and the next call works


@pytest.mark.parametrize(
    ("image", "cause"),
    [
        (lambda: Image.new("RGB", (6000, 5000)), "image-too-large"),
        (lambda: np.full((64, 64, 3), np.nan, np.float32), "unreadable-image"),
        (lambda: torch.full((1, 3, 64, 64), float("inf")), "unreadable-image"),
    ],
)
def test_unreadable_reference_pictures(image: Any, cause: str, make_guard: Any) -> None:
    guarded = guardrail.wrap(BUILDERS["img2img"](), guard=make_guard(RULES))
    out = guarded(**call_arguments("img2img", image=image()))
    decision = out.guardrail[0]
    assert decision.blocked
    assert [(r.cause.split(":")[0], r.stage) for r in decision.reasons if r.kind == "input"] == [(cause, "reference")]
    assert decision.stage == "reference"
    assert not guarded(**call_arguments("img2img")).guardrail[0].blocked


def test_a_prompt_of_a_megabyte(make_guard: Any) -> None:
    guarded = guardrail.wrap(BUILDERS["text2img"](), guard=make_guard(RULES))
    out = guarded(**call_arguments("text2img", ["x" * 1_000_000, "a fox"]))
    assert [d.action for d in out.guardrail] == ["block", "allow"]
    assert "text-too-long" in out.guardrail[0].reasons[0].cause
    assert "xxx" not in str(out.guardrail[0].to_json())


def test_the_pipeline_fails_and_works_again(make_guard: Any) -> None:
    pipe = BUILDERS["text2img"]()
    guarded = guardrail.wrap(pipe, guard=make_guard(RULES))

    def fail(*_: Any) -> dict[str, Any]:
        raise RuntimeError("the user's own callback")

    with pytest.raises(RuntimeError, match="own callback"):
        guarded(**call_arguments("text2img"), callback_on_step_end=fail)
    ours = guarded(**call_arguments("text2img"), generator=generator())
    assert same(ours.images, pipe(**call_arguments("text2img"), generator=generator()).images)
