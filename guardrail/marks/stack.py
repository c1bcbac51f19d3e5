"""The order of marks: pixels, then metadata with the file, then reading back. No release without reading back."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import MarkError
from guardrail.keys import Keyring

if TYPE_CHECKING:
    from guardrail.marks.tileline import Detection, TileLine

__all__ = ["MARK_VERSION", "MarkStack"]

MARK_VERSION = 1
"""First four bits of every payload; the other 60 are the mark id."""
RETRY_DB = 2.0


class MarkStack:
    """Marks pixels with the active key and reads marks of every key on the ring.

    The payload is never constant: averaging pictures with one payload would give the mark away.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._marks: dict[str, TileLine] = {}

    def _mark(self, key: str) -> TileLine:
        if key not in self._marks:
            from guardrail.marks.tileline import TileLine

            self._marks[key] = TileLine(self._keyring.derive("marks/tileline/1", key=key))
        return self._marks[key]

    def warmup(self) -> None:
        self._mark(self._keyring.active)

    @property
    def keys(self) -> int:
        """How many keys marks are read with."""
        return len(self._keyring.ids)

    def mark_id(self, decision_id: str) -> str:
        """The 60-bit id (15 hex digits) that belongs to a decision."""
        subkey = self._keyring.derive("marks/ids")
        digest = hmac.new(subkey, decision_id.encode(), hashlib.sha256).digest()
        return f"{int.from_bytes(digest[:8], 'big') >> 4:015x}"

    def grade(self, height: int, width: int) -> Literal["full", "fragile", "none"]:
        """How well an image of this size can carry the watermark."""
        return self._mark(self._keyring.active).grade(height, width)

    def embed(self, pixels: NDArray[np.generic], mark_id: str) -> NDArray[np.generic]:
        """Mark an (H, W, 3) image, uint8 or float in 0..1, and read the mark back.

        Raises:
            MarkError: the image is too small, is none that the watermark knows, or its mark cannot be read back even
                when it is made stronger.
        """
        mark = self._mark(self._keyring.active)
        height, width = pixels.shape[:2]
        if mark.grade(height, width) == "none":
            raise MarkError(f"an image of {width}×{height} pixels is too small for the watermark")
        payload = MARK_VERSION << 60 | int(mark_id, 16)
        for boost in (0.0, RETRY_DB):
            try:
                marked: NDArray[np.generic] = mark.embed(pixels, payload, boost_db=boost)
            except ValueError as error:
                # Shape, type or range: an output that cannot be marked is refused like any other.
                raise MarkError(f"the image cannot carry the watermark: {error}") from None
            # Read as a file would hold it: eight bits a channel. The mark is where it was put: no search.
            seen = mark.detect(_eight_bits(marked), search=False)
            if seen.verdict == "payload" and seen.payload == payload:
                return marked
        raise MarkError("the watermark could not be read back from the image")

    def detect(self, pixels: NDArray[np.uint8], *, search: bool = True) -> tuple[str, Detection]:
        """The best finding over all keys of the ring: (key id, detection)."""
        found = [(key, self._mark(key).detect(pixels, search=search)) for key in self._keyring.ids]
        order = {"payload": 2, "marked": 1, "none": 0}
        return max(found, key=lambda kd: (order[kd[1].verdict], kd[1].statistic))

    def embed_frames(self, frames: Sequence[NDArray[np.generic]], mark_id: str) -> list[NDArray[np.generic]]:
        """`embed` for every frame of a video."""
        return [self.embed(frame, mark_id) for frame in frames]


def _eight_bits(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    return np.rint(np.clip(pixels.astype(np.float32), 0, 1) * 255).astype(np.uint8)
