"""Where in a request something was found: what alterations need, and what no record ever holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Region", "Span"]


@dataclass(frozen=True, slots=True)
class Span:
    """Where in a text something was found, in characters of the original.

    Args:
        text: index into `Request.texts`.
        kind: ``sexual``, ``minor``, ``person``.
        label: which sort of it, e.g. ``public``; never the words themselves.
        undone: the disguises that had to be undone to see it, e.g. ``look-alikes``.
    """

    text: int
    start: int
    end: int
    kind: str
    label: str = ""
    score: float = 0.0
    undone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Where in an image something was found.

    Args:
        image: index into the images of the stage.
        frame: index of the frame.
        box: left, top, width, height in pixels of the frame.
        kind: ``face`` or ``nudity``.
        fields: what the item in the signal says about it (the fields of ``reference.faces``, or a class name).
        private: what the check needs to recognise it again (landmarks, embedding). In memory only.
    """

    image: int
    frame: int
    box: tuple[float, float, float, float]
    kind: str
    score: float
    fields: Mapping[str, float | bool | str] = field(default_factory=dict)
    private: Any = field(default=None, repr=False)
