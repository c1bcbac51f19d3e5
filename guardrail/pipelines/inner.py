"""What a guarded pipeline keeps for itself, and how it runs what it is asked to run."""

from __future__ import annotations

import logging
import sys
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

from guardrail.decision import Coverage
from guardrail.errors import ConfigurationError
from guardrail.guard import Guard
from guardrail.pipelines.arguments import signature_of
from guardrail.pipelines.call import GuardedCall, OnBlock, note_decisions
from guardrail.pipelines.entries import CALLS, ENTRIES, PRIORS, judged_entry
from guardrail.pipelines.evidence import stricter
from guardrail.pipelines.methods import note_guarded_call, refuse_foreign
from guardrail.pipelines.provenance import Origin
from guardrail.pipelines.running import INNER, is_running, run_of
from guardrail.pipelines.steps import PreviewSettings
from guardrail.signals import SignalValue

__all__ = [
    "INNER",
    "Inner",
    "is_modular",
    "is_modular_class",
    "is_pipeline",
    "refuse_from_pipe",
    "refuse_unguarded_call",
]

_FROM_PIPE_FRAMES = 4
_log = logging.getLogger("guardrail.pipelines")


class Standing:
    """What the last `invert` left in a pipeline, for calls that are not given the picture again.

    Goes along with copies; not with pickles, in which no text and no picture may stand.
    """

    def __init__(self, origin: Origin | None = None, *, lost: bool = False) -> None:
        self.origin = origin
        self._lost = lost

    def known(self) -> Origin | None:
        """The picture and its words, ``None`` where nothing was inverted.

        Raises:
            ConfigurationError: something was, before the pipeline was pickled.
        """
        if self._lost:
            raise ConfigurationError("what was inverted before the pipeline was pickled is not known: invert again")
        return self.origin

    def __deepcopy__(self, memo: Any) -> Standing:
        return self

    def __copy__(self) -> Standing:
        return self

    def __reduce__(self) -> Any:
        return _forgotten, (self.origin is not None or self._lost,)


def _forgotten(lost: bool) -> Standing:
    return Standing(lost=lost)


class Inner:
    """The pipeline under a guard, its guard, and how both were asked for."""

    def __init__(
        self, pipe: Any, guard: Guard, on_block: OnBlock, options: dict[str, Any], previews: PreviewSettings
    ) -> None:
        self.pipe = pipe
        self.previews = previews
        self.guard = guard
        self.on_block = on_block
        self.options = options
        self.standing = Standing()
        self._parts = _parts(pipe)
        self._said: set[str] = set()

    # ---- running

    @property
    def running(self) -> bool:
        """Whether the pipeline runs under the guard now, in this thread or task."""
        return is_running(self.pipe)

    def _run(self) -> AbstractContextManager[None]:
        return run_of(self.pipe)

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call that makes pictures, or embeddings where the pipeline is a prior.

        Args:
            function: the pipeline's own ``__call__``, unbound.
        """
        swapped = self._swapped()
        if any(c.__name__ in PRIORS for c in type(self.pipe).__mro__):
            with self._run():
                result, _, decisions = judged_entry(self.guard, self.pipe, function, args, kwargs, swapped=swapped)
            note_decisions(decisions)
            if hasattr(result, "__dict__"):
                object.__setattr__(result, "guardrail", decisions)
            return result
        call = GuardedCall(
            self.guard, self.pipe, function, self.on_block, self.previews, self._standing(function), swapped
        )
        with self._run():
            result = call(args, kwargs)
        note_guarded_call()
        return result

    def enter(self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One of the other ways in.

        Raises:
            Blocked: what goes in is blocked.
            ConfigurationError: the method is none of diffusers' own and returns pictures.
        """
        if name in CALLS:
            return self.call(function, args, kwargs)
        before = self._about_to_invert if name == "invert" else None
        with self._run():
            result, origins, decisions = judged_entry(
                self.guard, self.pipe, function, args, kwargs, swapped=self._swapped(), before=before
            )
        note_decisions(decisions)
        if name == "invert":
            self.standing = Standing(_together(origins))
        refuse_foreign(function, result)
        return result

    def _about_to_invert(self, origins: Sequence[Origin]) -> None:
        # Interrupted halfway, the pipeline may hold this picture or the one before.
        before = self.standing.origin
        self.standing = Standing(_together([*origins, *([before] if before is not None else [])]))

    def _standing(self, function: Any) -> Origin | None:
        """What `invert` left, for a call that edits it without being given the picture again."""
        if "image" in signature_of(function).parameters:
            return None
        return self.standing.known()

    @property
    def kept(self) -> tuple[Guard, OnBlock, dict[str, Any], Standing]:
        """What a copy of the guarded pipeline is put under the guard with. The guard itself: it may have been given
        another policy since it was made."""
        return self.guard, self.on_block, self.options, self.standing

    def is_entry(self, name: str) -> bool:
        return name in ENTRIES or name in CALLS

    # ---- what can only be reported

    def _swapped(self) -> list[Coverage]:
        """Parts that are others than when the pipeline was put under the guard. They are in use: see the coverage."""
        notes = []
        for name, now in _components(self.pipe).items():
            before, part = self._parts.get(name, (_named(None), lambda: None))
            # A part that nobody holds any more is gone from its reference too: then the name tells.
            if part() is not now or before != _named(now):
                notes.append(Coverage("component-swapped", name, f"{before} → {_named(now)}"))
        return notes

    def say_once(self, about: str, text: str) -> None:
        """A warning in the log, once for each guarded pipeline."""
        if about not in self._said:
            self._said.add(about)
            _log.warning("%s", text)

    def note_components(self) -> None:
        """Components are being taken out of the guarded pipeline."""
        refuse_from_pipe()
        self.say_once("components", "a pipeline built from the components of a guarded one is not guarded: wrap it")

    def note_blocks(self) -> None:
        """Blocks are being taken out of a modular pipeline; a classic one has none."""

    def note_no_checker(self) -> None:
        """Said at the beginning only: one that is taken away later is named in the coverage."""
        if _components(self.pipe).get("safety_checker", self) is None:
            _log.info("%s has no safety checker of its own: the guard judges alone", type(self.pipe).__name__)

    def note_saving(self) -> None:
        """The pipeline is being written to disk."""
        self.say_once("save", "a saved pipeline does not carry its guard: wrap it again after loading")


def refuse_from_pipe() -> None:
    """Refuse where diffusers' own `from_pipe` is taking a guarded pipeline apart.

    Raises:
        ConfigurationError: the new pipeline would have no guard.
    """
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_FROM_PIPE_FRAMES):
        if frame is None:
            return
        if frame.f_code.co_name == "from_pipe" and str(frame.f_globals.get("__name__", "")).startswith("diffusers."):
            raise ConfigurationError(
                "from_pipe of an unguarded class would leave the guard behind: use from_pipe of the guarded pipeline, "
                "or guardrail.wrap(Class.from_pipe(guardrail.unwrap(pipe)), guard=guard)"
            )
        frame = frame.f_back


def refuse_unguarded_call(guarded: Any, frame: FrameType) -> None:
    """Refuse where `frame` is a ``__call__`` of another class that runs on a guarded pipeline.

    Raises:
        ConfigurationError: as in ``Base.__call__(guarded, …)``.
    """
    code = frame.f_code
    if code.co_name == "__call__" and code.co_varnames and frame.f_locals.get(code.co_varnames[0]) is guarded:
        raise ConfigurationError("call the guarded pipeline itself: this would run it without its guard")


def is_pipeline(value: Any) -> bool:
    """Whether it is a diffusers pipeline, classic or modular; diffusers is not imported to find out."""
    return is_modular(value) or any(c.__name__ == "DiffusionPipeline" for c in type(value).__mro__)


def is_modular(value: Any) -> bool:
    """Whether it is a pipeline made of blocks."""
    return is_modular_class(type(value))


def is_modular_class(kind: type) -> bool:
    """Whether it is a class of such pipelines."""
    return any(c.__name__ == "ModularPipeline" for c in kind.__mro__)


def _together(origins: Sequence[Origin]) -> Origin:
    """One origin of several: all texts and pictures, and the stricter of each signal."""
    signals: dict[str, SignalValue] = {}
    for origin in origins:
        signals.update(stricter(signals, origin.signals))
    return Origin(tuple(t for o in origins for t in o.texts), tuple(i for o in origins for i in o.images), signals)


def _components(pipe: Any) -> dict[str, Any]:
    """The registered parts of a pipeline, by name, as they are now."""
    if is_modular(pipe):
        return {name: vars(pipe)[name] for name in pipe._component_specs if name in vars(pipe)}
    registered = getattr(pipe, "_internal_dict", None) or {}
    # (library, class) for a part; anything else is a setting.
    names = [name for name, value in registered.items() if isinstance(value, tuple | list) and len(value) == 2]
    return {name: vars(pipe)[name] for name in names if name in vars(pipe)}


def _parts(pipe: Any) -> dict[str, tuple[str, Callable[[], Any]]]:
    return {name: (_named(part), _reference(part)) for name, part in _components(pipe).items()}


def _reference(part: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(part)
    except TypeError:
        return lambda: part


def _named(part: Any) -> str:
    return type(part).__name__ if part is not None else "nothing"
