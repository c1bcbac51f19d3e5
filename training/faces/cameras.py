"""What a camera and the way of a file do to a picture.

`camera` is for photographs (and photograph-like heads) only. `journey` is the same for photographs and depictions,
with the same odds: size, sharpness, noise and compression must not tell them apart (see docs/realness.md).
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from stylise import Picture, Random, blurred, floats, guided, to_bytes

__all__ = ["SIDE", "camera", "journey"]

SIDE = 80
"""Side of what the model sees, in pixels; as in benchmarks/realness_model.py."""


def camera(p: Picture, rng: Random, always: bool = False) -> Picture:
    """Sensor noise (shot and read), a Bayer mosaic, the maker's sharpening and noise removal, each now and then."""
    x = floats(p)
    if always or rng.random() < 0.45:
        linear = x**2.2
        gain = float(np.exp(rng.uniform(np.log(2e-4), np.log(8e-3))))
        noise = rng.normal(0, 1, x.shape).astype(np.float32)
        linear = linear + noise * np.sqrt(np.maximum(linear, 0) * gain + (gain * 0.5) ** 2)
        if rng.random() < 0.5:
            linear = _bayer(linear)
        x = np.clip(linear, 0, 1) ** (1 / 2.2)
    roll = rng.random()
    if roll < 0.10:
        x = guided(x, 2, float(rng.uniform(2e-4, 1.2e-3)))  # a telephone's noise removal
    elif roll < 0.16:
        x = guided(x, 5, float(rng.uniform(5e-4, 2e-3))) * 0.7 + x * 0.3  # a beauty filter
    elif roll < 0.30:
        x = x + (x - blurred(x, 1.2)) * float(rng.uniform(0.3, 1.2))
    return to_bytes(x)


def _bayer(linear: np.ndarray) -> np.ndarray:
    """Keep one channel a pixel (RGGB) and fill the others by their neighbours' mean."""
    from scipy import ndimage

    mask = np.zeros_like(linear)
    mask[::2, ::2, 0] = mask[::2, 1::2, 1] = mask[1::2, ::2, 1] = mask[1::2, 1::2, 2] = 1
    kernel = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32)[..., None]
    total = ndimage.convolve(linear * mask, kernel)
    return total / ndimage.convolve(mask, kernel)


def journey(p: Picture, rng: Random) -> Picture:
    """(SIDE, SIDE, 3): cropped, resized, blurred, compressed once or twice, then as the model is given it."""
    size = p.shape[0]
    crop = int(size * rng.uniform(0.75, 1.0))
    top, left = rng.integers(0, size - crop + 1, 2)
    image = Image.fromarray(p[top : top + crop, left : left + crop])
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    seen = int(np.exp(rng.uniform(np.log(32), np.log(230))))
    way = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BOX)
    image = image.resize((seen, seen), way[rng.integers(0, 4)])
    x = floats(np.asarray(image))
    if rng.random() < 0.3:
        x = blurred(x, float(rng.uniform(0.3, 1.6)) * seen / 110)
    if rng.random() < 0.2:
        x = x + rng.normal(0, rng.uniform(0.004, 0.025), x.shape).astype(np.float32)
    if rng.random() < 0.1:
        x = np.repeat(x.mean(-1, keepdims=True), 3, -1)
    image = Image.fromarray(to_bytes(x))
    # Compression sees the face inside a larger picture: its blocks do not begin at the edge of the crop.
    left, top = (int(v) for v in rng.integers(0, 8, 2))
    for _ in range(int(rng.choice([0, 1, 2], p=[0.12, 0.68, 0.2]))):
        padded = Image.fromarray(np.pad(np.asarray(image), ((top, 0), (left, 0), (0, 0)), mode="edge"))
        file = io.BytesIO()
        padded.save(file, "JPEG", quality=int(rng.integers(28, 98)), subsampling=int(rng.choice([0, 2, 2])))
        image = Image.open(file).convert("RGB").crop((left, top, left + seen, top + seen))
        if rng.random() < 0.3:
            seen = max(32, int(seen * rng.uniform(0.6, 1.2)))
            image = image.resize((seen, seen), Image.Resampling.BICUBIC)
            left, top = (int(v) for v in rng.integers(0, 8, 2))
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
