"""Which of the parts that all looks saw are believed: on faces and collars the detector sees other things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardrail.checks.image.nudity.parts import FACES, BodyPart, Box, Grade, Look, area, shared_area

__all__ = ["Corners", "Seen", "Taken", "plausible"]

Corners = tuple[int, int, int, int]
"""Left, top, right and bottom of a piece of the picture, in its pixels."""

# Below this a part may be a mistake, above it nothing takes it away.
SURE_ALONE = 0.6
# On close portraits the detector sees other things in faces and collars (5 of 88 at 0.25 to 0.6): there a weak part
# counts only if two looks agree. Portraits have a face of at least this share of what was looked at.
CLOSE_UP_SHARE = 0.08
# Two looks agree where this share of the part is seen by the other one too.
AGREE = 0.3


@dataclass(frozen=True, slots=True)
class Taken:
    """A look at a piece of the picture, its boxes in the coordinates of the whole, and how it was taken."""

    look: Look
    piece: Corners
    side: int

    @property
    def size(self) -> tuple[int, int]:
        return self.piece[2] - self.piece[0], self.piece[3] - self.piece[1]

    def alike(self, other: Taken) -> bool:
        """Whether both were enlarged or reduced alike: squares of one strip agree on what is one mistake."""
        return self.side == other.side and self.size == other.size


@dataclass(frozen=True, slots=True)
class Seen:
    """What all looks together saw.

    Args:
        exposed: plausible parts of the grade explicit, those of the first look first.
        doubtful: True where nothing explicit counts, but bare skin was seen, or something explicit that is implausible.
        parts: all parts of all looks.
        looks: how many looks it took.
    """

    exposed: tuple[BodyPart, ...] = ()
    doubtful: bool = False
    parts: tuple[BodyPart, ...] = ()
    looks: int = 1

    @property
    def score(self) -> float:
        return max((p.score for p in self.exposed), default=0.0)


def plausible(taken: Sequence[Taken], whole: Corners) -> Seen:
    """What of all looks at one picture counts. `whole` is the picture itself."""
    parts = tuple(p for t in taken for p in t.look.parts)
    faces = [p.box for p in parts if p.label in FACES]
    exposed: list[BodyPart] = []
    doubtful = any(p.grade is Grade.PARTIAL for p in parts)
    for one in taken:
        explicit = [p for p in one.look.parts if p.grade is Grade.EXPLICIT]
        if not explicit:
            continue
        others = [
            p.box for other in taken if not one.alike(other) for p in other.look.parts if p.grade is Grade.EXPLICIT
        ]
        close_up = _close_up(faces, whole) or _close_up(faces, one.piece)
        for part in explicit:
            confirmed = any(shared_area(part.box, other) > AGREE * area(part.box) for other in others)
            believed = (confirmed or not close_up) and not _is_a_face(part.box, faces)
            if part.score >= SURE_ALONE or believed:
                exposed.append(part)
            else:
                doubtful = True
    return Seen(tuple(exposed), doubtful and not exposed, parts, len(taken))


def _close_up(faces: Sequence[Box], piece: Corners) -> bool:
    """Whether a face, with most of it in the piece, is a large share of it."""
    left, top, right, bottom = piece
    box = (float(left), float(top), float(right - left), float(bottom - top))
    return any(area(f) > CLOSE_UP_SHARE * area(box) and shared_area(f, box) > 0.5 * area(f) for f in faces)


def _is_a_face(box: Box, faces: Sequence[Box]) -> bool:
    """A part that is about as large as a face, and in its place. A small face inside of a large part is no reason."""
    return any(shared_area(box, f) > 0.5 * max(area(f), area(box)) for f in faces)
