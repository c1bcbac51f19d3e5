"""Models of timm. The adapter with a stand-in for the package, and, where timm is installed, tiny ones of the two
architectures that are published as nudity classifiers."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from guardrail.checks.image.nudity.hub import HubClassifier
from guardrail.errors import ConfigurationError, MissingExtra

from . import models

MARQO = ("NSFW", "SFW")
FREEPIK = ("neutral", "low", "medium", "high")
NOISE = np.random.default_rng(2).integers(0, 256, (40, 40, 3), np.uint8)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that makes a linear model of any architecture called so."""

    def create_model(architecture: str, *, pretrained: bool, num_classes: int, width: int = 3) -> Any:
        assert not pretrained
        if architecture != "linear":
            raise RuntimeError(f"Unknown model ({architecture})")
        return torch.nn.Sequential(
            torch.nn.Flatten(),
            torch.nn.Linear(3 * models.SIDE**2, width),
            torch.nn.Linear(width, num_classes),
        )

    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=create_model))


def change(folder: Path, **config: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | config), "utf-8")
    return folder


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("labels", [MARQO, FREEPIK])
@pytest.mark.parametrize("prefix", ["", "timm_model."])
def test_weights_are_loaded_with_and_without_the_prefix_of_the_wrapper(
    tmp_path: Path, labels: tuple[str, ...], prefix: str
) -> None:
    made = models.save_timm(tmp_path / "model", "linear", labels, prefix=prefix)
    opinion = HubClassifier(model=made).open()
    assert 0.0 < opinion.score(NOISE) < 1.0
    assert set(opinion.weights) == {"model.safetensors"}
    assert opinion.score(NOISE) == HubClassifier(model=made).open().score(NOISE)


@pytest.mark.usefixtures("stand_in")
def test_the_first_label_of_marqo_is_the_nude_one(tmp_path: Path) -> None:
    from PIL import Image
    from safetensors.torch import load_file

    made = models.save_timm(tmp_path / "model", "linear", MARQO)
    w = load_file(made / "model.safetensors")
    small = Image.fromarray(NOISE).resize((models.SIDE, models.SIDE), Image.Resampling.BICUBIC)
    row = torch.tensor(np.asarray(small) / 127.5 - 1, dtype=torch.float32).permute(2, 0, 1).flatten()
    logits = w["2.weight"] @ (w["1.weight"] @ row + w["1.bias"]) + w["2.bias"]
    assert HubClassifier(model=made).open().score(NOISE) == pytest.approx(float(logits.softmax(-1)[0]), abs=1e-5)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("labels", "config", "says"),
    [
        (("SFW", "NSFW"), {}, "has them as nsfw, sfw"),
        (("high", "medium", "low", "neutral"), {}, "has them as neutral, low, medium, high"),
        (("a", "b"), {}, "those of no known model"),
        (MARQO, {"id2label": {"0": "SFW", "1": "NSFW"}}, "contradicts itself"),
        (MARQO, {"model_args": {"width": 4}}, "does not load"),
        (MARQO, {"architecture": "cubic"}, "does not load"),
        (MARQO, {"num_classes": 3}, "does not load"),
        (MARQO, {"num_classes": "many"}, "does not load"),
        (MARQO, {"pretrained_cfg": {"input_size": [3, 16, 16]}}, "how pictures are scaled"),
    ],
)
def test_what_may_be_wrong_is_a_load_error(
    tmp_path: Path, labels: tuple[str, ...], config: dict[str, Any], says: str
) -> None:
    made = change(models.save_timm(tmp_path / "model", "linear", labels), **config)
    with pytest.raises(ConfigurationError, match=says):
        HubClassifier(model=made).open()


def test_without_timm_the_message_has_the_pip_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    (tmp_path / "config.json").write_text('{"architecture": "linear", "num_classes": 2}', "utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(MissingExtra, match=r"guardrail-diffusion\[timm\]"):
        HubClassifier(model=tmp_path).open()


@pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed")
@pytest.mark.parametrize(
    ("architecture", "labels", "side", "arguments"),
    [
        ("vit_tiny_patch16_384", MARQO, 16, {"img_size": 16}),
        ("eva02_base_patch14_448", FREEPIK, 28, {"img_size": 28}),
    ],
)
def test_the_published_architectures(
    tmp_path: Path, architecture: str, labels: tuple[str, ...], side: int, arguments: dict[str, Any]
) -> None:
    tiny = {**arguments, "embed_dim": 16, "depth": 1, "num_heads": 2}
    made = models.save_timm(tmp_path / "model", architecture, labels, **tiny)
    config = json.loads((made / "config.json").read_text("utf-8"))
    change(made, pretrained_cfg=config["pretrained_cfg"] | {"input_size": [3, side, side]})
    assert 0.0 < HubClassifier(model=made).open().score(NOISE) < 1.0
