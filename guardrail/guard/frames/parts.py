"""A request of many frames, looked at one frame at a time, and what was found put together again.

A check is given one frame, not the whole video: so its time limit holds for a frame, however long the video is, and no
more than one frame need be decoded at a time. A check that says that it needs what others found (`JointCheck`) is asked
once, about the whole request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

from guardrail.guard.frames.smoothing import smoothed
from guardrail.media import ImageInput, Region, Request
from guardrail.signals import MOST_ITEMS, ItemValue, SignalValue, Stage

__all__ = ["AT_ONCE", "Place", "in_few_items", "many_frames", "one_frame", "placed", "places", "put_together"]

AT_ONCE = 8
"""Frames of a request, all its pictures of one stage together, that are handed to a check in one piece."""


class Place(NamedTuple):
    """Index of a picture among those of its stage, and of a frame in it."""

    image: int
    frame: int


def places(request: Request, stage: Stage) -> list[Place]:
    """Every frame of a stage, in order; none where its media are texts."""
    media = request.media(stage)
    return [Place(i, f) for i, m in enumerate(media) if isinstance(m, ImageInput) for f in range(len(m.frames))]


def many_frames(request: Request, stage: Stage) -> bool:
    """Whether they are more than a check is given at once."""
    return sum(len(m.frames) for m in request.media(stage) if isinstance(m, ImageInput)) > AT_ONCE


def one_frame(request: Request, stage: Stage, place: Place) -> Request:
    """The request with this frame as its only picture of the stage."""
    image = request.media(stage)[place.image]
    assert isinstance(image, ImageInput)
    only = (replace(image, frames=(image.frames[place.frame],)),)
    match stage:
        case Stage.REFERENCE:
            return replace(request, images=only)
        case Stage.STEP:
            return replace(request, previews=only)
        case _:
            return replace(request, outputs=only)


def placed(regions: Sequence[Region], place: Place) -> list[Region]:
    """Regions of `one_frame` as those of the whole request."""
    return [replace(r, image=place.image, frame=place.frame) for r in regions]


def put_together(values: Sequence[SignalValue], *, over: int = 0) -> SignalValue:
    """One signal of several frames: the highest score, any flag, all items. Missing in one frame, missing in all.

    Args:
        values: of the frames that were looked at, in their order, each valid for its kind, or ``None``.
        over: frames of the window over which scores are smoothed, which may only raise them; 0 for none.
    """
    if not values or any(v is None for v in values):
        return None
    if all(isinstance(v, tuple) for v in values):
        items = [item for v in values if isinstance(v, tuple) for item in v]
        return in_few_items(items)
    if all(isinstance(v, bool) for v in values):
        return any(values)
    scores = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(scores) == len(values):
        return max(smoothed(scores, over))
    return values[0] if all(v == values[0] for v in values) else None


def in_few_items(items: Sequence[ItemValue]) -> tuple[ItemValue, ...] | None:
    """The items without those that no rule can tell from the rest; ``None`` where too many are left.

    A hundred frames show one face a hundred times, and a signal has at most `MOST_ITEMS`. Equal items are one. Among
    those that differ in nothing but scores, an item goes if, whichever way each score is compared (at least, or at
    most), another one passes or fails in its place: for every choice of directions there is one that lies as far out
    or farther in all scores at once. So ``any``, ``all`` and ``none`` of a rule come out the same.
    """
    distinct = _distinct(items)
    if len(distinct) <= MOST_ITEMS:
        return tuple(distinct)
    groups: dict[Any, list[int]] = {}
    for i, item in enumerate(distinct):
        scores = _scores(item)
        rest = tuple(sorted((k, repr(v)) for k, v in item.items() if k not in scores))
        groups.setdefault((rest, tuple(scores)), []).append(i)
    kept = {group[k] for group in groups.values() for k in _extremes([_scores(distinct[i]) for i in group])}
    return tuple(distinct[i] for i in sorted(kept)) if len(kept) <= MOST_ITEMS else None


def _distinct(items: Sequence[ItemValue]) -> list[ItemValue]:
    seen: dict[tuple[tuple[str, str], ...], ItemValue] = {}
    for item in items:
        seen.setdefault(tuple(sorted((k, repr(v)) for k, v in item.items())), item)
    return list(seen.values())


def _scores(item: Mapping[str, Any]) -> dict[str, float]:
    """The fields of an item that are numbers, by name; an unknown one (``None``) is none."""
    return {k: float(v) for k, v in sorted(item.items()) if isinstance(v, int | float) and not isinstance(v, bool)}


def _extremes(group: Sequence[Mapping[str, float]]) -> set[int]:
    """For each choice of directions, the items that no other one of the group lies beyond."""
    points = [tuple(scores.values()) for scores in group]
    kept: set[int] = set()
    for signs in product((1.0, -1.0), repeat=len(points[0])):
        turned = [tuple(s * p for s, p in zip(signs, point, strict=True)) for point in points]
        # In falling order an item can only lie behind one that came before it.
        front: list[int] = []
        for i in sorted(range(len(turned)), key=turned.__getitem__, reverse=True):
            if not any(all(a >= b for a, b in zip(turned[k], turned[i], strict=True)) for k in front):
                front.append(i)
        kept.update(front)
    return kept
