"""Putting a pipeline under a guard, without changing how it is used.

`wrap` gives a thin object around the pipeline: same signature, same docstring, an instance of the same class to
``isinstance``; everything but the call goes to the pipeline. `install` guards the pipeline object itself, for code that
already holds it. Components are taken from the pipeline at call time, so that one swapped later is the one in use.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any, cast, get_args

from guardrail.decision import Decisions
from guardrail.errors import ConfigurationError
from guardrail.guard import Guard
from guardrail.pipelines.call import GuardedCall, OnBlock, last_decisions

__all__ = ["install", "unwrap", "wrap"]

_INNER = "_guardrail_inner"


class _Inner:
    """What a guarded pipeline keeps for itself: the pipeline, its guard, and how both were asked for."""

    def __init__(self, pipe: Any, guard: Guard, on_block: OnBlock, options: dict[str, Any]) -> None:
        self.pipe = pipe
        self.guard = guard
        self.on_block = on_block
        self.options = options


class GuardedPipeline:
    """A pipeline under a guard. Made by `wrap`; one subclass for each class of pipeline."""

    def __init__(self, inner: _Inner) -> None:
        object.__setattr__(self, _INNER, inner)

    def __getattr__(self, name: str) -> Any:
        inner = _inner(self)
        value = getattr(inner.pipe, name)
        if inspect.ismethod(value) and value.__self__ is inner.pipe:
            return _fluent(self, inner, value)
        if inspect.ismethod(value) and name == "from_pipe":
            return _rewrapping(inner, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_inner(self).pipe, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_inner(self).pipe, name)

    def __dir__(self) -> list[str]:
        return [*dir(_inner(self).pipe), "guard", "last_decisions"]

    def __repr__(self) -> str:
        inner = _inner(self)
        return f"<guarded by {inner.guard.policy.id} {inner.guard.policy.version}> {inner.pipe!r}"

    def __reduce__(self) -> Any:
        inner = _inner(self)
        return _rewrap, (inner.pipe, inner.on_block, inner.options)

    @property
    def guard(self) -> Guard:
        """The guard in force."""
        return _inner(self).guard

    @property
    def last_decisions(self) -> Decisions | None:
        """The decisions of the last call of this thread or task."""
        return last_decisions()


def wrap(
    pipe: Any, policy: Any = "default", *, guard: Guard | None = None, on_block: OnBlock = "placeholder", **options: Any
) -> Any:
    """Put a diffusers pipeline under a guard.

    Args:
        pipe: the pipeline. It is not changed: who holds it directly is not guarded (see `install`).
        policy: name of a shipped policy or path of a rule file.
        guard: a guard to use instead of making one from `policy` and `options`.
        on_block: what stands in the place of a blocked output: a neutral ``placeholder`` of the same size and type,
            ``raise`` (guardrail.Blocked with the decisions), or ``none`` (``None`` in lists of PIL images).
        options: as for `guardrail.Guard`.

    Returns:
        An object to use like the pipeline. Results carry ``.guardrail``, one decision per output.

    Raises:
        ConfigurationError: as `guardrail.Guard`; also for what is no diffusers pipeline, and for modular pipelines.
    """
    if isinstance(pipe, GuardedPipeline):
        raise ConfigurationError("this pipeline is guarded already; unwrap it first to change the policy")
    _require_pipeline(pipe)
    inner = _make(pipe, policy, guard, on_block, options)
    return _guarded_class(cast(Any, type(pipe)))(inner)


def install(
    pipe: Any, policy: Any = "default", *, guard: Guard | None = None, on_block: OnBlock = "placeholder", **options: Any
) -> Any:
    """As `wrap`, but in place: whoever holds the pipeline object holds a guarded one from now on. Returns it."""
    if isinstance(pipe, GuardedPipeline) or _INNER in getattr(pipe, "__dict__", {}):
        raise ConfigurationError("this pipeline is guarded already; unwrap it first to change the policy")
    _require_pipeline(pipe)
    object.__setattr__(pipe, _INNER, _make(pipe, policy, guard, on_block, options))
    pipe.__class__ = _installed_class(cast(Any, type(pipe)))
    return pipe


def unwrap(pipe: Any) -> Any:
    """The pipeline without its guard; a pipeline that has none is returned as it is."""
    if isinstance(pipe, GuardedPipeline):
        return _inner(pipe).pipe
    if _INNER in getattr(pipe, "__dict__", {}):
        pipe.__class__ = type(pipe).__mro__[1]
        object.__delattr__(pipe, _INNER)
    return pipe


def _make(pipe: Any, policy: Any, guard: Guard | None, on_block: OnBlock, options: dict[str, Any]) -> _Inner:
    if on_block not in get_args(OnBlock):
        raise ConfigurationError(f"on_block is one of {', '.join(get_args(OnBlock))}, not {on_block!r}")
    if guard is not None and options:
        raise ConfigurationError("give either a guard or the options to make one, not both")
    return _Inner(pipe, guard or Guard(policy, **options), on_block, {"policy": policy, "guard": guard, **options})


def _require_pipeline(pipe: Any) -> None:
    names = {c.__name__ for c in type(pipe).__mro__}
    if "ModularPipeline" in names:
        raise ConfigurationError("modular pipelines cannot be guarded by this version; use the classic pipeline class")
    if "DiffusionPipeline" not in names or not callable(pipe):
        raise ConfigurationError(f"{type(pipe).__name__} is no diffusers pipeline; for other code use guardrail.Guard")


def _rewrap(pipe: Any, on_block: OnBlock, options: dict[str, Any]) -> Any:
    return wrap(pipe, on_block=on_block, **options)


def _inner(guarded: Any) -> _Inner:
    return cast(_Inner, object.__getattribute__(guarded, _INNER))


def _call(inner: _Inner, call: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return GuardedCall(inner.guard, inner.pipe, call, inner.on_block)(args, kwargs)


def _like(call: Any, function: Any) -> Any:
    """`function` with name, docstring and signature of the pipeline's own call."""
    wrapped: Any = functools.wraps(call)(function)
    wrapped.__signature__ = inspect.signature(call)
    return wrapped


@functools.lru_cache(maxsize=64)
def _guarded_class(kind: Any) -> Any:
    """The wrapper class for one class of pipeline."""
    call = kind.__call__

    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
        return _call(_inner(self), call, args, kwargs)

    body = {
        "__call__": _like(call, __call__),
        "__class__": property(lambda self: type(_inner(self).pipe)),
        "__doc__": kind.__doc__,
        "__module__": __name__,
    }
    return type(f"Guarded{kind.__name__}", (GuardedPipeline,), body)


@functools.lru_cache(maxsize=64)
def _installed_class(kind: Any) -> Any:
    """A subclass that looks like its base: code that writes the class name down finds the right one."""
    call = kind.__call__

    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
        return _call(self.__dict__[_INNER], call, args, kwargs)

    def __reduce_ex__(self: Any, protocol: Any) -> Any:  # noqa: N807
        inner = self.__dict__[_INNER]
        plain: Any = object.__new__(kind)
        plain.__dict__.update({k: v for k, v in self.__dict__.items() if k != _INNER})
        return _reinstall, (plain, inner.on_block, inner.options)

    body = {
        "__call__": _like(call, __call__),
        "__reduce_ex__": __reduce_ex__,
        "__doc__": kind.__doc__,
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
    }
    return type(kind.__name__, (kind,), body)


def _reinstall(pipe: Any, on_block: OnBlock, options: dict[str, Any]) -> Any:
    return install(pipe, on_block=on_block, **options)


def _fluent(guarded: Any, inner: _Inner, method: Any) -> Any:
    """A method of the pipeline whose result, where it is the pipeline itself, is the guarded one."""

    @functools.wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        return guarded if result is inner.pipe else result

    return wrapped


def _rewrapping(inner: _Inner, method: Any) -> Any:
    """``from_pipe`` called on a guarded pipeline: what it makes is under the same guard."""

    @functools.wraps(method)
    def wrapped(pipeline: Any, *args: Any, **kwargs: Any) -> Any:
        made = method(unwrap(pipeline), *args, **kwargs)
        return _guarded_class(cast(Any, type(made)))(_Inner(made, inner.guard, inner.on_block, inner.options))

    return wrapped
