"""Pipelines made of blocks: the same guard, by keyword or in a state, whatever is asked for."""

from __future__ import annotations

import inspect
import logging
from types import SimpleNamespace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.modular_pipelines import InputParam, ModularPipelineBlocks, OutputParam, PipelineState

import guardrail
from guardrail.pipelines.arguments import Arguments
from guardrail.pipelines.modular.blocks import BlocksCall, declared
from guardrail.pipelines.outputs import MEDIA_FIELDS
from guardrail.pipelines.placeholders import GREY
from guardrail.pipelines.provenance import ledger_of
from tests import scripted
from tests.pipelines.test_blocked import BAD, RULES, Counted, denoiser
from tests.pipelines.test_transparent import NEVER, generator, same
from tests.pipelines.tiny import BUILDERS, MODULAR, picture

PUT = pytest.mark.parametrize("put", [guardrail.wrap, guardrail.install])
FAMILIES = list(MODULAR)
OWN = {"modular_z_image": {"max_sequence_length": 64}, "modular_flux": {"max_sequence_length": 32}}
SHOWN = "rules: [{id: shown, at: output, when: {output.nudity: '>= 0.5'}, then: block}]\n"


def arguments(name: str, prompt: Any = "a small red fox", **more: Any) -> dict[str, Any]:
    own = {"prompt": prompt, "num_inference_steps": 2, "height": 64, "width": 64, **OWN.get(name, {})}
    return {**own, **more}


def filled(pipe: Any, full: Any) -> Any:
    """The parts of another pipeline in this one; what a block makes of its own settings stays."""
    parts = {n: getattr(full, n, None) for n in pipe.pretrained_component_names}
    assert pipe.update_components(**{n: part for n, part in parts.items() if part is not None}) is None
    return pipe


def whats(decisions: Any) -> set[str]:
    return {c.what for c in decisions[0].coverage}


# ---- nothing is wrong


@pytest.mark.parametrize("name", FAMILIES)
def test_allow_all_is_bit_identical(name: str, make_guard: Any) -> None:
    pipe = MODULAR[name]()
    guarded = guardrail.wrap(pipe, guard=make_guard(NEVER))
    assert isinstance(guarded, diffusers.ModularPipeline)
    assert inspect.signature(guarded.__call__) == inspect.signature(pipe.__call__)
    for form in ("pil", "np", "pt"):
        bare = pipe(**arguments(name), output_type=form, output="images", generator=generator())
        ours = guarded(**arguments(name), output_type=form, output="images", generator=generator())
        assert same(bare, ours), form
        assert [d.action for d in guarded.last_decisions] == ["allow"]
    torch.manual_seed(3)
    bare = pipe(**arguments(name, ["a fox", "a boat"]))
    after = torch.rand(1)
    torch.manual_seed(3)
    ours = guarded(**arguments(name, ["a fox", "a boat"]))
    assert torch.equal(after, torch.rand(1))
    assert type(ours) is PipelineState
    assert [d.action for d in ours.guardrail] == ["allow", "allow"]
    assert ours.values.keys() == bare.values.keys()
    assert ours.kwargs_mapping == bare.kwargs_mapping
    for key in ("images", "latents", "prompt_embeds"):
        assert same(bare.get(key), ours.get(key)), key
    both = guarded(**arguments(name), output=["images", "latents"], generator=generator())
    assert set(both) == {"images", "latents"}


@PUT
def test_it_stays_under_the_guard(put: Any, make_guard: Any, caplog: pytest.LogCaptureFixture) -> None:
    pipe = MODULAR["modular_sdxl"]()
    guarded = put(pipe, guard=make_guard(RULES))
    assert guarded.to("cpu") is guarded
    guarded.update_components(scheduler=diffusers.DDIMScheduler())
    out = guarded(**arguments("modular_sdxl"))
    assert [(c.argument, c.detail) for c in out.guardrail[0].coverage if c.what == "component-swapped"] == [
        ("scheduler", "EulerDiscreteScheduler → DDIMScheduler")
    ]
    assert guarded(**arguments("modular_sdxl", BAD)).guardrail[0].blocked
    with pytest.raises(guardrail.GuardrailError, match="call the guarded pipeline itself"):
        diffusers.ModularPipeline.__call__(guarded, **arguments("modular_sdxl", BAD))
    with caplog.at_level(logging.WARNING, "guardrail.pipelines"):
        assert guarded.device.type == "cpu"
        assert not [r for r in caplog.records if r.name == "guardrail.pipelines"]
        assert guarded.blocks is not guarded.blocks
        assert guarded.components["unet"] is guarded.unet
    said = [r.getMessage() for r in caplog.records if r.name == "guardrail.pipelines"]
    assert len(said) == 2
    assert "made of the blocks" in said[0]
    bare = guardrail.unwrap(guarded)
    assert type(bare) is diffusers.StableDiffusionXLModularPipeline
    assert not hasattr(bare(**arguments("modular_sdxl", BAD)), "guardrail")


def test_parts_that_are_loaded_later_are_not_exchanged_ones(make_guard: Any) -> None:
    full = MODULAR["modular_sdxl"]()
    pipe = diffusers.StableDiffusionXLAutoBlocks().init_pipeline()
    guarded = guardrail.wrap(pipe, guard=make_guard(NEVER))
    filled(guarded, full)
    out = guarded(**arguments("modular_sdxl"))
    assert "component-swapped" not in {c.what for c in out.guardrail[0].coverage if c.argument == "unet"}


# ---- what is blocked


@pytest.mark.parametrize("name", FAMILIES)
def test_all_blocked_runs_nothing(name: str, make_guard: Any) -> None:
    pipe = MODULAR[name]()
    guarded = guardrail.wrap(pipe, guard=make_guard(RULES))
    counted = Counted(denoiser(pipe))
    state = guarded(**arguments(name, BAD))
    assert counted.calls == 0
    assert state.guardrail[0].rules == ("explicit",)
    assert int(np.abs(np.asarray(state.images[0]).astype(int) - GREY).max()) == 0
    assert "latents" not in state.values
    (image,) = guarded(**arguments(name, BAD), output="images")
    assert image.size == (64, 64)
    tensor = guarded(**arguments(name, [BAD, BAD]), output="images", output_type="pt", num_images_per_prompt=2)
    assert tensor.shape == (4, 3, 64, 64)
    assert counted.calls == 0
    latents = guarded(**arguments(name, BAD), output="latents")
    assert float(latents.abs().max()) == 0.0


@pytest.mark.parametrize("name", FAMILIES)
def test_one_of_two_is_blocked_in_pictures_and_latents(name: str, make_guard: Any) -> None:
    pipe = MODULAR[name]()
    guarded = guardrail.wrap(pipe, guard=make_guard(RULES))
    bare = pipe(**arguments(name, ["a fox", "a boat"]), generator=generator())
    out = guarded(**arguments(name, ["a fox", BAD]), generator=generator())
    assert [d.action for d in out.guardrail] == ["allow", "block"]
    assert same(bare.images[0], out.images[0])
    assert int(np.asarray(out.images[1]).min()) == GREY
    assert torch.equal(bare.latents[0], out.latents[0])
    assert float(out.latents[1].abs().max()) == 0.0


def test_raise_and_none(make_guard: Any) -> None:
    guard = make_guard(RULES)
    pipe = MODULAR["modular_sdxl"]()
    with pytest.raises(guardrail.Blocked, match="Not this"):
        guardrail.wrap(pipe, guard=guard, on_block="raise")(**arguments("modular_sdxl", ["a fox", BAD]))
    gaps = guardrail.wrap(pipe, guard=guard, on_block="none")
    assert gaps(**arguments("modular_sdxl", BAD), output="images") == [None]


def test_what_the_output_check_refuses_leaves_nowhere(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripted.ScriptedNudity, "judge", staticmethod(lambda image: 0.9))
    scripted.install(monkeypatch, scripted.ScriptedNudity)
    guarded = guardrail.wrap(MODULAR["modular_sdxl"](), guard=make_guard(SHOWN))
    out = guarded(**arguments("modular_sdxl"))
    assert out.guardrail[0].rules == ("shown",)
    assert int(np.asarray(out.images[0]).max()) == GREY
    assert float(out.latents.abs().max()) == 0.0
    assert out.prompt_embeds is not None
    for form in ({"output": "latents"}, {"output": "images", "output_type": "latent"}):
        assert float(guarded(**arguments("modular_sdxl"), **form).abs().max()) == 0.0


def test_latents_leave_only_where_the_policy_lets_latents_leave(make_guard: Any) -> None:
    rule = "rules: [{id: marked, at: output, when: {output.markable: [latent]}, then: block}]\n"
    guarded = guardrail.wrap(MODULAR["modular_sdxl"](), guard=make_guard(rule))
    out = guarded(**arguments("modular_sdxl"))
    assert out.guardrail[0].action == "allow"
    assert np.asarray(out.images[0]).std() > 0
    assert float(out.latents.abs().max()) == 0.0
    assert float(guarded(**arguments("modular_sdxl"), output="latents").abs().max()) == 0.0


# ---- what goes in, by keyword or in a state


def test_pictures_in_keywords_and_in_a_state(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripted.ScriptedNudity, "judge", staticmethod(lambda image: 0.9))
    scripted.install(monkeypatch, scripted.ScriptedNudity)
    rule = "rules: [{id: shown, at: reference, when: {reference.nudity: '>= 0.5'}, then: block}]\n"
    guarded = guardrail.wrap(MODULAR["modular_sdxl"](), guard=make_guard(rule))
    own = arguments("modular_sdxl")
    assert guarded(**own, image=picture()).guardrail[0].rules == ("shown",)
    assert guarded(PipelineState(values={"image": picture()}), **own).guardrail[0].rules == ("shown",)
    assert not guarded(**own).guardrail[0].blocked


def test_a_prompt_in_a_state_and_a_keyword_over_it(make_guard: Any) -> None:
    guarded = guardrail.wrap(MODULAR["modular_sdxl"](), guard=make_guard(RULES))
    own = arguments("modular_sdxl")
    del own["prompt"]
    assert guarded(PipelineState(values={"prompt": BAD}), **own).guardrail[0].blocked
    assert not guarded(PipelineState(values={"prompt": BAD}), prompt="a fox", **own).guardrail[0].blocked
    # Under a name that no block declares: some block may read it all the same.
    assert guarded(PipelineState(values={"caption": BAD, "prompt": "a fox"}), **own).guardrail[0].blocked
    with pytest.raises(TypeError, match="PipelineState"):
        guarded("a state", **own)
    with pytest.raises(ValueError, match="output"):
        guarded(output=3, **own)


def test_a_state_of_a_guarded_call_is_known_when_it_comes_back(make_guard: Any) -> None:
    guard = make_guard(RULES)
    pipe = MODULAR["modular_sdxl"]()
    guarded = guardrail.wrap(pipe, guard=guard)
    own = arguments("modular_sdxl")
    first = guarded(**own, generator=generator())
    out = guarded(first, generator=generator(), output="images")
    assert not {"latent", "text-embedding", "unknown"} & whats(guarded.last_decisions)
    assert same(pipe(first, generator=generator(), output="images"), out)
    assert ledger_of(guard).find(first.prompt_embeds) is not None
    # What was made elsewhere is not known.
    raw = pipe(**own).prompt_embeds * 1.01
    foreign = guarded(PipelineState(values={"prompt_embeds": raw}), **own)
    assert "text-embedding" in whats(foreign.guardrail)


def test_blocks_that_only_encode_are_a_way_in(make_guard: Any) -> None:
    guard = make_guard(RULES)
    full = MODULAR["modular_sdxl"]()
    encoder = filled(full.blocks.sub_blocks["text_encoder"].init_pipeline(), full)
    guarded = guardrail.wrap(encoder, guard=guard)
    state = guarded(prompt="a fox")
    assert [d.action for d in state.guardrail] == ["allow"]
    (origin,) = ledger_of(guard).find(state.prompt_embeds) or ()
    assert "a fox" in [t.text for t in origin.texts]
    with pytest.raises(guardrail.Blocked):
        guarded(prompt=BAD)


def test_a_picture_in_and_every_value_out(make_guard: Any) -> None:
    """What blocks prepare of a picture that was judged stays in the state."""
    pipe = MODULAR["modular_sdxl"]()
    guarded = guardrail.wrap(pipe, guard=make_guard(NEVER))
    own = arguments("modular_sdxl", image=picture(), strength=1.0)
    bare, ours = pipe(**own, generator=generator()), guarded(**own, generator=generator())
    given = {name for name, value in bare.values.items() if value is not None}
    assert {name for name, value in ours.values.items() if value is not None} == given
    assert same(bare.images, ours.images)
    assert torch.equal(bare.image_latents, ours.image_latents)


# ---- on the way, and another attempt


def test_a_preview_ends_the_run(
    make_guard: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(scripted.ScriptedNudity, "judge", staticmethod(lambda image: 0.9))
    scripted.install(monkeypatch, scripted.ScriptedNudity)
    pipe = MODULAR["modular_sdxl"]()
    rule = "rules: [{id: shown, at: step, when: {step.nudity: '>= 0.5'}, then: block}]\n"
    guarded = guardrail.wrap(pipe, guard=make_guard(rule), previews=(0.25,), preview_decoder="vae")
    counted = Counted(pipe.unet)
    with caplog.at_level(logging.ERROR):
        out = guarded(**arguments("modular_sdxl", num_inference_steps=8))
    assert out.guardrail[0].rules == ("shown",)
    assert 0 < counted.calls < 8
    assert "Error in block" not in caplog.text
    monkeypatch.setattr(scripted.ScriptedNudity, "judge", staticmethod(lambda image: 0.0))
    ours = guarded(**arguments("modular_sdxl"), output="images", generator=generator())
    assert same(pipe(**arguments("modular_sdxl"), output="images", generator=generator()), ours)


def test_another_attempt_takes_the_latents_of_the_first_away(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def judge(image: Any) -> float:
        seen.append(image)
        return 0.9 if len(seen) == 1 else 0.0

    monkeypatch.setattr(scripted.ScriptedNudity, "judge", staticmethod(judge))
    scripted.install(monkeypatch, scripted.ScriptedNudity)
    rule = "rules: [{id: again, at: output, when: {output.nudity: '>= 0.5'}, then: [{regenerate: {max: 1}}]}]\n"
    pipe = MODULAR["modular_sdxl"]()
    out = guardrail.wrap(pipe, guard=make_guard(rule))(**arguments("modular_sdxl"), generator=generator())
    assert out.guardrail[0].action == "alter"
    assert not same(pipe(**arguments("modular_sdxl"), generator=generator()).images, out.images)
    assert float(out.latents.abs().max()) == 0.0


# ---- blocks of the user's own


class Doubled(ModularPipelineBlocks):
    """Makes another picture of the picture, under a name that nobody knows."""

    name = "enlarged"

    @property
    def inputs(self) -> list[Any]:
        return [InputParam("images")]

    @property
    def intermediate_outputs(self) -> list[Any]:
        return [OutputParam(self.name)]

    def __call__(self, components: Any, state: Any) -> Any:
        held = self.get_block_state(state)
        setattr(held, self.name, [image.resize((128, 128)) for image in held.images])
        self.set_block_state(state, held)
        return components, state


class Rewriter(ModularPipelineBlocks):
    """Writes another prompt into the state, as the prompt enhancers of some families."""

    made = BAD

    @property
    def inputs(self) -> list[Any]:
        return [InputParam("prompt")]

    def __call__(self, components: Any, state: Any) -> Any:
        held = self.get_block_state(state)
        held.prompt = self.made
        self.set_block_state(state, held)
        return components, state


def with_block(name: str, block: Any, place: int) -> Any:
    full = MODULAR["modular_sdxl"]()
    blocks = full.blocks
    blocks.sub_blocks.insert(name, block, place)
    return filled(blocks.init_pipeline(), full)


def test_pictures_that_nobody_looked_at_do_not_leave(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = with_block("double", Doubled(), 5)
    assert pipe(**arguments("modular_sdxl"), output="enlarged")[0].size == (128, 128)
    guarded = guardrail.wrap(pipe, guard=make_guard(SHOWN.replace("0.5", "0.95")))
    out = guarded(**arguments("modular_sdxl"))
    assert out.enlarged is None
    # Asked for by name, they are what is judged; then the others do not leave.
    asked = guarded(**arguments("modular_sdxl"), output=["enlarged", "images"])
    assert asked["enlarged"][0].size == (128, 128)
    assert asked["images"] is None
    monkeypatch.setattr(scripted.ScriptedNudity, "judge", staticmethod(lambda image: 1.0))
    scripted.install(monkeypatch, scripted.ScriptedNudity)
    guarded = guardrail.wrap(pipe, guard=make_guard(SHOWN))
    (hidden,) = guarded(**arguments("modular_sdxl"), output="enlarged")
    assert hidden.size == (128, 128)
    assert int(np.asarray(hidden).min()) == GREY == int(np.asarray(hidden)[0, 0, 0])


def test_a_prompt_that_a_block_rewrites_is_judged(make_guard: Any, caplog: pytest.LogCaptureFixture) -> None:
    pipe = with_block("rewriter", Rewriter(), 0)
    guarded = guardrail.wrap(pipe, guard=make_guard(RULES))
    counted = Counted(pipe.unet)
    with caplog.at_level(logging.ERROR):
        out = guarded(**arguments("modular_sdxl"))
    assert out.guardrail[0].rules == ("explicit",)
    assert counted.calls == 0
    assert "Error in block" not in caplog.text
    assert int(np.asarray(out.images[0]).max()) == GREY
    assert BAD not in [v for v in out.values.values() if isinstance(v, str)]


def test_a_video(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers.modular_pipelines.wan import encoders

    # ftfy is not installed everywhere; the blocks call it without asking.
    monkeypatch.setattr(encoders, "ftfy", SimpleNamespace(fix_text=lambda text: text), raising=False)
    pipe = filled(diffusers.WanBlocks().init_pipeline(), BUILDERS["wan"]())
    pipe.set_progress_bar_config(disable=True)
    own = {"num_frames": 5, "max_sequence_length": 32, "num_inference_steps": 2, "height": 64, "width": 64}
    guarded = guardrail.wrap(pipe, guard=make_guard(RULES))
    for form in ("np", "pil"):
        bare = pipe(prompt="a fox", **own, output_type=form, output="videos", generator=generator())
        ours = guarded(prompt="a fox", **own, output_type=form, output="videos", generator=generator())
        assert same(bare, ours)
        assert [d.action for d in guarded.last_decisions] == ["allow"]
        blocked = guarded(prompt=BAD, **own, output_type=form, output="videos")
        assert len(blocked) == 1
        assert np.asarray(blocked[0][0]).shape == np.asarray(bare[0][0]).shape
        assert len(blocked[0]) == len(bare[0])


@pytest.mark.nightly  # makes every set of blocks: half a minute of imports
def test_every_set_of_blocks_is_covered_or_refused() -> None:
    sets = [n for n in dir(diffusers) if n.endswith("Blocks") and "PipelineBlocks" not in n]
    assert len(sets) >= 39
    refused = []
    for name in sets:
        blocks = getattr(diffusers, name)()
        pipe = SimpleNamespace(_blocks=blocks)
        call = BlocksCall(diffusers.ModularPipeline.__call__, pipe, None, ())
        names = [p.name or p.kwargs_type for p in blocks.inputs]
        bound = Arguments(call, pipe, (), dict.fromkeys(names, BAD))
        assert bound.values.keys() == set(names), name
        if declared(blocks).refused:
            refused.append(name)
        else:
            assert declared(blocks).makes_media, name
            assert set(call.outputs) & set(MEDIA_FIELDS), name
    assert refused == ["MiniMaxMusic3Blocks"]
