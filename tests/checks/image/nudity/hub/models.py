"""Tiny models with random weights of the architectures that second opinions load, in folders as users have them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch.nn.functional import normalize

SEED = 11
SIDE = 16
SCALING = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "size": {"height": SIDE, "width": SIDE},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
    "rescale_factor": 1 / 255,
}


def vit(labels: Sequence[str] = ("normal", "nsfw")) -> Any:
    torch.manual_seed(SEED)
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=SIDE,
        patch_size=8,
        id2label=dict(enumerate(labels)),
        label2id={name: i for i, name in enumerate(labels)},
    )
    return transformers.ViTForImageClassification(config).eval()


def biased(model: Any, index: int, by: float = 9.0) -> Any:
    """The model says the label `index` of every picture."""
    with torch.no_grad():
        model.classifier.bias[index] += by
    return model


def save(model: Any, folder: Path, **config: Any) -> Path:
    """As the hub has it; `config` overwrites keys of ``config.json``."""
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(SCALING), "utf-8")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | config), "utf-8")
    return folder


def safety_checker(*, trained: bool = True) -> Any:
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

    torch.manual_seed(SEED)
    tiny = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        vision_config={**tiny, "image_size": SIDE, "patch_size": 8, "projection_dim": 8},
        text_config={**tiny, "vocab_size": 32, "max_position_embeddings": 8, "projection_dim": 8},
        projection_dim=8,
    )
    model = StableDiffusionSafetyChecker(config).eval()
    if trained:
        draw = torch.Generator().manual_seed(SEED)
        with torch.no_grad():
            # As they begin, weights are so small that every picture looks alike.
            for p in model.vision_model.parameters():
                if p.dim() > 1:
                    p.mul_(12)
            for name in ("concept_embeds", "special_care_embeds"):
                values = getattr(model, name)
                values.copy_(torch.randn(values.shape, generator=draw))
                # Each concept is near one picture in twenty of noise.
                near = normalize(_embedded(model)) @ normalize(values).T
                getattr(model, f"{name}_weights").copy_(near.quantile(0.95, dim=0))
    return model


def noise() -> list[np.ndarray]:
    """Pictures of the size that the tiny models take, bright and dark ones."""
    draw = np.random.default_rng(9)
    return [draw.integers(0, 256, (SIDE, SIDE, 3), np.uint8) // (1 + i % 4) for i in range(40)]


def rows(pictures: Sequence[np.ndarray]) -> torch.Tensor:
    """As `SCALING` says."""
    return torch.tensor(np.stack(pictures) / 127.5 - 1, dtype=torch.float32).permute(0, 3, 1, 2)


def _embedded(model: Any) -> torch.Tensor:
    embedded: torch.Tensor = model.visual_projection(model.vision_model(rows(noise()))[1])
    return embedded


def save_timm(folder: Path, architecture: str, labels: Sequence[str], *, prefix: str = "", **arguments: Any) -> Path:
    """A timm model as the hub has it, with `prefix` before each weight as transformers' wrapper writes them."""
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(SEED)
    model = timm.create_model(architecture, pretrained=False, num_classes=len(labels), **arguments)
    state = {prefix + k: v.contiguous().clone() for k, v in model.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state, str(folder / "model.safetensors"))
    config = {
        "architecture": architecture,
        "num_classes": len(labels),
        "model_args": arguments,
        "label_names": list(labels),
        "pretrained_cfg": {
            "input_size": [3, SIDE, SIDE],
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "interpolation": "bicubic",
        },
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return folder
