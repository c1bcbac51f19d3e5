"""The order of marks on an output: visible label, watermark, what its file will say, who signs it, the registry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from guardrail.decision import TEXT_JOINT, Decision
from guardrail.errors import MarkError
from guardrail.marks.base import eight_bits
from guardrail.marks.label import Label, label_for
from guardrail.marks.settings import Marking
from guardrail.marks.stack import MarkStack, shown
from guardrail.media.renderings import renderings

if TYPE_CHECKING:
    from guardrail.marks.files import Sign
    from guardrail.marks.registry import Registry

__all__ = ["SIGNER", "Marker", "free_mark_id"]

SIGNER = (
    "give the guard marking=Marking(signer=Signer.from_files(chain, key)); guardrail keys new FOLDER makes both files, "
    "for development only"
)
"""What to do where files must be signed."""

# Decisions whose 40-bit ids may all be taken before giving up: with a million pictures registered, one is with 1e-6.
_ATTEMPTS = 4
_ALL_TAKEN = (
    f"every mark id that was tried ({_ATTEMPTS}) is registered already: judge the picture again, and mark it after the "
    "new decision"
)
# Pixels; below, there is nothing to look for a watermark in.
_SMALLEST_SIDE = 2


class Marker:
    """What a guard puts on its outputs, in order. Whether it does is for the labels of each decision to say.

    Args:
        stack: writes and reads the watermark.
        marking: how this deployment marks.
    """

    def __init__(self, stack: MarkStack, marking: Marking) -> None:
        self.stack = stack
        self.marking = marking
        self._font = Path(marking.font) if marking.font is not None else None
        self._registry: Registry | None = None
        if marking.registry is not None:
            from guardrail.marks.registry import Registry

            self._registry = Registry(marking.registry)

    def require_drawable(self, texts: Iterable[str]) -> None:
        """Find out now whether the visible labels of a policy can be drawn, each alone and all together.

        Raises:
            MarkError: no font at hand has a character of theirs, or there is none.
        """
        from guardrail.marks.visible import ensure_drawable, wording

        given = list(texts)
        for modified in (False, True):
            words = [wording(text, modified=modified) for text in given]
            for text in (*words, *([TEXT_JOINT.join(words)] if len(words) > 1 else [])):
                ensure_drawable(text, self._font)

    def require_signer(self, decision: Decision) -> None:
        """Find out before an output is released whether its files can be signed, where they must be.

        Raises:
            MarkError: the policy asks for a signature, and nobody signs.
        """
        if decision.labels.get("signed") and self.marking.signer is None:
            raise MarkError(f"the policy {decision.policy.id} asks for signed files, and nobody signs: {SIGNER}")

    @property
    def signs(self) -> bool:
        """Whether the files of outputs are signed."""
        return self.marking.signer is not None

    @staticmethod
    def asks_for_text(decision: Decision) -> bool:
        """Whether something is to be drawn."""
        return bool(decision.labels.get("visible"))

    def mark_id(self, decision: Decision) -> str:
        """The id of the watermark of a decision's output: one that the registry does not know yet.

        Raises:
            RegistryError: the registry cannot be read.
            MarkError: every id tried is taken.
        """
        return free_mark_id(self.stack, self._registry, decision.id)

    def mark(
        self, frame: NDArray[Any], decision: Decision, *, system: str, sha256: str = ""
    ) -> tuple[NDArray[Any], str]:
        """One picture marked and registered, and the id of its watermark; as `frames` and `register` take and raise.

        Another thread or process may take the id that was free a moment ago: then the next one is tried, four in all.
        """
        from guardrail.marks.registry import MarkIdTaken

        for _ in range(_ATTEMPTS):
            mark_id = self.mark_id(decision)
            (marked,) = self.frames([frame], decision, mark_id)
            try:
                self.register(decision, mark_id, marked, system=system, sha256=sha256)
            except MarkIdTaken:
                continue
            return marked, mark_id
        raise MarkError(_ALL_TAKEN)

    def frames(self, frames: Iterable[NDArray[Any]], decision: Decision, mark_id: str) -> Iterator[NDArray[Any]]:
        """The frames of one output with their visible label and their watermark, each read back, one at a time.

        Args:
            frames: (H, W, 1, 3 or 4), uint8 or float in 0..1.
            mark_id: empty for no watermark.

        Raises:
            MarkError: the label cannot be drawn, or the watermark of a frame cannot be read back.
        """
        labelled = self._drawn(frames, decision) if self.asks_for_text(decision) else frames
        if not mark_id:
            yield from labelled
            return
        from guardrail.marks.video import mark_frames

        yield from mark_frames(labelled, self.stack, mark_id)

    def _drawn(self, frames: Iterable[NDArray[Any]], decision: Decision) -> Iterator[NDArray[Any]]:
        from guardrail.marks.visible import draw, visible_text

        text, place = visible_text(decision), str(decision.labels.get("visible_at", "bottom-right"))
        for frame in frames:
            yield draw(frame, text, place=place, font=self._font)

    def label(self, decision: Decision, mark_id: str, *, system: str, system_version: str = "") -> Label:
        """What the file of an output says."""
        label = label_for(
            decision,
            mark_id,
            system=system,
            system_version=system_version,
            provider=self.marking.provider,
            provider_code=self.marking.provider_code,
            signed=self.signs,
        )
        return self.stack.with_integrity(label)

    def sign(self, label: Label) -> Sign | None:
        """What signs the files of an output; None where nobody does."""
        if self.marking.signer is None:
            return None
        from guardrail.marks.credentials import signing

        return signing(label, self.marking.signer)

    def reads(self, pixels: NDArray[np.uint8], mark_id: str) -> bool:
        """Whether a watermark is read where it was put in an (H, W, 3 or 4) uint8 frame; transparent ones are looked at
        as `guardrail.verify` does. No search: a cut picture may carry a mark that is not read so.
        """
        views = renderings(pixels) if min(pixels.shape[:2]) >= _SMALLEST_SIDE else ()
        return any(
            reading.payload is not None and reading.payload.mark_id == mark_id
            for reading in (self.stack.read(view, search=False) for view in views)
        )

    def register_file(self, mark_id: str, content: bytes) -> None:
        """Enter a file of a registered picture, to be found by its bytes. Nothing where there is no registry.

        Raises:
            RegistryError: it cannot be written: then the file is not released.
        """
        if self._registry is not None:
            self._registry.add_file(mark_id, hashlib.sha256(content).hexdigest())

    def __deepcopy__(self, memo: dict[int, Any]) -> Marker:
        # One for all: it holds keys and an open file.
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Marker is not pickled: its keys would go along; make the guard where it is used")

    def register(self, decision: Decision, mark_id: str, first: NDArray[Any], *, system: str, sha256: str) -> None:
        """Write an output down in the registry, if there is one.

        Args:
            first: (H, W, C) pixels of its first frame as released.
            sha256: of its pixels before marking.

        Raises:
            RegistryError: it cannot be written: then the output is not released.
            MarkError: this mark is not in the frame.
        """
        if self._registry is None:
            return
        from guardrail.marks.registry import Entry, pdq_of

        pixels = eight_bits(np.asarray(first))
        colours = np.repeat(pixels[..., :1], 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]
        # The tag that is in the mark, of the pixels before it. Taken of the marked pixels, now and then a bit differs.
        reading = self.stack.read(np.ascontiguousarray(colours), search=False)
        if reading.payload is None or reading.payload.mark_id != mark_id:
            raise MarkError("the watermark that is to be registered cannot be read in the picture")
        self._registry.add(
            Entry(
                mark_id=mark_id,
                key=reading.key,
                tag=reading.payload.tag,
                pdq=pdq_of(shown(pixels)),
                sha256="",
                pixels_sha256=sha256,
                model=system,
                policy=f"{decision.policy.id} {decision.policy.version}",
                created=decision.created,
                decision=decision.id,
            )
        )


def free_mark_id(stack: MarkStack, registry: Registry | None, name: str) -> str:
    """The first id of a watermark that the registry does not know yet: of 40 bits, two of a million pictures share one.

    Args:
        registry: where ids may be taken; without one, it is always the first.
        name: what the ids are made of (see `MarkStack.mark_id`), such as the id of a decision.

    Raises:
        RegistryError: the registry cannot be read.
        MarkError: every id tried is taken.
    """
    for attempt in range(_ATTEMPTS):
        mark_id = stack.mark_id(name, attempt)
        if registry is None or not registry.path.exists() or registry.by_id(mark_id) is None:
            return mark_id
    raise MarkError(_ALL_TAKEN)
