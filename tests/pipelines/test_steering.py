"""Steering through pipelines: embeddings projected, a third prediction, who is touched and who is not."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch

import guardrail
from guardrail.actions.hints import AVOID
from guardrail.pipelines.arguments import Arguments
from guardrail.pipelines.steering import STRENGTHS, SafetySettings, Wish, inactive, projection, steered
from guardrail.pipelines.steering.encoding import between
from guardrail.pipelines.steering.safety import SafetyState
from tests.pipelines.test_altered import STEER, SUGGESTIVE
from tests.pipelines.test_transparent import generator, media, same
from tests.pipelines.tiny import BUILDERS, call_arguments

PHRASES = ("lingerie", "bare")
CLEAN = ["a fox", SUGGESTIVE, "a boat"]


FAMILIES = ["text2img", "sdxl", "sd3", "flux", "wan", "pixart"]


def given(name: str, prompt: Any, **more: Any) -> dict[str, Any]:
    return call_arguments(name, prompt, output_type="np", **more)


def run(
    pipe: Any, arguments: dict[str, Any], wish: Wish | None = None, seed: Any = 3, **more: Any
) -> tuple[list[Any], Any]:
    """Pictures, and what became of the wish."""
    call = type(pipe).__call__
    drawn = [generator(s) for s in seed] if isinstance(seed, list) else generator(seed)
    arguments = {**arguments, "generator": drawn}
    if wish is None:
        return media(call(pipe, **arguments)), None
    prompt = arguments["prompt"]
    count = len(prompt) if isinstance(prompt, list) else 1
    with steered(pipe, Arguments(call, pipe, (), arguments), wish, count, **more) as (changed, outcome):
        return media(call(pipe, **changed.values)), outcome


def untouched(pipe: Any) -> bool:
    """Whether nothing of a steered run is left in a pipeline."""
    parts = [p for p in pipe.components.values() if isinstance(p, torch.nn.Module)]
    return "encode_prompt" not in vars(pipe) and not any(p._forward_pre_hooks or p._forward_hooks for p in parts)


# ---- projection


class Seen:
    """The embeddings of a call before and after they were projected."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, encoder: Any, arguments: Any, results: Any) -> None:
        self.before = {k: v.clone() for k, v in results.items() if torch.is_tensor(v)}
        self.inner(encoder, arguments, results)
        self.after = results


@pytest.mark.parametrize("name", FAMILIES)
def test_projected_tokens_hold_nothing_of_the_concept_and_the_others_are_untouched(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Seen] = []

    def watching(*args: Any) -> Seen:
        seen.append(Seen(projection_class(*args)))
        return seen[-1]

    projection_class = projection.Projection
    monkeypatch.setattr(projection, "Projection", watching)
    pipe = BUILDERS[name]()
    _, outcome = run(pipe, given(name, ["a bare fox", "a boat at sea"]), Wish(PHRASES, "projection"))
    (one,) = seen
    assert outcome.inactive == ""
    before, after = one.before["prompt_embeds"], one.after["prompt_embeds"]
    assert before.shape == after.shape
    moved = (before != after).any(-1)
    assert moved[0].any()
    # What did not move is bit for bit the same; some of it is words, not all are pushed about.
    assert not moved.all()
    assert bool(torch.isfinite(after).all())
    for key, spans in concept_of(pipe, name).items():
        tokens, features, space = spans
        rows = after[:, tokens, features][moved[:, tokens]]
        was = before[:, tokens, features][moved[:, tokens]]
        changed = (rows != was).any(-1)
        if not changed.any():
            continue
        left = (rows[changed].float() @ space).norm(dim=-1)
        held = (was[changed].float() @ space).norm(dim=-1)
        assert float(left.max()) < 1e-4 * float(held.max()), key
    assert untouched(pipe)


def concept_of(pipe: Any, name: str) -> dict[str, tuple[slice, slice, torch.Tensor]]:
    """The subspace of the phrases in each encoder's states, worked out by hand: end marks of CLIP, means of T5."""
    more = {"negative_prompt": None} if name == "pixart" else {}
    clip_only = {"device": "cpu", "num_images_per_prompt": 1, "do_classifier_free_guidance": False}
    options: dict[str, dict[str, Any]] = {
        "text2img": clip_only,
        "sdxl": clip_only,
        "sd3": {**clip_only, "prompt_2": None, "prompt_3": None, "max_sequence_length": 32},
        "flux": {"max_sequence_length": 32},
        "wan": {"max_sequence_length": 32, "do_classifier_free_guidance": False},
        "pixart": {"max_sequence_length": 32, "do_classifier_free_guidance": False},
    }
    with torch.no_grad():
        made = type(pipe).encode_prompt(pipe, list(PHRASES), **options[name], **more)
    embeds = made[0]
    spans = {
        "text2img": {"clip": (slice(0, 77), slice(0, 16))},
        "sdxl": {"clip": (slice(0, 77), slice(0, 16)), "clip 2": (slice(0, 77), slice(16, 32))},
        "sd3": {
            "clip": (slice(0, 77), slice(0, 16)),
            "clip 2": (slice(0, 77), slice(16, 32)),
            "t5": (slice(77, 109), slice(0, 32)),
        },
    }.get(name, {"t5": (slice(0, 32), slice(0, 32))})
    found = {}
    for key, (tokens, features) in spans.items():
        states = embeds[:, tokens, features]
        vectors = []
        for row, phrase in enumerate(PHRASES):
            # One token a letter: CLIP has a beginning and an end mark, this T5 a blank before the word.
            letters = len(phrase)
            vectors.append(states[row, letters + 1] if "clip" in key else states[row, : letters + 1].mean(0))
        found[key] = (tokens, features, torch.linalg.qr(torch.stack(vectors).float().T)[0])
    return found


@pytest.mark.parametrize("name", FAMILIES)
def test_where_no_word_is_of_the_concept_the_picture_is_bit_for_bit_the_same(name: str) -> None:
    pipe = BUILDERS[name]()
    several = {} if name == "wan" else {"num_images_per_prompt": 2}
    arguments = given(name, ["a bare fox", "a boat"], **several)
    bare, _ = run(pipe, arguments)
    out, outcome = run(pipe, arguments, Wish(PHRASES, "projection"), slack=1e9)
    assert (outcome.inactive, outcome.detail) == ("", "by projection; words projected: 0")
    assert same(bare, out)


@pytest.mark.parametrize("name", ["text2img", "sdxl", "flux"])
@pytest.mark.parametrize("method", ["projection", "safety"])
def test_a_prompt_is_steered_alone_as_in_a_batch(name: str, method: str) -> None:
    pipe, wish = BUILDERS[name](), Wish(PHRASES, method)
    together, outcome = run(pipe, given(name, ["a bare fox", "a boat"]), wish, [1, 2], safety=STRENGTHS["max"])
    alone, _ = run(pipe, given(name, ["a boat"]), wish, [2], safety=STRENGTHS["max"])
    assert (outcome.inactive == "") is (name != "flux" or method == "projection")
    assert np.abs(together[1] - alone[0]).max() < 1e-3


def test_the_pooled_vector_is_projected_too() -> None:
    pipe = BUILDERS["sdxl"]()
    call = type(pipe).__call__
    inner = projection.Projection(Wish(PHRASES, "projection"), guardrail.pipelines.steering.Outcome())
    one = Seen(inner)
    arguments = Arguments(call, pipe, (), given("sdxl", "a bare fox"))
    with torch.no_grad(), between(pipe, arguments, one):
        pipe.encode_prompt("a bare fox", device="cpu")
        concept = type(pipe).encode_prompt(pipe, list(PHRASES), device="cpu")[2]
    space = torch.linalg.qr(concept.T)[0]
    before, after = (s["pooled_prompt_embeds"][0] for s in (one.before, one.after))
    assert float((before @ space).norm()) > 0.1 * float(before.norm())
    assert float((after @ space).norm()) < 1e-4 * float(before.norm())
    assert torch.equal(one.before["negative_pooled_prompt_embeds"], one.after["negative_pooled_prompt_embeds"])


def test_another_thread_encodes_as_ever_meanwhile() -> None:
    pipe = BUILDERS["text2img"]()
    call = type(pipe).__call__
    plain = pipe.encode_prompt("a bare fox", "cpu", 1, False)[0]
    arguments = Arguments(call, pipe, (), given("text2img", "a bare fox"))
    wish = Wish(PHRASES, "projection")
    with torch.no_grad(), steered(pipe, arguments, wish, 1):
        found: list[Any] = []
        other = threading.Thread(target=lambda: found.append(pipe.encode_prompt("a bare fox", "cpu", 1, False)[0]))
        other.start()
        other.join()
        mine = pipe.encode_prompt("a bare fox", "cpu", 1, False)[0]
    assert torch.equal(found[0], plain)
    assert not torch.equal(mine, plain)
    assert untouched(pipe)


# ---- safety guidance


def test_the_unet_makes_three_predictions_and_the_pipeline_gets_two() -> None:
    pipe = BUILDERS["sdxl"]()
    raw: list[torch.Tensor] = []
    sizes: list[int] = []
    first = pipe.unet.register_forward_hook(lambda m, a, out: raw.append(out[0]))
    forward = type(pipe.unet).forward
    wish = Wish(PHRASES, "safety", strength="max")
    expected, got = SafetyState(STRENGTHS["max"]), []

    def scheduler_step(noise: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        got.append(noise)
        return own_step(noise, *args, **kwargs)

    own_step = pipe.scheduler.step
    pipe.scheduler.step = scheduler_step
    out, outcome = run(pipe, given("sdxl", ["a bare fox", "a boat"], guidance_scale=5.0), wish)
    first.remove()
    del pipe.scheduler.step
    sizes = [len(r) for r in raw]
    assert sizes == [6, 6]
    assert outcome.detail == "by safety guidance; predictions changed: 2"
    for three, noise in zip(raw, got, strict=True):
        plain, prompt, concept = three.split(2)
        away = expected.away(plain, prompt, concept, 1.0)
        assert float(away.abs().max()) > 0
        assert torch.allclose(noise, plain + 5.0 * (prompt - away - plain), atol=1e-5)
    bare, _ = run(pipe, given("sdxl", ["a bare fox", "a boat"], guidance_scale=5.0))
    assert not same(bare, out)
    assert type(pipe.unet).forward is forward
    assert untouched(pipe)


@pytest.mark.parametrize("name", ["text2img", "img2img", "inpaint", "controlnet", "ip_adapter", "sdxl"])
def test_at_scale_zero_safety_guidance_changes_nothing(name: str) -> None:
    pipe, wish = BUILDERS[name](), Wish(PHRASES, "safety")
    arguments = call_arguments(name, ["a bare fox", "a boat"], output_type="np")
    bare, _ = run(pipe, arguments)
    out, outcome = run(pipe, arguments, wish, safety=SafetySettings(scale=0.0, momentum=0.0, warmup=0.0))
    assert outcome.inactive == ""
    assert max(np.abs(a - b).max() for a, b in zip(bare, out, strict=True)) < 1e-4
    strong, _ = run(pipe, arguments, wish, safety=SafetySettings(scale=1e6, threshold=9.0, momentum=0.0, warmup=0.0))
    assert max(np.abs(a - b).max() for a, b in zip(bare, strong, strict=True)) > 1e-3


# ---- what cannot be steered says so

INACTIVE = [
    ("text2img", "safety", {"guidance_scale": 1.0}, "classifier-free guidance is off"),
    ("text2img", "projection", {"prompt": None, "prompt_embeds": torch.zeros(1, 77, 16)}, "embeddings were given"),
    ("text2img", "safety", {"prompt": None, "prompt_embeds": torch.zeros(1, 77, 16)}, "embeddings were given"),
    ("sd3", "safety", {}, "no UNet"),
    ("flux", "safety", {}, "no UNet"),
    ("z_image", "projection", {}, "no CLIP or T5"),
]


@pytest.mark.parametrize(("name", "method", "more", "cause"), INACTIVE)
def test_what_cannot_be_steered_is_known_before(name: str, method: str, more: dict[str, Any], cause: str) -> None:
    pipe = BUILDERS[name]()
    arguments = Arguments(type(pipe).__call__, pipe, (), {**call_arguments(name), **more})
    assert cause in inactive(pipe, arguments, Wish(PHRASES, method))


@pytest.mark.parametrize("method", ["projection", "safety"])
def test_a_prompt_that_the_pipeline_writes_anew_is_not_steered(method: str) -> None:
    pipe = BUILDERS["text2img"]()
    kind = type(pipe)

    class Rewriting(kind):  # type: ignore[misc, valid-type]
        def __call__(self, prompt: Any = None, guidance_scale: float = 7.5, **more: Any) -> Any:
            return kind.__call__(self, f"{prompt}, in oil", guidance_scale=guidance_scale, **more)

    pipe.__class__ = Rewriting
    arguments = given("text2img", "a bare fox")
    bare, _ = run(pipe, arguments)
    out, outcome = run(pipe, arguments, Wish(PHRASES, method))
    assert outcome.inactive == "the pipeline encoded another text than the prompt"
    assert same(bare, out)


# ---- through the guard


def steering(method: str) -> str:
    return STEER.replace("nudity}", f"nudity, method: {method}}}")


@pytest.mark.parametrize("method", ["negative", "projection", "safety"])
@pytest.mark.parametrize("name", ["text2img", "sdxl"])
def test_items_that_are_not_steered_are_bit_identical(name: str, method: str, make_guard: Any) -> None:
    pipe = BUILDERS[name]()
    bare = media(pipe(**given(name, CLEAN), generator=generator()))
    guarded = guardrail.wrap(pipe, guard=make_guard(steering(method)))
    gen = generator()
    out = guarded(**given(name, CLEAN), generator=gen)
    assert [d.action for d in out.guardrail] == ["allow", "alter", "allow"]
    (alteration,) = out.guardrail[1].alterations
    assert (alteration.status, alteration.params["method"]) == ("active", method)
    images = media(out)
    assert np.array_equal(bare[0], images[0])
    assert np.array_equal(bare[2], images[2])
    assert not np.array_equal(bare[1], images[1])
    other = generator()
    pipe(**given(name, CLEAN), generator=other)
    assert torch.equal(gen.get_state(), other.get_state())
    again = guarded(**given(name, CLEAN), generator=generator())
    assert same(images, media(again))
    assert untouched(pipe)


@pytest.mark.parametrize("method", ["projection", "safety"])
@pytest.mark.parametrize("form", ["wrap", "install"])
def test_after_an_exception_nothing_of_it_is_left(method: str, form: str, make_guard: Any) -> None:
    pipe = BUILDERS["text2img"]()
    bare = media(pipe(**given("text2img", "a fox"), generator=generator()))
    guarded = getattr(guardrail, form)(pipe, guard=make_guard(steering(method)))

    def stop(*args: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guarded(**given("text2img", SUGGESTIVE), callback_on_step_end=stop)
    assert untouched(pipe)
    assert same(bare, media(guarded(**given("text2img", "a fox"), generator=generator())))
    (alteration,) = guarded(**given("text2img", SUGGESTIVE)).guardrail[0].alterations
    assert alteration.status == "active"


def test_clean_prompts_are_never_encoded_again(make_guard: Any) -> None:
    pipe = BUILDERS["text2img"]()
    calls: list[int] = []
    pipe.text_encoder.register_forward_hook(lambda m, args, out: calls.append(len(args[0])))
    guarded = guardrail.wrap(pipe, guard=make_guard(steering("projection")))
    guarded(**given("text2img", "a fox"), guidance_scale=1.0)
    assert calls == [1]
    calls.clear()
    out = guarded(**given("text2img", SUGGESTIVE), guidance_scale=1.0)
    # Its own, once more for the tokens, the concept, and the prompt without each of its words. Guidance is not needed.
    assert calls == [1, 1, len(AVOID["nudity"]), len(SUGGESTIVE.split())]
    assert out.guardrail[0].alterations[0].status == "active"
