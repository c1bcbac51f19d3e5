"""Blocks taken apart: each stage wrapped on its own under one guard, and what cannot be closed."""

from __future__ import annotations

from typing import Any

import pytest
from diffusers.modular_pipelines import PipelineState

import guardrail
from tests.pipelines.test_blocked import BAD, RULES
from tests.pipelines.test_modular import arguments, filled, whats
from tests.pipelines.test_transparent import NEVER, generator, same
from tests.pipelines.tiny import MODULAR, shared

UNREAD = """
rules: [{id: unread, at: prompt, when: {request.unverified: {any: {kind: [latent, text-embedding]}}}, then: block}]
"""


def stage(name: str, family: str = "modular_sdxl") -> Any:
    full = shared(family)
    return filled(full.blocks.sub_blocks[name].init_pipeline(), full)


def test_the_stages_of_one_pipeline_under_one_guard(make_guard: Any) -> None:
    guard = make_guard(UNREAD)
    names = ("text_encoder", "denoise", "decode")
    encode, denoise, decode = (guardrail.wrap(stage(name), guard=guard) for name in names)
    own = arguments("modular_sdxl")
    prompt = own.pop("prompt")
    state = denoise(encode(prompt=prompt), **own, generator=generator())
    assert state.guardrail[0].action == "allow"
    assert "text-embedding" not in whats(state.guardrail)
    # Latents that left under the guard are known to the decoder; others are not.
    images = decode(PipelineState(values={"latents": state.latents}), output="images")
    assert decode.last_decisions[0].action == "allow"
    decode(PipelineState(values={"latents": state.latents * 1.01}), output="images")
    assert decode.last_decisions[0].rules == ("unread",)
    whole = shared("modular_sdxl")
    assert same(images, whole(prompt=prompt, **own, output="images", generator=generator()))


def test_a_stage_without_a_decoder_lets_no_latents_leave(make_guard: Any) -> None:
    """Nobody can look at them: the pipeline that has the decoder is the one to wrap."""
    guard = make_guard(NEVER)
    denoise = guardrail.wrap(stage("denoise", "modular_z_image"), guard=guard)
    own = arguments("modular_z_image")
    encoded = guardrail.wrap(stage("text_encoder", "modular_z_image"), guard=guard)(prompt=own.pop("prompt"))
    latents = denoise(encoded, **own, output="latents")
    assert float(latents.abs().max()) == 0.0
    assert "no autoencoder" in denoise.last_decisions[0].reasons[0].cause


@pytest.mark.parametrize("take", ["blocks", "components"])
def test_what_is_built_of_the_parts_is_not_guarded(
    take: str, make_guard: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Not closed, and said once: docs/modular-pipelines.md."""
    guarded = guardrail.wrap(MODULAR["modular_sdxl"](), guard=make_guard(RULES))
    blocks = (guarded if take == "blocks" else guardrail.unwrap(guarded)).blocks
    parts = (guarded if take == "components" else guardrail.unwrap(guarded)).components
    other = blocks.init_pipeline()
    other.update_components(**{n: parts[n] for n in other.pretrained_component_names if parts.get(n) is not None})
    own = arguments("modular_sdxl", BAD)
    assert not hasattr(other(**own), "guardrail")
    assert "is not guarded: wrap it" in caplog.text
    again = guardrail.wrap(other, guard=guarded.guard)
    assert again(**own).guardrail[0].blocked
    mine = arguments("modular_sdxl")
    bare = other(**mine, output="images", generator=generator())
    assert same(bare, again(**mine, output="images", generator=generator()))
