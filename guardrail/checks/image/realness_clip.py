"""CLIP zero-shot (Radford et al. 2021) on how a face was made: an optional backend of `realness.judge_face`.

Loaded from a local folder or the hub's cache, safetensors only, never downloaded. No CLIP model was at hand to be
measured, so no threshold ships: the user measures one with pictures of their own and gives it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardrail.checks import local_models as local
from guardrail.checks.image.face_view import face_view
from guardrail.checks.image.scaling import Scaling
from guardrail.errors import CheckError, ConfigurationError
from guardrail.media.types import Frame

__all__ = ["DEPICTION_PROMPTS", "PHOTOGRAPH_PROMPTS", "ClipRealness", "ClipZeroShot"]

WHAT = "the realness model"
PHOTOGRAPH_PROMPTS = (
    "a photograph of a person's face",
    "a blurry photo of a person",
    "a black and white photograph of a face",
    "a press photo of a person",
    "a selfie",
)
DEPICTION_PROMPTS = (
    "a painting of a face",
    "an oil portrait",
    "a watercolour of a face",
    "a pencil drawing of a face",
    "line art of a face",
    "a cartoon of a face",
    "an anime character",
    "a 3D rendered animation character",
    "a vector illustration of a face",
    "a statue of a head",
    "a doll or a toy",
)
# Side of the look, in lengths of the longer side of the face's box: CLIP knows heads better than skin.
SCALE = 1.6
# Text models read at most so many tokens, and the prompts are far shorter.
MOST_TOKENS = 77


@dataclass(frozen=True, slots=True)
class ClipZeroShot:
    """What `Guard` is given as ``realness_model``; see `ClipRealness.load`."""

    model: str | Path
    at_least: float
    device: str = "cpu"

    def open(self) -> ClipRealness:
        return ClipRealness.load(self.model, self.at_least, self.device)


class ClipRealness:
    """Sure of a depiction where the prompts for depictions have at least `at_least` of the probability.

    Thread-safe. Prompts are the labels: their meaning is in the words, so none can be swapped.
    """

    def __init__(
        self, name: str, weights: dict[str, str], model: Any, texts: Any, scaling: Scaling, at_least: float
    ) -> None:
        self.name = name
        self.weights: Mapping[str, str] = weights
        self.at_least = at_least
        self._model, self._texts, self._scaling = model, texts, scaling
        self._lock = threading.Lock()

    @classmethod
    def load(cls, model: str | Path, at_least: float, device: str = "cpu") -> ClipRealness:
        """From a folder, or a hub id whose files are in the cache.

        Args:
            at_least: in 0.5..1; measured by the user, see the module's docstring.

        Raises:
            ConfigurationError: the threshold is out of range; the folder is not there, has no safetensors weights, no
                tokenizer, no preprocessor_config.json that is understood and fits the model, or is no CLIP model.
            MissingExtra: torch or transformers is not installed.
        """
        if not 0.5 <= at_least <= 1.0:
            raise ConfigurationError(f"{WHAT} needs a threshold between 0.5 and 1, not {at_least}")
        local.require_packages(WHAT)
        found = local.find(model, WHAT)
        key = (cls, found.folder, tuple(found.weights.items()), at_least, device)
        return local.load_once(key, lambda: cls._load(found, at_least, device))

    @classmethod
    def _load(cls, found: local.Found, at_least: float, device: str) -> ClipRealness:
        import torch
        from transformers import CLIPModel

        side = _require_clip(found)
        # As the folder's own files say: means of another model would shift every score.
        scaling = Scaling.of_folder(found.folder, {}, f"{WHAT} {found.folder}")
        if scaling.side != side:
            raise ConfigurationError(f"{WHAT} {found.folder} prepares pictures of another size than the model sees")
        tokenizer = local.load_tokenizer(found.folder, WHAT)
        model = local.load_model(CLIPModel, found.folder, WHAT, device)
        found.require_unchanged()
        rows = []
        with torch.inference_mode():
            for prompt in (*PHOTOGRAPH_PROMPTS, *DEPICTION_PROMPTS):
                ids = tokenizer(prompt, truncation=True, max_length=MOST_TOKENS, return_tensors="pt").to(device)
                rows.append(_unit(model.get_text_features(**ids)))
        texts = torch.cat(rows)
        if not bool(torch.isfinite(texts).all()):
            raise ConfigurationError(f"{WHAT} {found.folder} gives values that are no numbers")
        return cls(found.name, found.weights, model, texts, scaling, at_least)

    def is_depiction(self, image: Frame, box: tuple[float, float, float, float]) -> bool:
        """See `guardrail.checks.image.realness.RealnessBackend`."""
        share = self.depiction_share(image, box)
        return share is not None and share >= self.at_least

    def depiction_share(self, image: Frame, box: tuple[float, float, float, float]) -> float | None:
        """Probability of all depiction prompts together, 0..1; ``None`` where the box does not meet the image.

        Raises:
            CheckError: the model gave a value that is no number.
        """
        import torch

        view = face_view(image, box, SCALE, self._scaling.side, self._scaling.resample)
        if view is None:
            return None
        with self._lock, torch.inference_mode():
            planes = torch.from_numpy(self._scaling.row(view)).to(self._texts.device)
            seen = _unit(self._model.get_image_features(pixel_values=planes))
            logits = (seen @ self._texts.T)[0] * self._model.logit_scale.exp()
            shares = logits.float().softmax(-1)
        if not bool(torch.isfinite(shares).all()):
            raise CheckError(f"{WHAT} gave a value that is no number")
        return float(shares[len(PHOTOGRAPH_PROMPTS) :].sum())


def _require_clip(found: local.Found) -> Any:
    """The side of the pictures that the model sees.

    Raises:
        ConfigurationError: the folder holds another kind of model.
    """
    try:
        config = json.loads((found.folder / "config.json").read_text("utf-8"))
        kind, vision = config.get("model_type"), config.get("vision_config")
    except (OSError, ValueError, AttributeError):
        kind = vision = None
    if kind != "clip":
        raise ConfigurationError(f"{WHAT} {found.folder} is of the kind {kind!r}, not clip")
    # 224 is what transformers takes where a configuration does not say.
    return vision.get("image_size", 224) if isinstance(vision, dict) else 224


def _unit(features: Any) -> Any:
    """Of length one. transformers 5 wraps the features, 4 does not."""
    vectors = getattr(features, "pooler_output", features)
    return vectors / vectors.norm(dim=-1, keepdim=True)
