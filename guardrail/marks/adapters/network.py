"""Running an exported watermark network on pictures of any size, and saying what its bits are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import MarkError, WeightsError
from guardrail.marks.adapters.export import Export
from guardrail.weights.session import onnx_session

__all__ = ["PAYLOAD_RATE", "Comparison", "Network", "NetworkDetection", "ball", "matching_rate"]

PAYLOAD_RATE = 1e-6
"""Largest false-positive rate at which a payload counts as read."""


@dataclass(frozen=True, slots=True)
class NetworkDetection:
    """Outcome of reading a picture (see `guardrail.marks.base.Detected`).

    Attributes:
        statistic: share of the code's bits that were right before correction; for bits without a code 0.
        false_positive_rate: ``None`` where bits are read that no code protects: every picture gives some.
        raw: the bits as read, before any correction.
    """

    verdict: Literal["payload", "marked", "none"]
    payload: int | None
    statistic: float
    false_positive_rate: float | None
    raw: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a picture says about one payload that is asked for.

    Attributes:
        matching, length: bits.
        false_positive_rate: chance that fair coins match so well. It holds for any picture if the payload was drawn at
            random and the picture was made without it.
    """

    matching: int
    length: int
    false_positive_rate: float


def matching_rate(matching: int, length: int) -> float:
    """Upper tail of the binomial of fair coins."""
    return float(sum(comb(length, k) for k in range(matching, length + 1)) / 2**length)


def ball(length: int, flips: int) -> int:
    """How many words lie within so many flips of one."""
    return sum(comb(length, k) for k in range(flips + 1))


class Network:
    """Encoder and decoder of one export.

    The residual is made at the network's own size, enlarged to the picture and added, as the papers of all three
    families do it: its cost does not grow with the picture.

    Args:
        square_above: aspect ratio above which only the square in the middle is marked and read.
        threads: within one operator.

    Raises:
        WeightsError: the graphs do not have the inputs and outputs that `guardrail.marks.adapters.export` names.
    """

    def __init__(self, export: Export, *, dense: bool = False, square_above: float = 1e9, threads: int = 1) -> None:
        self.export = export
        self._square_above = square_above
        self._encoder = _opened(export.encoder, "encoder", ("image", "message"), "residual", threads)
        self._answer = "dense" if dense else "bits"
        self._decoder = _opened(export.decoder, "decoder", ("image",), self._answer, threads)

    def embed(self, image: NDArray[Any], message: tuple[int, ...]) -> NDArray[Any]:
        """A marked copy of (H, W, 3) pixels, uint8 or floats in 0..1; same shape and dtype.

        Raises:
            ValueError: not such an image.
            MarkError: the network gave something else than a residual.
        """
        picture = _floats(image)
        top, left, height, width = self._region(*picture.shape[:2])
        region = picture[top : top + height, left : left + width]
        side = self.export.encoder_side
        bits = np.array([message], np.float32)
        (residual,) = self._encoder.run(["residual"], {"image": _planes(resized(region, side, side)), "message": bits})
        if residual.shape != (1, 3, side, side) or not np.isfinite(residual).all():
            raise MarkError(f"the {self.export.kind} encoder gave no residual of {side}×{side} pixels")
        whole = resized(residual[0].transpose(1, 2, 0), height, width) * np.float32(self.export.strength)
        marked = picture.copy()
        marked[top : top + height, left : left + width] += whole
        marked = np.clip(marked, 0, 1)
        if image.dtype == np.uint8:
            return np.rint(marked * 255).astype(np.uint8)
        return marked.astype(image.dtype)

    def compare(self, image: NDArray[Any], wanted: Sequence[int]) -> Comparison:
        """How many of the first bits that the network reads are those wanted."""
        seen = self.answer(image)[: len(wanted)] > 0
        count = int(np.count_nonzero(seen == np.array(wanted, bool)))
        return Comparison(count, len(wanted), matching_rate(count, len(wanted)))

    def answer(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """What the decoder gives for (H, W, 3) pixels: (n,) bits, or (1 + n, D, D).

        Raises:
            ValueError: not such an image.
            MarkError: the network gave another shape, or NaN.
        """
        picture = _floats(image)
        top, left, height, width = self._region(*picture.shape[:2])
        side, n = self.export.decoder_side, self.export.bits
        region = resized(picture[top : top + height, left : left + width], side, side)
        (answer,) = self._decoder.run([self._answer], {"image": _planes(region)})
        wanted = (1, 1 + n, side, side) if self._answer == "dense" else (1, n)
        if answer.shape != wanted or np.isnan(answer).any():
            raise MarkError(f"the {self.export.kind} decoder gave {answer.shape}, not {wanted} without NaN")
        given: NDArray[np.float32] = answer[0].astype(np.float32, copy=False)
        return given

    def _region(self, height: int, width: int) -> tuple[int, int, int, int]:
        short, long = sorted((height, width))
        if long <= self._square_above * short:
            return 0, 0, height, width
        return (height - short) // 2, (width - short) // 2, short, short


def _opened(model: bytes, part: str, inputs: tuple[str, ...], output: str, threads: int) -> Any:
    try:
        session = onnx_session(model, threads)
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's own exceptions have nothing in common
        raise WeightsError(f"the {part} is no ONNX network that runs here: {type(error).__name__}") from None
    named = tuple(i.name for i in session.get_inputs()), tuple(o.name for o in session.get_outputs())
    if set(named[0]) != set(inputs) or output not in named[1]:
        raise WeightsError(
            f"the {part} has inputs {', '.join(named[0])} and outputs {', '.join(named[1])}; "
            f"{', '.join(inputs)} and {output} are needed: export it with training/marks_export"
        )
    return session


def _floats(image: NDArray[Any]) -> NDArray[np.float32]:
    if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < 1:
        raise ValueError(f"an image is an array of shape (H, W, 3), not {image.shape}")
    if image.dtype == np.uint8:
        return np.asarray(image, np.float32) / np.float32(255)
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"an image is uint8 or floats in 0..1, not {image.dtype}")
    if not (image.min() >= -1e-3 and image.max() <= 1 + 1e-3):
        raise ValueError("float pixels lie in 0..1, without NaN")
    clipped: NDArray[np.float32] = np.clip(image, 0, 1).astype(np.float32)
    return clipped


def _planes(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None])


def resized(picture: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """(H, W, 3) floats at another size: bilinear, averaging where it gets smaller, as the published code does."""
    if picture.shape[:2] == (height, width):
        return picture
    from PIL import Image

    planes = [Image.fromarray(np.ascontiguousarray(picture[..., c], np.float32)) for c in range(3)]
    out = [np.asarray(p.resize((width, height), Image.Resampling.BILINEAR), np.float32) for p in planes]
    return np.stack(out, -1)
