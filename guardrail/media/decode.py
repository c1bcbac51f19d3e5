"""Decoding files that somebody else made.

The format is taken from the magic bytes, never from the name; only five decoders are ever tried; size is checked before
pixels are decoded, and again for each frame; every frame is decoded; EXIF orientation is applied.
"""

from __future__ import annotations

import hashlib
import io
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrail.errors import ImageTooLarge, InputError, UnreadableImage, UnsupportedInput
from guardrail.media.types import NARROW, Frame, ImageInput, Limits, Role

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["decode_image", "is_wide", "read_content", "require_size", "sniff", "to_frames", "wide_spans"]

_MAGIC: tuple[tuple[bytes, int, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, "PNG"),
    (b"\xff\xd8\xff", 0, "JPEG"),
    (b"GIF87a", 0, "GIF"),
    (b"GIF89a", 0, "GIF"),
    (b"ftypavif", 4, "AVIF"),
    (b"ftypavis", 4, "AVIF"),
)
# All frames of one file together, in multiples of the limit for one. Decoders hold up to three and a half more copies
# of the largest of them: of 25 million pixels with transparency, two frames took 517 MiB and four 708 MiB; with this
# limit 424 MiB is the most (AVIF, two frames).
_FRAMES_PIXELS = 1.5
# And in bytes for each pixel of that limit: what the largest still picture takes, grey of 16 bits read in three ways.
_FRAMES_BYTES = 9
_STRIP_PIXELS = 1 << 20


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
    limits = limits or Limits()
    content = read_content(source, argument, limits)
    if not content:
        raise UnreadableImage(f"{argument} is empty: it has no bytes")
    form = sniff(content[:16])
    if form is None:
        raise UnsupportedInput(f"{argument} is not a PNG, JPEG, WebP, GIF or AVIF image")
    try:
        frames = _frames(content, form, argument, limits)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - hostile bytes: see _refused
        raise _refused(error, argument, form, limits) from None
    return ImageInput(tuple(frames), argument, index, role, hashlib.sha256(content).digest())


def _frames(content: bytes, form: str, argument: str, limits: Limits) -> list[Frame]:
    from PIL import Image

    frames: list[Frame] = []
    pixels = 0
    with Image.open(io.BytesIO(content), formats=[form]) as image:
        require_size(image.width, image.height, limits, argument)
        count = int(getattr(image, "n_frames", 1))
        if count > limits.frames:
            raise ImageTooLarge(f"{argument} has {count} frames, {limits.frames} are allowed")
        for i in range(count):
            try:
                image.seek(i)
            except ValueError:
                if form == "JPEG" and i:
                    # Tools that edit photographs leave an index (MPF) of pictures that are not behind them any more.
                    break
                raise
            # Frames of one file may differ in size: a GIF grows with its frames, a JPEG may carry others behind it.
            require_size(image.width, image.height, limits, argument)
            pixels += image.width * image.height
            if count > 1 and max(pixels, count * image.width * image.height) > _FRAMES_PIXELS * limits.pixels:
                raise ImageTooLarge(f"{argument} has {count} frames of {image.width}×{image.height}: too many pixels")
            frames += to_frames(_upright(image), argument)
            if sum(frame.nbytes for frame in frames) > _FRAMES_BYTES * limits.pixels:
                raise ImageTooLarge(f"{argument} has {count} frames of many bits: too many bytes")
    return frames


def _upright(image: Image) -> Image:
    """Turned as its EXIF says; where it says nothing the image itself, since a copy may take 100 MB."""
    from PIL import ExifTags, ImageOps

    image.load()
    return image if image.getexif().get(ExifTags.Base.Orientation, 1) == 1 else ImageOps.exif_transpose(image)


def _refused(error: Exception, argument: str, form: str, limits: Limits) -> InputError:
    """What a decoder raised on damaged or hostile bytes, as an InputError.

    Found by flipping bits: OSError, SyntaxError, ValueError, struct.error, RuntimeError, ZeroDivisionError, and more;
    and any warning, where the process turns warnings into errors. Warnings are not silenced here: the filters belong to
    the whole process, and two threads that change them leave them changed.
    """
    from PIL import Image

    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return ImageTooLarge(f"{argument} claims far more pixels than the {limits.pixels:,} that are allowed")
    return UnreadableImage(f"{argument} is damaged or cut off: it cannot be decoded as {form}")


def read_content(source: bytes | str | Path, argument: str, limits: Limits) -> bytes:
    """The bytes of a file, or `source` itself where it is bytes, if they are not too many.

    Raises:
        ImageTooLarge: more bytes than `limits` allows.
        UnreadableImage: no such file, a folder, a device, or a file that may not be read.
    """
    if isinstance(source, bytes):
        content = source
    else:
        try:
            path = Path(source)
            # A pipe or a device may never end.
            if not stat.S_ISREG(path.stat().st_mode):
                raise UnreadableImage(
                    f"{argument} is {'a folder' if path.is_dir() else 'a pipe or a device'}, not a file"
                )
            with path.open("rb") as file:
                content = file.read(limits.file_bytes + 1)
        except FileNotFoundError:
            raise UnreadableImage(f"{argument} cannot be read: there is no such file") from None
        except PermissionError:
            raise UnreadableImage(f"{argument} cannot be read: permission denied") from None
        except (OSError, ValueError) as error:
            # ValueError: a path with a NUL or a lone surrogate in it.
            if isinstance(error, InputError):
                raise
            raise UnreadableImage(f"{argument} cannot be read: not a usable path ({type(error).__name__})") from None
    if len(content) > limits.file_bytes:
        raise ImageTooLarge(f"{argument} has more than the {limits.file_bytes:,} bytes that are allowed")
    return content


def require_size(width: int, height: int, limits: Limits, argument: str) -> None:
    """Refuse images without pixels, with too many, and such as are far longer than wide.

    Raises:
        UnreadableImage: no pixels.
        ImageTooLarge: over `limits`.
    """
    if width < 1 or height < 1:
        raise UnreadableImage(f"{argument} has no pixels")
    if width * height > limits.pixels:
        raise ImageTooLarge(f"{argument} is {width}×{height}, {limits.pixels:,} pixels are allowed")
    short, long = sorted((width, height))
    if short >= NARROW and long > limits.aspect * short:
        raise ImageTooLarge(
            f"{argument} is {width}×{height}: one side may be {limits.aspect} times the other; cut it into pieces"
        )


def to_frames(image: Image, argument: str) -> tuple[Frame, ...]:
    """The pixels of a PIL image in any mode as uint8, (H, W, 3) or, where it has transparency, (H, W, 4).

    One frame, except for grey of more than 8 bits: there everything that a reader may make of it (`wide_spans`).
    """
    import numpy as np

    if is_wide(image.mode):
        wide = np.asarray(image)
        return tuple(_scaled(wide, span) for span in wide_spans(wide, argument))
    if image.mode in ("RGBA", "LA", "La", "PA", "RGBa") or "transparency" in image.info:
        return (_converted(image, "RGBA"),)
    # CMYK, YCbCr, LAB, HSV, L, P and 1 all have a defined conversion.
    return (_converted(image, "RGB"),)


def _converted(image: Image, mode: str) -> Frame:
    """`image` in `mode`, some rows at a time: whole, Pillow's copies on the way to an array took four times the pixels
    (456 MiB for the 25 million that are allowed)."""
    import numpy as np

    out = np.empty((image.height, image.width, len(mode)), np.uint8)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(image.height, top + rows)
        strip = image if bottom - top == image.height else image.crop((0, top, image.width, bottom))
        if strip.mode == "La":
            strip = strip.convert("LA")
        out[top:bottom] = np.asarray(strip if strip.mode == mode else strip.convert(mode))
    out.setflags(write=False)
    return out


def is_wide(mode: str) -> bool:
    """Whether a mode holds one channel of 16 or 32 bits."""
    return mode.startswith("I") or mode == "F"


def wide_spans(wide: Any, argument: str) -> tuple[float, ...]:
    """The values that count as white in grey of more than 8 bits: each of them gives a picture of its own.

    Viewers scale 16 bits down to 8, Pillow's convert() (and with it every pipeline) cuts off at 255, others stretch to
    the brightest pixel: one bright pixel would make a picture black for the first and the last, and leave it as it is
    for the second. Floats over 1 may have been meant as 0..1 with one bright pixel.

    Args:
        wide: (H, W) values in the dtype that they came in: floats have more readings than integers.

    Raises:
        UnreadableImage: NaN or infinite values.
    """
    import numpy as np

    if wide.dtype.kind == "f" and not np.isfinite(wide).all():
        raise UnreadableImage(f"{argument} has pixels that are not numbers")
    top = float(wide.max(initial=0.0))
    if top <= 1.0:
        return (1.0,)
    # Stretching what is nearly full range already shows nothing new.
    if top <= 255.0:
        return (255.0, *((1.0,) if wide.dtype.kind == "f" else ()), *((top,) if top <= 0.5 * 255.0 else ()))
    if top <= 65535.0:
        return (65535.0, 255.0) if top > 0.5 * 65535.0 else (65535.0, 255.0, top)
    return (top, 65535.0, 255.0)


def _scaled(wide: Any, span: float) -> Frame:
    import numpy as np

    out = np.empty((*wide.shape, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // max(1, wide.shape[1]))
    for top in range(0, wide.shape[0], rows):
        strip = wide[top : top + rows].astype(np.float64)
        out[top : top + rows] = np.rint(np.clip(strip / span, 0.0, 1.0) * 255).astype(np.uint8)[..., None]
    return out
