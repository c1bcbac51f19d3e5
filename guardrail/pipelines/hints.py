"""Carrying hints out to the generator, and saying whether they were active; and the random state around a run.

How a generation is steered away from a concept is the business of `steering`. It changes the picture, so it is used for
the prompts it was asked for and no others.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from guardrail.actions.hints import AVOID
from guardrail.guard.item import Item
from guardrail.pipelines.arguments import Arguments
from guardrail.pipelines.steering import Outcome, Wish, inactive, report, steered, wish_of

__all__ = ["Hints", "RandomState", "new_generator", "untouched", "wish_again"]


class Hints:
    """The steering of one call: which items share a run, and what became of it.

    Attributes:
        groups: items that are not blocked, by what they are steered away from and how; those under ``None`` are not.
    """

    def __init__(self, pipe: Any, arguments: Arguments, items: Sequence[Item]) -> None:
        self._pipe = pipe
        self._outcomes: dict[int, Outcome] = {}
        self.groups: dict[Wish | None, list[int]] = {}
        for index, item in enumerate(items):
            if item.blocked:
                continue
            wish = wish_of(item.alterations)
            if wish is not None and (cause := inactive(pipe, arguments, wish)):
                self._outcomes[index] = Outcome(cause)
                wish = None
            self.groups.setdefault(wish, []).append(index)

    @contextlib.contextmanager
    def steered(self, arguments: Arguments, wish: Wish | None, count: int) -> Iterator[Arguments]:
        """Arguments for the run of a group; inside the block the pipeline steers."""
        with steered(self._pipe, arguments, wish, count) as (changed, outcome):
            if wish is not None:
                self._outcomes |= dict.fromkeys(self.groups[wish], outcome)
            yield changed

    def report(self, item: Item) -> None:
        """Note on the item's steering whether it was active."""
        if item.prompt_index in self._outcomes:
            report(item.alterations, self._outcomes[item.prompt_index])


def wish_again(pipe: Any, arguments: Arguments, item: Item) -> Wish | None:
    """How another attempt at a refused output is steered: as the item is, else away from nudity, else not at all."""
    tried = (wish_of(item.alterations), Wish(AVOID["nudity"]))
    return next((w for w in tried if w is not None and not inactive(pipe, arguments, w)), None)


def new_generator(arguments: Arguments, pixels_sha256: str, attempt: int) -> Any:
    """A generator for another attempt, seeded by what was refused: the same request gives the same attempts."""
    import torch

    given = arguments.values.get("generator")
    first = given[0] if isinstance(given, list | tuple) and given else given
    device = getattr(first, "device", torch.device("cpu"))
    digest = hashlib.sha256(f"{pixels_sha256}/{attempt}".encode()).digest()
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest[:8], "big") >> 1)


class RandomState:
    """The random state that a call draws from: its own generators, or the global one of each device in use."""

    def __init__(self, arguments: Arguments, pipe: Any) -> None:
        import torch

        given = arguments.values.get("generator")
        self._generators = [g for g in (given if isinstance(given, list | tuple) else [given]) if g is not None]
        self._states = [g.get_state() for g in self._generators]
        self._cpu = torch.get_rng_state()
        device: Any = getattr(pipe, "device", "cpu")
        self._device = device
        self._cuda = torch.cuda.get_rng_state(device) if getattr(device, "type", "") == "cuda" else None

    def restore(self) -> None:
        """Put everything back to where it was."""
        import torch

        for generator, state in zip(self._generators, self._states, strict=True):
            generator.set_state(state)
        torch.set_rng_state(self._cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._cuda, self._device)


@contextlib.contextmanager
def untouched(arguments: Arguments, pipe: Any) -> Iterator[None]:
    """Whatever is drawn inside the block is not drawn from the user's point of view."""
    state = RandomState(arguments, pipe)
    try:
        yield
    finally:
        state.restore()
