"""What is attacked: the watermark alone, and the whole of what the guard makes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import MarkError
from guardrail.keys import Keyring
from guardrail.marks.payload import Payload, shape_of
from guardrail.marks.stack import MarkStack
from guardrail.marks.tileline import TileLine

__all__ = ["Looked", "System", "systems"]

Pixels = NDArray[np.uint8]


class Looked(NamedTuple):
    """What a detector answers.

    Attributes:
        binding: whether the mark belongs to this picture, in a word; empty where the system cannot tell.
    """

    verdict: str
    payload: int | None
    statistic: float
    sync: float
    binding: str = ""


class System(Protocol):
    """A service that marks and looks. It never gives its key away.

    Attributes:
        chooses_payload: whoever asks for a mark says which; a system that makes its own payloads does not.
        refused: pictures that it did not mark, because the mark could not be read back; they were handed on unmarked.
    """

    name: str
    chooses_payload: bool
    refused: int

    def mark(self, pixels: Pixels, what: object) -> tuple[Pixels, int]:
        """A marked copy, and the payload in it; another one for every `what`."""

    def look(self, pixels: Pixels) -> Looked:
        """The full search."""

    def ask(self, pixels: Pixels) -> Looked:
        """The fast path."""


class _Bare:
    name, chooses_payload = "TileLine", True

    def __init__(self, seed: bytes, psnr_db: float) -> None:
        self._seed = seed
        self.refused = 0
        self._mark = TileLine(hashlib.sha256(b"key" + seed).digest(), psnr_db=psnr_db)

    def mark(self, pixels: Pixels, what: object) -> tuple[Pixels, int]:
        payload = int.from_bytes(hashlib.sha256(self._seed + repr(what).encode()).digest()[:8], "big")
        return self._mark.embed(pixels, payload), payload

    def look(self, pixels: Pixels) -> Looked:
        found = self._mark.detect(pixels)
        return Looked(found.verdict, found.payload, found.statistic, found.sync)

    def ask(self, pixels: Pixels) -> Looked:
        found = self._mark.detect(pixels, search=False)
        return Looked(found.verdict, found.payload, found.statistic, found.sync)


class _Stacked:
    """As the guard marks and verifies: the content tag of the picture is in the payload."""

    name, chooses_payload = "MarkStack", False

    def __init__(self, seed: bytes, psnr_db: float) -> None:
        self._stack = MarkStack(
            Keyring([hashlib.sha256(b"secret" + seed).digest()], source="a benchmark"), psnr_db=psnr_db
        )
        self.refused = 0

    def mark(self, pixels: Pixels, what: object) -> tuple[Pixels, int]:
        mark_id = self._stack.mark_id(repr(what))
        payload = Payload(mark_id, self._stack.tag(pixels), shape_of(*pixels.shape[:2])).to_int()
        try:
            return np.asarray(self._stack.embed(pixels, mark_id), np.uint8), payload
        except MarkError:
            self.refused += 1
            return pixels, payload

    def look(self, pixels: Pixels) -> Looked:
        return self._read(pixels, search=True)

    def ask(self, pixels: Pixels) -> Looked:
        return self._read(pixels, search=False)

    def _read(self, pixels: Pixels, *, search: bool) -> Looked:
        read = self._stack.read(pixels, search=search)
        found = read.found
        return Looked(found.verdict, found.payload, found.statistic, found.sync, read.binding or "")


def systems(name: str, psnr_db: float) -> Sequence[System]:
    """Fresh ones, with keys that come from a name and from nothing real."""
    seed = hashlib.sha256(f"guardrail bench marks, attacks|{name}".encode()).digest()
    return _Bare(seed, psnr_db), _Stacked(seed, psnr_db)
