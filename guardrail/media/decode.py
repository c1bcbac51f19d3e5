"""Decoding image files that nobody vouches for.

The format is read from the first bytes, never from a name; only a few decoders are ever tried; size is checked before
pixels are decoded; every frame is decoded; EXIF orientation is applied.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from guardrail.errors import ImageTooLarge, UnreadableImage, UnsupportedInput
from guardrail.media.types import Frame, ImageInput, Limits, Role

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["decode_image", "sniff"]

_MAGIC: tuple[tuple[bytes, int, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, "PNG"),
    (b"\xff\xd8\xff", 0, "JPEG"),
    (b"GIF87a", 0, "GIF"),
    (b"GIF89a", 0, "GIF"),
    (b"ftypavif", 4, "AVIF"),
    (b"ftypavis", 4, "AVIF"),
)


def sniff(head: bytes) -> str | None:
    """The format that the first 16 bytes announce, or ``None`` for anything that is not decoded here."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((name for magic, at, name in _MAGIC if head[at : at + len(magic)] == magic), None)


def decode_image(
    source: bytes | str | Path,
    *,
    argument: str = "image",
    index: int = 0,
    role: Role = Role.REFERENCE,
    limits: Limits | None = None,
) -> ImageInput:
    """Decode a file or its bytes, all frames, upright.

    Raises:
        UnsupportedInput: not PNG, JPEG, WebP, GIF or AVIF.
        ImageTooLarge: more bytes, pixels or frames than `limits` allows.
        UnreadableImage: no such file, truncated or corrupt.
    """
    from PIL import Image, ImageOps

    limits = limits or Limits()
    content = _content(source, limits)
    form = sniff(content[:16])
    if form is None:
        raise UnsupportedInput(f"{argument} is not a PNG, JPEG, WebP, GIF or AVIF image")
    try:
        with warnings.catch_warnings():
            # Pillow only warns up to twice its own limit; ours is lower and an error.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=[form]) as image:
                require_size(image.width, image.height, limits, argument)
                count = int(getattr(image, "n_frames", 1))
                if count > limits.frames:
                    raise ImageTooLarge(f"{argument} has {count} frames, {limits.frames} are allowed")
                if count * image.width * image.height > 4 * limits.pixels:
                    raise ImageTooLarge(
                        f"{argument} has {count} frames of {image.width}×{image.height}: too many pixels"
                    )
                frames: list[Frame] = []
                for i in range(count):
                    image.seek(i)
                    frames.append(to_frame(ImageOps.exif_transpose(image), argument))
    except Image.DecompressionBombError:
        raise ImageTooLarge(f"{argument} claims far more pixels than the {limits.pixels:,} that are allowed") from None
    except (OSError, SyntaxError, ValueError, EOFError, OverflowError, MemoryError, TypeError, IndexError) as error:
        if isinstance(error, UnsupportedInput | ImageTooLarge | UnreadableImage):
            raise
        # Pillow's decoders raise all of these on damaged data (SyntaxError for broken PNG chunks).
        raise UnreadableImage(f"{argument} cannot be decoded as {form} ({type(error).__name__})") from None
    return ImageInput(tuple(frames), argument, index, role)


def _content(source: bytes | str | Path, limits: Limits) -> bytes:
    if isinstance(source, bytes):
        content = source
    else:
        path = Path(source)
        try:
            if path.stat().st_size > limits.file_bytes:
                raise ImageTooLarge(f"the file has {path.stat().st_size:,} bytes, {limits.file_bytes:,} are allowed")
            content = path.read_bytes()
        except OSError as error:
            raise UnreadableImage(f"the file cannot be read ({type(error).__name__})") from None
    if len(content) > limits.file_bytes:
        raise ImageTooLarge(f"the image has {len(content):,} bytes, {limits.file_bytes:,} are allowed")
    return content


def require_size(width: int, height: int, limits: Limits, argument: str) -> None:
    """Refuse images without pixels and images with too many."""
    if width < 1 or height < 1:
        raise UnreadableImage(f"{argument} has no pixels")
    if width * height > limits.pixels:
        raise ImageTooLarge(f"{argument} is {width}×{height}, {limits.pixels:,} pixels are allowed")


def to_frame(image: Image, argument: str) -> Frame:
    """The pixels of a PIL image in any mode as (H, W, 3) or, where it has transparency, (H, W, 4) uint8."""
    import numpy as np

    if image.mode.startswith("I") or image.mode == "F":
        return _wide_to_frame(np.asarray(image), argument)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return np.asarray(image.convert("RGBA"))
    # CMYK, YCbCr, LAB, HSV, L, P and 1 all have a defined conversion.
    return np.asarray(image.convert("RGB"))


def _wide_to_frame(values: object, argument: str) -> Frame:
    """16-bit, 32-bit and float grey: scaled to 8 bits, as convert() would clip them to white."""
    import numpy as np

    wide = np.asarray(values, dtype=np.float64)
    if not np.isfinite(wide).all():
        raise UnreadableImage(f"{argument} has pixels that are not numbers")
    top = float(wide.max(initial=0.0))
    span = 1.0 if top <= 1.0 else 255.0 if top <= 255.0 else 65535.0 if top <= 65535.0 else top
    grey = np.rint(np.clip(wide / span, 0.0, 1.0) * 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)
