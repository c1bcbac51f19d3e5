"""Colours, dashes and markers of plots, and the style of a page that holds them."""

from __future__ import annotations

from typing import Any

__all__ = ["PALETTE", "STYLE", "look"]

# name: in light, in dark. c1 to c7 are Okabe and Ito's (2008), less their yellow, which paper swallows.
PALETTE = {
    "paper": ("#ffffff", "#17181b"),
    "ink": ("#1a1a1a", "#e8e8ea"),
    "faint": ("#5a5c68", "#a6a7b4"),
    "line": ("#d8d8de", "#3a3b42"),
    "c1": ("#010101", "#f2f2f4"),  # matplotlib writes no fill of #000000
    "c2": ("#0072b2", "#3a97d6"),
    "c3": ("#d55e00", "#ea7a24"),
    "c4": ("#009e73", "#1fb98f"),
    "c5": ("#cc79a7", "#d88fb8"),
    "c6": ("#e69f00", "#efb02a"),
    "c7": ("#56b4e9", "#9ad4f7"),
}
_SERIES = tuple(light for name, (light, _) in PALETTE.items() if name[0] == "c")
_DASHES: tuple[Any, ...] = (
    "solid", (0, (6, 2)), (0, (2, 1.6)), (0, (7, 2, 2, 2)), (0, (11, 3)), (0, (1, 1.2)), (0, (8, 2, 2, 2, 2, 2))
)  # fmt: skip
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def _css(at: int) -> str:
    return ":root{" + ";".join(f"--{name}:{pair[at]}" for name, pair in PALETTE.items()) + "}"


STYLE = (
    f"{_css(0)}@media(prefers-color-scheme:dark){{{_css(1)}}}@media print{{{_css(0)}}}"
    + "".join(f".f-{n}{{fill:var(--{n})}}.s-{n}{{stroke:var(--{n})}}" for n in PALETTE)
)  # fmt: skip
"""Style of a page that holds drawings: the variables of its colours, light, dark and on paper, and their classes."""


def look(i: int) -> tuple[str, Any, str]:
    """(colour, dash, marker) of a series: forty-nine differ."""
    other = (i + i // len(_SERIES)) % len(_DASHES)
    return _SERIES[i % len(_SERIES)], _DASHES[other], _MARKERS[other]
