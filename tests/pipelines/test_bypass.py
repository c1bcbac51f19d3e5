"""Ways past the guard, tried one by one: each is closed, or named in the decision."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

import guardrail
from guardrail.pipelines.entries import CALLS, ENTRIES, PLUMBING, PRIORS
from guardrail.pipelines.provenance import Ledger, Origin, ledger_of, register
from tests import scripted
from tests.pipelines.test_transparent import NEVER, generator, same
from tests.pipelines.tiny import BUILDERS, STEPS, call_arguments, picture

RULES = """
thresholds: {sexual: {explicit: 0.7}}
rules:
  - {id: explicit, at: prompt, when: {prompt.sexual: ">= explicit"}, then: block}
  - {id: unread, at: prompt, when: {request.unverified: {any: {kind: [text-embedding, image-embedding]}}}, then: block}
"""
PICTURES = """
thresholds: {nudity: {explicit: 0.5}}
rules: [{id: shown, at: reference, when: {reference.nudity: ">= explicit"}, then: block}]
"""
BAD = "a nude woman"
SIZE = {"num_inference_steps": STEPS, "height": 64, "width": 64}


@pytest.fixture(scope="module")
def sd() -> Any:
    return BUILDERS["text2img"]()


def marked(image: Any) -> float:
    """A scripted check: pictures that are mostly white are what is looked for."""
    return 0.9 if float(np.mean([np.mean(f) for f in image.frames])) > 250 else 0.0


# ---- embeddings


def test_an_embedding_from_the_guarded_encoder_is_judged_as_its_text(sd: Any, make_guard: Any) -> None:
    guarded = guardrail.wrap(sd, guard=make_guard(RULES))
    positive, negative = guarded.encode_prompt("a fox", "cpu", 1, True, negative_prompt="nude, blurry")
    out = guarded(prompt_embeds=positive, negative_prompt_embeds=negative, **SIZE, generator=generator())
    assert out.guardrail[0].action == "allow"
    assert "text-embedding" not in {c.what for c in out.guardrail[0].coverage}
    assert "prompt.sexual" in out.guardrail[0].signals
    bare = sd(prompt_embeds=positive, negative_prompt_embeds=negative, **SIZE, generator=generator())
    assert same(bare.images, out.images)
    # What was to be avoided is asked for: the same tensor in another place is another wish.
    swapped = guarded(prompt_embeds=negative, negative_prompt_embeds=positive, **SIZE)
    assert swapped.guardrail[0].rules == ("explicit",)


def test_an_embedding_of_a_blocked_text_is_not_handed_out(sd: Any, make_guard: Any) -> None:
    guarded = guardrail.wrap(sd, guard=make_guard(RULES))
    with pytest.raises(guardrail.Blocked) as caught:
        guarded.encode_prompt(BAD, "cpu", 1, False)
    assert caught.value.decisions[0].blocked
    with pytest.raises(guardrail.Blocked):
        guarded.encode_prompt(["a fox", BAD], "cpu", 1, False)


def test_rows_repeats_and_slices_are_known_and_arithmetic_is_not(sd: Any, make_guard: Any) -> None:
    guarded = guardrail.wrap(sd, guard=make_guard(RULES))
    embeds, _ = guarded.encode_prompt(["a fox", "a boat"], "cpu", 1, False)

    def verdicts(given: torch.Tensor) -> list[str]:
        out = guarded(prompt_embeds=given, negative_prompt_embeds=given * 0, guidance_scale=1.0, **SIZE)
        return [d.action for d in out.guardrail]

    # Zeros are no embedding of the guard's own: they are unknown as well, so this part is without them.
    arguments = {"guidance_scale": 1.0, **SIZE}
    assert [d.action for d in guarded(prompt_embeds=embeds, **arguments).guardrail] == ["allow", "allow"]
    assert not guarded(prompt_embeds=embeds[1:], **arguments).guardrail[0].blocked
    assert not guarded(prompt_embeds=embeds[[1, 0, 1]], **arguments).guardrail[0].blocked
    assert guarded(prompt_embeds=embeds * 1.1, **arguments).guardrail[0].rules == ("unread",)
    assert guarded(prompt_embeds=(embeds[:1] + embeds[1:]) / 2, **arguments).guardrail[0].blocked
    assert guarded(prompt_embeds=torch.cat([embeds[:1], embeds[1:] * 2]), **arguments).guardrail[0].blocked
    assert verdicts(embeds) == ["block", "block"]


def test_what_an_unread_embedding_goes_through_stays_unread(sd: Any, make_guard: Any) -> None:
    """An encoder that hands back what it was given does not make it known."""
    rules = RULES.replace("[text-embedding, image-embedding]", "[image-embedding]")
    guarded = guardrail.wrap(sd, guard=make_guard(rules))
    raw, _ = sd.encode_prompt(BAD, "cpu", 1, False)
    passed, _ = guarded.encode_prompt(None, "cpu", 1, False, prompt_embeds=raw)
    out = guarded(prompt_embeds=passed, guidance_scale=1.0, **SIZE)
    assert "text-embedding" in {c.what for c in out.guardrail[0].coverage}


def test_an_encoder_of_the_users_own(sd: Any, make_guard: Any) -> None:
    guard = make_guard(RULES)
    guarded = guardrail.wrap(sd, guard=guard)
    seen: list[Any] = []

    def compel(text: Any) -> Any:
        seen.append(text)
        return sd.encode_prompt(text, "cpu", 1, False)[0] * 1.3

    embeds = guardrail.encode_prompt(guarded, ["a fox", "a boat"], compel)
    out = guarded(prompt_embeds=embeds, guidance_scale=1.0, **SIZE)
    assert [d.action for d in out.guardrail] == ["allow", "allow"]
    assert seen == [["a fox", "a boat"]]
    with pytest.raises(guardrail.Blocked):
        guardrail.encode_prompt(guard, BAD, compel)
    assert len(seen) == 1
    avoided = guardrail.encode_prompt(guarded, BAD, compel, negative=True)
    arguments = {**SIZE, "prompt_embeds": guardrail.encode_prompt(guarded, "a fox", compel)}
    assert not guarded(**arguments, negative_prompt_embeds=avoided).guardrail[0].blocked
    assert guarded(prompt_embeds=avoided, guidance_scale=1.0, **SIZE).guardrail[0].rules == ("explicit",)
    with pytest.raises(guardrail.GuardrailError, match="not guarded"):
        guardrail.encode_prompt(sd, "a fox", compel)
    with pytest.raises(guardrail.GuardrailError, match="list of texts"):
        guardrail.encode_prompt(guarded, [], compel)


def test_a_text_that_the_policy_rewrites_cannot_be_rewritten_in_an_embedding(sd: Any, make_guard: Any) -> None:
    """It is encoded rewritten where the encoder is guarded, and refused where the policy became stricter since."""
    words = "thresholds: {sexual: {explicit: 0.7}}\nrules: [{id: r, at: prompt, when: {prompt.sexual: '>= explicit'}, "
    guard = make_guard(words + "then: {rewrite: {drop: sexual}}}]\n")
    guarded = guardrail.wrap(sd, guard=guard)
    embeds, _ = guarded.encode_prompt("a nude woman on a beach", "cpu", 1, False)
    assert not torch.equal(embeds, sd.encode_prompt("a nude woman on a beach", "cpu", 1, False)[0])
    decision = guarded(prompt_embeds=embeds, guidance_scale=1.0, **SIZE).guardrail[0]
    assert not decision.blocked
    # Later stages still know what was asked for.
    assert decision.signals["prompt.sexual"] >= 0.7
    ledger_of(guard).add(embeds, [Origin((guardrail_text(BAD),))], Origin((guardrail_text(BAD),)))
    assert (
        "cannot be changed" in guarded(prompt_embeds=embeds, **SIZE, guidance_scale=1.0).guardrail[0].reasons[-1].cause
    )


def guardrail_text(text: str) -> Any:
    from guardrail.media import TextInput

    return TextInput(text)


def test_pictures_for_an_ip_adapter(make_guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted.install(monkeypatch, scripted.ScriptedNudity)
    monkeypatch.setattr(scripted.ScriptedNudity, "judge", staticmethod(marked))
    pipe = BUILDERS["ip_adapter"]()
    rule = PICTURES.replace(
        "rules: [",
        "rules: [{id: unread, at: prompt, when: {request.unverified: {any: {kind: image-embedding}}}, then: block}, ",
    )
    guarded = guardrail.wrap(pipe, guard=make_guard(rule))
    white = diffusers.utils.pt_to_pil(torch.ones(1, 3, 64, 64))[0]
    for image, verdict in ((picture(), "allow"), (white, "block")):
        arguments = (image, None, "cpu", 1, True)
        raw = pipe.prepare_ip_adapter_image_embeds(*arguments)
        unknown = guarded("a fox", ip_adapter_image_embeds=raw, **SIZE)
        assert unknown.guardrail[0].rules == ("unread",)
        if verdict == "block":
            with pytest.raises(guardrail.Blocked):
                guarded.prepare_ip_adapter_image_embeds(*arguments)
            continue
        known = guarded.prepare_ip_adapter_image_embeds(*arguments)
        out = guarded("a fox", ip_adapter_image_embeds=known, **SIZE).guardrail[0]
        assert not out.blocked
        assert "reference.nudity" in out.signals


# ---- latents


def latents_of(pipe: Any, value: float) -> torch.Tensor:
    with torch.no_grad():
        z = pipe.vae.encode(torch.full((1, 3, 64, 64), value)).latent_dist.mode()
    return z * pipe.vae.config.scaling_factor


@pytest.mark.parametrize(("family", "argument"), [("text2img", "latents"), ("img2img", "image")])
def test_a_picture_in_latents_is_decoded_and_judged(
    family: str, argument: str, make_guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.install(monkeypatch, scripted.ScriptedNudity)
    pipe = BUILDERS[family]()
    hidden = latents_of(pipe, 1.0)
    seen: list[Any] = []

    def judge(image: Any) -> float:
        seen.append(image)
        return 0.9 if image.argument == argument else 0.0

    monkeypatch.setattr(scripted.ScriptedNudity, "judge", staticmethod(judge))
    guarded = guardrail.wrap(pipe, guard=make_guard(PICTURES))
    out = guarded(**call_arguments(family, **{argument: hidden}))
    assert out.guardrail[0].rules == ("shown",)
    with torch.no_grad():
        decoded = pipe.vae.decode(hidden / pipe.vae.config.scaling_factor).sample
    expected = ((decoded[0] / 2 + 0.5).clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
    assert np.abs(seen[0].frames[0].astype(float) - expected).max() <= 1


def test_plain_noise_gives_the_same_pixels_as_without_a_guard(sd: Any, make_guard: Any) -> None:
    noise = torch.randn(1, 4, 8, 8, generator=generator())
    out = guardrail.wrap(sd, guard=make_guard(NEVER))(**call_arguments("text2img", latents=noise.clone()))
    assert same(out.images, sd(**call_arguments("text2img", latents=noise.clone())).images)
    assert "latent" in {c.what for c in out.guardrail[0].coverage}


def test_latents_that_cannot_be_decoded_are_named(sd: Any, make_guard: Any) -> None:
    rule = "rules: [{id: r, at: prompt, when: {request.unverified: {any: {kind: latent}}}, then: block}]\n"
    guarded = guardrail.wrap(sd, guard=make_guard(rule))
    decision = guarded(**call_arguments("text2img", latents=torch.zeros(1, 5, 8, 8))).guardrail[0]
    assert decision.rules == ("r",)
    assert "not-decoded" in {c.what for c in decision.coverage}
    # Where the policy lets them through, the pipeline says what it says without a guard.
    with pytest.raises((RuntimeError, ValueError)):
        guardrail.wrap(sd, guard=make_guard(NEVER))(**call_arguments("text2img", latents=torch.zeros(1, 5, 8, 8)))


def test_latents_from_one_pipeline_are_known_to_another_under_the_same_guard(make_guard: Any) -> None:
    rule = (
        RULES + "  - {id: raw, at: prompt, when: {request.unverified: {any: {kind: condition-latent}}}, then: block}\n"
    )
    guard = make_guard(rule)
    base = guardrail.wrap(BUILDERS["text2img"](), guard=guard)
    refiner = guardrail.wrap(BUILDERS["img2img"](), guard=guard)
    latents = base(**call_arguments("text2img", output_type="latent")).images
    allowed = refiner(**call_arguments("img2img", image=latents)).guardrail[0]
    assert not allowed.blocked
    assert "condition-latent" not in {c.what for c in allowed.coverage}
    assert refiner(**call_arguments("img2img", image=latents * 1.01)).guardrail[0].rules == ("raw",)
    other = guardrail.wrap(BUILDERS["img2img"](), guard=make_guard(rule))
    assert other(**call_arguments("img2img", image=latents)).guardrail[0].rules == ("raw",)


def test_latents_made_of_known_embeddings_are_known_by_the_text(make_guard: Any) -> None:
    """The text is in no argument of the call that made them: it goes along all the same."""
    base = guardrail.wrap(BUILDERS["text2img"](), guard=make_guard(RULES))
    positive, negative = base.encode_prompt("a fox", "cpu", 1, True, negative_prompt="blurry")
    latents = base(prompt_embeds=positive, negative_prompt_embeds=negative, **SIZE, output_type="latent").images
    (origin,) = ledger_of(base.guard).find(latents) or ()
    assert {(t.text, t.negative) for t in origin.texts} == {("a fox", False), ("blurry", True)}


# ---- the ledger


def test_the_ledger_is_bounded_and_forgets_the_oldest(make_guard: Any) -> None:
    guard = make_guard(NEVER)
    ledger = Ledger(guard.keyring, tensors=3, size=1 << 20)
    rows = [torch.full((2,), float(i)) for i in range(4)]
    for i, row in enumerate(rows):
        ledger.add(row[None], [Origin((guardrail_text(str(i)),))])
        ledger.find(rows[0][None])
    assert len(ledger) == 3
    assert ledger.find(rows[0][None]) is not None
    assert ledger.find(rows[1][None]) is None
    heavy = Ledger(guard.keyring, size=1000)
    for row in rows:
        heavy.add(row[None], [Origin((guardrail_text("x" * 100),))])
    assert len(heavy) == 1
    # Shape and dtype are part of what is known; the device and the layout in memory are not.
    half = rows[3][None].half()
    assert heavy.find(rows[3][None]) is not None
    assert heavy.find(half) is None
    assert heavy.find(rows[3][:, None]) is None
    grid = torch.arange(6.0).reshape(2, 3)
    heavy.add(grid.T.contiguous(), [Origin()] * 3)
    assert heavy.find(grid.T) is not None


def test_rows_that_do_not_come_out_even_count_for_every_text(make_guard: Any) -> None:
    ledger = ledger_of(make_guard(NEVER))
    origins = [Origin((guardrail_text("a"),)), Origin((guardrail_text("b"),))]
    register(ledger, None, torch.rand(3, 4), origins)
    given = torch.rand(3, 4)
    register(ledger, None, {"x": [given]}, origins)
    found = ledger.find(given)
    assert found is not None
    assert {t.text for o in found for t in o.texts} == {"a", "b"}


# ---- other entries


def test_every_public_method_that_takes_content_is_on_a_list() -> None:
    """Read from the text of the installed diffusers: importing or parsing three hundred classes would take a minute."""
    content = re.compile(r"\b\w*(?:prompt|image|text|video|message|caption|instruction|frames)\w*\s*[:,=)]")
    methods = re.compile(r"^((?:    @[^\n]*\n)*)    def ([a-z]\w*)\((.*?)\)\s*(?:->[^\n]*)?:\n", re.M | re.S)
    found: dict[str, str] = {}
    static: set[str] = set()
    priors: set[str] = set()
    for path in sorted((Path(diffusers.__file__).parent / "pipelines").rglob("*.py")):
        for block in re.split(r"^(?=class |@|def )", path.read_text("utf-8"), flags=re.M):
            kind = re.match(r"class (\w*Pipeline\w*)", block)
            if kind is None or kind[1].endswith("Output"):
                continue
            if "Prior" in kind[1] and "Combined" not in kind[1]:
                priors.add(kind[1])
            for decorators, method, parameters in methods.findall(block):
                names = re.sub(r"#[^\n]*", "", parameters).replace("self", "", 1) + ")"
                if content.search(re.sub(r":[^,=]*", ":", names)):
                    found[method] = kind[1]
                    if "@staticmethod" in decorators or "@classmethod" in decorators:
                        static.add(method)
    assert len(found) > 70
    assert {n: k for n, k in found.items() if n not in CALLS | ENTRIES | PLUMBING} == {}
    assert (CALLS | ENTRIES | PLUMBING) - set(found) == set()
    assert len(CALLS) + len(ENTRIES) + len(PLUMBING) == len(CALLS | ENTRIES | PLUMBING)
    # A static method cannot be judged by the pipeline that it belongs to.
    assert not static & (ENTRIES | CALLS)
    assert priors == PRIORS


@pytest.mark.parametrize("put", [guardrail.wrap, guardrail.install])
def test_invert_is_judged_and_what_it_left_belongs_to_the_next_call(put: Any, make_guard: Any) -> None:
    class Editing(diffusers.StableDiffusionPipeline):
        """As LEDITS++: the picture comes by `invert`, the wish by the call."""

        def invert(self, image: Any, source_prompt: str = "") -> Any:
            self.kept = image
            return self

    pipe = Editing(**BUILDERS["text2img"]().components, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    guarded = put(pipe, guard=make_guard(RULES))
    with pytest.raises(guardrail.Blocked):
        guarded.invert(picture(), source_prompt=BAD)
    assert not hasattr(pipe, "kept")
    guarded.invert(picture(), source_prompt="a fox")
    decision = guarded(**call_arguments("text2img")).guardrail[0]
    assert decision.inputs["image_hashes"]
    assert len(decision.inputs["text_hashes"]) == 2


@pytest.mark.parametrize("put", [guardrail.wrap, guardrail.install])
def test_an_invert_that_was_interrupted_still_belongs_to_the_next_call(put: Any, make_guard: Any) -> None:
    class Editing(diffusers.StableDiffusionPipeline):
        """Is interrupted when it has taken the picture in."""

        def invert(self, image: Any, source_prompt: str = "", interrupted: bool = False) -> None:
            self.kept = image
            if interrupted:
                raise KeyboardInterrupt

    pipe = Editing(**BUILDERS["text2img"]().components, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    guarded = put(pipe, guard=make_guard(RULES))

    def judged() -> tuple[int, int]:
        hashes = guarded(**call_arguments("text2img")).guardrail[0].inputs
        return len(hashes["image_hashes"]), len(hashes["text_hashes"])

    with pytest.raises(KeyboardInterrupt):
        guarded.invert(picture(), source_prompt="a fox", interrupted=True)
    assert judged() == (1, 2)
    with pytest.raises(KeyboardInterrupt):
        guarded.invert(picture(seed=1), source_prompt="a boat", interrupted=True)
    # Whichever of the two the pipeline holds now, both are judged.
    assert judged() == (2, 3)
    guarded.invert(picture(seed=2), source_prompt="a hill")
    assert judged() == (1, 2)


@pytest.mark.parametrize("put", [guardrail.wrap, guardrail.install])
def test_encode_prompt_of_both_kinds_of_guarded_pipeline(put: Any, make_guard: Any) -> None:
    guarded = put(BUILDERS["text2img"](), guard=make_guard(RULES))
    with pytest.raises(guardrail.Blocked):
        guarded.encode_prompt(BAD, "cpu", 1, False)
    embeds, _ = guarded.encode_prompt("a fox", "cpu", 1, False)
    assert not guarded(prompt_embeds=embeds, guidance_scale=1.0, **SIZE).guardrail[0].blocked
    # Inside a call the pipeline asks itself, with the text that was judged.
    assert not guarded(**call_arguments("text2img")).guardrail[0].blocked
    assert guarded(**call_arguments("text2img", BAD)).guardrail[0].blocked
