"""The public class: checks what comes in, chooses the frame, leaves the work to `embed` and `detect`."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import MarkError
from guardrail.marks.tileline import detect, embed, frontend
from guardrail.marks.tileline.code import PAYLOAD_BITS
from guardrail.marks.tileline.layout import FULL_TILES, VERSION, Layout, layout_of

__all__ = ["LAYOUTS", "TileLine", "check_pixels"]

_KEY_OCTETS = 32
_FULL_SIDE, _FRAGILE_SIDE = 256, 64  # pixels of the short side

# Under 256 px the frame has fewer tiles, and the mark is made stronger until it reads back with some margin. Two tiles
# over 92 px survive JPEG 75 about as well as one does and are always read back; below, one tile is tried first.
_TWO_TILES_SIDE = 92
_FRAGILE_BOOSTS_DB = (1.0, 3.0, 5.0)
_FRAGILE_MARGIN = 13.0  # of the statistic; the threshold is 11.5

LAYOUTS = 4
"""Layouts of a key. Each costs a reader some 2 ms a picture, and 16 times fewer pictures would betray a single one."""
_MOST_LAYOUTS = 16

_PSNR_RANGE_DB = (30.0, 60.0)


class TileLine:
    """Keyed blind watermark of 64 bits.

    One tile of plane waves repeats over the picture, four tiles along its short side whatever its size, so that
    resizing needs no search; crops, rotations, mirror images and mild changes of aspect are searched for.

    Instances hold no mutable state: one may be used by many threads.

    Args:
        key: 32 bytes. Whoever has it can read, forge and remove the mark.
        psnr_db: signal-to-noise ratio of the marked 8-bit image; higher where all of the image is too flat to hide
            that much.
        layouts: how many layouts the key has, 1..16; the payload says which one a picture gets. Who averages marked
            pictures to find out what they have in common needs the square of it times as many. Writer and reader must
            agree on it: a reader looks for as many.

    Raises:
        ValueError: the key is not 32 bytes, the ratio lies outside 30..60 dB, or there are none or too many layouts.
    """

    name = "tileline"
    version = VERSION
    payload_bits = PAYLOAD_BITS

    def __init__(self, key: bytes, *, psnr_db: float = 43.0, layouts: int = LAYOUTS) -> None:
        if not isinstance(key, bytes) or len(key) != _KEY_OCTETS:
            raise ValueError(f"a TileLine key is {_KEY_OCTETS} bytes")
        _within_range(psnr_db)
        if not 1 <= layouts <= _MOST_LAYOUTS:
            raise ValueError(f"a TileLine key has 1 to {_MOST_LAYOUTS} layouts, not {layouts}")
        self._layouts = tuple(layout_of(key, index) for index in range(layouts))
        self._choosing = hashlib.sha256(b"guardrail/tileline/choice" + key).digest()
        self._psnr_db = float(psnr_db)

    def _layout(self, payload: int, layout: int | None) -> Layout:
        if layout is not None:
            return self._layouts[layout % len(self._layouts)]
        octets = hmac.digest(self._choosing, payload.to_bytes(PAYLOAD_BITS // 8, "big"), "sha256")
        return self._layouts[octets[0] % len(self._layouts)]

    def __repr__(self) -> str:
        return f"TileLine(psnr_db={self._psnr_db:g})"  # never the key

    def grade(self, height: int, width: int) -> Literal["full", "fragile", "none"]:
        """What a mark in a picture of this size is worth.

        `full`: the robustness in `benchmarks/results`. `fragile`: read back from the picture as written and usually
        after mild compression, not after cropping. `none`: too small to be marked. Only the short side counts: a long
        strip repeats the tile more often and loses nothing by it.
        """
        short = min(height, width)
        if short >= _FULL_SIDE:
            return "full"
        return "fragile" if short >= _FRAGILE_SIDE else "none"

    def embed(
        self, image: NDArray[Any], payload: int, *, boost_db: float = 0.0, layout: int | None = None
    ) -> NDArray[Any]:
        """A marked copy.

        Args:
            image: (H, W, 3) RGB, uint8 or float32 or float64 in 0..1; the short side at least 64 pixels.
            payload: 0 <= payload < 2 ** 64.
            boost_db: how much stronger than `psnr_db`.
            layout: which of the key's layouts, modulo their number; by default the payload chooses, under the key.

        Returns:
            Same shape and dtype; floats are not quantised. Whether the mark can be read back is for the caller to
            find out: noise over the whole range of values drowns it.

        Raises:
            ValueError: not such an image, payload or strength.
            MarkError: the image is too small to be marked.
        """
        check_pixels(image)
        if not isinstance(payload, (int, np.integer)) or not 0 <= int(payload) < 1 << PAYLOAD_BITS:
            raise ValueError(f"a payload is an integer of {PAYLOAD_BITS} bits")
        height, width = image.shape[:2]
        if self.grade(height, width) == "none":
            raise MarkError(
                f"{width}×{height} px is too small to be marked: the short side must have {_FRAGILE_SIDE} px"
            )
        psnr_db = self._psnr_db - boost_db
        _within_range(psnr_db)
        picture = frontend.picture_of(image)
        keyed = self._layout(int(payload), layout)
        if min(height, width) >= _FULL_SIDE:
            return embed.write(image, picture, keyed, int(payload), FULL_TILES, psnr_db)
        return self._embed_fragile(image, picture, keyed, int(payload), psnr_db)

    def _embed_fragile(
        self, image: NDArray[Any], picture: frontend.Picture, layout: Layout, payload: int, psnr_db: float
    ) -> NDArray[Any]:
        one_tile = [(1, db) for db in _FRAGILE_BOOSTS_DB] if min(image.shape[:2]) < _TWO_TILES_SIDE else []
        out = image
        for tiles, boost_db in [*one_tile, *((2, db) for db in _FRAGILE_BOOSTS_DB)]:
            out = embed.write(image, picture, layout, payload, tiles, psnr_db - boost_db)
            seen = self.detect(out, search=False)
            if seen.payload == payload and seen.statistic >= _FRAGILE_MARGIN:
                break
        return out

    def detect(self, image: NDArray[Any], *, search: bool = True) -> detect.Detection:
        """Looks for this key's mark.

        Args:
            image: (H, W, 3) RGB, uint8 or float32 or float64 in 0..1; of any size.
            search: also look for crops, rotations and changes of aspect (about 15 times slower on unmarked pictures).

        Raises:
            ValueError: not such an image.
        """
        check_pixels(image)
        short = min(image.shape[:2])
        tiles: tuple[int, ...] = (FULL_TILES,)
        if short < _FULL_SIDE:
            tiles = (2, FULL_TILES) if short >= _FULL_SIDE // 2 else (1, 2, FULL_TILES)
        return detect.read(detect.Observation(frontend.picture_of(image), tiles), self._layouts, search=search)


def _within_range(psnr_db: float) -> None:
    low, high = _PSNR_RANGE_DB
    if not low <= psnr_db <= high:
        raise ValueError(f"a mark of {psnr_db:g} dB is out of range: {low:g} to {high:g} dB, boost included")


def check_pixels(image: NDArray[Any]) -> None:
    """Raises ValueError unless it is (H, W, 3) of uint8, or floats in 0..1 without NaN, and at least 2×2."""
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3:
        shape = getattr(image, "shape", type(image).__name__)
        raise ValueError(f"TileLine wants an array of shape (H, W, 3), not {shape}")
    if image.dtype not in (np.uint8, np.float32, np.float64):
        raise ValueError(f"TileLine wants uint8, float32 or float64 pixels, not {image.dtype}")
    if min(image.shape[:2]) < 2:
        raise ValueError(f"TileLine wants at least 2×2 pixels, not {image.shape[1]}×{image.shape[0]}")
    if image.dtype != np.uint8:
        low, high = float(image.min()), float(image.max())  # NaN in any pixel makes both NaN
        if not (low >= -1e-3 and high <= 1 + 1e-3):
            raise ValueError(f"TileLine wants float pixels in 0..1 without NaN, not {low:g}..{high:g}")
