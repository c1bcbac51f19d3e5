"""Crops of photographs whose licence allows training, varied so that few photographs go a long way.

Only public-domain and CC0 pictures that installed or downloaded wheels carry:

| picture | licence, as its package says | found in |
|---|---|---|
| astronaut | NASA, public domain | scikit-image |
| camera, chelsea, coffee | CC0 by the photographer | scikit-image |
| brick, grass, gravel | CC0 (cc0textures.com) | scikit-image |
| clock_motion | public domain by the photographer | scikit-image |
| rocket, hubble_deep_field | SpaceX, NASA, public domain | scikit-image |
| retina, microaneurysms | CC0 | scikit-image |
| grace_hopper | official portrait, US Navy, public domain | matplotlib 3.10.8 |
| face (a raccoon) | public domain (public-domain-image.com) | scipy 1.9.3 |

Three of them show a person's face. The question put to the model is how a picture was made, not whose face it is, so
crops of fur, wood and stone are as good examples of "photograph" as skin is.
"""

from __future__ import annotations

import bz2
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

__all__ = ["FACES", "WORK", "load_photographs", "photo_crop"]

Picture = npt.NDArray[np.uint8]
Random = np.random.Generator

# Side in pixels at which crops are stylised.
WORK = 120
# Boxes (left, top, width, height) of the faces, found with YuNet 2023mar.
FACES = {"astronaut": (178, 63, 90, 113), "grace_hopper": (183, 120, 170, 212), "camera": (196, 113, 61, 81)}
_SKIMAGE = (
    *("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "brick.png", "grass.png", "gravel.png"),
    *("clock_motion.png", "rocket.jpg", "hubble_deep_field.jpg", "retina.jpg", "microaneurysms.png"),
)
# How often a face is taken, and how often something else.
FACE_SHARE = 0.6
_OTHERS = {
    "chelsea": 4.0,
    "coffee": 3.0,
    "raccoon": 4.0,
    "astronaut": 4.0,
    "grace_hopper": 4.0,
    "camera": 3.0,
    "rocket": 1.5,
    "clock_motion": 1.0,
    "brick": 0.7,
    "grass": 0.7,
    "gravel": 0.7,
    "retina": 1.5,
    "hubble_deep_field": 0.3,
    "microaneurysms": 0.3,
}


def load_photographs(wheels: Path) -> dict[str, Picture]:
    """RGB pictures by name.

    Args:
        wheels: folder into which the wheels of matplotlib 3.10.8 and scipy 1.9.3 were unpacked.
    """
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    found = {name.rsplit(".", 1)[0]: np.asarray(Image.open(folder / name).convert("RGB")) for name in _SKIMAGE}
    hopper = wheels / "matplotlib/mpl-data/sample_data/grace_hopper.jpg"
    found["grace_hopper"] = np.asarray(Image.open(hopper).convert("RGB"))
    raw = bz2.decompress((wheels / "scipy/misc/face.dat").read_bytes())
    found["raccoon"] = np.frombuffer(raw, np.uint8).reshape(768, 1024, 3)
    return found


# Standard deviation of grey under which a crop shows nothing that a rendering could change.
PLAIN = 16.0


def photo_crop(photographs: dict[str, Picture], rng: Random) -> Picture:
    """A (WORK, WORK, 3) crop of a photograph, warped, recoloured and relit at random: still a photograph."""
    crop = _any_crop(photographs, rng)
    while crop.mean(-1).std() < PLAIN:
        crop = _any_crop(photographs, rng)
    return crop


def _any_crop(photographs: dict[str, Picture], rng: Random) -> Picture:
    if rng.random() < FACE_SHARE:
        name = str(rng.choice(list(FACES), p=[0.42, 0.42, 0.16]))
        x, y, w, h = FACES[name]
        side = max(w, h) * rng.uniform(0.8, 1.5)
        middle = (x + w / 2 + rng.normal(0, 0.06) * w, y + h / 2 + rng.normal(0, 0.06) * h)
    else:
        weights = np.array(list(_OTHERS.values()))
        name = str(rng.choice(list(_OTHERS), p=weights / weights.sum()))
        height, width = photographs[name].shape[:2]
        side = min(height, width) * float(np.exp(rng.uniform(np.log(0.2), np.log(0.9))))
        middle = (rng.uniform(side / 2, width - side / 2), rng.uniform(side / 2, height - side / 2))
    crop = _warped(photographs[name], middle, side, rng)
    return _recoloured(crop, rng)


def _warped(picture: Picture, middle: tuple[float, float], side: float, rng: Random) -> Picture:
    """Turned, sheared and bent: other proportions of the same face."""
    unit = (np.arange(WORK) + 0.5) / WORK - 0.5
    ys, xs = np.meshgrid(unit, unit, indexing="ij")
    for _ in range(3):  # a few smooth bends, each under 4 % of the side
        fx, fy = rng.uniform(0.5, 2.0, 2)
        phase = rng.uniform(0, 2 * np.pi, 2)
        xs, ys = (
            xs + 0.02 * rng.normal() * np.sin(2 * np.pi * fy * ys + phase[0]),
            ys + 0.02 * rng.normal() * np.sin(2 * np.pi * fx * xs + phase[1]),
        )
    angle = rng.normal(0, 0.15)
    stretch = float(np.exp(rng.normal(0, 0.1)))
    if rng.random() < 0.5:
        xs = -xs
    rows = (np.sin(angle) * xs + np.cos(angle) * ys) * side * stretch + middle[1]
    columns = (np.cos(angle) * xs - np.sin(angle) * ys) * side / stretch + middle[0]
    source = picture.astype(np.float32)
    # Taking every n-th pixel of a large picture would add noise that no camera made.
    step = side / WORK
    if step > 1.3:
        pad = int(side * 0.2)
        top, left = max(0, int(rows.min()) - pad), max(0, int(columns.min()) - pad)
        source = source[top : int(rows.max()) + pad, left : int(columns.max()) + pad]
        source = ndimage.gaussian_filter(source, (step * 0.35, step * 0.35, 0))
        rows, columns = rows - top, columns - left
    channels = [ndimage.map_coordinates(source[..., c], (rows, columns), order=1, mode="reflect") for c in range(3)]
    return np.clip(np.stack(channels, -1) + 0.5, 0, 255).astype(np.uint8)


def _recoloured(crop: Picture, rng: Random) -> Picture:
    """Another light, another skin, another film: gamma, gain per channel, saturation, sometimes grey, some shade."""
    x = (crop.astype(np.float32) / 255) ** float(np.exp(rng.normal(0, 0.3)))
    x = x * np.exp(rng.normal(0, 0.09, 3)).astype(np.float32)
    grey = x.mean(-1, keepdims=True)
    saturation = 0.0 if rng.random() < 0.12 else float(np.clip(rng.normal(1.0, 0.25), 0, 1.8))
    x = grey + (x - grey) * saturation
    if rng.random() < 0.5:  # a soft light from one side
        slope = rng.normal(0, 0.35, 2)
        unit = np.linspace(-0.5, 0.5, WORK, dtype=np.float32)
        x = x * (1 + slope[0] * unit[:, None, None] + slope[1] * unit[None, :, None])
    contrast = float(np.exp(rng.normal(0, 0.2)))
    x = (x - 0.5) * contrast + 0.5 + rng.normal(0, 0.06)
    return (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)
