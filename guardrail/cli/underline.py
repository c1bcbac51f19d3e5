"""A text with what fired underlined: carets below it for every terminal and pipe, colours where there is one."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from guardrail.media import Span

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["underlined"]

_STYLES = {"sexual": "bold red", "minor": "bold yellow", "person": "bold magenta"}
_OTHER = "bold cyan"
# What no list knows, by label.
_WHOLE = {
    "sentence": "the sentence as a whole (classifier)",
    "classifier": "the sentence as a whole (classifier); without these words it would not be found",
}
_INDENT = "  "
NARROWEST = 20


def underlined(text: str, spans: Sequence[Span], width: int) -> Iterator[Text]:
    """The lines to print: the text, and below each line of it one line of carets for each span in it.

    Args:
        spans: in characters of `text`; each is named where it begins.
        width: cells of the terminal; longer lines are broken.
    """
    from rich.text import Text

    shown = [_visible(c) for c in text]
    cells = [_cells(c) for c in shown]
    for first, last in _rows(text, cells, max(width - len(_INDENT), NARROWEST)):
        row = Text(_INDENT)
        for i in range(first, last):
            kinds = [s.kind for s in spans if s.start <= i < s.end]
            row.append(shown[i], f"underline {_STYLES.get(kinds[0], _OTHER)}" if kinds else None)
        yield row
        for span in spans:
            a, b = max(span.start, first), min(span.end, last)
            if a >= b:
                continue
            carets = "^" * max(1, sum(cells[a:b]))
            named = f"  {_name(span)}" if span.start >= first else ""
            style = _STYLES.get(span.kind, _OTHER)
            yield Text(f"{_INDENT}{' ' * sum(cells[first:a])}").append(carets, style).append(named, style)


def _name(span: Span) -> str:
    if span.label in _WHOLE:
        return f"{span.kind}: {_WHOLE[span.label]}"
    label = f"{span.kind}: {span.label}" if span.label else span.kind
    return f"{label} (read after undoing: {', '.join(span.undone)})" if span.undone else label


def _visible(c: str) -> str:
    """The character itself where it is drawn, and nothing that a terminal would obey."""
    if c == "\t" or unicodedata.category(c) == "Zs":
        # A wide space stays wide.
        return c if unicodedata.east_asian_width(c) == "F" else " "
    # Control and format characters, lone surrogates, line separators: one cell, so that they can be pointed at.
    return "?" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c


def _cells(c: str) -> int:
    """How many cells of a terminal a character takes: two for wide ones, none for marks on another."""
    from rich.cells import cell_len

    return 0 if unicodedata.category(c) in ("Mn", "Me") else cell_len(c)


def _rows(text: str, cells: Sequence[int], width: int) -> Iterator[tuple[int, int]]:
    """Half-open ranges of characters that fit on a line, broken at a space where there is one."""
    first = 0
    for line in text.split("\n"):
        end = first + len(line)
        start = first
        while start < end:
            stop, used = start, 0
            while stop < end and used + cells[stop] <= width:
                used += cells[stop]
                stop += 1
            if stop < end and (space := text.rfind(" ", start + 1, stop)) > start:
                stop = space + 1
            yield start, stop
            start = stop
        first = end + 1
