"""What the latents of the stand-in model are: laid down, not learnt.

A latent stands for 4×4 pixels. Its first three channels are their mean colour; the others are the rest of a Haar
transform of the four 2×2 means in it: how right and left halves differ, lower and upper ones, and the diagonals, in
each colour. So outlines are told to two pixels at the price of a 16×16 denoiser. The encoder learns to give these
values, the decoder to draw from them: the denoiser needs not wait for the autoencoder, no channel falls silent, and a
linear map from latents to colours, as cheap previews use, is exact.
"""

from __future__ import annotations

import torch
from torch.nn.functional import avg_pool2d

from guardrail.demo.standin_parts import CHANNELS

CENTRES = (0.13, 0.006, -0.065)  # of the pictures' colours in [-1, 1]
SPREADS = (0.65, 0.57, 0.64)
DETAIL = 0.16  # about twice the deviation of the differences: outlines are rare, and must not drown the colours


def latents(pictures: torch.Tensor) -> torch.Tensor:
    """(N, 64, 64, 3) uint8 to (N, 12, 16, 16) float32."""
    x = avg_pool2d(pictures.permute(0, 3, 1, 2).float().div(127.5).sub(1), 2)
    a, b, c, d = (x[..., i::2, j::2] for i in (0, 1) for j in (0, 1))
    middle = (a + b + c + d) / 4
    scaled = [(middle[:, k : k + 1] - CENTRES[k]) / SPREADS[k] for k in range(3)]
    across, down, diagonal = (b + d - a - c) / 4, (c + d - a - b) / 4, (a + d - b - c) / 4
    return torch.cat([*scaled, across / DETAIL, down / DETAIL, diagonal / DETAIL], 1)


def mirrored(z: torch.Tensor) -> torch.Tensor:
    """Latents of the mirrored pictures: right and left change sides, and so do the signs of what tells them apart."""
    signs = torch.tensor([1.0] * 3 + [-1.0] * 3 + [1.0] * 3 + [-1.0] * 3).view(1, CHANNELS, 1, 1)
    return z.flip(3) * signs


def colours(z: torch.Tensor) -> torch.Tensor:
    """(N, 12, 16, 16) latents to (N, 3, 16, 16) mean colours in [-1, 1]."""
    spread = torch.tensor(SPREADS).view(1, 3, 1, 1)
    return z[:, :3] * spread + torch.tensor(CENTRES).view(1, 3, 1, 1)
