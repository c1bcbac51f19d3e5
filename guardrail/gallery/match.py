"""Matching a face against the gallery, in two directions.

A false match in `protected` blocks somebody's harmless picture; a false match in `consented` would admit a picture of
somebody who never agreed. So protection matches at the loose threshold of the embedder, consent only at a stricter one
and with a margin over the next identity; and where both match, protection wins. Thresholds shrink with the size of
their list, that of consent with either list (see `guardrail.gallery.threshold`). What a large protected list no longer
claims is not thereby free to be admitted: while a protected identity is within the threshold of a pair, which does not
shrink, no consent is sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from guardrail.errors import GalleryError
from guardrail.gallery.roll import Entry, ListName, Roll
from guardrail.gallery.sketches import Finder
from guardrail.gallery.threshold import Scale, Thresholds, score, thresholds

__all__ = ["GalleryIndex", "IdentityMatch", "Neighbour", "Scale"]

Matrix = NDArray[np.float32]

# Distances from a matrix product are off by some millionths of the squared lengths; what is nearer to the limit than
# this share of them is computed again as a difference.
ROUNDING = 1e-4
# A protected identity that could be the person, if it is less than so many margins farther away than the consented one,
# withholds the consent. Any within the threshold of a pair would, of 70 strangers, withhold every second true one.
PROTECTED_MARGINS = 2


@dataclass(frozen=True, slots=True)
class IdentityMatch:
    """The nearest enrolled identity of one face.

    Args:
        match: 0..1, 0.5 at the threshold in force; 0 for an empty gallery.
        gallery: which list it is on, ``none`` below the threshold.
        consent: ``yes`` for a sure match with a consent that covers the purpose, and nobody protected as near as two
            pictures of one person are; ``no`` for a protected identity or a consent that does not cover the purpose;
            ``unknown`` otherwise.
        identity: id of the identity, empty for ``none``.
    """

    match: float
    gallery: Literal["protected", "consented", "none"]
    consent: Literal["yes", "no", "unknown"]
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An enrolled identity that a face is as near to as two pictures of one person are."""

    identity: str
    list: ListName
    distance: float


_NOBODY = IdentityMatch(0.0, "none", "unknown")


@dataclass(frozen=True, eq=False)
class GalleryIndex:
    """The vectors of one embedder, in memory.

    Args:
        main: (n, dimension) float32, one row per enrolled picture.
        owners: for each row, those of `later` after those of `main`, the index into `identities`.
        identities: who is enrolled: a `Roll`, or its entries.
        later: rows that were enrolled since `main` was read; of the same dimension.
        rows: numbers of the rows that count; all by default.
        finder: knows which of `rows` are worth comparing; all by default.
        uncovered: active protected identities without a vector of this embedder: nothing here finds them.
    """

    main: Matrix
    owners: NDArray[np.integer[Any]]
    identities: Sequence[Entry]
    later: Matrix | None = None
    rows: NDArray[np.integer[Any]] | None = None
    finder: Finder | None = None
    uncovered: int = 0

    def __len__(self) -> int:
        return len(self.identities)

    @property
    def exact(self) -> bool:
        """Whether every search compares with every row."""
        return self.finder is None

    @property
    def vectors(self) -> Matrix:
        """A copy of all rows that count."""
        return self._take(self._rows)

    def thresholds(self, scale: Scale) -> Thresholds:
        """Those in force for the size of the lists."""
        count = self._roll.count_protected
        return thresholds(scale, protected=count, consented=len(self._roll) - count)

    def match(self, probe: Matrix, scale: Scale, purpose: str = "") -> IdentityMatch:
        """The answer for one face vector.

        Raises:
            GalleryError: the vector is not finite, or not of the length of those enrolled: it would be near nobody.
        """
        if not self._usable(probe):
            return _NOBODY
        limits = self.thresholds(scale)
        # Where everybody is compared anyway, looking farther costs nothing; with sketches only a consent asks for it.
        people, nearest = self._nearest(probe, limits.reach if self.finder else max(limits.reach, limits.pair))
        kinds = self._roll.protected[people]
        if kinds.any():
            best = int(nearest[kinds].argmin())
            distance = float(nearest[kinds][best])
            if distance <= limits.protect:
                name = self._roll[int(people[kinds][best])][0]
                return IdentityMatch(score(scale, distance, limits.protect), "protected", "no", name)
        if not len(people):
            return _NOBODY
        best = int(nearest.argmin())
        distance = float(nearest[best])
        if kinds[best] or distance > limits.same:
            limit = limits.protect if kinds[best] else limits.same
            return IdentityMatch(score(scale, distance, limit), "none", "unknown")
        name, _, purposes = self._roll[int(people[best])]
        near = score(scale, distance, limits.same)
        runner_up = float(np.delete(nearest, best).min(initial=np.inf))
        doubtful = distance > limits.consent or runner_up < distance + limits.margin
        rival = min(limits.pair, distance + PROTECTED_MARGINS * limits.margin)
        if doubtful or (nearest[kinds] <= rival).any() or self._sketched_protected(probe, rival):
            return IdentityMatch(near, "consented", "unknown", name)
        covered = not purposes or purpose in purposes
        return IdentityMatch(near, "consented", "yes" if covered else "no", name)

    def near(self, probe: Matrix, scale: Scale) -> list[Neighbour]:
        """Everybody whose threshold the face is within, nearest first.

        Raises:
            GalleryError: as `match`.
        """
        if not self._usable(probe):
            return []
        limits = self.thresholds(scale)
        return self._neighbours(probe, limits.protect, limits.same)

    def within(self, probe: Matrix, distance: float) -> list[Neighbour]:
        """Everybody within a distance, nearest first. Compares with everybody: sketches may miss one in some hundreds.

        Raises:
            GalleryError: as `match`.
        """
        return replace(self, finder=None)._neighbours(probe, distance, distance) if self._usable(probe) else []

    def nearest(self, probe: Matrix) -> str:
        """Id of the identity whose picture is nearest, however far away it is; empty where nobody is enrolled.

        Compares with everybody: sketches may let nobody through who is that far away.

        Raises:
            GalleryError: as `match`.
        """
        if not self._usable(probe):
            return ""
        people, distances = replace(self, finder=None)._nearest(probe, 0.0)
        return self._roll[int(people[distances.argmin()])][0]

    # ---- distances

    def _neighbours(self, probe: Matrix, protect: float, same: float) -> list[Neighbour]:
        people, nearest = self._nearest(probe, max(protect, same))
        found = []
        for at in np.argsort(nearest, kind="stable"):
            name, kind, _ = self._roll[int(people[at])]
            if nearest[at] <= (protect if kind == "protected" else same):
                found.append(Neighbour(name, kind, float(nearest[at])))
        return found

    def _sketched_protected(self, probe: Matrix, distance: float) -> bool:
        """Whether anybody protected is within a distance at which sketches tell little.

        Only those are compared that are nearest by their bits.
        """
        if self.finder is None:
            return False
        rows = self._rows[self.finder.nearest(probe, distance)]
        rows = self._closest(self.finder, rows[self._roll.protected[self.owners[rows]]], probe, distance)
        return bool((np.linalg.norm(self._take(rows) - probe, axis=1) <= distance).any())

    def _usable(self, probe: Matrix) -> bool:
        if not np.isfinite(probe).all():
            raise GalleryError("a face vector that is not finite cannot be matched")
        if not len(self._roll):
            return False
        if probe.shape != self.main.shape[1:]:
            raise GalleryError("this face vector has another length than those enrolled for its embedder")
        return True

    def _nearest(self, probe: Matrix, reach: float) -> tuple[NDArray[np.intp], Matrix]:
        """Identities within `reach`, and the nearest one wherever it is, in their order; the distance to each."""
        found = self.finder.near(probe, reach) if self.finder is not None else None
        if self.finder is None or found is None:
            rows = self._close(probe, reach)
        else:
            rows = self._closest(self.finder, self._rows[found], probe, reach)
        distances = np.linalg.norm(self._take(rows) - probe, axis=1)
        people, place = np.unique(self.owners[rows], return_inverse=True)
        nearest = np.full(len(people), np.inf, np.float32)
        np.minimum.at(nearest, place, distances)
        return people, nearest

    def _close(self, probe: Matrix, reach: float) -> NDArray[np.integer[Any]]:
        """Rows that are within `reach` or nearest, and a few more, by a fast estimate."""
        with np.errstate(over="ignore", invalid="ignore"):
            squares = [half - part @ probe for part, half in zip(self._parts, self._halves, strict=True)]
            far = 2 * (squares[0] if len(squares) == 1 else np.concatenate(squares))[self._rows]
            length = float(probe @ probe)
            slack = ROUNDING * (length + self._longest)
            limit = max(reach**2 - length, float(np.fmin.reduce(far))) + slack
            # Whatever overflowed to NaN is looked at, too.
            near: NDArray[np.integer[Any]] = self._rows[~(far > limit)]
            return near

    def _closest(
        self, finder: Finder, rows: NDArray[np.integer[Any]], probe: Matrix, reach: float
    ) -> NDArray[np.integer[Any]]:
        """Of some rows those that are within `reach` or nearest, and a few more, by a fast estimate."""
        split = len(self.main)
        late = rows >= split
        far = np.empty(len(rows), np.float32)
        far[~late] = finder.squares(self.main, rows[~late], probe)
        if self.later is not None:
            far[late] = finder.squares(self.later, rows[late] - split, probe)
        limit = max(reach**2, float(far.min(initial=np.inf))) * (1 + ROUNDING)
        near: NDArray[np.integer[Any]] = rows[~(far > limit)]
        return near

    def _take(self, rows: NDArray[np.integer[Any]]) -> Matrix:
        split = len(self.main)
        taken: Matrix = self.main[rows if self.later is None else np.minimum(rows, split - 1)]
        if self.later is None:
            return taken
        late = rows >= split
        taken[late] = self.later[rows[late] - split]
        return taken

    @cached_property
    def _roll(self) -> Roll:
        return self.identities if isinstance(self.identities, Roll) else Roll.of(self.identities)

    @cached_property
    def _rows(self) -> NDArray[np.integer[Any]]:
        return np.arange(len(self.owners)) if self.rows is None else self.rows

    @property
    def _parts(self) -> list[Matrix]:
        return [self.main] if self.later is None else [self.main, self.later]

    @cached_property
    def _halves(self) -> list[Matrix]:
        return [0.5 * np.einsum("ij,ij->i", part, part) for part in self._parts]

    @cached_property
    def _longest(self) -> float:
        return 2 * max(float(half.max(initial=0.0)) for half in self._halves)
