"""What a list of known images is asked with, and what it answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from guardrail.media.pdq import USABLE_QUALITY, pdq
from guardrail.media.pdq_changes import changed_hashes
from guardrail.media.types import Frame

__all__ = ["Hit", "KnownImages", "Probe", "pixel_digest"]


@dataclass(frozen=True, slots=True)
class Hit:
    """One list that has the picture. Nothing here says which of its pictures it was.

    Args:
        list: its name.
        by: ``file`` or ``pixels`` (the very same), ``perceptual`` (PDQ), ``service``.
        distance: bits of 256 in which the perceptual hashes differ; 0 for the others. 0..31 for the picture as it came
            in. A cut or turned one is found by a version of it, of which 192 bits decide: the distance is that of the
            version, over all 256 bits, and can be over 31.
    """

    list: str
    by: Literal["file", "pixels", "perceptual", "service"]
    distance: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """The hashes of one picture.

    Args:
        pixels: SHA-256 of the decoded pixels.
        hashes: (8, 32) uint8: PDQ in eight orientations, the first as the picture is.
        quality: of the PDQ hashes, 0..100.
        file: SHA-256 of the file as it came in; empty where there was none.
    """

    pixels: bytes
    hashes: NDArray[np.uint8]
    quality: int
    file: bytes = b""
    _frame: Frame | None = field(default=None, repr=False)

    @classmethod
    def of(cls, frame: Frame, file: bytes = b"") -> Probe:
        """The probe of an (H, W, 3) RGB uint8 picture."""
        hashes, quality = pdq(frame)
        return cls(pixel_digest(frame), hashes, quality, file, frame)

    @property
    def usable(self) -> bool:
        """Whether there is enough in the picture for its perceptual hashes to mean anything."""
        return self.quality >= USABLE_QUALITY

    def changed(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """PDQ hashes of what the picture may have been before it was cut or turned a little: (n, 32), and (n, 32) masks
        of the bits that are worth comparing."""
        if self._frame is None:
            return np.zeros((0, 32), np.uint8), np.zeros((0, 32), np.uint8)
        return changed_hashes(self._frame)

    def for_service(self) -> Probe:
        """The same without the pixels, which never leave."""
        return Probe(self.pixels, self.hashes, self.quality, self.file)


class KnownImages(Protocol):
    """Whatever knows images; `HashLists` is the shipped one. Thread-safe."""

    def asked(self) -> bool:
        """Whether there is anything to ask: where there is not, no picture is hashed."""
        ...

    def search(self, probe: Probe) -> Sequence[Hit]:
        """The lists that have the picture, each once.

        Raises:
            KnownImagesError: it cannot be said now. The picture is blocked then.
        """
        ...


def pixel_digest(frame: Frame) -> bytes:
    """SHA-256 over the size and the RGB values of a picture."""
    height, width = frame.shape[:2]
    h = hashlib.sha256(f"{height}x{width}:".encode())
    h.update(np.ascontiguousarray(frame[..., :3]).data)
    return h.digest()
