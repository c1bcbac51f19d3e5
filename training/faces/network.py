"""The network: seven 3×3 convolutions, means over the picture, one linear layer. 0.05 million weights."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

__all__ = ["STRIDES", "Network", "prepared"]

# The first layer keeps every pixel: grain and brushwork are at the finest scale.
STRIDES = (1, 2, 1, 2, 1, 2, 1)
CHANNELS = (8, 16, 16, 32, 32, 48, 48)


class Network(nn.Module):
    """Gives a logit a picture, of any size from 16 pixels: positive for a depiction."""

    def __init__(self) -> None:
        super().__init__()
        inputs = (3, *CHANNELS[:-1])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(i, o, 3, s, 1, bias=False) for i, o, s in zip(inputs, CHANNELS, STRIDES, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(o) for o in CHANNELS)
        self.head = nn.Linear(CHANNELS[-1], 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = functional.relu(norm(convolution(x)))
        return self.head(functional.dropout(x.mean((2, 3)), 0.1, self.training))[:, 0]


def prepared(pictures: np.ndarray) -> torch.Tensor:
    """(n, H, W, 3) uint8 → (n, 3, H, W), as the first nodes of the ONNX graph do it."""
    x = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).to(torch.float32)
    return ((x - 127.5) / 64).contiguous(memory_format=torch.channels_last)
