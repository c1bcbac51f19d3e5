"""A name or a mention of somebody in a text: what every finder of persons gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["LEAST_MATCH", "UNREAL", "UNREAL_MATCH", "Evidence", "Kind", "NameMatch"]

Kind = Literal["public", "private", "fictional", "historic", "style"]
Evidence = Literal["list", "fuzzy", "role", "own-name", "relation", "reference", "handle", "title", "cue"]

UNREAL: frozenset[Kind] = frozenset({"fictional", "historic", "style"})
"""The kinds of which no living person is depicted."""

LEAST_MATCH = 0.5
"""`match` of what counts for the shipped policies."""

UNREAL_MATCH = 0.25
"""`match` of the unreal kinds: how surely a living person is meant, and under `LEAST_MATCH` whatever stands beside."""


@dataclass(frozen=True, slots=True)
class NameMatch:
    """Somebody in a text, in characters of the original.

    Args:
        match: how surely a living person is meant, 0..1.
        kind: who it is; see the signal ``prompt.persons``.
        evidence: what told so; see there too.
        undone: the disguises that had to be undone to see it.
    """

    start: int
    end: int
    match: float
    kind: Kind
    evidence: Evidence
    undone: tuple[str, ...] = ()
