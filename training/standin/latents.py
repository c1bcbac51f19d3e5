"""What the latents of the stand-in model are: laid down, not learnt.

A latent stands for 4×4 pixels. Its first three channels are their mean colour, the fourth says how much brighter their
right half is than their left; all are scaled to a deviation of about one. The encoder learns to give these values, the
decoder to draw from them. So the denoiser needs not wait for the autoencoder, no channel falls silent, and a linear map
from latents to colours, as cheap previews use, is exact.
"""

from __future__ import annotations

import torch
from torch.nn.functional import avg_pool2d

CENTRES = (0.13, 0.006, -0.065)  # of the pictures' colours in [-1, 1]
SPREADS = (0.65, 0.57, 0.64)
CONTRAST = 0.092  # deviation of the fourth channel's difference


def latents(pictures: torch.Tensor) -> torch.Tensor:
    """(N, 64, 64, 3) uint8 to (N, 4, 16, 16) float32."""
    x = pictures.permute(0, 3, 1, 2).float().div(127.5).sub(1)
    colours = avg_pool2d(x, 4)
    halves = avg_pool2d(x.mean(1, keepdim=True), (4, 2))
    contrast = (halves[..., 1::2] - halves[..., ::2]) / CONTRAST
    scaled = [(colours[:, c : c + 1] - CENTRES[c]) / SPREADS[c] for c in range(3)]
    return torch.cat([*scaled, contrast], 1)


def colours(z: torch.Tensor) -> torch.Tensor:
    """(N, 4, 16, 16) latents to (N, 3, 16, 16) mean colours in [-1, 1]."""
    spread = torch.tensor(SPREADS).view(1, 3, 1, 1)
    return z[:, :3] * spread + torch.tensor(CENTRES).view(1, 3, 1, 1)
