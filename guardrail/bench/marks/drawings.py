"""Pictures drawn here, for whoever has no photographs at hand: kinds that a watermark finds easy, hard and flat."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["KINDS", "drawing"]

Random = np.random.Generator


def drawing(number: int, side: int) -> Image:
    """Drawing number so-and-so, (side, side) RGB. The same number gives the same drawing at every side, as far as its
    texture allows."""
    rng = np.random.default_rng((0x6D61726B, number))
    return KINDS[list(KINDS)[number % len(KINDS)]](rng, side)


def _cloud(rng: Random, side: int, slope: float) -> NDArray[np.float64]:
    """Noise with a spectrum of 1 / f ** slope, as natural pictures have (Field, 1987): mean 0, deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]) * side
    spectrum = np.fft.rfft2(rng.normal(size=(side, side))) / np.maximum(frequency, 1.0) ** slope
    spectrum[0, 0] = 0
    plane = np.fft.irfft2(spectrum, (side, side))
    made: NDArray[np.float64] = plane / plane.std()
    return made


def _image(pixels: NDArray[np.float64]) -> Image:
    from PIL import Image

    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def _natural(rng: Random, side: int) -> Image:
    """Luma and chroma clouds with patches of different brightness: the statistics of a photograph."""
    luma = _cloud(rng, side, 1.2) * 34 + 60 * (_cloud(rng, side, 2.2) > 0.3)
    tint = np.stack([_cloud(rng, side, 1.8) * s for s in (16, 6, 18)], axis=-1)
    return _image(90 + luma[..., None] + tint)


def _landscape(rng: Random, side: int) -> Image:
    """A smooth sky over rough hills."""
    y = np.linspace(0, 1, side)[:, None, None]
    sky = np.array([90.0, 140.0, 220.0]) * (1 - y) + np.array([230.0, 220.0, 200.0]) * y
    picture = np.broadcast_to(sky, (side, side, 3)).copy()
    for depth in range(3):
        ridge = 0.45 + 0.17 * depth + 0.05 * _cloud(rng, side, 1.6)[0]
        below = np.arange(side)[:, None] > (ridge * side)[None, :]
        colour = rng.uniform(30, 110, 3)
        rough = colour + 14 * (depth + 1) * _cloud(rng, side, 0.9)[..., None] * 0.5
        picture[below] = rough[below]
    return _image(picture)


def _flat(rng: Random, side: int) -> Image:
    """Flat colours with dark outlines, as in a drawn cartoon."""
    from PIL import Image, ImageDraw

    fine = side * 2
    image = Image.new("RGB", (fine, fine), tuple(int(v) for v in rng.integers(120, 256, 3)))
    pen = ImageDraw.Draw(image)
    for _ in range(14):
        x, y = rng.uniform(-0.1, 0.9, 2) * fine
        w, h = rng.uniform(0.1, 0.5, 2) * fine
        fill = tuple(int(v) for v in rng.integers(0, 256, 3))
        draw = pen.ellipse if rng.random() < 0.5 else pen.rectangle
        draw((x, y, x + w, y + h), fill=fill, outline=(20, 20, 30), width=max(1, fine // 130))
    return image.resize((side, side), Image.Resampling.LANCZOS)


def _portrait(rng: Random, side: int) -> Image:
    """Smooth shaded ovals on a blurred ground: large areas of skin."""
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    ground = np.array([70.0, 80.0, 95.0]) + 12 * _cloud(rng, side, 2.4)[..., None]
    skin = rng.uniform((150, 105, 80), (235, 190, 165))
    head = np.clip((0.33 - np.hypot(x / 0.8, y + 0.03)) * 40, 0, 1)[..., None]
    shade = 1 - 0.5 * np.hypot(x + 0.1, y + 0.12)[..., None] + 0.01 * _cloud(rng, side, 0.8)[..., None]
    picture = ground * (1 - head) + skin * shade * head
    hair = np.clip((0.12 - np.abs(np.hypot(x / 0.85, y + 0.05) - 0.36)) * 30, 0, 1) * (y < 0.1)
    strands = 45 + 22 * _cloud(rng, side, 0.5)
    return _image(picture * (1 - hair[..., None]) + (strands * hair)[..., None])


def _night(rng: Random, side: int) -> Image:
    """Nearly black with bright lights."""
    picture = 6 + 4 * _cloud(rng, side, 1.5)[..., None] + np.zeros(3)
    y, x = np.mgrid[0:side, 0:side] / side
    for _ in range(30):
        cx, cy, r = rng.random(), rng.random(), rng.uniform(0.003, 0.02)
        light = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * r * r))
        picture = picture + light[..., None] * rng.uniform(60, 255, 3)
    return _image(picture)


def _lines(rng: Random, side: int) -> Image:
    """Black strokes on white paper, as text and line drawings have them."""
    from PIL import Image, ImageDraw

    fine = side * 2
    image = Image.new("RGB", (fine, fine), (250, 249, 245))
    pen = ImageDraw.Draw(image)
    step = fine // 24
    for row in range(step, fine - step, step):
        x = float(step)
        while x < fine - 2 * step:
            length, rise = rng.uniform(0.15, 0.7) * step, rng.uniform(-0.5, 0.5) * step
            pen.line((x, row, x + length, row + rise), fill=(15, 15, 20), width=max(1, step // 8))
            x += rng.uniform(0.25, 0.9) * step
    return image.resize((side, side), Image.Resampling.LANCZOS)


def _texture(rng: Random, side: int) -> Image:
    """Fine grain everywhere: grass, gravel, fabric."""
    grain = _cloud(rng, side, 0.4)[..., None] * rng.uniform(20, 45)
    return _image(rng.uniform(90, 150, 3) + grain + 10 * _cloud(rng, side, 1.5)[..., None])


def _gradient(rng: Random, side: int) -> Image:
    """One smooth change of colour: nothing at all to hide in."""
    y, x = np.mgrid[0:side, 0:side] / side
    turn = rng.uniform(0, 2 * np.pi)
    along = (0.5 + 0.5 * (np.cos(turn) * (x - 0.5) + np.sin(turn) * (y - 0.5)))[..., None]
    return _image(rng.uniform(20, 120, 3) * (1 - along) + rng.uniform(130, 240, 3) * along)


KINDS: dict[str, Callable[[Random, int], Image]] = {
    "natural": _natural,
    "landscape": _landscape,
    "flat": _flat,
    "portrait": _portrait,
    "texture": _texture,
    "lines": _lines,
    "night": _night,
    "gradient": _gradient,
}
"""How each kind is drawn, in the order in which the numbers take turns."""
