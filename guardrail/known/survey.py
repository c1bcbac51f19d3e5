"""Looking at lists one by one, so that a damaged one hides no other, and getting rid of a damaged one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from guardrail.errors import KnownImagesError
from guardrail.keys import Keyring
from guardrail.known.file import SUFFIX, Rows, locked, read_rows, require_name, write_rows
from guardrail.known.lists import HashList

__all__ = ["Survey", "remove_whole", "survey"]


@dataclass(frozen=True, slots=True)
class Survey:
    """What lies in a folder of lists.

    Args:
        lists: those that open, by name.
        damaged: name → why it does not open.
    """

    lists: tuple[HashList, ...]
    damaged: dict[str, str]


def survey(folder: Path, keyring: Keyring) -> Survey:
    """Opens every list by itself. For people who look after lists: a guard starts with all of them, or not at all.

    Raises:
        KnownImagesError: the folder cannot be read.
    """
    found: list[HashList] = []
    damaged: dict[str, str] = {}
    try:
        names = sorted(p.name.removesuffix(SUFFIX) for p in folder.glob(f"*{SUFFIX}") if p.name[0] != ".")
    except OSError as error:
        raise KnownImagesError(f"{folder} cannot be read: {error.strerror or type(error).__name__}") from None
    for name in names:
        path = folder / f"{name}{SUFFIX}"
        try:
            require_name(name)
            rows = read_rows(path, keyring)
        except KnownImagesError as error:
            said = str(error)
            damaged[name] = said if str(path) in said else f"{path}: {said}"
            continue
        if not rows.removed:
            found.append(HashList.of(name, rows))
    return Survey(tuple(found), damaged)


def remove_whole(folder: Path, name: str, keyring: Keyring) -> int | None:
    """Remove a list, also one that does not open; other lists are not looked at. It holds at once, in running guards
    too.

    Returns:
        How many pictures were on it; ``None`` where nobody can tell, since it was damaged.

    Raises:
        KnownImagesError: no such list, or it cannot be written.
    """
    path = folder / f"{require_name(name)}{SUFFIX}"
    if not path.exists():
        raise KnownImagesError(f"no list is called {name}")
    with locked(folder):
        try:
            rows = read_rows(path, keyring)
        except KnownImagesError:
            rows = None
        if rows is not None and rows.removed:
            raise KnownImagesError(f"no list is called {name}")
        # As `HashLists.remove`: the file stays, so that running guards do not take the list for lost.
        write_rows(path, Rows(removed=True), keyring)
        return None if rows is None else len(rows.tags)
