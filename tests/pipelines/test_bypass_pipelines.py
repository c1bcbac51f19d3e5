"""Ways past the guard by another pipeline, exchanged parts, adapters and callbacks."""

from __future__ import annotations

import copy
import logging
import pickle
from typing import Any

import diffusers
import pytest
import torch

import guardrail
from guardrail.pipelines.adapters import Adapter, adapters_of
from tests.pipelines.test_blocked import BAD, RULES
from tests.pipelines.test_transparent import NEVER, generator, same
from tests.pipelines.tiny import BUILDERS, call_arguments, picture

PUT = pytest.mark.parametrize("put", [guardrail.wrap, guardrail.install])


def whats(out: Any) -> set[str]:
    return {c.what for c in out.guardrail[0].coverage}


# ---- other pipelines of the same parts


@PUT
@pytest.mark.parametrize("kind", ["StableDiffusionImg2ImgPipeline", "AutoPipelineForImage2Image"])
def test_from_pipe_of_an_unguarded_class_raises(put: Any, kind: str, make_guard: Any) -> None:
    guarded = put(BUILDERS["text2img"](), guard=make_guard(NEVER))
    with pytest.raises(guardrail.GuardrailError, match="leave the guard behind"):
        getattr(diffusers, kind).from_pipe(guarded)
    assert not guarded(**call_arguments("text2img")).guardrail[0].blocked


@PUT
def test_from_pipe_of_the_guarded_pipeline_takes_the_guard_along(put: Any, make_guard: Any) -> None:
    guarded = put(BUILDERS["text2img"](), guard=make_guard(RULES))
    other = guarded.from_pipe(guarded, requires_safety_checker=False)
    assert other(**call_arguments("text2img", BAD)).guardrail[0].blocked
    assert guarded(**call_arguments("text2img", BAD)).guardrail[0].blocked


@PUT
def test_taking_the_components_out_is_said_once(put: Any, make_guard: Any, caplog: pytest.LogCaptureFixture) -> None:
    guarded = put(BUILDERS["text2img"](), guard=make_guard(RULES))
    with caplog.at_level(logging.WARNING, "guardrail.pipelines"):
        assert guarded.components["unet"] is guarded.unet
        assert guarded.components
    assert [r.getMessage() for r in caplog.records if r.name == "guardrail.pipelines"] == [
        "a pipeline built from the components of a guarded one is not guarded: wrap it"
    ]


@PUT
def test_the_call_of_the_base_class_is_refused(put: Any, make_guard: Any) -> None:
    guarded = put(BUILDERS["text2img"](), guard=make_guard(RULES))
    with pytest.raises(guardrail.GuardrailError, match="call the guarded pipeline itself"):
        diffusers.StableDiffusionPipeline.__call__(guarded, **call_arguments("text2img"))
    assert guarded(**call_arguments("text2img", BAD)).guardrail[0].blocked


class Combined(diffusers.DiffusionPipeline):
    """Two pipelines in one, as Kandinsky's combined ones."""

    def __init__(self, unet: Any, decoder: Any = None) -> None:
        super().__init__()
        self.register_modules(unet=unet)
        self.decoder_pipe = decoder

    def __call__(self, prompt: str, **arguments: Any) -> Any:
        return self.decoder_pipe(prompt, **arguments)

    def inside(self) -> Any:
        """Hands the pipeline inside out."""
        return self.decoder_pipe


@PUT
def test_pipelines_inside_a_pipeline_come_out_guarded(put: Any, make_guard: Any) -> None:
    decoder = BUILDERS["text2img"]()
    arguments = call_arguments("text2img")
    bare = decoder(**arguments, generator=generator()).images
    guarded = put(Combined(decoder.unet, decoder), guard=make_guard(RULES))
    assert guarded.decoder_pipe(**call_arguments("text2img", BAD)).guardrail[0].blocked
    assert guarded.inside()(**call_arguments("text2img", BAD)).guardrail[0].blocked
    assert guarded(**call_arguments("text2img", BAD)).guardrail[0].blocked
    ours = guarded(**arguments, generator=generator())
    assert not ours.guardrail[0].blocked
    assert same(bare, ours.images)


class TinyPriorPipeline(diffusers.DiffusionPipeline):
    """Returns an embedding, as the first stage of Kandinsky."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.register_modules(unet=unet)

    def __call__(self, prompt: str) -> Any:
        image_emb = torch.full((1, 16), float(len(prompt)))
        return diffusers.utils.BaseOutput(image_embeds=image_emb)


def test_a_prior_is_judged_and_its_embedding_is_known(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrail.pipelines import inner
    from guardrail.pipelines.provenance import ledger_of

    monkeypatch.setattr(inner, "PRIORS", inner.PRIORS | {"TinyPriorPipeline"})
    guard = make_guard(RULES)
    prior = guardrail.wrap(TinyPriorPipeline(BUILDERS["text2img"]().unet), guard=guard)
    out = prior("a fox")
    assert not out.guardrail[0].blocked
    (origin,) = ledger_of(guard).find(out.image_embeds) or ()
    assert [t.text for t in origin.texts] == ["a fox"]
    with pytest.raises(guardrail.Blocked):
        prior(BAD)


# ---- copies


@PUT
def test_copies_keep_the_guard_and_files_do_not(
    put: Any, policy_file: Any, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    guarded = put(BUILDERS["text2img"](), policy_file(RULES), audit=None, gallery=None)
    for other in (pickle.loads(pickle.dumps(guarded)), copy.copy(guarded)):
        assert other(**call_arguments("text2img", BAD)).guardrail[0].blocked
    if put is guardrail.wrap:
        with caplog.at_level(logging.WARNING, "guardrail.pipelines"):
            guarded.save_pretrained(tmp_path / "model")
        assert "does not carry its guard" in caplog.text


@PUT
def test_copies_are_under_the_policy_that_is_in_force_now(put: Any, policy_file: Any, tmp_path: Any) -> None:
    tight = tmp_path / "tight.yaml"
    tight.write_text("policy: {id: tight, version: 1.0.0}\n" + RULES, "utf-8")
    pipe = BUILDERS["text2img"]()
    guard = guardrail.Guard(policy_file(NEVER), audit=None, gallery=None)
    guarded = put(pipe, guard=guard, previews=(0.5,))
    guard.reload(tight)
    for other in (copy.copy(guarded), copy.deepcopy(guarded), pickle.loads(pickle.dumps(guarded))):
        decision = other(**call_arguments("text2img", BAD)).guardrail[0]
        assert (decision.blocked, decision.policy.id) == (True, "tight")


@PUT
def test_what_was_inverted_goes_along_with_a_copy_and_not_into_a_pickle(put: Any, make_guard: Any) -> None:
    guard = make_guard(RULES)
    guarded = put(Inverting(**BUILDERS["text2img"]().components, requires_safety_checker=False), guard=guard)
    guarded.set_progress_bar_config(disable=True)
    guarded.invert(picture(), source_prompt="a fox")
    for other in (copy.copy(guarded), copy.deepcopy(guarded)):
        assert len(other(**call_arguments("text2img")).guardrail[0].inputs["image_hashes"]) == 1
    stored = pickle.dumps(guarded)
    assert b"a fox" not in stored
    other = pickle.loads(stored)
    for again in (other, pickle.loads(pickle.dumps(other))):
        with pytest.raises(guardrail.GuardrailError, match="invert again"):
            again(**call_arguments("text2img"))
    other.invert(picture(), source_prompt="a fox")
    assert not other(**call_arguments("text2img")).guardrail[0].blocked


class Inverting(diffusers.StableDiffusionPipeline):
    """As LEDITS++: the picture comes by `invert`, the wish by the call."""

    def invert(self, image: Any, source_prompt: str = "") -> None:
        self.kept = torch.zeros(1)


# ---- exchanged parts


@PUT
def test_parts_exchanged_after_wrapping_are_used_and_named(put: Any, make_guard: Any) -> None:
    guarded = put(BUILDERS["text2img"](), guard=make_guard(RULES))
    assert "component-swapped" not in whats(guarded(**call_arguments("text2img")))
    guarded.scheduler = diffusers.EulerDiscreteScheduler.from_config(guarded.scheduler.config)
    out = guarded(**call_arguments("text2img"))
    notes = [(c.argument, c.detail) for c in out.guardrail[0].coverage if c.what == "component-swapped"]
    assert notes == [("scheduler", "DDIMScheduler → EulerDiscreteScheduler")]
    assert guarded(**call_arguments("text2img", BAD)).guardrail[0].blocked


def test_a_safety_checker_that_is_taken_away_is_named(make_guard: Any) -> None:
    pipe = BUILDERS["text2img"]()
    pipe.register_modules(safety_checker=torch.nn.Identity())
    guarded = guardrail.wrap(pipe, guard=make_guard(RULES))
    guarded.safety_checker = None
    notes = [c for c in guarded(**call_arguments("text2img")).guardrail[0].coverage if c.what == "component-swapped"]
    assert [(c.argument, c.detail) for c in notes] == [("safety_checker", "Identity → nothing")]


def test_a_callback_that_puts_other_latents_in_is_named_and_the_output_is_looked_at(make_guard: Any) -> None:
    guarded = guardrail.wrap(BUILDERS["text2img"](), guard=make_guard(NEVER))

    def replace(pipe: Any, step: int, t: Any, tensors: Any) -> dict[str, Any]:
        return {"latents": torch.zeros_like(tensors["latents"])}

    arguments = call_arguments("text2img")
    out = guarded(**arguments, generator=generator(), callback_on_step_end=replace)
    assert "callback" in whats(out)
    plain = guarded(**arguments, generator=generator())
    assert "callback" not in whats(plain)
    # The decision is on the picture that really came out.
    assert out.guardrail[0].pixels_sha256 != plain.guardrail[0].pixels_sha256


# ---- adapters

REFUSED = "rules: [{id: r, at: prompt, when: {request.adapters: {any: {kind: %s}}}, then: block}]\n"


def test_a_word_learnt_by_textual_inversion_is_found_and_named_where_it_is_used(make_guard: Any) -> None:
    pipe = BUILDERS["text2img"]()
    guarded = guardrail.wrap(pipe, guard=make_guard(NEVER))
    assert adapters_of(pipe) == ()
    guarded.load_textual_inversion({"<somebody>": torch.zeros(16)})
    assert adapters_of(pipe) == (Adapter("textual-inversion", "tokenizer", 1, ("<somebody>",)),)
    out = guarded(**call_arguments("text2img", "a portrait of <somebody>"))
    assert {"textual-inversion", "textual-inversion-token"} <= whats(out)
    assert "somebody" not in str(out.guardrail[0].to_json())
    assert "textual-inversion-token" not in whats(guarded(**call_arguments("text2img")))
    refused = guardrail.wrap(guardrail.unwrap(guarded), guard=make_guard(REFUSED % "textual-inversion"))
    assert refused(**call_arguments("text2img")).guardrail[0].rules == ("r",)


def test_an_ip_adapter_is_found(make_guard: Any) -> None:
    pipe = BUILDERS["ip_adapter"]()
    assert [(a.kind, a.part, a.count) for a in adapters_of(pipe)] == [("ip-adapter", "unet", 1)]
    guarded = guardrail.wrap(pipe, guard=make_guard(REFUSED % "ip-adapter"))
    assert guarded(**call_arguments("ip_adapter")).guardrail[0].rules == ("r",)


@pytest.mark.parametrize("fused", [False, True])
def test_a_lora_is_found_by_what_peft_and_diffusers_note_of_it(fused: bool, make_guard: Any) -> None:
    """peft is not installed in every environment: what it leaves on a model is put there by hand."""
    pipe = BUILDERS["text2img"]()
    guarded = guardrail.wrap(pipe, guard=make_guard(REFUSED % "lora"))
    assert not guarded(**call_arguments("text2img")).guardrail[0].blocked
    if fused:
        pipe._merged_adapters = {"jane-doe"}
    else:
        pipe.unet.peft_config = {"jane-doe": object()}
    out = guarded(**call_arguments("text2img"))
    assert out.guardrail[0].rules == ("r",)
    assert "lora" in whats(out)
    assert "jane" not in str(out.guardrail[0].to_json())


def lora_of(unet: torch.nn.Module, rank: int = 2) -> dict[str, torch.Tensor]:
    """A LoRA for the queries of every attention, in the layout of the files that diffusers writes."""
    weights = {}
    for name, layer in unet.named_modules():
        if name.endswith("to_q") and isinstance(layer, torch.nn.Linear):
            down = torch.randn(rank, layer.in_features, generator=generator())
            up = torch.randn(layer.out_features, rank, generator=generator())
            weights |= {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up}
    return weights


@PUT
def test_a_lora_that_peft_loads(put: Any, make_guard: Any) -> None:
    """By way of the guarded pipeline; it is used, named, fused, taken off again."""
    pytest.importorskip("peft", reason="diffusers loads a LoRA by peft, which is not installed")
    guarded = put(BUILDERS["text2img"](), guard=make_guard(NEVER))
    before = guarded(**call_arguments("text2img"), generator=generator())
    guarded.load_lora_weights(lora_of(guarded.unet), adapter_name="jane-doe")
    (found,) = adapters_of(guarded)
    assert (found.kind, found.part, found.names) == ("lora", "unet", ("jane-doe",))
    loaded = guarded(**call_arguments("text2img"), generator=generator())
    assert "lora" in whats(loaded)
    assert "jane" not in str(loaded.guardrail[0].to_json())
    assert not same(before.images, loaded.images)
    guarded.fuse_lora()
    guarded.unload_lora_weights()
    assert "lora" in whats(guarded(**call_arguments("text2img")))
    refused = put(guardrail.unwrap(guarded), guard=make_guard(REFUSED % "lora"))
    assert refused(**call_arguments("text2img")).guardrail[0].rules == ("r",)


def test_a_rule_can_look_harder_at_what_adapters_make(make_guard: Any) -> None:
    """The signal stays known at later stages, so that an output rule can be stricter with an adapter than without."""
    rule = "rules: [{id: r, at: output, when: {all: [{request.adapters: {any: {kind: ip-adapter}}}, "
    rule += "{output.markable: [full, fragile, none]}]}, then: block}]\n"
    guard = make_guard(rule)
    with_adapter = guardrail.wrap(BUILDERS["ip_adapter"](), guard=guard)
    assert with_adapter(**call_arguments("ip_adapter", ip_adapter_image=picture())).guardrail[0].stage == "output"
    without = guardrail.wrap(BUILDERS["text2img"](), guard=guard)
    assert not without(**call_arguments("text2img")).guardrail[0].blocked
