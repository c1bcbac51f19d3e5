"""Standing between a pipeline and its own `encode_prompt` for one call.

What a call makes of its prompt is changed where it comes out of the encoders, so that everything else stays as the
pipeline does it: its tokenizers, cutting, `clip_skip`, adapters, repeats for several pictures, device and dtype. Which
results hold what is read from the names in its ``return``.

The method is replaced on the object, not on its class, and only for the thread or task that asked; the last one to
leave takes it away.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from guardrail.pipelines.arguments import Arguments
from guardrail.pipelines.placeholders import COUNTS
from guardrail.pipelines.provenance import returned_names

__all__ = ["Encoder", "Results", "between", "unencodable"]

Results = dict[str, Any]
"""What `encode_prompt` returned, by name."""
Change = Callable[["Encoder", dict[str, Any], Results], None]
"""Called with the encoder, what it was given by name, and its results, which it may replace."""

PROMPTS = ("prompt", "prompt_2", "prompt_3", "prompt_4")
EMBEDDINGS = "prompt_embeds"
_NAME = "encode_prompt"
_change: ContextVar[tuple[int, Change] | None] = ContextVar("guardrail_encoding_change", default=None)
_lock = threading.Lock()
# id of a pipeline → the calls that stand in between, and what the object itself had there.
_users: dict[int, tuple[set[object], Any]] = {}


class Encoder:
    """The `encode_prompt` of a pipeline.

    Args:
        own: the method, bound.
    """

    def __init__(self, pipe: Any, own: Callable[..., Any]) -> None:
        self.pipe = pipe
        self.names = returned_names(type(pipe).encode_prompt)
        self._own = own
        self._signature = inspect.signature(own)

    def bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """What it was given, by name."""
        given = dict(self._signature.bind(*args, **kwargs).arguments)
        more = given.pop("kwargs", {})
        return {**given, **more}

    def opened(self, result: Any) -> Results:
        """Its results by name."""
        return dict(zip(self.names, result if len(self.names) > 1 else (result,), strict=True))

    def closed(self, results: Results) -> Any:
        """The results as it returns them."""
        values = tuple(results[name] for name in self.names)
        return values if len(values) > 1 else values[0]

    def texts(self, given: Mapping[str, Any], row: int) -> dict[str, str]:
        """The prompts of one item, by parameter."""
        found: dict[str, str] = {}
        for name in PROMPTS:
            value = given.get(name)
            if isinstance(value, list | tuple):
                value = value[row]
            if isinstance(value, str):
                found[name] = value
        return found

    def encode(self, given: Mapping[str, Any], texts: Sequence[Mapping[str, str]]) -> Results:
        """Other texts, encoded as the call's own are: each once, without their negative.

        Args:
            given: what the call gave.
            texts: prompts by parameter, for each row; all of the same parameters.

        Returns:
            Tensors (rows, …) by name.
        """
        changed = {
            name: value
            for name, value in given.items()
            if name not in PROMPTS and not name.endswith(("_embeds", "_mask")) and not name.startswith("negative")
        }
        for name in PROMPTS:
            if name in texts[0]:
                changed[name] = [text[name] for text in texts]
            elif name in given:
                changed[name] = None
        for name in COUNTS:
            if name in self._signature.parameters:
                changed[name] = 1
        if "do_classifier_free_guidance" in self._signature.parameters:
            changed["do_classifier_free_guidance"] = False
        return self.opened(self._own(**changed))


def unencodable(pipe: Any, arguments: Arguments) -> str:
    """Empty where the embeddings of this call come out of `encode_prompt`; otherwise why nothing can stand there."""
    function = getattr(type(pipe), _NAME, None)
    if function is None or EMBEDDINGS not in returned_names(function):
        return "the pipeline's way of encoding prompts is not known"
    if "prompt" not in inspect.signature(function).parameters:
        return "the pipeline's way of encoding prompts is not known"
    prompt = arguments.values.get("prompt")
    if not isinstance(prompt, str | list | tuple) or arguments.values.get(EMBEDDINGS) is not None:
        return "embeddings were given instead of prompts"
    return ""


@contextlib.contextmanager
def between(pipe: Any, arguments: Arguments, change: Change) -> Iterator[None]:
    """Call `change` on what the pipeline makes of the prompts of `arguments`, while the block runs here.

    Texts that are encoded besides (negative ones, those of other calls) are left alone.
    """
    wanted = _listed(arguments.values["prompt"])
    done = False

    def once(encoder: Encoder, given: dict[str, Any], results: Results) -> None:
        nonlocal done
        # Families with a true guidance scale encode their negative prompt by a second call, as the prompt of that.
        if not done and _listed(given.get("prompt")) == wanted and results.get(EMBEDDINGS) is not None:
            done = True
            change(encoder, given, results)

    user, before = object(), None
    # A thread can be interrupted at any line: whatever was begun by then is undone.
    try:
        before = _change.set((id(pipe), once))
        _enter(pipe, user)
        yield
    finally:
        if before is not None:
            _change.reset(before)
        _leave(pipe, user)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, list | tuple) else value


def _enter(pipe: Any, user: object) -> None:
    with _lock:
        users, _ = _users.setdefault(id(pipe), (set(), vars(pipe).get(_NAME)))
        users.add(user)
        if len(users) == 1:
            own = getattr(pipe, _NAME)

            def encode_prompt(*args: Any, **kwargs: Any) -> Any:
                wanted = _change.get()
                result = own(*args, **kwargs)
                if wanted is None or wanted[0] != id(pipe):
                    return result
                encoder = Encoder(pipe, own)
                if len(encoder.names) > 1 and (not isinstance(result, tuple) or len(result) != len(encoder.names)):
                    return result
                results = encoder.opened(result)
                wanted[1](encoder, encoder.bound(args, kwargs), results)
                return encoder.closed(results)

            vars(pipe)[_NAME] = encode_prompt


def _leave(pipe: Any, user: object) -> None:
    """Undo `_enter`, wherever that came to an end; nothing for one that did not begin."""
    with _lock:
        users, had = _users.get(id(pipe), (set(), vars(pipe).get(_NAME)))
        users.discard(user)
        if users:
            return
        if had is None:
            vars(pipe).pop(_NAME, None)
        else:
            vars(pipe)[_NAME] = had
        # Last: until then it is known what the object had.
        _users.pop(id(pipe), None)
