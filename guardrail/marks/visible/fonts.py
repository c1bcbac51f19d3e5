"""Which font can draw a text: the given one, Pillow's own, or one of the system's. A missing glyph is never drawn.

Pillow does not tell which characters a font has. A character that it lacks is drawn as glyph 0, `.notdef` (OpenType
specification, "Recommendations for OpenType fonts"), which is what a noncharacter of Unicode (19.0, section 23.7) is
drawn as in every font: what looks like that, or like nothing at all, is not in the font.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from guardrail.decision import is_one_line
from guardrail.errors import MarkError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

__all__ = ["NEEDS_SHAPING", "Face", "ensure_drawable", "find_face", "needs_shaping"]

PROBE_PX = 48.0
MOST_FILES = 5_000  # of the system; a desktop has some hundreds
MOST_FACES = 16  # of one collection
_SUFFIXES = frozenset({".ttf", ".otf", ".ttc", ".otc"})
_NONCHARACTER = "\U0010ffff"
_UNSEEN = frozenset(" \u200c\u200d")
# Cuts that are worse for a label than the plain one; the upright and plain face of a family comes first.
_WORSE = (
    "italic",
    "oblique",
    "mono",
    "serif",
    "condensed",
    "narrow",
    "black",
    "light",
    "thin",
    "bold",
    "symbol",
    "math",
)
# Scripts whose letters change with their neighbours though they run from left to right: blocks of Unicode.
NEEDS_SHAPING = (
    (0x0900, 0x109F),  # the scripts of India, Sinhala, Thai, Lao, Tibetan, Myanmar
    (0x1780, 0x18AF),  # Khmer, Mongolian
    (0x1900, 0x1CFF),  # Limbu to Vedic
    (0xA800, 0xA8FF),  # Syloti Nagri to Devanagari Extended
    (0xA900, 0xA95F),  # Kayah Li, Rejang
    (0xA980, 0xABFF),  # Javanese to Meetei Mayek
    (0x11000, 0x11FFF),  # Brahmi and its descendants
)
# Which face of a collection draws Chinese characters as they are written where the text comes from.
_TAGS = ("SC", "TC", "HK", "JP", "KR")


class Face:
    """A font in any size.

    Args:
        path: the file; ``None`` is Pillow's own font.
        index: which face of a collection.
    """

    def __init__(self, path: Path | None, index: int = 0) -> None:
        self.path = path
        self.index = index

    def __repr__(self) -> str:
        return f"Face({str(self.path) if self.path else 'built-in'}#{self.index})"

    def sized(self, size: float, *, shaped: bool = False) -> FreeTypeFont:
        """The font at a size in pixels.

        Raises:
            OSError: the file is no font that can be scaled, or has no such face.
        """
        from PIL import ImageFont

        layout = ImageFont.Layout.RAQM if shaped else ImageFont.Layout.BASIC
        if self.path is not None:
            return ImageFont.truetype(str(self.path), size, index=self.index, layout_engine=layout)
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont)
        return font

    def family(self) -> str:
        return self.sized(PROBE_PX).getname()[0] or ""

    def lacks(self, text: str) -> str:
        """The first character of `text` that the font has no glyph for; empty if it has all.

        Raises:
            OSError: as in `sized`.
        """
        font = self.sized(PROBE_PX)
        absent = _picture(font, _NONCHARACTER)
        for character in text:
            if character not in _UNSEEN:
                drawn = _picture(font, character)
                if drawn == absent or not any(drawn[2]):
                    return character
        return ""


def _picture(font: FreeTypeFont, character: str) -> tuple[tuple[int, int], tuple[float, float], bytes, float]:
    mask, offset = font.getmask2(character, mode="L")
    return mask.size, offset, bytes(mask), font.getlength(character)


def needs_shaping(text: str) -> bool:
    """Whether letters change their form or their order when they stand together, so that Raqm has to lay them out."""
    return any(
        unicodedata.bidirectional(c) in ("R", "AL", "AN")
        or unicodedata.category(c).startswith("M")
        or any(first <= ord(c) <= last for first, last in NEEDS_SHAPING)
        for c in text
    )


def ensure_drawable(text: str, font: str | Path | None = None) -> None:
    """See that a label can be drawn, before a picture waits for it. Whether it fits hangs on the picture.

    Args:
        text: what `wording` gives.
        font: as in `guardrail.marks.visible.draw`.

    Raises:
        MarkError: it cannot, with the character in the way.
    """
    find_face(normal(text), str(font) if font else "")


def normal(text: str) -> str:
    """The text as it is drawn: composed letters (Unicode, form C), and single blanks.

    Raises:
        MarkError: nothing is in it that can be seen, or something that is not printed.
    """
    if not is_one_line(text):
        raise MarkError("the visible label is empty or holds what cannot be printed; write one line of text")
    return " ".join(unicodedata.normalize("NFC", text).split(" ")).strip()


@lru_cache(maxsize=64)
def find_face(text: str, font: str = "") -> Face:
    """The first font that has every character of `text`: the given one, Pillow's own, one of the system's.

    Args:
        font: a file, of a collection with the number of the face: ``NotoSansCJK-Regular.ttc#2``.

    Raises:
        MarkError: no font has them all, the given file is no font, or Pillow lacks what this script needs.
    """
    from PIL import features

    if not features.check("freetype2"):
        raise MarkError("this Pillow draws no text (it was built without FreeType); install Pillow's wheel")
    if needs_shaping(text) and not features.check("raqm"):
        raise MarkError(
            "the visible label is in a script that only Raqm lays out as it is read, and this Pillow is built without "
            "it; install Pillow's wheel or libraqm, or use a label in another script"
        )
    lacking = ""
    if font:
        chosen = _given(font)
        try:
            lacking = chosen.lacks(text)
        except OSError:
            raise MarkError(f"the font {font} cannot be read; give a TrueType or OpenType file") from None
        if not lacking:
            return chosen
    missing = Face(None).lacks(text)
    if not missing:
        return Face(None)
    found = _of_system(text)
    if found is None:
        character = lacking or missing
        raise MarkError(
            f"no font here has the character U+{ord(character):04X} together with the rest of the visible label; "
            "name a font file that has all of its characters: Marking(font=…)"
        )
    return found


def _given(font: str) -> Face:
    path, mark, number = font.rpartition("#")
    if mark and number.isdigit() and not Path(font).is_file():
        return Face(Path(path), int(number))
    return Face(Path(font))


# ---- the fonts of the system


def _of_system(text: str) -> Face | None:
    """The first face that has all characters; one made for the language, where there is such a one."""
    tag = _tag(text)
    first: Face | None = None
    for path in _files():
        for face in _faces(path, all_of_them=bool(tag)):
            try:
                if face.lacks(text):
                    continue
                if not tag or tag in face.family().split():
                    return face
            except OSError:
                break  # pictures instead of outlines, or not a font: one of many, and the next may do
            first = first or face
    return first


def _faces(path: Path, *, all_of_them: bool) -> Iterator[Face]:
    several = all_of_them and path.suffix.lower() in (".ttc", ".otc")
    return (Face(path, index) for index in range(MOST_FACES if several else 1))


def _tag(text: str) -> str:
    """Where Chinese characters are to look as written; the same code points are drawn otherwise in each place.

    Hangul and kana say so. Chinese characters alone are taken for simplified Chinese: name the font for another.
    """
    names = {unicodedata.name(c, "").partition(" ")[0].partition("-")[0] for c in text}
    if "HANGUL" in names:
        return "KR"
    if names & {"HIRAGANA", "KATAKANA"}:
        return "JP"
    if "BOPOMOFO" in names:
        return "TC"
    return "SC" if "CJK" in names else ""


@lru_cache(maxsize=1)
def _files() -> tuple[Path, ...]:
    """The font files of the system, plain faces before others; in an order that hangs on their names only."""
    files = {p for folder in _folders() for p in _below(folder)}
    return tuple(sorted(files, key=lambda p: (_drawback(p.stem), p.name, str(p)))[:MOST_FILES])


def _below(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders.sort()
        # A "last resort" font has a box with a number for every character: what a label must never show.
        fonts = (name for name in names if not name.lower().startswith("lastresort"))
        yield from (Path(here, name) for name in fonts if Path(name).suffix.lower() in _SUFFIXES)


def _drawback(name: str) -> int:
    return sum(word in name.lower() for word in _WORSE)


def _folders() -> tuple[Path, ...]:
    """Where fonts are kept: of macOS, of Windows, and by the XDG base directories elsewhere."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 (Path.home() raises where there is none)
    if sys.platform == "darwin":
        return Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"
    if sys.platform == "win32":
        windows = Path(os.environ.get("WINDIR", r"C:\Windows"), "Fonts")
        return windows, Path(os.environ.get("LOCALAPPDATA", str(home)), "Microsoft", "Windows", "Fonts")
    own = os.environ.get("XDG_DATA_HOME") or str(home / ".local/share")
    shared = (os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    return *(Path(folder, "fonts") for folder in (own, *shared) if folder), home / ".fonts"
