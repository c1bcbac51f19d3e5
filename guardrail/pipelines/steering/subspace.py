"""Subspaces of embeddings: what spans a concept, how much of it is in a vector, and a vector without it.

All in float32, whatever the pipeline computes in; results go back to the dtype and device that they came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["basis", "inside", "outside", "share", "triggers"]

RANK = 1e-4
"""Singular values below this part of the largest count as none: phrases that say the same span no direction more."""


def basis(vectors: Tensor) -> Tensor:
    """An orthonormal basis, (D, r) float32, of what the rows of `vectors`, (K, D), span."""
    import torch

    _, sizes, directions = torch.linalg.svd(vectors.float(), full_matrices=False)
    kept: Tensor = directions[sizes > RANK * sizes.max().clamp_min(1e-12)]
    return kept.T


def inside(vectors: Tensor, of: Tensor) -> Tensor:
    """The part of `vectors`, (…, D), that lies in the subspace with the basis `of`, (D, r): float32."""
    return vectors.float() @ of @ of.T


def outside(vectors: Tensor, of: Tensor) -> Tensor:
    """The part that does not: float32."""
    return vectors.float() - inside(vectors, of)


def share(vectors: Tensor, of: Tensor) -> Tensor:
    """How much of each vector lies in the subspace, 0 … 1: the ratio of lengths, (…)."""
    part: Tensor = inside(vectors, of).norm(dim=-1) / vectors.float().norm(dim=-1).clamp_min(1e-12)
    return part


def triggers(masked: Tensor, whole: Tensor, concept: Tensor, slack: float) -> Tensor:
    """Which words bring the concept into a prompt: SAFREE's test (Yoon et al. 2024, arXiv 2410.12761, section 4.1).

    A prompt without a word that belongs to the concept lies further from its subspace than a prompt without another.

    Args:
        masked: the prompt without one word each, pooled: (n, D).
        whole: the prompt, pooled: (D,); one that has a single word is compared with this.
        concept: a basis, (D, r).
        slack: by what part further than the mean of the others; the paper's alpha, 0.01.

    Returns:
        (n,) bool.
    """
    distance = outside(masked, concept).norm(dim=-1)
    if len(distance) == 1:
        others = outside(whole, concept).norm(dim=-1)[None]
    else:
        others = (distance.sum() - distance) / (len(distance) - 1)
    further: Tensor = distance > (1.0 + slack) * others
    return further
