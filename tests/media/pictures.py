"""Files and pictures for the tests of this room, made here: nothing is read from disk."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 160, 40), (20, 40, 210), (120, 120, 120)


def quarters(size: int = 48) -> Image.Image:
    """Four colours, so that a turn or a mirror image shows: red top left, green top right, blue and grey below."""
    pixels = np.zeros((size, size, 3), np.uint8)
    half = size // 2
    pixels[:half, :half], pixels[:half, half:] = RED, GREEN
    pixels[half:, :half], pixels[half:, half:] = BLUE, GREY
    return Image.fromarray(pixels)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(image: Image.Image, format: str, **params: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **params)
    return buffer.getvalue()


def animated(format: str, frames: int = 3, size: int = 32, **params: Any) -> bytes:
    """Frames of one flat colour each, darker from frame to frame."""
    shades = [Image.new("RGB", (size, size), (240 - 40 * i, 30, 10)) for i in range(frames)]
    return encoded(shades[0], format, save_all=True, append_images=shades[1:], **params)


def animated_wide() -> bytes:
    """Two frames of 20×20 in grey of 16 bits."""
    shades = [Image.fromarray(np.full((20, 20), value, np.uint16)) for value in (300, 40_000)]
    return encoded(shades[0], "PNG", save_all=True, append_images=shades[1:])


def orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 0, rows: bytes | None = None) -> bytes:
    """A PNG by hand. Without `rows` the pixels are missing, whatever the header claims."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows if rows is not None else b""))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + data + chunk(b"IEND", b"")


def png_rgb16(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint16 as a PNG; Pillow writes none."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png(pixels.shape[1], pixels.shape[0], depth=16, colour=2, rows=rows)


def gif(screen: tuple[int, int], frames: Sequence[tuple[int, int]]) -> bytes:
    """A GIF whose frames are as large as they say, all black; only their first pixel is in the file."""
    out = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + b"\x00\x00\x00\xff\xff\xff"
    for width, height in frames:
        out += b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00"
    return out + b";"


def jpeg_claiming(width: int, height: int) -> bytes:
    """A JPEG whose frame header claims a size that its data does not have."""
    content = encoded(quarters(16), "JPEG")
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


@lru_cache(maxsize=1)
def hostile_seeds() -> dict[str, bytes]:
    """One small file of every kind that a decoder has a path of its own for."""
    picture = Image.fromarray(noise(24, 30, 3)).resize((60, 48))
    text = PngImagePlugin.PngInfo()
    text.add_text("a", "b" * 100, zip=True)
    text.add_itxt("c", "ü" * 100, zip=True)
    exif = orientation(6)
    exif[0x010E] = "x"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey16 = Image.fromarray(np.random.default_rng(1).integers(0, 65536, (20, 20), dtype=np.uint16))
    return {
        "png": encoded(picture, "PNG", pnginfo=text, icc_profile=icc, exif=exif),
        "png palette": encoded(picture.quantize(16), "PNG", transparency=b"\x00\x10"),
        "png 1 bit": encoded(picture.convert("1"), "PNG"),
        "png 16 bit": encoded(grey16, "PNG"),
        "apng": animated("PNG"),
        "jpeg": encoded(picture, "JPEG", exif=exif, icc_profile=icc),
        "jpeg progressive": encoded(picture, "JPEG", progressive=True),
        "jpeg cmyk": encoded(picture.convert("CMYK"), "JPEG"),
        "jpeg with others behind it": animated("MPO"),
        "gif": animated("GIF"),
        "webp": encoded(picture, "WEBP", exif=exif),
        "webp lossless": encoded(picture.convert("RGBA"), "WEBP", lossless=True),
        "webp animated": animated("WEBP"),
        "avif": encoded(picture, "AVIF", exif=exif),
        "avif animated": animated("AVIF"),
    }
