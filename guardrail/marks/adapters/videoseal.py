"""Video Seal 1.0 (Fernandez et al. 2024, arXiv 2412.09492) and Pixel Seal (arXiv 2512.16874): 256 bits.

Not run here with the published weights, which no package index carries: the graph's inputs and outputs follow the
published package (videoseal 1.0.1, MIT) as it reads, and the tests use stand-ins. Both families share one interface.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from guardrail.errors import WeightsError
from guardrail.marks.adapters.bch import BCH
from guardrail.marks.adapters.export import read_export
from guardrail.marks.adapters.network import PAYLOAD_RATE, Comparison, Network, NetworkDetection, ball

__all__ = ["VideoSeal"]

_RAW, _DATA = 256, 64
# The network brings no code of its own. BCH(255, 71) shortened to 64 bits: 184 bits of parity correct 29 flips of 248.
_CODE = BCH(8, 29, 0x11D)
_LENGTH = _DATA + _CODE.parity_bits
# Without it the word of a network that says nothing but zeros would be a codeword. Drawn once, by its name.
_MASK = int.from_bytes(hashlib.shake_256(b"guardrail/marks/videoseal/1").digest(_RAW // 8), "big")


class VideoSeal:
    """64 bits under a BCH code in the network's 256.

    Args:
        folder: what ``training/marks_export/videoseal.py`` wrote; its variant is ``videoseal`` or ``pixelseal``.
        threads: within one operator.

    Raises:
        WeightsError: the folder is missing, changed or of another kind.
    """

    name = "videoseal"
    version = 1
    payload_bits = _DATA

    def __init__(self, folder: str | Path, *, threads: int = 1) -> None:
        export = read_export(folder, "videoseal")
        if export.bits != _RAW:
            raise WeightsError(f"Video Seal 1.0 and Pixel Seal have {_RAW} bits, this export has {export.bits}")
        self.licence = export.licence
        self._network = Network(export, threads=threads)

    def embed(self, image: NDArray[Any], payload: int) -> NDArray[Any]:
        """A marked copy of (H, W, 3) RGB pixels, uint8 or floats in 0..1.

        Raises:
            ValueError: not such an image, or not a payload of 64 bits.
            MarkError: the network gave something else than a residual.
        """
        return self._network.embed(image, packet(payload))

    def detect(self, image: NDArray[Any]) -> NetworkDetection:
        """Reads (H, W, 3) RGB pixels.

        With f flips corrected the rate is 2⁻¹⁸⁴ × the number of words within f flips. Since the mask was drawn at
        random and without regard to any picture, this holds whatever bits the network reads from unmarked ones.
        """
        return read(tuple(int(b > 0) for b in self._network.answer(image)))

    def compare(self, image: NDArray[Any], payload: int) -> Comparison:
        """How many of the 64 payload bits of one payload's word are there: for pictures too damaged for the code."""
        return self._network.compare(image, packet(payload)[:_DATA])


def packet(payload: int) -> tuple[int, ...]:
    """The 256 bits that carry a payload of 64.

    Raises:
        ValueError: not a payload of 64 bits.
    """
    if not 0 <= payload < 1 << _DATA:
        raise ValueError(f"a payload is an integer of {_DATA} bits")
    word = (payload << _CODE.parity_bits | _CODE.encode(payload)) << _RAW - _LENGTH
    return tuple((word ^ _MASK) >> i & 1 for i in reversed(range(_RAW)))


def read(raw: tuple[int, ...]) -> NetworkDetection:
    """The payload in 256 bits, if the code can be decoded."""
    word = (int("".join(map(str, raw)), 2) ^ _MASK) >> _RAW - _LENGTH
    decoded = _CODE.decode(word, _LENGTH)
    if decoded is None:
        return NetworkDetection("none", None, 0.0, 1.0, raw)
    whole, flips = decoded
    rate, share = ball(_LENGTH, flips) / 2**_CODE.parity_bits, 1 - flips / _LENGTH
    if rate > PAYLOAD_RATE:
        return NetworkDetection("none", None, share, rate, raw)
    return NetworkDetection("payload", whole >> _CODE.parity_bits, share, rate, raw)
