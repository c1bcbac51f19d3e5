"""Putting a pipeline under a guard, without changing how it is used.

`wrap` gives a thin object around the pipeline: same signature, same docstring, an instance of the same class to
``isinstance``; everything but the call goes to the pipeline. `install` guards the pipeline object itself, for code that
already holds it. Components are taken from the pipeline at call time, so that one swapped later is the one in use.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any, cast, get_args

from guardrail.decision import Decisions
from guardrail.errors import ConfigurationError
from guardrail.guard import Guard
from guardrail.pipelines.call import OnBlock, last_decisions
from guardrail.pipelines.entries import encode_text
from guardrail.pipelines.inner import INNER, Inner, Standing, is_modular, is_pipeline, refuse_unguarded_call
from guardrail.pipelines.installed import installed_class, like, plain
from guardrail.pipelines.methods import is_foreign, makes_pictures, refuse_decoded, run_foreign
from guardrail.pipelines.modular import ModularInner
from guardrail.pipelines.parameters import out_of_scope
from guardrail.pipelines.steps import PreviewSettings
from guardrail.pipelines.steps.hosts import unproved

__all__ = ["encode_prompt", "install", "unwrap", "wrap"]


class GuardedPipeline:
    """A pipeline under a guard. Made by `wrap`; one subclass for each class of pipeline."""

    def __init__(self, inner: Inner) -> None:
        object.__setattr__(self, INNER, inner)

    def __getattr__(self, name: str) -> Any:
        inner = _inner(self)
        refuse_unguarded_call(self, sys._getframe(1))
        if name == "components":
            inner.note_components()
        elif name == "blocks":
            inner.note_blocks()
        elif name == "save_pretrained":
            inner.note_saving()
        value = getattr(inner.pipe, name)
        if inspect.ismethod(value) and value.__self__ is inner.pipe:
            return _entry(inner, name, value) if inner.is_entry(name) else _fluent(self, inner, value)
        if inspect.isfunction(value) or (inspect.ismethod(value) and isinstance(value.__self__, type)):
            return _of_class(inner, name, value)
        return _under(inner, value) if is_pipeline(value) else value

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
        return _rewrap, (inner.pipe, *inner.kept)

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
        options: ``previews`` and ``preview_decoder`` (see `PreviewSettings.of` and docs/stopping-early.md); all others
            as for `guardrail.Guard`.

    Returns:
        An object to use like the pipeline. Results carry ``.guardrail``, one decision per output.

    Raises:
        ConfigurationError: as `guardrail.Guard`; also for what is no diffusers pipeline.
    """
    _require_pipeline(pipe)
    inner = _make(pipe, policy, guard, on_block, options)
    inner.note_no_checker()
    return _guarded_class(cast(Any, type(pipe)))(inner)


def install(
    pipe: Any, policy: Any = "default", *, guard: Guard | None = None, on_block: OnBlock = "placeholder", **options: Any
) -> Any:
    """As `wrap`, but in place: whoever holds the pipeline object holds a guarded one from now on. Returns it."""
    _require_pipeline(pipe)
    inner = _make(pipe, policy, guard, on_block, options)
    inner.note_no_checker()
    object.__setattr__(pipe, INNER, inner)
    inside = tuple(sorted(name for name, value in vars(pipe).items() if is_pipeline(value)))
    pipe.__class__ = installed_class(cast(Any, type(pipe)), inside, _reinstall, _all_under, _from_pipe_in_place)
    return pipe


def unwrap(pipe: Any) -> Any:
    """The pipeline without its guard; a pipeline that has none is returned as it is."""
    if isinstance(pipe, GuardedPipeline):
        return _inner(pipe).pipe
    if INNER in getattr(pipe, "__dict__", {}):
        pipe.__class__ = type(pipe).__mro__[1]
        object.__delattr__(pipe, INNER)
    return pipe


def _make(pipe: Any, policy: Any, guard: Guard | None, on_block: OnBlock, options: dict[str, Any]) -> Inner:
    if on_block not in get_args(OnBlock):
        raise ConfigurationError(f"on_block is one of {', '.join(get_args(OnBlock))}, not {on_block!r}")
    kept = {name: value for name, value in options.items() if name in ("previews", "preview_decoder")}
    decoder = options.pop("preview_decoder", None)
    # Only where they are asked for: how well they foretell the verdict on the picture is not measured yet.
    previews = PreviewSettings.of(options.pop("previews", "auto" if decoder is not None else False), decoder)
    if guard is not None and options:
        raise ConfigurationError("give either a guard or the options to make one, not both")
    if not (options.get("releases", True) if guard is None else guard.releases):
        raise ConfigurationError("a guard with releases=False only judges: put the pipeline under one that releases")
    if previews.required and (cause := unproved(pipe)):
        raise ConfigurationError(f"no preview can be made while {type(pipe).__name__} generates: {cause}")
    return _inner_class(pipe)(pipe, guard or Guard(policy, **options), on_block, kept, previews)


def _inner_class(pipe: Any) -> type[Inner]:
    return ModularInner if is_modular(pipe) else Inner


def encode_prompt(
    pipe: Any, text: str | Sequence[str], encoder: Callable[[Any], Any], *, negative: bool = False
) -> Any:
    """Encode a prompt with an encoder of your own, such as Compel, so that its embeddings are not unknown ones.

    The text is judged by the guard of `pipe`; what the encoder makes of it is remembered, and a later call with these
    embeddings is judged by this text. (`guardrail.encode` is another thing: it writes pictures.)

    Args:
        pipe: a guarded pipeline, or a `Guard`.
        text: one text or a list of them. Where the policy rewrites it, the encoder gets the new one.
        encoder: called once with what was given, text or list. It may return a tensor (B, …), or tuples, lists and
            mappings of them. It is trusted to encode that text and nothing else.
        negative: the words are to be avoided rather than drawn.

    Returns:
        What the encoder returned.

    Raises:
        Blocked: the text is blocked; the encoder did not run. Whatever ``on_block`` says: there is no placeholder.
        ConfigurationError: the pipeline is not guarded, or the arguments are of another type.
    """
    guard = pipe if isinstance(pipe, Guard) else _guard_of(pipe)
    return encode_text(guard, text, encoder, negative=negative)


def _guard_of(pipe: Any) -> Guard:
    inner = _held(pipe)
    if inner is None:
        raise ConfigurationError(f"{type(pipe).__name__} is not guarded: wrap it first")
    return inner.guard


def _held(pipe: Any) -> Inner | None:
    """What a pipeline under a guard keeps for itself, however it was put there; ``None`` where it is under none."""
    if isinstance(pipe, GuardedPipeline):
        return _inner(pipe)
    held = getattr(pipe, "__dict__", {}).get(INNER)
    return held if isinstance(held, Inner) else None


def _require_pipeline(pipe: Any) -> None:
    if _held(pipe) is not None:
        raise ConfigurationError("this pipeline is guarded already; unwrap it first to change the policy")
    if not is_pipeline(pipe) or not callable(pipe):
        raise ConfigurationError(f"{type(pipe).__name__} is no diffusers pipeline; for other code use guardrail.Guard")
    if cause := out_of_scope(pipe):
        raise ConfigurationError(f"{type(pipe).__name__} {cause}: its output cannot be judged, so it cannot be wrapped")


def _rewrap(pipe: Any, guard: Guard, on_block: OnBlock, options: dict[str, Any], standing: Standing) -> Any:
    guarded = wrap(pipe, guard=guard, on_block=on_block, **options)
    _inner(guarded).standing = standing
    return guarded


def _inner(guarded: Any) -> Inner:
    return cast(Inner, object.__getattribute__(guarded, INNER))


@functools.lru_cache(maxsize=64)
def _guarded_class(kind: Any) -> Any:
    """The wrapper class for one class of pipeline."""
    call = kind.__call__

    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
        return _inner(self).call(call, args, kwargs)

    body = {
        "__call__": like(call, __call__),
        "__class__": property(lambda self: type(_inner(self).pipe)),
        "__doc__": kind.__doc__,
        "__module__": __name__,
    }
    return type(f"Guarded{kind.__name__}", (GuardedPipeline,), body)


def _reinstall(pipe: Any, guard: Guard, on_block: OnBlock, options: dict[str, Any], standing: Standing) -> Any:
    install(pipe, guard=guard, on_block=on_block, **options)
    pipe.__dict__[INNER].standing = standing
    return pipe


def _under(inner: Inner, pipe: Any) -> Any:
    """Another pipeline, one inside a guarded one or made of it, under the same guard."""
    if _held(pipe) is not None:
        return pipe
    other = _inner_class(pipe)(pipe, inner.guard, inner.on_block, inner.options, inner.previews)
    return _guarded_class(cast(Any, type(pipe)))(other)


def _entry(inner: Inner, name: str, method: Any) -> Any:
    """A method of the pipeline that takes texts or pictures: what it is given is judged first."""

    @functools.wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return inner.enter(name, method.__func__, args, kwargs)

    return wrapped


def _fluent(guarded: Any, inner: Inner, method: Any) -> Any:
    """A method of the pipeline whose result, where it is a pipeline, is the guarded one."""

    @functools.wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if is_foreign(method):
            result = run_foreign(method.__func__, guarded, args, kwargs)
        else:
            result = method(*args, **kwargs)
            if makes_pictures(method.__name__) and not inner.running:
                refuse_decoded(method, (args, kwargs), result)
        return guarded if result is inner.pipe else _all_under(inner, result)

    return wrapped


def _of_class(inner: Inner, name: str, method: Any) -> Any:
    """A class method or function called on a guarded pipeline: pipelines that it makes are under the same guard."""

    @functools.wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if name == "from_pipe":
            args = tuple(_bare(a) for a in args)
            kwargs = {k: _bare(v) for k, v in kwargs.items()}
        return _all_under(inner, method(*args, **kwargs))

    return wrapped


def _all_under(inner: Inner, result: Any) -> Any:
    """A result with the pipelines that stand in it under the guard."""
    if type(result) in (tuple, list):
        return type(result)(_all_under(inner, value) for value in result)
    return _under(inner, result) if is_pipeline(result) else result


def _from_pipe_in_place(kind: Any, pipeline: Any, kwargs: dict[str, Any]) -> Any:
    """``from_pipe`` of an installed pipeline: the guard of the pipeline that it is made of goes along."""
    made = kind.from_pipe(_bare(pipeline), **kwargs)
    inner = _held(pipeline)
    if inner is None:
        return made
    return install(made, guard=inner.guard, on_block=inner.on_block, **inner.options)


def _bare(pipeline: Any) -> Any:
    """The pipeline under a guard, or a twin of one that is guarded in place; the guarded one stays guarded."""
    if isinstance(pipeline, GuardedPipeline):
        return _inner(pipeline).pipe
    return plain(pipeline) if INNER in getattr(pipeline, "__dict__", {}) else pipeline
