"""The class of a pipeline that was guarded in place: a subclass that looks like its base."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, cast

from guardrail.pipelines.entries import CALLS, ENTRIES
from guardrail.pipelines.inner import INNER, Inner, is_modular_class, refuse_unguarded_call
from guardrail.pipelines.methods import is_foreign, makes_pictures, refuse_decoded, run_foreign

__all__ = ["installed_class", "like", "plain"]

# What every call of a pipeline asks for at its beginning or end, by which a call past the guard is known.
_SIGNS = ("check_inputs", "maybe_free_model_hooks", "progress_bar")


def like(call: Any, function: Any) -> Any:
    """`function` with name, docstring and signature of the pipeline's own call."""
    wrapped: Any = functools.wraps(call)(function)
    wrapped.__signature__ = inspect.signature(call)
    return wrapped


def plain(pipe: Any) -> Any:
    """An unguarded twin of an installed pipeline, of the same parts."""
    twin: Any = object.__new__(type(pipe).__mro__[1])
    twin.__dict__.update({k: v for k, v in pipe.__dict__.items() if k != INNER})
    return twin


@functools.lru_cache(maxsize=64)
def installed_class(
    kind: Any,
    inside: tuple[str, ...],
    reinstall: Callable[..., Any],
    under: Callable[[Inner, Any], Any],
    from_pipe: Callable[..., Any],
) -> Any:
    """A subclass of a pipeline class; code that writes its name down finds the right one.

    Args:
        inside: attributes that hold pipelines of their own (a prior, a decoder).
        reinstall: makes an installed pipeline of a plain one, for pickles and copies.
        under: puts pipelines that stand in a value under the same guard.
        from_pipe: the same for what ``from_pipe`` makes.
    """
    call = kind.__call__

    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
        return _of(self).call(call, args, kwargs)

    def __reduce_ex__(self: Any, protocol: Any) -> Any:  # noqa: N807
        inner = _of(self)
        return reinstall, (plain(self), *inner.kept)

    def components(self: Any) -> Any:
        if not _of(self).running:
            _of(self).note_components()
        return kind.components.fget(self)

    body: dict[str, Any] = {
        "__call__": like(call, __call__),
        "__reduce_ex__": __reduce_ex__,
        "__doc__": kind.__doc__,
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
    }
    if hasattr(kind, "from_pipe"):
        body["from_pipe"] = classmethod(lambda cls, pipeline, **kwargs: from_pipe(kind, pipeline, kwargs))
    if isinstance(getattr(kind, "components", None), property):
        body["components"] = property(components)
    if is_modular_class(kind):
        body |= _of_blocks(kind)
    for name in (*sorted(ENTRIES | CALLS), *_SIGNS):
        function = inspect.getattr_static(kind, name, None)
        if inspect.isfunction(function):
            body[name] = _sign(function) if name in _SIGNS else _entry(name, function)
    body |= _others(kind, under, frozenset(body))
    body |= {name: _inside(name, under) for name in inside}
    return type(kind.__name__, (kind,), body)


def _of_blocks(kind: Any) -> dict[str, Any]:
    """Of a modular pipeline: its blocks, without which it cannot be run past the guard."""

    def own(self: Any) -> Any:
        inner = self.__dict__.get(INNER)
        if inner is not None and not inner.running:
            refuse_unguarded_call(self, sys._getframe(1))
        return self.__dict__["_blocks"]

    def put(self: Any, value: Any) -> None:
        self.__dict__["_blocks"] = value

    def blocks(self: Any) -> Any:
        _of(self).note_blocks()
        return kind.blocks.fget(self)

    return {"_blocks": property(own, put), "blocks": property(blocks)}


def _of(pipe: Any) -> Inner:
    return cast(Inner, pipe.__dict__[INNER])


def _entry(name: str, function: Any) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        inner = self.__dict__.get(INNER)
        if inner is None or inner.running:
            return function(self, *args, **kwargs)
        return inner.enter(name, function, args, kwargs)

    return functools.wraps(function)(method)


def _sign(function: Any) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        inner = self.__dict__.get(INNER)
        if inner is not None and not inner.running:
            refuse_unguarded_call(self, sys._getframe(1))
        return function(self, *args, **kwargs)

    return functools.wraps(function)(method)


def _others(kind: Any, under: Callable[[Inner, Any], Any], taken: frozenset[str]) -> dict[str, Any]:
    """Public methods that are on no list: those of classes outside diffusers, those that decode, those of the class."""
    body: dict[str, Any] = {}
    for name in dir(kind):
        if name.startswith("_") or name in taken:
            continue
        found = inspect.getattr_static(kind, name)
        if isinstance(found, classmethod | staticmethod):
            body[name] = _OfClass(kind, name, under)
        elif inspect.isfunction(found) and (is_foreign(found) or makes_pictures(name)):
            body[name] = _other(found)
    return body


def _other(function: Any) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        inner = self.__dict__.get(INNER)
        if inner is None or inner.running:
            return function(self, *args, **kwargs)
        if is_foreign(function):
            return run_foreign(function, self, args, kwargs)
        result = function(self, *args, **kwargs)
        refuse_decoded(function, (args, kwargs), result)
        return result

    return functools.wraps(function)(method)


class _OfClass:
    """A class method or a static one: what it makes by way of an installed pipeline is under the same guard."""

    def __init__(self, kind: Any, name: str, under: Callable[[Inner, Any], Any]) -> None:
        self._kind, self._name, self._under = kind, name, under

    def __get__(self, pipe: Any, owner: Any = None) -> Any:
        method = getattr(self._kind, self._name)
        inner = None if pipe is None else pipe.__dict__.get(INNER)
        if inner is None:
            return method
        return functools.wraps(method)(lambda *args, **kwargs: self._under(inner, method(*args, **kwargs)))


def _inside(name: str, under: Callable[[Inner, Any], Any]) -> Any:
    def get(self: Any) -> Any:
        inner, pipe = self.__dict__.get(INNER), self.__dict__[name]
        return pipe if inner is None or inner.running or pipe is None else under(inner, pipe)

    def put(self: Any, value: Any) -> None:
        self.__dict__[name] = value

    return property(get, put)
