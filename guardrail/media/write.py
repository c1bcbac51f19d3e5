"""Writing frames as a file: what was altered, in the format of the file it came from."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from guardrail.drafts import write_whole
from guardrail.errors import ActionError, UnsupportedInput
from guardrail.media.arrays import put_back
from guardrail.media.decode import decode_image, is_wide, read_content, sniff
from guardrail.media.types import Frame, Limits

__all__ = ["ANIMATED", "Timing", "rewrite"]

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".gif": "GIF", ".avif": "AVIF"}
ANIMATED = frozenset({"PNG", "WEBP", "GIF", "AVIF"})
DEFAULT_MS = 100
QUALITY = 92


@dataclass(frozen=True, slots=True)
class Timing:
    """How an animation plays: milliseconds of each frame, and how often it repeats (0: for ever)."""

    durations_ms: tuple[int, ...]
    loop: int


def rewrite(source: bytes | str | Path, frames: Sequence[Frame], target: Path, *, limits: Limits | None = None) -> None:
    """Write `frames` in the place of those of `source`, without any metadata: EXIF carries a small copy of the picture.

    Args:
        source: an image file that `decode_image` read, or its bytes.
        frames: as many as it gave, of the same sizes.
        target: its suffix names the format.

    Raises:
        UnsupportedInput: a format that is not written here, or that holds one frame where there are several.
        ActionError: the frames are others than those of the source, what was written does not read back, or the file
            cannot be written; what was there before is there still.
        InputError: the source cannot be read.
    """
    form = FORMATS.get(target.suffix.lower())
    if form is None:
        raise UnsupportedInput(f"{target.suffix or 'a file without a suffix'} is not written; use {', '.join(FORMATS)}")
    content = read_content(source, "image", limits or Limits())
    written = _encoded(content, frames, form)
    # Not as many frames as went in: two that became alike are written as one that stays longer.
    if decode_image(written, limits=limits).frames[0].shape[:2] != frames[0].shape[:2]:
        raise ActionError(f"{target.name} does not read back as it was written")
    try:
        write_whole(target, written)
    except OSError as error:
        raise ActionError(f"{target} cannot be written: {error.strerror or type(error).__name__}") from None


def _encoded(content: bytes, frames: Sequence[Frame], form: str) -> bytes:
    from PIL import Image, ImageOps

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(content), formats=[sniff(content[:16]) or ""]) as image:
        if _is_still(content):
            # Grey of more than 8 bits has several readings: all go back into the one picture.
            upright = ImageOps.exif_transpose(image)
            first = frames if is_wide(upright.mode) else frames[:1]
            _plain(put_back(upright, first), form).save(buffer, form, **_options(form))
            return buffer.getvalue()
        timing = _timing(image, len(frames))
    if form not in ANIMATED:
        raise UnsupportedInput(
            f"{form} holds one picture and the animation has {len(frames)}: write a GIF, WebP or PNG"
        )
    first, *rest = (_plain(Image.fromarray(np.ascontiguousarray(f)), form) for f in frames)
    options = _options(form) | {"duration": list(timing.durations_ms), "loop": timing.loop}
    if form == "GIF":
        # Each frame whole: what another one covers must not show through what is cut away.
        options |= {"disposal": 2, "optimize": False}
    first.save(buffer, form, save_all=True, append_images=rest, **options)
    return buffer.getvalue()


def _is_still(content: bytes) -> bool:
    """One picture; a JPEG's further ones are copies of it in other sizes, and go."""
    from PIL import Image

    form = sniff(content[:16]) or ""
    with Image.open(io.BytesIO(content), formats=[form]) as image:
        return form == "JPEG" or int(getattr(image, "n_frames", 1)) == 1


def _timing(image: Any, count: int) -> Timing:
    durations: list[int] = []
    for i in range(count):
        image.seek(i)
        # A WebP's frame knows its time only once it is decoded.
        image.load()
        durations.append(max(1, round(float(image.info.get("duration") or DEFAULT_MS))))
    return Timing(tuple(durations), int(image.info.get("loop", 0)))


def _plain(picture: Any, form: str) -> Any:
    """Without metadata, in a mode that the format holds."""
    picture = picture.copy()
    picture.info = {k: v for k, v in picture.info.items() if k in ("transparency", "icc_profile")}
    if form == "JPEG" and picture.mode not in ("RGB", "L", "CMYK"):
        return picture.convert("RGB")
    if form in ("WEBP", "AVIF") and picture.mode not in ("RGB", "RGBA"):
        return picture.convert("RGBA" if "A" in picture.mode else "RGB")
    return picture


def _options(form: str) -> dict[str, Any]:
    return {} if form in ("PNG", "GIF") else {"quality": QUALITY}
