"""Pipelines of two stages under one guard: what the first made is known to the second by where it came from."""

from __future__ import annotations

from typing import Any

import diffusers
import pytest
import torch

import guardrail
from guardrail.demo.tiny import byte_clip_tokenizer, tiny_clip_text
from tests.pipelines import tiny_parts as parts
from tests.pipelines.test_blocked import BAD
from tests.pipelines.test_transparent import NEVER, generator, same
from tests.pipelines.tiny import BUILDERS, call_arguments

SIZE = {"num_inference_steps": 2, "height": 64, "width": 64}
RULES = """
thresholds: {sexual: {explicit: 0.7}}
rules:
  - {id: explicit, at: prompt, when: {prompt.sexual: ">= explicit"}, then: block}
  - id: unread
    at: prompt
    when: {request.unverified: {any: {kind: [text-embedding, image-embedding, condition-latent]}}}
    then: block
"""


def prior_parts() -> dict[str, Any]:
    parts.seed()
    prior = diffusers.PriorTransformer(num_attention_heads=2, attention_head_dim=8, embedding_dim=16, num_layers=1)
    # As a trained one: the statistics are zero at first, and nothing of the prompt would be left.
    prior.clip_std = torch.nn.Parameter(torch.ones(prior.clip_std.shape))
    scheduler = diffusers.UnCLIPScheduler(
        variance_type="fixed_small_log", prediction_type="sample", clip_sample=True, clip_sample_range=10.0
    )
    return {
        "prior": prior.eval(),
        "image_encoder": parts.clip_vision(),
        "text_encoder": tiny_clip_text(16, projection=True),
        "tokenizer": byte_clip_tokenizer(),
        "scheduler": scheduler,
        "image_processor": parts.clip_pixels(),
    }


def decoder_parts() -> dict[str, Any]:
    parts.seed()
    unet = diffusers.UNet2DConditionModel(
        in_channels=4,
        out_channels=8,
        addition_embed_type="image",
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        block_out_channels=(16, 32),
        layers_per_block=1,
        encoder_hid_dim=16,
        encoder_hid_dim_type="image_proj",
        cross_attention_dim=16,
        attention_head_dim=4,
        resnet_time_scale_shift="scale_shift",
        norm_num_groups=4,
    ).eval()
    movq = diffusers.VQModel(
        block_out_channels=(32, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=4,
        norm_type="spatial",
        num_vq_embeddings=12,
        vq_embed_dim=4,
    ).eval()
    scheduler = diffusers.DDIMScheduler(
        beta_schedule="linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1, prediction_type="epsilon"
    )
    return {"unet": unet, "scheduler": scheduler, "movq": movq}


def quiet(pipe: Any) -> Any:
    pipe.set_progress_bar_config(disable=True)
    return pipe


def whats(out: Any) -> set[str]:
    return {c.what for c in out.guardrail[0].coverage}


@pytest.fixture(scope="module")
def kandinsky() -> tuple[Any, Any]:
    prior = quiet(diffusers.KandinskyV22PriorPipeline(**prior_parts()))
    return prior, quiet(diffusers.KandinskyV22Pipeline(**decoder_parts()))


# ---- a prior and a decoder


def test_the_embedding_of_a_guarded_prior_is_judged_as_its_text(kandinsky: Any, make_guard: Any) -> None:
    guard = make_guard(RULES)
    prior, decoder = (guardrail.wrap(pipe, guard=guard) for pipe in kandinsky)
    made = prior("a fox", num_inference_steps=2, generator=generator())
    assert [d.action for d in made.guardrail] == ["allow"]
    given = {"image_embeds": made.image_embeds, "negative_image_embeds": made.negative_image_embeds, **SIZE}
    out = decoder(**given, generator=generator())
    assert out.guardrail[0].action == "allow"
    assert "image-embedding" not in whats(out)
    assert "prompt.sexual" in out.guardrail[0].signals
    assert same(kandinsky[1](**given, generator=generator()).images, out.images)


def test_the_embedding_of_an_unguarded_prior_is_left_to_the_policy(kandinsky: Any, make_guard: Any) -> None:
    raw = kandinsky[0](BAD, num_inference_steps=2, generator=generator())
    given = {"image_embeds": raw.image_embeds, "negative_image_embeds": raw.negative_image_embeds, **SIZE}
    out = guardrail.wrap(kandinsky[1], guard=make_guard(RULES))(**given)
    assert out.guardrail[0].rules == ("unread",)
    named = guardrail.wrap(kandinsky[1], guard=make_guard(NEVER))(**given)
    assert "image-embedding" in whats(named)


def test_a_blocked_text_gives_no_embedding(kandinsky: Any, make_guard: Any) -> None:
    prior = guardrail.wrap(kandinsky[0], guard=make_guard(RULES))
    with pytest.raises(guardrail.Blocked):
        prior(BAD, num_inference_steps=2)
    with pytest.raises(guardrail.Blocked):
        prior.interpolate(["a fox", BAD], [0.5, 0.5], num_inference_steps=2)


def test_a_policy_that_changed_meanwhile_judges_the_text_again(kandinsky: Any, make_guard: Any) -> None:
    """The embedding is allowed by the policy of its prior's day; what counts is the one of the day it is drawn."""
    guard = make_guard(NEVER)
    prior, decoder = (guardrail.wrap(pipe, guard=guard) for pipe in kandinsky)
    made = prior(BAD, num_inference_steps=2, generator=generator())
    stricter = make_guard(RULES)
    guard.reload(stricter._keeper.source)
    out = decoder(image_embeds=made.image_embeds, negative_image_embeds=made.negative_image_embeds, **SIZE)
    assert out.guardrail[0].rules == ("explicit",)


@pytest.mark.parametrize("put", [guardrail.wrap, guardrail.install])
def test_a_combined_pipeline_is_one_call(put: Any, make_guard: Any) -> None:
    own = {f"prior_{name}": part for name, part in prior_parts().items()} | decoder_parts()
    pipe = diffusers.KandinskyV22CombinedPipeline(**own)
    quiet(pipe.prior_pipe)
    quiet(pipe.decoder_pipe)
    arguments = {"prompt": "a fox", "prior_num_inference_steps": 2, **SIZE}
    bare = pipe(**arguments, generator=generator()).images
    guarded = put(pipe, guard=make_guard(RULES))
    out = guarded(**arguments, generator=generator())
    assert same(bare, out.images)
    assert whats(out) <= {"unmarked"}
    assert guarded(**{**arguments, "prompt": BAD}).guardrail[0].blocked
    # The stages inside come out under the same guard, and know each other's embeddings.
    made = guarded.prior_pipe("a fox", num_inference_steps=2)
    given = {"image_embeds": made.image_embeds, "negative_image_embeds": made.negative_image_embeds}
    assert guarded.decoder_pipe(**given, **SIZE).guardrail[0].action == "allow"
    with pytest.raises(guardrail.Blocked):
        guarded.prior_pipe(BAD, num_inference_steps=2)


def test_what_the_first_stage_of_a_combined_pipeline_rewrites_is_judged(make_guard: Any) -> None:
    """The tokenizer of a pipeline inside is watched as the pipeline's own."""

    class Rewriting(diffusers.KandinskyV22PriorPipeline):
        def _encode_prompt(self, prompt: Any, *args: Any, **kwargs: Any) -> Any:
            return super()._encode_prompt(BAD, *args, **kwargs)

    own = {f"prior_{name}": part for name, part in prior_parts().items()} | decoder_parts()
    pipe = diffusers.KandinskyV22CombinedPipeline(**own)
    pipe.prior_pipe = quiet(Rewriting(**prior_parts()))
    quiet(pipe.decoder_pipe)
    out = guardrail.wrap(pipe, guard=make_guard(RULES))("a fox", prior_num_inference_steps=2, **SIZE)
    assert out.guardrail[0].rules == ("explicit",)


# ---- a base and a refiner


def test_latents_of_the_base_go_to_a_refiner_under_the_same_guard(make_guard: Any) -> None:
    guard = make_guard(RULES)
    base_pipe, refiner_pipe = BUILDERS["sdxl"](), BUILDERS["sdxl_img2img"]()
    base, refiner = guardrail.wrap(base_pipe, guard=guard), guardrail.wrap(refiner_pipe, guard=guard)
    first = {"num_inference_steps": 4, "denoising_end": 0.5, "output_type": "latent"}
    made = base("a fox", height=64, width=64, **first, generator=generator())
    assert [d.action for d in made.guardrail] == ["allow"]
    assert {c.what for c in made.guardrail[0].coverage} >= {"unmarked"}
    then = {"prompt": "a fox", "image": made.images, "num_inference_steps": 4, "denoising_start": 0.5}
    out = refiner(**then, generator=generator())
    assert out.guardrail[0].action == "allow"
    assert "condition-latent" not in whats(out)
    assert same(refiner_pipe(**then, generator=generator()).images, out.images)
    # From elsewhere, or changed on the way, they are unknown.
    bare = base_pipe("a fox", height=64, width=64, **first, generator=generator(9)).images
    for image in (bare, made.images * 1.01):
        assert refiner(**{**then, "image": image}).guardrail[0].rules == ("unread",)
    other = guardrail.wrap(refiner_pipe, guard=make_guard(RULES))
    assert other(**then).guardrail[0].rules == ("unread",)


def test_a_refiner_is_judged_by_the_prompt_of_the_base_too(make_guard: Any) -> None:
    guard = make_guard(NEVER)
    base, refiner = (guardrail.wrap(BUILDERS[n](), guard=guard) for n in ("sdxl", "sdxl_img2img"))
    made = base(**call_arguments("sdxl", BAD), output_type="latent", generator=generator())
    guard.reload(make_guard(RULES)._keeper.source)
    out = refiner(prompt="sharp, detailed", image=made.images, num_inference_steps=4, denoising_start=0.5)
    assert out.guardrail[0].rules == ("explicit",)
