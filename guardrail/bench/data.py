"""Rows of labelled prompts out of JSONL and CSV files, one at a time; what is wrong is named by file and line.

No message holds a prompt. A label or an id is repeated only where it looks like one, because with a wrong column name
it may be the prompt itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from guardrail.bench.files import DataError, records, sha256
from guardrail.bench.text import visible

__all__ = ["BENIGN", "BLOCK", "OTHER", "Columns", "DataError", "DataFile", "Labels", "Row", "Survey", "rows", "survey"]

BLOCK, BENIGN, OTHER = "block", "benign", "other"
"""What ought to become of a row: it is to be blocked, it is harmless, or neither counts against the policy."""

_LONGEST_VALUE = 100  # characters of a label, language, source or attack
_LONGEST_ID = 200
_DEFAULT_OTHER = ("person", "violence", "hate", "selfharm", "other_unsafe")
_PLAIN = re.compile(r"[\w.:/+-]{1,40}")


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns. `text` and `label` must be there; the others may be absent. An empty name: not used."""

    text: str = "text"
    label: str = "label"
    lang: str = "lang"
    source: str = "source"
    attack: str = "attack"
    group: str = "split_group"
    id: str = "id"

    @classmethod
    def of(cls, pairs: Sequence[str]) -> Columns:
        """From ``text=prompt`` and the like.

        Raises:
            DataError: it is not written so, or the first part is not one of the fields.
        """
        named: dict[str, str] = {}
        known = [f.name for f in fields(cls)]
        for pair in pairs:
            field, equals, name = pair.partition("=")
            if not equals or field not in known or (not name and field in ("text", "label")):
                raise DataError(f"--column {pair!r}: write FIELD=NAME, with FIELD one of {', '.join(known)}")
            named[field] = name
        return cls(**named)


@dataclass(frozen=True, slots=True)
class Labels:
    """Which labels are to be blocked, which are harmless, and which are unsafe in another way and counted apart."""

    block: tuple[str, ...] = ("sexual", "nudity")
    benign: tuple[str, ...] = ("benign",)
    other: tuple[str, ...] = _DEFAULT_OTHER

    def __post_init__(self) -> None:
        # What is "other" by default may be claimed by one of the two without a word.
        own = set(self.other) - set(_DEFAULT_OTHER)
        both = (set(self.block) & set(self.benign)) | ((set(self.block) | set(self.benign)) & own)
        if both:
            raise DataError(f"the label {min(both)} is given two meanings: name it once")

    def role(self, label: str) -> str | None:
        """One of `BLOCK`, `BENIGN`, `OTHER`; None where nobody said what the label means."""
        if label in self.block:
            return BLOCK
        if label in self.benign:
            return BENIGN
        return OTHER if label in self.other else None

    def to_json(self) -> dict[str, list[str]]:
        rest = [label for label in self.other if label not in (*self.block, *self.benign)]
        return {BLOCK: list(self.block), BENIGN: list(self.benign), OTHER: rest}


class Row(NamedTuple):
    """A prompt with what is known of it. `id` is empty where the data name none; `place` is ``file:line``."""

    text: str
    label: str
    role: str
    lang: str
    source: str
    attack: str
    group: str
    id: str
    place: str

    @property
    def name(self) -> str:
        return self.id or self.place


class DataFile(NamedTuple):
    """A file as it was when it was surveyed."""

    path: Path
    sha256: str
    rows: int


class Survey(NamedTuple):
    """What a first look at all files found. `with_ids`: every row has an id, and no two the same."""

    files: tuple[DataFile, ...]
    with_ids: bool

    @property
    def rows(self) -> int:
        return sum(f.rows for f in self.files)


def survey(paths: Sequence[Path], columns: Columns, labels: Labels) -> Survey:
    """Read everything once, so that what is wrong is said before anything is measured.

    Keeps 8 bytes of digest for each id and no text.

    Raises:
        DataError: with ``file:line`` and the mend; also where there is no row at all, since a rate of nothing would
            pass every limit.
    """
    files: list[DataFile] = []
    seen: dict[bytes, tuple[int, int]] = {}
    total = 0
    for number, path in enumerate(paths):
        digest, count = sha256(path), 0
        for line, row in _rows_of(path, columns, labels):
            count += 1
            if row.id:
                key = blake2b(row.id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
                if key in seen:
                    first, at = seen[key]
                    raise DataError(
                        f"{path}:{line}: has the id of {paths[first]}:{at}; give each row an id of its own, or use "
                        "line numbers instead: --column id="
                    )
                seen[key] = number, line
        files.append(DataFile(path, digest, count))
        total += count
    if not total:
        raise DataError(f"no rows in {', '.join(map(str, paths))}: there is nothing to measure")
    return Survey(tuple(files), len(seen) == total)


def rows(found: Survey, columns: Columns, labels: Labels, limit: int | None = None) -> Iterator[Row]:
    """The rows again, at most `limit` of them, evenly spread over all (files are often sorted by label).

    Raises:
        DataError: a file is no longer what was surveyed.
    """
    total, i = found.rows, 0
    wanted = total if limit is None else min(limit, total)
    for file in found.files:
        for _, row in _rows_of(file.path, columns, labels):
            if i * wanted // total != (i + 1) * wanted // total:
                yield row
            i += 1
        if sha256(file.path) != file.sha256:
            raise DataError(f"{file.path} was changed while it was measured: run again")


def _rows_of(path: Path, columns: Columns, labels: Labels) -> Iterator[tuple[int, Row]]:
    for line, record in records(path, (columns.text, columns.label)):
        place = f"{path}:{line}"
        yield line, _row(record, place, columns, labels)


def _row(record: dict[str, Any], place: str, columns: Columns, labels: Labels) -> Row:
    text = record.get(columns.text)
    if not isinstance(text, str):
        raise DataError(
            f"{place}: has no text in {columns.text!r}; if the prompt is in another column: --column text=NAME"
        )
    label = _word(record, columns.label, "label", place)
    role = labels.role(label)
    if role is None:
        shown = repr(label) if _PLAIN.fullmatch(label) else f"of {len(label)} characters"
        raise DataError(
            f"{place}: nobody said what the label {shown} means; say it with --block, --benign or --other, or name "
            "the column that holds the label: --column label=NAME"
        )
    return Row(
        text=text,
        label=label,
        role=role,
        lang=_word(record, columns.lang, "lang", place),
        source=_word(record, columns.source, "source", place),
        attack=_word(record, columns.attack, "attack", place),
        group=_word(record, columns.group, "group", place, _LONGEST_ID),
        id=_word(record, columns.id, "id", place, _LONGEST_ID),
        place=visible(place),
    )


def _word(record: dict[str, Any], column: str, field: str, place: str, longest: int = _LONGEST_VALUE) -> str:
    """A short value as printable text; empty where there is none."""
    value = record.get(column) if column else None
    if value is None:
        return ""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise DataError(f"{place}: {column!r} holds {_kind(value)}, not a word; name another: --column {field}=NAME")
    word = str(value).strip()
    if len(word) > longest:
        raise DataError(
            f"{place}: {column!r} holds {len(word)} characters, more than a {field} has ({longest}); is it the right "
            f"column? --column {field}=NAME"
        )
    return visible(word)


def _kind(value: object) -> str:
    return {list: "a list", dict: "an object", float: "a fraction", bool: "true or false"}.get(type(value), "no text")
