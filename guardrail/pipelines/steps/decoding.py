"""From the latents that a step is heading for to pixels that a check can look at."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from guardrail.errors import UnsupportedInput
from guardrail.media.types import Frame
from guardrail.pipelines.latents import UNIT_RANGE, autoencoder_latents, unpacked
from guardrail.pipelines.steps.hosts import Host, makes_pixels
from guardrail.pipelines.steps.linear import is_video, linear_map

__all__ = ["prepare", "preview_frames"]


def prepare(host: Host, decoder: Any) -> None:
    """Whatever decoding needs and is slow to make, before a call begins.

    Raises:
        UnsupportedInput: there is no decoding the latents of this host.
    """
    if decoder is None and host.autoencoder is not None:
        linear_map(host.autoencoder, unit=host.autoencoder_name in UNIT_RANGE)


def preview_frames(host: Host, decoder: Any, x0: Any, size: tuple[int, int]) -> list[Frame]:
    """One (H, W, 3) uint8 picture for each row of x0; of a video the middle frame.

    Args:
        decoder: as in `PreviewSettings`.
        x0: latents in the scale of the pipeline, packed or not; or RGB in −1..1 where the denoiser works on pixels.
        size: height and width in pixels of the output, to unpack by.

    Raises:
        UnsupportedInput: latents of a form that is not known here.
    """
    import torch

    with torch.no_grad():
        autoencoder = host.autoencoder
        if autoencoder is None:
            if not makes_pixels(host.pipe) or x0.ndim != 4 or x0.shape[1] != 3:
                raise UnsupportedInput(f"{type(host.pipe).__name__} has no autoencoder, and x0 is no picture")
            return _eight_bits(x0 / 2 + 0.5)
        z = unpacked(host.pipe, x0, *size) if x0.ndim == 3 else x0
        z = _one_frame(z, _channels(autoencoder))
        if decoder is not None and decoder != "vae":
            return _eight_bits(_decoded(decoder, autoencoder_latents(decoder, z)) / 2 + 0.5)
        unit = host.autoencoder_name in UNIT_RANGE
        raw = autoencoder_latents(autoencoder, z, host.autoencoder_name)
        if decoder is None:
            fitted = linear_map(autoencoder, unit=unit)
            if fitted.weight.shape[1] != raw.shape[1]:
                raise UnsupportedInput("latents with another number of channels than the autoencoder has")
            return _eight_bits(fitted(raw))
        pixels = _decoded(autoencoder, raw)
        return _eight_bits(pixels if unit else pixels / 2 + 0.5)


def _channels(autoencoder: Any) -> int | None:
    config = getattr(autoencoder, "config", None)
    found = (getattr(config, n, None) for n in ("latent_channels", "z_dim"))
    return next((c for c in found if isinstance(c, int)), None)


def _one_frame(z: Any, channels: int | None) -> Any:
    """(B, C, h, w) from that, from (B, C, T, h, w) or from (B, T, C, h, w): the frame in the middle."""
    if z.ndim == 5:
        over_time = 1 if channels is not None and z.shape[1] != channels and z.shape[2] == channels else 2
        z = z.select(over_time, z.shape[over_time] // 2)
    if z.ndim != 4:
        raise UnsupportedInput(f"latents with {z.ndim} dimensions")
    if channels is not None and z.shape[1] != channels:
        raise UnsupportedInput("latents with another number of channels than the autoencoder has")
    return z


def _decoded(decoder: Any, z: Any) -> Any:
    """(B, 3, H, W) of whatever a decoder returns for (B, C, h, w)."""
    parameter = next(decoder.parameters(), None) if hasattr(decoder, "parameters") else None
    if parameter is not None:
        z = z.to(device=getattr(decoder, "device", parameter.device), dtype=parameter.dtype)
    more = {"force_not_quantize": True} if "force_not_quantize" in inspect.signature(decoder.decode).parameters else {}
    made = decoder.decode(z.unsqueeze(2) if is_video(decoder) else z, **more)
    pixels = made[0] if isinstance(made, tuple) else getattr(made, "sample", made)
    pixels = pixels.float()
    if pixels.ndim == 5:
        pixels = pixels[:, :, pixels.shape[2] // 2]
    if pixels.ndim != 4 or pixels.shape[1] != 3:
        raise UnsupportedInput("the decoder gives no RGB pictures")
    return pixels


def _eight_bits(pixels: Any) -> list[Frame]:
    """(H, W, 3) uint8 pictures of (B, 3, H, W) values in 0..1.

    Raises:
        UnsupportedInput: values that are not finite.
    """
    import torch

    if not bool(torch.isfinite(pixels).all()):
        raise UnsupportedInput("a preview with pixels that are not numbers")
    array = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return [np.ascontiguousarray(frame) for frame in array]
