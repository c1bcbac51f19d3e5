"""``blur``, ``pixelate``, ``fill`` and ``replace``: covering faces or exposed body parts.

The box is grown, because recognisers look at the whole face, and where the landmarks say that a face leans, what
reaches beyond the box is covered too. Whether it holds is checked by the guard, which asks for the next stronger
`strength` until it does; the strongest is a flat fill. How each method works: `guardrail.actions.cover`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from guardrail.actions.base import Params, PlanInput, PlannedAction
from guardrail.actions.cover import STRENGTHS, cover
from guardrail.actions.places import landmarks_of
from guardrail.decision import CORE_ACTIONS, Alteration
from guardrail.errors import ActionError
from guardrail.media import ImageInput, Region
from guardrail.media.types import Frame

__all__ = ["STRENGTHS", "Blur", "Fill", "Pixelate", "Replace", "cover", "targets"]


def targets(regions: Iterable[Region], target: str) -> list[Region]:
    """The regions that a ``target`` parameter means."""
    if target == "nudity":
        return [r for r in regions if r.kind == "nudity"]
    faces = [r for r in regions if r.kind == "face"]
    if target == "faces":
        return faces
    if target == "unconsented-faces":
        # Whatever may be a photograph of somebody who can be recognised; a certain depiction stays. NaN is not certain.
        return [f for f in faces if f.fields.get("consent") != "yes" and not float(f.fields.get("real", 1.0)) < 0.5]
    raise ActionError(f"no such target to cover: {target}")


def _exists(region: Region, media: Sequence[object]) -> bool:
    image = media[region.image] if 0 <= region.image < len(media) else None
    return isinstance(image, ImageInput) and 0 <= region.frame < len(image.frames)


class _Redaction(PlannedAction):
    """Covers the target in every image of the stage that has one.

    Raises:
        ActionError: a region is not finite or lies in no image.
    """

    def plan(self, given: PlanInput, params: Params, *, strength: int = 0) -> list[Alteration]:
        chosen = targets(given.regions, str(params["target"]))
        media = given.request.media(given.stage)
        if not all(_exists(r, media) for r in chosen):
            raise ActionError("a region to cover lies in no image of this stage")
        planned: list[Alteration] = []
        for index, image in enumerate(media):
            mine = [r for r in chosen if r.image == index]
            if not mine or not isinstance(image, ImageInput):
                continue
            frames = tuple(
                self._covered(frame, [r for r in mine if r.frame == i], strength)
                for i, frame in enumerate(image.frames)
            )
            places = len({(r.frame, r.box) for r in mine})
            detail = f"{places} {'region' if places == 1 else 'regions'}, strength {strength + 1} of {STRENGTHS}"
            planned.append(
                Alteration(
                    self.spec.name,
                    given.stage,
                    detail=detail,
                    argument=image.argument,
                    index=index,
                    params=dict(params),
                    pixels=frames,
                )
            )
        return planned

    def _covered(self, frame: Frame, regions: Sequence[Region], strength: int) -> Frame:
        if not regions:
            return frame
        marks = [landmarks_of(r) for r in regions]
        return cover(frame, [r.box for r in regions], self.spec.name, strength, marks)


class Blur(_Redaction):
    spec = CORE_ACTIONS["blur"]


class Pixelate(_Redaction):
    spec = CORE_ACTIONS["pixelate"]


class Fill(_Redaction):
    spec = CORE_ACTIONS["fill"]


class Replace(_Redaction):
    spec = CORE_ACTIONS["replace"]
