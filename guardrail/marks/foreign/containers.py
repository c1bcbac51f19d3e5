"""Text fields of image files, by name: PNG text, EXIF, XMP, and where a C2PA manifest lies.

Made for files that somebody hostile wrote. Nothing is decoded to pixels, nothing is resolved, every loop and every
length is bounded, and whatever is cut off or broken ends the reading of that part: no input raises.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from itertools import islice
from xml.etree import ElementTree

from guardrail.marks.foreign import tiff
from guardrail.media.decode import sniff

__all__ = ["LONGEST_TEXT", "fields_of"]

LONGEST_TEXT = 4 << 20  # bytes of one field; ComfyUI's graphs reach a megabyte
_MOST_TEXT = 16 << 20  # of all fields together
_MOST_PARTS = 4096  # chunks or segments
_MOST_PACKED = 64  # compressed chunks of a PNG file, whether or not something comes out of them
_MOST_PACKETS = 4  # of XMP
_LONGEST_XMP = 1 << 18  # bytes
_MOST_DESCRIPTIONS, _MOST_PROPERTIES = 64, 512
_NAMESPACES = {
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://www.tc260.org.cn/ns/AIGC/1.0/": "TC260",
}
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}RDF"
_DESCRIPTION = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"


def fields_of(content: bytes) -> dict[str, str]:
    """Fields by name: ``png:KEYWORD``, ``exif:TAG``, ``xmp:PREFIX:NAME``, ``iptc``, ``c2pa`` (unparsed, as Latin-1).

    The first of several fields with one name counts. Empty for what is no image file.
    """
    form = sniff(content[:16])
    parts: Iterator[tuple[str, bytes]] = iter(())
    if form == "PNG":
        parts = _png(content)
    elif form == "JPEG":
        parts = _jpeg(content)
    elif form == "WEBP":
        parts = _webp(content)
    elif form == "AVIF":
        # Its XMP is an item somewhere in the file; packets are made to be found by looking (XMP part 3, 1.1).
        parts = _packet(content)
    found: dict[str, str] = {}
    size = packets = 0
    for name, value in parts:
        size += len(value)
        if size > _MOST_TEXT:
            break
        if name == "exif":
            for tag, text in tiff.fields_of(value).items():
                found.setdefault(f"exif:{tag}", text)
        elif name == "xmp":
            packets += 1
            for key, text in _xmp(value) if packets <= _MOST_PACKETS else ():
                found.setdefault(f"xmp:{key}", text)
        else:
            found.setdefault(name, value.decode("latin-1" if name in ("c2pa", "iptc") else "utf-8", "replace"))
    return found


def _png(content: bytes) -> Iterator[tuple[str, bytes]]:
    at, packed = 8, 0
    for _ in range(_MOST_PARTS):
        if at + 8 > len(content):
            return
        length, kind = struct.unpack_from(">I4s", content, at)
        body = content[at + 8 : at + 8 + length]
        at += 12 + length
        if kind == b"IEND" or len(body) < length:
            return
        if kind == b"eXIf":
            yield "exif", body
        elif kind == b"caBX":
            yield "c2pa", body[:LONGEST_TEXT]
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            packed += kind != b"tEXt"
            if packed > _MOST_PACKED and kind != b"tEXt":
                continue
            keyword, text = _png_text(kind, body)
            if keyword == "XML:com.adobe.xmp":
                yield "xmp", text
            elif keyword:
                yield f"png:{keyword}", text


def _png_text(kind: bytes, body: bytes) -> tuple[str, bytes]:
    """Keyword and text of a chunk (PNG specification, section 11.3.3); empty where it is none."""
    word, separator, rest = body.partition(b"\0")
    if not separator or not 0 < len(word) < 80:
        return "", b""
    keyword = word.decode("latin-1")
    if kind == b"tEXt":
        # Latin-1 by the specification; generators write UTF-8 all the same, and only ASCII is looked for.
        return keyword, rest[:LONGEST_TEXT]
    if kind == b"zTXt":
        return keyword, _inflated(rest[1:])
    packed, rest = rest[:1], rest[2:]
    _, _, rest = rest.partition(b"\0")
    _, _, text = rest.partition(b"\0")
    return keyword, _inflated(text) if packed == b"\1" else text[:LONGEST_TEXT]


def _inflated(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, LONGEST_TEXT)
    except zlib.error:
        return b""


def _jpeg(content: bytes) -> Iterator[tuple[str, bytes]]:
    at = 2
    for _ in range(_MOST_PARTS):
        if at + 4 > len(content) or content[at] != 0xFF:
            return
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker in (0xD9, 0xDA) or length < 2:
            return
        body = content[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            yield "exif", body[6:]
        elif marker == 0xE1 and body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
            yield "xmp", body[29:]
        elif marker == 0xEB and b"c2pa" in body:
            yield "c2pa", body
        elif marker == 0xED:
            yield "iptc", body
        elif marker == 0xFE:
            yield "jpeg:comment", body


def _webp(content: bytes) -> Iterator[tuple[str, bytes]]:
    at = 12
    for _ in range(_MOST_PARTS):
        if at + 8 > len(content):
            return
        kind, length = struct.unpack_from("<4sI", content, at)
        body = content[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
        if kind == b"EXIF":
            yield "exif", body.removeprefix(b"Exif\0\0")
        elif kind == b"XMP ":
            yield "xmp", body
        elif kind == b"C2PA":
            yield "c2pa", body[:LONGEST_TEXT]


def _packet(content: bytes) -> Iterator[tuple[str, bytes]]:
    begin = content.find(b"<x:xmpmeta")
    end = content.find(b"</x:xmpmeta>", begin, begin + _LONGEST_XMP)
    if 0 <= begin < end:
        yield "xmp", content[begin:end] + b"</x:xmpmeta>"


def _xmp(packet: bytes) -> Iterator[tuple[str, str]]:
    """Properties of the namespaces above, as (prefix:name, text); texts inside a property are joined.

    Only of the picture itself: descriptions inside of a property are of its parts, or of what it was made from. None is
    read twice, however deep they are nested.
    """
    if len(packet) > _LONGEST_XMP:
        return
    try:
        text = packet.decode("utf-8-sig").strip("\x00 \n\r\t")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            return
        # Entities are refused above, so there is nothing that could expand.
        root = ElementTree.fromstring(text)  # noqa: S314
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError):
        return
    top = next(root.iter(_RDF), None)
    descriptions = () if top is None else (child for child in top if child.tag == _DESCRIPTION)
    for description in islice(descriptions, _MOST_DESCRIPTIONS):
        for key, value in description.attrib.items():
            if name := _prefixed(key):
                yield name, value.strip()
        for child in islice(description, _MOST_PROPERTIES):
            if name := _prefixed(child.tag):
                yield name, " ".join("".join(child.itertext()).split())


def _prefixed(key: object) -> str:
    uri, closed, name = key[1:].partition("}") if isinstance(key, str) else ("", "", "")
    return f"{_NAMESPACES[uri]}:{name}" if closed and uri in _NAMESPACES else ""
