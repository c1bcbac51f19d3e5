"""Putting hashes on a list that may have some of them already."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from guardrail.known.file import Rows

__all__ = ["Merged", "merged"]


class Merged(NamedTuple):
    """What came of it.

    Args:
        new: pictures that were not on the list.
        widened: pictures that were, and match up to a larger distance now.
    """

    new: int
    widened: int


def merged(rows: Rows, more: Rows) -> tuple[Rows, Merged]:
    """`rows` and what of `more` is new to them. A picture is known again by its first hash; of hashes that stand in
    both, the larger limit is kept: who imports a list with larger distances wants them to hold."""
    both = rows.and_(more)
    kept: dict[tuple[int, bytes], int] = {}
    # Pictures of `both` that are on it twice → the one that stays.
    same: dict[int, int] = {}
    for picture, key in enumerate(_first_hashes(both)):
        if picture >= len(rows.tags) and key in kept:
            same[picture] = kept[key]
        else:
            kept.setdefault(key, picture)
    limits, widened = both.limits.copy(), set()
    if same:
        staying = np.flatnonzero(np.isin(both.pictures, list(set(same.values())))).tolist()
        places = {_place(both, i, int(both.pictures[i])): i for i in staying}
        for i in np.flatnonzero(np.isin(both.pictures, list(same))).tolist():
            stays = same[int(both.pictures[i])]
            at = places.get(_place(both, i, stays))
            if at is not None and limits[at] < limits[i]:
                limits[at] = limits[i]
                widened.add(stays)
    again = np.zeros(len(both.tags), np.bool_)
    again[list(same)] = True
    before = len(rows.tags)
    result = replace(both, limits=limits).without(again)
    return result, Merged(len(result.tags) - before, sum(picture < before for picture in widened))


def _first_hashes(rows: Rows) -> list[tuple[int, bytes]]:
    """Kind and hash of the first row of each picture, by its number: by it a picture is known again."""
    _, first = np.unique(rows.pictures, return_index=True)
    return [(int(rows.kinds[i]), rows.hashes[i].tobytes()) for i in first]


def _place(rows: Rows, row: int, picture: int) -> tuple[int, int, bytes]:
    return picture, int(rows.kinds[row]), rows.hashes[row].tobytes()
