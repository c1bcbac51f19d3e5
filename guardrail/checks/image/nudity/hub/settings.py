"""Which second opinions there are and how a user names them: in code, or in a file of JSON or YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from guardrail.checks.base import NudityModel
from guardrail.checks.image.nudity.combination import Combination, SecondOpinion
from guardrail.checks.named_models import read_models
from guardrail.errors import ConfigurationError

__all__ = ["HubClassifier", "SafetyChecker", "read_settings"]


@dataclass(frozen=True, kw_only=True)
class _Common:
    """What all kinds share.

    Args:
        model: a folder with ``config.json`` and safetensors weights; or an id such as ``org/name`` of what is in the
            hub's cache already.
        ask, rule, sure: see `guardrail.checks.image.nudity.Combination`; the same for all models of a guard.
        partial, explicit: what the model itself must say, 0..1, for a score of 0.35 and of 0.65, the places of the
            shipped thresholds. Between them, and to 0 and 1, the score is linear. As given the score is what the model
            says, which nobody calibrated for your pictures: measure, and set both.
        name: in decisions; by default the hub's id, or the last part of the folder.
        device: where it runs, as torch names it.
        timeout_s: what it adds to the time limit of the check, seconds.
    """

    model: str | Path
    ask: Literal["grey", "always"] = "grey"
    rule: Literal["stricter", "second"] = "stricter"
    sure: float = 0.65
    partial: float = 0.35
    explicit: float = 0.65
    name: str = ""
    device: str = "cpu"
    timeout_s: float = 30.0

    @property
    def combination(self) -> Combination:
        return Combination(self.ask, self.rule, self.sure)

    def __post_init__(self) -> None:
        if not 0.0 < self.partial < self.explicit < 1.0:
            raise ConfigurationError(
                f"a nudity model's calibration needs 0 < partial < explicit < 1, not {self.partial:g} and "
                f"{self.explicit:g}"
            )
        if not self.timeout_s > 0:
            raise ConfigurationError("a nudity model needs a timeout_s over 0")
        # Refused now, not when the check is made.
        _ = self.combination


@dataclass(frozen=True, kw_only=True)
class HubClassifier(_Common):
    """An image classifier of transformers (such as Falconsai's ViT) or of timm (Marqo's ViT-tiny, Freepik's EVA02).

    Args:
        labels: for models that are not known by their labels: each of the model's own names → ``harmless``,
            ``suggestive``, ``partial`` or ``explicit``.
    """

    labels: Mapping[str, str] = field(default_factory=dict, hash=False)

    def open(self) -> SecondOpinion:
        from guardrail.checks.image.nudity.hub.classifier import ClassifierOpinion

        return ClassifierOpinion.load(self)


@dataclass(frozen=True, kw_only=True)
class SafetyChecker(_Common):
    """The safety checker of Stable Diffusion: 17 concepts nobody names, by their likeness to the picture.

    Args:
        adjustment: added to every likeness; higher is stricter. Its own code uses 0.
    """

    adjustment: float = 0.0

    def open(self) -> SecondOpinion:
        from guardrail.checks.image.nudity.hub.safety_checker import SafetyCheckerOpinion

        return SafetyCheckerOpinion.load(self)


_KINDS: Mapping[str, Any] = {"classifier": HubClassifier, "safety-checker": SafetyChecker}


def read_settings(path: str | Path) -> tuple[NudityModel, ...]:
    """The models that a file names: a list of mappings, each with ``kind`` (classifier, safety-checker) and the
    arguments of that class. Folders are relative to the file.

    Raises:
        ConfigurationError: it cannot be read, or names something unknown; with the place in the list.
    """
    return read_models(path, "nudity model", _KINDS, _labels)


def _labels(given: dict[str, Any], where: str) -> None:
    if not isinstance(given.get("labels", {}), dict):
        raise ConfigurationError(f"{where}: labels must be a mapping from the model's names to grades")
