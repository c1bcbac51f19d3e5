"""How wide a text is, near enough to lay it out before anybody's fonts are known."""

from __future__ import annotations

import unicodedata
from textwrap import wrap

__all__ = ["SIZE", "lines_of", "width"]

SIZE = 12
"""Of a text, in pixels."""
_EM = 0.56  # mean width of a letter; wide ones of East Asia are 1


def width(text: str) -> float:
    """About how wide a text is, in pixels."""
    ems = 0.0
    for letter in text:
        if unicodedata.east_asian_width(letter) in "WF":
            ems += 1.0
        elif not unicodedata.combining(letter):
            ems += _EM
    return ems * SIZE


def lines_of(text: str, most: float, count: int) -> list[str]:
    """A text broken into at most `count` lines of at most `most` pixels; what is too long ends in dots."""
    text = " ".join(text.split())
    if width(text) <= most:
        return [text]
    letters = max(4, int(most / (width(text) / len(text))))
    broken = wrap(text, letters)
    if len(broken) > count:
        broken = [*broken[: count - 1], broken[count - 1][: letters - 1] + "…"]
    return broken
