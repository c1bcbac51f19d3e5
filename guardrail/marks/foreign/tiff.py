"""The few EXIF fields in which generators leave their name: a reader of TIFF directories that never raises.

Exif 2.3 (CIPA DC-008), section 4.6. Pillow's own reader raises on damaged directories in many ways.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["fields_of"]

_TAGS: Mapping[int, str] = MappingProxyType(
    {
        0x010E: "ImageDescription",
        0x010F: "Make",
        0x0110: "Model",
        0x0131: "Software",
        0x013B: "Artist",
        0x927C: "MakerNote",
        0x9286: "UserComment",
    }
)
_SUBDIRECTORY = 0x8769
_ASCII, _UNDEFINED, _BYTE = 2, 7, 1
_MOST_ENTRIES = 256
_LONGEST = 4 << 20  # bytes


def fields_of(block: bytes) -> dict[str, str]:
    """Texts of the known tags in a TIFF block (without the ``Exif`` header), by name."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    found: dict[str, str] = {}
    if order is None or len(block) < 8:
        return found
    # The first directory and the one of Exif below it; no chain of directories is followed.
    pointers = [int(struct.unpack_from(f"{order}I", block, 4)[0])]
    for depth in range(2):
        if depth >= len(pointers):
            break
        below = _directory(block, order, pointers[depth], found)
        if depth == 0 and below:
            pointers.append(below)
    return found


def _directory(block: bytes, order: str, at: int, found: dict[str, str]) -> int:
    """Adds what a directory says to `found`; where the Exif directory is, or 0."""
    below = 0
    if at + 2 > len(block):
        return below
    count = min(int(struct.unpack_from(f"{order}H", block, at)[0]), _MOST_ENTRIES)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        if entry + 12 > len(block):
            break
        tag, kind, length, value = struct.unpack_from(f"{order}HHII", block, entry)
        if tag == _SUBDIRECTORY:
            below = int(value)
        elif tag not in _TAGS or _TAGS[tag] in found:
            continue  # once each: a directory may point at the same megabytes in every entry
        elif kind in (_ASCII, _UNDEFINED, _BYTE) and length <= _LONGEST:
            start = entry + 8 if length <= 4 else int(value)
            text = _text(block[start : start + length], order, comment=_TAGS[tag] == "UserComment")
            found[_TAGS[tag]] = text
    return below


def _text(value: bytes, order: str, *, comment: bool) -> str:
    if comment and value[:8] == b"UNICODE\0":
        wide = value[8:]
        # Big-endian whatever the block says, as most generators write it; little-endian where that looks like text.
        guess = "utf-16-le" if wide[1:2] == b"\0" or (order == "<" and wide[:1] != b"\0") else "utf-16-be"
        return wide.decode(guess, "replace")
    if comment and value[:8] in (b"ASCII\0\0\0", b"\0" * 8):
        value = value[8:]
    return value.decode("utf-8", "replace").rstrip("\0")
