"""Watermark Anything (Sander et al. 2024, arXiv 2411.07231): 32 bits for each marked region, and a mask of it.

Not run here with the published weights, which no package index carries: inputs and outputs follow the paper and the
published code as it reads, and the tests use stand-ins. Take the checkpoint ``wam_mit.pth`` (MIT); the other one,
``wam_coco.pth``, is for non-commercial use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import WeightsError
from guardrail.marks.adapters.export import read_export
from guardrail.marks.adapters.network import Comparison, Network, NetworkDetection, matching_rate

__all__ = ["WatermarkAnything"]

_BITS = 32


class WatermarkAnything:
    """32 bits without a code: what they are worth is known only against a payload that is asked for.

    Args:
        folder: what ``training/marks_export/wam.py`` wrote.
        threads: within one operator.

    Raises:
        WeightsError: the folder is missing, changed or of another kind.
    """

    name = "wam"
    version = 1
    payload_bits = _BITS

    def __init__(self, folder: str | Path, *, threads: int = 1) -> None:
        export = read_export(folder, "wam")
        if export.bits != _BITS:
            raise WeightsError(f"Watermark Anything has {_BITS} bits, this export has {export.bits}")
        self.licence = export.licence
        self._network = Network(export, dense=True, threads=threads)

    def embed(self, image: NDArray[Any], payload: int) -> NDArray[Any]:
        """A marked copy of (H, W, 3) RGB pixels, uint8 or floats in 0..1.

        Raises:
            ValueError: not such an image, or not a payload of 32 bits.
            MarkError: the network gave something else than a residual.
        """
        return self._network.embed(image, _message(payload))

    def detect(self, image: NDArray[Any]) -> NetworkDetection:
        """Reads (H, W, 3) RGB pixels: `raw` has the bits of the region that the network calls marked.

        The verdict is ``none`` always and the rate ``None``: every picture gives 32 bits, and how often the network
        calls unmarked pixels marked was not measured here. The statistic is the marked share of the area. To have a
        verdict, use `compare`.
        """
        area, bits = self._read(image)
        return NetworkDetection("none", None, area, None, tuple(int(b) for b in bits))

    def compare(self, image: NDArray[Any], payload: int) -> Comparison:
        """How many of 32 bits of one payload are there; nothing marked: none of them."""
        area, bits = self._read(image)
        wanted = np.array(_message(payload), bool)
        count = int(np.count_nonzero(bits == wanted)) if area else 0
        return Comparison(count, _BITS, matching_rate(count, _BITS))

    def _read(self, image: NDArray[Any]) -> tuple[float, NDArray[np.bool_]]:
        """Share of the area that is marked, and its bits: each the mean over that area."""
        dense = self._network.answer(image)
        inside = dense[0] > 0
        if not inside.any():
            return 0.0, np.zeros(_BITS, bool)
        return float(inside.mean()), dense[1:, inside].mean(axis=1) > 0


def _message(payload: int) -> tuple[int, ...]:
    if not 0 <= payload < 1 << _BITS:
        raise ValueError(f"a payload is an integer of {_BITS} bits")
    return tuple(payload >> i & 1 for i in reversed(range(_BITS)))
