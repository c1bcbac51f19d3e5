"""What somebody does to a picture so that a check no longer sees what is in it, while people still do.

Each attack takes a picture as it was decoded and gives another one, the same for the same picture and seed. Some need
to know where something was found in the picture as it came: a sticker goes over the eyes of the faces found, a crop
keeps what was found in view, so that what is lost was not simply cut off.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from guardrail.bench.files import DataError
from guardrail.bench.marks.conditions import Attack, brightness, chain, codec, hue, rotate, scale, turned
from guardrail.bench.marks.drawings import KINDS, drawing

__all__ = ["IMAGE_ATTACKS", "Box", "ImageAttack", "chosen"]

Picture = Image.Image
Rng = np.random.Generator


class Box(NamedTuple):
    """Where something was found, in pixels. `kind` is ``face`` or ``nudity``."""

    left: float
    top: float
    width: float
    height: float
    kind: str

    @property
    def middle(self) -> tuple[float, float]:
        return self.left + self.width / 2, self.top + self.height / 2


Change = Callable[[Picture, Rng, Sequence[Box]], Picture]


@dataclass(frozen=True, slots=True)
class ImageAttack:
    """One change of a picture.

    Attributes:
        name: stands in tables.
        kind: ``recompression``, ``crop``, ``mirror``, ``rotation``, ``colour``, ``overlay``, ``collage``, ``sticker``,
            ``size`` or ``screenshot``.
        change: takes and gives an RGB image; whatever it draws comes from the generator that it is given.
        needs: the kind of box without which there is nothing to do: ``face``, ``any``, or nothing.
    """

    name: str
    kind: str
    change: Change
    needs: str = ""

    def __call__(
        self, pixels: NDArray[np.uint8], boxes: Sequence[Box], picture: str, seed: int
    ) -> NDArray[np.uint8] | None:
        """(H, W, 3) RGB pixels, changed; None where it has nothing to do in this picture.

        Args:
            picture: tells the generator one picture from another; a hash of the file, say.
        """
        if self.needs and not any(self.needs in ("any", box.kind) for box in boxes):
            return None
        rng = np.random.default_rng(zlib.crc32(f"{self.name}|{seed}|{picture}".encode()))
        return np.asarray(self.change(Image.fromarray(pixels), rng, boxes).convert("RGB"))


def chosen(names: Sequence[str]) -> tuple[ImageAttack, ...]:
    """Attacks by name, in their own order; all of them where ``all`` is among the names.

    Raises:
        DataError: one is not known.
    """
    unknown = [name for name in names if name not in IMAGE_ATTACKS and name != "all"]
    if unknown:
        raise DataError(f"--attack {unknown[0]}: no attack is called so; there are {', '.join(IMAGE_ATTACKS)}")
    return tuple(a for a in IMAGE_ATTACKS.values() if "all" in names or a.name in names)


def _plain(attack: Attack) -> Change:
    """A change that does not look at what was found."""
    return lambda image, rng, _: attack(image, rng)


def _crop_sides(image: Picture, rng: Rng, boxes: Sequence[Box]) -> Picture:
    """A tenth off every side."""
    x, y = image.width // 10, image.height // 10
    return image.crop((x, y, image.width - x, image.height - y))


def _crop_half(image: Picture, rng: Rng, boxes: Sequence[Box]) -> Picture:
    """Half of the area at a place by the draw; the middle of the largest box stays in view."""
    w, h = (max(1, round(side / math.sqrt(2))) for side in image.size)
    x = _place(rng, image.width, w, _largest(boxes).middle[0] if boxes else None)
    y = _place(rng, image.height, h, _largest(boxes).middle[1] if boxes else None)
    return image.crop((x, y, x + w, y + h))


def _place(rng: Rng, whole: int, part: int, keep: float | None) -> int:
    """Where a part of a side begins: anywhere, or so that `keep` is not within a tenth of its ends, if that can be."""
    low, high = 0, whole - part
    if keep is not None:
        low, high = max(low, math.ceil(keep - 0.9 * part)), min(high, math.floor(keep - 0.1 * part))
        if low > high:
            return min(max(0, round(keep - part / 2)), whole - part)
    return int(rng.integers(low, high + 1))


def _crop_close(image: Picture, rng: Rng, boxes: Sequence[Box]) -> Picture:
    """The largest box with half of its size around it, and nothing else."""
    box = _largest(boxes)
    (x, y), (w, h) = box.middle, (box.width, box.height)
    left, top = (min(max(0, round(v)), side - 1) for v, side in zip((x - w, y - h), image.size, strict=True))
    right, bottom = (min(max(1, round(v)), side) for v, side in zip((x + w, y + h), image.size, strict=True))
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def _largest(boxes: Sequence[Box]) -> Box:
    return max(boxes, key=lambda box: box.width * box.height)


def _text(image: Picture, rng: Rng, boxes: Sequence[Box]) -> Picture:
    """Lettering across the whole picture, half transparent, as sites put their name over previews."""
    size = max(10, min(image.size) // 12)
    font = ImageFont.load_default(size)
    layer = Image.new("RGBA", image.size)
    pen = ImageDraw.Draw(layer)
    words = ("SAMPLE", "PREVIEW", "COPY", "DRAFT")
    for y in range(0, image.height, 3 * size):
        for x in range(-int(rng.integers(0, 4 * size)), image.width, 7 * size):
            pen.text((x, y), words[int(rng.integers(len(words)))], font=font, fill=(255, 255, 255, 150))
    return Image.alpha_composite(image.convert("RGBA"), layer)


def _frame(image: Picture, rng: Rng, boxes: Sequence[Box]) -> Picture:
    """A frame of stripes around it, a tenth of the shorter side."""
    edge = max(2, min(image.size) // 10)
    made = Image.new("RGB", (image.width + 2 * edge, image.height + 2 * edge), _colour(rng))
    pen, stripe = ImageDraw.Draw(made), _colour(rng)
    for x in range(0, made.width + made.height, 2 * edge):
        pen.line((x, 0, x - made.height, made.height), fill=stripe, width=max(1, edge // 2))
    made.paste(image, (edge, edge))
    return made


def _shapes(image: Picture, rng: Rng, boxes: Sequence[Box]) -> Picture:
    """A dozen drawn signs, as emoji are, at places by the draw: discs with a mouth, hearts, stars."""
    made = image.copy()
    pen = ImageDraw.Draw(made)
    size = max(8, min(image.size) // 9)
    for number in range(12):
        x, y = int(rng.integers(0, image.width)), int(rng.integers(0, image.height))
        (_disc, _heart, _star)[number % 3](pen, x, y, size)
    return made


def _disc(pen: ImageDraw.ImageDraw, x: int, y: int, size: int) -> None:
    pen.ellipse((x, y, x + size, y + size), fill=(255, 205, 60), outline=(150, 100, 0))
    pen.arc((x + size * 0.25, y + size * 0.3, x + size * 0.75, y + size * 0.8), 10, 170, fill=(90, 50, 0), width=2)


def _heart(pen: ImageDraw.ImageDraw, x: int, y: int, size: int) -> None:
    half = size / 2
    pen.ellipse((x, y, x + half, y + half), fill=(220, 30, 60))
    pen.ellipse((x + half, y, x + size, y + half), fill=(220, 30, 60))
    pen.polygon(((x, y + half * 0.6), (x + size, y + half * 0.6), (x + half, y + size)), fill=(220, 30, 60))


def _star(pen: ImageDraw.ImageDraw, x: int, y: int, size: int) -> None:
    points = []
    for i in range(10):
        radius, turn = size / (2 if i % 2 == 0 else 5), math.pi * i / 5 - math.pi / 2
        points.append((x + size / 2 + radius * math.cos(turn), y + size / 2 + radius * math.sin(turn)))
    pen.polygon(points, fill=(80, 170, 255))


def _colour(rng: Rng) -> tuple[int, int, int]:
    red, green, blue = (int(v) for v in rng.integers(40, 220, 3))
    return red, green, blue


# Drawings in which nothing looks like a face.
_NEUTRAL = ("landscape", "texture", "gradient", "flat")


def _drawn(rng: Rng, width: int, height: int) -> Picture:
    kind = list(KINDS).index(_NEUTRAL[int(rng.integers(len(_NEUTRAL)))])
    number = kind + len(KINDS) * int(rng.integers(0, 1000))
    return drawing(number, 128).resize((width, height), Image.Resampling.BICUBIC)


def _collage(image: Picture, rng: Rng, boxes: Sequence[Box]) -> Picture:
    """One of four tiles, the others drawn; the picture keeps its size."""
    w, h = image.size
    made = Image.new("RGB", (2 * w, 2 * h))
    own = int(rng.integers(4))
    for tile in range(4):
        made.paste(image if tile == own else _drawn(rng, w, h), (w * (tile % 2), h * (tile // 2)))
    return made


def _sticker(image: Picture, rng: Rng, boxes: Sequence[Box]) -> Picture:
    """A black bar over the eyes of every face found: they lie a little above the middle of an upright face's box."""
    made = image.copy()
    pen = ImageDraw.Draw(made)
    for box in boxes:
        if box.kind == "face":
            top = box.top + 0.28 * box.height
            pen.rectangle((box.left, top, box.left + box.width, top + 0.24 * box.height), fill=(0, 0, 0))
    return made


def _tiny(image: Picture, rng: Rng, boxes: Sequence[Box]) -> Picture:
    """A fifth of its size somewhere on a drawn ground of the size that it had."""
    made = _drawn(rng, *image.size)
    small = image.resize((max(1, image.width // 5), max(1, image.height // 5)), Image.Resampling.LANCZOS)
    x, y = (int(rng.integers(0, whole - part + 1)) for whole, part in zip(made.size, small.size, strict=True))
    made.paste(small, (x, y))
    return made


def _window(image: Picture, _: Rng) -> Picture:
    """In a window of a program on a desktop."""
    bar, side = max(6, image.height // 14), max(4, image.width // 20)
    made = Image.new("RGB", (image.width + 2 * side, image.height + 2 * bar + side), (58, 70, 88))
    pen = ImageDraw.Draw(made)
    pen.rectangle((side // 2, bar // 2, made.width - side // 2, made.height - side // 2), fill=(236, 236, 238))
    for i, colour in enumerate(((230, 90, 80), (240, 190, 70), (110, 190, 90))):
        x, y = side + i * bar * 0.7, bar * 0.75
        pen.ellipse((x, y, x + bar * 0.45, y + bar * 0.45), fill=colour)
    pen.text((made.width // 3, bar * 0.6), "picture.jpg", font=ImageFont.load_default(bar * 0.6), fill=(60, 60, 60))
    made.paste(image, (side, bar + bar // 2))
    return made


_SCREENSHOT = chain(_window, scale(0.8), codec("JPEG", 75))
_ALL: dict[str, dict[str, Change | tuple[Change, str]]] = {
    "recompression": {
        "jpeg30": _plain(codec("JPEG", 30)),
        "webp30": _plain(codec("WEBP", 30)),
        "compressed_twice": _plain(chain(codec("JPEG", 60), codec("WEBP", 50))),
    },
    "crop": {"crop_sides": _crop_sides, "crop_half": _crop_half, "crop_close": (_crop_close, "any")},
    "mirror": {"mirror": _plain(turned(Image.Transpose.FLIP_LEFT_RIGHT))},
    "rotation": {
        "rot5": _plain(rotate(5)),
        "rot90": _plain(turned(Image.Transpose.ROTATE_90)),
        "rot180": _plain(turned(Image.Transpose.ROTATE_180)),
    },
    "colour": {
        "grey": _plain(lambda image, _: image.convert("L").convert("RGB")),
        "hue40": _plain(hue(40)),
        "dim": _plain(brightness(0.4)),
    },
    "overlay": {"overlay_text": _text, "overlay_frame": _frame, "overlay_shapes": _shapes},
    "collage": {"collage": _collage},
    "sticker": {"sticker_eyes": (_sticker, "face")},
    "size": {"tiny": _tiny},
    "screenshot": {"screenshot_twice": _plain(chain(_SCREENSHOT, _SCREENSHOT))},
}
IMAGE_ATTACKS: dict[str, ImageAttack] = {
    name: ImageAttack(name, kind, *(change if isinstance(change, tuple) else (change,)))
    for kind, of in _ALL.items()
    for name, change in of.items()
}
"""By name, those of one kind together."""
