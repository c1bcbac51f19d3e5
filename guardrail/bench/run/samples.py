"""results.jsonl: one line a sample, appended as it is measured, so that a run that was killed goes on from there.

The first line says what the samples are of. A last line that was cut off is dropped; whatever else cannot be read, or
is of another run, is refused: figures of two policies must not become one.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from guardrail.bench.files import DataError
from guardrail.bench.run.record import METRICS, RUN
from guardrail.bench.text import visible

__all__ = ["FILE", "Samples", "damaged", "iter_samples", "read_samples"]

FILE = "results.jsonl"
FORMAT = 1
_FLUSH_EVERY = 64
_NAMES, _LONGEST_NAME = 8, 60  # of parts of an identity, in a message


class Samples:
    """Appends samples to a file, or keeps none where there is no file.

    Args:
        path: the file; None where nothing is kept on disk.
        identity: what the samples depend on (suite, policy, models, data, seed, …), JSON; two runs with the same one
            give the same samples.
        fresh: begin anew, whatever is there.
        keep: keep those that are there already in `done`; without, `count` alone says how many they are.

    Raises:
        DataError: the file cannot be written, is damaged, or is of another run.
    """

    def __init__(
        self, path: Path | None, identity: Mapping[str, Any], *, fresh: bool = False, keep: bool = True
    ) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._since = 0
        self._grown = False
        self.done: list[dict[str, Any]] = []
        self.count = 0
        if path is None:
            return
        head = {"format": FORMAT, "identity": json.loads(json.dumps(identity))}
        try:
            self._file = path.open("ab")
            _hold(self._file, path)
            if fresh:
                self._file.truncate(0)
            if path.stat().st_size:
                self._resume(path, head, keep=keep)
            else:
                self._write(head)
                self.flush()
        except OSError as error:
            self.close()
            raise DataError(f"{path} cannot be written to: {error.strerror}") from None
        except DataError:
            self.close()
            raise

    def _resume(self, path: Path, head: Mapping[str, Any], *, keep: bool) -> None:
        whole = 0
        for number, line in _lines(path):
            row = _row(path, number, line)
            if number > 1:
                self.count += 1
                if keep:
                    self.done.append(row)
            elif row != head:
                raise DataError(
                    f"{path} holds the samples of another run ({_differing(row, head)}): name another folder, or begin "
                    "anew with --fresh"
                )
            whole += len(line)
        if not whole:
            raise DataError(f"{path} is no results.jsonl: name another folder, or begin anew with --fresh")
        assert self._file is not None
        self._file.truncate(whole)

    def add(self, sample: Mapping[str, Any]) -> None:
        """Append one; it is on disk within some samples, and after `close`."""
        if self._file is None:
            return
        self._write(sample)
        self._since += 1
        if self._since >= _FLUSH_EVERY:
            self.flush()

    def _write(self, row: Mapping[str, Any]) -> None:
        assert self._file is not None
        if not self._grown and self._path is not None:
            # What an earlier command made of these samples says nothing of those that come now.
            self._grown = True
            for name in (RUN, METRICS):
                self._path.with_name(name).unlink(missing_ok=True)
        text = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
        self._file.write(text.encode("utf-8", "surrogatepass"))

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()
            self._since = 0

    def close(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def __enter__(self) -> Samples:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _hold(file: IO[bytes], path: Path) -> None:
    """Keep other processes from writing to the file as long as it is open, where the system has such locks."""
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(
            f"{path} is being written by another process: wait until it is done, or name another folder"
        ) from None


def damaged(path: Path | None) -> DataError:
    """For samples that are not those of the rows, in their order."""
    return DataError(f"{path or FILE} does not hold the samples of these rows, one each: begin anew with --fresh")


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The parts of two identities that differ, by name: what they hold is told nowhere."""
    old, new = before.get("identity"), now["identity"]
    if before.get("format") != now["format"] or not isinstance(old, dict):
        return "of another version of guardrail"
    names: list[str] = []
    for name in sorted({*old, *new}):
        a, b = old.get(name), new.get(name)
        if a == b:
            continue
        if isinstance(a, dict) and isinstance(b, dict):
            names += [f"{name}.{part}" for part in sorted({*a, *b}) if a.get(part) != b.get(part)]
        else:
            names.append(name)
    shown = [visible(name[:_LONGEST_NAME]) for name in names[:_NAMES]]
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"another {', '.join(shown)}{more}"


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each whole line; a last one that was cut off is left out."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n"):
                yield number, line


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise DataError(f"{path}:{number}: no sample: the file is damaged; begin anew with --fresh")
    return row


def iter_samples(path: Path) -> Iterator[dict[str, Any]]:
    """The samples of a run one by one, without its first line; memory does not grow with them.

    Raises:
        DataError: the file cannot be read, or a line is no sample.
    """
    try:
        for number, line in _lines(path):
            if number > 1:
                yield _row(path, number, line)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def read_samples(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(identity, samples) of a finished run.

    Raises:
        DataError: it cannot be read, or is no such file.
    """
    try:
        rows = [_row(path, number, line) for number, line in _lines(path)]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    if not rows or rows[0].get("format") != FORMAT or not isinstance(rows[0].get("identity"), dict):
        raise DataError(f"{path} is no results.jsonl of this version: measure anew")
    return rows[0]["identity"], rows[1:]
