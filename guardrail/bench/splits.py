"""Splits of a set of data (train, test), told by where a file lies and what it is called."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from guardrail.bench.files import MOST_BYTES_IN_A_LINE, SUFFIXES, DataError
from guardrail.bench.text import visible

__all__ = ["one_split", "split_of"]

_PARTED = re.compile(r"(?:-\d+)?(?:-of-\d+)?$")  # test-00000-of-00002
_SHOWN = 20


def split_of(path: Path) -> str:
    """The split that a file is of; empty where nothing says so.

    Of a folder that Hugging Face's `save_to_disk` wrote, its subfolder beside dataset_dict.json, or what its state.json
    says. Of any other, the file's name without the number of its part, as a hub has it (``test.jsonl``,
    ``test-00000-of-00001.parquet``), or the folder's where that name is a number alone (``test/0000.parquet``).
    """
    folder = path.parent
    if (folder.parent / "dataset_dict.json").is_file():
        return folder.name
    if path.suffix == ".arrow" and (folder / "state.json").is_file():
        return _of_state(folder / "state.json")
    name = path.name
    stem = next((name[: -len(suffix)] for suffix in SUFFIXES if name.lower().endswith(suffix)), path.stem)
    return folder.name if stem.isdecimal() else _PARTED.sub("", stem)


def _of_state(state: Path) -> str:
    try:
        told = json.loads(state.read_text("utf-8")) if state.stat().st_size <= MOST_BYTES_IN_A_LINE else None
    except (OSError, ValueError, RecursionError):
        return ""
    split = told.get("_split") if isinstance(told, dict) else None
    return split if isinstance(split, str) else ""


def one_split(split: str, given: Path, paths: Sequence[Path]) -> list[Path]:
    """The files of that split, of those that were given together.

    Raises:
        DataError: there are none; the message names the splits that there are.
    """
    kept = [path for path in paths if split_of(path) == split]
    if kept:
        return kept
    there = sorted({name for path in paths if (name := split_of(path))})
    have = ", ".join(visible(name[:40]) for name in there[:_SHOWN])
    mend = f"it has {have}: name one of these" if have else "it has none: leave --split out"
    raise DataError(f"{visible(str(given))} has no split {visible(split)!r}; {mend}")
