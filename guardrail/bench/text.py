"""Text of unknown origin made fit for a terminal and a report."""

from __future__ import annotations

__all__ = ["visible"]


def visible(text: str) -> str:
    """`text` with whatever a terminal or a page would obey (control and format characters, lone surrogates) escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in text)
