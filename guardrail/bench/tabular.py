"""Records out of Parquet and Arrow files, a batch at a time: memory does not grow with the file.

Read by pyarrow (Apache-2.0) alone. Nothing that comes with a data set is run, and extension types are not loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from guardrail.bench.text import visible
from guardrail.errors import MissingExtra

__all__ = ["MOST_BYTES_IN_A_CELL", "SUFFIXES", "records"]

SUFFIXES = (".parquet", ".arrow")
MOST_BYTES_IN_A_CELL = 16 << 20
_BATCH_BYTES = 8 << 20  # of texts that are held as Python objects at once
_BATCH_ROWS, _FEWEST_ROWS = 1024, 32
# No text is longer than all that its row group holds, but the same text may stand in every row of it, written once.
_DECODED_BYTES = 64 << 20

Fail = Callable[[int | None, str], Exception]
"""The error for a row (None: the whole file) and what is wrong with it."""


def records(
    path: Path, required: Sequence[str], wanted: Sequence[str], fail: Fail
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(1-based row, record) for each row; a record has the columns of `wanted` that the file has, and no others.

    A column that Hugging Face's metadata call a class label gives the names of its classes. Parquet decodes a page as
    a whole, which its format bounds at 2 GiB; usual are 1 MiB. Arrow reads a batch as it was written, usually of 1,000
    rows.

    Args:
        required: columns that must be there.
        fail: makes the error.

    Raises:
        MissingExtra: pyarrow is not installed.
        Exception: what `fail` makes: it is no such file, is cut off or broken, lacks a column or has one twice, or a
            column that is read holds lists or objects.
    """
    try:
        import pyarrow as pa
    except ImportError:
        raise MissingExtra(f"reading {path.suffix.lower()} files", "bench") from None
    row = 0
    try:
        for batch, classes in (
            _parquet(path, required, wanted, fail) if _is_parquet(path) else _arrow(path, required, wanted, fail)
        ):
            for record in _records(batch, classes, row, fail):
                row += 1
                yield row, record
    except pa.ArrowNotImplementedError:
        raise fail(
            row + 1, "is written in a way that this pyarrow cannot read: write it again with common compression"
        ) from None
    except (pa.ArrowException, MemoryError, OverflowError, UnicodeDecodeError):
        raise fail(row + 1, "is broken, cut off or encrypted: fetch or write the file again") from None
    except OSError as error:
        # What Arrow found wrong itself has no errno, and its message may repeat what the file holds.
        what = f"cannot be read: {error.strerror}" if error.errno else "is broken or cut off: fetch the file again"
        raise fail(row + 1, what) from None


def _is_parquet(path: Path) -> bool:
    return path.name.lower().endswith(".parquet")


def _parquet(
    path: Path, required: Sequence[str], wanted: Sequence[str], fail: Fail
) -> Iterator[tuple[Any, Mapping[str, list[str]]]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        chosen, classes = _columns(file.schema_arrow, required, wanted, fail)
    if not chosen:
        return
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        for number in range(file.metadata.num_row_groups):
            # Of all columns: asking for those of one ends the process where a broken file has odd statistics.
            group = file.metadata.row_group(number)
            at_once = max(_FEWEST_ROWS, min(_BATCH_ROWS, _DECODED_BYTES // max(group.total_byte_size, 1)))
            for batch in file.iter_batches(at_once, [number], list(chosen), use_threads=False):
                yield batch, classes


def _arrow(
    path: Path, required: Sequence[str], wanted: Sequence[str], fail: Fail
) -> Iterator[tuple[Any, Mapping[str, list[str]]]]:
    import pyarrow as pa

    # Not mapped into memory: a file that is cut while it is read would end the process, not the reading.
    with pa.OSFile(str(path), "rb") as opened:
        as_file = opened.read(6) == b"ARROW1"
        opened.seek(0)
        read = pa.ipc.open_file if as_file else pa.ipc.open_stream
        schema = read(opened).schema
        chosen, classes = _columns(schema, required, wanted, fail)
        opened.seek(0)
        options = pa.ipc.IpcReadOptions(
            included_fields=[i for i, name in enumerate(schema.names) if name in chosen], use_threads=False
        )
        reader = read(opened, options=options)
        for batch in (reader.get_batch(i) for i in range(reader.num_record_batches)) if as_file else reader:
            batch.validate(full=True)  # Arrow reads offsets unchecked
            yield batch, classes


def _columns(
    schema: Any, required: Sequence[str], wanted: Sequence[str], fail: Fail
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The columns that are read with their types, and the classes of those that number them."""
    import pyarrow as pa

    names = list(schema.names)
    for name in required:
        if name not in names:
            have = ", ".join(visible(n[:40]) for n in names[:20]) or "no column"
            raise fail(None, f"has no column {name!r} but {have}; map it: --column FIELD=NAME")
    chosen: dict[str, Any] = {}
    for name in names:
        if name not in (*required, *wanted):
            continue
        kind = schema.field(names.index(name)).type
        if name in chosen:
            raise fail(None, f"has two columns {name!r}: rename one, or read another: --column FIELD=NAME")
        if pa.types.is_nested(kind) or pa.types.is_run_end_encoded(kind):
            raise fail(
                None,
                f"the column {name!r} holds {_nested(kind)}: write it out as one plain value a row, or name another "
                "column: --column FIELD=NAME",
            )
        chosen[name] = kind
    return chosen, _classes(schema.metadata, chosen)


def _nested(kind: Any) -> str:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return "objects"
    if pa.types.is_map(kind):
        return "maps"
    return "run-end-encoded values" if pa.types.is_run_end_encoded(kind) else "lists"


def _classes(metadata: Mapping[bytes, bytes] | None, chosen: Mapping[str, Any]) -> dict[str, list[str]]:
    """Names of classes by column, as Hugging Face's `datasets` writes them into the schema; what is not so is none."""
    import pyarrow as pa

    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {
            name: list(map(str, told["names"]))
            for name, told in features.items()
            if name in chosen and told.get("_type") == "ClassLabel" and pa.types.is_integer(chosen[name])
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _records(batch: Any, classes: Mapping[str, list[str]], before: int, fail: Fail) -> Iterator[dict[str, Any]]:
    names = list(batch.schema.names)
    columns = [_bounded(column, name, before, fail) for name, column in zip(names, batch.columns, strict=True)]
    # As many rows at a time as are small together, whatever the longest of them holds.
    at_once = max(1, _BATCH_BYTES // max(1, sum(longest for _, longest in columns)))
    for start in range(0, batch.num_rows, at_once):
        values = [_values(column.slice(start, at_once), before + start, fail) for column, _ in columns]
        for i, cells in enumerate(zip(*values, strict=True)):
            record = dict(zip(names, cells, strict=True))
            for name, of in classes.items():
                record[name] = _class(record[name], of, name, before + start + i + 1, fail)
            yield record


def _bounded(column: Any, name: str, before: int, fail: Fail) -> tuple[Any, int]:
    """The column as something whose lengths are known, and the bytes of its longest cell."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string_view(column.type) or pa.types.is_binary_view(column.type):
        column = column.cast(pa.large_string() if pa.types.is_string_view(column.type) else pa.large_binary())
    coded = pa.types.is_dictionary(column.type)
    told = column.dictionary if coded else column
    if not (_is_text(told.type) or pa.types.is_binary(told.type) or pa.types.is_large_binary(told.type)):
        return column, 8
    lengths = pc.binary_length(told)
    longest = pc.max(lengths).as_py() or 0
    if longest > MOST_BYTES_IN_A_CELL:
        by_row = pc.take(lengths, column.indices) if coded else lengths
        at = pc.index(pc.greater(by_row, MOST_BYTES_IN_A_CELL), True).as_py()
        if at >= 0:
            raise fail(before + at + 1, f"{name!r} is longer than {MOST_BYTES_IN_A_CELL >> 20} MiB: split the row")
        longest = pc.max(by_row).as_py() or 0
    return column, longest


def _values(column: Any, before: int, fail: Fail) -> list[Any]:
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        pass
    for i, cell in enumerate(column):  # which one it was
        try:
            cell.as_py()
        except UnicodeDecodeError:
            raise fail(before + i + 1, "no UTF-8: convert the file") from None
    raise fail(before + 1, "no UTF-8: convert the file")


def _class(value: int | None, names: Sequence[str], column: str, row: int, fail: Fail) -> str | None:
    if value is None or value == -1:  # how `datasets` writes that a row has no label
        return None
    if not 0 <= value < len(names):
        raise fail(row, f"{column!r} holds the class {value}, of which the file has no name: write the file again")
    return names[value]
