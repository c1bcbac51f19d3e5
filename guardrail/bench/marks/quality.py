"""How much a mark changes a picture: signal to noise, structural similarity, and what an eye could notice."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["just_noticeable", "psnr", "structural_similarity"]

Pixels = NDArray[np.uint8]
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def psnr(before: Pixels, after: Pixels) -> float:
    """Peak signal-to-noise ratio of (H, W, 3) pixels in dB; infinite where nothing changed."""
    error = float(np.mean((after.astype(np.float64) - before) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def structural_similarity(before: Pixels, after: Pixels) -> float:
    """SSIM of luma with the Gaussian window of Wang, Bovik, Sheikh and Simoncelli (2004): -1..1, 1 where equal."""
    from scipy.ndimage import gaussian_filter

    def blurred(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(gaussian_filter(plane, 1.5, truncate=3.5), np.float64)  # 11 × 11 samples

    x, y = before @ _LUMA, after @ _LUMA
    mx, my = blurred(x), blurred(y)
    vx, vy, cov = blurred(x * x) - mx * mx, blurred(y * y) - my * my, blurred(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    index = (2 * mx * my + c1) * (2 * cov + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return float(index[5:-5, 5:-5].mean())


def just_noticeable(before: Pixels, after: Pixels) -> float:
    """Share of pixels whose luma changes by more than the just-noticeable difference of Chou and Li (1995)."""
    from scipy import ndimage

    luma, changed = before @ _LUMA, after @ _LUMA
    around = np.array([[1, 1, 1, 1, 1], [1, 2, 2, 2, 1], [1, 2, 0, 2, 1], [1, 2, 2, 2, 1], [1, 1, 1, 1, 1]]) / 32
    across = np.array([[0, 0, 0, 0, 0], [1, 3, 8, 3, 1], [0, 0, 0, 0, 0], [-1, -3, -8, -3, -1], [0, 0, 0, 0, 0]]) / 16
    slanted = np.array([[0, 0, 1, 0, 0], [0, 8, 3, 0, 0], [1, 3, 0, -3, -1], [0, 0, -3, -8, 0], [0, 0, -1, 0, 0]]) / 16
    mean = ndimage.correlate(luma, around)
    kernels = (across, across.T, slanted, slanted[:, ::-1])
    gradient = np.max([np.abs(ndimage.correlate(luma, kernel)) for kernel in kernels], axis=0)
    texture = gradient * (0.0001 * mean + 0.115) + 0.5 - 0.01 * mean
    light = np.where(mean <= 127, 17 * (1 - np.sqrt(mean / 127)) + 3, 3 / 128 * (mean - 127) + 3)
    return float((np.abs(changed - luma) > np.maximum(texture, light)).mean())
