"""The pictures of the demo: photographs out of installed wheels, and drawings made here."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from guardrail.errors import MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["drawn_face", "group_photo", "object_photo", "painted", "portrait"]


def portrait() -> Image:
    """NASA's portrait of the astronaut Eileen Collins (public domain), 512×512, from scikit-image's wheel."""
    return _skimage("astronaut")


def object_photo() -> Image:
    """A cup of coffee, from scikit-image's wheel."""
    return _skimage("coffee")


def group_photo() -> Image:
    """The group photograph that insightface carries as its sample. The package is not imported."""
    from PIL.Image import open as open_image

    spec = importlib.util.find_spec("insightface")
    if spec is None or spec.origin is None:
        raise MissingExtra("the demo", "demo")
    with open_image(Path(spec.origin).parent / "data" / "images" / "t1.jpg") as image:
        return image.convert("RGB")


def _skimage(name: str) -> Image:
    from PIL.Image import fromarray

    try:
        import skimage.data
    except ImportError:
        raise MissingExtra("the demo", "demo") from None
    return fromarray(np.ascontiguousarray(getattr(skimage.data, name)()[..., :3]))


def drawn_face(side: int = 512) -> Image:
    """A portrait in flat colours, drawn here: nobody's face, and no camera's."""
    from PIL import Image, ImageDraw

    big = side * 4  # drawn large and reduced: smooth edges, flat areas
    picture = Image.new("RGB", (big, big), (126, 190, 228))
    draw = ImageDraw.Draw(picture)
    skin, shade, dark, white = (236, 188, 152), (206, 150, 116), (58, 38, 30), (250, 248, 244)

    def oval(x: float, y: float, w: float, h: float, colour: tuple[int, int, int]) -> None:
        draw.ellipse([big * (x - w / 2), big * (y - h / 2), big * (x + w / 2), big * (y + h / 2)], fill=colour)

    def shape(points: str, colour: tuple[int, int, int], *, mirrored: bool = False) -> None:
        pairs = [tuple(float(v) for v in pair.split(",")) for pair in points.split()]
        draw.polygon([(big * (1 - x if mirrored else x), big * y) for x, y in pairs], fill=colour)

    draw.rounded_rectangle([big * 0.14, big * 0.84, big * 0.86, big * 1.2], big * 0.16, fill=(60, 84, 140))
    shape("0.41,0.7 0.59,0.7 0.62,0.9 0.38,0.9", shade)
    oval(0.5, 0.40, 0.56, 0.66, dark)
    oval(0.27, 0.52, 0.07, 0.13, shade)
    oval(0.73, 0.52, 0.07, 0.13, shade)
    oval(0.5, 0.5, 0.44, 0.60, shade)
    oval(0.49, 0.5, 0.42, 0.59, skin)
    for mirrored in (False, True):
        shape("0.335,0.425 0.385,0.405 0.465,0.415 0.47,0.43 0.385,0.425 0.34,0.44", dark, mirrored=mirrored)
        x = 0.595 if mirrored else 0.405
        oval(x, 0.475, 0.115, 0.06, shade)
        oval(x, 0.477, 0.095, 0.042, white)
        oval(x, 0.477, 0.044, 0.044, (70, 60, 46))
        oval(x, 0.477, 0.022, 0.022, (10, 10, 10))
        lid = [big * (x - 0.052), big * 0.45, big * (x + 0.052), big * 0.51]
        draw.arc(lid, 190, 350, fill=dark, width=int(big * 0.009))
        oval(0.523 if mirrored else 0.477, 0.612, 0.022, 0.012, (120, 70, 56))
    shape("0.485,0.46 0.47,0.575 0.452,0.6 0.47,0.617 0.53,0.617 0.548,0.6 0.53,0.585 0.515,0.575", shade)
    shape("0.42,0.685 0.47,0.668 0.5,0.675 0.53,0.668 0.58,0.685 0.5,0.69", (150, 64, 62))
    shape("0.42,0.687 0.5,0.692 0.58,0.687 0.545,0.716 0.5,0.724 0.455,0.716", (176, 84, 80))
    draw.arc([big * 0.44, big * 0.70, big * 0.56, big * 0.765], 30, 150, fill=shade, width=int(big * 0.012))
    return picture.resize((side, side), Image.Resampling.BOX)


def painted(image: Image) -> Image:
    """A painterly rendering of a photograph: strokes by repeated median filters, and coarser colours."""
    from PIL import ImageEnhance, ImageFilter

    out = image
    for _ in range(3):
        out = out.filter(ImageFilter.MedianFilter(7))
    return ImageEnhance.Color(out).enhance(1.5)
