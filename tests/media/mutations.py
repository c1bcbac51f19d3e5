"""Hostile image files by number: the same number gives the same bytes, so that a failing one can be made again.

python -m tests.media.mutations 1234 > hostile.bin
"""

from __future__ import annotations

import random
import struct
import sys
import zlib
from collections.abc import Callable
from functools import lru_cache

from tests.media.pictures import chunk, gif, hostile_seeds, jpeg_claiming, png

SEED = 20261127
# Sizes that headers lie about: none, one, just under and over the limit of 25 million pixels, and what overflows.
_LIES = (0, 1, 2, 255, 1000, 4999, 5000, 5001, 16383, 16384, 32767, 65535, 2**24 - 1, 2**31 - 1, 2**32 - 1)
_TAILS = (
    b"PK\x03\x04" + bytes(60),
    b"%PDF-1.7\n%%EOF",
    b"<html><script>1</script></html>",
    b"GIF89a",
    b"\x7fELF" + bytes(60),
)


def hostile(number: int) -> tuple[str, bytes]:
    """(what it is, the file) number `number`."""
    draw = random.Random(f"{SEED}/{number}")
    kind, mutate = chosen(number)
    content = mutate(draw, kind, hostile_seeds()[kind])
    name = mutate.__name__.strip("_").replace("_", " ")
    if draw.random() < 0.15:
        content = _flipped_bits(draw, kind, content)
        name += " and flipped bits"
    return f"{kind}: {name}", content


def chosen(number: int) -> tuple[str, Callable[[random.Random, str, bytes], bytes]]:
    """The kind of file and the mutation of number `number`: all pairs of them in the first 180."""
    kinds = sorted(hostile_seeds())
    return kinds[number % len(kinds)], _MUTATORS[(number // len(kinds)) % len(_MUTATORS)]


def _flipped_bits(draw: random.Random, kind: str, content: bytes) -> bytes:
    out = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 4, 16, 64))):
        # Half of them where the headers are.
        at = draw.randrange(min(len(out), 200) if draw.random() < 0.5 else len(out))
        out[at] ^= 1 << draw.randrange(8)
    return bytes(out)


def _replaced_bytes(draw: random.Random, kind: str, content: bytes) -> bytes:
    out = bytearray(content)
    for _ in range(draw.choice((1, 4, 16))):
        at = draw.randrange(len(out))
        out[at : at + 4] = draw.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", draw.randbytes(4)))
    return bytes(out)


def _cut_off(draw: random.Random, kind: str, content: bytes) -> bytes:
    return content[: draw.randrange(len(content))]


def _without_a_piece(draw: random.Random, kind: str, content: bytes) -> bytes:
    at, length = draw.randrange(len(content)), draw.choice((1, 2, 4, 12, 100, len(content) // 2))
    return content[:at] + content[at + length :]


def _a_piece_twice(draw: random.Random, kind: str, content: bytes) -> bytes:
    a, b = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    return content[:b] + content[a:b] * draw.choice((1, 2, 50)) + content[b:]


def _rubbish_inside(draw: random.Random, kind: str, content: bytes) -> bytes:
    at = draw.randrange(len(content) + 1)
    return content[:at] + draw.randbytes(draw.choice((1, 7, 64, 4096))) + content[at:]


def _polyglot(draw: random.Random, kind: str, content: bytes) -> bytes:
    other = hostile_seeds()[draw.choice(sorted(hostile_seeds()))]
    tail = draw.choice(_TAILS)
    match draw.randrange(5):
        case 0:
            return content + other
        case 1:
            return content + tail
        case 2:
            return content[: draw.randrange(4, 40)] + other
        case 3:
            at = draw.randrange(len(content))
            return content[:at] + other + content[at:]
        case _:
            return content[:16] + other[16:]


def _lying_size(draw: random.Random, kind: str, content: bytes) -> bytes:
    """Width and height in the header of the format, its checksum put right."""
    width, height = draw.choice(_LIES), draw.choice(_LIES)
    if kind.startswith(("png", "apng")):
        header = struct.pack(">II", width & 0xFFFFFFFF, height & 0xFFFFFFFF) + content[24:29]
        return content[:8] + chunk(b"IHDR", header) + content[33:]
    if kind.startswith("jpeg"):
        at = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2"))
        return content[: at + 5] + struct.pack(">HH", height & 0xFFFF, width & 0xFFFF) + content[at + 9 :]
    if kind.startswith("gif"):
        lie = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
        frame = content.index(b"\x2c", 13)
        one = content[:6] + lie + content[10:]
        return one if draw.random() < 0.5 else one[: frame + 5] + lie + one[frame + 9 :]
    if kind.startswith("webp"):
        return _lying_webp(content, width, height)
    at = content.index(b"ispe") + 8
    return content[:at] + struct.pack(">II", width & 0xFFFFFFFF, height & 0xFFFFFFFF) + content[at + 8 :]


def _lying_webp(content: bytes, width: int, height: int) -> bytes:
    out = bytearray(content)
    if (at := content.find(b"VP8X")) >= 0:
        out[at + 12 : at + 18] = struct.pack("<I", width)[:3] + struct.pack("<I", height)[:3]
    if (at := content.find(b"\x9d\x01\x2a")) >= 0:
        out[at + 3 : at + 7] = struct.pack("<HH", width & 0x3FFF, height & 0x3FFF)
    if (at := content.find(b"VP8L")) >= 0:
        size = (width & 0x3FFF) | (height & 0x3FFF) << 14
        out[at + 9 : at + 13] = struct.pack("<I", size | struct.unpack("<I", out[at + 9 : at + 13])[0] & 0xF0000000)
    return bytes(out)


def _lying_lengths(draw: random.Random, kind: str, content: bytes) -> bytes:
    """A length somewhere is another one: of a chunk, a segment, a box, a table."""
    out = bytearray(content)
    length = struct.pack(draw.choice((">I", "<I")), draw.choice((0, 1, 7, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1)))
    marks = (
        b"IDAT",
        b"acTL",
        b"fcTL",
        b"iCCP",
        b"eXIf",
        b"zTXt",
        b"RIFF",
        b"ANMF",
        b"VP8 ",
        b"meta",
        b"mdat",
        b"iloc",
        b"moov",
    )
    there = [m for m in marks if m in content]
    at = content.index(draw.choice(there)) if there else draw.randrange(4, len(out) - 4)
    before = at - 4 if draw.random() < 0.7 else at + 4
    out[before : before + 4] = length
    return bytes(out)


def _lying_frames(draw: random.Random, kind: str, content: bytes) -> bytes:
    """More frames than there are, or frames larger than the picture."""
    side = draw.choice((1, 64, 1000, 3500, 5000, 60000))
    match draw.randrange(3):
        case 0:
            return gif(
                (side & 0xFFFF, side & 0xFFFF), [(side & 0xFFFF, side & 0xFFFF)] * draw.choice((1, 2, 4, 5, 128))
            )
        case 1:
            control = chunk(b"acTL", struct.pack(">II", draw.choice((0, 1, 4, 128, 2**31)), 0))
            return png(side, side, control, rows=bytes(1000))
        case _:
            return jpeg_claiming(side, side)


@lru_cache(maxsize=8)
def _bomb(width: int, height: int, depth: int, colour: int) -> bytes:
    """A PNG whose pixels are all there, all zero: some hundred kilobytes for the most that is allowed."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    packer = zlib.compressobj(9)
    row = bytes(1 + (width * channels * depth + 7) // 8)
    data = b"".join(packer.compress(row * 64) for _ in range(height // 64)) + packer.compress(row * (height % 64))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    palette = chunk(b"PLTE", bytes(range(12))) + chunk(b"tRNS", b"\x00\x80") if colour == 3 else b""
    packed = chunk(b"IDAT", data + packer.flush())
    return b"\x89PNG\r\n\x1a\n" + head + palette + packed + chunk(b"IEND", b"")


def _bombs(draw: random.Random, kind: str, content: bytes) -> bytes:
    """A little that unpacks to a great deal."""
    match draw.randrange(4):
        case 0:
            depth, colour = draw.choice(((1, 0), (8, 0), (16, 0), (8, 2), (16, 2), (8, 3), (8, 6), (16, 6), (8, 4)))
            return _bomb(*draw.choice(((5000, 5000), (25_000, 1000), (1000, 25_000), (5001, 5000))), depth, colour)
        case 1:
            text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(30_000_000)))
            return png(8, 8, *[text] * draw.choice((1, 10)), rows=bytes(72))
        case 2:
            profile = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(30_000_000)))
            return png(8, 8, profile, rows=bytes(72))
        case _:
            return png(8, 8, rows=bytes(50_000_000))


def _lying_exif(draw: random.Random, kind: str, content: bytes) -> bytes:
    """Directories of EXIF that point at themselves, out of the file, or say impossible things."""
    order = draw.choice(("<", ">"))
    entries = b"".join(
        struct.pack(
            f"{order}HHII",
            draw.choice((0x0112, 0x8769, 0x010E, 0x927C, draw.randrange(65536))),
            draw.randrange(14),
            draw.choice((0, 1, 2, 2**16, 2**32 - 1)),
            draw.choice((8, 0, 6, 2**32 - 1, draw.randrange(100))),
        )
        for _ in range(draw.choice((1, 4, 40)))
    )
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    tiff = head + struct.pack(f"{order}H", len(entries) // 12) + entries + struct.pack(f"{order}I", draw.choice((0, 8)))
    if draw.random() < 0.5:
        return png(8, 8, chunk(b"eXIf", tiff), rows=bytes(72))
    picture = hostile_seeds()["jpeg progressive"]
    segment = b"Exif\0\0" + tiff
    return picture[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + picture[2:]


_MUTATORS: tuple[Callable[[random.Random, str, bytes], bytes], ...] = (
    _flipped_bits,
    _lying_size,
    _cut_off,
    _polyglot,
    _replaced_bytes,
    _lying_lengths,
    _without_a_piece,
    _lying_frames,
    _a_piece_twice,
    _lying_exif,
    _rubbish_inside,
    _bombs,
)

if __name__ == "__main__":
    _, made = hostile(int(sys.argv[1]))
    sys.stdout.buffer.write(made)
