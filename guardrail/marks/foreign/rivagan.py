"""Reader of RivaGAN marks (Zhang et al. 2019, arXiv 1909.01285) by the network in the package invisible-watermark.

32 bits without a check, and no generator writes a constant message that is known: any picture gives 32 bits. So nothing
is recognised by it alone, and `foreign_layers` does not ask it; it tells whether a message that the caller expects is
there. One to two seconds a picture of 512×512 on one core.

Needs the file that ``guardrail models pull other-marks`` takes out of the published wheel (1 MB, MIT).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrail.weights import read
from guardrail.weights.session import onnx_session

__all__ = ["BITS", "RivaGan", "RivaReading"]

BITS = 32
# The package's own threshold.
_THRESHOLD = 0.52
_SMALLEST_AREA = 256 * 256  # pixels; the package refuses to mark less


@dataclass(frozen=True, slots=True)
class RivaReading:
    """What the network reads.

    Attributes:
        bits: every picture gives some.
        matching: how many are those of the message that was asked for; ``None`` where none was.
        rate: chance that so many match in a picture without it, if the message was drawn at random; ``None`` where none
            was asked for: bits alone prove nothing.
    """

    bits: tuple[int, ...]
    matching: int | None = None
    rate: float | None = None


class RivaGan:
    """The decoder, opened once.

    Raises:
        WeightsMissing: the file is not there; the message has the command that brings it.
        WeightsMismatch: it is another file.
    """

    def __init__(self, *, threads: int = 1) -> None:
        self._session: Any = onnx_session(read("rivagan-decoder"), threads)

    def read(self, pixels: NDArray[np.uint8], *, expected: tuple[int, ...] | None = None) -> RivaReading | None:
        """The bits of (H, W, 3) RGB pixels; ``None`` under 256×256 pixels.

        Raises:
            ValueError: not such pixels, or `expected` is not 32 zeros and ones.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"pixels are uint8 of shape (H, W, 3), not {pixels.dtype} of {pixels.shape}")
        if expected is not None and (len(expected) != BITS or set(expected) - {0, 1}):
            raise ValueError(f"an expected message is {BITS} zeros and ones")
        if pixels.shape[0] * pixels.shape[1] < _SMALLEST_AREA:
            return None
        # Blue first, as OpenCV has it and the package hands it over: (1, channel, time, H, W) in -1..1.
        planes = pixels[..., ::-1].transpose(2, 0, 1).astype(np.float32) / np.float32(127.5) - 1
        (answer,) = self._session.run(None, {"frame": planes[None, :, None]})
        bits = tuple(int(b > _THRESHOLD) for b in answer[0])
        if expected is None:
            return RivaReading(bits)
        matching = sum(a == b for a, b in zip(bits, expected, strict=True))
        rate = sum(comb(BITS, k) for k in range(matching, BITS + 1)) / 2**BITS
        return RivaReading(bits, matching, rate)
