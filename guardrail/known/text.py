"""Reading the text form in which hash lists are exchanged: one hash a line, then its distance and a tag, if any.

    f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22,31,case-17
    0123…cdef                                        hash alone
    # a remark

Commas, semicolons, tabs or spaces between the columns; a first line with the names of the columns is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from guardrail.errors import KnownImagesError
from guardrail.known.file import PDQ, SHA256, Rows
from guardrail.known.index import LARGEST_DISTANCE

__all__ = ["read_text", "rows_of_lines"]

_LINE = re.compile(r"([0-9a-fA-F]{64})(?:\s*[,;\s]\s*(\d{1,3}))?(?:\s*[,;\s]\s*(.*))?")
_HEAD = re.compile(r"[a-z_ ]*(hash|hex|pdq|sha)", re.IGNORECASE)
LONGEST_TAG = 200


def read_text(path: Path, *, sha256: bool = False) -> Rows:
    """The hashes of a file.

    Args:
        sha256: they are SHA-256 of whole files, not PDQ: both have 64 hex digits.

    Raises:
        KnownImagesError: it cannot be read, or a line is none of the above; the message has its number.
    """
    try:
        with path.open(encoding="utf-8-sig") as lines:
            return rows_of_lines(lines, str(path), sha256=sha256)
    except (OSError, UnicodeDecodeError) as error:
        raise KnownImagesError(f"{path} cannot be read: {type(error).__name__}") from None


def rows_of_lines(lines: Iterable[str], where: str, *, sha256: bool = False) -> Rows:
    """As `read_text`, of lines; `where` is what errors call them."""
    digits: list[str] = []
    limits: list[int] = []
    tags: list[str] = []
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line or line.startswith("#") or (not digits and _HEAD.match(line)):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise KnownImagesError(f"{where}:{number}: neither a hash of 64 hex digits, nor one with distance and tag")
        limit = LARGEST_DISTANCE if match[2] is None else int(match[2])
        if limit > LARGEST_DISTANCE:
            raise KnownImagesError(
                f"{where}:{number}: a distance of {limit} is no match; {LARGEST_DISTANCE} is the largest"
            )
        digits.append(match[1])
        limits.append(limit)
        tags.append((match[3] or "").strip()[:LONGEST_TAG])
    if not digits:
        raise KnownImagesError(f"{where} holds no hashes")
    return Rows(
        np.frombuffer(bytes.fromhex("".join(digits)), np.uint8).reshape(-1, 32),
        np.full(len(digits), SHA256 if sha256 else PDQ, np.uint8),
        np.array(limits, np.uint8),
        np.arange(len(digits), dtype=np.uint32),
        tuple(tags),
    )
