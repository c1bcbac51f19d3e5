"""Rows of labelled prompts, one at a time; what is wrong is named by file and line.

No message holds a prompt. A label or an id is repeated only where it looks like one, because with a wrong column name
it may be the prompt itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from guardrail.bench.descriptions import Description, known
from guardrail.bench.files import DataError, records, sha256
from guardrail.bench.layout import BENIGN, BLOCK, OTHER, Columns, Labels, label_map, own_label
from guardrail.bench.sources import sources
from guardrail.bench.text import visible

__all__ = [
    "BENIGN",
    "BLOCK",
    "OTHER",
    "Columns",
    "DataError",
    "DataFile",
    "Labels",
    "Row",
    "Survey",
    "label_map",
    "rows",
    "survey",
]

_LONGEST_VALUE = 100  # characters of a label, language, source or attack
_LONGEST_ID = 200
_GROUP, _PAIR = "group\n", "pair\n"  # before a word that is hashed
_PLAIN = re.compile(r"[\w.:/+-]{1,40}")
_FIELD, _FIELDS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}"), 10  # of a record, named in a message


class Row(NamedTuple):
    """A prompt with what is known of it.

    `id` is empty where the data name none; `place` is ``file:line``, of a table ``file:row``, in results without its
    folder. `pair` is the same for a harmful prompt and its benign twin, and empty for a prompt that nobody paired; it
    is no part of a prompt.
    """

    text: str
    label: str
    role: str
    lang: str
    source: str
    attack: str
    group: str
    id: str
    place: str
    pair: str = ""

    @property
    def name(self) -> str:
        return self.id or self.place


class DataFile(NamedTuple):
    """A file as it was when it was surveyed, how it is read, and what it is called in results."""

    path: Path
    sha256: str
    rows: int
    description: Description | None = None
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first look at all files found.

    Attributes:
        with_ids: every row has an id, and no two the same.
        twins: digest of a twin's text or id, as the other one names it → the pair.
        empty: rows whose text is empty or blank.
        repeated: rows with the text and the label of an earlier one.
        split: the only one that was read; empty for all.
        numbers: digest of a group's, or a pair's, own word, or of what is repeated → its number, in the order in which
            they come.
    """

    files: tuple[DataFile, ...]
    with_ids: bool
    twins: Mapping[bytes, str] = field(default_factory=dict)
    empty: int = 0
    repeated: int = 0
    split: str = ""
    numbers: Mapping[bytes, int] = field(default_factory=dict)

    def unnamed(self, row: Row) -> Row:
        """The row for a result: group and pair by number, since data name them as they like, by a prompt too."""
        group = f"group-{self.numbers[_digest(_GROUP + row.group)]}" if row.group else ""
        if not group and not row.pair and self.repeated and (same := self.numbers.get(_said(row))):
            group = f"same-{same}"  # one prompt twice says no more than once
        own = self.numbers.get(_digest(_PAIR + row.pair)) if row.pair else None
        return row._replace(group=group, pair=row.pair if own is None else f"own-pair-{own}")

    @property
    def rows(self) -> int:
        return sum(f.rows for f in self.files)

    @property
    def descriptions(self) -> tuple[Description, ...]:
        """Of all files, each once."""
        return tuple({id(f.description): f.description for f in self.files if f.description is not None}.values())


def survey(given: Sequence[Path], columns: Columns, labels: Labels, split: str = "") -> Survey:
    """Read everything once, so that what is wrong is said before anything is measured.

    Keeps 8 bytes of digest for each row, each id and each named twin, and no text.

    Args:
        given: names of data, files and folders, see `guardrail.bench.sources`.
        columns, labels: what they leave open, the description of a file may say.
        split: the only one to read; empty for all.

    Raises:
        DataError: with ``file:line`` and the mend; also where a file is not the one that its description lists, and
            where there is no row at all, since a rate of nothing would pass every limit.
        MissingExtra: Parquet and Arrow files need pyarrow.
    """
    files: list[DataFile] = []
    seen: dict[bytes, tuple[Path, int]] = {}
    twins: dict[bytes, str] = {}
    texts: set[bytes] = set()
    numbers: dict[bytes, int] = {}
    total, empty, repeated, shelved = 0, 0, 0, known()
    for source in sources(given, split):
        path, digest, count = source.path, sha256(source.path), 0
        described = source.description or next((d for d in shelved.values() if digest in d.files.values()), None)
        if described is not None:
            described.hold(path, digest)
        for line, row, twin in _rows_of(path, *_read_as(described, columns, labels)):
            count += 1
            empty += not row.text.strip()
            text = _said(row)
            if text in texts:
                repeated += 1
                numbers.setdefault(text, len(numbers) + 1)
            texts.add(text)
            for word in (_GROUP + row.group if row.group else "", _PAIR + row.pair if row.pair else ""):
                if word:
                    numbers.setdefault(_digest(word), len(numbers) + 1)
            if twin and (key := _digest(twin)) not in twins:
                twins[key] = f"pair-{len(twins) + 1}"
            if row.id:
                key = _digest(row.id)
                if key in seen:
                    first, at = seen[key]
                    raise DataError(
                        f"{path}:{line}: has the id of {first}:{at}; give each row an id of its own, or use "
                        "line numbers instead: --column id="
                    )
                seen[key] = path, line
        files.append(DataFile(path, digest, count, described, visible(source.shown)))
        total += count
    if not total:
        raise DataError(f"no rows in {', '.join(map(str, given))}: there is nothing to measure")
    return Survey(tuple(files), len(seen) == total, twins, empty, repeated, split, numbers)


def rows(
    found: Survey, columns: Columns, labels: Labels, limit: int | None = None, seed: int | None = None
) -> Iterator[Row]:
    """The rows again, at most `limit` of them, in their order.

    Args:
        seed: of a simple random sample of `limit` rows. Without it they are evenly spread over all, since files are
            often sorted by label.

    Raises:
        DataError: a file is no longer what was surveyed.
    """
    taken = _taken(found.rows, limit, seed)
    names = _names(found.files)
    for file, name in zip(found.files, names, strict=True):
        for line, row, twin in _rows_of(file.path, *_read_as(file.description, columns, labels)):
            if next(taken, False):
                row = row._replace(place=f"{name}:{line}")
                yield row._replace(pair=row.pair or _pair(row, twin, found.twins)) if found.twins else row
        if sha256(file.path) != file.sha256:
            raise DataError(f"{file.path} was changed while it was measured: run again")


def _names(files: Sequence[DataFile]) -> list[str]:
    """What each file is called in results, each by another name: where it lies is nobody's business, and may change."""
    names = [file.shown or visible(file.path.name) for file in files]
    return [f"{name} ({i})" if names.count(name) > 1 else name for i, name in enumerate(names, 1)]


def _taken(total: int, limit: int | None, seed: int | None) -> Iterator[bool]:
    """For each row whether it is in the sample; memory does not grow with the number of rows."""
    wanted = total if limit is None else min(limit, total)
    if seed is None:
        yield from (i * wanted // total != (i + 1) * wanted // total for i in range(total))
        return
    # Selection sampling: Knuth, The Art of Computer Programming, vol. 2, 3.4.2, algorithm S.
    draw = Random(seed)  # noqa: S311 - a sample, no secret
    for i in range(total):
        take = draw.random() * (total - i) < wanted
        wanted -= take
        yield take


def _said(row: Row) -> bytes:
    return _digest(f"{row.label}\n{row.text}")


def _digest(word: str) -> bytes:
    return blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _pair(row: Row, twin: str, twins: Mapping[bytes, str]) -> str:
    """A pair is numbered as its twin was first named: a digest of a prompt could be looked up."""
    if twin:
        return twins[_digest(twin)]
    by_text = twins.get(_digest(row.text), "") if row.role == BENIGN else ""
    return by_text or (twins.get(_digest(row.id), "") if row.id else "")


def _read_as(told: Description | None, columns: Columns, labels: Labels) -> tuple[Columns, Labels]:
    return (columns, labels) if told is None else (columns.or_told(told.columns), labels.or_told(told.label_map))


def _rows_of(path: Path, columns: Columns, labels: Labels) -> Iterator[tuple[int, Row, str]]:
    """(line, row, the text or the id of its twin if it names one)."""
    for line, record in records(path, (columns.text, columns.label), columns.names):
        place = f"{path}:{line}"
        twin = record.get(columns.pair_benign) if columns.pair_benign else None
        if twin is not None and not isinstance(twin, str | int):
            raise DataError(
                f"{place}: {columns.pair_benign!r} holds {_kind(twin)}, not the text or the id of a twin; name "
                "another: --column pair_benign=NAME"
            )
        yield line, _row(record, place, columns, labels), "" if twin is None else str(twin)


def _row(record: dict[str, Any], place: str, columns: Columns, labels: Labels) -> Row:
    text = record.get(columns.text)
    if not isinstance(text, str):
        # What looks like a name: a key could be anything, a prompt too.
        have = [] if columns.text in record else [name for name in record if _FIELD.fullmatch(name)][:_FIELDS]
        there = f" but the fields {', '.join(have)}" if have else ""
        raise DataError(
            f"{place}: has no text in {columns.text!r}{there}; if the prompt is in another column: --column text=NAME"
        )
    own = own_label(record.get(columns.label))
    label = labels.ours(_word(record if own is None else {columns.label: own}, columns.label, "label", place))
    role = labels.role(label)
    if role is None:
        shown = repr(label) if _PLAIN.fullmatch(label) else f"of {len(label)} characters"
        raise DataError(
            f"{place}: nobody said what the label {shown} means; say it with --block, --benign or --other, map it to "
            "one of theirs with --label-map OWN=OURS, or name the column that holds the label: --column label=NAME"
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
        pair=_word(record, columns.pair, "pair", place, _LONGEST_ID),
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
