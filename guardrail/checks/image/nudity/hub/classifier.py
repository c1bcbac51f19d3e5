"""An image classifier as a second opinion: ViT and other architectures of transformers, or any model of timm."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from guardrail.checks import local_models as local
from guardrail.checks.image.nudity.hub.folder import calibrated, read_config
from guardrail.checks.image.nudity.hub.labels import Labels, Library, label_names, meaning
from guardrail.checks.image.scaling import Scaling
from guardrail.errors import CheckError, ConfigurationError
from guardrail.media.types import Frame

if TYPE_CHECKING:
    from guardrail.checks.image.nudity.hub.settings import HubClassifier

__all__ = ["ClassifierOpinion"]

WHAT = "the nudity classifier"
# A model that calls every one of some harmless drawings nude has its labels swapped, whatever they are called.
SWAPPED = 0.9


class ClassifierOpinion:
    """See `guardrail.checks.image.nudity.combination.SecondOpinion`."""

    def __init__(self, asked: HubClassifier, name: str, weights: Mapping[str, str], loaded: _Loaded) -> None:
        self.name = asked.name or name
        self.timeout_s = asked.timeout_s
        self.weights = weights
        self._asked = asked
        self._loaded = loaded

    @classmethod
    def load(cls, asked: HubClassifier) -> ClassifierOpinion:
        """The opinion that the user asked for.

        Raises:
            ConfigurationError: no such folder, no safetensors, weights that are missing or left over, labels that are
                unknown, contradict each other or seem to be swapped; MissingExtra without torch or timm.
        """
        local.require_packages(WHAT)
        found = local.find(asked.model, WHAT)
        key = (cls, found.folder, tuple(found.weights.items()), tuple(sorted(asked.labels.items())), asked.device)
        loaded = local.load_once(key, lambda: _Loaded(asked, found))
        return cls(asked, found.name, found.weights, loaded)

    def score(self, image: Frame) -> float:
        return calibrated(self._loaded.score(image), self._asked.partial, self._asked.explicit)


class _Loaded:
    """A model, its labels and its scaling; shared by all opinions of the same files."""

    def __init__(self, asked: HubClassifier, found: local.Found) -> None:
        where = f"{WHAT} {found.name}"
        config = read_config(found)
        library: Library = "timm" if "architecture" in config else "transformers"
        if library == "timm":
            from guardrail.checks.image.nudity.hub.timm_model import load_timm

            self._model, outputs = load_timm(found, config, WHAT, asked.device)
        else:
            from transformers import AutoModelForImageClassification

            self._model = local.load_model(AutoModelForImageClassification, found.folder, WHAT, asked.device)
            outputs = int(self._model.config.num_labels)
        found.require_unchanged()
        self._device = asked.device
        self._scaling = Scaling.of_folder(found.folder, config, where)
        self._labels: Labels = meaning(label_names(config, outputs, where), library, asked.labels, where)
        self._lock = threading.Lock()
        self._require_plausible(where)

    def score(self, image: Frame) -> float:
        """0..1, before calibration; the worst of all pieces of the picture.

        Raises:
            CheckError: the model gave a number that is not finite.
        """
        import torch

        worst = 0.0
        with self._lock, torch.inference_mode():
            for row in self._scaling.rows(image):
                # One piece at a time: neighbours would move the last bits of a score.
                given = torch.from_numpy(row).to(self._device)
                said: Any = self._model(given)
                logits = (said.logits if hasattr(said, "logits") else said)[0].double().cpu()
                if not bool(torch.isfinite(logits).all()):
                    raise CheckError(f"{WHAT} gave a value that is no number")
                worst = max(worst, self._labels.score(logits.softmax(-1).numpy()))
        return min(worst, 1.0)

    def _require_plausible(self, where: str) -> None:
        try:
            scores = [self.score(picture) for picture in _harmless()]
        except CheckError as error:
            raise ConfigurationError(f"{where}: {error}") from None
        if min(scores) > SWAPPED:
            raise ConfigurationError(
                f"{where} calls every one of {len(scores)} harmless drawings nude (over {SWAPPED:g}): its labels seem "
                "to be swapped; if they are right, it is of no use"
            )


def _harmless() -> list[Frame]:
    """A grey picture, a sky over a meadow, a red barn, a chessboard: drawn here."""
    grey = np.full((96, 96, 3), 128, np.uint8)
    sky = np.linspace((90, 150, 220), (200, 225, 245), 96)[:, None].repeat(96, 1).round().astype(np.uint8)
    sky[60:] = (70, 140, 60)
    barn = sky.copy()
    barn[30:70, 20:60] = (150, 40, 35)
    board = np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((12, 12), int)).astype(np.uint8)[..., None] * np.uint8(255)
    return [grey, sky, barn, np.repeat(board, 3, -1)]
