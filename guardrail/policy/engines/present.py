"""Which signals are there: what checks said, reduced to plain values that another language can be handed.

Whatever the built-in engine would call unknown (None, NaN, a score outside 0..1, a word that the declaration does not
have, a list that is too long, a value of another type) is left out here, so that no engine gets to compare it. A field
of an item likewise: the item stays, without the field.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from guardrail.decision import Leaf
from guardrail.signals import MOST_ITEMS, Choice, Flag, Items, Kind, Score, SignalSpec

__all__ = ["Present", "missing_leaves", "present"]

Single = float | bool | str
Plain = Single | list[dict[str, Single]]


class Present(NamedTuple):
    """Attributes:
    values: signal → what was said. What is not in it is missing.
    failed: signal → type of the exception that reading it raised.
    """

    values: Mapping[str, Plain]
    failed: Mapping[str, str]


def present(signals: Mapping[str, object], specs: Iterable[SignalSpec]) -> Present:
    """What is there of the signals `specs`. Never raises an `Exception`."""
    values: dict[str, Plain] = {}
    failed: dict[str, str] = {}
    for spec in specs:
        try:
            given = signals.get(spec.name)
            value = _items(given, spec.kind) if isinstance(spec.kind, Items) else _single(given, spec.kind)
        except Exception as error:  # noqa: BLE001 — a signal that cannot be read fails the rules that read it
            failed[spec.name] = type(error).__name__
        else:
            if value is not None:
                values[spec.name] = value
    return Present(values, failed)


def _single(value: object, kind: Kind) -> Single | None:
    if isinstance(kind, Score):
        # A boolean is no score, although Python counts it as a number.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            return None
        return float(value)
    if isinstance(kind, Flag):
        return value if isinstance(value, bool) else None
    if not isinstance(value, str):
        return None
    text = str.__str__(value)  # of a subclass, the characters and nothing else
    if isinstance(kind, Choice):
        return text if text in kind.values else None
    # A lone surrogate has no UTF-8: no other language can be handed it.
    return text if text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text) else None


def _items(value: object, kind: Items) -> list[dict[str, Single]] | None:
    # Exact types only: a subclass may say that it is short and never end.
    if (type(value) is not tuple and type(value) is not list) or len(value) > MOST_ITEMS:
        return None
    found = []
    for item in value:
        fields: dict[str, Single] = {}
        if isinstance(item, Mapping):
            for name, field_kind in kind.fields.items():
                field = _single(item.get(name), field_kind)
                if field is not None:
                    fields[name] = field
        found.append(fields)  # what is no mapping has no field that is known
    return found


def missing_leaves(signal: str, fields: Collection[str], values: Mapping[str, Plain]) -> list[Leaf]:
    """What is not there of a signal: itself, or some of the named fields of its items."""
    value = values.get(signal)
    if value is None:
        return [Leaf(signal, None, "", None)]
    if not isinstance(value, list):
        return []
    return [
        Leaf(f"{signal}.{name}", None, "", None, item=index)
        for index, item in enumerate(value)
        for name in fields
        if name not in item
    ]
