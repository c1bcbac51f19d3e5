"""The arguments of one call: bound to the signature, walked to every leaf, and put back where they were altered."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from guardrail.pipelines.kinds import Kind, classify
from guardrail.pipelines.parameters import Holds, held_by

__all__ = ["Arguments", "Leaf", "leaves_of", "signature_of"]

DEEPEST = 6
MOST = 20_000
"""Values of one argument that are looked at. A long video as a list has a few hundred."""


class Entry(str):
    """A step of a path by a key of a mapping. Its words may be content: only its place is ever told."""

    number: int

    @classmethod
    def at(cls, number: int, key: str) -> Self:
        step = cls(key)
        step.number = number
        return step


class Key(Entry):
    """A step that stands for the key itself, which is a text like any other."""


Path = tuple[str | int, ...]
# Keys that name what is beside them: the words of chat messages and of the mappings that diffusers documents.
_STRUCTURE_WORDS = """
    role content type text image images image_url video video_url audio url path phrases boxes masks scale gligen
    prompt negative_prompt duration num_frames start end index strength ip_adapter_masks ip_adapter_image_embeds
    ip_hidden_states image_projection_layers objs
"""
_STRUCTURE = frozenset(_STRUCTURE_WORDS.split())


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """One value of a call.

    Args:
        path: argument name, then keys, indices and attribute names down to the value.
        kind: what it is.
    """

    path: Path = field(repr=False)
    kind: Kind
    value: Any = field(repr=False)

    @property
    def argument(self) -> str:
        """The name of the argument."""
        return str(self.path[0])

    @property
    def where(self) -> str:
        """The path in words, e.g. ``cross_attention_kwargs.gligen.phrases[0]``."""
        text = self.argument
        for step in self.path[1:]:
            if isinstance(step, int):
                text += f"[{step}]"
            elif isinstance(step, Key):
                text += f".(key {step.number})"
            elif isinstance(step, Entry) and not _is_name(step):
                text += f".(entry {step.number})"
            else:
                text += f".{step}"
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
        signature = signature_of(call)
        names = list(signature.parameters)
        bound = signature.bind(pipe, *args, **kwargs)
        self.call = call
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
        """Every value, with lists, mappings and objects walked into, and the keys that are no plain names."""
        for name, value in self.values.items():
            yield from leaves_of(name, value)

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


def leaves_of(name: str, value: Any) -> Iterator[Leaf]:
    """Every value in what stands under `name`; the first `MOST` of them, and then all of it as one that is unknown."""
    yield from _own(name, value)
    for number, leaf in enumerate(_walk((name,), name, value, 0, frozenset())):
        if number == MOST:
            yield Leaf((name,), Kind.UNKNOWN, value)
            break
        yield leaf


def _is_name(key: str) -> bool:
    """Whether a key only says what stands beside it."""
    return key in _STRUCTURE or held_by(key) is not None


def _own(name: str, value: Any) -> Iterator[Leaf]:
    """What an argument is as a whole, beside what stands in it."""
    holds = held_by(name)
    if holds is Holds.TOKEN_IDS and isinstance(value, list | tuple) and value:
        yield Leaf((name,), Kind.TOKEN_IDS, value)
    elif holds is Holds.AUDIO and isinstance(value, str | bytes):
        yield Leaf((name,), Kind.AUDIO, value)


@functools.lru_cache(maxsize=256)
def signature_of(call: Any) -> inspect.Signature:
    """The signature of a call, read once."""
    return inspect.signature(call)


def _walk(path: Path, name: str, value: Any, depth: int, above: frozenset[int]) -> Iterator[Leaf]:
    kind = classify(name, value, str(path[0]))
    if kind is not Kind.NESTED:
        yield Leaf(path, kind, value)
        return
    # Too deep, or a loop: nobody knows what is in there.
    if depth >= DEEPEST or id(value) in above:
        yield Leaf(path, Kind.UNKNOWN, value)
        return
    above = above | {id(value)}
    if isinstance(value, Mapping):
        for number, (key, inner) in enumerate(value.items()):
            yield from _key(path, number, key)
            step: str | int = key if isinstance(key, int) else Entry.at(number, key if isinstance(key, str) else "")
            yield from _walk((*path, step), key if isinstance(key, str) else name, inner, depth + 1, above)
        return
    if isinstance(value, Set):
        # Members of a set cannot be replaced: what is to be altered there is refused.
        for number, inner in enumerate(value):
            yield from _walk((*path, Entry.at(number, "")), name, inner, depth + 1, above)
        return
    if isinstance(value, Sequence | np.ndarray):
        items = value.ravel().tolist() if isinstance(value, np.ndarray) else value
        for i, inner in enumerate(items):
            yield from _walk((*path, i), name, inner, depth + 1, above)
        return
    fields = _fields(value)
    if not fields or hasattr(value, "state_dict"):
        yield Leaf(path, Kind.UNKNOWN, value)
        return
    for key, inner in fields.items():
        yield from _walk((*path, key), key, inner, depth + 1, above)


def _key(path: Path, number: int, key: Any) -> Iterator[Leaf]:
    """The key of a mapping as a leaf, unless it is a name that says what stands beside it."""
    if isinstance(key, str):
        if not _is_name(key):
            yield Leaf((*path, Key.at(number, key)), Kind.TEXT, str(key))
    elif not isinstance(key, int | float | None):
        yield Leaf((*path, Key.at(number, "")), Kind.UNKNOWN, key)


def _fields(value: Any) -> dict[str, Any]:
    """Attributes of an object, from ``__dict__`` and ``__slots__`` (dataclasses, attrs, pydantic models)."""
    found: dict[str, Any] = {}
    for kind in reversed(type(value).__mro__):
        slots = getattr(kind, "__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if not name.startswith("__") and hasattr(value, name):
                found[name] = getattr(value, name)
    extra = found.pop("__pydantic_extra__", None) or getattr(value, "__pydantic_extra__", None)
    found.update(getattr(value, "__dict__", {}))
    return {**found, **extra} if isinstance(extra, dict) else found


def _replaced(container: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(container, Mapping) and (isinstance(step, Entry) or step in container):
        # By place: another key may have been altered before, and two must not become one.
        entries = list(container.items())
        place = step.number if isinstance(step, Entry) else list(container).index(step)
        key, inner = entries[place]
        if not isinstance(step, Key):
            entries[place] = key, _replaced(inner, rest, value)
        elif isinstance(key, str) and (value == key or value not in container):
            entries[place] = value, inner
        else:
            raise TypeError("a key of a mapping cannot be replaced by one that it has already")
        return dict(entries)
    if isinstance(container, list | tuple) and isinstance(step, int):
        items = [_replaced(v, rest, value) if i == step else v for i, v in enumerate(container)]
        if isinstance(container, list):
            return items
        return type(container)(*items) if hasattr(container, "_fields") else tuple(items)
    if isinstance(step, str) and not isinstance(container, Set) and hasattr(container, step):
        changed = copy.copy(container)
        # Past the guard of frozen dataclasses: the copy is nobody else's yet.
        object.__setattr__(changed, step, _replaced(getattr(container, step), rest, value))
        return changed
    raise TypeError(f"a value inside {type(container).__name__} cannot be replaced")
