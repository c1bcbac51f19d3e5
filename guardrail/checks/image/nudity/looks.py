"""Looking at a picture as often as it takes: whole at 320 pixels, whole at 640, and at the bodies of small people.

Small figures are missed at 320, and every further look sees other things in faces and collars. So a further look is
taken only where somebody seems to be there, and what it alone sees must be plausible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from guardrail.checks.image.nudity.parts import FACES, BodyPart, Box, Grade, Look, NudityDetector, area, shared_area
from guardrail.errors import CheckError
from guardrail.media.types import Frame

__all__ = ["Seen", "look_at"]

FIRST_SIDE, SECOND_SIDE = 320, 640
# Enlarging a small picture shows nothing new and makes faces look like other things.
SECOND_LOOK_PIXELS = 400
# Somebody may be there: under what counts as a part (0.25). Measured: see benchmarks/results/nudity.json.
CUE = 0.10
# A face under this share of the long side belongs to somebody whose body is small at 640 pixels too: a person's height
# is some seven to eight heads (Loomis 1943), at 640 under 180 pixels.
SMALL_FACE = 1 / 28
# Around such a face: three face widths to each side, one face height above, eight below; at least so many pixels of the
# picture itself, at most so many places in one picture: beyond that four overlapping tiles show everybody.
BODY = (3.0, 1.0, 8.0)
BODY_PIXELS = 160
MOST_BODIES = 4
TILE_SHARE = 0.6
# On close portraits the detector sees other things in faces and collars (5 of 88 at 0.25 to 0.6): there a weak part
# counts only if two looks agree. Portraits have a face of at least this share of the picture.
CLOSE_UP_SHARE = 0.08
SURE_ALONE = 0.6
FILLS = 0.6


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


def look_at(image: Frame, detector: NudityDetector) -> Seen:
    """What is exposed in an (H, W, 3) RGB uint8 image.

    Raises:
        CheckError: the detector failed, or gave a number that is not finite.
    """
    looks = [_checked(detector.detect(image, FIRST_SIDE), detector)]
    long_side = max(image.shape[:2])
    if (looks[0].parts or looks[0].cue >= CUE) and long_side >= SECOND_LOOK_PIXELS:
        looks.append(_checked(detector.detect(image, SECOND_SIDE), detector))
        for box, side in _closer(image, looks):
            looks.append(_inside(image, box, side, detector))
    return _plausible(looks, float(image.shape[0] * image.shape[1]))


def _checked(look: Look, detector: NudityDetector) -> Look:
    numbers = [look.cue, *(v for p in look.parts for v in (p.score, *p.box))]
    if not np.isfinite(numbers).all():
        raise CheckError(f"{detector.name} gave a number that is not finite")
    return look


def _closer(image: Frame, looks: Sequence[Look]) -> Iterator[tuple[tuple[int, int, int, int], int]]:
    """(left, top, right, bottom) of what is looked at enlarged, and the side of the look."""
    height, width = image.shape[:2]
    long_side = max(height, width)
    faces: list[Box] = []
    for part in (p for look in looks for p in look.parts if p.label in FACES):
        small = max(part.box[2:]) < SMALL_FACE * long_side
        # Both looks may have seen it.
        if small and not any(shared_area(part.box, f) > 0.3 * min(area(part.box), area(f)) for f in faces):
            faces.append(part.box)
    bodies = [_body(f, width, height) for f in faces]
    bodies = [b for b in bodies if max(b[2] - b[0], b[3] - b[1]) >= BODY_PIXELS]
    if len(bodies) <= MOST_BODIES:
        yield from ((b, FIRST_SIDE) for b in bodies)
        return
    across, down = round(TILE_SHARE * width), round(TILE_SHARE * height)
    for left in (0, width - across):
        for top in (0, height - down):
            yield (left, top, left + across, top + down), SECOND_SIDE


def _body(face: Box, width: int, height: int) -> tuple[int, int, int, int]:
    x, y, w, h = face
    aside, above, below = BODY
    return (
        max(0, int(x - aside * w)),
        max(0, int(y - above * h)),
        min(width, int(x + w + aside * w)),
        min(height, int(y + h + below * h)),
    )


def _inside(image: Frame, box: tuple[int, int, int, int], side: int, detector: NudityDetector) -> Look:
    """A look at a piece of the picture, its boxes in the coordinates of the whole."""
    left, top, right, bottom = box
    look = _checked(detector.detect(np.ascontiguousarray(image[top:bottom, left:right]), side), detector)
    moved = (replace(p, box=(p.box[0] + left, p.box[1] + top, p.box[2], p.box[3])) for p in look.parts)
    return replace(look, parts=tuple(moved))


def _plausible(looks: Sequence[Look], image_area: float) -> Seen:
    parts = tuple(p for look in looks for p in look.parts)
    faces = [p.box for p in parts if p.label in FACES]
    close_up = any(area(f) > CLOSE_UP_SHARE * image_area for f in faces)
    exposed: list[BodyPart] = []
    doubtful = any(p.grade is Grade.PARTIAL for p in parts)
    for k, look in enumerate(looks):
        others = [p.box for j, other in enumerate(looks) if j != k for p in other.parts if p.grade is Grade.EXPLICIT]
        for part in look.parts:
            if part.grade is not Grade.EXPLICIT:
                continue
            confirmed = any(shared_area(part.box, other) > 0.3 * area(part.box) for other in others)
            believed = part.score >= SURE_ALONE or confirmed or not close_up
            if believed and not _mistaken(part.box, faces, image_area):
                exposed.append(part)
            else:
                doubtful = True
    return Seen(tuple(exposed), doubtful and not exposed, parts, len(looks))


def _mistaken(box: Box, faces: Sequence[Box], image_area: float) -> bool:
    """A part that covers a face, or fills a picture that shows one: seen on close crops of faces.

    Without a face in sight a part that fills the picture stays: it may be what the picture is about.
    """
    fills = bool(faces) and area(box) > FILLS * image_area
    return fills or any(shared_area(box, f) > 0.5 * area(f) for f in faces)
