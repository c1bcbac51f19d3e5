"""The arguments of one call: bound to the signature, walked to every leaf, and put back where they were altered."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from guardrail.pipelines.kinds import Kind, classify

__all__ = ["Arguments", "Leaf"]

DEEPEST = 6
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """One value of a call.

    Args:
        path: argument name, then keys, indices and attribute names down to the value.
        kind: what it is.
    """

    path: Path
    kind: Kind
    value: Any

    @property
    def argument(self) -> str:
        """The name of the argument."""
        return str(self.path[0])

    @property
    def where(self) -> str:
        """The path in words, e.g. ``cross_attention_kwargs.gligen.phrases[0]``."""
        text = self.argument
        for step in self.path[1:]:
            text += f"[{step}]" if isinstance(step, int) else f".{step}"
        return text


class Arguments:
    """A call's arguments, by name.

    Args:
        call: the pipeline's own ``__call__``, unbound.
        pipe: the pipeline.

    Raises:
        TypeError: as calling the pipeline would.
    """

    def __init__(self, call: Any, pipe: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        signature = inspect.signature(call)
        names = list(signature.parameters)
        bound = signature.bind(pipe, *args, **kwargs)
        self.signature = signature
        self.values: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            parameter = signature.parameters[name]
            if name == names[0]:
                continue
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                self.values.update(value)
            elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                raise TypeError(f"{call.__qualname__} takes positional arguments of any number; that cannot be guarded")
            else:
                self.values[name] = value

    def get(self, name: str, default: Any = None) -> Any:
        """The value given for `name`, else the default of the signature, else `default`."""
        if name in self.values:
            return self.values[name]
        parameter = self.signature.parameters.get(name)
        if parameter is None or parameter.default is inspect.Parameter.empty:
            return default
        return parameter.default

    def accepts(self, name: str) -> bool:
        """Whether the pipeline has a parameter of that name."""
        return name in self.signature.parameters

    def leaves(self) -> Iterator[Leaf]:
        """Every value, with lists, mappings and plain objects walked into."""
        for name, value in self.values.items():
            yield from _walk((name,), name, value, 0, set())

    def copy(self) -> Arguments:
        """A copy whose values can be replaced without touching the caller's.

        Lists are copied as well: a pipeline may write into the list of prompts that it is given (one wraps each of them
        in a chat template), and a second run would find them changed.
        """
        other = copy.copy(self)
        other.values = {k: list(v) if type(v) is list else v for k, v in self.values.items()}
        return other

    def replace(self, path: Path, value: Any) -> None:
        """Put `value` at `path`. The caller's own lists, mappings and objects are left as they are."""
        name = str(path[0])
        self.values[name] = _replaced(self.values[name], path[1:], value)


def _walk(path: Path, name: str, value: Any, depth: int, above: set[int]) -> Iterator[Leaf]:
    kind = classify(name, value)
    if kind is not Kind.NESTED:
        yield Leaf(path, kind, value)
        return
    # Too deep, or a loop: nobody knows what is in there.
    if depth >= DEEPEST or id(value) in above:
        yield Leaf(path, Kind.UNKNOWN, value)
        return
    above = above | {id(value)}
    if isinstance(value, dict):
        for key, inner in value.items():
            # A key may be content as well: chat messages, phrases to boxes.
            step = key if isinstance(key, str | int) else repr(type(key).__name__)
            yield from _walk((*path, step), str(step) if isinstance(step, str) else name, inner, depth + 1, above)
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from _walk((*path, i), name, inner, depth + 1, above)
    elif isinstance(value, set | frozenset):
        for inner in value:
            yield Leaf((*path, "set"), classify(name, inner), inner)
    else:
        fields = {k: v for k, v in vars(value).items() if not k.startswith("__")} if hasattr(value, "__dict__") else {}
        if not fields:
            yield Leaf(path, Kind.UNKNOWN, value)
        for key, inner in fields.items():
            yield from _walk((*path, key), key, inner, depth + 1, above)


def _replaced(container: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(container, dict):
        return {k: _replaced(v, rest, value) if k == step else v for k, v in container.items()}
    if isinstance(container, list | tuple) and isinstance(step, int):
        items = [_replaced(v, rest, value) if i == step else v for i, v in enumerate(container)]
        if isinstance(container, list):
            return items
        return type(container)(*items) if hasattr(container, "_fields") else tuple(items)
    if isinstance(step, str) and hasattr(container, step):
        changed = copy.copy(container)
        setattr(changed, step, _replaced(getattr(container, step), rest, value))
        return changed
    raise TypeError(f"a value inside {type(container).__name__} cannot be replaced")
