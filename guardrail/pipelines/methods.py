"""Methods of a pipeline that are on no list of `entries`: helpers, and ways in that somebody's subclass added.

What diffusers itself has was gone through (`entries`): of the rest, only methods that decode latents make pictures. A
method that comes from elsewhere, of a community pipeline or a subclass, may do anything. It runs with the guarded
pipeline for its ``self``, so that ``self(prompt)`` is a guarded call; pictures that it hands back without having made
a guarded call are refused.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable, Iterator, Mapping, Sequence, Set
from contextvars import ContextVar
from types import GeneratorType
from typing import Any

from guardrail.errors import ConfigurationError
from guardrail.media.arrays import is_array, is_pil
from guardrail.pipelines.kinds import looks_like_picture
from guardrail.pipelines.outputs import MEDIA_FIELDS

__all__ = [
    "holds_pictures",
    "is_foreign",
    "makes_pictures",
    "note_guarded_call",
    "refuse_decoded",
    "refuse_foreign",
    "run_foreign",
]

DEEPEST = 4
SMALLEST_PIXELS = 8
"""Of the sides of what may be a picture: masks of sequences are (B, 1, 1, n)."""


_EMBEDS = re.compile(r"encode|embed|token")


class _Method:
    """A foreign method that runs, the outermost one: those that it calls are part of it."""

    __slots__ = ("alive", "guarded", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = False
        self.guarded = False

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        token = None
        # A thread can be interrupted at any line: from the first on, there is one that ends it.
        try:
            token = _outermost.set(self)
            self.alive = True
            yield
        finally:
            self.alive = False
            if token is not None:
                _outermost.reset(token)

    def released(self, result: Any) -> Any:
        """What it hands back.

        Raises:
            ConfigurationError: pictures without a guarded call.
        """
        if isinstance(result, GeneratorType):
            return self._each(result)
        if inspect.iscoroutine(result):
            return self._awaited(result)
        stream = isinstance(result, Iterator | AsyncIterator)
        if not self.guarded and (stream or holds_pictures(result)):
            raise _refusal(self.name)
        return result

    def _each(self, made: GeneratorType[Any, Any, Any]) -> Generator[Any, None, Any]:
        while True:
            with self.running():
                try:
                    item = next(made)
                except StopIteration as end:
                    return self.released(end.value)
            yield self.released(item)

    async def _awaited(self, made: Coroutine[Any, Any, Any]) -> Any:
        with self.running():
            result = await made
        return self.released(result)


_outermost: ContextVar[_Method | None] = ContextVar("guardrail_method", default=None)


def is_foreign(function: Any) -> bool:
    """Whether a function or method comes from elsewhere than diffusers; community pipelines do."""
    return str(getattr(function, "__module__", "")).split(".")[0] != "diffusers"


def run_foreign(function: Callable[..., Any], guarded: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Run a method that comes from elsewhere, with the guarded pipeline for its ``self``.

    Args:
        function: the method, unbound.

    Raises:
        ConfigurationError: it returns pictures and made no guarded call, or runs the call of a base class past the
            guard.
    """
    outermost = _outermost.get()
    if outermost is not None and outermost.alive:
        return function(guarded, *args, **kwargs)
    method = _Method(getattr(function, "__qualname__", type(function).__name__))
    with method.running():
        result = function(guarded, *args, **kwargs)
    return method.released(result)


def note_guarded_call() -> None:
    """A guarded call came to its end: what the method around it returns may be made of its result."""
    outermost = _outermost.get()
    if outermost is not None:
        outermost.guarded = True


def refuse_foreign(function: Callable[..., Any], result: Any) -> None:
    """Refuse pictures from an entry that is not diffusers' own: only what went into it was judged.

    Raises:
        ConfigurationError: the result holds pictures.
    """
    name = getattr(function, "__qualname__", type(function).__name__)
    # Embeddings can have the shape of pictures: (3, n, d), (2, 1, n, d).
    arrays = _EMBEDS.search(name.rpartition(".")[2]) is None
    if is_foreign(function) and holds_pictures(result, arrays=arrays):
        raise _refusal(name)


def makes_pictures(name: str) -> bool:
    """Whether a method of diffusers that is on no list may make pictures, which only decoding does."""
    return "decode" in name


def refuse_decoded(function: Callable[..., Any], given: Any, result: Any) -> None:
    """Refuse pictures that a method of diffusers made of no picture: those of decoded latents.

    Raises:
        ConfigurationError: the result holds pictures, and nothing of what was given does.
    """
    if holds_pictures(result) and not holds_pictures(given):
        raise _refusal(getattr(function, "__qualname__", type(function).__name__))


def _refusal(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} returns pictures that the guard did not see: call the guarded pipeline inside of it, or unwrap the "
        "pipeline and judge the pictures with guardrail.Guard"
    )


def holds_pictures(value: Any, *, arrays: bool = True, depth: int = 0) -> bool:
    """Whether pictures stand in a value: PIL, arrays and tensors of their shape, in containers and outputs of them.

    Args:
        arrays: whether arrays and tensors count.
    """
    if is_pil(value):
        return True
    if is_array(value):
        return arrays and _has_pixels(value)
    if depth == DEEPEST or isinstance(value, str | bytes):
        return False
    return any(holds_pictures(v, arrays=arrays, depth=depth + 1) for v in _inside(value))


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, Sequence | Set):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, f.name, None) for f in dataclasses.fields(value)]
    held = getattr(value, "__dict__", {})
    return [held[name] for name in MEDIA_FIELDS if name in held]


def _has_pixels(value: Any) -> bool:
    """As `looks_like_picture`, but with three channels in 3 dimensions, where an embedding (1, n, d) has one."""
    shape = tuple(int(n) for n in value.shape)
    if len(shape) not in (3, 4, 5) or sorted(shape)[-2] < SMALLEST_PIXELS:
        return False
    return looks_like_picture(value) and (len(shape) > 3 or 3 in (shape[0], shape[-1]))
