"""Which pixels an alteration covered, where one picture has several readings and each of them was altered.

Values of 16 bits, or floats over 1, give one picture for each way of reading them (see `decode.wide_spans`). Only one
value can go back for a pixel, so the reading that comes first has the last word. A pixel that already had the colour of
its cover looks untouched in that reading: it must not be left to another one, or the outline of what was covered shows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from guardrail.media.types import Frame

__all__ = ["changed_anywhere", "covered"]

Mask = NDArray[np.bool_]


def changed_anywhere(before: list[Frame], after: list[Frame]) -> Mask:
    """(H, W) True where any reading was altered."""
    altered = np.asarray([(old != new).any(-1) for old, new in zip(before, after, strict=True)], np.bool_)
    return np.asarray(altered.any(axis=0), np.bool_)


def covered(before: Frame, after: Frame, anywhere: Mask) -> Mask:
    """(H, W) True where one reading was covered: the pixels that changed in it; those of exactly the same colour that
    hang together with one; and single pixels among them, which a blurred cover leaves as they were by chance.

    Only pixels that changed in some reading (`anywhere`) come along, and those of one colour all get one value: nothing
    is left of them in any reading.
    """
    changed: Mask = (before != after).any(-1)
    if not (anywhere & ~changed).any() or not changed.any():
        return changed
    rows, cols = np.nonzero(anywhere)
    within = np.s_[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    out = changed.copy()
    out[within] |= _same_colour(after[within], changed[within], anywhere[within])
    around = np.pad(out, 1)
    beside = sum(part.astype(np.int8) for part in (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2]))
    return np.asarray(out | (anywhere & (beside + around[1:-1, 2:] >= 3)), np.bool_)


def _same_colour(after: Frame, changed: Mask, anywhere: Mask) -> Mask:
    """Pixels of `anywhere` in a patch of one colour that has a changed pixel."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = np.cumsum(anywhere).reshape(anywhere.shape) - 1
    count = int(number[-1, -1]) + 1
    ends: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
    for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        alike = anywhere[one] & anywhere[other] & (after[one] == after[other]).all(-1)
        ends.append((number[one][alike], number[other][alike]))
    heads, tails = (np.concatenate(side) for side in zip(*ends, strict=True))
    graph = coo_array((np.ones(len(heads), np.bool_), (heads, tails)), shape=(count, count))
    found, patch = connected_components(graph, directed=False)
    has_changed = np.zeros(found, np.bool_)
    has_changed[patch[changed[anywhere]]] = True
    out = np.zeros(anywhere.shape, np.bool_)
    out[anywhere] = has_changed[patch]
    return out
