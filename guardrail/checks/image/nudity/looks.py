"""Looking at a picture as often as it takes: whole at 320 pixels, a long one in squares, at 640, and at small people.

Small figures are missed at 320, and every further look sees other things in faces and collars. So a further look is
taken only where somebody seems to be there, and what it alone sees must be plausible (`belief`). The squares of a long
picture are no further look: reduced by its long side, its short one would shrink until nothing is left to see.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil

import numpy as np

from guardrail.checks.image.nudity.belief import Corners, Seen, Taken, plausible
from guardrail.checks.image.nudity.parts import FACES, Box, NudityDetector, area, shared_area
from guardrail.errors import CheckError
from guardrail.media.types import Frame

__all__ = ["look_at"]

FIRST_SIDE, SECOND_SIDE = 320, 640
# Enlarging a small picture shows nothing new and makes faces look like other things.
SECOND_LOOK_PIXELS = 400
# Somebody may be there: under what counts as a part (0.25). Measured: see benchmarks/results/nudity.json.
CUE = 0.10
# From this proportion on the whole at 320 shows under 240 pixels of the short side: squares along the picture are
# looked at too. At 320 they raise two of 71 harmless long pictures to 0.29, none to 0.35; from 1.5 on it would be none.
LONG = 4 / 3
# From this proportion on the whole at 640 shows no more than the squares did at 320: then they get the second look as
# well. In shorter pictures it would see things: 3 of 66 harmless ones would rise to 0.5 and more.
VERY_LONG = 2.0
# One square in how many pixels of its side: the next one overlaps by a quarter or more.
SQUARE_STEP = 0.75
# So many squares are some 24 times as long as wide; with a crowd in each they take some 18 s of one core
# (32 looks at 320, 160 at 640).
MOST_SQUARES = 32
# A face under this share of the long side belongs to somebody whose body is small at 640 pixels too: a person's height
# is some seven to eight heads (Loomis 1943), at 640 under 180 pixels.
SMALL_FACE = 1 / 28
# Around such a face: three face widths to each side, one face height above, eight below; at least so many pixels of the
# picture itself, at most so many places in one picture: beyond that four overlapping tiles show everybody.
BODY = (3.0, 1.0, 8.0)
BODY_PIXELS = 160
MOST_BODIES = 4
TILE_SHARE = 0.6


def look_at(image: Frame, detector: NudityDetector) -> Seen:
    """What is exposed in an (H, W, 3) RGB uint8 image.

    Raises:
        CheckError: the detector failed, gave a number that is not finite, or the picture is so long and narrow that it
            would take too many looks.
    """
    height, width = image.shape[:2]
    whole = (0, 0, width, height)
    squares = _squares(width, height)
    taken = [_taken(image, piece, FIRST_SIDE, detector) for piece in (whole, *squares)]
    if max(height, width) < SECOND_LOOK_PIXELS or not any(_somebody(t) for t in taken):
        return plausible(taken, whole)
    second = _taken(image, whole, SECOND_SIDE, detector)
    taken.append(second)
    for piece in squares if _very_long(width, height) else (whole,):
        if piece != whole:
            if not any(_somebody(t) for t in taken if t.piece == piece) and not _faces(taken, piece):
                continue
            if max(piece[2] - piece[0], piece[3] - piece[1]) >= SECOND_LOOK_PIXELS:
                taken.append(_taken(image, piece, SECOND_SIDE, detector))
        for closer, side in _closer(whole, piece, taken):
            taken.append(_taken(image, closer, side, detector))
    return plausible(taken, whole)


def _somebody(taken: Taken) -> bool:
    return bool(taken.look.parts) or taken.look.cue >= CUE


def _taken(image: Frame, piece: Corners, side: int, detector: NudityDetector) -> Taken:
    """A look at a piece of the picture, its boxes in the coordinates of the whole."""
    left, top, right, bottom = piece
    look = detector.detect(np.ascontiguousarray(image[top:bottom, left:right]), side)
    numbers = [look.cue, *(v for p in look.parts for v in (p.score, *p.box))]
    if not np.isfinite(numbers).all():
        raise CheckError(f"{detector.name} gave a number that is not finite")
    moved = (replace(p, box=(p.box[0] + left, p.box[1] + top, p.box[2], p.box[3])) for p in look.parts)
    return Taken(replace(look, parts=tuple(moved)), piece, side)


# ---- long narrow pictures


def _square(width: int, height: int) -> int:
    """Side of a square along the picture. Of a strip narrower than a look more of its length, instead of enlarging."""
    return max(FIRST_SIDE, min(width, height))


def _very_long(width: int, height: int) -> bool:
    return max(width, height) >= VERY_LONG * _square(width, height)


def _squares(width: int, height: int) -> list[Corners]:
    """Along a long picture, evenly spaced, overlapping; none along any other.

    Raises:
        CheckError: it would take too many.
    """
    length, side = max(width, height), _square(width, height)
    if length < LONG * side:
        return []
    count = ceil((length / side - 1) / SQUARE_STEP) + 1
    if count > MOST_SQUARES:
        raise CheckError(
            f"the picture is too long and narrow: it would take over {MOST_SQUARES} looks to see all of it"
        )
    starts = [round(i * (length - side) / (count - 1)) for i in range(count)]
    return [(0, s, width, s + side) if height >= width else (s, 0, s + side, height) for s in starts]


# ---- small people


def _faces(taken: Sequence[Taken], piece: Corners) -> list[Box]:
    """Boxes of faces with their middle in the piece, whatever look saw them."""
    left, top, right, bottom = piece
    boxes = (p.box for t in taken for p in t.look.parts if p.label in FACES)
    return [b for b in boxes if left <= b[0] + b[2] / 2 <= right and top <= b[1] + b[3] / 2 <= bottom]


def _closer(whole: Corners, piece: Corners, taken: Sequence[Taken]) -> Iterator[tuple[Corners, int]]:
    """What of a piece is looked at enlarged, and the side of the look."""
    left, top, right, bottom = piece
    faces: list[Box] = []
    for box in _faces(taken, piece):
        small = max(box[2:]) < SMALL_FACE * max(right - left, bottom - top)
        # Several looks may have seen it.
        if small and not any(shared_area(box, f) > 0.3 * min(area(box), area(f)) for f in faces):
            faces.append(box)
    bodies = [_body(f, whole) for f in faces]
    bodies = [b for b in bodies if max(b[2] - b[0], b[3] - b[1]) >= BODY_PIXELS]
    if len(bodies) <= MOST_BODIES:
        yield from ((b, FIRST_SIDE) for b in bodies)
        return
    across, down = round(TILE_SHARE * (right - left)), round(TILE_SHARE * (bottom - top))
    for x in (left, right - across):
        for y in (top, bottom - down):
            yield (x, y, x + across, y + down), SECOND_SIDE


def _body(face: Box, whole: Corners) -> Corners:
    x, y, w, h = face
    aside, above, below = BODY
    return (
        max(0, int(x - aside * w)),
        max(0, int(y - above * h)),
        min(whole[2], int(x + w + aside * w)),
        min(whole[3], int(y + h + below * h)),
    )
