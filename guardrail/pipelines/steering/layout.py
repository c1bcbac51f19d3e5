"""Where in a pipeline's prompt embeddings the token states of each text encoder stand, told by their sizes.

Three layouts are known: the states of one encoder (Stable Diffusion 1 and 2, PixArt, Wan, Flux, whose CLIP gives the
pooled vector alone); encoders side by side in the features (SDXL); two of these, filled up with zeros, and a third
after them in the sequence (Stable Diffusion 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guardrail.pipelines.steering.reading import TextPart

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Segment", "segments"]


@dataclass(frozen=True, slots=True)
class Segment:
    """The states of one encoder in embeddings (B, L, D): ``[:, tokens, features]``."""

    part: TextPart
    tokens: slice
    features: slice

    def of(self, embeds: Tensor) -> Tensor:
        """A view of these states: (B, l, d)."""
        return embeds[:, self.tokens, self.features]


def segments(parts: Sequence[TextPart], ids: Mapping[str, Tensor], embeds: Tensor) -> list[Segment]:
    """Where the states of each encoder are; empty where that cannot be told.

    Args:
        ids: what each encoder read, (B, l).
        embeds: the pipeline's prompt embeddings, (B, L, D).
    """
    if getattr(embeds, "ndim", 0) != 3:
        return []
    length, width = int(embeds.shape[1]), int(embeds.shape[2])
    read = [(p, int(ids[p.name].shape[1])) for p in parts if p.name in ids]
    whole = [p for p, tokens in read if (tokens, p.width) == (length, width)]
    if len(whole) == 1:
        return [Segment(whole[0], slice(0, length), slice(0, width))]
    if not whole and all(tokens == length for _, tokens in read) and sum(p.width for p, _ in read) == width:
        return _side_by_side([p for p, _ in read], length)
    if not whole and len(read) == 3:
        (first, tokens), (second, same), (third, rest) = read
        if tokens == same and tokens + rest == length and first.width + second.width <= third.width == width:
            after = Segment(third, slice(tokens, length), slice(0, width))
            return [*_side_by_side([first, second], tokens), after]
    return []


def _side_by_side(parts: Sequence[TextPart], length: int) -> list[Segment]:
    found, start = [], 0
    for part in parts:
        found.append(Segment(part, slice(0, length), slice(start, start + part.width)))
        start += part.width
    return found
