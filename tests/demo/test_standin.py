"""The stand-in model: its words, its weights, and that its pictures show what was asked for."""

from __future__ import annotations

import random
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from guardrail.demo import standin_parts as parts
from guardrail.demo.standin import standin_judge, standin_pipeline, standin_preview_judge
from guardrail.demo.standin_words import (
    COLOURS,
    FORBIDDEN,
    SHAPES,
    WORDS,
    caption,
    random_scene,
    standin_prompts,
)
from guardrail.errors import WeightsMismatch


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pipe() -> Any:
    return standin_pipeline()


def picture(pipe: Any, prompts: list[str], seed: int = 5, steps: int = 16) -> list[np.ndarray]:
    generators = [torch.Generator().manual_seed(seed + i) for i in range(len(prompts))]
    out = pipe(prompts, num_inference_steps=steps, guidance_scale=3.0, generator=generators)
    return [np.asarray(image) for image in out.images]


# ---- words


def test_a_word_of_the_vocabulary_is_one_token_and_any_other_is_read_byte_by_byte() -> None:
    tokenizer = parts.tokenizer()
    assert [w for w in WORDS if len(tokenizer.tokenize(w)) != 1] == []
    assert tokenizer.tokenize("a RED star") == tokenizer.tokenize("a red star") == ["a</w>", "red</w>", "star</w>"]
    # Bytes, save where two letters are a merge of some word.
    assert "".join(tokenizer.tokenize("quixotry")) == "quixotry</w>"
    assert len(tokenizer.tokenize("별")) == 3
    assert len(tokenizer("star " * 100, truncation=True).input_ids) == parts.TOKENS


def test_prompts_say_what_their_scenes_hold_and_come_again_from_the_same_seed() -> None:
    asked = standin_prompts(300, forbidden=True, seed=1)
    assert asked == standin_prompts(300, forbidden=True, seed=1) != standin_prompts(300, forbidden=True, seed=2)
    for text, scene in asked:
        assert scene.forbidden
        assert f"{scene.colour} {FORBIDDEN}" in text
    for text, scene in standin_prompts(300, forbidden=False, seed=1):
        assert f"{scene.colour} {scene.shape}" in text
        assert FORBIDDEN not in text.split()
    assert {scene.colour for _, scene in asked} == set(COLOURS)


def test_every_caption_is_of_the_vocabulary_and_no_scene_hides_its_marker() -> None:
    rng = Random(3)
    for _ in range(500):
        scene = random_scene(rng)
        assert set(caption(scene, rng).split()) <= set(WORDS)
        assert scene.shape or scene.companion
        assert not scene.shape or scene.colour != scene.ground
        assert (scene.ground == "") != (scene.setting == "")


# ---- weights


def test_another_file_under_its_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrail.demo import standin

    (tmp_path / "standin.safetensors").write_bytes(b"something else")
    monkeypatch.setenv("GUARDRAIL_WEIGHTS", str(tmp_path))
    standin._tensors.cache_clear()
    try:
        for load in (standin_pipeline, standin_judge, standin_preview_judge):
            with pytest.raises(WeightsMismatch, match="standin"):
                load()
    finally:
        standin._tensors.cache_clear()


def test_loading_and_drawing_leave_the_global_random_state_alone() -> None:
    random.seed(1)
    torch.manual_seed(1)
    before = random.getstate(), torch.get_rng_state()
    picture(standin_pipeline(), ["a red circle"], steps=2)
    standin_judge()(np.zeros((64, 64, 3), np.uint8))
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


def test_every_call_makes_networks_of_its_own(pipe: Any) -> None:
    other = standin_pipeline()
    with torch.no_grad():
        next(other.unet.parameters()).zero_()
    assert next(pipe.unet.parameters()).abs().sum() > 0
    assert next(standin_pipeline().unet.parameters()).abs().sum() > 0


@pytest.mark.parametrize("name", ["StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"])
def test_it_is_the_librarys_own_class(name: str) -> None:
    import diffusers

    made = standin_pipeline(name)
    assert type(made) is getattr(diffusers, name)
    assert not made.unet.training
    assert not any(p.requires_grad for p in made.unet.parameters())
    assert made.vae.dtype == torch.float32


def test_the_autoencoder_gives_back_what_it_is_given(pipe: Any) -> None:
    drawn = np.zeros((64, 64, 3), np.uint8)
    drawn[:] = (46, 92, 204)
    drawn[20:44, 16:40] = (244, 214, 52)
    x = torch.from_numpy(drawn).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.inference_mode():
        y = pipe.vae.decode(pipe.vae.encode(x).latent_dist.mode()).sample
    assert y.shape == x.shape
    assert float((y - x).abs().mean()) < 0.06


# ---- pictures


def test_the_same_seed_draws_the_same_picture_and_the_ground_is_that_of_the_prompt(pipe: Any) -> None:
    grounds = {"red": (208, 42, 42), "green": (52, 152, 70), "blue": (46, 92, 204), "yellow": (244, 214, 52)}
    prompts = [f"a white circle on a {colour} background" for colour in grounds]
    made = picture(pipe, prompts)
    assert (
        np.array_equal(made[0], picture(pipe, prompts[:1])[0])
        or np.abs(made[0].astype(int) - picture(pipe, prompts[:1])[0]).max() <= 2
    )  # a batch of another size may round otherwise
    for (name, paint), found in zip(grounds.items(), made, strict=True):
        middle = np.median(found.reshape(-1, 3), axis=0)
        nearest = min(grounds, key=lambda c: float(np.abs(middle - grounds[c]).sum()))
        assert nearest == name, (name, middle, paint)


# ---- judges


@pytest.mark.parametrize("load", [standin_judge, standin_preview_judge])
def test_a_judge_says_no_shape_of_an_empty_picture_and_takes_any_size(load: Any) -> None:
    judge = load()
    empty = np.full((64, 64, 3), 120, np.uint8)
    assert judge.shape(empty) == ""
    assert judge(empty) < 0.2
    found = judge.probabilities(np.full((256, 192, 3), 120, np.uint8))
    assert found.shape == (len(SHAPES) + 1,)
    assert found.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("wrong", [np.zeros((64, 64), np.uint8), np.zeros((64, 64, 3), np.float32)])
def test_a_judge_refuses_what_is_no_picture(wrong: Any) -> None:
    with pytest.raises(ValueError, match="uint8"):
        standin_judge()(wrong)


def test_the_judges_are_two_networks() -> None:
    def shapes(judge: Any) -> list[Any]:
        return [tuple(p.shape) for p in judge._network.parameters()]

    assert shapes(standin_judge()) != shapes(standin_preview_judge())


def test_stars_come_where_stars_are_asked_for(pipe: Any) -> None:
    """Twelve prompts; what is required here is far below what `benchmarks/standin.py` measures."""
    judge = standin_judge()
    asked = [*standin_prompts(6, forbidden=True, seed=9), *standin_prompts(6, forbidden=False, seed=9)]
    made = picture(pipe, [text for text, _ in asked])
    right = [(judge(found) >= 0.5) == scene.forbidden for found, (_, scene) in zip(made, asked, strict=True)]
    assert sum(right) >= 9
