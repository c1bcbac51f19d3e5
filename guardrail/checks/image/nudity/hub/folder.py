"""What all second opinions share: the configuration of their folder, and the scale of the signal."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from guardrail.checks import local_models as local
from guardrail.errors import ConfigurationError

__all__ = ["calibrated", "read_config"]

# Where the shipped thresholds lie.
PARTIAL, EXPLICIT = 0.35, 0.65


def read_config(found: local.Found) -> dict[str, Any]:
    """``config.json`` of a model folder.

    Raises:
        ConfigurationError: it is no JSON object.
    """
    try:
        config = json.loads((found.folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{found.folder}/config.json cannot be read: {type(error).__name__}") from None
    if not isinstance(config, dict):
        raise ConfigurationError(f"{found.folder}/config.json must hold an object")
    return config


def calibrated(said: float, partial: float, explicit: float) -> float:
    """What the model says, on the scale of the signal."""
    return float(np.interp(said, (0.0, partial, explicit, 1.0), (0.0, PARTIAL, EXPLICIT, 1.0)))
