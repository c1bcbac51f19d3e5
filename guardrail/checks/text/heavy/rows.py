"""Labelled prompts to fit a head from."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guardrail.errors import ConfigurationError

__all__ = ["Row", "read_rows", "sampled"]

SEXUAL = frozenset({"sexual", "nudity", "explicit", "nsfw", "undress-edit"})
BENIGN = frozenset({"benign", "safe", "harmless", "sfw"})
# Where the label is a search keyword, the share of sample pictures with nudity tells: below this a row is no positive
# (../shared/design/prompts.md, on I2P).
LEAST_NUDITY_PERCENT = 10.0


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled prompt.

    Args:
        text: never printed, logged or stored.
        sexual: whether it asks for nudity or sexual content.
        group: rows of one group are never on both sides of a split; by default the text itself.
    """

    text: str = field(repr=False)
    sexual: bool
    group: str = ""


def read_rows(path: str | Path) -> Iterator[Row]:
    """Rows of a file with one JSON object a line (``.jsonl``, also ``.gz``): ``text``; ``label``, a word, a list of
    words or true/false; optionally ``split_group`` and ``nudity_pct``. Labels that are neither sexual nor benign (such
    as violence) and artistic nudity are left out.

    Raises:
        ConfigurationError: it cannot be read, or a line is no such object; with its number.
    """
    path = Path(path)
    opened: Any = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield from _row(line, f"{path}:{number}")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the labelled prompts {path} cannot be read: {type(error).__name__}") from None


def _row(line: str, where: str) -> Iterator[Row]:
    try:
        entry = json.loads(line)
        text, label = entry["text"], entry["labels"] if "labels" in entry else entry["label"]
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(f"{where}: a line is a JSON object with text and label") from None
    if not isinstance(text, str):
        raise ConfigurationError(f"{where}: text is not text")
    sexual = _meaning(label)
    percent = entry.get("nudity_pct")
    weak = bool(sexual) and isinstance(percent, int | float) and percent < LEAST_NUDITY_PERCENT
    if sexual is not None and not weak and text.strip():
        yield Row(text, sexual, str(entry.get("split_group") or ""))


def _meaning(label: Any) -> bool | None:
    """True: sexual. False: benign. None: to be left out."""
    if isinstance(label, bool | int):
        return bool(label)
    words = {str(w).lower() for w in (label if isinstance(label, list) else [label])}
    if words & SEXUAL:
        return True
    return False if words and words <= BENIGN else None


def sampled(rows: Iterable[Row], most: int) -> list[Row]:
    """At most `most` rows of each kind, each text once: the same ones for the same rows, in whatever order."""
    order = {row.text: row for row in rows}
    by_hash = sorted(order.values(), key=lambda r: hashlib.sha256(r.text.encode("utf-8", "replace")).digest())
    return [r for kind in (True, False) for r in [r for r in by_hash if r.sexual is kind][:most]]
