"""Metadata items of AVIF files: ISO base media (ISO/IEC 14496-12, 8.11) with item types of HEIF (23008-12, annex A)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal

__all__ = ["LARGEST_MANIFEST_BYTES", "items_of"]

LARGEST_MANIFEST_BYTES = 4 << 20
"""What is looked at of a C2PA manifest, in any format."""

_MOST_BOXES = 1_000  # on one level
_MOST_ITEMS = 1_000
_LONGEST_ENTRY = 512  # bytes of what an item is: its name, mostly empty, and its type
_MOST_EXTENTS = 64  # pieces of one item; metadata is written in one
_LARGEST_BYTES = 2 << 20  # of all metadata items together
_XMP_TYPE = b"application/rdf+xml"
# C2PA specification 2.2, A.3.2 (BMFF): the type of the box that holds the manifest.
_MANIFEST = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def items_of(content: bytes) -> Iterator[tuple[Literal["xmp", "exif", "c2pa"], bytes]]:
    """(kind, bytes) of the metadata items and of manifests. Never raises; what does not fit together is left out."""
    meta: tuple[int, int] | None = None
    for kind, start, stop in _boxes(content, 0, len(content)):
        if kind == b"meta":
            meta = meta or (start, stop)
        elif kind == b"uuid" and content.startswith(_MANIFEST, start, stop):
            yield "c2pa", content[start + len(_MANIFEST) : min(stop, start + LARGEST_MANIFEST_BYTES)]
    if meta is None:
        return
    # A full box: four bytes of version and flags, then boxes.
    parts = {kind: (start, end) for kind, start, end in _boxes(content, meta[0] + 4, meta[1])}
    if b"iinf" not in parts or b"iloc" not in parts:
        return
    kinds = dict(_kinds(content, *parts[b"iinf"]))
    inside = parts.get(b"idat", (0, 0))
    left = _LARGEST_BYTES
    try:
        for item, method, extents in _locations(content, *parts[b"iloc"]):
            # Many items that all are the whole file would be copied again and again.
            left -= sum(size for _, size in extents) if item in kinds else 0
            if item not in kinds or method not in (0, 1) or left < 0:
                continue
            base, end = (0, len(content)) if method == 0 else inside
            value = b"".join(content[base + at : min(base + at + size, end)] for at, size in extents)
            if kinds[item] == "xmp":
                yield "xmp", value
            elif len(value) > 4:
                # Annex A.2.1: the place of the TIFF header, counted from behind this number.
                (skip,) = struct.unpack_from(">I", value)
                yield "exif", value[4 + skip :]
    except struct.error:
        return


def _boxes(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, begin, end) of what the boxes between two places hold."""
    for _ in range(_MOST_BOXES):
        if at + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", content, at)
        head = 8
        if size == 1:
            if at + 16 > end:
                return
            (size,) = struct.unpack_from(">Q", content, at + 8)
            head = 16
        elif size == 0:
            size = end - at
        if size < head or at + size > end:
            return
        yield kind, at + head, at + size
        at += size


def _kinds(content: bytes, start: int, end: int) -> Iterator[tuple[int, Literal["xmp", "exif"]]]:
    """(item id, kind) of the items that are metadata."""
    if start + 8 > end:
        return
    for kind, at, stop in _boxes(content, start + (6 if content[start] == 0 else 8), end):
        entry = content[at : min(stop, at + _LONGEST_ENTRY)]
        # Version 2 has ids of two bytes, 3 of four; the older ones know no item types.
        if kind != b"infe" or len(entry) < 14 or entry[0] not in (2, 3):
            continue
        wide = entry[0] == 3
        item = int.from_bytes(entry[4 : 8 if wide else 6], "big")
        place = 10 if wide else 8
        if entry[place : place + 4] == b"Exif":
            yield item, "exif"
        elif entry[place : place + 4] == b"mime":
            # The item's name, then its content type, both end in a zero byte.
            words = entry[place + 4 :].split(b"\0", 2)
            if len(words) > 1 and words[1] == _XMP_TYPE:
                yield item, "xmp"


def _locations(content: bytes, start: int, end: int) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """(item id, construction method, [(place, size), …]).

    Raises:
        struct.error: cut off.
    """
    box = content[start:end]
    version, sizes = struct.unpack_from(">B3xH", box)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    if version > 2 or not {offset_size, length_size, base_size} <= {0, 4, 8}:
        return
    index_size = index_size if version else 0
    wide = 4 if version == 2 else 2
    at = 6

    def number(size: int) -> int:
        nonlocal at
        if at + size > len(box):
            raise struct.error("the box ends before its items")
        value = int.from_bytes(box[at : at + size], "big")
        at += size
        return value

    for _ in range(min(number(wide), _MOST_ITEMS)):
        item = number(wide)
        method = number(2) & 15 if version else 0
        number(2)  # which file: this one
        base = number(base_size)
        extents = []
        count = number(2)
        if count > _MOST_EXTENTS:
            return
        for _ in range(count):
            number(index_size)
            place, size = number(offset_size), number(length_size)
            extents.append((base + place, size))
        yield item, method, extents
