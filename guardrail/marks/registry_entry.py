"""One entry of the registry of marks."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Any

from guardrail.media.pdq import BYTES

__all__ = ["COLUMNS", "Entry", "is_sha256", "microseconds", "row_of"]

COLUMNS = "mark_id, key, tag, pdq, sha256, pixels_sha256, model, policy, created, decision"
_ID = re.compile(r"[0-9a-f]{1,32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One released picture.

    Args:
        mark_id: of its watermark, hexadecimal.
        key: the id of the key that it was marked with.
        tag: the content tag in its watermark, 0 <= tag < 2**63.
        pdq: perceptual hash of the released pixels, 32 bytes; ``None`` where there is too little in them for it to mean
            anything (see `pdq_of`).
        sha256: of the bytes of its first file, 64 hex digits; empty where no file was released yet.
        pixels_sha256: of the pixels before marking, as in the decision; empty where not known.
        model: the generator, and `policy` the rules, by name.
        created: RFC 3339 with an offset.
        decision: the id of the decision that it was released by, which leads to the record; empty where nobody judged
            it (a file that the operator marked).

    Raises:
        ValueError: a field is not of this form.
    """

    mark_id: str
    key: str
    tag: int
    pdq: bytes | None = field(repr=False)
    sha256: str
    pixels_sha256: str
    model: str
    policy: str
    created: str
    decision: str = ""

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.mark_id):
            raise ValueError("a mark id is 1 to 32 hexadecimal digits, in small letters")
        if not 0 <= self.tag < 1 << 63:
            raise ValueError("a content tag is a number of at most 63 bits")
        if self.pdq is not None and len(self.pdq) != BYTES:
            raise ValueError(f"a PDQ hash has {BYTES} bytes")
        if not all(is_sha256(value) or value == "" for value in (self.sha256, self.pixels_sha256)):
            raise ValueError("a SHA-256 is 64 hexadecimal digits, in small letters, or empty")
        microseconds(self.created)

    def to_json(self) -> dict[str, Any]:
        said = {name: getattr(self, name) for name in COLUMNS.split(", ")}
        return said | {"pdq": None if self.pdq is None else self.pdq.hex()}


def is_sha256(text: str) -> bool:
    """Whether a text is 64 hexadecimal digits, in small letters."""
    return _SHA256.fullmatch(text) is not None


def row_of(entry: Entry) -> tuple[object, ...]:
    """Its values, in the order of `COLUMNS`."""
    return tuple(getattr(entry, name) for name in COLUMNS.split(", "))


def microseconds(created: str) -> int:
    """Since 1970.

    Raises:
        ValueError: not RFC 3339, or without an offset.
    """
    at = dt.datetime.fromisoformat(created)
    if at.tzinfo is None:
        raise ValueError("a time needs its zone: 2026-11-28T09:00:00Z")
    return (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
