"""Long texts in overlapping pieces: a clause weighs the same wherever it stands, and nothing is cut off."""

from __future__ import annotations

__all__ = ["chunks"]

SIZE = 320
STEP = 240
# How far back a space is looked for, so that no word is cut.
_BACK = 24


def chunks(text: str) -> list[str]:
    """`text` in pieces of at most `SIZE` characters, each beginning `STEP` or a little less after the one before."""
    if len(text) <= SIZE:
        return [text]
    pieces: list[str] = []
    start = 0
    while True:
        pieces.append(text[start : start + SIZE])
        if start + SIZE >= len(text):
            return pieces
        space = text.rfind(" ", start + STEP - _BACK, start + STEP)
        start = space + 1 if space >= 0 else start + STEP
