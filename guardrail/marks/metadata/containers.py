"""Where the metadata is in a file: PNG, JPEG, WebP and AVIF, found by their structure and without decoding a pixel.

For files that anybody may have made: nothing here raises, every loop is bounded, and no length is believed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from guardrail.marks.metadata import png
from guardrail.marks.metadata.boxes import items_of
from guardrail.media.decode import sniff

__all__ = ["Found", "find"]

_MOST_PIECES = 10_000  # segments of a JPEG file, chunks of a WebP file
_MOST_TEXTS = 256
_MOST_TEXT = 4 << 20  # characters, all texts of a PNG file together
_XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
_EXIF_HEAD = b"Exif\0\0"
# JPEG markers without a length (ITU-T T.81, table B.1): TEM, RST0 to RST7, SOI.
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))


@dataclass(slots=True)
class Found:
    """Metadata as it stands in the file.

    Args:
        xmp: the first packet.
        exif: the first block, with or without its prefix.
        texts: of a PNG file, without XMP; the last one of a keyword.
    """

    xmp: bytes = b""
    exif: bytes = b""
    texts: dict[str, str] = field(default_factory=dict)


def find(content: bytes) -> Found:
    """The metadata of a file; empty where there is none, where it is of another format, or cut off before it."""
    form = sniff(content[:16])
    if form == "PNG":
        return _png(content)
    if form == "JPEG":
        return _first(_jpeg(content))
    if form == "WEBP":
        return _first(_webp(content))
    if form == "AVIF":
        return _first(items_of(content))
    return Found()


def _first(pieces: Iterator[tuple[str, bytes]]) -> Found:
    found = Found()
    for kind, value in pieces:
        if kind == "xmp" and not found.xmp:
            found.xmp = value
        elif kind == "exif" and not found.exif:
            found.exif = value
    return found


def _png(content: bytes) -> Found:
    found, room = Found(), _MOST_TEXT
    for kind, data in png.chunks(content):
        if kind == b"eXIf" and not found.exif:
            found.exif = data
        said = png.text_of(kind, data) if len(found.texts) < _MOST_TEXTS and room > 0 else None
        if said is None:
            continue
        keyword, text = said
        room -= len(text)
        if keyword != png.XMP_KEYWORD:
            found.texts[keyword] = text
        elif not found.xmp:
            found.xmp = text.encode()
    return found


def _jpeg(content: bytes) -> Iterator[tuple[str, bytes]]:
    at = 2
    for _ in range(_MOST_PIECES):
        at = content.find(b"\xff", at)
        if at < 0 or at + 4 > len(content):
            return
        marker = content[at + 1]
        if marker in (0xDA, 0xD9):  # the pixels begin, or the file ends
            return
        if marker == 0xFF or marker in _BARE:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", content, at + 2)
        data = content[at + 4 : at + 2 + length]
        if marker == 0xE1 and data.startswith(_XMP_HEAD):
            yield "xmp", data[len(_XMP_HEAD) :]
        elif marker == 0xE1 and data.startswith(_EXIF_HEAD):
            yield "exif", data
        at += 2 + length


def _webp(content: bytes) -> Iterator[tuple[str, bytes]]:
    at = 12
    for _ in range(_MOST_PIECES):
        if at + 8 > len(content):
            return
        kind, length = struct.unpack_from("<4sI", content, at)
        if kind in (b"XMP ", b"EXIF"):
            yield kind.decode().strip().lower(), content[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
