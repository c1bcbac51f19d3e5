"""Which pictures are marked: of the user's folders, out of scikit-image's wheel, or drawn."""

from __future__ import annotations

import hashlib
import importlib.util
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from guardrail.bench.files import DataError
from guardrail.bench.marks.drawings import drawing
from guardrail.bench.pictures import numbered, pictures

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

__all__ = ["Size", "Source", "chosen", "groups", "size_of", "sources"]

SMALLEST_SIDE = 128
"""Pixels: smaller files are left out, scaled up they would be mush."""


@dataclass(frozen=True, slots=True)
class Size:
    """Pixels of the pictures that are marked."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}" if self.width == self.height else f"{self.width}×{self.height}"


def size_of(text: str) -> Size:
    """``512`` is a square, ``768x512`` is not.

    Raises:
        DataError: it is neither, or a side is under 64 or over 8192 pixels.
    """
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not width.isdecimal() or (height and not height.isdecimal()):
        raise DataError(f"{text!r} is no size: 512 is a square, 768x512 is not")
    size = Size(int(width), int(height or width))
    if not all(64 <= side <= 8192 for side in (size.width, size.height)):
        raise DataError(f"{text}: the sides of a picture are 64 to 8192 pixels here")
    return size


@dataclass(frozen=True, slots=True)
class Source:
    """One picture before it is cut to size.

    Attributes:
        group: the folder it came from, by its number or, where that was asked for, its name; ``scikit-image`` or
            ``drawn``.
        number: within its group, from 0; names of files are in no report.
        sha256: of its pixels; empty for what is drawn here.
        drawn_from: what its key, its payload and what happens to it are drawn from. The folder has its number here in
            any case: figures are the same with names and without, and a payload tells nobody a name who tries some.
    """

    group: str
    number: int
    _open: Callable[[Size], Image]
    sha256: str = ""
    drawn_from: str = ""

    @property
    def name(self) -> str:
        return f"{self.group} {self.number}"

    def pixels(self, size: Size) -> NDArray[np.uint8]:
        """(height, width, 3): the largest centred part of the asked shape, scaled."""
        return np.asarray(_cut(self._open(size), size))

    def enlarged(self, size: Size) -> float:
        """By how much the part is scaled; over 1 it was enlarged, and is smoother than pictures are."""
        image = self._open(size)
        return max(size.width / image.width, size.height / image.height)


def sources(folders: Sequence[Path], *, packaged: bool, drawn: int, keep_names: bool = False) -> list[Source]:
    """All pictures, each once, whatever folders it lies in.

    Args:
        folders: of the user, at any depth.
        packaged: also those in scikit-image's wheel, if it is installed.
        drawn: so many of `drawings`.
        keep_names: folders below those of the user have their names; else they are numbered, for a set of faces has a
            folder for each person.

    Raises:
        DataError: a folder cannot be used, or there is no picture at all.
    """
    found = pictures(folders) if folders else []
    paths = [(p.group, hidden.group, p.path) for p, hidden in zip(found, numbered(found, folders), strict=True)]
    if packaged:
        paths += [("scikit-image", "scikit-image", path) for path in _packaged()]
    made: list[Source] = []
    count: Counter[str] = Counter()
    seen: set[bytes] = set()
    for called, group, path in paths:
        image = _read(path)
        digest = hashlib.sha256(image.tobytes()).digest()
        if min(image.size) >= SMALLEST_SIDE and digest not in seen:
            seen.add(digest)
            number = count[group]
            shown = called if keep_names else group
            made.append(Source(shown, number, partial(_file, path), digest.hex(), f"{group} {number}"))
            count[group] += 1
    made += [Source("drawn", n, partial(_drawn, n), drawn_from=f"drawn {n}") for n in range(drawn)]
    if not made:
        raise DataError("there is no picture to mark: name a folder with --images, or draw some with --drawn")
    return made


def chosen(found: Sequence[Source], limit: int | None) -> list[Source]:
    """At most `limit` of them, evenly spread over all groups."""
    if limit is None or len(found) <= limit:
        return list(found)
    return [found[i * len(found) // limit] for i in range(limit)]


def groups(of: Sequence[Source]) -> dict[str, int]:
    return dict(Counter(source.group for source in of))


def _packaged() -> list[Path]:
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent / "data"
    return [p for p in sorted(folder.iterdir()) if p.suffix in (".png", ".jpg")]


def _read(path: Path) -> Image:
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.has_transparency_data:
                ground = Image.new("RGBA", upright.size, (255, 255, 255, 255))
                return Image.alpha_composite(ground, upright.convert("RGBA")).convert("RGB")
            return upright.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as a picture ({type(error).__name__}): take it out") from None


def _file(path: Path, _: Size) -> Image:
    return _read(path)


def _drawn(number: int, size: Size) -> Image:
    return drawing(number, max(size.width, size.height))


def _cut(image: Image, size: Size) -> Image:
    from PIL.Image import Resampling

    scale = max(size.width / image.width, size.height / image.height)
    if scale == 1.0:
        left, top = (image.width - size.width) // 2, (image.height - size.height) // 2
        return image.crop((left, top, left + size.width, top + size.height))
    # Rounding can make a box wider than its picture by the last digit, which Pillow refuses.
    w, h = min(size.width / scale, image.width), min(size.height / scale, image.height)
    x, y = (image.width - w) / 2, (image.height - h) / 2
    method = Resampling.LANCZOS if scale < 1 else Resampling.BICUBIC
    return image.resize((size.width, size.height), method, box=(x, y, x + w, y + h))
