"""A drawn person and masks for it: a picture of 384×512 with a face of 60×70 pixels at (160, 60)."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 384, 512
FACE = (160.0, 60.0, 60.0, 70.0)
# Trunk, arms and legs as ellipses and boxes; nothing on it but one flat colour.
_LIMBS = [(140, 135, 240, 330), (120, 145, 142, 320), (238, 145, 260, 320), (148, 320, 186, 505), (194, 320, 232, 505)]


def person(*, face: bool = True) -> Image.Image:
    """A mannequin; white on black it is the silhouette."""
    image = Image.new("RGB", (WIDTH, HEIGHT), (110, 140, 170))
    _draw(image, (70, 70, 90), (224, 190, 170) if face else (70, 70, 90))
    return image


def _draw(image: Image.Image, body: Any, head: Any) -> None:
    draw = ImageDraw.Draw(image)
    for limb in _LIMBS:
        draw.rectangle(limb, fill=body)
    draw.ellipse((155, 40, 225, 135), fill=head)


def mask(kind: str) -> Image.Image:
    """Mode L, white where it is repainted."""
    image = Image.new("L", (WIDTH, HEIGHT), 0)
    draw = ImageDraw.Draw(image)
    match kind:
        case "clothes":
            for limb in _LIMBS:
                draw.rectangle(limb, fill=255)
        case "body box":
            draw.rectangle((110, 135, 270, 510), fill=255)
        case "chest":
            draw.rectangle((140, 160, 240, 250), fill=255)
        case "hips":
            draw.rectangle((145, 290, 235, 350), fill=255)
        case "everything":
            image.paste(255, (0, 0, WIDTH, HEIGHT))
        case "all but the face":
            image.paste(255, (0, 0, WIDTH, HEIGHT))
            draw.rectangle((150, 45, 230, 135), fill=0)
        case "face":
            draw.ellipse((150, 45, 230, 138), fill=255)
        case "head and hair":
            draw.rectangle((135, 20, 245, 140), fill=255)
        case "background":
            _draw(image, 255, 255)
            image = Image.fromarray(255 - np.asarray(image))
        case "sky":
            draw.rectangle((0, 0, WIDTH, 40), fill=255)
        case "beside":
            draw.rectangle((290, 200, 380, 480), fill=255)
        case "hat":
            draw.rectangle((150, 10, 230, 60), fill=255)
        case "speck":
            draw.rectangle((185, 300, 195, 310), fill=255)
        case "nothing":
            pass
        case _:
            raise KeyError(kind)
    return image
