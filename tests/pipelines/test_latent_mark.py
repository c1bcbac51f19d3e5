"""The mark in the starting noise: normal to everybody else, found again by who has key, ids and model."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

import guardrail
from guardrail.errors import UnsupportedInput
from guardrail.pipelines.latent_mark import Evidence, LatentMark, starting_noise
from tests.pipelines.tiny import BUILDERS, STEPS, call_arguments, shared

KEY = bytes(range(32))
MARK = LatentMark(KEY)
PLANE = (4, 64, 64)
IDS = [f"image {i}" for i in range(6)]


def agreement(one: Any, other: Any) -> float:
    """Share of values with the same sign."""
    return float(np.mean((np.asarray(one) > 0) == (np.asarray(other) > 0)))


# ---- the noise


@pytest.mark.parametrize("image_id", IDS)
def test_the_noise_is_normal(image_id: str) -> None:
    noise = MARK.noise(PLANE, image_id, np.float64)
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.001
    # Neighbours along every axis, and lags of one message: nothing repeats.
    flat = noise.ravel()
    for other in (np.roll(noise, 1, 1).ravel(), np.roll(noise, 1, 2).ravel(), np.roll(flat, 256), np.roll(flat, 4096)):
        assert abs(np.corrcoef(flat, other)[0, 1]) < 4 / np.sqrt(flat.size)


def test_many_images_together_are_normal_at_every_place() -> None:
    many = np.stack([MARK.noise((4, 8, 8), f"{i}", np.float64) for i in range(400)])
    values = many.reshape(400, -1)
    # With one keystream for all, every place would have one sign: mean of 0.8, not 0.
    assert stats.kstest(values.mean(0) * np.sqrt(400), "norm").pvalue > 0.001
    assert stats.kstest(values.ravel(), "norm").pvalue > 0.001
    signs = np.sign(values)
    between = (signs @ signs.T)[np.triu_indices(400, 1)] / np.sqrt(values.shape[1])
    assert abs(between.mean()) < 0.02
    assert between.std() == pytest.approx(1.0, abs=0.02)


def test_the_same_id_gives_the_same_noise_and_nothing_is_drawn() -> None:
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    assert np.array_equal(MARK.noise(PLANE, "a"), LatentMark(KEY).noise(PLANE, b"a"))
    assert np.array_equal(before[0], np.random.get_state()[1])
    assert torch.equal(before[1], torch.get_rng_state())


@pytest.mark.parametrize(
    "other",
    [
        LatentMark(KEY).noise(PLANE, "b"),
        LatentMark(bytes(32)).noise(PLANE, "a"),
        LatentMark(KEY, bits=64).noise(PLANE, "a"),
        LatentMark(KEY, copies=3).noise(PLANE, "a"),
        LatentMark(KEY).noise((4, 32, 128), "a").reshape(PLANE),
    ],
    ids=["id", "key", "bits", "copies", "shape"],
)
def test_another_id_key_or_form_gives_noise_of_its_own(other: np.ndarray) -> None:
    noise = MARK.noise(PLANE, "a")
    assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(noise.size)
    assert agreement(noise, other) == pytest.approx(0.5, abs=0.02)


def test_a_batch_is_its_images() -> None:
    batch = MARK.noise((2, *PLANE), ["a", "b"])
    assert batch.shape == (2, *PLANE)
    assert np.array_equal(batch[1], MARK.noise(PLANE, "b"))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_type_is_the_one_asked_for(dtype: Any) -> None:
    assert MARK.noise(PLANE, "a", dtype).dtype == dtype


@pytest.mark.parametrize(
    ("shape", "image_id", "message"),
    [
        ((2, *PLANE), "a", "2 images want 2 ids"),
        ((2, *PLANE), ["a", "a"], "each another"),
        (PLANE, "", "not empty"),
        ((1, 1024, 16, 4, 4), "a", "packed"),
        ((1024, 64), "a", "packed"),
        ((4, 4, 4), "a", "too small"),
    ],
)
def test_what_noise_is_not_made_for(shape: Any, image_id: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MARK.noise(shape, image_id)


def test_whole_numbers_are_no_noise() -> None:
    with pytest.raises(ValueError, match="float16, float32 or float64"):
        MARK.noise(PLANE, "a", np.int32)


@pytest.mark.parametrize(
    ("key", "options"),
    [(b"short", {}), ("x" * 32, {}), (KEY, {"bits": 32}), (KEY, {"copies": 0})],
)
def test_keys_and_numbers_that_are_refused(key: Any, options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"bytes|bits|once"):
        LatentMark(key, **options)


def test_the_key_is_not_shown() -> None:
    assert KEY.hex() not in repr(MARK)
    assert repr(KEY) not in repr(MARK)


# ---- finding it


@pytest.mark.parametrize(("noise", "found"), [(0.0, True), (1.0, True), (5.0, True), (10.0, True), (1000.0, False)])
def test_it_is_found_under_a_disturbance(noise: float, found: bool) -> None:
    # Five times as much noise leaves 56 % of the signs right, ten times 53 %.
    latents = MARK.noise(PLANE, IDS[3], np.float64)
    latents = latents + noise * np.random.default_rng(0).standard_normal(PLANE)
    seen = MARK.detect(latents, IDS)
    assert seen.found is found
    assert (seen.bits, seen.candidates) == (256, len(IDS))
    if found:
        assert seen.image_id == IDS[3]


def test_untouched_noise_gives_every_bit() -> None:
    mark = LatentMark(KEY, bits=64, copies=5)
    seen = mark.detect(torch.from_numpy(mark.noise((1, *PLANE), "a")) * 14.6, ["a"])
    assert seen == Evidence("a", 64, 64, 1, 2.0**-64)
    assert seen.found


def test_another_key_or_other_latents_are_never_found() -> None:
    latents = MARK.noise(PLANE, IDS[0])
    strange = [LatentMark(bytes([i]) * 32).detect(latents, IDS) for i in range(40)]
    others = [MARK.detect(np.random.default_rng(i).standard_normal(PLANE), IDS) for i in range(40)]
    # Latents that are no noise at all: flat, a gradient, zero.
    flat = [MARK.detect(x, IDS) for x in (np.ones(PLANE), np.linspace(-1, 1, 16384).reshape(PLANE), np.zeros(PLANE))]
    assert not any(e.found for e in (*strange, *others, *flat))
    # And the rate is one: of 40 times the best of 6 it is under 0.1 about four times.
    for rates in ([e.false_positive_rate for e in strange], [e.false_positive_rate for e in others]):
        assert sum(r < 0.1 for r in rates) <= 10
        assert min(rates) > 1e-4


def test_every_candidate_costs_a_factor() -> None:
    latents = MARK.noise(PLANE, "a", np.float64) + 12 * np.random.default_rng(1).standard_normal(PLANE)
    one, many = MARK.detect(latents, ["a"]), MARK.detect(latents, ["a", *(f"{i}" for i in range(99))])
    assert many.matching == one.matching
    assert many.false_positive_rate == pytest.approx(100 * one.false_positive_rate)
    assert one.false_positive_rate == pytest.approx(stats.binomtest(one.matching, 256, alternative="greater").pvalue)


@pytest.mark.parametrize(
    ("latents", "candidates", "message"),
    [
        (np.full(PLANE, np.nan), ["a"], "not finite"),
        (np.zeros((2, *PLANE)), ["a"], "one image"),
        (np.zeros((1024, 64)), ["a"], "packed"),
        (np.zeros(PLANE, int), ["a"], "floats"),
        (np.zeros(PLANE), [], "no candidates"),
    ],
)
def test_latents_that_say_nothing_are_refused(latents: Any, candidates: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MARK.detect(latents, candidates)


# ---- in a pipeline


SIZE = {"num_inference_steps": STEPS, "height": 64, "width": 64}
SMALL = LatentMark(KEY, bits=64)
NO_LATENTS = """
rules: [{id: unread, at: prompt, when: {request.unverified: {any: {kind: latent}}}, then: block}]
"""


@pytest.mark.parametrize(
    "name", ["text2img", *(pytest.param(n, marks=pytest.mark.nightly) for n in ("sdxl", "sd3", "pixart", "z_image"))]
)
def test_a_pipeline_starts_from_the_noise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = shared(name)
    start = starting_noise(pipe, SMALL, height=64, width=64, images=2)
    assert len(set(start.image_ids)) == 2
    taken = []
    prepare = type(pipe).prepare_latents

    def watch(*args: Any, **kwargs: Any) -> Any:
        taken.append(prepare(pipe, *args, **kwargs))
        return taken[0]

    monkeypatch.setattr(pipe, "prepare_latents", watch)
    pipe(**call_arguments(name, ["a fox", "a boat"], latents=start.latents))
    scale = float(getattr(pipe.scheduler, "init_noise_sigma", 1.0)) if name not in ("sd3", "z_image") else 1.0
    assert torch.allclose(taken[0], start.latents * scale)
    assert SMALL.detect(taken[0][1], start.image_ids).image_id == start.image_ids[1]


def test_a_guard_knows_noise_of_its_own(make_guard: Any) -> None:
    guarded = guardrail.wrap(shared("text2img"), guard=make_guard(NO_LATENTS))
    start = starting_noise(guarded, SMALL, height=64, width=64)
    out = guarded("a fox", latents=start.latents, **SIZE)
    assert out.guardrail[0].action == "allow"
    assert not {"latent", "not-decoded"} & {c.what for c in out.guardrail[0].coverage}
    # Any other noise, a changed copy among it, is unread as ever.
    for strange in (start.latents * 1.01, torch.from_numpy(SMALL.noise((1, 4, 8, 8), "x"))):
        assert guarded("a fox", latents=strange, **SIZE).guardrail[0].rules == ("unread",)


def test_a_guard_knows_it_in_an_installed_pipeline(make_guard: Any) -> None:
    pipe = BUILDERS["text2img"]()
    guardrail.install(pipe, guard=make_guard(NO_LATENTS))
    start = starting_noise(pipe, SMALL, height=64, width=64, image_ids=["one"])
    assert start.image_ids == ("one",)
    assert not pipe("a fox", latents=start.latents, **SIZE).guardrail[0].blocked


@pytest.mark.parametrize("name", ["img2img", "flux", "wan", "ddim"])
def test_pipelines_with_other_latents_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedInput, match="not known here"):
        starting_noise(shared(name), SMALL, height=64, width=64)


def test_sizes_that_the_pipeline_does_not_make() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        starting_noise(shared("text2img"), SMALL, height=64, width=60)


# ---- and back: DDIM turned round, each step solved by fixed-point iteration


@torch.no_grad()
def invert(pipe: Any, latents: torch.Tensor, prompt: str, *, steps: int, rounds: int) -> torch.Tensor:
    """The noise from which `pipe`, without guidance, made `latents`."""
    scheduler = pipe.scheduler
    scheduler.set_timesteps(steps)
    text = pipe.encode_prompt(prompt, "cpu", 1, False)[0]
    for t in reversed(scheduler.timesteps):
        before = int(t) - scheduler.config.num_train_timesteps // steps
        kept = scheduler.alphas_cumprod[before] if before >= 0 else scheduler.final_alpha_cumprod
        a, s = scheduler.alphas_cumprod[int(t)] ** 0.5, (1 - scheduler.alphas_cumprod[int(t)]) ** 0.5
        to_a, to_s = kept**0.5, (1 - kept) ** 0.5
        noisier = latents
        for _ in range(rounds):
            out = pipe.unet(noisier, t, encoder_hidden_states=text).sample
            if scheduler.config.prediction_type == "v_prediction":
                noisier = (latents - (to_s * a - to_a * s) * out) / (to_a * a + to_s * s)
            else:
                noisier = a / to_a * (latents - (to_s - to_a * s / a) * out)
        latents = noisier
    return latents


def test_it_is_found_by_turning_the_sampler_round() -> None:
    # Random weights, latents untouched by the autoencoder: what is tested is the way there and back.
    pipe, mark = shared("text2img"), LatentMark(KEY, bits=256)
    start = starting_noise(pipe, mark, height=64, width=64, image_ids=["one"])
    arguments = {"num_inference_steps": 5, "height": 64, "width": 64, "guidance_scale": 1.0, "output_type": "latent"}
    made = pipe("a fox", latents=start.latents, **arguments).images
    back = invert(pipe, made, "a fox", steps=5, rounds=5)
    assert agreement(back, start.latents) > 0.95
    seen = mark.detect_image(made, ["two", "one"], invert=lambda z: invert(pipe, z, "a fox", steps=5, rounds=5))
    assert seen.found
    assert seen.image_id == "one"


@pytest.mark.nightly
@pytest.mark.parametrize(("quality", "least"), [(None, 1.0), (75, 0.5)])
def test_it_is_found_in_pictures_of_the_stand_in(quality: int | None, least: float) -> None:
    """From pixels, with guidance, and without the prompt: as an operator finds a picture."""
    from guardrail.demo.standin import standin_pipeline

    pipe = standin_pipeline()

    def back(image: Image.Image) -> torch.Tensor:
        pixels = torch.from_numpy(np.asarray(image, np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
        with torch.no_grad():
            latents = pipe.vae.encode(pixels).latent_dist.mode() * pipe.vae.config.scaling_factor
        return invert(pipe, latents, "", steps=10, rounds=3)

    found = []
    for i in range(4):
        start = starting_noise(pipe, MARK, height=64, width=64, image_ids=[f"{i}"])
        image = pipe("a red star", latents=start.latents, num_inference_steps=20, guidance_scale=3.0).images[0]
        if quality is not None:
            target = io.BytesIO()
            image.save(target, "JPEG", quality=quality)
            image = Image.open(target)
        seen = MARK.detect_image(image, [f"{k}" for k in range(8)], invert=back)
        assert seen.image_id == f"{i}"
        found.append(seen.false_positive_rate < 1e-6)
    assert np.mean(found) >= least
