"""What somebody can see of one frame: over which backdrop, and with how much light."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from guardrail.media.types import Frame

__all__ = ["FEW_LEVELS", "WHITE", "over", "renderings", "stretched"]

WHITE = 255
"""The backdrop that most pages have, and that pictures are flattened over."""
_BACKDROPS = (0, WHITE, 128)
FEW_LEVELS = 40
"""Grey levels between the darkest and the brightest hundredth of a picture under which it is looked at stretched too.
Of 23 photographs of faces in 3 levels (times 0.012) CenterFace found none as they were, and 23 stretched."""


def renderings(frame: Frame) -> Iterator[Frame]:
    """Every rendering of an (H, W, 3|4) uint8 frame that somebody could see: (H, W, 3) RGB, none of them twice.

    Where pixels are transparent: over black, over white, over mid-grey, and without the transparency, which is what
    convert("RGB") gives, with which pipelines begin. A file can show one picture over one backdrop and another one over
    the next; whatever backdrop a page has, it is not far from one of these three. Where a rendering has few levels of
    grey, it comes once more, stretched (see `stretched`). The order is fixed.
    """
    seen: set[bytes] = set()
    for view in _backdrops(frame):
        for one in (view, stretched(view)):
            # The digests are kept and not the pixels: a frame of 25 million has up to eight renderings of 75 MB.
            if one is not None and (digest := hashlib.sha256(one.data).digest()) not in seen:
                seen.add(digest)
                yield one


def _backdrops(frame: Frame) -> Iterator[Frame]:
    if frame.shape[2] == 3 or int(frame[..., 3].min()) == 255:
        yield np.ascontiguousarray(frame[..., :3])
        return
    for backdrop in _BACKDROPS:
        yield over(frame, backdrop)
    yield np.ascontiguousarray(frame[..., :3])


def over(frame: Frame, backdrop: int) -> Frame:
    """An (H, W, 3|4) uint8 frame over a backdrop of one grey level, 0..255: (H, W, 3) RGB, contiguous."""
    if frame.shape[2] == 3 or int(frame[..., 3].min()) == 255:
        return np.ascontiguousarray(frame[..., :3])
    weight = frame[..., 3:].astype(np.float32) / 255
    return np.rint(frame[..., :3] * weight + backdrop * (1 - weight)).astype(np.uint8)


def stretched(view: Frame) -> Frame | None:
    """The (H, W, 3) view with each colour channel stretched to 0..255, or ``None`` where that shows nothing new.

    A picture in three levels of grey looks black and is found by no model; one step in any editor brings it back. What
    counts is the range from the darkest to the brightest hundredth, so that a few bright pixels change nothing. A
    picture of one colour has no range.
    """
    from PIL import Image

    image = Image.fromarray(view)
    dark, bright = _range(image.convert("L").histogram())
    if bright - dark >= FEW_LEVELS:
        return None
    counts = image.histogram()
    ranges = [_range(counts[256 * i : 256 * (i + 1)]) for i in range(3)]
    if all(low == high for low, high in ranges):
        return None
    table: list[int] = []
    for low, high in ranges:
        # A channel without a range stays as it is.
        factor, base = (255 / (high - low), low) if high > low else (1.0, 0)
        table += [min(255, max(0, round((value - base) * factor))) for value in range(256)]
    return np.ascontiguousarray(np.asarray(image.point(table)))


def _range(histogram: list[int]) -> tuple[int, int]:
    """The levels at which a hundredth of the pixels is darker, and is brighter."""
    reached: NDArray[np.int64] = np.cumsum(histogram)
    total = int(reached[-1])
    return int(np.searchsorted(reached, total * 0.01, "right")), int(np.searchsorted(reached, total * 0.99, "left"))
