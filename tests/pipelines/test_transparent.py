"""With a policy that never fires, a guarded pipeline gives bit for bit what the bare one gives."""

from __future__ import annotations

import copy
import inspect
import pickle
import threading
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

import guardrail
from tests.pipelines.tiny import BUILDERS, call_arguments, daily, several, shared

NEVER = "rules: [{id: never, at: output, when: {context.purpose: never-said}, then: block}]\n"
FAMILIES = daily(BUILDERS)


def media(value: Any) -> Any:
    if isinstance(value, tuple):
        return value[0]
    return value.frames if hasattr(value, "frames") else value.images


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if torch.is_tensor(a):
        return a.dtype == b.dtype and torch.equal(a, b)
    return np.array_equal(np.asarray(a), np.asarray(b))


def generator(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


FORMS = [("pil", True), ("np", False), ("pt", True), ("latent", False)]
EVERY_FORM = [(kind, as_object) for kind in ("pil", "np", "pt", "latent") for as_object in (True, False)]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_output_type_and_form(name: str, make_guard: Any) -> None:
    pipe = shared(name)
    guarded = guardrail.wrap(pipe, guard=make_guard(NEVER))
    for output_type, return_dict in EVERY_FORM if name == "text2img" else FORMS:
        form = {"output_type": output_type, "return_dict": return_dict}
        bare = pipe(**call_arguments(name, **form), generator=generator())
        ours = guarded(**call_arguments(name, **form), generator=generator())
        assert type(ours) is type(bare)
        assert same(media(bare), media(ours)), (output_type, return_dict)
        if return_dict:
            assert list(ours.keys()) == list(bare.keys())
            assert [d.action for d in ours.guardrail] == ["allow"]
            assert ours.guardrail[0].pixels_sha256
        else:
            assert len(ours) == len(bare)
            assert len(guarded.last_decisions) == 1


@pytest.mark.parametrize("name", FAMILIES)
def test_lists_several_images_and_global_seed(name: str, make_guard: Any) -> None:
    pipe = shared(name)
    guarded = guardrail.wrap(pipe, guard=make_guard(NEVER))
    more = several(name, 2)

    def arguments() -> dict[str, Any]:
        # Made afresh for each call: a pipeline may write into the list of prompts.
        return call_arguments(name, ["a small red fox", "a lighthouse at dusk"], output_type="np", **more)

    torch.manual_seed(11)
    bare = pipe(**arguments())
    after_bare = torch.rand(1)
    torch.manual_seed(11)
    ours = guarded(**arguments())
    # The guard drew nothing: the next draw is the same, too.
    assert torch.equal(after_bare, torch.rand(1))
    assert same(media(bare), media(ours))
    each = 2 if more else 1
    assert [(d.prompt_index, d.image_index) for d in ours.guardrail] == [(p, k) for p in (0, 1) for k in range(each)]
    assert [len(group) for group in ours.guardrail.by_prompt()] == [each, each]


@pytest.mark.parametrize("name", ["text2img", "sdxl", "flux", "ddim"])
def test_a_generator_for_each_prompt(name: str, make_guard: Any) -> None:
    pipe = shared(name)
    guarded = guardrail.wrap(pipe, guard=make_guard(NEVER))
    arguments = call_arguments(name, ["a fox", "a boat"], output_type="np")
    bare = pipe(**arguments, generator=[generator(1), generator(2)])
    ours = guarded(**arguments, generator=[generator(1), generator(2)])
    assert same(media(bare), media(ours))


def test_it_looks_like_the_pipeline(make_guard: Any) -> None:
    pipe = BUILDERS["text2img"]()
    guarded = guardrail.wrap(pipe, guard=make_guard(NEVER))
    assert isinstance(guarded, diffusers.StableDiffusionPipeline)
    assert inspect.signature(guarded.__call__) == inspect.signature(pipe.__call__)
    assert guarded.__call__.__doc__ == pipe.__call__.__doc__
    assert guarded.to("cpu") is guarded
    assert guarded.unet is pipe.unet
    assert guarded.config == pipe.config
    assert guardrail.unwrap(guarded) is pipe
    assert "test-policy" in repr(guarded)
    guarded.scheduler = diffusers.EulerDiscreteScheduler.from_config(pipe.scheduler.config)
    assert type(pipe.scheduler) is diffusers.EulerDiscreteScheduler
    with pytest.raises(AttributeError):
        _ = guarded.no_such_thing


def test_wrong_arguments_fail_as_before(make_guard: Any) -> None:
    pipe = shared("flux")
    guarded = guardrail.wrap(pipe, guard=make_guard(NEVER))
    with pytest.raises(TypeError, match="prompts"):
        guarded(prompts="a typo in the name")
    with pytest.raises(ValueError, match="Provide either"):
        guarded(prompt=None, height=64, width=64, num_inference_steps=1)
    # And it works again on the next call.
    assert len(guarded(**call_arguments("flux")).images) == 1


def test_saved_and_loaded_again(tmp_path: Any, make_guard: Any) -> None:
    guarded = guardrail.wrap(BUILDERS["text2img"](), guard=make_guard(NEVER))
    guarded.save_pretrained(tmp_path / "model")
    loaded = diffusers.StableDiffusionPipeline.from_pretrained(tmp_path / "model", local_files_only=True)
    assert type(loaded).__name__ == "StableDiffusionPipeline"


@pytest.mark.parametrize("put", [guardrail.wrap, guardrail.install])
def test_pickle_and_deepcopy_keep_the_guard(put: Any, policy_file: Any) -> None:
    guarded = put(BUILDERS["text2img"](), policy_file(NEVER), audit=None, gallery=None)
    for other in (pickle.loads(pickle.dumps(guarded)), copy.deepcopy(guarded)):
        out = other(**call_arguments("text2img"), generator=generator())
        assert out.guardrail[0].policy.id == "test-policy"


def test_install_guards_whoever_holds_the_pipeline(make_guard: Any) -> None:
    pipe = BUILDERS["text2img"]()
    bare = pipe(**call_arguments("text2img"), generator=generator())
    held = pipe
    guardrail.install(pipe, guard=make_guard(NEVER))
    out = held(**call_arguments("text2img"), generator=generator())
    assert len(out.guardrail) == 1
    assert same(bare.images, out.images)
    assert type(held).__name__ == "StableDiffusionPipeline"
    guardrail.unwrap(held)
    assert not hasattr(held(**call_arguments("text2img")), "guardrail")


def test_from_pipe_on_the_guarded_pipeline_stays_guarded(make_guard: Any) -> None:
    guarded = guardrail.wrap(BUILDERS["text2img"](), guard=make_guard(NEVER))
    other = guarded.from_pipe(guarded)
    assert len(other(**call_arguments("text2img")).guardrail) == 1


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (object(), "no diffusers pipeline"),
        (lambda prompt: None, "no diffusers pipeline"),
    ],
)
def test_what_is_no_pipeline_is_refused(thing: Any, message: str) -> None:
    with pytest.raises(guardrail.GuardrailError, match=message):
        guardrail.wrap(thing)


def test_wrapping_twice_is_refused(make_guard: Any) -> None:
    guarded = guardrail.wrap(BUILDERS["text2img"](), guard=make_guard(NEVER))
    with pytest.raises(guardrail.GuardrailError, match="guarded already"):
        guardrail.wrap(guarded)
    with pytest.raises(guardrail.GuardrailError, match="guarded already"):
        guardrail.install(guarded)


def test_decisions_belong_to_the_thread(make_guard: Any) -> None:
    guarded = guardrail.wrap(BUILDERS["text2img"](), guard=make_guard(NEVER))
    guarded(**call_arguments("text2img"), return_dict=False)
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.append(guardrail.last_decisions()))
    thread.start()
    thread.join()
    assert guardrail.last_decisions() is not None
    assert seen == [None]
