"""A rule file as text with structure: where each key and each value begins and ends, so that text moves whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml
from yaml import events as ev

__all__ = ["Span", "spans"]


class Span(NamedTuple):
    """A node and the characters it stands at: ``text[start:end]``.

    Attributes:
        text: of a scalar; what it says, not how it is written.
        style: of a scalar: ``""`` plain, a quotation mark, or ``|`` and ``>`` for a block. Of a list or a mapping:
            ``{`` in one piece with brackets, ``-`` over lines by indentation.
        entries: of a mapping: keys and values. Of a list: None and values.
    """

    start: int
    end: int
    style: str
    text: str = ""
    entries: tuple[tuple[Span | None, Span], ...] = ()

    def get(self, key: str) -> Span | None:
        """The value of a key."""
        return next((value for name, value in self.entries if name is not None and name.text == key), None)

    @property
    def items(self) -> tuple[Span, ...]:
        """The values of a list or a mapping."""
        return tuple(value for _, value in self.entries)

    @property
    def tail(self) -> Span:
        """The part that it ends with: the `end` of what is indented is where the next thing begins."""
        return self.entries[-1][1].tail if self.style == "-" and self.entries else self


def spans(text: str) -> Span:
    """The structure of a text that `compose` accepts."""
    # Both parsers count characters; see `compose`.
    events: Iterator[Any] = iter(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    for event in events:
        if isinstance(event, ev.NodeEvent):
            return _node(event, events)
    raise ValueError("nothing stands in the text")


def _node(event: Any, events: Iterator[Any]) -> Span:
    start, end = event.start_mark.index, event.end_mark.index
    if isinstance(event, ev.ScalarEvent):
        return Span(start, end, event.style or "", event.value)
    if not isinstance(event, ev.CollectionStartEvent):
        raise TypeError(f"{type(event).__name__} cannot stand in a rule file")
    entries: list[tuple[Span | None, Span]] = []
    inner: Any
    while not isinstance(inner := next(events), ev.CollectionEndEvent):
        key = _node(inner, events) if isinstance(event, ev.MappingStartEvent) else None
        entries.append((key, _node(inner if key is None else next(events), events)))
    closing: Any = inner
    return Span(start, closing.end_mark.index, "{" if event.flow_style else "-", "", tuple(entries))
