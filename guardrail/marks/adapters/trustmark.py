"""TrustMark (Bui, Agarwal and Collomosse 2023, arXiv 2311.18297), variants Q and P, from an export of the user's own.

Not run here with the published weights, which no package index carries. Resizing, residual and code follow the
published package (trustmark 0.9.2, MIT) as it reads; the code was compared with the package's own; the networks of the
tests are stand-ins.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from guardrail.errors import WeightsError
from guardrail.marks.adapters.bch import BCH
from guardrail.marks.adapters.export import read_export
from guardrail.marks.adapters.network import (
    PAYLOAD_RATE,
    Comparison,
    Network,
    NetworkDetection,
    ball,
)

__all__ = ["TrustMark"]

# Schema BCH_5, the package's default: 61 bits of payload, padded to whole octets for the code, 35 of parity, 4 that say
# which schema it is.
_DATA, _PAD, _PARITY, _SCHEMA = 61, 3, 35, (0, 0, 0, 1)
_CODE = BCH(7, 5, 137)
_RAW = _DATA + _PARITY + len(_SCHEMA)
# Variant Q marks pictures of up to 2:1 as a whole; P always takes the square in the middle.
_SQUARE_ABOVE = {"Q": 2.0, "P": 0.0}


class TrustMark:
    """61 bits under a BCH code, readable by the published package and by anybody else's TrustMark.

    Args:
        folder: what ``training/marks_export/trustmark.py`` wrote.
        threads: within one operator.

    Raises:
        WeightsError: the folder is missing, changed or of another kind.
    """

    name = "trustmark"
    version = 1
    payload_bits = _DATA

    def __init__(self, folder: str | Path, *, threads: int = 1) -> None:
        export = read_export(folder, "trustmark")
        if export.bits != _RAW or export.variant not in _SQUARE_ABOVE:
            raise WeightsError(
                f"TrustMark has {_RAW} bits and the variants Q and P, not {export.bits}, {export.variant}"
            )
        self.licence = export.licence
        self._network = Network(export, square_above=_SQUARE_ABOVE[export.variant], threads=threads)

    def embed(self, image: NDArray[Any], payload: int) -> NDArray[Any]:
        """A marked copy of (H, W, 3) RGB pixels, uint8 or floats in 0..1.

        Raises:
            ValueError: not such an image, or not a payload of 61 bits.
            MarkError: the network gave something else than a residual.
        """
        return self._network.embed(image, packet(payload))

    def detect(self, image: NDArray[Any]) -> NetworkDetection:
        """Reads (H, W, 3) RGB pixels.

        With f flips corrected the rate is 2⁻³⁵ (parity) × 2⁻⁴ (schema) × the number of words within f flips: the
        chance for 100 fair coins. That the bits of an unmarked picture are such coins was not measured here.
        """
        return read(tuple(int(b > 0) for b in self._network.answer(image)))

    def compare(self, image: NDArray[Any], payload: int) -> Comparison:
        """How many of the 61 payload bits of one payload are there: for pictures too damaged for the code."""
        return self._network.compare(image, packet(payload)[:_DATA])


def packet(payload: int) -> tuple[int, ...]:
    """The 100 bits that carry a payload of 61.

    Raises:
        ValueError: not a payload of 61 bits.
    """
    if not 0 <= payload < 1 << _DATA:
        raise ValueError(f"a payload is an integer of {_DATA} bits")
    parity = _CODE.encode(payload << _PAD)
    return (*_bits(payload, _DATA), *_bits(parity, _PARITY), *_SCHEMA)


def read(raw: tuple[int, ...]) -> NetworkDetection:
    """The payload in 100 bits, if the schema is ours and the code can be decoded."""
    nothing = NetworkDetection("none", None, 0.0, 1.0, raw)
    if raw[-len(_SCHEMA) :] != _SCHEMA:
        return nothing
    data, parity = _number(raw[:_DATA]), _number(raw[_DATA : _DATA + _PARITY])
    decoded = _CODE.decode(data << _PAD + _PARITY | parity, _DATA + _PAD + _PARITY)
    # Nothing is sent in the padding: a flip there is none.
    if decoded is None or decoded[0] >> _PARITY & (1 << _PAD) - 1:
        return nothing
    word, flips = decoded
    rate = ball(_DATA + _PARITY, flips) / 2 ** (_PARITY + len(_SCHEMA))
    share = 1 - flips / (_DATA + _PARITY)
    if rate > PAYLOAD_RATE:
        return NetworkDetection("none", None, share, rate, raw)
    return NetworkDetection("payload", word >> _PAD + _PARITY, share, rate, raw)


def _bits(number: int, length: int) -> tuple[int, ...]:
    return tuple(number >> i & 1 for i in reversed(range(length)))


def _number(bits: tuple[int, ...]) -> int:
    return int("".join(map(str, bits)), 2)
