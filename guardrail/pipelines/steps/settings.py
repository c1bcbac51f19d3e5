"""What the user of a guarded pipeline says about previews: at which steps, and what decodes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Any

from guardrail.errors import ConfigurationError

__all__ = ["PreviewSettings"]

DEFAULT = (0.2, 0.4, 0.6)
EARLIEST = 0.05


@dataclass(frozen=True, slots=True)
class PreviewSettings:
    """When to look, and through what.

    Args:
        fractions: of the denoising steps, ascending, each in 0.05..1: a preview at 0.2 of 30 steps is made in the 6th.
            Empty: no previews.
        decoder: ``None``: a linear map fitted to the pipeline's autoencoder; ``"vae"``: that autoencoder itself, which
            costs as much as decoding an output; or a small decoder for its latents such as
            ``diffusers.AutoencoderTiny``.
        margin: by how much a preview's score must be over a rule's limit to end a run; below it the picture is made and
            judged. Score 0..1.
        required: refuse pipelines that no preview can be made for, instead of doing without.
    """

    fractions: tuple[float, ...] = DEFAULT
    decoder: Any = None
    margin: float = 0.0
    required: bool = False

    @classmethod
    def of(cls, previews: Any, decoder: Any = None) -> PreviewSettings:
        """From the options ``previews=`` and ``preview_decoder=`` of `guardrail.wrap`.

        Args:
            previews: ``"auto"`` (the default fractions, where the pipeline allows it), ``True`` (the same, required),
                ``False``, or fractions (required).

        Raises:
            ConfigurationError: it is none of these, or fractions are out of range or order.
        """
        if decoder is not None and decoder != "vae" and not callable(getattr(decoder, "decode", None)):
            raise ConfigurationError('preview_decoder is "vae" or a decoder such as diffusers.AutoencoderTiny')
        if isinstance(previews, PreviewSettings):
            return previews
        if isinstance(previews, str) and previews == "auto":
            return cls(decoder=decoder)
        if isinstance(previews, bool):
            return cls(DEFAULT if previews else (), decoder, required=previews)
        if isinstance(previews, int | float):
            previews = (previews,)
        if isinstance(previews, str) or not isinstance(previews, Iterable):
            raise ConfigurationError('previews is "auto", True, False, or fractions of the steps such as (0.2, 0.4)')
        fractions = tuple(previews)
        numbers = all(isinstance(f, int | float) and not isinstance(f, bool) for f in fractions)
        if not numbers or not all(EARLIEST <= f < 1 for f in fractions):
            raise ConfigurationError(f"previews are fractions of the steps, {EARLIEST} or more and under 1")
        if any(a >= b for a, b in pairwise(fractions)):
            raise ConfigurationError("previews must be in ascending order, none twice")
        return cls(tuple(float(f) for f in fractions), decoder, required=bool(fractions))

    def calls(self, total: int) -> frozenset[int]:
        """In which of `total` steps, from 1, a preview is made. Never in the last: the picture itself follows."""
        return frozenset(n for n in (max(1, ceil(f * total - 1e-9)) for f in self.fractions) if n < total)
