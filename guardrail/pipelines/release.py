"""Releasing what a pipeline made: judge each output, carry out what the policy asks, mark it, put it on record."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from guardrail.decision import Action, Coverage, Decision, Reason, Stage
from guardrail.errors import InputError, MarkError, RegistryError
from guardrail.guard import Guard
from guardrail.guard.item import Item
from guardrail.guard.session import Session
from guardrail.media import ImageInput
from guardrail.pipelines.outputs import Result

__all__ = ["Release"]

_log = logging.getLogger("guardrail.pipelines")


@dataclass(slots=True)
class Release:
    """The outputs of one call on their way out. Pieces of `result` are replaced in place.

    Args:
        system: name of the generator, for the metadata.
        picture: how to look at one output of a result (latents are decoded for it).
        again: makes another attempt at an output of an item: (item index, pixel hash, attempt) → (native, picture).
        known: what previews said of an output: (its index, how many there are) → its item, if any was seen.
    """

    guard: Guard
    session: Session
    result: Result
    system: str
    picture: Callable[[Result, int], ImageInput]
    again: Callable[[int, str, int], tuple[Any, ImageInput | None]]
    known: Callable[[int, int], Item | None] = lambda index, made: None
    _attempts: dict[tuple[int, int], Any] = field(default_factory=dict)

    def all(self, owners: Sequence[int]) -> list[Decision]:
        """Decisions for all outputs, on record. `owners` gives the item of each output.

        Blocked outputs are still in the result: the caller hides them.
        """
        closing: list[tuple[Item, str, str]] = []
        seen: dict[int, int] = {}
        for index, owner in enumerate(owners):
            image_index = seen.get(owner, 0)
            seen[owner] = image_index + 1
            closing.append(self._one(index, owner, image_index))
        beside = self.result.coverage()
        for item, _, _ in closing:
            item.coverage += beside
        decisions, _ = self.session.close(closing)
        for decision in decisions:
            decision.marker = self.guard.marker
        return decisions

    def _one(self, index: int, owner: int, image_index: int) -> tuple[Item, str, str]:
        item = self.known(index, len(self.result)) or self.session.items[owner]
        if item.blocked:
            return item.fork(image_index), "", ""
        sha = ""
        try:
            sha = self.result.sha256(index)
            picture = self.picture(self.result, index)
        except InputError as error:
            refused = item.fork(image_index)
            self.session.refuse(refused, error, Stage.OUTPUT)
            return refused, "", sha

        def again(attempt: int) -> ImageInput | None:
            native, image = self.again(owner, sha, attempt)
            self._attempts[index, attempt] = native
            return image

        markable = "latent" if self.result.form == "latent" else ""
        out = self.session.judge_output(item, picture, image_index, markable=markable, again=again)
        if out.image is None or out.item.blocked:
            return out.item, "", sha
        if out.regenerated:
            self.result.put_native(index, self._attempts[index, out.regenerated])
            sha = self.result.sha256(index)
        elif out.changed:
            self.result.put(index, out.image.frames)
        return out.item, self._mark(index, out.item, sha), sha

    def _mark(self, index: int, item: Item, sha: str) -> str:
        """Mark one output as its labels ask; block it where a mark cannot be made, read back or registered."""
        wanted = item.labels.get("watermark") == "invisible"
        decision = item.decision()
        begun = time.perf_counter()
        try:
            self.guard.marker.require_signer(decision)
            if self.result.form == "latent":
                item.coverage.append(Coverage("unmarked", "output", "latents carry no mark"))
                return ""
            mark_id = self.guard.marker.mark_id(decision) if wanted else ""
            self._put_marked(index, decision, mark_id, sha)
        except RegistryError as error:
            # It names a file of this machine: that is for its log, not for whoever reads the decision.
            _log.error("an output is not released: %s", error)
            cause = "the registry of marks cannot be read or written: see the log"
            item.block(Stage.OUTPUT, Reason("mark", "", Stage.OUTPUT, Action.BLOCK, "high", cause))
            return ""
        except MarkError as error:
            item.block(Stage.OUTPUT, Reason("mark", "", Stage.OUTPUT, Action.BLOCK, "high", str(error)))
            return ""
        item.took("mark", begun)
        if not wanted:
            item.coverage.append(Coverage("unmarked", "output", "the policy asks for no watermark"))
        elif self.guard.marks.grade(*self.result.size(index)) == "fragile":
            item.coverage.append(Coverage("fragile-mark", "output", "small picture: the mark will not survive much"))
        if item.labels and self.result.form != "pil":
            item.coverage.append(Coverage("pixels-only", "output", "arrays carry no metadata: use guardrail.save"))
        return mark_id

    def _put_marked(self, index: int, decision: Decision, mark_id: str, sha: str) -> None:
        """Put the marked frames in the place of the others, one at a time; PIL images with their label.

        Raises:
            MarkError: a visible label cannot be drawn, or the mark of a frame cannot be read back.
            RegistryError: the output cannot be registered.
        """
        marker = self.guard.marker
        frames = self.result.frames(index)
        drawn = bool(mark_id) or marker.asks_for_text(decision)
        first: list[Any] = []

        def marked() -> Iterator[Any]:
            for out in marker.frames(frames, decision, mark_id):
                if not first:
                    first.append(out)
                yield out

        if self.result.form == "pil" and decision.labels:
            from guardrail.marks.guarded_image import guarded

            label = marker.label(decision, mark_id, system=self.system, system_version=_version())
            self.result.put(index, marked(), wrap=lambda p: guarded(p, label, marker=marker))
        elif drawn:
            self.result.put(index, marked())
        if mark_id and first:
            marker.register(decision, mark_id, first[0], system=self.system, sha256=sha)


@lru_cache(maxsize=1)
def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"diffusers {version('diffusers')}"
    except PackageNotFoundError:
        return ""
