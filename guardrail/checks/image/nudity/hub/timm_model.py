"""Models of timm from a local folder: ``config.json`` with ``architecture``, and one safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardrail.checks import local_models as local
from guardrail.errors import ConfigurationError, MissingExtra

__all__ = ["load_timm"]


def load_timm(found: local.Found, config: Mapping[str, Any], what: str, device: str) -> tuple[Any, int]:
    """The model in evaluation mode on `device`, and how many outputs it has. All weights of the file are used, and none
    is left at random.

    Raises:
        MissingExtra: timm is not installed.
        ConfigurationError: an architecture that timm does not know, or weights that are not its.
    """
    try:
        import timm
    except ImportError:
        raise MissingExtra(f"{what} {found.name}", "timm") from None
    from safetensors.torch import load_file

    if len(found.weights) != 1:
        raise ConfigurationError(f"{what} {found.folder} must have one safetensors file, not {len(found.weights)}")
    try:
        outputs = int(config["num_classes"])
        arguments = dict(config.get("model_args") or {})
        with local.quietly():
            model = timm.create_model(str(config["architecture"]), pretrained=False, num_classes=outputs, **arguments)
        (file,) = found.weights
        # transformers' wrapper writes the same weights under a prefix.
        state = {k.removeprefix("timm_model."): v for k, v in load_file(str(found.folder / file)).items()}
        model.load_state_dict(state, strict=True)
        return model.eval().requires_grad_(False).float().to(device), outputs
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise ConfigurationError(f"{what} {found.folder} does not load: {type(error).__name__}: {first}") from error
