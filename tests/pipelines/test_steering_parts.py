"""The parts of steering by themselves: subspaces, safety guidance by its equations, words, negative prompts, scales."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from guardrail.actions.hints import AVOID
from guardrail.decision import CORE_ACTIONS, Alteration, Stage
from guardrail.errors import PolicyError
from guardrail.pipelines.arguments import Arguments
from guardrail.pipelines.steering import METHODS, Wish, inactive, wish_of
from guardrail.pipelines.steering.guidance import guidance_off
from guardrail.pipelines.steering.negative import merged
from guardrail.pipelines.steering.reading import TextPart
from guardrail.pipelines.steering.safety import STRENGTHS, SafetySettings, SafetyState
from guardrail.pipelines.steering.subspace import basis, inside, outside, share, triggers
from tests.pipelines.tiny import BUILDERS

STAR = Wish(("star", "pentagram"))


def rows(count: int, width: int = 12, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


# ---- subspaces


def test_what_lies_outside_holds_nothing_of_the_subspace() -> None:
    concept = rows(3)
    # Said twice, it spans no more.
    space = basis(torch.cat([concept, concept[:1] * 2]))
    vectors = rows(5, seed=1)
    assert space.shape == (12, 3)
    assert float(share(vectors, space).min()) > 0.1
    assert float(share(outside(vectors, space), space).max()) < 1e-6
    assert torch.allclose(inside(vectors, space) + outside(vectors, space), vectors, atol=1e-6)
    assert torch.allclose(inside(concept, space), concept, atol=1e-5)


def test_the_word_that_brings_the_concept_in_is_found_and_no_other() -> None:
    space = basis(torch.eye(6)[:2])
    base = torch.tensor([3.0, 2.0, 1.0, 1.0, 1.0, 1.0])
    # Without its second word the prompt is further from the subspace.
    masked = torch.stack([base, torch.tensor([0.0, 0.0, 1.5, 1.5, 1.5, 1.5]), base * 1.001, base])
    assert triggers(masked, base, space, 0.01).tolist() == [False, True, False, False]
    assert triggers(masked[1:2], base, space, 0.01).tolist() == [True]
    assert triggers(masked[:1], base, space, 0.01).tolist() == [False]


# ---- safety guidance


def test_safety_guidance_is_the_papers_equation() -> None:
    plain, prompt, concept = rows(3, 8, seed=2)
    now = SafetySettings(scale=4.0, threshold=0.3, momentum=0.5, decay=0.7, warmup=0.0)
    state = SafetyState(now)
    first = state.away(plain, prompt, concept, 0.0)
    second = state.away(plain, prompt, concept, 0.5)
    for i in range(8):
        u, t, s = float(plain[i]), float(prompt[i]), float(concept[i])
        mu = min(1.0, 4.0 * abs(t - s)) if t - s < 0.3 else 0.0
        one = mu * (s - u)
        two = mu * (s - u) + 0.5 * (0.3 * one)
        assert float(first[i]) == pytest.approx(one, abs=1e-6)
        assert float(second[i]) == pytest.approx(two, abs=1e-6)
    assert 0 < int((first == 0).sum()) < 8


def test_during_warm_up_nothing_changes_but_momentum_gathers() -> None:
    plain, prompt, concept = rows(3, 8, seed=2)
    warm, cold = SafetyState(SafetySettings(warmup=0.5)), SafetyState(SafetySettings(warmup=0.5))
    assert float(warm.away(plain, prompt, concept, 0.2).abs().max()) == 0.0
    after, fresh = (s.away(plain, prompt, concept, 0.5) for s in (warm, cold))
    assert float((after - fresh).abs().max()) > 0.0
    half = SafetyState(STRENGTHS["max"]).away(plain.half(), prompt.half(), concept.half(), 0.0)
    assert half.dtype is torch.float16


# ---- words


def test_tokens_are_put_together_to_words() -> None:
    sd, t5 = BUILDERS["text2img"](), BUILDERS["flux"]()
    clip = TextPart("text_encoder", "clip", sd.text_encoder, sd.tokenizer)
    ids = sd.tokenizer("a red fox", padding="max_length", max_length=20, return_tensors="pt").input_ids[0]
    assert clip.words(ids) == [[1], [2, 3, 4], [5, 6, 7]]
    assert int(clip.end(ids[None])[0]) == 8
    other = TextPart("text_encoder_2", "t5", t5.text_encoder_2, t5.tokenizer_2)
    ids = t5.tokenizer_2("a red fox", padding="max_length", max_length=20, return_tensors="pt").input_ids[0]
    assert [len(w) for w in other.words(ids)] == [2, 4, 4]
    # A script without blanks is one word of many tokens: each stands for itself.
    ids = t5.tokenizer_2("x" * 30, return_tensors="pt").input_ids[0]
    assert [len(w) for w in other.words(ids)] == [1] * 31


# ---- negative prompts

EMBEDS = torch.zeros(2, 3, 4)
TEXT = "star, pentagram"
MERGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "none": ({"prompt": "a"}, {"negative_prompt": TEXT}),
    "empty": ({"prompt": "a", "negative_prompt": ""}, {"negative_prompt": TEXT}),
    "one": ({"prompt": "a", "negative_prompt": "blurry"}, {"negative_prompt": f"{TEXT}, blurry"}),
    "list": (
        {"prompt": ["a", "b"], "negative_prompt": ["blurry", None]},
        {"negative_prompt": [f"{TEXT}, blurry", TEXT]},
    ),
    "one for a list": ({"prompt": ["a", "b"], "negative_prompt": "x"}, {"negative_prompt": [f"{TEXT}, x"] * 2}),
    "a list of one": ({"prompt": ["a"]}, {"negative_prompt": [TEXT]}),
    "second encoder": (
        {"prompt": "a", "negative_prompt_2": "dull", "negative_prompt_3": ""},
        {"negative_prompt": TEXT, "negative_prompt_2": f"{TEXT}, dull", "negative_prompt_3": ""},
    ),
    "lists for both": (
        {"prompt": ["a", "b"], "negative_prompt": ["", "x"], "negative_prompt_2": ["y", ""]},
        {"negative_prompt": [TEXT, f"{TEXT}, x"], "negative_prompt_2": [f"{TEXT}, y", TEXT]},
    ),
    "embeddings": ({"prompt_embeds": EMBEDS}, {"negative_prompt": [TEXT, TEXT]}),
    "the pipeline's own": ({"prompt": "a"}, {"negative_prompt": f"{TEXT}, low quality"}),
}


@pytest.mark.parametrize("name", MERGES)
def test_the_concept_is_put_before_what_the_user_avoids(name: str) -> None:
    given, expected = MERGES[name]
    default = "low quality" if name == "the pipeline's own" else None

    def call(
        self: Any,
        prompt: Any = None,
        negative_prompt: Any = default,
        negative_prompt_2: Any = None,
        negative_prompt_3: Any = None,
        prompt_embeds: Any = None,
        guidance_scale: float = 5.0,
    ) -> None: ...

    arguments = Arguments(call, object(), (), given)
    before = dict(arguments.values)
    count = len(given["prompt"]) if isinstance(given.get("prompt"), list) else 2 if "prompt_embeds" in given else 1
    steered = merged(arguments, STAR, count)
    assert {k: v for k, v in steered.values.items() if k.startswith("negative")} == expected
    assert arguments.values == before
    assert "guidance_scale" not in steered.values
    assert merged(arguments, Wish(("star",), scale=9.0), count).values["guidance_scale"] == 9.0
    assert "guidance_scale" not in merged(arguments, Wish(("star",), scale=4.0), count).values


# ---- whether guidance is on


class Plain:
    """A pipeline that says nothing of guidance."""

    def __call__(self, prompt: Any = None, guidance_scale: float = 7.5) -> None: ...


class Above0(Plain):
    do_classifier_free_guidance = property(lambda self: self._guidance_scale > 0)


class Lcm(Plain):
    unet = SimpleNamespace(config=SimpleNamespace(time_cond_proj_dim=256))
    do_classifier_free_guidance = property(
        lambda self: self._guidance_scale > 1 and self.unet.config.time_cond_proj_dim is None
    )


class Distilled(Plain):
    config = SimpleNamespace(is_distilled=True)
    do_classifier_free_guidance = property(lambda self: self._guidance_scale > 1 and not self.config.is_distilled)


class Late(Plain):
    do_classifier_free_guidance = property(lambda self: self._known_while_it_runs)


class TrueCfg:
    def __call__(self, prompt: Any = None, true_cfg_scale: float = 1.0, guidance_scale: float = 3.5) -> None: ...


class Prior:
    def __call__(self, prompt: Any = None, prior_guidance_scale: float = 4.0) -> None: ...


class Guided:
    guider = SimpleNamespace(_enabled=True, num_conditions=2)

    def __call__(self, prompt: Any = None) -> None: ...


class Unguided(Guided):
    guider = SimpleNamespace(_enabled=True, num_conditions=1)


GUIDANCE = [
    (Plain, {}, ""),
    (Plain, {"guidance_scale": 1.0}, "guidance_scale is 1.0"),
    (Plain, {"guidance_scale": [5.0]}, "no number"),
    (Above0, {"guidance_scale": 1.0}, ""),
    (Above0, {"guidance_scale": 0.0}, "guidance_scale is 0.0"),
    (Lcm, {}, "distilled"),
    (Distilled, {}, "guidance is off"),
    (Late, {}, ""),
    (Late, {"guidance_scale": 0.5}, "guidance is off"),
    (TrueCfg, {}, "true_cfg_scale is 1.0"),
    (TrueCfg, {"true_cfg_scale": 4.0}, ""),
    (Prior, {}, ""),
    (Prior, {"prior_guidance_scale": 0.0}, "prior_guidance_scale is 0.0"),
    (Guided, {}, ""),
    (Unguided, {}, "one prediction"),
]


@pytest.mark.parametrize(("kind", "given", "cause"), GUIDANCE)
def test_whether_guidance_is_on_is_told_by_the_pipeline_itself(kind: Any, given: dict[str, Any], cause: str) -> None:
    pipe = kind()
    found = guidance_off(pipe, Arguments(kind.__call__, pipe, (), given))
    assert bool(found) is bool(cause)
    assert cause in found


def test_a_negative_prompt_does_nothing_beside_negative_embeddings() -> None:
    pipe = BUILDERS["text2img"]()
    call = type(pipe).__call__
    given = {"prompt": "a", "negative_prompt_embeds": torch.zeros(1, 77, 16)}
    assert "negative embeddings" in inactive(pipe, Arguments(call, pipe, (), given), STAR)
    assert "negative embeddings" not in inactive(pipe, Arguments(call, pipe, (), {"prompt_embeds": EMBEDS}), STAR)


# ---- what a policy asks for


def test_wishes_of_several_rules_add_up() -> None:
    def guide(**params: Any) -> Alteration:
        return Alteration("guide", Stage.PROMPT, params=params)

    assert wish_of([]) is None
    assert wish_of([Alteration("rewrite", Stage.PROMPT)]) is None
    assert wish_of([guide(away_from="nudity")]) == Wish(AVOID["nudity"], "negative", 0.0)
    both = [guide(method="safety", scale=5.0), guide(method="projection", scale=7.0)]
    assert wish_of(both) == Wish(AVOID["nudity"], "safety", 7.0, "strong")
    both = [guide(method="safety", strength="max"), guide(method="safety", strength="medium")]
    assert wish_of(both) == Wish(AVOID["nudity"], "safety", 0.0, "max")
    assert set(STRENGTHS) == set(next(p.choices for p in CORE_ACTIONS["guide"].params if p.name == "strength"))


def test_a_policy_names_the_method(make_guard: Any, policy_file: Any) -> None:
    from guardrail.policy import load_policy

    rules = "rules: [{id: steer, at: prompt, when: always, then: {guide: {method: %s}}}]\n"
    for method in METHODS:
        (rule,) = load_policy(policy_file(rules % method)).rules
        assert dict(rule.then[0].params) == {"away_from": "nudity", "method": method}
    for wrong in ("prayer", "safety, strength: utter"):
        with pytest.raises(PolicyError, match="GP052"):
            load_policy(policy_file(rules % wrong))
    two = (
        "rules: [{id: a, at: prompt, when: always, then: {guide: {method: projection}}},"
        " {id: b, at: prompt, when: always, then: {guide: {away_from: nudity}}}]\n"
    )
    decision = make_guard(two).check_prompt("a castle")
    assert [dict(a.params) for a in decision.alterations] == [{"away_from": "nudity", "method": "projection"}]
