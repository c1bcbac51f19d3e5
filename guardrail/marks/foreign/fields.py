"""Text fields of image files in which generators leave their name, by name, as found by `guardrail.marks.metadata`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from guardrail.marks.metadata import exif
from guardrail.marks.metadata.containers import Block, blocks
from guardrail.marks.metadata.rdf import NAMESPACES
from guardrail.marks.metadata.xmp import properties_of

__all__ = ["fields_of"]

_EXIF_BUDGET = 4 << 20  # bytes of a directory: the web UIs and ComfyUI keep whole graphs in EXIF
_TAGS: Mapping[int, str] = MappingProxyType(
    {
        0x010E: "ImageDescription",
        0x010F: "Make",
        0x0110: "Model",
        0x0131: "Software",
        0x927C: "MakerNote",
        0x9286: "UserComment",
    }
)
_TEXT_TYPES = (1, 2, 7, 129)  # BYTE, ASCII, UNDEFINED, UTF-8
_SPACES: Mapping[str, str] = MappingProxyType(
    {
        **{uri: prefix for prefix, uri in NAMESPACES.items()},
        "http://ns.adobe.com/photoshop/1.0/": "photoshop",
        "http://ns.adobe.com/exif/1.0/": "exif",
        "http://ns.adobe.com/tiff/1.0/": "tiff",
        "http://purl.org/dc/elements/1.1/": "dc",
    }
)


def fields_of(content: bytes) -> dict[str, str]:
    """Fields by name: ``png:KEYWORD``, ``exif:TAG``, ``xmp:PREFIX:NAME``, ``jpeg:comment``, ``iptc``, ``c2pa``.

    The last two unparsed, as Latin-1. The first of several fields with one name counts. Empty for what is no image
    file. Never raises.
    """
    found: dict[str, str] = {}
    for block in blocks(content):
        for name, text in _fields(block):
            found.setdefault(name, text)
    return found


def _fields(block: Block) -> Iterator[tuple[str, str]]:
    if block.kind in ("xmp", "loose xmp"):
        yield from ((f"xmp:{name}", text) for name, text in properties_of(block.value, _SPACES))
    elif block.kind == "exif":
        yield from _exif(block.value)
    elif block.kind in ("iptc", "c2pa"):
        yield block.kind, block.value.decode("latin-1")
    else:
        # Latin-1 by the specification of most chunks; generators write UTF-8 all the same.
        yield f"png:{block.keyword}" if block.keyword else "jpeg:comment", block.value.decode("utf-8", "replace")


def _exif(block: bytes) -> Iterator[tuple[str, str]]:
    parsed = exif.parse(block, _EXIF_BUDGET) or exif.Exif()
    for directory in (parsed.main, parsed.photo):
        for tag, name in _TAGS.items():
            if (entry := directory.get(tag)) and entry.type in _TEXT_TYPES:
                yield f"exif:{name}", _text(entry.value, parsed.order, comment=name == "UserComment")


def _text(value: bytes, order: str, *, comment: bool) -> str:
    """A comment names its encoding in eight bytes (CIPA DC-008, 4.6.5)."""
    if comment and value.startswith(b"UNICODE\0"):
        wide = value[8:]
        # Big-endian whatever the block says, as most generators write it; little-endian where that looks like text.
        guess = "utf-16-le" if wide[1:2] == b"\0" or (order == "<" and wide[:1] != b"\0") else "utf-16-be"
        return wide.decode(guess, "replace")
    if comment and value[:8] in (b"ASCII\0\0\0", bytes(8)):
        value = value[8:]
    return value.decode("utf-8", "replace").rstrip("\0")
