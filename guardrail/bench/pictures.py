"""The pictures of a benchmark: files below folders, and what csv files beside them say is in them."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from guardrail.bench.files import DataError, sha256
from guardrail.bench.sources import Source, picture_folder

__all__ = ["SUFFIXES", "Picture", "numbered", "picture_folders", "pictures"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif")


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture file.

    Args:
        group: the folder that it lies in, below the folder that was given.
        faces: how many faces a csv says that it shows; ``None`` where none says.
        category: the csv's word for what sort of picture it is.
        listed: whether it is on the list of known images that is asked; ``None`` where nobody says.
    """

    path: Path
    group: str
    faces: int | None = None
    category: str = ""
    listed: bool | None = None


@dataclass(slots=True)
class _Told:
    rows: dict[Path, Mapping[str, str]] = field(default_factory=dict)
    files: set[Path] = field(default_factory=set)

    def read(self, path: Path, about: Path | None = None) -> None:
        """Take a csv in, once.

        Args:
            about: the folder that its names are in; by default the folder of its name beside it where there is one,
                else its own folder.
        """
        if path.absolute() in self.files:
            return
        self.files.add(path.absolute())
        try:
            with path.open(encoding="utf-8", newline="") as file:
                table = csv.DictReader(file)
                if "file" not in (table.fieldnames or ()):
                    raise DataError(f"{path}: its first line must name the column file (n_faces, category if you can)")
                below = path.with_suffix("")
                folder = about or (below if below.is_dir() else path.parent)
                for row in table:
                    self._take(path, table.line_num, folder / (row["file"] or ""), row)
        except UnicodeDecodeError:
            raise DataError(f"{path} is not UTF-8") from None
        except (OSError, csv.Error) as error:
            raise DataError(f"{path} cannot be read: {error}") from None

    def _take(self, path: Path, line: int, named: Path, row: Mapping[str, str]) -> None:
        count = (row.get("n_faces") or "").strip()
        if count and not count.isdecimal():
            raise DataError(f"{path}:{line}: n_faces is a number of faces, or empty")
        if named in self.rows:
            raise DataError(f"{path}:{line}: this file is named a second time")
        self.rows[named] = row


def picture_folders(given: Sequence[Path]) -> list[Source]:
    """The folders, some of which may be given by the name of a description, with their descriptions.

    Raises:
        DataError: one is not there, or a file in it is not as its description says.
    """
    return [picture_folder(path) for path in given]


def pictures(given: Sequence[Path]) -> list[Picture]:
    """The pictures in the folders, at any depth, sorted by path; with what csv files in them, or beside them, say.

    Where a csv has a column `sha256`, the pictures are held to it.

    Args:
        given: folders, or names of data, see `picture_folders`.

    Raises:
        DataError: a folder is not there, or holds no picture; a csv in it cannot be understood, or names a file that is
            not there or has another sha256.
    """
    told = _Told()
    found: dict[Path, str] = {}
    for folder in (f.path for f in picture_folders(given)):
        inside = list(_below(folder, SUFFIXES))
        if not inside:
            raise DataError(f"{folder} holds no picture ({', '.join(SUFFIXES)})")
        for path in inside:
            found.setdefault(
                path, path.parent.relative_to(folder).as_posix().removeprefix(".") or folder.resolve().name
            )
        for path in _below(folder, (".csv",)):
            told.read(path)
        whole = folder.absolute()  # "." has no name of its own
        beside = whole.with_name(f"{whole.name}.csv") if whole.name else whole
        if beside.is_file():
            told.read(beside, folder)
    missing = next((p for p in told.rows if p not in found), None)
    if missing is not None:
        raise DataError(f"{missing} is named in a csv, but is not there")
    for path, row in told.rows.items():
        expected = (row.get("sha256") or "").strip().lower()
        if expected and sha256(path) != expected:
            raise DataError(f"{path} is not the file whose sha256 a csv names: fetch it again, or correct the csv")
    return [_picture(path, found[path], told.rows.get(path)) for path in sorted(found)]


def numbered(found: Sequence[Picture], given: Sequence[Path], named: Collection[str] = ()) -> list[Picture]:
    """The same with ``folder 1``, ``folder 2``, … for the folders below those given, in the order of their names: sets
    of faces have a folder for each person, and it is called after the person.

    Args:
        found: all pictures of the folders, so that the numbers are the same whichever of them are measured.
        given: as of `pictures`. Who gives a folder has named it; so has a csv with a category of the same name.
        named: folders that may be named besides.
    """
    kept = {f.path.resolve().name for f in picture_folders(given)} | {p.category for p in found} | set(named)
    hidden = sorted({p.group for p in found} - kept)
    names = {group: f"folder {i}" for i, group in enumerate(hidden, 1)}
    return [replace(p, group=names.get(p.group, p.group)) for p in found]


def _below(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    return (p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix.lower() in suffixes)


def _picture(path: Path, group: str, row: Mapping[str, str] | None) -> Picture:
    if row is None:
        return Picture(path, group)
    count = (row.get("n_faces") or "").strip()
    return Picture(path, group, int(count) if count else None, row.get("category") or "")
