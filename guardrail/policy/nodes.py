"""What a rule file is made of, before anybody asks what it means: texts, lists and mappings with line and column.

A scalar stays the text that the author wrote. Its type comes from what the grammar or the signal's declaration expects
at that place, so that `no`, `on` and `1.10` never turn into something else.
"""

from __future__ import annotations

__all__ = ["Hole", "Map", "Node", "Scalar", "Seq"]


class Node:
    """A place in the file, 1-based."""

    __slots__ = ("column", "line")

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column


class Scalar(Node):
    """A text. `plain` is False when it stood in quotes or in a block."""

    __slots__ = ("plain", "text")

    def __init__(self, line: int, column: int, text: str, plain: bool) -> None:
        super().__init__(line, column)
        self.text = text
        self.plain = plain

    @property
    def is_null(self) -> bool:
        """Nothing, or an unquoted `null` or `~`."""
        return self.plain and self.text in ("", "~", "null")


class Map(Node):
    """Keys and their values in the order of the file, without duplicates."""

    __slots__ = ("entries",)

    def __init__(self, line: int, column: int, entries: list[tuple[Scalar, Node]]) -> None:
        super().__init__(line, column)
        self.entries = entries


class Seq(Node):
    """A list."""

    __slots__ = ("items",)

    def __init__(self, line: int, column: int, items: list[Node]) -> None:
        super().__init__(line, column)
        self.items = items


class Hole(Node):
    """Stands where something was refused already: no second finding for the same place."""

    __slots__ = ()
