"""Whose an argument is, whether words are asked for or to be avoided, and what is never shown of either."""

from __future__ import annotations

from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

import guardrail
from guardrail.media import Context, Limits
from guardrail.pipelines.alignment import shared_arguments
from guardrail.pipelines.arguments import Arguments
from guardrail.pipelines.call import GuardedCall
from guardrail.pipelines.evidence import Evidence, judge_call
from guardrail.pipelines.inputs import CallInputs
from guardrail.pipelines.kinds import below_zero
from guardrail.pipelines.outputs import Result
from tests import scripted
from tests.pipelines import tiny_parts as parts
from tests.pipelines.test_coverage import read, stand_in
from tests.pipelines.tiny import BUILDERS, picture, shared

NAMES = "prompt negative_prompt image control_image gligen_phrases editing_prompt guidance_scale"
CALL = stand_in(NAMES.split())
TWO = [picture(seed=1), picture(seed=2)]
BAD = "a nude woman"


def items(inputs: CallInputs) -> list[tuple[list[str], list[str]]]:
    """For each item: its texts, and where its pictures stand."""
    found = inputs.requests(Context())
    return [([t.text for t in r.texts], [i.argument for i in r.images]) for r in found]


class Nets:
    nets = (object(), object())


class ControlNetUnionModel:
    pass


class Adapters:
    adapters = (object(), object())


class Pipe:
    def __init__(self, **components: Any) -> None:
        vars(self).update(components)


# ---- whose


def test_one_entry_for_each_prompt_goes_with_its_prompt() -> None:
    inputs = read("Some", CALL, prompt=["p0", "p1"], negative_prompt=["n0", "n1"], image=TWO)
    assert items(inputs) == [(["p0", "n0"], ["image[0]"]), (["p1", "n1"], ["image[1]"])]


@pytest.mark.parametrize("name", ["gligen_phrases", "editing_prompt", "a_name_of_tomorrow"])
def test_a_list_of_other_texts_is_for_every_prompt(name: str) -> None:
    call = stand_in(["prompt", "**kwargs"]) if name not in ("gligen_phrases", "editing_prompt") else CALL
    inputs = read("Some", call, prompt=["p0", "p1"], **{name: ["q0", "q1"]})
    assert items(inputs) == [(["p0", "q0", "q1"], []), (["p1", "q0", "q1"], [])]
    # And another attempt at one of the prompts is given all of it.
    assert inputs.single(_unaltered(inputs), 1).values == {"prompt": ["p1"], name: ["q0", "q1"]}


def _unaltered(inputs: CallInputs) -> Any:
    class One:
        def __init__(self, request: Any) -> None:
            self.current = request

    return [One(r) for r in inputs.requests(Context())]


@pytest.mark.parametrize(
    ("pipe", "names", "expected"),
    [
        (Pipe(controlnet=Nets()), "prompt image", {"image"}),
        (Pipe(controlnet=Nets()), "prompt image control_image", {"control_image"}),
        (Pipe(controlnet=[object()]), "prompt image", {"image"}),
        (Pipe(controlnet=ControlNetUnionModel()), "prompt control_image", {"control_image"}),
        (Pipe(adapter=Adapters()), "prompt image", {"image"}),
        (Pipe(controlnet=object(), adapter=object()), "prompt image", set()),
        (Pipe(), "prompt image", set()),
    ],
)
def test_a_list_of_one_picture_for_each_part_is_for_every_prompt(pipe: Any, names: str, expected: set[str]) -> None:
    call = stand_in(names.split())
    last = names.split()[-1]
    arguments = Arguments(call, pipe, (), {"prompt": ["p0", "p1"], last: TWO})
    assert shared_arguments(pipe, arguments) == expected
    inputs = CallInputs.of(arguments, "Some", Limits(), shared_arguments(pipe, arguments))
    every = [f"{last}[0]", f"{last}[1]"]
    assert [where for _, where in items(inputs)] == ([every, every] if expected else [every[:1], every[1:]])


def test_batches_of_tensors_one_for_each_part_are_for_every_prompt() -> None:
    batches = [torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(k)) for k in range(2)]
    arguments = Arguments(CALL, object(), (), {"prompt": ["p0", "p1"], "image": batches})
    inputs = CallInputs.of(arguments, "Some", Limits(), frozenset({"image"}))
    assert [len(where) for _, where in items(inputs)] == [4, 4]


def test_a_class_of_ones_own_keeps_the_ways_of_its_family(make_guard: Any) -> None:
    class Mine(type("Flux2Pipeline", (), {})):  # type: ignore[misc]
        pass

    guard = make_guard("rules: [{id: w, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: block}]\n")
    judged = judge_call(guard, Mine(), CALL, (), {"prompt": ["p0", "p1"], "image": TWO})
    assert [len(where) for _, where in items(judged.inputs)] == [2, 2]


def test_a_joint_rule_sees_the_pictures_of_every_control_net(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted.install(monkeypatch, scripted.ScriptedNudity)
    white = Image.new("RGB", (64, 64), (255, 255, 255))
    judge = staticmethod(lambda image: 0.9 if image.argument != "output" and np.mean(image.frames[0]) > 250 else 0.0)
    monkeypatch.setattr(scripted.ScriptedNudity, "judge", judge)
    rules = "{all: [{prompt.sexual: '>= 0.7'}, {reference.nudity: '>= 0.5'}]}"
    guard = make_guard(f"rules: [{{id: joint, at: reference, when: {rules}, then: block}}]\n")
    nets = diffusers.MultiControlNetModel([parts.control_net(), parts.control_net()])
    own = BUILDERS["text2img"]().components | {"controlnet": nets}
    pipe = diffusers.StableDiffusionControlNetPipeline(**own, requires_safety_checker=False)
    guarded = guardrail.wrap(pipe, guard=guard)
    out = guarded([BAD, "a fox"], image=[picture(), white], num_inference_steps=1, height=64, width=64)
    assert [d.action for d in out.guardrail] == ["block", "allow"]


# ---- asked for, or to be avoided


@pytest.mark.parametrize(
    "value",
    [
        -5,
        -5.0,
        np.float16(-5),
        np.float32(-5),
        np.float64(-5),
        np.array(-5.0),
        np.array([7.0, -1.0]),
        torch.tensor(-5.0),
        torch.tensor([7.0, -1.0], dtype=torch.bfloat16),
        [7.0, torch.tensor(-1.0)],
        (7.0, [-1]),
        float("nan"),
        # Not to be read: the stricter reading.
        object(),
        "seven",
        {"scale": -5},
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_scale_below_zero_asks_for_the_words_to_be_avoided(value: Any) -> None:
    assert below_zero(value)
    texts = read("Some", CALL, prompt="p", negative_prompt="n", guidance_scale=value).texts
    assert not any(t.text.negative for t in texts)


@pytest.mark.parametrize("value", [None, 0, 7.5, True, np.float32(7), torch.tensor(7.0), [1.0, 7], np.array([0, 7])])
def test_any_other_scale_leaves_them_to_be_avoided(value: Any) -> None:
    assert not below_zero(value)
    texts = read("Some", CALL, prompt="p", negative_prompt="n", guidance_scale=value).texts
    assert [t.text.negative for t in texts if t.leaf.argument != "guidance_scale"] == [False, True]


def test_the_same_for_embeddings_that_are_known(make_guard: Any) -> None:
    pipe = shared("text2img")
    guard = make_guard("rules: [{id: w, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: block}]\n")
    guarded = guardrail.wrap(pipe, guard=guard)
    positive, avoided = guarded.encode_prompt("a fox", "cpu", 1, True, negative_prompt="nude")
    given = {"prompt_embeds": positive, "negative_prompt_embeds": avoided}
    call = type(pipe).__call__
    for scale, blocked in ((7.5, False), (np.float32(-7.5), True)):
        judged = judge_call(guard, pipe, call, (), {**given, "guidance_scale": scale})
        assert [i.blocked for i in judged.session.items] == [blocked]


# ---- never shown


def test_no_text_and_no_pixel_is_in_what_is_printed(make_guard: Any) -> None:
    secret, pixel = "Zebulon Quux", 0.123456789
    pipe = shared("text2img")
    guard = make_guard("rules: [{id: w, at: prompt, when: {prompt.sexual: '>= 0.7'}, then: block}]\n")
    call = type(pipe).__call__
    kwargs = {"prompt": secret, "negative_prompt": [secret], "cross_attention_kwargs": {secret: secret}}
    judged = judge_call(guard, pipe, call, (), kwargs)
    assert len(judged.inputs.texts) == 4
    guarded = GuardedCall(guard, pipe, call, "placeholder")
    guarded.judged = judged
    shown: list[Any] = [judged, judged.inputs, judged.arguments, judged.session, guarded, Evidence(guard)]
    shown += [*judged.inputs.leaves, *judged.inputs.texts, *judged.session.items]
    shown += [*judged.inputs.requests(Context()), *judged.origins]
    shown.append(Result.open(np.full((1, 2, 2, 3), pixel), latent=False))
    for one in shown:
        text = repr(one)
        assert not any(word in text for word in (*secret.split(), str(pixel))), type(one)
