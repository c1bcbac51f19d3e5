"""What was given as ``--data``: names, files and folders, each with its description if somebody wrote one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from guardrail.bench.descriptions import Description, known, named, read_description
from guardrail.bench.files import DataError, found_in
from guardrail.bench.splits import one_split
from guardrail.bench.text import visible

__all__ = ["Source", "picture_folder", "sources"]

_BESIDE = "data.yaml"


class Source(NamedTuple):
    """A file of rows, what is said of it, and what it is called in results: never where it lies on this machine."""

    path: Path
    description: Description | None = None
    shown: str = ""


def sources(given: Sequence[Path], split: str = "") -> list[Source]:
    """The files of prompts that were given by name, as files, or as folders.

    A description is found by its name, as ``data.yaml`` in the folder, as ``FILE.yaml`` beside FILE, or because one
    that is `known` lists this very file. Of a folder with a ``data.yaml``, the files that it lists are read, and no
    others. Whether a file is the one described is for the reader to see, by `Description.hold`.

    Args:
        split: only the files of this split, of each that was given; see `guardrail.bench.splits`.

    Raises:
        DataError: nothing is there, a description is wrong, a file is given twice, one given has no such split.
    """
    found: list[Source] = []
    shelved = known()
    for path in given:
        here = _of(path, shelved)
        kept = set(one_split(split, path, [s.path for s in here]) if split else ())
        found += [s for s in here if s.path in kept] if split else here
    found_in([s.path for s in found])
    return found


def _of(path: Path, shelved: Mapping[str, Description]) -> list[Source]:
    if _there(path):
        return _folder(path, shelved) if path.is_dir() else [Source(path, _of_file(path, shelved), path.name)]
    told = _asked(path)
    if told.folder:
        raise DataError(f"{path} is a set of pictures, and this measures prompts: see guardrail bench images")
    return [Source(p, told, name) for p, name in zip(told.at_hand(), told.files, strict=True)]


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than any file has
        return False


def _asked(path: Path) -> Description:
    told = named(str(path))
    if told is None:
        names = ", ".join(known()) or "none"
        raise DataError(f"{visible(str(path))} is not there, and no data have this name; named data are: {names}")
    return told


def _folder(folder: Path, shelved: Mapping[str, Description]) -> list[Source]:
    beside = folder / _BESIDE
    if beside.is_file():
        told = read_description(beside)
        return [Source(p, told, _below(folder, p)) for p in told.at_hand()]
    return [Source(p, _of_file(p, shelved), _below(folder, p)) for p in found_in([folder])]


def _below(folder: Path, path: Path) -> str:
    """``set/train/data.arrow``: files of several splits are called the same."""
    top = folder.name if folder.name not in ("", "..") else folder.resolve().name
    return str(PurePosixPath(top, *path.relative_to(folder).parts))


def _of_file(path: Path, shelved: Mapping[str, Description]) -> Description | None:
    own = path.with_name(f"{path.name}.yaml")
    for place in (own, path.parent / _BESIDE):
        if place.is_file():
            told = read_description(place)
            if path.name in told.files:
                return told
            if place == own:
                raise DataError(f"{own} does not list {path.name!r} under files: add it with its sha256")
    return next((d for d in shelved.values() if _lists(d, path)), None)


def _lists(told: Description, path: Path) -> bool:
    whole = path.resolve()
    return any(p.name == path.name and p.resolve() == whole for p in told.paths)


def picture_folder(given: Path) -> Source:
    """A folder of pictures that was given by name or as it is, with its description; its files are as described.

    Raises:
        DataError: there is none, or a file is not as described.
    """
    if not given.is_dir():
        if given.exists() or len(given.parts) != 1:
            raise DataError(f"{given} is no folder")
        told = _asked(given)
        if not told.folder:
            raise DataError(f"{given} are prompts, and this measures pictures: see guardrail bench prompts")
        folder = told.base / told.folder
        if not folder.is_dir():
            raise DataError(f"{folder} is not there, but {told.place} names it: fetch it")
        told.hold_all()
        return Source(folder, told)
    beside = given / _BESIDE
    if beside.is_file():
        described: Description | None = read_description(beside)
    else:
        whole = given.resolve()
        described = next((d for d in known().values() if d.folder and (d.base / d.folder).resolve() == whole), None)
    if described is not None:
        described.hold_all()
    return Source(given, described)
