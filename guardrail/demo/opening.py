"""Opening the pipeline that a program is to run: the tiny one, or one that lies in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guardrail.demo.tiny import tiny_stable_diffusion
from guardrail.errors import ConfigurationError, MissingExtra

__all__ = ["open_pipeline"]


def open_pipeline(model: Path | None) -> Any:
    """The tiny pipeline of the demo, or the one in a folder. Nothing is fetched, no pickle is read.

    Raises:
        ConfigurationError: there is none in the folder.
        MissingExtra: torch or diffusers is not installed.
    """
    if model is None:
        return tiny_stable_diffusion()
    try:
        import diffusers
    except ImportError:
        raise MissingExtra("a pipeline of your own", "diffusers") from None
    if not model.is_dir():
        raise ConfigurationError(f"{model} is no folder: name the folder of a saved diffusers pipeline")
    try:
        pipe: Any = diffusers.DiffusionPipeline.from_pretrained(model, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ConfigurationError(
            f"{model} holds no diffusers pipeline that loads here: {type(error).__name__}"
        ) from None
    pipe.set_progress_bar_config(disable=True)
    return pipe
