"""Every block of metadata in a file: PNG, JPEG, WebP and AVIF, found by their structure and without decoding a pixel.

For files that anybody may have made: nothing here raises, every loop is bounded, and no length is believed.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from guardrail.marks.metadata import png
from guardrail.marks.metadata.boxes import LARGEST_MANIFEST_BYTES, items_of
from guardrail.media.decode import sniff

__all__ = ["Block", "Found", "blocks", "find"]

_MOST_PIECES = 10_000  # segments of a JPEG file, chunks of a WebP file
_MOST_OF_A_KIND = 4  # blocks, texts apart; one each is usual
_MOST_UNPACKED = 64  # compressed texts of a PNG file, whether or not something comes out of them
_MOST_TEXT_BYTES = 16 << 20  # all texts of a PNG file together
_MOST_LABEL_TEXTS = 256
_MOST_LABEL_TEXT = 4 << 20  # characters together
_LONGEST_LOOSE = 1 << 18  # bytes of a packet that is found by looking
_XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
_EXIF_HEAD = b"Exif\0\0"
# JPEG markers without a length (ITU-T T.81, table B.1): TEM, RST0 to RST7, SOI.
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))

Kind = Literal["xmp", "loose xmp", "exif", "text", "comment", "iptc", "c2pa"]


@dataclass(frozen=True, slots=True)
class Block:
    """One block as it stands in the file; a text is unpacked.

    Args:
        kind: ``xmp``; ``loose xmp``, found in an AVIF file by looking for a packet, whether or not an item names it;
            ``exif``, with or without its prefix; ``text`` of a PNG file; ``comment`` and ``iptc`` (all of Photoshop's
            segment) of a JPEG file; ``c2pa``, a manifest, of JPEG files a segment of one.
        value: of texts and manifests at most 4 MiB.
        keyword: of a text, 1 to 79 characters.
        encoding: of a text, as the specification has it; many programs write UTF-8 everywhere.
    """

    kind: Kind
    value: bytes
    keyword: str = ""
    encoding: str = ""


@dataclass(slots=True)
class Found:
    """What a label is read from.

    Args:
        xmp: the first packet.
        exif: the first block, with or without its prefix.
        texts: of a PNG file, without XMP; the last one of a keyword.
    """

    xmp: bytes = b""
    exif: bytes = b""
    texts: dict[str, str] = field(default_factory=dict)


def blocks(content: bytes) -> Iterator[Block]:
    """The blocks of a file in their order, at most four of a kind, and texts; none where it is of another format."""
    seen: Counter[str] = Counter()
    walk = _WALKS.get(sniff(content[:16]) or "")
    for block in walk(content) if walk else ():
        seen[block.kind] += block.kind != "text"
        if seen[block.kind] <= _MOST_OF_A_KIND:
            yield block


def find(content: bytes) -> Found:
    """The metadata of a file; empty where there is none, where it is of another format, or cut off before it."""
    found, room = Found(), _MOST_LABEL_TEXT
    for block in blocks(content):
        if block.kind == "xmp":
            found.xmp = found.xmp or block.value
        elif block.kind == "exif":
            found.exif = found.exif or block.value
        elif block.kind == "text" and len(block.value) <= png.LARGEST_LABEL_BYTES:
            if len(found.texts) >= _MOST_LABEL_TEXTS or room <= 0:
                continue
            text = block.value.decode(block.encoding, "replace")
            room -= len(text)
            found.texts[block.keyword] = text
    return found


def _png(content: bytes) -> Iterator[Block]:
    room, packed = _MOST_TEXT_BYTES, 0
    for kind, data in png.chunks(content):
        if kind == b"eXIf":
            yield Block("exif", data)
        elif kind == b"caBX":
            yield Block("c2pa", data[:LARGEST_MANIFEST_BYTES])
        elif room > 0 and (said := png.split_text(kind, data)) is not None:
            packed += said.packed
            if said.packed and packed > _MOST_UNPACKED:
                continue
            value = png.unpacked(said)
            room -= len(value or b"")
            if value is None or room < 0:
                continue
            if said.keyword == png.XMP_KEYWORD:
                yield Block("xmp", value)
            else:
                yield Block("text", value, said.keyword, said.encoding)


def _jpeg(content: bytes) -> Iterator[Block]:
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
            yield Block("xmp", data[len(_XMP_HEAD) :])
        elif marker == 0xE1 and data.startswith(_EXIF_HEAD):
            yield Block("exif", data)
        elif marker == 0xEB and b"c2pa" in data:
            yield Block("c2pa", data)
        elif marker == 0xED:
            yield Block("iptc", data)
        elif marker == 0xFE:
            yield Block("comment", data)
        at += 2 + length


def _webp(content: bytes) -> Iterator[Block]:
    kinds: Mapping[bytes, Kind] = {b"XMP ": "xmp", b"EXIF": "exif", b"C2PA": "c2pa"}
    at = 12
    for _ in range(_MOST_PIECES):
        if at + 8 > len(content):
            return
        name, length = struct.unpack_from("<4sI", content, at)
        if kind := kinds.get(name):
            value = content[at + 8 : at + 8 + length]
            yield Block(kind, value[:LARGEST_MANIFEST_BYTES] if kind == "c2pa" else value)
        at += 8 + length + length % 2


def _avif(content: bytes) -> Iterator[Block]:
    yield from (Block(kind, value) for kind, value in items_of(content))
    # Packets are made to be found by looking (XMP specification, part 3, 1.1).
    begin, last = content.find(b"<x:xmpmeta"), b"</x:xmpmeta>"
    end = content.find(last, begin, begin + _LONGEST_LOOSE) if begin >= 0 else -1
    if end >= 0:
        yield Block("loose xmp", content[begin : end + len(last)])


_WALKS: Mapping[str, Callable[[bytes], Iterator[Block]]] = MappingProxyType(
    {"PNG": _png, "JPEG": _jpeg, "WEBP": _webp, "AVIF": _avif}
)
