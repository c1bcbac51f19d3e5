"""EXIF blocks (CIPA DC-008, a TIFF 6.0 structure): read within limits, cleaned, written anew.

Values are copied as bytes and never interpreted, so that what is kept stays as it was. Pillow's own reader is not used:
it copies as many bytes as a hostile file declares, once for each of up to 65,535 entries.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

__all__ = ["LARGEST_EXIF_BYTES", "Exif", "Field", "cleaned", "parse", "read_exif", "stamped", "written"]

LARGEST_EXIF_BYTES = 65_000
"""A segment of a JPEG file holds 65,533 bytes; the rest is for the header and our own fields."""
_MOST_FIELDS = 512  # in one directory
_LARGEST_VALUE_BYTES = 1_024  # of a value that is no text: a thumbnail is larger
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 129: 1}
_ASCII, _UNDEFINED, _LONG = 2, 7, 4

_SOFTWARE, _MODIFIED, _ORIGINAL, _DIGITIZED = 0x0131, 0x0132, 0x9003, 0x9004
_OFFSET_MODIFIED, _OFFSET_ORIGINAL, _OFFSET_DIGITIZED = 0x9010, 0x9011, 0x9012
_VERSION, _USER_COMMENT = 0x9000, 0x9286
_PHOTO, _GPS, _INTEROP = 0x8769, 0x8825, 0xA005
# Text that is not of the type ASCII: the user's comment, and title, comment, author, keywords, subject of Windows.
_TEXTS = frozenset((_USER_COMMENT, *range(0x9C9B, 0x9CA0)))
# Pictures, parts of other files, places in the old block that mean nothing in the new one, and the old size.
_DROPPED = frozenset(
    (
        *(0x0100, 0x0101, 0xA002, 0xA003),  # width and height
        *(0x0111, 0x0117, 0x0144, 0x0145, 0x014A, 0x0201, 0x0202),  # strips, tiles, further pictures, JPEG
        *(0x02BC, 0x83BB, 0x8649, 0x8773),  # XMP, IPTC, Photoshop, ICC
        *(0x927C, 0xC634, 0xEA1C, 0xEA1D),  # maker's notes (previews, serial numbers), DNG, padding
        *(_PHOTO, _GPS, _INTEROP),  # made anew
    )
)
_GDI_PLUS = range(0x5000, 0x6000)  # Windows: thumbnails among them
_NAMES: Mapping[int, str] = {
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    _SOFTWARE: "Software",
    _MODIFIED: "ModifyDate",
    _ORIGINAL: "DateTimeOriginal",
    _DIGITIZED: "CreateDate",
}
_RFC_3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Field:
    """One value as it stands in the file: TIFF type, how many of them, their bytes."""

    type: int
    count: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Exif:
    """The directories of a block by tag; the one of the thumbnail is never among them.

    Args:
        order: ``<`` little-endian or ``>`` big-endian, of all values.
    """

    order: str = ">"
    main: Mapping[int, Field] = field(default_factory=dict)
    photo: Mapping[int, Field] = field(default_factory=dict)
    gps: Mapping[int, Field] = field(default_factory=dict)
    interop: Mapping[int, Field] = field(default_factory=dict)


def parse(block: bytes, budget: int = LARGEST_EXIF_BYTES) -> Exif | None:
    """The directories of a block, with or without the prefix that JPEG files have; None where it is none.

    Values that lie outside of the block are left out; the first of several with one tag counts.

    Args:
        budget: bytes that are copied at most for each directory, whatever the block declares.
    """
    head, start = b"Exif\0\0", 0
    # Cut off once: a block may hold nothing but prefixes, and each cut copies the rest.
    while block.startswith(head, start):
        start += len(head)
    block = block[start:]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        return None
    main = _directory(block, order, _number(block, order, 4), budget)
    photo = _directory(block, order, _pointer(main, order, _PHOTO), budget)
    gps = _directory(block, order, _pointer(main, order, _GPS), budget)
    return Exif(order, main, photo, gps, _directory(block, order, _pointer(photo, order, _INTEROP), budget))


def read_exif(block: bytes) -> dict[str, str]:
    """What a block says, under ``exif:`` and the names that ExifTool uses; never raises."""
    exif = parse(block)
    if exif is None:
        return {}
    found: dict[str, str] = {}
    for tag, entry in (*exif.main.items(), *exif.photo.items()):
        if tag in _NAMES and entry.type in (_ASCII, 129):
            text = entry.value.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
            if text:
                found.setdefault(f"exif:{_NAMES[tag]}", text)
    return found


def cleaned(exif: Exif, *, callers_own: bool) -> Exif:
    """Without what an earlier picture left behind: its thumbnail and previews, its size, its place in another file.

    Args:
        callers_own: it was handed over as an argument. If not, it came along with the picture, and loses the position
            (GPS) and the comment, in which generators keep prompts.
    """
    return replace(
        exif,
        main=_kept(exif.main, callers_own),
        photo=_kept(exif.photo, callers_own),
        gps=_kept(exif.gps, callers_own) if callers_own else {},
    )


def stamped(exif: Exif, software: str, created: str) -> Exif:
    """With the generator and the time. A time at which an original was taken or made digital is kept.

    Args:
        software: left out where empty.
        created: RFC 3339; left out where it is not.
    """
    main, photo = dict(exif.main), dict(exif.photo)
    if software:
        main[_SOFTWARE] = _text(software)
    if when := _RFC_3339.fullmatch(created):
        year, month, day, time, offset = when.groups()
        moment = _text(f"{year}:{month}:{day} {time}")
        zone = _text("+00:00" if offset == "Z" else offset)
        main[_MODIFIED], photo[_OFFSET_MODIFIED] = moment, zone
        for tag, offset_tag in ((_ORIGINAL, _OFFSET_ORIGINAL), (_DIGITIZED, _OFFSET_DIGITIZED)):
            if tag not in photo:
                photo[tag], photo[offset_tag] = moment, zone
    if photo:
        photo.setdefault(_VERSION, Field(_UNDEFINED, 4, b"0232"))
    return replace(exif, main=main, photo=photo)


def written(exif: Exif) -> bytes:
    """The block without a prefix; empty where it says nothing."""
    pack = struct.Struct(exif.order + "I").pack
    head = (b"II*\0" if exif.order == "<" else b"MM\0*") + pack(8)
    here = Field(_LONG, 1, bytes(4))
    main, photo = dict(exif.main), dict(exif.photo)
    # Pointers stand in the directories themselves: their lengths are known before what they point to is laid out.
    if exif.interop:
        photo[_INTEROP] = here
    if photo:
        main[_PHOTO] = here
    if exif.gps:
        main[_GPS] = here
    if not main:
        return b""
    at_photo = 8 + len(_laid(exif.order, main, 8))
    at_interop = at_photo + (len(_laid(exif.order, photo, at_photo)) if photo else 0)
    at_gps = at_interop + (len(_laid(exif.order, exif.interop, at_interop)) if exif.interop else 0)
    if photo:
        main[_PHOTO] = Field(_LONG, 1, pack(at_photo))
    if exif.interop:
        photo[_INTEROP] = Field(_LONG, 1, pack(at_interop))
    if exif.gps:
        main[_GPS] = Field(_LONG, 1, pack(at_gps))
    places = ((main, 8), (photo, at_photo), (exif.interop, at_interop), (exif.gps, at_gps))
    return head + b"".join(_laid(exif.order, directory, place) for directory, place in places if directory)


def _text(text: str) -> Field:
    # UTF-8 in ASCII fields, as the Metadata Working Group advised and other programs read it.
    value = text.encode("utf-8", "replace") + b"\0"
    return Field(_ASCII, len(value), value)


def _kept(directory: Mapping[int, Field], callers_own: bool) -> dict[int, Field]:
    return {
        tag: entry
        for tag, entry in directory.items()
        if tag not in _DROPPED
        and tag not in _GDI_PLUS
        and (callers_own or tag != _USER_COMMENT)
        and (len(entry.value) <= _LARGEST_VALUE_BYTES or entry.type == _ASCII or tag in _TEXTS)
    }


def _number(block: bytes, order: str, at: int) -> int:
    return int(struct.unpack_from(order + "I", block, at)[0])


def _pointer(directory: Mapping[int, Field], order: str, tag: int) -> int:
    entry = directory.get(tag)
    return _number(entry.value, order, 0) if entry is not None and len(entry.value) == 4 else 0


def _directory(block: bytes, order: str, at: int, budget: int) -> dict[int, Field]:
    found: dict[int, Field] = {}
    if not 8 <= at <= len(block) - 2:
        return found
    (count,) = struct.unpack_from(order + "H", block, at)
    for index in range(min(count, _MOST_FIELDS)):
        start = at + 2 + 12 * index
        if start + 12 > len(block):
            break
        tag, kind, items, place = struct.unpack_from(order + "HHII", block, start)
        size = _SIZES.get(kind, 0) * items
        if size <= 4:
            place = start + 8
        # Once each: a directory may point at the same bytes in every entry.
        if tag in found or not 0 < size <= budget or place + size > len(block):
            continue
        budget -= size
        found[tag] = Field(kind, items, block[place : place + size])
    return found


def _laid(order: str, directory: Mapping[int, Field], start: int) -> bytes:
    """A directory that begins at `start`, with its values behind it; no directory follows it."""
    cells, values = [struct.pack(order + "H", len(directory))], bytearray()
    behind = start + 2 + 12 * len(directory) + 4
    for tag in sorted(directory):
        entry = directory[tag]
        cell = entry.value.ljust(4, b"\0")
        if len(cell) > 4:
            cell = struct.pack(order + "I", behind + len(values))
            values += entry.value + bytes(len(entry.value) % 2)
        cells.append(struct.pack(order + "HHI", tag, entry.type, entry.count) + cell)
    return b"".join(cells) + bytes(4) + bytes(values)
