"""Seeing every ``scheduler.step`` of a call, whatever callbacks the pipeline has or lacks; and calls of other parts.

The class of the scheduler object is exchanged for a subclass of the same name while a call runs. Three things must hold
(measured on diffusers 0.42):

- The signature stays: pipelines read it to decide whether to pass on ``eta`` and ``generator``.
- No attribute of the object is touched: some pipelines deep-copy their scheduler, and a copied closure would step the
  original. A copy of the object has the class, and is seen as well.
- Arguments are bound by name: their order differs, and some pipelines give keywords.

Who looks on is kept in a context variable, so calls of other threads through the same object are not seen.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

__all__ = ["Look", "step_arguments", "tapped"]

Look = Callable[[Any, tuple[Any, ...], dict[str, Any]], None]
"""Called before each step with the scheduler and what ``step`` was given; what it raises ends the call."""

_STEP = ("step",)
_NOBODY: Mapping[str, Look] = MappingProxyType({})
# Who looks on at which method.
_looking: ContextVar[Mapping[str, Look]] = ContextVar("guardrail_look", default=_NOBODY)
_PLAIN = "_guardrail_plain_class"
_METHODS = "_guardrail_seen_methods"
_lock = threading.Lock()
# id of a scheduler object → the calls that have it tapped; the object is alive as long as they run.
_users: dict[int, set[object]] = {}


@contextlib.contextmanager
def tapped(schedulers: Sequence[Any], look: Look, methods: tuple[str, ...] = _STEP) -> Iterator[None]:
    """Call `look` before every step of the schedulers, and of copies made of them, while the block runs here.

    Afterwards every scheduler has the class that it had, whatever was raised.

    Args:
        methods: others than ``step``, where the objects are no schedulers. One object is always tapped by the same.

    Raises:
        TypeError: an object whose class cannot be exchanged, such as one that is not made in Python.
    """
    mine = list({id(s): s for s in schedulers}.values())
    user, before = object(), None
    # A thread can be interrupted at any line: whatever was begun by then is undone.
    try:
        before = _looking.set({**_looking.get(), **dict.fromkeys(methods, look)})
        for scheduler in mine:
            _enter(scheduler, methods, user)
        yield
    finally:
        if before is not None:
            _looking.reset(before)
        for scheduler in mine:
            _leave(scheduler, user)


def step_arguments(scheduler: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a step by name.

    Raises:
        TypeError: as the step itself would.
    """
    plain = getattr(type(scheduler), _PLAIN, type(scheduler))
    return dict(_signature(plain.step).bind(scheduler, *args, **kwargs).arguments)


@functools.lru_cache(maxsize=64)
def _signature(step: Any) -> inspect.Signature:
    return inspect.signature(step)


def _enter(scheduler: Any, methods: tuple[str, ...], user: object) -> None:
    with _lock:
        _users.setdefault(id(scheduler), set()).add(user)
        if not hasattr(type(scheduler), _PLAIN):
            plain: Any = type(scheduler)
            scheduler.__class__ = _seen(plain, methods)


def _leave(scheduler: Any, user: object) -> None:
    """Undo `_enter`, wherever that came to an end; nothing for one that did not begin."""
    with _lock:
        users = _users.get(id(scheduler), set())
        users.discard(user)
        if not users:
            _users.pop(id(scheduler), None)
            if hasattr(type(scheduler), _PLAIN):
                scheduler.__class__ = getattr(type(scheduler), _PLAIN)


@functools.lru_cache(maxsize=64)
def _seen(plain: Any, methods: tuple[str, ...]) -> Any:
    """A subclass that looks like `plain` and tells whoever looks on."""
    body = {
        _PLAIN: plain,
        _METHODS: methods,
        "__module__": plain.__module__,
        "__qualname__": plain.__qualname__,
        "__doc__": plain.__doc__,
        "__reduce_ex__": _as_plain,
    }
    body |= {name: _telling(name, getattr(plain, name)) for name in methods if hasattr(plain, name)}
    return type(plain.__name__, (plain,), body)


def _telling(name: str, plain_method: Any) -> Any:
    @functools.wraps(plain_method)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        look = _looking.get().get(name)
        if look is not None:
            look(self, args, kwargs)
        return plain_method(self, *args, **kwargs)

    return method


def _as_plain(self: Any, protocol: Any) -> Any:
    """Written down as the class that others can find by its name."""
    plain = getattr(type(self), _PLAIN)
    made = plain.__reduce_ex__(self, max(2, int(protocol)))
    return (_made_again, (plain, getattr(type(self), _METHODS)), *made[2:])


def _made_again(plain: Any, methods: tuple[str, ...] = _STEP) -> Any:
    """An empty object for a copy. One made while somebody looks on is seen as well."""
    kind = _seen(plain, methods) if any(m in _looking.get() for m in methods) else plain
    return kind.__new__(kind)
