"""Classifiers of transformers from a folder: what is loaded, what is refused, and what a score is made of."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrail.checks.image.nudity.hub import HubClassifier, read_settings
from guardrail.checks.image.scaling import MOST_SQUARES, Scaling, squares
from guardrail.errors import CheckError, ConfigurationError

from . import models


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.save(models.vit(), tmp_path_factory.mktemp("hub") / "vit-tiny")


def test_the_score_is_the_models_own_probability(folder: Path, pictures: list[np.ndarray]) -> None:
    import torch
    from PIL import Image

    opinion = HubClassifier(model=folder).open()
    picture = pictures[0]
    small = np.asarray(Image.fromarray(picture).resize((models.SIDE, models.SIDE), Image.Resampling.BILINEAR))
    row = torch.tensor((small / 255.0 - 0.5) / 0.5, dtype=torch.float32).permute(2, 0, 1)[None]
    with torch.inference_mode():
        expected = float(models.vit()(row).logits[0].softmax(-1)[1])
    assert opinion.score(picture) == pytest.approx(expected, abs=1e-5)
    assert 0.05 < expected < 0.95


def test_weights_are_named_with_their_sha256(folder: Path) -> None:
    opinion = HubClassifier(model=folder).open()
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert (opinion.name, dict(opinion.weights)) == ("vit-tiny", {"model.safetensors": digest})


def test_a_picture_has_the_same_score_whenever_it_is_asked(folder: Path, pictures: list[np.ndarray]) -> None:
    opinion, again = HubClassifier(model=folder).open(), HubClassifier(model=folder).open()
    first = [opinion.score(p) for p in pictures]
    assert [again.score(p) for p in reversed(pictures)] == first[::-1]


def test_calibration_moves_the_models_words_to_the_places_of_the_thresholds(folder: Path) -> None:
    grey = np.full((32, 32, 3), 127, np.uint8)
    plain = HubClassifier(model=folder).open().score(grey)
    low, high = plain, min(0.99, plain + 0.2)
    assert HubClassifier(model=folder, partial=low, explicit=high).open().score(grey) == pytest.approx(0.35, abs=1e-6)


def test_a_model_that_gives_no_number_is_an_error(
    folder: Path, pictures: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    opinion: Any = HubClassifier(model=folder, device="cpu", labels={"normal": "harmless", "nsfw": "explicit"}).open()
    monkeypatch.setattr(opinion._loaded, "_model", lambda row: torch.full((1, 2), math.nan))
    with pytest.raises(CheckError, match="no number"):
        opinion.score(pictures[0])


# ---- what is refused


@pytest.mark.parametrize(
    ("labels", "config", "says"),
    [
        (("nsfw", "normal"), {}, "has them as normal, nsfw"),
        (("LABEL_0", "LABEL_1"), {}, "those of no known model"),
        (("normal", "nsfw"), {"label2id": {"normal": 1, "nsfw": 0}}, "contradicts itself"),
    ],
)
def test_labels_that_may_be_swapped_are_a_load_error(
    tmp_path: Path, labels: tuple[str, ...], config: dict[str, Any], says: str
) -> None:
    made = models.save(models.vit(labels), tmp_path / "model", **config)
    with pytest.raises(ConfigurationError, match=says):
        HubClassifier(model=made).open()


def test_a_model_that_calls_everything_nude_is_a_load_error(tmp_path: Path) -> None:
    # As one whose labels are right in the file and wrong in the weights.
    made = models.save(models.biased(models.vit(), 1), tmp_path / "model")
    with pytest.raises(ConfigurationError, match="calls every one of 4 harmless drawings nude"):
        HubClassifier(model=made).open()
    quiet = models.save(models.biased(models.vit(), 0), tmp_path / "quiet")
    assert HubClassifier(model=quiet).open().score(np.zeros((8, 8, 3), np.uint8)) < 0.1


def test_only_safetensors_are_read(tmp_path: Path) -> None:
    import torch

    made = models.save(models.vit(), tmp_path / "model")
    (made / "model.safetensors").unlink()
    torch.save(models.vit().state_dict(), made / "pytorch_model.bin")
    with pytest.raises(ConfigurationError, match=r"no \.safetensors file"):
        HubClassifier(model=made).open()


@pytest.mark.parametrize("lost", ["config.json", "preprocessor_config.json"])
def test_a_folder_without_its_configuration_is_refused(tmp_path: Path, lost: str) -> None:
    made = models.save(models.vit(), tmp_path / "model")
    (made / lost).unlink()
    with pytest.raises(ConfigurationError):
        HubClassifier(model=made).open()


def test_weights_that_are_missing_would_be_random(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    made = models.save(models.vit(), tmp_path / "model")
    state = load_file(made / "model.safetensors")
    save_file({k: v for k, v in state.items() if "classifier" not in k}, made / "model.safetensors", {"format": "pt"})
    with pytest.raises(ConfigurationError, match="no weights for classifier"):
        HubClassifier(model=made).open()


@pytest.mark.parametrize("model", ["/nowhere/at/all", "nobody/has-this-model"])
def test_what_is_not_here_is_not_fetched(model: str) -> None:
    with pytest.raises(ConfigurationError):
        HubClassifier(model=model).open()


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("rescale_factor", 1 / 127.5),
        ("image_mean", [0.5]),
        ("image_std", [0.0, 1.0, 1.0]),
        ("size", {"height": 16, "width": 32}),
        ("size", {"height": 4, "width": 4}),
        ("resample", 9),
    ],
)
def test_a_scaling_that_is_not_understood_is_refused(tmp_path: Path, change: str, value: Any) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(models.SCALING | {change: value}), "utf-8")
    with pytest.raises(ConfigurationError, match="how pictures are scaled"):
        Scaling.of_folder(tmp_path, {}, "it")


# ---- pieces of pictures


@pytest.mark.parametrize(
    ("size", "pieces"),
    [((40, 40), 1), ((40, 52), 1), ((40, 60), 3), ((60, 40), 3), ((40, 160), 6), ((40, 4000), 1 + MOST_SQUARES)],
)
def test_every_pixel_of_a_long_picture_is_seen_in_a_piece_that_is_not_squeezed(
    size: tuple[int, int], pieces: int
) -> None:
    picture = np.arange(size[0] * size[1] * 3, dtype=np.uint32).reshape(*size, 3)
    found = list(squares(picture))  # type: ignore[arg-type]
    assert len(found) == pieces
    assert found[0] is picture
    if pieces > 1:
        assert len(np.unique(np.concatenate([p.ravel() for p in found[1:]]))) == picture.size
        assert all(max(p.shape[:2]) >= min(size) for p in found[1:])


def test_what_stands_at_the_end_of_a_long_picture_is_found(folder: Path) -> None:
    opinion = HubClassifier(model=folder).open()
    noise = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    strip = np.concatenate([np.full((32, 128, 3), 127, np.uint8), noise], axis=1)
    assert opinion.score(strip) >= opinion.score(noise) - 1e-6


# ---- settings


def test_a_file_names_models(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(
        f"- {{kind: classifier, model: {folder}, ask: always, rule: second, sure: 0.7}}\n"
        "- {kind: safety-checker, model: org/name, adjustment: 0.02}\n",
        "utf-8",
    )
    one, two = read_settings(path)
    assert isinstance(one, HubClassifier)
    assert (one.combination.ask, one.combination.rule, one.combination.sure) == ("always", "second", 0.7)
    assert two.combination.ask == "grey"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "must hold a list"),
        ("[3]", "model 1: it must be a mapping"),
        ("[{kind: oracle, model: x}]", "kind must be one of classifier, safety-checker"),
        ("[{kind: classifier}]", "model must name a folder"),
        ("[{kind: classifier, model: x, colour: red}]", "unknown colour"),
        ("[{kind: classifier, model: x, ask: never}]", "asked `grey` or `always`"),
        ("[{kind: classifier, model: x, partial: 0.7, explicit: 0.6}]", "0 < partial < explicit < 1"),
        ("[{kind: classifier, model: x, labels: [nsfw]}]", "labels must be a mapping"),
        ("[{kind: classifier, model: x, timeout_s: soon}]", "wrong type"),
        ("[", "neither JSON nor YAML"),
    ],
)
def test_a_file_that_says_nonsense_is_refused_with_the_place(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match=says):
        read_settings(path)
