"""A reading of a text with its map back to the original."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["View", "compose", "substitute", "untouched"]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A readable text.

    Args:
        text: canonical lower-case characters.
        origin: for each of them the index of the (first) original character behind it.
        end: for each of them the index after the last original character behind it.
        undone: the disguises that were undone to get here; empty for the plain reading.
        backwards: whether the text runs against the original, so that `origin` and `end` fall instead of rise.
    """

    text: str
    origin: Sequence[int]
    end: Sequence[int]
    undone: tuple[str, ...] = ()
    backwards: bool = False

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The half-open range of original characters behind ``text[start:end]``."""
        if self.backwards:
            return self.origin[end - 1], self.end[start]
        return self.origin[start], self.end[end - 1]


def untouched(text: str) -> View:
    """`text` itself as a reading, with its capitals and accents: what codes and prompt syntax are read from."""
    return View(text, range(len(text)), range(1, len(text) + 1))


def compose(upper: View, lower: View) -> View:
    """`upper`, a reading of the text of `lower`, as a reading of what `lower` reads; `lower` runs forwards."""
    return View(
        upper.text,
        [lower.origin[i] for i in upper.origin],
        [lower.end[i - 1] for i in upper.end],
        (*lower.undone, *upper.undone),
        upper.backwards,
    )


def substitute(
    view: View, pattern: re.Pattern[str], change: Callable[[re.Match[str]], str | None], name: str
) -> View | None:
    """A view in which matches are replaced by what `change` gives; ``None`` if nothing changed.

    For views that run forwards. The new characters point at the letters that they stand for, or share the characters of
    their match out in order.
    """
    text: list[str] = []
    origin: list[int] = []
    end: list[int] = []
    at = 0
    for match in pattern.finditer(view.text):
        new = change(match)
        if new is None or new == match[0]:
            continue
        a, b = match.span()
        text += [view.text[at:a], new]
        origin.extend(view.origin[at:a])
        end.extend(view.end[at:a])
        if b - a == 1:
            origin.extend([view.origin[a]] * len(new))
            end.extend([view.end[a]] * len(new))
            at = b
            continue
        for first, last in _sources(match[0], new):
            origin.append(view.origin[a + first])
            end.append(view.end[a + last])
        at = b
    if not text:
        return None
    text.append(view.text[at:])
    origin.extend(view.origin[at:])
    end.extend(view.end[at:])
    undone = view.undone if view.undone[-1:] == (name,) else (*view.undone, name)
    return View("".join(text), origin, end, undone)


def _sources(old: str, new: str) -> list[tuple[int, int]]:
    """For each character of `new` the first and last character of `old` behind it."""
    letters = [i for i, c in enumerate(old) if _is_letter(c)]
    if len(new) != len(old) and len(letters) == sum(map(_is_letter, new)):
        # Letters were joined and cut into words: each is still itself, and a space or a mark belongs to the one before.
        sources: list[tuple[int, int]] = []
        following = iter(letters)
        for c in new:
            at = next(following) if _is_letter(c) else sources[-1][1] if sources else 0
            sources.append((at, at))
        return sources
    cuts = [k * len(old) // max(1, len(new)) for k in range(len(new) + 1)]
    return [(min(x, len(old) - 1), max(y - 1, x)) for x, y in itertools.pairwise(cuts)]


def _is_letter(c: str) -> bool:
    return c.isalnum() or c in "@$"
