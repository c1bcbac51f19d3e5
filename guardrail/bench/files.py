"""Records out of files, one at a time, so that memory does not grow with the file.

JSONL and CSV, plain or gzipped, are read here; Parquet and Arrow by `guardrail.bench.tabular`.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from hashlib import sha256 as new_sha256
from itertools import chain
from pathlib import Path
from typing import IO, Any, cast

from guardrail.bench import tabular
from guardrail.errors import ConfigurationError

__all__ = ["SUFFIXES", "DataError", "found_in", "records", "sha256"]

SUFFIXES = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", *tabular.SUFFIXES)
_STATE = "state.json"
_BETWEEN = {",": "commas", ";": "semicolons", "\t": "tabs"}
MOST_BYTES_IN_A_LINE = 16 << 20  # also bounds what a hostile .gz can make of a few bytes


class DataError(ConfigurationError):
    """The data of a benchmark cannot be used; the message has ``file:line`` and the mend, and no content."""


def found_in(given: Sequence[Path]) -> list[Path]:
    """The files, and those inside the folders (any depth, sorted by path).

    Of a folder that Hugging Face's `Dataset.save_to_disk` wrote, at any depth, the files that its state.json lists.

    Raises:
        DataError: one does not exist, has a name that says nothing of its format, is given twice, or a folder is empty,
            or lacks a file that its state.json lists.
    """
    known = ", ".join(SUFFIXES)
    paths: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and p.name.lower().endswith(SUFFIXES))
            for state in sorted(path.rglob(_STATE)):
                listed = _saved(state)
                missing = next((p for p in listed if not p.is_file()), None)
                if missing is not None:
                    raise DataError(f"{state} lists {missing.name!r}, which is not there: save the data set again")
                # Beside them lie what was computed of the data at some time, or indices into them.
                inside = [p for p in inside if p.parent != state.parent or p.suffix != ".arrow" or p in listed]
            if not inside:
                raise DataError(f"{path} holds no file that ends in {known}")
            paths += inside
        elif not path.is_file():
            raise DataError(f"{path} is not there")
        elif not path.name.lower().endswith(SUFFIXES):
            raise DataError(f"{path}: the name must end in one of {known}: it says how the file is read")
        else:
            paths.append(path)
    resolved = [p.resolve() for p in paths]
    for i, one in enumerate(resolved):
        if one in resolved[:i]:
            raise DataError(f"{paths[i]} is given twice: its rows would count twice")
    return paths


def _saved(state: Path) -> list[Path]:
    """The files of a saved data set; none where another program wrote the state.json.

    Raises:
        DataError: it cannot be read, names a file of another folder, or its rows are chosen by an index of their own.
    """
    try:
        told = json.loads(state.read_text("utf-8")) if state.stat().st_size <= MOST_BYTES_IN_A_LINE else None
    except (OSError, ValueError, RecursionError):
        raise DataError(f"{state} cannot be read as JSON: save the data set again") from None
    if not isinstance(told, dict) or "_data_files" not in told:
        return []
    if told.get("_indices_data_files") or told.get("_indices_files"):
        raise DataError(f"{state}: an index chooses among the rows: save the data set again after flatten_indices()")
    names = [f.get("filename") for f in told["_data_files"] if isinstance(f, dict)] if told["_data_files"] else []
    if not names or not all(isinstance(n, str) and n == Path(n).name for n in names):
        raise DataError(f"{state} does not list files of its own folder: save the data set again")
    return [state.parent / str(name) for name in names]


def sha256(path: Path) -> str:
    """Of the bytes of the file as it lies there, in hex.

    Raises:
        DataError: it cannot be read.
    """
    digest = new_sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def records(path: Path, required: Sequence[str], wanted: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, Any]]]:
    """(1-based line on which it begins, record) for each; empty lines are skipped. Of a table, (1-based row, record).

    Args:
        required: columns that a table, or the head of a CSV file, has to name. The rows of a JSONL file are looked at
            by the caller.
        wanted: the columns that are used at all: none of them may be there twice, and a table is read no further.

    Raises:
        DataError: a line is no record.
        MissingExtra: a table needs pyarrow, which is not installed.
    """
    name = path.name.lower()
    if name.endswith(tabular.SUFFIXES):

        def fail(row: int | None, what: str) -> DataError:
            return DataError(f"{path}: {what}" if row is None else f"{path}:{row}: {what}")

        yield from tabular.records(path, required, wanted, fail)
    elif name.endswith((".csv", ".csv.gz")):
        yield from _csv(path, required, wanted)
    else:
        for line, text in _lines(path):
            if text.strip():
                yield line, _object(path, line, text)


def _object(path: Path, line: int, text: str) -> dict[str, Any]:
    try:
        record = _DECODER.decode(text)
    except _TwiceError:
        raise DataError(f"{path}:{line}: an object names a field twice: keep one of the two") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{line}:{error.colno}: no JSON ({error.msg}): one object a line") from None
    except RecursionError:
        raise DataError(f"{path}:{line}: nested too deeply: one object a line") from None
    except ValueError:
        raise DataError(f"{path}:{line}: holds a number too long to read: one object a line") from None
    if not isinstance(record, dict):
        raise DataError(f"{path}:{line}: no object: each line is {{…}} with a text and a label")
    return record


class _TwiceError(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values of one name Python would keep the last, other programs keep the first."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _TwiceError
    return made


_DECODER = json.JSONDecoder(object_pairs_hook=_once)


def _csv(path: Path, required: Sequence[str], wanted: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    limit = csv.field_size_limit(MOST_BYTES_IN_A_LINE)
    begins = 1
    lines = (text for _, text in _lines(path))
    first = next(lines, "")
    # The head decides: "," wherever it has one, since a text may hold any of them.
    between = next((sign for sign in ",;\t" if sign in first), ",")
    reader = csv.reader(chain((first,), lines) if first else lines, strict=True, delimiter=between)
    try:
        head = [name.strip() for name in next(reader, [])]
        for name in required:
            if name not in head:
                have = ", ".join(head[:20]) or "no column"
                raise DataError(f"{path}:1: has no column {name!r} but {have}; map it: --column FIELD=NAME")
        twice = next((name for name in (*required, *wanted) if head.count(name) > 1), None)
        if twice is not None:
            raise DataError(f"{path}:1: has two columns {twice!r}: rename one, or read another: --column FIELD=NAME")
        begins = reader.line_num + 1
        for values in reader:
            if values:
                if len(values) != len(head):
                    raise DataError(
                        f"{path}:{begins}: {len(values)} values for {len(head)} columns: put quotes around a text with "
                        f"{_BETWEEN[between]}"
                    )
                # An empty cell is no value, as a field left out of a JSON object is none; but an empty prompt is one.
                yield begins, {k: v for k, v in zip(head, values, strict=True) if v or k in required}
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}:{begins}: no CSV ({error}): is a quote left open?") from None
    finally:
        csv.field_size_limit(limit)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    line = 0
    try:
        with _opened(path) as file:
            while raw := file.readline(MOST_BYTES_IN_A_LINE + 1):
                line += 1
                if len(raw) > MOST_BYTES_IN_A_LINE:
                    raise DataError(f"{path}:{line}: longer than {MOST_BYTES_IN_A_LINE >> 20} MiB: split the row")
                yield line, raw.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path}:{line}: no UTF-8: convert the file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(f"{path}:{line + 1}: the gzip stream is broken or cut off: fetch the file again") from None
    except OSError as error:
        raise DataError(f"{path}:{line + 1}: cannot be read: {error.strerror}") from None


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")
