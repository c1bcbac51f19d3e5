"""Whether classifier-free guidance is on in a call: without it there is no second prediction to steer by."""

from __future__ import annotations

from typing import Any

from guardrail.pipelines.arguments import Arguments

__all__ = ["guidance_off", "raise_scale", "scale_name"]

# Where several are there, the first is the one that scales the negative prompt: `guidance_scale` beside
# `true_cfg_scale` is a number that a distilled model reads.
_SCALES = ("true_cfg_scale", "guidance_scale", "prior_guidance_scale", "decoder_guidance_scale")
_DISTILLED = "the model is distilled: guidance is an input of it, and a negative prompt none"


def scale_name(arguments: Arguments) -> str:
    """The parameter that scales the negative prompt; empty where there is none."""
    return next((n for n in _SCALES if arguments.accepts(n)), "")


def guidance_off(pipe: Any, arguments: Arguments) -> str:
    """Empty where the call makes a second prediction to be guided away from; otherwise why it makes none."""
    unet = getattr(pipe, "unet", None)
    if getattr(getattr(unet, "config", None), "time_cond_proj_dim", None) is not None:
        return _DISTILLED
    name = scale_name(arguments)
    if not name:
        return _guider_off(pipe)
    value = arguments.get(name)
    if not isinstance(value, int | float) or not _on(pipe, arguments, name, float(value)):
        return f"{name} is {value if isinstance(value, int | float) else 'no number'}: classifier-free guidance is off"
    return ""


def raise_scale(arguments: Arguments, least: float) -> None:
    """Raise the guidance scale of a call to at least `least`. Only where guidance is on: a scale never turns it on."""
    name = scale_name(arguments)
    if name and least > float(arguments.get(name) or 0.0):
        arguments.values[name] = least


def _on(pipe: Any, arguments: Arguments, name: str, scale: float) -> bool:
    """What the pipeline's own property would say of this call; above 1 where it has none.

    Families differ: above 1, above 0 (Z-Image, Krea: ``positive + scale · (positive − negative)``), or not where their
    configuration says that the model is distilled.
    """
    told = getattr(type(pipe), "do_classifier_free_guidance", None)
    if isinstance(told, property) and told.fget is not None and name == "guidance_scale":
        try:
            return bool(told.fget(_Asked(pipe, arguments)))
        except AttributeError:
            # It asks for something that is known only while the call runs.
            return scale > 1.0
    return scale > 1.0


class _Asked:
    """The pipeline as it will be in the call: its scales are those of the arguments."""

    def __init__(self, pipe: Any, arguments: Arguments) -> None:
        self._pipe = pipe
        self._arguments = arguments

    def __getattr__(self, name: str) -> Any:
        given = name.removeprefix("_")
        if given.endswith("guidance_scale") and self._arguments.accepts(given):
            return self._arguments.get(given)
        return getattr(self._pipe, name)


def _guider_off(pipe: Any) -> str:
    """For pipelines whose guidance is a component (HunyuanImage, HunyuanVideo 1.5)."""
    guider = getattr(pipe, "guider", None)
    if guider is None:
        return "the pipeline has no classifier-free guidance"
    on = getattr(guider, "_enabled", False) and getattr(guider, "num_conditions", 1) > 1
    return "" if on else "the pipeline's guider makes one prediction: guidance is off"
