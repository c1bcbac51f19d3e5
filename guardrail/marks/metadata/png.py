"""Text in PNG files (PNG specification, third edition, 11.3.3): chunks read within limits, and the ones of a label."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo

__all__ = ["LARGEST_LABEL_BYTES", "XMP_KEYWORD", "Text", "chunks", "png_info", "split_text", "text_of", "unpacked"]

XMP_KEYWORD = "XML:com.adobe.xmp"
_MOST_CHUNKS = 100_000  # 800 MB of pixels in the pieces that libpng writes
_LARGEST_TEXT_BYTES = 4 << 20  # unpacked; ComfyUI's graphs reach a megabyte
LARGEST_LABEL_BYTES = 1 << 20
"""Of a text that is read into a label or written again: Pillow's limit, and that of our XMP."""
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
# ImageMagick keeps EXIF and Photoshop blocks in text, and thumbnails in those.
_RAW_PROFILE = "Raw profile type "


class Text(NamedTuple):
    """A text chunk as it stands in the file."""

    keyword: str
    value: bytes
    packed: bool
    encoding: str


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, bytes) of the chunks that are whole, without the pixels; stops at what is none."""
    at = 8
    for _ in range(_MOST_CHUNKS):
        if at + 12 > len(content):
            return
        (length,) = struct.unpack_from(">I", content, at)
        kind = content[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(content) or kind == b"IEND":
            return
        if kind not in (b"IDAT", b"fdAT"):
            yield kind, content[at + 8 : end]
        at = end + 4


def split_text(kind: bytes, data: bytes) -> Text | None:
    """The parts of a text chunk, not unpacked; None where it is none. Never raises."""
    keyword, separator, rest = data.partition(b"\0") if kind in _TEXT_CHUNKS else (b"", b"", b"")
    if not separator or not 0 < len(keyword) < 80:
        return None
    packed, encoding = kind == b"zTXt", "latin-1"
    if kind == b"zTXt":
        rest = rest[1:]
    elif kind == b"iTXt":
        parts = rest[2:].split(b"\0", 2)
        if len(parts) < 3:
            return None
        packed, rest, encoding = rest[0] != 0, parts[2], "utf-8"
    return Text(keyword.decode("latin-1"), rest, packed, encoding)


def unpacked(text: Text) -> bytes | None:
    """Its bytes, cut off at 4 MiB; None where they do not unpack."""
    if not text.packed:
        return text.value[:_LARGEST_TEXT_BYTES]
    try:
        return zlib.decompressobj().decompress(text.value, _LARGEST_TEXT_BYTES)
    except zlib.error:
        return None


def text_of(kind: bytes, data: bytes) -> tuple[str, str] | None:
    """(keyword, text) of a text chunk, unpacked; None where it is none, or over 1 MiB. Never raises."""
    text = split_text(kind, data)
    value = unpacked(text) if text else None
    if text is None or value is None or len(value) > LARGEST_LABEL_BYTES:
        return None
    return text.keyword, value.decode(text.encoding, "replace")


def png_info(given: PngInfo | None, packet: bytes, words: Mapping[str, str], aigc_json: str) -> PngInfo:
    """The text chunks of a label, behind those of the caller.

    The caller's object stays as it is. Its chunks are kept, but for XMP (which is in `packet` already), embedded
    profiles, and the keywords that are written here; comments may stand side by side.
    """
    from PIL.PngImagePlugin import PngInfo

    ours = {*words, XMP_KEYWORD} - {"Comment"} | ({"AIGC"} if aigc_json else set())
    info = PngInfo()
    for chunk in getattr(given, "chunks", ()):
        said = text_of(chunk[0], chunk[1])
        if said is None or (said[0] not in ours and not said[0].startswith(_RAW_PROFILE)):
            info.chunks.append(chunk)
    if packet:
        info.add_itxt(XMP_KEYWORD, packet.decode())
    for keyword, text in words.items():
        info.add_text(keyword, text)
    if aigc_json:
        info.add_text("AIGC", aigc_json)
    return info
