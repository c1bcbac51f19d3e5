"""Decoding a private copy of latents, so that what leaves as latents was looked at all the same.

Latents come out scaled by the autoencoder's own configuration: (z − shift) · scale, or (z − mean) / std per channel;
some pipelines pack 2×2 patches into a sequence. Anything else is not guessed at.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from guardrail.errors import UnsupportedInput
from guardrail.media import ImageInput, Role
from guardrail.pipelines.pixels import eight_bits

__all__ = ["UNIT_RANGE", "autoencoder_latents", "decode_latents", "unpacked"]

# Autoencoders, by the name under which a pipeline has them, that work on pixels in 0..1; all others in −1..1.
UNIT_RANGE = ("vqgan",)


def decode_latents(pipe: Any, latents: Any, height: int, width: int) -> ImageInput:
    """The picture or video in latents of one output, (1, …).

    Args:
        height, width: of the picture in pixels, needed to unpack sequences.

    Raises:
        UnsupportedInput: there is no autoencoder, or the latents are of a form that is not known here.
    """
    import torch

    vae = getattr(pipe, "vae", None)
    if vae is None or not callable(getattr(vae, "decode", None)):
        raise UnsupportedInput(f"{type(pipe).__name__} has no autoencoder: its latents cannot be decoded for a check")
    with torch.no_grad():
        z = unpacked(pipe, latents, height, width) if latents.ndim == 3 else latents
        z = autoencoder_latents(vae, z).to(dtype=next(vae.parameters()).dtype)
        video = z.ndim == 5
        if video and type(vae).__name__ == "AutoencoderKL":
            z = z.permute(0, 2, 1, 3, 4).flatten(0, 1)
        if z.ndim not in (4, 5):
            raise UnsupportedInput(f"latents with {z.ndim} dimensions")
        decoded = vae.decode(z, return_dict=False)[0]
        pixels = (decoded.float() / 2 + 0.5).clamp(0, 1)
        # (1, C, T, H, W) of video autoencoders, (T, C, H, W) of frames decoded one by one.
        pixels = pixels[0].permute(1, 2, 3, 0) if pixels.ndim == 5 else pixels.permute(0, 2, 3, 1)
        frames = tuple(eight_bits(np.asarray(f)) for f in pixels.cpu().numpy())
    return ImageInput(frames, "output", 0, Role.OUTPUT)


def unpacked(pipe: Any, z: Any, height: int, width: int) -> Any:
    """Latents as pictures from a sequence of 2×2 patches, (B, h·w/4, 4·C), by the pipeline's own method.

    Raises:
        UnsupportedInput: the pipeline has none, or one that wants to know more.
    """
    unpack = getattr(pipe, "_unpack_latents", None)
    if unpack is None:
        raise UnsupportedInput("packed latents without a way to unpack them")
    if list(inspect.signature(unpack).parameters) != ["latents", "height", "width", "vae_scale_factor"]:
        raise UnsupportedInput("latents that are packed in an unusual way")
    return unpack(z, height, width, pipe.vae_scale_factor)


def autoencoder_latents(autoencoder: Any, z: Any, name: str = "vae") -> Any:
    """Latents in the scale of the autoencoder from those of a pipeline, (B, C, …).

    Args:
        name: under which the pipeline has it: some families scale otherwise (``movq``: not at all; ``vqgan``: by a
            factor of its own).

    Raises:
        UnsupportedInput: latents with another number of channels than it has.
    """
    import torch

    config = getattr(autoencoder, "config", None)
    if name == "movq":
        return z
    if name == "vqgan":
        return z * float(getattr(config, "scale_factor", 1.0))
    mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is not None and std is not None:
        if len(mean) != z.shape[1]:
            raise UnsupportedInput("latents with another number of channels than the autoencoder has")
        shape = (1, -1, *([1] * (z.ndim - 2)))
        return z * torch.tensor(std, device=z.device, dtype=z.dtype).view(shape) + torch.tensor(
            mean, device=z.device, dtype=z.dtype
        ).view(shape)
    channels = getattr(config, "latent_channels", None)
    if channels is not None and channels != z.shape[1]:
        raise UnsupportedInput("latents with another number of channels than the autoencoder has")
    scale = getattr(config, "scaling_factor", None) or 1.0
    return z / scale + (getattr(config, "shift_factor", None) or 0.0)
