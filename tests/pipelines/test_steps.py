"""Looking on while a picture is made: the tap, stopping, and leaving alone what is not stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

import guardrail
from guardrail.decision import Stage
from guardrail.media import ImageInput, Role
from guardrail.pipelines.placeholders import GREY
from tests.pipelines.test_blocked import Counted, denoiser
from tests.pipelines.test_transparent import generator, media, same
from tests.pipelines.tiny import BUILDERS, call_arguments
from tests.scripted import ScriptedNudity, install

RULES = """
thresholds: {nudity: {partial: 0.5}}
rules:
  - {id: early, at: step, when: {step.nudity: ">= partial"}, then: block, message: no}
  - {id: late, at: output, when: {output.nudity: ">= partial"}, then: block, message: no}
messages: {no: {en: "Not this."}}
"""
STEPS = 10
# An output each; what takes longest to build is left to the transparency tests.
FAMILIES = ["text2img", "img2img", "inpaint", "sdxl", "sd3", "flux", "z_image", "qwen_image", "wan"]

Score = Callable[[ImageInput], Any]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, make_guard: Any) -> Callable[..., Any]:
    """A guard whose nudity check says what is written for previews (by output) and nothing of outputs."""

    def make(score: Score = lambda image: 0.0, rules: str = RULES) -> tuple[Any, list[ImageInput]]:
        seen: list[ImageInput] = []

        def judge(image: ImageInput) -> Any:
            if image.role is Role.PREVIEW:
                seen.append(image)
                return score(image)
            return 0.0

        install(monkeypatch, ScriptedNudity)
        monkeypatch.setattr(ScriptedNudity, "judge", staticmethod(judge))
        return make_guard(rules), seen

    return make


def arguments(name: str, prompt: Any = "a small red fox", **more: Any) -> dict[str, Any]:
    return {**call_arguments(name, prompt), "num_inference_steps": STEPS, "output_type": "np", **more}


# ---- a run that is stopped


@pytest.mark.parametrize("name", FAMILIES)
def test_stops_at_a_fifth_and_the_pipeline_is_as_before(name: str, scripted: Any) -> None:
    pipe = BUILDERS[name]()
    guard, seen = scripted(lambda image: 0.9)
    guarded = guardrail.wrap(pipe, guard=guard, previews=(0.2, 0.6), preview_decoder="vae")
    bare = pipe(**arguments(name), generator=generator())
    counted, kind = Counted(denoiser(pipe)), type(pipe.scheduler)
    out = guarded(**arguments(name), generator=generator())
    assert counted.calls <= 4  # two steps, twice where guidance takes a run of its own
    assert len(seen) == 1
    (decision,) = out.guardrail
    assert (decision.blocked, decision.stage, decision.rules) == (True, Stage.STEP, ("early",))
    assert decision.message().startswith("Not this.")
    assert type(out) is type(bare)
    assert media(out).shape == media(bare).shape
    assert np.allclose(media(out), GREY / 255)
    assert type(pipe.scheduler) is kind
    assert same(media(bare), media(pipe(**arguments(name), generator=generator())))


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_not_stopped_is_not_touched(name: str, scripted: Any) -> None:
    pipe = BUILDERS[name]()
    guard, seen = scripted()
    guarded = guardrail.wrap(pipe, guard=guard, previews=(0.2, 0.4, 0.6), preview_decoder="vae")
    torch.manual_seed(5)
    bare = pipe(**arguments(name))
    torch.manual_seed(5)
    out = guarded(**arguments(name))
    assert same(media(bare), media(out))
    assert [d.action for d in out.guardrail] == ["allow"]
    assert len(seen) == 3
    assert {Stage.STEP, Stage.OUTPUT} < set(out.guardrail[0].due)
    assert out.guardrail[0].signals["step.nudity"] == 0.0


def test_one_image_of_one_prompt_is_blocked_alone(scripted: Any) -> None:
    pipe = BUILDERS["text2img"]()
    guard, seen = scripted(lambda image: 0.9 if image.index == 2 else 0.1)
    guarded = guardrail.wrap(pipe, guard=guard, preview_decoder="vae")
    given = arguments("text2img", ["a fox", "a boat"], num_images_per_prompt=2)
    bare = pipe(**given, generator=generator())
    out = guarded(**given, generator=generator())
    assert [(d.prompt_index, d.image_index, d.blocked) for d in out.guardrail] == [
        (0, 0, False),
        (0, 1, False),
        (1, 0, True),
        (1, 1, False),
    ]
    assert np.allclose(out.images[2], GREY / 255)
    assert all(np.array_equal(bare.images[i], out.images[i]) for i in (0, 1, 3))
    # Three looks: of all four, then of the three that are left.
    assert [image.index for image in seen] == [0, 1, 2, 3, 0, 1, 3, 0, 1, 3]


def test_a_blocked_prompt_is_not_waited_for(scripted: Any) -> None:
    """What is left to generate is refused, so the run ends, though another row is still in the batch."""
    rules = RULES.replace("rules:", "rules:\n  - {id: words, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: block}")
    pipe = BUILDERS["text2img"]()
    guard, seen = scripted(lambda image: 0.9, rules)
    counted = Counted(denoiser(pipe))
    guarded = guardrail.wrap(pipe, guard=guard, preview_decoder="vae")
    out = guarded(**arguments("text2img", ["a nude woman", "a boat"]))
    assert [d.stage for d in out.guardrail] == [Stage.PROMPT, Stage.STEP]
    assert (counted.calls, [image.index for image in seen]) == (2, [1])


@pytest.mark.parametrize("form", [{"output_type": "pil"}, {"output_type": "latent"}, {"return_dict": False}])
def test_the_form_of_what_was_stopped(form: dict[str, Any], scripted: Any) -> None:
    pipe = BUILDERS["text2img"]()
    guard, _ = scripted(lambda image: 0.9)
    guarded = guardrail.wrap(pipe, guard=guard, preview_decoder="vae")
    bare, out = pipe(**arguments("text2img", **form)), guarded(**arguments("text2img", **form))
    assert type(out) is type(bare)
    assert type(media(out)) is type(media(bare))
    assert len(media(out)) == 1
    assert guarded.last_decisions[0].stage is Stage.STEP
    with pytest.raises(guardrail.Blocked, match="Not this"):
        guardrail.wrap(pipe, guard=guard, preview_decoder="vae", on_block="raise")(**arguments("text2img", **form))


def test_offload_hooks_are_released_and_nothing_says_that_a_run_goes_on(
    scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = BUILDERS["text2img"]()
    guard, _ = scripted(lambda image: 0.9)
    released: list[bool] = []
    monkeypatch.setattr(type(pipe), "maybe_free_model_hooks", lambda self: released.append(self._interrupt))
    guardrail.wrap(pipe, guard=guard, preview_decoder="vae")(**arguments("text2img"))
    assert len(released) == 1
    assert pipe._interrupt is False


# ---- when a preview is made


def test_at_which_steps(scripted: Any) -> None:
    pipe = BUILDERS["text2img"]()
    guard, seen = scripted()
    at: list[int] = []
    guarded = guardrail.wrap(pipe, guard=guard, previews=(0.2, 0.5), preview_decoder="vae")

    def count(pipe: Any, step: int, t: Any, kept: dict[str, Any]) -> dict[str, Any]:
        at.append(len(seen))
        return kept

    guarded(**arguments("text2img"), callback_on_step_end=count)
    assert at == [0, 1, 1, 1, 2, 2, 2, 2, 2, 2]
    # A picture to start from skips steps: fractions are of those that are run.
    img2img = guardrail.wrap(BUILDERS["img2img"](), guard=guard, previews=(0.2, 0.5), preview_decoder="vae")
    seen.clear(), at.clear()
    img2img(**arguments("img2img", strength=0.6), callback_on_step_end=count)
    assert at == [0, 1, 2, 2, 2, 2]


def test_none_where_no_preview_could_change_anything(scripted: Any) -> None:
    """A rule about persons, and no person so far: a preview could not refuse anything."""
    rules = """
thresholds: {nudity: {partial: 0.5}, match: {person: 0.5}}
rules:
  - id: r
    at: step
    when: {all: [step.nudity: ">= partial", prompt.persons: {any: {match: ">= person"}}]}
    then: block
"""
    guard, seen = scripted(lambda image: 0.9, rules)
    pipe = BUILDERS["text2img"]()
    out = guardrail.wrap(pipe, guard=guard, preview_decoder="vae")(**arguments("text2img", "a fox"))
    assert (len(seen), out.guardrail[0].blocked) == (0, False)
    assert Stage.STEP not in out.guardrail[0].due
    out = guardrail.wrap(pipe, guard=guard, preview_decoder="vae")(**arguments("text2img", "Barack Obama at sea"))
    assert (len(seen), out.guardrail[0].blocked) == (1, True)


def test_a_margin_leaves_the_unsure_to_the_output(scripted: Any) -> None:
    from guardrail.pipelines.steps import PreviewSettings

    pipe = BUILDERS["text2img"]()
    guard, seen = scripted(lambda image: 0.6)
    sure = guardrail.wrap(pipe, guard=guard, previews=PreviewSettings(decoder="vae", margin=0.05))
    assert sure(**arguments("text2img")).guardrail[0].blocked
    seen.clear()
    unsure = guardrail.wrap(pipe, guard=guard, previews=PreviewSettings(decoder="vae", margin=0.2))
    out = unsure(**arguments("text2img"))
    assert (len(seen), out.guardrail[0].blocked, out.guardrail[0].signals["step.nudity"]) == (3, False, 0.6)


# ---- a preview that fails is no verdict, and is named


def test_a_check_that_cannot_judge_a_preview(scripted: Any) -> None:
    pipe = BUILDERS["text2img"]()
    guard, _ = scripted(lambda image: None)
    out = guardrail.wrap(pipe, guard=guard, preview_decoder="vae")(**arguments("text2img"))
    (decision,) = out.guardrail
    assert not decision.blocked
    assert Stage.OUTPUT in decision.due
    assert ("preview", "step") in {(c.what, c.argument) for c in decision.coverage}


def test_a_decoder_that_fails(scripted: Any) -> None:
    class Broken:
        config = diffusers.configuration_utils.FrozenDict({})

        def decode(self, z: Any, **_: Any) -> Any:
            raise RuntimeError("no memory")

    pipe = BUILDERS["text2img"]()
    guard, seen = scripted(lambda image: 0.9)
    bare = pipe(**arguments("text2img"), generator=generator())
    guarded = guardrail.wrap(pipe, guard=guard, preview_decoder=Broken())
    out = guarded(**arguments("text2img"), generator=generator())
    assert same(bare.images, out.images)
    details = [c.detail for c in out.guardrail[0].coverage if c.what == "preview"]
    assert details == ["it could not be made: RuntimeError"]
    assert not seen


def test_latents_that_say_nothing_of_colours(scripted: Any) -> None:
    """The tiny autoencoder has random weights: no linear map fits, and that is said instead of guessed."""
    pipe = BUILDERS["text2img"]()
    guard, seen = scripted(lambda image: 0.9)
    out = guardrail.wrap(pipe, guard=guard, previews="auto")(**arguments("text2img"))
    assert not out.guardrail[0].blocked
    assert not seen
    assert any("say little of colours" in c.detail for c in out.guardrail[0].coverage)


# ---- the option


@pytest.mark.parametrize(
    ("previews", "message"),
    [
        ((0.4, 0.2), "ascending"),
        ((0.2, 0.2), "ascending"),
        ((0.0, 0.2), "fractions of the steps"),
        ((0.2, 1.0), "fractions of the steps"),
        (("early",), "fractions of the steps"),
        ("early", "previews is"),
        (object(), "previews is"),
    ],
)
def test_previews_that_make_no_sense(previews: Any, message: str) -> None:
    with pytest.raises(guardrail.GuardrailError, match=message):
        guardrail.wrap(BUILDERS["text2img"](), previews=previews)


def test_what_cannot_be_previewed_is_refused_when_asked_for(scripted: Any) -> None:
    pipe = BUILDERS["text2img"]()
    guard, seen = scripted(lambda image: 0.9)
    pipe.scheduler = diffusers.IPNDMScheduler()
    with pytest.raises(guardrail.GuardrailError, match="IPNDMScheduler does not say"):
        guardrail.wrap(pipe, guard=guard, previews=True)
    with pytest.raises(guardrail.GuardrailError, match="preview_decoder"):
        guardrail.wrap(pipe, guard=guard, preview_decoder="taesd")
    # Not asked for: done without, and named.
    out = guardrail.wrap(pipe, guard=guard, previews="auto")(**arguments("text2img"))
    assert any("IPNDMScheduler" in c.detail for c in out.guardrail[0].coverage)
    assert not seen


@pytest.mark.parametrize("options", [{}, {"previews": False}, {"previews": False, "preview_decoder": "vae"}])
def test_no_previews_where_nobody_asked_for_them(options: dict[str, Any], scripted: Any) -> None:
    guard, seen = scripted(lambda image: 0.9)
    out = guardrail.wrap(BUILDERS["text2img"](), guard=guard, **options)(**arguments("text2img"))
    assert not out.guardrail[0].blocked
    assert not out.guardrail[0].coverage or all(c.what != "preview" for c in out.guardrail[0].coverage)
    assert not seen
