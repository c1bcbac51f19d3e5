"""Where a face must be in frames between two that show it: what is covered there too.

A detector misses a face in one frame of a video and finds it in the next; covered in all frames but one, it is not
covered. Between two frames with boxes that match, the frames without one get a box in between, by linear interpolation
of centre and size. It only adds area: nothing that was found is moved, joined or left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrail.guard.frames.parts import Place
from guardrail.media import ImageInput, Region, Request, Role
from guardrail.signals import Stage

__all__ = ["MOST_MISSED", "between", "timelines"]

MOST_MISSED = 12
"""Frames in a row without a box that are filled: half a second of film. Longer, and it may have left the picture."""
# From one frame to the next a box moves by at most this share of its size; over a gap by more, up to a limit.
MOVES, MOVES_ON, MOVES_MOST = 0.5, 0.25, 1.5
SIZES = 2.0
"""Factor between the sizes of boxes that match."""

Box = tuple[float, float, float, float]


def between(regions: Sequence[Region], request: Request, stage: Stage) -> list[Region]:
    """Regions for the frames in between, with the fields of either end; none for pictures that are no video."""
    found: list[Region] = []
    for places in timelines(request, stage):
        number = {place: n for n, place in enumerate(places)}
        at: dict[int, list[Region]] = {}
        for region in regions:
            place = Place(region.image, region.frame)
            if place in number:
                at.setdefault(number[place], []).append(region)
        for what in sorted({_what(r) for rs in at.values() for r in rs}):
            found += _filled({n: [r for r in rs if _what(r) == what] for n, rs in at.items()}, places)
    return found


def timelines(request: Request, stage: Stage) -> list[list[Place]]:
    """The videos of a stage, each as its frames in order: of one picture, or pictures that are the frames of a list."""
    lines: list[list[Place]] = []
    listed: dict[tuple[str, tuple[int, int]], list[Place]] = {}
    for i, image in enumerate(request.media(stage)):
        if not isinstance(image, ImageInput):
            continue
        if len(image.frames) > 1:
            lines.append([Place(i, f) for f in range(len(image.frames))])
        elif image.role is Role.VIDEO or "video" in image.argument:
            listed.setdefault((image.argument.rpartition("[")[0], image.size), []).append(Place(i, 0))
    return [line for line in [*lines, *listed.values()] if len(line) > 2]


def _what(region: Region) -> tuple[str, str]:
    """What a region shows: boxes of two parts of a body are not of one thing."""
    return region.kind, str(region.fields.get("part", ""))


def _filled(at: dict[int, list[Region]], places: Sequence[Place]) -> Iterator[Region]:
    for first in sorted(at):
        for region in at[first]:
            for last in range(first + 1, min(first + MOST_MISSED + 2, len(places))):
                near = [r for r in at.get(last, ()) if _matches(region.box, r.box, last - first)]
                if near:
                    # Found again in the very next frame: nothing lies in between.
                    other = min(near, key=lambda r: (_distance(region.box, r.box), r.box))
                    yield from _steps(region, other, range(first, last + 1), places)
                    break


def _steps(region: Region, other: Region, frames: range, places: Sequence[Place]) -> Iterator[Region]:
    ends = [region] if dict(region.fields) == dict(other.fields) else [region, other]
    for n in frames[1:-1]:
        share = (n - frames[0]) / (frames[-1] - frames[0])
        box = _mixed(region.box, other.box, share)
        for end in ends:
            score = min(region.score, other.score)
            yield Region(places[n].image, places[n].frame, box, end.kind, score, end.fields)


def _mixed(a: Box, b: Box, share: float) -> Box:
    left, top, width, height = (x + (y - x) * share for x, y in zip(a, b, strict=True))
    return left, top, width, height


def _matches(a: Box, b: Box, apart: int) -> bool:
    """Whether two boxes, `apart` frames from each other, may be of one thing. Not finite: no."""
    size_a, size_b = max(a[2], a[3]), max(b[2], b[3])
    if not (0 < size_a <= SIZES * size_b and size_b <= SIZES * size_a):
        return False
    reach = min(MOVES + MOVES_ON * (apart - 1), MOVES_MOST)
    return _distance(a, b) <= reach * (size_a + size_b) / 2


def _distance(a: Box, b: Box) -> float:
    across = (a[0] + a[2] / 2) - (b[0] + b[2] / 2)
    down = (a[1] + a[3] / 2) - (b[1] + b[3] / 2)
    return float((across**2 + down**2) ** 0.5)
