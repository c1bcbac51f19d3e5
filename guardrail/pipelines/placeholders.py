"""What stands in the place of a blocked output: neutral pixels of the same size and type, without running the model."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from guardrail.media.types import Frame
from guardrail.pipelines.arguments import Arguments
from guardrail.pipelines.inputs import CallInputs
from guardrail.pipelines.outputs import MEDIA_FIELDS
from guardrail.pipelines.sources import ignored_numbers, returned_values
from guardrail.pipelines.steps.hosts import Host, makes_pixels

__all__ = ["COUNTS", "blank_media", "empty_result", "flagged", "output_size", "outputs_per_prompt", "placeholder"]

GREY = 160
COUNTS = ("num_images_per_prompt", "num_videos_per_prompt", "num_outputs_per_prompt", "num_waveforms_per_prompt")
NOTE = "This picture was not made."


@lru_cache(maxsize=32)
def placeholder(height: int, width: int) -> Frame:
    """A grey (height, width, 3) frame; from 200 pixels on it says that the picture was not made."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (width, height), (GREY, GREY, GREY))
    if min(height, width) >= 200:
        draw = ImageDraw.Draw(picture)
        font = ImageFont.load_default(max(12, width // 18))
        draw.text((width / 2, height / 2), NOTE, fill=(90, 90, 90), font=font, anchor="mm")
    frame = np.asarray(picture)
    frame.flags.writeable = False
    return frame


def outputs_per_prompt(arguments: Arguments) -> int:
    """How many outputs the call makes for each prompt."""
    ignored = ignored_numbers(arguments.call)
    for name in COUNTS:
        value = ignored.get(name, arguments.get(name))
        if isinstance(value, int) and value > 0:
            return value
    return 1


def output_size(pipe: Any, arguments: Arguments, inputs: CallInputs) -> tuple[int, int]:
    """Height and width in pixels of what the call would make."""
    height, width = arguments.get("height"), arguments.get("width")
    scale = getattr(pipe, "vae_scale_factor", None)
    if not isinstance(scale, int):
        scale = 1 if makes_pixels(pipe) and not Host(pipe, None).autoencoder_name else 8
    if not (isinstance(height, int) and isinstance(width, int)):
        pictures = [p for p in inputs.pictures if p.leaf.argument in ("image", "video", "init_image", "control_image")]
        if pictures and not (height or width):
            height, width = (side // scale * scale for side in pictures[0].image.size)
        else:
            default = _default_side(pipe, scale)
            height, width = height or default[0], width or default[1]
    return int(height), int(width)


def _default_side(pipe: Any, scale: int) -> tuple[int, int]:
    size: Any = getattr(pipe, "default_sample_size", None)
    if size is None:
        for name in ("unet", "transformer"):
            config = getattr(getattr(pipe, name, None), "config", None)
            size = size or getattr(config, "sample_size", None)
    if isinstance(size, int):
        return size * scale, size * scale
    if isinstance(size, list | tuple) and len(size) == 2:
        return int(size[0]) * scale, int(size[1]) * scale
    return 1024, 1024


def empty_result(pipe: Any, call: Any, arguments: Arguments, inputs: CallInputs) -> Any | None:
    """The return value of a call that is blocked as a whole, made without running the pipeline.

    Returns:
        ``None`` where class or form cannot be told from the pipeline's own code (latents, unusual output types).
    """
    form = arguments.get("output_type", "pil")
    made = _return_forms(call)
    if form not in ("pil", "np", "pt") or made is None:
        return None
    output_class, field, others, tuple_length = made
    height, width = output_size(pipe, arguments, inputs)
    count = inputs.count * outputs_per_prompt(arguments)
    frames = arguments.get("num_frames") if field == "frames" else None
    frames = frames if isinstance(frames, int) else 1
    media = blank_media(str(form), count, frames, height, width, video=field == "frames")
    flags = [True] * count
    if not arguments.get("return_dict", True):
        return (media, *([flags] if "nsfw_content_detected" in others else [None]) * (tuple_length - 1))
    rest = {name: flags if name == "nsfw_content_detected" else None for name in others}
    return output_class(**{field: media}, **rest)


def blank_media(form: str, count: int, frames: int, height: int, width: int, *, video: bool) -> Any:
    """Placeholders in the form of `count` pictures, or videos of `frames`: PIL images, or a batch of floats in 0..1."""
    frame = placeholder(height, width)
    if form == "pil":
        from PIL.Image import fromarray

        return [[fromarray(frame) for _ in range(frames)] if video else fromarray(frame) for _ in range(count)]
    pixels = frame.astype(np.float32) / 255
    batch = np.broadcast_to(pixels, (count, frames, *pixels.shape) if video else (count, *pixels.shape)).copy()
    if form == "np":
        return batch
    import torch

    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(batch, -1, -3)))


@lru_cache(maxsize=64)
def _return_forms(call: Any) -> tuple[Any, str, tuple[str, ...], int] | None:
    """(output class, its media field, its other fields, length of the tuple form), read from the pipeline's source."""
    returns = returned_values(call)
    length = max((len(r.elts) for r in returns if isinstance(r, ast.Tuple)), default=1)
    for value in reversed(returns):
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id.endswith("Output"):
            names = tuple(k.arg for k in value.keywords if k.arg)
            field = next((n for n in names if n in MEDIA_FIELDS), None)
            scope: Mapping[str, Any] = getattr(inspect.unwrap(call), "__globals__", {})
            if field is not None and value.func.id in scope:
                return scope[value.func.id], field, tuple(n for n in names if n != field), length
    return None


def flagged(value: Any, blocked: Sequence[bool], call: Callable[..., Any]) -> Any:
    """``nsfw_content_detected`` filled where the class has it and something was blocked: callers read it."""
    if any(blocked) and hasattr(value, "nsfw_content_detected") and hasattr(value, "keys"):
        value["nsfw_content_detected"] = _either(value.nsfw_content_detected, blocked)
    elif any(blocked) and type(value) is tuple and len(value) == 2 and _has_flags(call):
        return value[0], _either(value[1], blocked)
    return value


def _either(old: Sequence[Any] | None, blocked: Sequence[bool]) -> list[bool]:
    return [bool(a) or b for a, b in zip(old or [False] * len(blocked), blocked, strict=True)]


def _has_flags(call: Any) -> bool:
    """Whether the tuple form of what a pipeline returns is the pictures and ``nsfw_content_detected``."""
    made = _return_forms(call)
    return made is not None and made[3] == 2 and "nsfw_content_detected" in made[2]
