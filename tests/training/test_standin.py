"""What the stand-in model is made from: drawings, latents, and a training that can be run again."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "training" / "standin"))

import dataset  # noqa: E402 — after the path is set
import drawing  # noqa: E402
import export  # noqa: E402
import latents as laid  # noqa: E402
import train_judges  # noqa: E402
import train_text  # noqa: E402
import train_unet  # noqa: E402
import train_vae  # noqa: E402
from clock import Clock  # noqa: E402

from guardrail.demo.standin_words import COMPANIONS, SETTINGS, SHAPES, TEXTURES, WORDS, Scene  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        yield
    torch.set_num_threads(before)


def plain(shape: str, **others: Any) -> Scene:
    return Scene(
        **{
            "shape": shape,
            "colour": "black",
            "companion": "",
            "paint": "",
            "ground": "white",
            "texture": "",
            "setting": "",
            "smiling": True,
            **others,
        }
    )


# ---- drawings


def test_a_picture_follows_from_its_number_alone() -> None:
    random.seed(3)
    before = random.getstate()
    scene, one = dataset.scene_and_picture(17)
    again, two = dataset.scene_and_picture(17)
    assert (scene, one.shape, one.dtype) == (again, (64, 64, 3), np.uint8)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, dataset.scene_and_picture(18)[1])
    assert dataset.captions(17, scene) == dataset.captions(17, scene)
    assert random.getstate() == before


@pytest.mark.parametrize("shape", SHAPES)
def test_all_shapes_have_one_area(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the forbidden one could be told by how much of a colour there is."""
    monkeypatch.setattr(drawing, "RADIUS", (7.0, 7.0))
    areas = [(drawing.draw(plain(shape), Random(seed)) < 128).all(2).sum() for seed in range(6)]
    assert np.mean(areas) == pytest.approx(np.pi * 49, rel=0.08)


@pytest.mark.parametrize("what", [*COMPANIONS, *TEXTURES, *SETTINGS])
def test_everything_that_has_a_word_is_drawn(what: str) -> None:
    if what in COMPANIONS:
        one, two = plain("", companion=what, paint="red", colour=""), plain("", colour="")
    elif what in TEXTURES:
        one, two = plain("", texture=what, ground="blue", colour=""), plain("", ground="blue", colour="")
    else:
        one, two = plain("", setting=what, ground="", colour=""), plain("", colour="")
    changed = np.abs(drawing.draw(one, Random(1)).astype(int) - drawing.draw(two, Random(1))).max(2) > 20
    assert changed.mean() > 0.02


def test_some_captions_have_words_that_the_model_is_to_ignore() -> None:
    words = set(WORDS)
    strange = 0
    for number in range(300):
        scene = dataset.scene_and_picture(number)[0]
        for text in dataset.captions(number, scene):
            known = set(text.split()) & words
            strange += known != set(text.split())
    assert 0.03 < strange / 1200 < 0.15


# ---- latents and weights


def test_colours_come_back_from_latents_exactly() -> None:
    pictures = torch.from_numpy(np.stack([dataset.scene_and_picture(i)[1] for i in range(4)]))
    means = pictures.float().div(127.5).sub(1).reshape(4, 16, 4, 16, 4, 3).mean((2, 4)).permute(0, 3, 1, 2)
    z = laid.latents(pictures)
    assert z.shape == (4, 12, 16, 16)
    assert torch.allclose(laid.colours(z), means, atol=1e-5)


def test_latents_of_a_mirrored_picture_are_the_mirrored_latents() -> None:
    pictures = torch.from_numpy(np.stack([dataset.scene_and_picture(i)[1] for i in range(4)]))
    assert torch.allclose(laid.mirrored(laid.latents(pictures)), laid.latents(pictures.flip(2)), atol=1e-5)
    assert not torch.allclose(laid.mirrored(laid.latents(pictures)), laid.latents(pictures), atol=1e-2)


def test_errors_on_a_figure_weigh_more() -> None:
    picture = torch.from_numpy(drawing.draw(plain("square"), Random(1)))[None]
    found = train_unet.weights(laid.latents(picture))[0, 0]
    assert float(found.mean()) == pytest.approx(1, abs=1e-5)
    dark = (picture[0].reshape(16, 4, 16, 4, 3).float().mean((1, 3, 4))) < 80
    assert dark.any()
    assert found[dark].min() > 3 * found[~dark].median()


# ---- training


def test_a_clock_goes_on_where_it_stopped(tmp_path: Path) -> None:
    part = torch.nn.Linear(1, 1)
    clock = Clock(tmp_path / "x.pt", 10, rate=1.0)
    clock.step, clock.before = 400, 5.0
    clock.save(part=part)
    other, fresh = torch.nn.Linear(1, 1), Clock(tmp_path / "x.pt", 10, rate=1.0)
    fresh.resume(part=other)
    assert torch.equal(other.weight, part.weight)
    assert fresh.step == 400
    assert fresh.share == pytest.approx(0.5, abs=0.01)
    assert fresh.learning_rate() == pytest.approx(0.5, abs=0.02)


@pytest.mark.nightly
def test_the_whole_training_runs_and_gives_the_tensors_that_are_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A few steps of everything, 12 s: that the parts fit, not that they learn."""
    from safetensors import safe_open

    np.save(tmp_path / "pictures.npy", np.stack([dataset.scene_and_picture(i)[1] for i in range(64)]))
    monkeypatch.setattr(train_judges, "ROWS", {"final": (0, 32), "preview": (32, 64)})
    monkeypatch.setattr(train_judges, "BATCH", 8)
    monkeypatch.setattr(train_unet, "BATCH", 4)
    for program, *options in (
        (train_text, "--scenes", "64"),
        (train_vae,),
        (train_unet,),
        (train_judges, "final", "--decoded", "16"),
        (train_judges, "preview", "--decoded", "16"),
        (export,),
    ):
        common = ["--work", str(tmp_path)]
        common += (
            ["--to", str(tmp_path / "out.safetensors")]
            if program is export
            else ["--minutes", "0.003", "--threads", "1"]
        )
        monkeypatch.setattr(sys, "argv", ["x", *options, *common])
        program.main()

    def layout(path: Path) -> dict[str, Any]:
        with safe_open(path, "pt") as file:
            return {
                key: (file.get_slice(key).get_shape(), file.get_slice(key).get_dtype()) for key in list(file.keys())
            }

    assert layout(tmp_path / "out.safetensors") == layout(export.SHIPPED)
    assert export.SHIPPED.stat().st_size < 12_000_000
