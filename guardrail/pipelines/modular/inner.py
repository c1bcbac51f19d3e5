"""What a guarded modular pipeline keeps for itself, and how it runs what it is asked to run.

The call is guarded, and no block is put in among the others. A block could stop a run only by an exception, when the
blocks before it had run; it could not run the others again for another attempt or for steering; and blocks are
deep-copied wherever they are handed out, which a guard with its models and locks is not made for. All that a block
would see, the call sees too: what goes in, by keyword and in the state, and the state that comes out of the last one.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any

from guardrail.decision import Coverage, Decisions
from guardrail.errors import UnsupportedInput
from guardrail.pipelines.call import note_decisions
from guardrail.pipelines.entries import judged_entry
from guardrail.pipelines.inner import Inner
from guardrail.pipelines.methods import note_guarded_call
from guardrail.pipelines.modular.blocks import BlocksCall, Declared, Encoding, declared, given_values
from guardrail.pipelines.modular.call import ModularCall
from guardrail.pipelines.parameters import Holds, held_by

__all__ = ["ModularInner"]


class ModularInner(Inner):
    """As `Inner`, for a ModularPipeline."""

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the blocks under the guard.

        Args:
            function: ``ModularPipeline.__call__``, unbound: (state=None, output=None, **kwargs).

        Returns:
            As the pipeline itself: the state, which carries ``.guardrail``; one value, or a mapping of several, which
            do not (see ``last_decisions``).

        Raises:
            Blocked: with ``on_block="raise"``; and where embeddings are made, whatever `on_block` says.
            TypeError: as calling the pipeline would, and for a state that is none.
            UnsupportedInput: blocks whose output is nothing that can be judged.
            ValueError: an `output` that is neither a name nor a list of names.
        """
        bound = inspect.signature(function).bind(self.pipe, *args, **kwargs).arguments
        state, output = bound.get("state"), bound.get("output")
        if state is not None and not isinstance(getattr(state, "values", None), dict):
            raise TypeError(f"state is a PipelineState, not {type(state).__name__}")
        if output is not None and not isinstance(output, str | list | tuple):
            raise ValueError(f"output is a name or a list of names, not {type(output).__name__}")
        blocks = self.pipe._blocks
        says = declared(blocks)
        if says.refused:
            raise UnsupportedInput(f"what these blocks make cannot be judged: {says.refused}")
        keywords = bound.get("kwargs", {})
        call = BlocksCall(function, self.pipe, state, keywords)
        values = given_values(blocks, state, keywords)
        asked = None if output is None else (output,) if isinstance(output, str) else tuple(output)
        notes = [*self._swapped(), *_notes(says, asked)]
        if not says.makes_media:
            return self._embeddings(call, values, output, notes)
        guarded = ModularCall(
            self.guard, self.pipe, call, self.on_block, self.previews, self.standing.known(), notes, asked=asked
        )
        with self._run():
            made = guarded((), values)
        note_guarded_call()
        return _answer(made.state, output, made.guardrail)

    def _embeddings(self, call: BlocksCall, values: dict[str, Any], output: Any, notes: Sequence[Coverage]) -> Any:
        """Blocks that encode and nothing else, as a prior: what comes out is known from now on."""
        with self._run():
            made, _, decisions = judged_entry(self.guard, self.pipe, Encoding(call), (), values, swapped=notes)
        note_decisions(decisions)
        return _answer(made.state, output, decisions)

    # ---- what can only be reported

    def _swapped(self) -> list[Coverage]:
        # Parts are loaded after the pipeline is made: one that was not there yet is not another one.
        return [note for note in Inner._swapped(self) if not note.detail.startswith("nothing →")]

    def note_components(self) -> None:
        """Components are being taken out; the pipeline itself asks for them all the time."""
        frame = sys._getframe(2)
        if not str(frame.f_globals.get("__name__", "")).startswith("diffusers."):
            Inner.note_components(self)

    def note_blocks(self) -> None:
        """Blocks are being taken out, as a copy."""
        self.say_once("blocks", "a pipeline made of the blocks of a guarded one is not guarded: wrap it")


def _answer(state: Any, output: Any, decisions: Decisions) -> Any:
    """What the caller asked for, as the pipeline itself gives it: the state, one value, or several by name."""
    if output is not None:
        return state.get(output)
    object.__setattr__(state, "guardrail", decisions)
    return state


def _notes(says: Declared, asked: tuple[str, ...] | None) -> list[Coverage]:
    """What of the outputs is not judged or not marked, as far as the blocks tell beforehand."""
    notes = []
    for name in says.outputs:
        if (asked is None or name in asked) and (held_by(name) is Holds.AUDIO or name in ("audio", "sound")):
            notes.append(Coverage("audio", name, "sound is not judged"))
    if asked is None or any(held_by(name) is Holds.LATENT for name in asked):
        notes.append(Coverage("unmarked", "state", "latents in the state carry no mark"))
    return notes
