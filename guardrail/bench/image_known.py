"""A list of known images made of the pictures measured, in memory: to see which changed copies it still knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from guardrail.bench.files import sha256
from guardrail.errors import InputError, KnownImagesError
from guardrail.known import Hit, Probe
from guardrail.known.file import Rows
from guardrail.known.loaded import Loaded
from guardrail.known.merge import merged
from guardrail.known.pictures import rows_of_image
from guardrail.media.read import read_image

__all__ = ["KnownHere"]


class KnownHere:
    """A `guardrail.known.KnownImages` of the pictures given. Nothing of it is written.

    Attributes:
        listed: sha256 of the files that are on it.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        rows = Rows()
        self.pictures = 0
        self.listed: set[str] = set()
        for path in paths:
            try:
                more, _ = rows_of_image(read_image(path))
            except (InputError, KnownImagesError):
                continue  # it cannot be read, which its own sample says; or there is nothing in it to know it by
            rows, _ = merged(rows, more)
            self.pictures += 1
            self.listed.add(sha256(path))
        self._loaded = Loaded({"measured": rows})

    def asked(self) -> bool:
        return len(self._loaded) > 0

    def search(self, probe: Probe) -> Sequence[Hit]:
        return self._loaded.search(probe)
