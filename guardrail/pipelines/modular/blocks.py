"""What the blocks of a modular pipeline take in and give out, and their call in the shape of a classic one.

A modular call is ``(state=None, output=None, **kwargs)``: what the blocks take in may stand in the state or among the
keywords, and everything else in the state may be read by some block as well. Here both are arguments by name, so that
they are bound, walked, judged and put back as those of any pipeline.
"""

from __future__ import annotations

import copy
import inspect
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from guardrail.pipelines.modular.state import Made, made_names
from guardrail.pipelines.outputs import MEDIA_FIELDS
from guardrail.pipelines.parameters import Holds, held_by

__all__ = ["BlocksCall", "Declared", "Encoded", "Encoding", "declared", "given_values", "state_class"]


@dataclass(frozen=True, slots=True)
class Declared:
    """What blocks say of themselves. diffusers works it out anew whenever it is asked, 15 ms for Stable Diffusion XL.

    Args:
        parameters: what the blocks as a whole take in, as parameters of a call.
        outputs: names that the blocks as a whole give out.
        reads: names that some block, at any depth, takes in.
        writes: names that some block, at any depth, gives out.
    """

    parameters: Mapping[str, inspect.Parameter]
    outputs: tuple[str, ...]
    reads: frozenset[str]
    writes: frozenset[str]

    @property
    def makes_media(self) -> bool:
        """Whether pictures, videos or latents of them may come out; otherwise embeddings, as of a prior."""
        return any(held_by(name) not in _ENCODED for name in self.writes)

    @property
    def refused(self) -> str:
        """Empty, or why what the blocks make cannot be judged at all."""
        sound = any(held_by(n) is Holds.AUDIO or n == "audios" for n in self.outputs)
        return "they make sound and no pictures" if sound and not set(self.outputs) & set(MEDIA_FIELDS) else ""


_ENCODED = frozenset({Holds.TEXT_EMBEDDING, Holds.IMAGE_EMBEDDING, Holds.CONDITION_LATENT, Holds.TOKEN_IDS})
_ENCODED |= {Holds.SEQUENCE_MASK, Holds.GEOMETRY, Holds.SETTING, Holds.TEXT, Holds.NEGATIVE, Holds.SYSTEM}
# By the blocks as a whole; beside it which objects they were made of, for blocks that are put in later.
_declared: weakref.WeakKeyDictionary[Any, tuple[tuple[int, ...], Declared]] = weakref.WeakKeyDictionary()


def declared(blocks: Any) -> Declared:
    """What blocks take in and give out."""
    every = list(_every(blocks))
    made_of = tuple(id(block) for block in every)
    before = _declared.get(blocks)
    if before is not None and before[0] == made_of:
        return before[1]
    parameters: dict[str, inspect.Parameter] = {}
    for given in blocks.inputs:
        name = given.name or given.kwargs_type
        if name and name.isidentifier() and name not in parameters:
            parameters[name] = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=given.default)
    found = Declared(
        parameters,
        tuple(o.name for o in blocks.outputs if o.name),
        frozenset(i.name for block in every for i in block.inputs if i.name),
        frozenset(o.name for block in every for o in block.intermediate_outputs if o.name),
    )
    _declared[blocks] = made_of, found
    return found


def _every(blocks: Any) -> Iterator[Any]:
    yield blocks
    for inner in (getattr(blocks, "sub_blocks", None) or {}).values():
        yield from _every(inner)


class BlocksCall:
    """A modular pipeline's own call, with every value by name.

    Args:
        function: ``ModularPipeline.__call__``, unbound.
        pipe: the pipeline; only read.
        state: the state that the caller gave, or ``None``.
        keywords: names of what was given beside it.
    """

    def __init__(self, function: Any, pipe: Any, state: Any, keywords: Iterable[str]) -> None:
        says = declared(pipe._blocks)
        self._function = function
        self.outputs = says.outputs
        self._held = frozenset(getattr(state, "values", ())) - frozenset(keywords)
        self._mapping: dict[str, list[str]] = copy.deepcopy(getattr(state, "kwargs_mapping", None) or {})
        parameters = says.parameters
        # Values under names that no block declares are given all the same: a block may read them.
        rest = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)
        self.__signature__ = inspect.Signature(
            [inspect.Parameter("pipe_", inspect.Parameter.POSITIONAL_ONLY), *parameters.values(), rest]
        )
        self.__qualname__ = f"{type(pipe).__name__}.__call__"
        self._inputs = frozenset(parameters)
        self._key = (function, tuple((n, repr(p.default)) for n, p in parameters.items()))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BlocksCall) and other._key == self._key

    def __call__(self, pipe: Any, /, **values: Any) -> Made:
        """Run the blocks on these values, in a fresh state."""
        state = state_class()(kwargs_mapping=copy.deepcopy(self._mapping))
        # The pipeline deep-copies the state that it is given; keywords go in as they are.
        own = {n: v for n, v in values.items() if n in self._inputs and n not in self._held}
        state.values.update({n: v for n, v in values.items() if n not in own})
        made = self._function(pipe, state=state, output=None, **own)
        return Made(made, self.outputs, own | state.values)


class Encoded(dict[str, Any]):
    """What an encoding call made, by name, with the state that it came to."""

    state: Any


class Encoding:
    """A call of blocks that only encode, in the shape of a method that returns what it made.

    As a `BlocksCall` it holds nothing of what it was called with: signatures are remembered by the call they are of.
    """

    def __init__(self, call: BlocksCall) -> None:
        self._call = call
        self.__signature__ = call.__signature__
        self.__qualname__ = call.__qualname__

    def __hash__(self) -> int:
        return hash(self._call)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Encoding) and other._call == self._call

    def __call__(self, pipe: Any, /, **values: Any) -> Encoded:
        made = self._call(pipe, **values)
        encoded = Encoded({n: made.state.values[n] for n in made_names(made.state.values, made.given)})
        encoded.state = made.state
        return encoded


def given_values(blocks: Any, state: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What goes into a call, by name: the state, and over it the keywords.

    Outputs of an earlier call that no block reads stay outside: they are neither judged again nor handed on.
    """
    says = declared(blocks)
    idle = frozenset(says.outputs) - says.reads
    held = {n: v for n, v in (state.values if state is not None else {}).items() if n not in idle}
    return {n: v for n, v in (held | dict(kwargs)).items() if v is not None or n in kwargs}


def state_class() -> Any:
    from diffusers.modular_pipelines import PipelineState

    return PipelineState
