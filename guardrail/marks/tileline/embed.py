"""Writing the mark: chips → waves → residual under a visibility mask → pixels.

The residual is a sum of plane waves, so it is evaluated where it is needed, at any size and without interpolation:
rows × waves × columns, two matrix products of rank 46. Large images are done in strips; nothing but the image itself
grows with its size.

In small frames the embedder is informed (Cox, Miller and McKellips, 1999): it runs the detector's front end on the host
and spends less on the chips that the host already pushes the right way. In full frames it is not: cancelling the host
on the mark's lines takes away the power by which the geometry search finds them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from guardrail.marks.tileline import code, frontend
from guardrail.marks.tileline.layout import CHANNELS, FULL_TILES, Layout

__all__ = ["write"]

# Strength of luma, blue and red difference waves. Against 1.25 for chroma, 0.8 loses nothing clean and gains 0.5 dB
# after half size + JPEG 50 (24 images).
_GAIN = (1.0, 0.8, 0.8)
_SYNC_GAIN = 1.15  # sync lines against payload lines: finding the mark must not fail before reading it
# How far a chip of a small frame yields to the host, and its limits. In full frames 0.4 would raise the statistic by
# 5 %, but of 32 images cropped to half the area, scaled to 0.7 and saved as JPEG 60 the comb finds 28 instead of 30.
_YIELD = 0.4
_CHIP_RANGE = (0.3, 2.0)

# Visibility. The wish spreads the energy by texture; the limit is what a place hides: _FLAT grey levels r.m.s. where
# nothing happens (sky, skin, flat drawings), more with the local variance. Both are relative to 43 dB. Where all of an
# image is at its limit, the mark is weaker than asked for.
_WISH = 0.15
_FLAT = 0.9
_HIDING = 0.4
_SHADOW, _SHADOW_SHARE = 70.0, 0.6  # grey level under which noise shows more, and what is left at black
_LIGHT, _LIGHT_SHARE = 225.0, 0.7  # the same towards white
_CLIPPED = 6.0  # grey levels from black or white at which the waves have room
_REFERENCE_DB = 43.0

_TOP = int(max(channel.radius.max() for channel in CHANNELS))
_STRIP = 1 << 17  # pixels of the image worked on at a time: fits the second-level cache as float32

# RGB shares of luma, blue and red difference, ITU-R BT.601.
_TO_RGB = np.array([[1.0, 0.0, 1.402], [1.0, -0.344136, -0.714136], [1.0, 1.772, 0.0]], np.float32)


def _visibility_mask(luma: NDArray[np.float32], psnr_db: float) -> NDArray[np.float32]:
    """Amplitude, in grey levels r.m.s. over R, G and B, at half the frame's resolution."""
    height, width = (n // 2 * 2 for n in luma.shape)
    small = luma[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    mean = ndimage.uniform_filter(small, 3)
    variance = np.maximum(ndimage.uniform_filter(small * small, 3) - mean * mean, 0)
    # The quiet side of an edge is as quiet as its surroundings: no halo.
    variance = ndimage.uniform_filter(ndimage.minimum_filter(variance, 3), 3)
    shade = 1 - (1 - _SHADOW_SHARE) * np.clip(1 - mean / _SHADOW, 0, 1)
    shade -= (1 - _LIGHT_SHARE) * np.clip((mean - _LIGHT) / (255.0 - _LIGHT), 0, 1)
    wish = (variance + 1.0) ** _WISH * shade
    limit = _FLAT * 10 ** ((_REFERENCE_DB - psnr_db) / 20) * (1.0 + variance / 4.0) ** _HIDING * shade
    energy = 255.0**2 / 10 ** (psnr_db / 10) - 1 / 12  # rounding to 8 bits adds 1/12
    # In black and in white half of the waves is clipped off, and half of their energy.
    room = 0.5 + 0.5 * np.clip(np.minimum(mean, 255.0 - mean) / _CLIPPED, 0, 1)
    scale = 1.0
    for _ in range(4):  # what the limit takes away goes where there is still room to hide
        mask = np.minimum(scale * wish, limit)
        scale *= float(np.sqrt(energy / np.mean(mask * mask * room)))
    mask = np.minimum(scale * wish, limit)
    return np.asarray(ndimage.gaussian_filter(mask, 1.0), np.float32)


def _yielding(layout: Layout, planes: frontend.Planes, coded: NDArray[np.float32]) -> NDArray[np.float32]:
    """Chips with the amplitudes that the host leaves to do."""
    host = layout.chips(frontend.whiten_lines(frontend.fold_lines(frontend.whitened(planes))))
    out: NDArray[np.float32] = coded * np.clip(1.0 - _YIELD * coded * host, *_CHIP_RANGE)
    return out


def _spectrum(layout: Layout, chips: NDArray[np.float32]) -> NDArray[np.complex64]:
    """(RGB, ky + _TOP, kx) coefficients of waves with unit mean square over R, G and B."""
    lines = layout.lines(chips)
    grid = np.zeros((3, 2 * _TOP + 1, _TOP + 1), np.complex64)
    for c, channel in enumerate(CHANNELS):
        values = lines[c] * np.float32(_GAIN[c])
        values[layout.sync[c]] = layout.phase[c] * np.float32(_SYNC_GAIN * np.sqrt(2) * _GAIN[c])
        grid[c, channel.k[:, 0] + _TOP, channel.k[:, 1]] = values
    rgb = np.einsum("oc,cyx->oyx", _TO_RGB, grid)
    power = np.mean(np.sum(np.abs(rgb) ** 2, axis=(1, 2))) / 2
    return np.asarray(rgb / np.sqrt(power), np.complex64)


class _Waves:
    """The unmasked residual on the rows and columns of a grid with `step` tiles per pixel."""

    def __init__(self, spectrum: NDArray[np.complex64], width: int, step: float) -> None:
        self._spectrum = spectrum
        self._step = step
        across = self._phases(np.arange(width), np.arange(_TOP + 1))
        self._columns = np.ascontiguousarray(np.concatenate([across.real, -across.imag], axis=1).T)

    def _phases(self, pixels: NDArray[np.int64], k: NDArray[np.int64]) -> NDArray[np.complex64]:
        return np.asarray(np.exp(2j * np.pi * np.outer((pixels + 0.5) * self._step, k)), np.complex64)

    def rows(self, first: int, last: int) -> NDArray[np.float32]:
        """(3, last - first, width)."""
        down = self._phases(np.arange(first, last), np.arange(-_TOP, _TOP + 1)) @ self._spectrum
        waves = np.concatenate([down.real, down.imag], axis=2)
        flat: NDArray[np.float32] = waves.reshape(-1, waves.shape[-1]) @ self._columns
        return flat.reshape(3, last - first, -1)


def write(
    pixels: NDArray[Any], picture: frontend.Picture, layout: Layout, payload: int, tiles: int, psnr_db: float
) -> NDArray[Any]:
    """A marked copy of `pixels`, uint8 or floats in 0..1; `picture` is the same, read for analysis."""
    height, width = pixels.shape[:2]
    planes = frontend.frame_of(picture, tiles)
    mask = Image.fromarray(_visibility_mask(planes[0], psnr_db))
    chips = code.encode(payload)
    if tiles < FULL_TILES:
        chips = _yielding(layout, planes, chips)
    spectrum = _spectrum(layout, chips)
    waves = _Waves(spectrum, width, tiles / min(height, width))
    out = np.empty_like(pixels)
    strip = max(16, _STRIP // width)
    for first in range(0, height, strip):
        last = min(first + strip, height)
        box = (0.0, first * mask.height / height, float(mask.width), last * mask.height / height)
        part = waves.rows(first, last)
        part *= np.asarray(mask.resize((width, last - first), Image.Resampling.BILINEAR, box=box))
        residual = part.transpose(1, 2, 0)
        if pixels.dtype == np.uint8:
            total = residual + pixels[first:last]
            np.clip(np.rint(total, out=total), 0, 255, out=total)
            out[first:last] = total
        else:
            out[first:last] = np.clip(pixels[first:last] + residual / 255, 0, 1)
    return out
