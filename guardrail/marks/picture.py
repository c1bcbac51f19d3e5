"""A picture of what was found: the image with the grid of its mark, and a panel with what each layer says.

For people who decide over one image, and for reports. Drawn from the verification, and from one more look for the
watermark, which says where it lies.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from guardrail.keys import Keyring
from guardrail.marks.stack import MarkStack
from guardrail.marks.tileline.layout import FULL_TILES
from guardrail.marks.verify import Verification
from guardrail.media import Limits, decode_image

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from guardrail.marks.layers import Layer
    from guardrail.marks.tileline import Geometry

__all__ = ["picture_of_found"]

_LONGEST_SIDE, _SHORTEST_SIDE = 1000, 480  # pixels of the drawn image
_PANEL, _MARGIN = 520, 28
_GRID_SIDE = 256  # pixels; smaller pictures carry fewer tiles, and which number is not known
_MOST_LINES = 4  # of one value

_PAPER, _INK, _GREY, _RULE = (250, 249, 246), (32, 33, 36), (110, 113, 120), (222, 220, 214)
_GREEN, _RED, _AMBER = (24, 128, 72), (190, 40, 40), (176, 112, 0)
_COLOURS = {
    "found": _GREEN,
    "claimed": _GREEN,
    "marked, payload unreadable": _GREEN,
    "copied": _RED,
    "invalid": _RED,
    "nothing found": _GREY,
    "not applicable": _GREY,
    "not looked at": _GREY,
    "says nothing of AI": _GREY,
}


def picture_of_found(
    source: str | Path | bytes,
    said: Verification,
    keyring: Keyring | None,
    *,
    search: bool = True,
    limits: Limits | None = None,
) -> bytes:
    """A PNG of what was found in a file.

    Args:
        source: the file that `said` is the verification of.
        keyring, search, limits: as `guardrail.marks.verify.verify_image` was given.

    Raises:
        InputError: it cannot be read as an image.
    """
    from PIL import Image as Images

    image = decode_image(source, limits=limits)
    pixels = image.frames[0]
    shown = _fitted(Images.fromarray(_over_white(pixels)))
    geometry = _geometry(pixels, keyring, search) if min(image.size) >= _GRID_SIDE else None
    if geometry is not None:
        shown = _with_grid(shown, geometry)
    panel = _panel(said, geometry, image.size)
    out = Images.new(
        "RGB", (shown.width + panel.width + 2 * _MARGIN, max(shown.height + 2 * _MARGIN, panel.height)), _PAPER
    )
    out.paste(shown, (_MARGIN, _MARGIN))
    out.paste(panel, (shown.width + 2 * _MARGIN, 0))
    buffer = io.BytesIO()
    out.save(buffer, "PNG")
    return buffer.getvalue()


def _over_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    return ((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _fitted(image: Image) -> Image:
    from PIL import Image as Images

    scale = min(_LONGEST_SIDE / max(image.size), 1.0)
    if max(image.size) < _SHORTEST_SIDE:
        scale = _SHORTEST_SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if size == image.size:
        return image
    return image.resize(size, Images.Resampling.LANCZOS if scale < 1 else Images.Resampling.NEAREST)


def _geometry(pixels: NDArray[np.uint8], keyring: Keyring | None, search: bool) -> Geometry | None:
    if keyring is None:
        return None
    _, found = MarkStack(keyring).detect(pixels[..., :3], search=search)
    return found.geometry if found.verdict != "none" else None


def _with_grid(image: Image, geometry: Geometry) -> Image:
    """Lines one tile apart, turned as the mark is, and an arrow to where up was when the picture was marked.

    The mark repeats without end, so it has no corner that the lines could be put on: they start at the middle.
    """
    from PIL import Image as Images
    from PIL import ImageDraw

    # Drawn twice as large and scaled down: Pillow draws no smooth lines.
    layer = Images.new("RGBA", (2 * image.width, 2 * image.height))
    draw = ImageDraw.Draw(layer)
    centre = np.array([image.width, image.height], np.float64)
    tile = 2 * min(image.size) / FULL_TILES * geometry.scale
    angle = np.radians(geometry.degrees)
    across = np.array([np.cos(angle), -np.sin(angle)])
    up = np.array([-np.sin(angle), -np.cos(angle)])
    reach = float(np.hypot(*layer.size))
    count = int(reach / tile) + 1
    for step, along in ((across, up), (up, across)):
        for n in range(-count, count + 1):
            middle = centre + n * tile * step
            line = [tuple(middle - reach * along), tuple(middle + reach * along)]
            draw.line(line, fill=(0, 0, 0, 90), width=6)
            draw.line(line, fill=(255, 255, 255, 200), width=2)
    _arrow(draw, centre, up, across, min(layer.size) / 9)
    small = layer.resize(image.size, Images.Resampling.LANCZOS)
    return Images.alpha_composite(image.convert("RGBA"), small).convert("RGB")


def _arrow(
    draw: ImageDraw, centre: NDArray[np.float64], up: NDArray[np.float64], across: NDArray[np.float64], length: float
) -> None:
    tip, foot = centre + length * up, centre - length * up
    neck = centre + 0.45 * length * up
    for colour, grown in (((0, 0, 0, 200), 5), ((255, 196, 0, 255), 0)):
        width = int(0.14 * length) + 2 * grown
        draw.line([tuple(foot - grown * up), tuple(neck)], fill=colour, width=width)
        wing = (0.3 * length + 2 * grown) * across
        draw.polygon(
            [tuple(tip + 2 * grown * up), tuple(neck + wing - grown * up), tuple(neck - wing - grown * up)], colour
        )


def _panel(said: Verification, geometry: Geometry | None, size: tuple[int, int]) -> Image:
    """The text. Its height follows from what there is to say."""
    from PIL import Image as Images
    from PIL import ImageDraw

    lines = [*_head(said), *_place(geometry, size)]
    quiet = [x for x in said.layers if x.verdict == "nothing found" and not x.says and x.name != "watermark"]
    for layer in said.layers:
        if layer not in quiet:
            lines += _of_layer(layer)
    if quiet:
        lines.append(("", 0, _RULE, 14))
        for n, text in enumerate(_wrapped(f"nothing found: {', '.join(layer.name for layer in quiet)}", 15)):
            lines.append((text, 15, _GREY, 12 if n == 0 else 4))
    height = sum(space + font for _, font, _, space in lines) + 2 * _MARGIN
    panel = Images.new("RGB", (_PANEL, height), _PAPER)
    draw = ImageDraw.Draw(panel)
    y = _MARGIN
    for text, font, colour, space in lines:
        y += space
        if text:
            draw.text((0, y), text, fill=colour, font=_font(font))
        else:
            draw.line([(0, y), (_PANEL - _MARGIN, y)], fill=_RULE, width=1)
        y += font
    return panel


_Line = tuple[str, int, tuple[int, int, int], int]
"""Text (empty: a rule), size of its font, colour, space above."""


def _head(said: Verification) -> list[_Line]:
    title = "AI-generated, says at least one mark" if said.ai_generated else "No mark that says AI-generated"
    lines: list[_Line] = [(title, 24, _INK, 0)]
    for text in _wrapped(said.summary, 16):
        lines.append((text, 16, _GREY, 10 if len(lines) == 1 else 6))
    return lines


def _place(geometry: Geometry | None, size: tuple[int, int]) -> list[_Line]:
    height, width = size
    lines: list[_Line] = [(f"{width} by {height} pixels", 15, _INK, 16)]
    if geometry is not None:
        turned = f"turned by {geometry.degrees:+.1f}°" if abs(geometry.degrees) >= 0.05 else "not turned"
        mirrored = ", mirrored" if geometry.flip else ""
        lines.append((f"The mark is {geometry.scale:.2f} times its first size, {turned}{mirrored}.", 14, _GREY, 5))
        lines.append(("The lines show its tiles, the arrow where up was.", 14, _GREY, 5))
    return lines


def _of_layer(layer: Layer) -> list[_Line]:
    lines: list[_Line] = [("", 0, _RULE, 14)]
    lines.append((f"{layer.name}: {layer.verdict}", 18, _COLOURS.get(layer.verdict, _AMBER), 12))
    numbers = []
    if layer.statistic is not None:
        numbers.append(f"statistic {layer.statistic:.3g}")
    if layer.false_positive_rate is not None:
        numbers.append(f"chance of error {layer.false_positive_rate:.0e}")
    if numbers:
        lines.append((", ".join(numbers), 14, _INK, 6))
    for name, value in layer.says.items():
        if value:
            for n, text in enumerate(_wrapped(f"{name}: {value}", 14)):
                lines.append((text, 14, _GREY, 6 if n == 0 else 3))
    return lines


def _wrapped(text: str, size: int) -> list[str]:
    """Lines that fit into the panel, at most `_MOST_LINES`."""
    font, lines, line = _font(size), [], ""
    for word in text.split():
        tried = f"{line} {word}".lstrip()
        if line and font.getlength(tried) > _PANEL - _MARGIN:
            lines.append(line)
            tried = word
        # A word that is longer than a line: a hash, an address.
        while font.getlength(tried) > _PANEL - _MARGIN:
            cut = _fitting(tried, font)
            lines.append(tried[:cut])
            tried = tried[cut:]
        line = tried
    lines.append(line)
    return lines if len(lines) <= _MOST_LINES else [*lines[: _MOST_LINES - 1], "…"]


def _fitting(text: str, font: Any) -> int:
    """How many letters of a text fit into a line: at least one."""

    def width(letters: int) -> float:
        return float(font.getlength(text[:letters]))

    return max(1, bisect_right(range(1, len(text)), float(_PANEL - _MARGIN), key=width))


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
