"""Colours straight from latents: a linear map fitted to an autoencoder by what it makes of drawn pictures.

Least squares with a bias and a small ridge, in closed form: 3×3 neighbouring latents to a patch of RGB. Nothing is
downloaded and nothing is trained; a map belongs to the autoencoder that it was fitted to and is kept as long as that.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from guardrail.errors import UnsupportedInput
from guardrail.pipelines.steps.drawn import drawn_pictures

__all__ = ["LinearMap", "fit", "is_video", "linear_map"]

PICTURES, HELD_OUT, SIDE = 16, 4, 128
SEED = 20261128
REACH = 3
MOST_PATCH = 4
RIDGE = 1e-4
# Below this share of explained variance on pictures that it was not fitted to, a map shows nothing that a check could
# read.
LEAST_R2 = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class LinearMap:
    """RGB from latents in the autoencoder's own scale.

    Args:
        weight: (3·patch², channels, 3, 3) float32; bias: (3·patch²,) float32, both on the CPU.
        patch: side in pixels of what one latent becomes.
        r2: explained variance on drawn pictures that were not used for the fit.
    """

    weight: Any
    bias: Any
    patch: int
    r2: float

    def __call__(self, latents: Any) -> Any:
        """(B, channels, h, w) latents to (B, 3, patch·h, patch·w) pixels in 0..1, float32, on their device."""
        import torch.nn.functional as f

        z = latents.float()
        padded = f.pad(z, (REACH // 2,) * 4, mode="replicate")
        pixels = f.conv2d(padded, self.weight.to(z.device), self.bias.to(z.device))
        return f.pixel_shuffle(pixels, self.patch).clamp(0, 1)


def fit(autoencoder: Any, *, unit: bool = False) -> LinearMap:
    """Fit a map to an autoencoder of pictures or of video. Draws nothing from any random state but its own.

    Args:
        unit: it works on pixels in 0..1, not in −1..1.

    Raises:
        UnsupportedInput: it has no encoder, or its latents are no linear image of colours.
    """
    import torch
    import torch.nn.functional as f

    if not callable(getattr(autoencoder, "encode", None)):
        raise UnsupportedInput(f"{type(autoencoder).__name__} has no encoder")
    with torch.no_grad():
        side = SIDE * max(1, _shrinks(autoencoder) // 8)
        pictures = torch.from_numpy(drawn_pictures(PICTURES + HELD_OUT, side, seed=SEED))
        z = torch.cat(
            [encoded(autoencoder, part if unit else part * 2 - 1).float().cpu() for part in torch.split(pictures, 4)]
        )
        if z.ndim != 4 or not bool(torch.isfinite(z).all()):
            raise UnsupportedInput(f"{type(autoencoder).__name__} encodes to something else than one latent picture")
        patch = max(p for p in (1, 2, MOST_PATCH) if p <= max(1, side // z.shape[-1]))
        small = f.interpolate(pictures, (z.shape[-1] * patch,) * 2, mode="area")
        x = f.unfold(f.pad(z, (REACH // 2,) * 4, mode="replicate"), REACH).double()
        y = f.pixel_unshuffle(small, patch).flatten(2).double()
        solution = _least_squares(_rows(x[:PICTURES]), _rows(y[:PICTURES]))
        r2 = _explained(_rows(x[PICTURES:]), _rows(y[PICTURES:]), solution)
        if not r2 >= LEAST_R2:
            raise UnsupportedInput(f"the latents of {type(autoencoder).__name__} say little of colours (R² {r2:.2f})")
        weight = solution[:-1].T.reshape(3 * patch * patch, z.shape[1], REACH, REACH).float().contiguous()
        return LinearMap(weight, solution[-1].float().contiguous(), patch, r2)


def _shrinks(autoencoder: Any) -> int:
    """How many pixels one latent stands for along a side."""
    import torch

    tried = encoded(autoencoder, torch.zeros(1, 3, SIDE, SIDE))
    return SIDE // int(tried.shape[-1])


def encoded(autoencoder: Any, pixels: Any) -> Any:
    """(B, C, h, w) latents of (B, 3, H, W) pixels in −1..1: the mode, not a draw; one frame of a video."""
    parameter = next(autoencoder.parameters())
    device = getattr(autoencoder, "device", parameter.device)
    x = pixels.to(device=device, dtype=parameter.dtype)
    if is_video(autoencoder):
        x = x.unsqueeze(2)
    made = autoencoder.encode(x)
    latents = next((v for n in ("latents", "latent") if (v := getattr(made, n, None)) is not None), None)
    if latents is None:
        latents = made.latent_dist.mode()
    return latents[:, :, 0] if latents.ndim == 5 else latents


def is_video(autoencoder: Any) -> bool:
    """Whether its first convolution goes through time as well."""
    import torch

    convolutions = (torch.nn.Conv2d, torch.nn.Conv3d)
    modules = autoencoder.modules() if hasattr(autoencoder, "modules") else ()
    first = next((m for m in modules if isinstance(m, convolutions)), None)
    return isinstance(first, torch.nn.Conv3d)


def _rows(columns: Any) -> Any:
    return columns.transpose(1, 2).flatten(0, 1)


def _with_bias(x: Any) -> Any:
    import torch

    return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)


def _least_squares(x: Any, y: Any) -> Any:
    """Ridge regression with an unpunished bias, features (n, k) to targets (n, m): (k + 1, m), the bias last."""
    import torch

    x = _with_bias(x)
    ridge = torch.eye(x.shape[1], dtype=x.dtype) * (RIDGE * float((x[:, :-1] ** 2).mean()) * len(x))
    ridge[-1, -1] = 0
    return torch.linalg.solve(x.T @ x + ridge, x.T @ y)


def _explained(x: Any, y: Any, solution: Any) -> float:
    rest = float(((y - _with_bias(x) @ solution) ** 2).sum())
    return 1 - rest / float(((y - y.mean(0)) ** 2).sum())


# ---- kept as long as the autoencoder, and by its weights

_lock = threading.Lock()
_of_object: weakref.WeakKeyDictionary[Any, tuple[Any, LinearMap | str]] = weakref.WeakKeyDictionary()
_of_weights: OrderedDict[str, LinearMap | str] = OrderedDict()
MOST_KEPT = 8


def linear_map(autoencoder: Any, *, unit: bool = False) -> LinearMap:
    """The map of an autoencoder, fitted at the first call for its weights. Why it failed is kept as well.

    Raises:
        UnsupportedInput: as `fit`.
    """
    token = _token(autoencoder)
    with _lock:
        kept = _of_object.get(autoencoder)
        if kept is None or kept[0] != token:
            sha = weights_sha256(autoencoder)
            known = _of_weights.get(sha) if sha else None
            if known is None:
                try:
                    known = fit(autoencoder, unit=unit)
                except UnsupportedInput as error:
                    known = str(error)
                if sha:
                    _of_weights[sha] = known
                    while len(_of_weights) > MOST_KEPT:
                        _of_weights.popitem(last=False)
            kept = (token, known)
            _of_object[autoencoder] = kept
    if isinstance(kept[1], str):
        raise UnsupportedInput(kept[1])
    return kept[1]


def _token(autoencoder: Any) -> Any:
    """Changes where weights are changed in place or moved; costs a look at each parameter's version, not its values."""
    versions = 0
    for p in autoencoder.parameters():
        versions += 0 if p.is_inference() else p._version
    return (versions, str(next(autoencoder.parameters()).dtype))


def weights_sha256(autoencoder: Any) -> str:
    """Of all weights, in the order of their names; empty where they are not in memory (sequential offload)."""
    digest = hashlib.sha256(repr(getattr(autoencoder, "config", "")).encode())
    for name, value in sorted(autoencoder.state_dict().items()):
        if value.is_meta:
            return ""
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        import torch

        digest.update(value.detach().contiguous().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
