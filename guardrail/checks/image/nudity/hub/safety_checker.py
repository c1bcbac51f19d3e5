"""The safety checker of Stable Diffusion as a second opinion (Rando et al. 2022, arXiv 2210.04610).

A picture's CLIP embedding is compared with 17 concepts that its authors did not name, each with a threshold of its own;
three more ("special care") lower the thresholds by 0.01 where they are near. The best likeness over its threshold is
turned into a score: 0.5 at the threshold, 0 and 1 at a cosine of 0.1 below and above it. It sees sexual content only,
and is known to fire on harmless pictures.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from guardrail.checks import local_models as local
from guardrail.checks.image.nudity.hub.folder import calibrated, read_config
from guardrail.checks.image.scaling import Scaling
from guardrail.errors import CheckError, ConfigurationError, MissingExtra
from guardrail.media.types import Frame

if TYPE_CHECKING:
    from guardrail.checks.image.nudity.hub.settings import SafetyChecker

__all__ = ["SafetyCheckerOpinion"]

WHAT = "the safety checker"
SPAN = 0.1
SPECIAL_CARE = 0.01
# CLIP's own, where the folder does not say (openai/clip-vit-large-patch14).
CLIP_MEAN, CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
BICUBIC = 3


class SafetyCheckerOpinion:
    """See `guardrail.checks.image.nudity.combination.SecondOpinion`."""

    def __init__(self, asked: SafetyChecker, name: str, weights: Mapping[str, str], loaded: _Loaded) -> None:
        self.name = asked.name or name
        self.timeout_s = asked.timeout_s
        self.weights = weights
        self._asked = asked
        self._loaded = loaded

    @classmethod
    def load(cls, asked: SafetyChecker) -> SafetyCheckerOpinion:
        """The opinion that the user asked for.

        Raises:
            ConfigurationError: no such folder, no safetensors, another model, or concepts that were never trained;
                MissingExtra without torch or diffusers.
        """
        local.require_packages(WHAT)
        found = local.find(asked.model, WHAT)
        key = (cls, found.folder, tuple(found.weights.items()), asked.device)
        return cls(asked, found.name, found.weights, local.load_once(key, lambda: _Loaded(asked, found)))

    def score(self, image: Frame) -> float:
        over = self._loaded.over(image, self._asked.adjustment)
        raw = min(1.0, max(0.0, 0.5 + 0.5 * over / SPAN))
        return calibrated(raw, self._asked.partial, self._asked.explicit)


class _Loaded:
    def __init__(self, asked: SafetyChecker, found: local.Found) -> None:
        try:
            from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
        except ImportError:
            raise MissingExtra(WHAT, "diffusers") from None

        config = read_config(found)
        if "StableDiffusionSafetyChecker" not in config.get("architectures", ()):
            raise ConfigurationError(f"{WHAT} {found.folder} is of another architecture: {config.get('architectures')}")
        self._model: Any = local.load_model(StableDiffusionSafetyChecker, found.folder, WHAT, asked.device)
        found.require_unchanged()
        self._device = asked.device
        self._scaling = _scaling(found, config)
        self._lock = threading.Lock()
        self._require_trained(found)

    def _require_trained(self, found: local.Found) -> None:
        """Its class begins with ones everywhere: such a file would be near nothing, and near everything."""
        import torch

        for name in ("concept_embeds", "special_care_embeds", "concept_embeds_weights", "special_care_embeds_weights"):
            values = getattr(self._model, name)
            if not bool(torch.isfinite(values).all()) or bool((values == values.flatten()[0]).all()):
                raise ConfigurationError(f"{WHAT} {found.folder}: {name} were never trained")

    def over(self, image: Frame, adjustment: float) -> float:
        """By how much the likeness to any concept is over its threshold, the most over all pieces of the picture."""
        import torch
        from torch.nn.functional import normalize

        m = self._model
        worst = -float("inf")
        with self._lock, torch.inference_mode():
            for row in self._scaling.rows(image):
                pooled = m.vision_model(torch.from_numpy(row).to(self._device))[1]
                embedding = normalize(m.visual_projection(pooled).float())
                special = embedding @ normalize(m.special_care_embeds.float()).T - m.special_care_embeds_weights
                concepts = embedding @ normalize(m.concept_embeds.float()).T - m.concept_embeds_weights
                care = SPECIAL_CARE if bool((special + adjustment > 0).any()) else 0.0
                most = float(concepts.max()) + adjustment + care
                if not bool(torch.isfinite(concepts).all() and torch.isfinite(special).all()):
                    raise CheckError(f"{WHAT} gave a value that is no number")
                worst = max(worst, most)
        return worst


def _scaling(found: local.Found, config: Mapping[str, Any]) -> Scaling:
    """The folder's own; a pipeline keeps it beside, in ``feature_extractor``; else CLIP's."""
    if (found.folder / "preprocessor_config.json").is_file():
        return Scaling.of_folder(found.folder, config, WHAT)
    beside = found.folder.parent / "feature_extractor"
    if (beside / "preprocessor_config.json").is_file():
        return Scaling.of_folder(beside, config, WHAT)
    side = config.get("vision_config", {}).get("image_size", 224)
    return Scaling(int(side), CLIP_MEAN, CLIP_DEVIATION, BICUBIC)
