"""Pipelines that rewrite the prompt inside their call: the words that reach the encoder are judged."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import diffusers
import pytest

import guardrail
from guardrail.pipelines.rewriters import tokenizers_of
from guardrail.pipelines.templates import is_template, normal, parts_of
from tests.pipelines.test_blocked import BAD, RULES, Counted
from tests.pipelines.test_transparent import NEVER, generator, same
from tests.pipelines.tiny import BUILDERS, call_arguments

TONED = """
thresholds: {sexual: {explicit: 0.7}}
rules: [{id: tone, at: prompt, when: {prompt.sexual: ">= explicit"}, then: [{rewrite: {drop: sexual}}]}]
"""


class Rewriting(diffusers.StableDiffusionPipeline):
    """Makes another prompt of every prompt, as Flux2 does with a language model."""

    rewrite: Callable[[str], str] = staticmethod(lambda text: text)

    @functools.wraps(diffusers.StableDiffusionPipeline.encode_prompt)
    def encode_prompt(self, prompt: Any, *args: Any, **kwargs: Any) -> Any:
        listed = [self.rewrite(p) for p in prompt] if isinstance(prompt, list) else self.rewrite(prompt)
        return super().encode_prompt(listed, *args, **kwargs)


@pytest.fixture
def rewriting() -> Callable[[Callable[[str], str]], Any]:
    def make(rewrite: Callable[[str], str]) -> Any:
        pipe = Rewriting(**BUILDERS["text2img"]().components, requires_safety_checker=False)
        pipe.set_progress_bar_config(disable=True)
        pipe.rewrite = rewrite
        return pipe

    return make


def whats(decision: Any) -> set[str]:
    return {c.what for c in decision.coverage}


@pytest.mark.parametrize("put", [guardrail.wrap, guardrail.install])
def test_what_the_pipeline_makes_of_the_prompt_is_blocked_like_a_prompt(
    put: Any, rewriting: Any, make_guard: Any
) -> None:
    pipe = rewriting(lambda text: f"{text}, beside {BAD}")
    unet = Counted(pipe.unet)
    guarded = put(pipe, guard=make_guard(RULES))
    out = guarded(**call_arguments("text2img"))
    assert out.guardrail[0].rules == ("explicit",)
    assert out.images[0].size == (64, 64)
    assert unet.calls == 0
    assert "woman" not in str(out.guardrail[0].to_json())
    # The pipeline is as it was: its tokenizer has its own class again, and the next call works.
    assert type(pipe.tokenizer).__mro__[0].__name__ == "CLIPTokenizer"
    pipe.rewrite = lambda text: text
    assert not guarded(**call_arguments("text2img")).guardrail[0].blocked


def test_it_raises_where_blocks_raise(rewriting: Any, make_guard: Any) -> None:
    guarded = guardrail.wrap(rewriting(lambda text: BAD), guard=make_guard(RULES), on_block="raise")
    with pytest.raises(guardrail.Blocked, match="Not this"):
        guarded(**call_arguments("text2img"))


def test_one_of_two_is_refused_and_the_other_is_made(rewriting: Any, make_guard: Any) -> None:
    pipe = rewriting(lambda text: BAD if "boat" in text else f"{text} at dusk")
    arguments = call_arguments("text2img", ["a fox", "a boat"])
    bare = pipe(**arguments, generator=generator()).images
    out = guardrail.wrap(pipe, guard=make_guard(RULES))(**arguments, generator=generator())
    assert [d.action for d in out.guardrail] == ["allow", "block"]
    assert same(bare[0], out.images[0])
    assert not same(bare[1], out.images[1])


def test_a_harmless_rewriting_is_judged_named_and_changes_nothing(rewriting: Any, make_guard: Any) -> None:
    pipe = rewriting(lambda text: f"{text}, golden hour, 35 mm")
    guarded = guardrail.wrap(pipe, guard=make_guard(NEVER))
    bare = pipe(**call_arguments("text2img"), generator=generator()).images
    ours = guarded(**call_arguments("text2img"), generator=generator())
    assert same(bare, ours.images)
    assert "rewritten-prompt" in whats(ours.guardrail[0])
    pipe.rewrite = lambda text: text
    assert "rewritten-prompt" not in whats(guarded(**call_arguments("text2img")).guardrail[0])


def test_a_rewriting_that_the_policy_would_change_is_refused(rewriting: Any, make_guard: Any) -> None:
    pipe = rewriting(lambda text: f"{text}, {BAD}")
    decision = guardrail.wrap(pipe, guard=make_guard(TONED))(**call_arguments("text2img")).guardrail[0]
    assert decision.blocked
    assert "cannot be changed any more" in decision.reasons[-1].cause


def test_words_to_be_avoided_do_not_allow_the_same_words_as_a_wish(rewriting: Any, make_guard: Any) -> None:
    guarded = guardrail.wrap(rewriting(lambda text: BAD), guard=make_guard(RULES))
    out = guarded(**call_arguments("text2img"), negative_prompt=f"blurry, {BAD}, lowres")
    assert out.guardrail[0].blocked


def test_latents_of_a_rewritten_prompt_are_known_as_made_from_it(rewriting: Any, make_guard: Any) -> None:
    guard = make_guard(NEVER)
    guarded = guardrail.wrap(rewriting(lambda text: f"{text} by moonlight"), guard=guard)
    from guardrail.pipelines.provenance import ledger_of

    out = guarded(**call_arguments("text2img"), output_type="latent")
    (origin,) = ledger_of(guard).find(out.images) or ()
    assert [t.text for t in origin.texts] == ["a small red fox", "a small red fox by moonlight"]


@pytest.mark.parametrize("name", ["text2img", "sdxl", "sd3", "flux", "z_image", "qwen_image"])
def test_templates_of_diffusers_are_no_rewriting(name: str, make_guard: Any) -> None:
    """Chat templates and instructions around the prompt cost no second look at it."""
    guarded = guardrail.wrap(BUILDERS[name](), guard=make_guard(NEVER))
    out = guarded(**call_arguments(name, ["A  Small <b>red</b> fox &amp; a hare", "a boat"]))
    assert not {"rewritten-prompt", "text-not-followed"} & whats(out.guardrail[0]) & whats(out.guardrail[1])
    assert "rewritten-prompt" not in whats(out.guardrail[0])


class Opaque:
    """A tokenizer that reads texts in its own way: nothing that is known here can be watched."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.inner(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in ("inner", "convert_tokens_to_ids", "encode"):
            raise AttributeError(name)
        return getattr(self.inner, name)


def test_a_tokenizer_that_cannot_be_watched_is_named(make_guard: Any) -> None:
    pipe = BUILDERS["sdxl"]()
    watched, opaque = tokenizers_of(pipe)
    assert {id(t) for t in watched} == {id(pipe.tokenizer), id(pipe.tokenizer_2)}
    assert opaque == ()
    pipe.tokenizer_2 = Opaque(pipe.tokenizer_2)
    watched, opaque = tokenizers_of(pipe)
    assert {id(t) for t in watched} == {id(pipe.tokenizer)}
    assert opaque == ("tokenizer_2",)
    guarded = guardrail.wrap(pipe, guard=make_guard(NEVER))
    decision = guarded(**call_arguments("sdxl")).guardrail[0]
    assert [(c.what, c.argument) for c in decision.coverage if c.argument == "tokenizer_2"] == [
        ("text-not-followed", "tokenizer_2")
    ]


def test_tokenizers_of_one_name_in_pipelines_inside_each_other_are_all_watched() -> None:
    pipe, prior = BUILDERS["text2img"](), BUILDERS["sdxl"]()
    pipe.prior_pipe = prior
    watched, opaque = tokenizers_of(pipe)
    assert {id(t) for t in watched} == {id(t) for t in (pipe.tokenizer, prior.tokenizer, prior.tokenizer_2)}
    assert opaque == ()


def test_parts_of_templates() -> None:
    assert normal(" A&amp;B  c ") == "a&b c"
    template = "<|im_start|>system\nDescribe the image:<|im_end|>\n<|im_start|>user\n{}<|im_end|>"
    assert parts_of(template) == {"describe the image"}
    jinja = "{% if x %}{{ 'You are helpful.' }}{% endif %}<|im_start|>{{ m.role }}\n"
    assert parts_of(jinja, jinja=True) == {"you are helpful"}
    # In a text that is no template only the marks of the tokenizer separate: brackets may hold anything.
    assert parts_of("<|im_end|>a [word] <here>", marks=frozenset({"<|im_end|>"})) == {"a [word] <here>"}
    assert parts_of("a {word}", marks=frozenset()) == {"a {word}"}
    pipe = BUILDERS["qwen_image"]()
    begun = next(iter(parts_of(pipe.prompt_template_encode)))
    assert is_template(pipe, begun)
    assert not is_template(pipe, "a nude woman")


def test_an_encoder_that_rewrites_gives_no_embedding_of_it(rewriting: Any, make_guard: Any) -> None:
    pipe = rewriting(lambda text: BAD)
    guarded = guardrail.wrap(pipe, guard=make_guard(RULES))
    with pytest.raises(guardrail.Blocked):
        guarded.encode_prompt("a fox", "cpu", 1, False)
    pipe.rewrite = lambda text: f"{text} in snow"
    embeds, _ = guarded.encode_prompt("a fox", "cpu", 1, False)
    out = guarded(prompt_embeds=embeds, guidance_scale=1.0, num_inference_steps=2, height=64, width=64)
    assert "text-embedding" not in whats(out.guardrail[0])


def test_a_part_of_the_prompt_is_another_text(rewriting: Any, make_guard: Any) -> None:
    guarded = guardrail.wrap(rewriting(lambda text: text.split(" and ")[1]), guard=make_guard(NEVER))
    assert "rewritten-prompt" in whats(guarded(**call_arguments("text2img", "a fox and a hare")).guardrail[0])
