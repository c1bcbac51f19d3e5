"""What a set of data is, in a file of its own: where it came from, what its labels mean, what it may not be used for.

    name: devtest                   # --data devtest
    version: "1"
    title: Prompts to tune and test with
    licence: CC BY 4.0
    languages: [en, ko]
    labels: {sexual: what is counted as such}
    not_for: [training]
    source: where it came from
    homepage: https://example.org/  # or null
    files:
      - {path: prompts/devtest.jsonl.gz, sha256: …}

and, where they apply, `folder` (of a set of pictures; a csv among the files may hold their sha256), `parts` (licence by
source), `columns` and `label_map` (as --column and --label-map), `notes`. It lies

- in ``benchmarks/data/NAME.yaml`` of a checkout, or as ``*.yaml`` in ``$GUARDRAIL_BENCH_DATA``: paths are below that
  folder (``../shared/data`` beside the checkout, where nothing else is set);
- as ``data.yaml`` in the folder with the data, or as ``FILE.yaml`` beside FILE: paths are below its own folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from guardrail.bench.description_file import Table, inside
from guardrail.bench.files import DataError, sha256
from guardrail.bench.layout import Columns

__all__ = ["NO_DESCRIPTION", "Description", "known", "named", "read_description", "shelf"]

NO_DESCRIPTION = "no description"
"""Said of data that nobody described."""

_WHERE = "GUARDRAIL_BENCH_DATA"
_NEEDED = ("name", "version", "licence", "languages", "labels", "not_for", "source", "files")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,60}")


@dataclass(frozen=True, slots=True)
class Description:
    """A set of data as its description tells it.

    Attributes:
        files: path → sha256. Paths are relative to `base` and stay inside it.
        folder: of a set of pictures, relative to `base`; empty for prompts.
        homepage: empty where there is none.
        parts: licence by what the column of sources calls a part.
        place: of the description itself.
    """

    name: str
    version: str
    title: str
    licence: str
    languages: tuple[str, ...]
    labels: Mapping[str, str]
    not_for: tuple[str, ...]
    source: str
    homepage: str
    files: Mapping[str, str]
    folder: str
    parts: Mapping[str, str]
    columns: Mapping[str, str]
    label_map: Mapping[str, str]
    notes: tuple[str, ...]
    place: Path
    base: Path

    @property
    def paths(self) -> dict[Path, str]:
        """The files where they are looked for → sha256."""
        return {self.base / path: digest for path, digest in self.files.items()}

    def hold(self, path: Path, digest: str) -> None:
        """See that a file is the one described.

        Raises:
            DataError: it has another sha256.
        """
        expected = next((d for p, d in self.paths.items() if p == path or p.resolve() == path.resolve()), digest)
        if digest != expected:
            raise DataError(
                f"{path} has the sha256 {digest[:12]}…, not {expected[:12]}… as {self.place} says: fetch the file "
                "again, or correct the description if the data were changed on purpose"
            )

    def at_hand(self) -> dict[Path, str]:
        """`paths`, all of which are there; whether they are the ones described is seen by `hold`.

        Raises:
            DataError: one is not there.
        """
        for path in self.paths:
            if not path.is_file():
                raise DataError(f"{path} is not there, but {self.place} lists it: fetch it, or set ${_WHERE}")
        return self.paths

    def hold_all(self) -> None:
        """See that every file is there and the one described.

        Raises:
            DataError: one is not.
        """
        for path in self.at_hand():
            self.hold(path, sha256(path))

    def to_json(self) -> dict[str, Any]:
        """Everything but where it lies: this travels with results."""
        told = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("place", "base")}
        plain = {
            k: list(v) if isinstance(v, tuple) else dict(v) if isinstance(v, Mapping) else v for k, v in told.items()
        }
        return {k: v for k, v in plain.items() if v or k not in ("folder", "parts", "columns", "label_map", "notes")}


def shelf() -> Path | None:
    """The folder that named data lie in: ``$GUARDRAIL_BENCH_DATA``, else ``../shared/data`` beside a checkout."""
    if given := os.environ.get(_WHERE):
        return Path(given).expanduser().absolute()
    beside = _checkout().parent / "shared" / "data"
    return beside if beside.is_dir() else None


def _checkout() -> Path:
    return Path(__file__).resolve().parents[2]


def known() -> dict[str, Description]:
    """Every set of data that can be asked for by name, sorted.

    Raises:
        DataError: a description is wrong, or two have one name.
    """
    base = shelf()
    folders = [_checkout() / "benchmarks" / "data", *([base] if base is not None else [])]
    found: dict[str, Description] = {}
    for path in (p for folder in folders for p in sorted(folder.glob("*.yaml"))):
        told = read_description(path, base or path.parent)
        if told.name in found:
            raise DataError(f"{path} and {found[told.name].place} have the name {told.name!r} both: rename one")
        found[told.name] = told
    return dict(sorted(found.items()))


def named(name: str) -> Description | None:
    """The description of that name, if there is one and its files are at hand.

    Raises:
        DataError: as `known`; or nobody said where the files are.
    """
    told = known().get(name) if _NAME.fullmatch(name) else None
    if told is not None and shelf() is None:
        raise DataError(f"{name}: say in which folder its files lie: set ${_WHERE}")
    return told


def read_description(path: Path, base: Path | None = None) -> Description:
    """Read and check one.

    Args:
        base: the folder that its paths are in; by default its own.

    Raises:
        DataError: with ``file:line`` and the mend.
    """
    table = Table(path)
    table.holds(_NEEDED)
    usual = {f.name for f in fields(Columns)}
    columns = table.words("columns")
    if unknown := sorted(set(columns) - usual):
        raise table.wrong("columns", f"has {unknown[0]!r}: its names are {', '.join(sorted(usual))}")
    made = Description(
        name=table.text("name"),
        version=table.text("version"),
        title=table.text("title", ""),
        licence=table.text("licence"),
        languages=table.texts("languages"),
        labels=table.words("labels", needed=True),
        not_for=table.texts("not_for"),
        source=table.text("source"),
        homepage=table.text("homepage", ""),
        files=table.files(),
        folder=table.text("folder", ""),
        parts=table.words("parts"),
        columns=columns,
        label_map=table.words("label_map"),
        notes=table.texts("notes", needed=False),
        place=path,
        base=base or path.parent,
    )
    table.nothing_else({f.name for f in fields(Description)} - {"place", "base"})
    if not _NAME.fullmatch(made.name):
        raise table.wrong("name", "is a name in small letters, digits, dots and hyphens, at most 61")
    if made.folder and not inside(made.folder):
        raise table.wrong("folder", "is a path below the folder of the data, without '..'")
    return made
