"""What several rules together ask for: the strictest effect, each action once, parameters at their stricter value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import cast

from guardrail.decision import TEXT_JOINT, Action, ActionKind, ActionSpec, Param

__all__ = ["merge", "stricter", "texts_of"]

Value = float | bool | str
_Key = tuple[int, str, tuple[tuple[int, str], ...]]


def merge(specs: Iterable[ActionSpec], kinds: Mapping[str, ActionKind]) -> tuple[ActionSpec, ...]:
    """The actions in the order in which they are carried out, whatever the order of the rules.

    Two specs of one kind become one, unless they differ in a parameter that tells them apart (`ActionKind.merge`).
    A block leaves no alteration to carry out; labels and reports stay.
    """
    merged: dict[_Key, ActionSpec] = {}
    for spec in specs:
        kind = kinds[spec.kind]
        key = _key(spec, kind)
        known = merged.get(key)
        merged[key] = spec if known is None else _stricter_of(known, spec, kind)
    blocked = any(kinds[spec.kind].effect is Action.BLOCK for spec in merged.values())
    return tuple(
        merged[key] for key in sorted(merged) if not (blocked and kinds[merged[key].kind].effect is Action.ALTER)
    )


def _key(spec: ActionSpec, kind: ActionKind) -> _Key:
    """Order of execution first, then what tells two specs of one kind apart."""
    # Of two words none is the stricter, so a word always tells apart.
    apart = [p for p in kind.params if p.name in kind.merge or p.type == "word"]
    return kind.order, kind.name, tuple(_rank(p, spec.params.get(p.name)) for p in apart)


def _rank(param: Param, value: Value | None) -> tuple[int, str]:
    return (param.choices.index(str(value)) if value in param.choices else -1), str(value)


def _stricter_of(first: ActionSpec, second: ActionSpec, kind: ActionKind) -> ActionSpec:
    params: dict[str, Value] = {}
    for param in kind.params:
        values = [spec.params[param.name] for spec in (first, second) if param.name in spec.params]
        if values:
            params[param.name] = values[0] if len(values) == 1 else stricter(param, values[0], values[1])
    return ActionSpec(kind.name, MappingProxyType(params))


def stricter(param: Param, first: Value, second: Value) -> Value:
    """The stricter of two values of a parameter; of two texts both, in an order that does not hang on the rules'."""
    if param.type == "choice":
        return max(first, second, key=lambda value: param.choices.index(str(value)))
    if param.type == "flag":
        return bool(first) or bool(second)
    if param.type == "word":
        return first  # equal: a word that differs keeps two specs apart
    if param.type == "text":
        return first if first == second else TEXT_JOINT.join(sorted(texts_of(str(first)) | texts_of(str(second))))
    numbers = cast(float, first), cast(float, second)
    return max(numbers) if param.stricter == "higher" else min(numbers)


def texts_of(text: str) -> frozenset[str]:
    """The texts that a joined one is made of."""
    return frozenset(part.strip() for part in text.split(TEXT_JOINT) if part.strip())
