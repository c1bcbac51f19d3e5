"""The picture files in a folder, in an order that does not depend on the file system."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from guardrail.errors import UnreadableImage

__all__ = ["SUFFIXES", "picture_files"]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".avif"})


def picture_files(path: Path, *, recursive: bool = False) -> tuple[list[Path], list[Path]]:
    """(a file as it is, whatever its name; of a folder the files that are named like pictures, sorted by path), and
    (folders that could not be read).

    Links are followed as long as they stay inside the folder; linked folders are not gone into.

    Raises:
        UnreadableImage: a folder that has no such file.
    """
    if not path.is_dir():
        return [path], []
    inside = path.resolve()
    unreadable: list[Path] = []
    found = sorted(file for file in _walk(path, recursive, unreadable) if _within(file, inside))
    if not found and not unreadable:
        more = "" if recursive else "; folders in it are looked into with --recursive"
        raise UnreadableImage(f"the folder has no PNG, JPEG, WebP, GIF or AVIF file{more}")
    return found, sorted(unreadable)


def _walk(folder: Path, recursive: bool, unreadable: list[Path]) -> Iterator[Path]:
    for at, folders, names in os.walk(folder, onerror=lambda error: unreadable.append(Path(error.filename))):
        yield from (Path(at, name) for name in names if Path(name).suffix.lower() in SUFFIXES)
        if not recursive:
            folders.clear()


def _within(file: Path, folder: Path) -> bool:
    """Whether the file itself lies in the folder; a link that leads nowhere does not."""
    if not file.is_symlink():
        return True
    try:
        return file.resolve(strict=True).is_relative_to(folder)
    except (OSError, RuntimeError):
        return False
