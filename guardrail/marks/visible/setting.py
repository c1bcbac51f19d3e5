"""Setting a label: how large its characters have to be, how its lines are broken, and what it looks like in grey.

Height is measured on what is drawn, not on the nominal size of a font: a capital letter fills 70 % of it, a Chinese
character 90 %.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardrail.decision import TEXT_JOINT
from guardrail.errors import MarkError
from guardrail.marks.visible.fonts import Face, find_face, needs_shaping, normal

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

__all__ = ["LEGIBLE_PX", "USUAL_PX", "Align", "Label", "least_height", "set_label"]

Align = Literal["left", "centre", "right"]

USUAL_PX = 12  # height of characters, where the picture has the room
LEGIBLE_PX = 8  # nobody reads what is smaller; a Chinese character of 生成's kind needs about as much
INK = 128  # of 255: half covered counts as drawn
_ROOM = 0.5  # of the picture's height: a label takes no more, unless its smallest characters need it
_PADDING = 0.45  # of the height of characters, between text and rim of the plate
_MARGIN = 0.02  # of the short side, between plate and rim of the picture
_LEADING = 0.35  # of the height of characters, between lines
_DIGITS = frozenset("0123456789")  # an Arabic zero is a dot
_CLOSING = ("Pe", "Pf", "Po")  # kinds of characters that do not begin a line
_OPENING = ("Ps", "Pi")  # and that do not end one


class Label(NamedTuple):
    """A label that fits.

    Attributes:
        ink: (h, w) uint8: how far a pixel of the plate is covered by text; the plate's size.
        margin: pixels between plate and rim.
    """

    ink: NDArray[np.uint8]
    margin: int


def least_height(height: int, width: int) -> int:
    """Pixels that the characters have at least: 5 % of the short side (GB 45438-2025), and legible."""
    return max(-(-min(height, width) // 20), LEGIBLE_PX)


@lru_cache(maxsize=32)
def set_label(height: int, width: int, text: str, align: Align, font: str = "") -> Label:
    """The label for a picture of this size. Kept: the frames of a video all ask for the same.

    Raises:
        MarkError: no font has its characters, or it does not fit at the least height, in as many lines as there is
            room for.
    """
    text = normal(text)
    face = find_face(text, font)
    least = least_height(height, width)
    margin = max(2, round(min(height, width) * _MARGIN))
    sizes = range(max(least, USUAL_PX), least - 1, -1)
    for tall, share in [*((tall, _ROOM) for tall in sizes), (least, 1.0)]:
        padding = max(2, round(tall * _PADDING))
        around = 2 * (margin + padding)
        ink = _ink(text, face, tall, width - around, int(height * share) - around, align)
        if ink is not None:
            return Label(np.pad(ink, padding), margin)
    raise MarkError(
        f"the visible label does not fit into {width}×{height} pixels with characters {least} pixels high; "
        "use a shorter one, or a larger picture"
    )


def _ink(text: str, face: Face, tall: int, room: int, high: int, align: Align) -> NDArray[np.uint8] | None:
    """The text with characters `tall` pixels high, within `room` × `high` pixels; None if it does not fit."""
    if room < 1 or high < tall:
        return None
    shaped = needs_shaping(text)
    font = _font(text, face, tall, shaped)
    direction = _direction(text) if shaped else None
    lines = _lines(text, font, room)
    if lines is None:
        return None
    drawn = [_line(line, font, direction) for line in lines]
    above = max(base for _, base in drawn)
    below = max(picture.shape[0] - base for picture, base in drawn)
    step = above + below + round(tall * _LEADING)
    wide = max(picture.shape[1] for picture, _ in drawn)
    sheet = np.zeros((step * len(drawn), wide), np.uint8)
    for number, (picture, base) in enumerate(drawn):
        spare = wide - picture.shape[1]
        left = {"left": 0, "centre": spare // 2, "right": spare}[align]
        top = number * step + above - base
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    ink = _cropped(sheet)[0]
    return ink if ink.shape[0] <= high and ink.shape[1] <= room else None


# ---- size


def _font(text: str, face: Face, tall: int, shaped: bool) -> FreeTypeFont:
    """The font at the smallest whole size at which its characters are `tall` pixels high."""
    probe = 100
    size = max(1, tall * probe // max(1, _height(text, face.sized(probe, shaped=shaped))) - 1)
    # Hinting moves edges by a pixel or so: the estimate is close, and what is drawn decides.
    for larger in range(size, size + 2 * probe):
        font = face.sized(larger, shaped=shaped)
        if _height(text, font) >= tall:
            return font
    raise MarkError("the characters of the visible label have no height in this font; name another one")


def _height(text: str, font: FreeTypeFont) -> int:
    """Height of the characters of a text in pixels: of its lowest capital or digit, or of its full-width ones.

    Of the full-width ones the tallest counts, for 一 is flat and still a whole character. Of both kinds the less. A
    text that has neither, such as an Arabic one, is as high as what of it stands above the base line.
    """
    capitals = [_rows(c, font) for c in dict.fromkeys(text) if c.isupper() or c in _DIGITS]
    wide = [_rows(c, font) for c in dict.fromkeys(text) if _is_wide(c) and c.isalpha()]
    heights = [*(capitals and [min(capitals)]), *(wide and [max(wide)])]
    return min(heights) if heights else _rows(text, font, above=True)


def _rows(text: str, font: FreeTypeFont, *, above: bool = False) -> int:
    """How many rows of pixels have ink; of all of it, or of what stands above the base line."""
    picture, base = _line(text, font, None)
    return int(np.count_nonzero((picture[: base if above else None] >= INK).any(axis=1)))


# ---- lines


def _lines(text: str, font: FreeTypeFont, room: int) -> list[str] | None:
    """The text in lines of at most `room` pixels; None if some part is wider.

    It is broken between the texts of several rules if that is enough, else between words, else within words of scripts
    that allow it.
    """
    texts = [part + TEXT_JOINT for part in text.split(TEXT_JOINT)]
    words = [*_pieces(text, within_words=False)]
    for pieces in (texts, words, [*_pieces(text, within_words=True)]):
        if (lines := _filled(pieces, font, room)) is not None:
            return lines
    return None


def _filled(pieces: list[str], font: FreeTypeFont, room: int) -> list[str] | None:
    lines: list[str] = []
    line = ""
    for piece in pieces:
        if line and font.getlength(_stripped(line + piece)) > room:
            lines.append(_stripped(line))
            line = ""
        line += piece
        if font.getlength(_stripped(line)) > room:
            return None
    lines.append(_stripped(line))
    return [line for line in lines if line]


def _stripped(line: str) -> str:
    """A line without the joint of two texts at its ends: there the break parts them."""
    return line.strip(TEXT_JOINT) or line.strip()


def _pieces(text: str, *, within_words: bool) -> Iterator[str]:
    """What must not be broken: words with the blank or the hyphen after them, or single full-width characters."""
    begin = 0
    for at in range(1, len(text)):
        before, after = text[at - 1], text[at]
        if _parts_words(before, after) or (within_words and _parts_characters(before, after)):
            yield text[begin:at]
            begin = at
    yield text[begin:]


def _parts_words(before: str, after: str) -> bool:
    return after != " " and (before == " " or (before == "-" and after.isalpha()))


def _parts_characters(before: str, after: str) -> bool:
    """Chinese, Japanese and Korean are broken anywhere but before a closing sign and after an opening one."""
    closes = unicodedata.category(after) in _CLOSING or unicodedata.category(after).startswith("M")
    opens = unicodedata.category(before) in _OPENING
    return not (closes or opens or after == " ") and (_is_wide(before) or _is_wide(after))


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in ("W", "F")


def _direction(text: str) -> str:
    """Of the whole text, by its first letter that has one (Unicode Annex 9, rules P2 and P3)."""
    strong = (unicodedata.bidirectional(c) for c in text)
    return "rtl" if next((s for s in strong if s in ("L", "R", "AL")), "L") != "L" else "ltr"


def _line(text: str, font: FreeTypeFont, direction: str | None) -> tuple[NDArray[np.uint8], int]:
    """One line, cut to its ink, and how many of its rows stand above the base line."""
    from PIL import Image, ImageDraw

    reach = round(font.size * 2)
    canvas = Image.new("L", (round(font.getlength(text)) + 2 * reach, 2 * reach))
    ImageDraw.Draw(canvas).text((reach, reach), text, fill=255, font=font, anchor="ls", direction=direction)
    picture, top = _cropped(np.asarray(canvas))
    return picture, reach - top


def _cropped(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """The part that has ink, and the row at which it begins."""
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    if not rows.size:
        raise MarkError("nothing of the visible label can be seen in this font; name another one")
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], int(rows[0])
