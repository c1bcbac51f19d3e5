"""How much a gallery holds, without anybody's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from guardrail.gallery import people, vectors
from guardrail.gallery.sealed import View
from guardrail.gallery.sketches import faiss_present

__all__ = ["Statistics", "count", "uncovered"]


@dataclass(frozen=True, slots=True)
class Statistics:
    """How much there is, without anybody's name.

    Args:
        lists: for each list how many entries are ``active``, ``expired`` and ``revoked``.
        embedders: for each embedder its ``vectors``, ``dimension``, whether the search is ``exact``, and how many
            active protected identities are ``uncovered``: it has no vectors of them, so a guard with it does not know
            them.
        key_id: key it is encrypted under.
        outdated_key: whether that is an older one than the active one.
        changes: how often it was written.
        bytes: size of the file and of what SQLite keeps beside it.
    """

    lists: Mapping[str, Mapping[str, int]]
    embedders: Mapping[str, Mapping[str, Any]]
    key_id: str
    outdated_key: bool
    changes: int
    bytes: int


def count(view: View, path: Path, active_key: str, now: int) -> Statistics:
    """What there is in one state of a gallery.

    Args:
        path: the database file.
        active_key: name of the key that new galleries are written under.
        now: seconds since 1970.
    """
    lists = {name: dict.fromkeys(("active", "expired", "revoked"), 0) for name in ("protected", "consented")}
    for _, block in people.blocks(view):
        rows = block.rows
        over = (rows["expires"] != 0) & (rows["expires"] <= now)
        states = np.where(rows["revoked"] != 0, 2, np.where(over, 1, 0))
        for name, on in (("protected", rows["protected"] == 1), ("consented", rows["protected"] != 1)):
            for at, state in enumerate(lists[name]):
                lists[name][state] += int((states[on] == at).sum())
    embedders = {
        name: {
            "vectors": view.manifest.rows(f"vectors/{e.number}"),
            "dimension": e.dimension,
            "exact": not (view.manifest.of(f"projection/{e.number}") and faiss_present()),
            "uncovered": uncovered(view, name, now),
        }
        for name, e in view.manifest.embedders.items()
    }
    size = sum(p.stat().st_size for p in path.parent.glob(f"{path.name}*") if p.is_file())
    return Statistics(lists, embedders, view.key_id, view.key_id != active_key, view.manifest.changes, size)


def uncovered(view: View, embedder: str, now: int) -> int:
    """How many active protected identities have no vector of an embedder; `now` in seconds since 1970."""
    embedding = view.manifest.embedders.get(embedder)
    found = [whose for _, whose in vectors.owners_of(view, embedding)] if embedding is not None else []
    covered = np.unique(np.concatenate(found)) if found else np.zeros(0, np.uint64)
    count = 0
    for _, block in people.blocks(view):
        rows = block.rows
        active = (rows["revoked"] == 0) & ((rows["expires"] == 0) | (rows["expires"] > now))
        count += int((active & (rows["protected"] == 1) & ~np.isin(rows["id"], covered)).sum())
    return count
